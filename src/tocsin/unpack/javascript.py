"""Scripts in the normal form that signatures for target 3 are written against.

Names that a script declares are numbered, joined strings and what `eval`, `unescape` and
known packers hide are put in, comments and white space go, everything is in lower case.

Source: measured with clamscan 1.4.6 and sigtool --html-normalise.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from enum import Enum
from functools import lru_cache

from tocsin.unpack.javascript_tokens import KEYWORDS, Kind, Token, number, tokens, unescaped, utf8

CHECK_EVERY = 4096

_MOST_PACKERS = 64
_PACKERS = (b"(p,a,c,k,e,r)", b"(p,a,c,k,e,d)")
_PACKER_NAMES = (b"p", b"a", b"c", b"k", b"e")
_PACKER_ARGUMENTS = 6
_PACKER_TOKENS = 13
_PERCENT = re.compile(rb"%(?:u([0-9a-fA-F]{4})(?=.)|([0-9a-fA-F]{2}))", re.DOTALL)
_WORD = re.compile(rb"[0-9A-Za-z]+")
_BLANKS = bytes.maketrans(b"\t\n\v\f\r", b"     ")
_CLOSING = Token(Kind.OTHER, b")")


class _State(Enum):
    BASE = 0
    VAR = 1
    INITIALISER = 2
    FUNCTION_NAME = 3
    PARAMETERS = 4
    DECLARATION = 5


class _Scope:
    """Names of one function: their numbers, None for those merely used."""

    __slots__ = ("blocks", "brackets", "last", "names", "number", "parent", "state")

    def __init__(self, number: int, parent: _Scope | None) -> None:
        self.number = number
        self.parent = parent
        self.names: dict[bytes, int] = {}
        self.state = _State.BASE
        self.last = b""
        self.brackets = 0
        self.blocks = 0

    def look_up(self, name: bytes) -> int | None:
        scope: _Scope | None = self
        while scope is not None:
            found = scope.names.get(name)
            if found is not None:
                return found
            scope = scope.parent
        return None


class _Script:
    """One script: its tokens and scopes."""

    def __init__(self, alive: Callable[[], None]) -> None:
        self._alive = alive
        self._steps = 0
        self._declared = 0
        self._packers = 0
        self._left = b""
        self._names: dict[bytes, Token] = {}
        self._scopes = [_Scope(0, None)]
        self.current = self._scopes[0]
        self.tokens: list[Token] = []

    def parse(self, script: bytes) -> None:
        """Take in the whole script, then fold what it hides."""
        self._read(script, self.tokens)
        if self._left[:1] in (b'"', b"'"):
            left, self._left = self._left, b""
            self._string(self.tokens, unescaped(left[1:]))
        opened = 0
        for token in self.tokens:
            if token.kind is Kind.OTHER:
                if token.text == b"(":
                    opened += 1
                elif token.text == b")" and opened:
                    opened -= 1
        self.tokens += [_CLOSING] * opened
        names = self._names
        if b"unescape" in names:
            self._fold_unescape()
        if b"eval" in names or b"dF" in names or all(name in names for name in _PACKER_NAMES):
            self._decode()

    # --- reading --------------------------------------------------------------------------

    def _read(self, script: bytes, out: list[Token]) -> None:
        script, self._left = self._left + script, b""
        for group, text in tokens(script):
            self._steps += 1
            if not self._steps % CHECK_EVERY:
                self._alive()
            if group == "name":
                out.append(self._name(text))
                continue
            scope = self.current
            if group == "mark":
                self._mark(text, out)
            elif group == "string":
                if self._string(out, text):
                    continue
            elif group == "left":
                self._left = text
                return
            elif group == "number":
                out.append(number(text))
            else:
                out.append(_other(text))
            scope.last = text if group == "mark" else b""

    def _string(self, out: list[Token], text: bytes) -> bool:
        """Add a string, to the one before a plus if there is one: whether that was so."""
        joined = len(out) > 1 and out[-1] == _PLUS and out[-2].kind is Kind.TEXT
        if joined:
            out.pop()
            text = out.pop().text + text
        out.append(Token(Kind.TEXT, text))
        return joined

    def _name(self, text: bytes) -> Token:
        scope = self.current
        last, scope.last = scope.last, b""
        if text in KEYWORDS:
            if text == b"function":
                inner = _Scope(len(self._scopes), scope)
                self._scopes.append(inner)
                self.current = inner
                inner.state = _State.FUNCTION_NAME
                return Token(Kind.FUNCTION, text, inner.number)
            if text == b"var":
                scope.state = _State.VAR
            return _other(text)
        if last == b".":
            return Token(Kind.MEMBER, text)
        state = scope.state
        if state in (_State.VAR, _State.DECLARATION):
            self._declare(scope, text)
            scope.state = _State.INITIALISER
            scope.brackets = 0
        elif state is _State.FUNCTION_NAME:
            self._declare(scope, text)
            scope.state = _State.PARAMETERS
        return self._names.get(text) or self._names.setdefault(text, Token(Kind.NAME, text))

    def _declare(self, scope: _Scope, name: bytes) -> None:
        scope.names[name] = self._declared
        self._declared += 1

    def _mark(self, text: bytes, out: list[Token]) -> None:
        scope = self.current
        state = scope.state
        if text == b"(":
            if state in (_State.FUNCTION_NAME, _State.PARAMETERS):
                scope.state = _State.DECLARATION
        elif text == b")":
            if state is _State.PARAMETERS:
                scope.state = _State.BASE
        elif text == b"{":
            if state in (_State.FUNCTION_NAME, _State.PARAMETERS, _State.DECLARATION):
                scope.state = _State.BASE
            scope.blocks += 1
        elif text == b"}":
            scope.blocks = max(0, scope.blocks - 1)
            if not scope.blocks and scope.parent is not None:
                out.append(_other(text))
                out.append(_END)
                self.current = scope.parent
                self.current.last = b"}"
                return
        elif text == b"[":
            scope.brackets += 1
        elif text == b"]":
            scope.brackets = max(0, scope.brackets - 1)
        elif text == b",":
            if state is _State.INITIALISER and not (scope.brackets or scope.blocks):
                scope.state = _State.VAR
        elif text == b";" and not (scope.brackets or scope.blocks):
            scope.state = _State.BASE
        out.append(_other(text))

    # --- folding --------------------------------------------------------------------------

    def _fold_unescape(self) -> None:
        out: list[Token] = []
        given = self.tokens
        at, count = 0, len(given)
        while at < count:
            token = given[at]
            if (
                token.kind is Kind.NAME
                and token.text == b"unescape"
                and at + 4 <= count
                and given[at + 1] == _OPENING
                and given[at + 2].kind is Kind.TEXT
            ):
                out.append(Token(Kind.TEXT, percent_decoded(given[at + 2].text)))
                at += 4
            else:
                out.append(token)
                at += 1
        self.tokens = out

    def _decode(self) -> None:
        """Replace what is evaluated by its tokens, from left to right.

        Replaced parts are collected in `done`, so that the whole stays linear.
        """
        rest = self.tokens[::-1]
        done: list[Token] = []
        late: list[Token] = []
        while rest or late:
            if not rest:
                rest, late = late[::-1], []
            token = rest[-1]
            size = len(rest)
            taken = 1
            new: list[Token] | None = None
            if token.kind in (Kind.FUNCTION, Kind.END):
                if size > _PACKER_TOKENS:
                    done.append(rest.pop())
                    self._unpack(rest, done)
                    continue
                self._enter(token)
            elif token.kind is Kind.NAME and size > 2 and rest[-2] == _OPENING:
                if token.text == b"eval" and size > 3 and rest[-4] == _CLOSING:
                    if rest[-3].kind is Kind.TEXT:
                        new, taken = self._evaluated(rest[-3].text), 4
                elif token.text == b"dF" and rest[-3].kind is Kind.TEXT and rest[-3].text:
                    late += self._evaluated(_shifted(rest[-3].text))
                    new, taken = [], 4
            if new is None:
                done.append(rest.pop())
                continue
            del rest[-min(taken, size) :]
            if rest and rest[-1] == _SEMICOLON:
                rest.pop()
            rest += new[::-1]
            if rest:
                self._enter(rest[-1])
                done.append(rest.pop())
        self.tokens = done

    def _enter(self, token: Token) -> None:
        if token.kind is Kind.FUNCTION:
            self.current = self._scopes[token.scope]
        elif token.kind is Kind.END and self.current.parent is not None:
            self.current = self.current.parent

    def _evaluated(self, script: bytes) -> list[Token]:
        out: list[Token] = []
        self._read(script, out)
        return out

    def _unpack(self, rest: list[Token], done: list[Token]) -> None:
        """Undo the packer whose function begins here, if it is one that is known."""
        name = b""
        if rest[-1].kind is Kind.NAME:
            name = rest[-1].text
            done.append(rest.pop())
        shown = b"".join(token.text for token in rest[: -_PACKER_TOKENS - 1 : -1])
        if shown in _PACKERS and self._packers < _MOST_PACKERS:
            self._packers += 1
            found = _packed_call(rest[::-1], name)
            if found is not None:
                begin, end, packed = found
                stop = len(rest) - end
                if stop > 0 and rest[stop - 1] == _SEMICOLON:
                    stop -= 1
                rest[max(0, stop) : len(rest) - begin] = self._evaluated(packed)[::-1]
        done.append(rest.pop())
        self._enter(done[-1])

    # --- writing --------------------------------------------------------------------------

    def written(self) -> bytes:
        """The script in its normal form."""
        out: list[bytes] = []
        last = 0
        self.current = self._scopes[0]
        for token in self.tokens:
            kind, text, _ = token
            if kind is Kind.NAME:
                known = self.current.look_up(text)
                if known is not None:
                    text = b"n%03d" % known
                first, after = 0x61, 0x61
            elif kind is Kind.TEXT:
                out.append(b'"' + text + b'"')
                last = 0x22
                continue
            elif kind in (Kind.INTEGER, Kind.FLOAT):
                first, after = 0x30, 0x30
            elif kind is Kind.END:
                self._enter(token)
                continue
            else:
                if kind is Kind.FUNCTION:
                    self._enter(token)
                first, after = (text[0], text[-1]) if text else (0, 0)
            if last in _ALNUM and first in _ALNUM:
                out.append(b" ")
            out.append(text)
            last = after
        return b"".join(out).lower().translate(_BLANKS)


_ALNUM = frozenset(b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")
_PLUS = Token(Kind.OTHER, b"+")
_OPENING = Token(Kind.OTHER, b"(")
_SEMICOLON = Token(Kind.OTHER, b";")
_COMMA = Token(Kind.OTHER, b",")
_END = Token(Kind.END, b"")
_EMPTY_LIST = (Token(Kind.OTHER, b"["), Token(Kind.OTHER, b"]"), _CLOSING)


@lru_cache(maxsize=256)
def _other(text: bytes) -> Token:
    """A token that means nothing by itself: an operator, a mark or a keyword."""
    return Token(Kind.OTHER, text)


def percent_decoded(text: bytes) -> bytes:
    """What `unescape` makes of a string; NUL becomes the byte 1."""
    return _PERCENT.sub(_percent, text).replace(b"\0", b"\1") if b"%" in text else text


def _percent(found: re.Match[bytes]) -> bytes:
    wide, narrow = found.groups()
    return bytes((int(narrow, 16),)) if wide is None else utf8(int(wide, 16))


def _shifted(text: bytes) -> bytes:
    """What the encoder of scriptasylum.com hides; its last character is the distance."""
    distance = (text[-1] - 0x30) & 0xFF
    table = bytes((byte - distance) & 0xFF for byte in range(256))
    return percent_decoded(percent_decoded(text[:-1]).translate(table))


def _packed_call(ahead: Sequence[Token], name: bytes) -> tuple[int, int, bytes] | None:
    """Find the call of a packer's function and undo it.

    Args:
        ahead: tokens from behind the function's name.
        name: the function's name; empty when it is called where it stands.

    Returns:
        Where the arguments begin, behind what they end, and what they hide.
    """
    count = len(ahead)
    nesting, at = 1, 0
    while at < count:
        kind = ahead[at].kind
        nesting += (kind is Kind.FUNCTION) - (kind is Kind.END)
        if not nesting:
            break
        at += 1
    if nesting:
        return None
    if name:
        while at + 2 < count and not (
            ahead[at] == Token(Kind.NAME, name) and ahead[at + 1] == _OPENING
        ):
            at += 1
        if at + 2 >= count:
            return None
        at += 2
    else:
        while at < count and ahead[at] != _OPENING:
            at += 1
        at += 1
    arguments: list[int] = []
    while len(arguments) < _PACKER_ARGUMENTS and at < count:
        arguments.append(at)
        at += 1
        stop = _COMMA if len(arguments) < _PACKER_ARGUMENTS else _CLOSING
        while at < count and ahead[at] != stop:
            at += 1
        at += 1
    if len(arguments) < _PACKER_ARGUMENTS:
        return None
    packed, base, _, words = (ahead[place] for place in arguments[:4])
    begin, end = arguments[0], arguments[-1] + 1
    if packed.kind is not Kind.TEXT or words.kind is not Kind.TEXT:
        hidden = b""
    else:
        radix = int(base.text) if base.kind is Kind.INTEGER else -1
        hidden = _unpacked(packed.text, radix, words.text.split(b"|"))
    if tuple(ahead[end : end + 3]) == _EMPTY_LIST:
        end += 3
    elif end < count:
        end += 1
    return begin, end, hidden


def _unpacked(packed: bytes, base: int, words: list[bytes]) -> bytes:
    def word(found: re.Match[bytes]) -> bytes:
        value = 0
        for char in found[0]:
            digit = char - (0x57 if char >= 0x61 else 0x1D if char >= 0x41 else 0x30)
            value = (value * base + digit) & 0xFFFFFFFF
        return (words[value] if value < len(words) else b"") or found[0]

    return _WORD.sub(word, packed.replace(b"\\'", b"'").replace(b'\\"', b'"'))


def normalise_scripts(scripts: Iterable[bytes], alive: Callable[[], None]) -> bytes:
    """The normal forms of a page's scripts, one a line, each as if it stood alone.

    Args:
        scripts: each with its closing tag.
        alive: called now and then; raises when the time is over.
    """
    lines = []
    for script in scripts:
        state = _Script(alive)
        state.parse(script)
        line = b"<script>" + state.written()
        lines.append(line if line.endswith(b"</script>") else line + b"</script>")
    return b"\n".join(lines)
