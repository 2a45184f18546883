# ruff: noqa: RUF001 - words and marks of many languages stand here on purpose
"""Passwords that a mail's own text gives for what is attached to it.

What opens an encrypted attachment usually stands in the message: behind a word for it, in
quotation marks, or alone on a line. Few guesses, the likeliest first, because trying one can
take a tenth of a second.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Iterator
from itertools import islice

MOST = 64
"""Candidates of one mail."""

LONGEST_TEXT = 64 * 1024
"""Bytes of one part that are read for this."""

_MOST_FORMS = 2000
_LONGEST, _SHORTEST = 48, 3
_WORDS = (
    r"pass(?:word|wort|code|phrase|wd|e)?s?|pwd|pw|p/w|kennwort|code|pin|key|"
    r"contrase(?:ñ|n)a|clave|senha|palavra-passe|mot\s+de\s+passe|mdp|"
    r"(?:parola(?:\s+d['’]ordine)?)|wachtwoord|hasło|haslo|heslo|jelszó|şifre|parol|"
    r"пароль|пароля|пасс|密码|密碼|口令|パスワード|비밀번호|암호"
)
_NEAR = re.compile(
    rf"(?:(?<![\w/])(?:{_WORDS})(?![\w]))|密码|密碼|口令|パスワード|비밀번호|암호|пароль",
    re.IGNORECASE,
)
_STEMS = (
    *("pass", "pwd", "pw", "p/w", "kennwort", "code", "pin", "key", "contrase", "clave", "senha"),
    *("palavra-", "mot de", "mdp", "parol", "wachtw", "hasło", "haslo", "heslo", "jelsz", "şifre"),
    *("парол", "пасс", "密码", "密碼", "口令", "パスワード", "비밀번호", "암호"),
)
"""How the words begin: looked for first, in lower case, because that is many times as fast."""

_FILLER = re.compile(
    r"(?:\s|[:=\-–—>*_|.,;\"'«»„“”‘’`(\[{：＝]|\b(?:is|was|are|ist|lautet|est|es|è|e|é|to|for|the|"
    r"this|file|zip|archive|attachment|document|open|extract|unzip|it|der|die|das|für|zum|datei|"
    r"archiv|anhang|para|el|la|le|pour|di|del|per|archivo|fichier|be|use|following|your|of|from|"
    r"к|для|архива|архиву|файла|от|это|は|です|为|是|를|는)(?!\w))*",
    re.IGNORECASE,
)
_TOKEN = re.compile(r"[^\s\"'«»„“”‘’`()\[\]{}<>|]{1,60}")
_QUOTED = re.compile(r"[\"'«„“‘`]([^\"'«»„“”‘’`<>\r\n]{3,48})[\"'»“”’`]")
_LONE = re.compile(r"^[ \t>*]*(\S{3,48})[ \t\r]*$", re.MULTILINE)
_TRAILING = ".,;:!?*_)]}>\"'"
_TAGS = re.compile(r"<[^<>]*>")
_BREAKS = re.compile(
    r"</?(?:br|p|div|tr|td|th|li|ul|ol|table|h[1-6]|hr|blockquote|pre)\b[^<>]*>", re.IGNORECASE
)
_UNSEEN = dict.fromkeys(map(ord, "\u00ad\u200b\u200c\u200d\u2060\ufeff"))
_OLD_CHARSETS = ("cp437", "cp866", "cp1252", "cp1251")
_MOST_PLAIN = 4
_MOST_PLACES = 500
_TOKENS_NEAR = 3


def plain_text(text: str) -> list[str]:
    """What a reader sees of HTML: a word with tags inside it is one, or it is several."""
    lines = _BREAKS.sub("\n", text)
    return [
        html.unescape(_TAGS.sub(between, lines)).translate(_UNSEEN)
        for between in (("", " ") if _TAGS.search(lines) else ("",))
    ]


def candidates(texts: Iterable[str], charset: str = "") -> tuple[bytes, ...]:
    """Passwords that texts may give, the likeliest first.

    Each way to find them has a share, so that none can crowd out another.

    Args:
        texts: the subject and the bodies, decoded.
        charset: what the text was written in, or empty.
    """
    texts = list(texts)
    first: list[bytes] = []
    others: list[bytes] = []
    for source, share in ((_near, MOST // 2), (_quoted, MOST // 4), (_lone, MOST // 4)):
        forms = (form for text in texts for word in source(text) for form in _forms(word, charset))
        found = list(dict.fromkeys(islice(forms, _MOST_FORMS)))
        first += found[:share]
        others += found[share:]
    return tuple(islice(dict.fromkeys(first + others), MOST))


def _near(text: str) -> Iterator[str]:
    """Words behind a word for password."""
    folded = text.lower()
    if len(folded) != len(text):  # a letter has become two
        folded = text
    places: list[int] = []
    for stem in _STEMS:
        at = folded.find(stem)
        while at >= 0 and len(places) < _MOST_PLACES:
            places.append(at)
            at = folded.find(stem, at + 1)
    for match in filter(None, (_NEAR.match(text, place) for place in sorted(places))):
        at = match.end()
        for _ in range(_TOKENS_NEAR):
            filler = _FILLER.match(text, at, at + 200)
            at = filler.end() if filler is not None else at
            token = _TOKEN.match(text, at, at + 100)
            if token is None:
                break
            yield from _trimmed(token[0])
            at = token.end()


def _quoted(text: str) -> Iterator[str]:
    for match in _QUOTED.finditer(text):
        yield match[1]


def _lone(text: str) -> Iterator[str]:
    """Words that are a line of their own: first those that are no mere words."""
    plain: list[str] = []
    for match in _LONE.finditer(text):
        word = match[1]
        if word.isalpha():
            plain.append(word)
        elif _is_odd(word):
            yield from _trimmed(word)
    yield from plain[:_MOST_PLAIN]


def _is_odd(word: str) -> bool:
    """Whether a word has a digit or a mark in it, and is no address and no ruler."""
    bare = word.strip(_TRAILING)
    return not bare.isalpha() and any(map(str.isalnum, bare)) and "://" not in bare


def _trimmed(token: str) -> Iterator[str]:
    """A token without what may be punctuation of its sentence, and with it."""
    bare = token.rstrip(_TRAILING)
    if _SHORTEST <= len(bare) <= _LONGEST:
        yield bare
    if token != bare and _SHORTEST <= len(token) <= _LONGEST:
        yield token


def _forms(word: str, charset: str) -> Iterator[bytes]:
    """The bytes that archivers may have made of a word."""
    yield word.encode("utf-8", "surrogateescape")
    if word.isascii():
        return
    for name in (charset, *_OLD_CHARSETS):
        if not name:
            continue
        try:
            yield word.encode(name)
        except (UnicodeError, LookupError):
            continue
