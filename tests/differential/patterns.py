"""Body patterns made at random, and bytes that a pattern describes.

`realise` reads the notation itself instead of asking the package's parser, so that a mistake
there cannot hide itself; it serves made-up patterns and those of published sets alike.
"""

from __future__ import annotations

import random
import re

LETTERS = b"abcdefghijklmnopqrstuvwxyz"
DENSE = b"ab"
_HEX = frozenset("0123456789abcdefABCDEF?")
_BOUNDARY = {"B": b" ", "L": b"\n", "W": b"."}
_NO_BOUNDARY = b"x"
_LONGEST_FREE_GAP = 12


def literal(rng: random.Random, low: int = 2, high: int = 6, alphabet: bytes = LETTERS) -> bytes:
    """A few bytes; mostly letters, so that folding of case has something to fold."""
    size = rng.randint(low, high)
    if alphabet is LETTERS and rng.random() < 0.3:
        return bytes(rng.randrange(256) for _ in range(size))
    return bytes(rng.choice(alphabet) for _ in range(size))


def _wildcards(rng: random.Random) -> str:
    return rng.choice(("??", "????", "6?", "?2", "{1}", "{3}"))


def _alternatives(rng: random.Random, alphabet: bytes, *, fixed: bool = False) -> str:
    size = rng.randint(1, 3)
    options = []
    for _ in range(rng.randint(2, 4)):
        length = size if fixed or rng.random() < 0.6 else rng.randint(1, 4)
        options.append(literal(rng, length, length, alphabet).hex())
    if not fixed and rng.random() < 0.2:
        options.append("6?" + "??" * rng.randint(0, 2))
    if not fixed and rng.random() < 0.1:
        options.append(f"{options[0]}({options[-1]}|{literal(rng, 1, 2, alphabet).hex()})")
    return "(" + "|".join(options) + ")"


def part(rng: random.Random, *, modified: bool, alphabet: bytes = LETTERS) -> str:
    """A part without gaps, with the two literal bytes in a row that each part needs.

    Args:
        modified: whether modifiers will stand behind the pattern, which forbids `!(…)`.
        alphabet: what the literals are made of.
    """
    pieces = [literal(rng, 2, 5, alphabet).hex()]
    for _ in range(rng.choice((0, 0, 1, 1, 2, 3))):
        roll = rng.random()
        if roll < 0.35:
            piece = _wildcards(rng)
        elif roll < 0.6:
            piece = _alternatives(rng, alphabet)
        elif roll < 0.7 and not modified:
            piece = "!" + _alternatives(rng, alphabet, fixed=True)
        else:
            piece = rng.choice(("(B)", "(W)", "(L)", "!(W)")) if rng.random() < 0.4 else "??"
        # A group behind a lone wildcard is refused by clamscan's prefilter: kept rare here.
        low = 1 if "(" in piece and rng.random() < 0.7 else 0
        if "(" not in piece and "(" in pieces[0]:
            low = 1
        pieces.insert(rng.randint(low, len(pieces)), piece)
        if rng.random() < 0.5:
            pieces.insert(rng.randint(0, len(pieces)), literal(rng, 2, 4, alphabet).hex())
    text = "".join(pieces)
    if rng.random() < 0.08:
        text = f"{literal(rng, 1, 1).hex()}[{rng.randint(0, 2)}-{rng.randint(2, 4)}]{text}"
    elif rng.random() < 0.08:
        text = f"{text}[{rng.randint(0, 2)}-{rng.randint(2, 4)}]{literal(rng, 1, 1).hex()}"
    return text


def gap(rng: random.Random) -> str:
    """A gap, the corner forms among them."""
    low = rng.randint(0, 6)
    high = low + rng.randint(0, 6)
    between = f"{{{low}-{high}}}"
    open_ended = (f"{{-{high}}}", f"{{{low}-}}")
    corners = (f"{{{high}}}", "{0}", "{0-1}", "{2-1}", "{130}")
    return rng.choice(("*", "*", between, between, *open_ended, *corners))


def pattern(rng: random.Random, *, modified: bool = False, dense: bool = False) -> str:
    """A whole body pattern."""
    alphabet = DENSE if dense else LETTERS
    text = part(rng, modified=modified, alphabet=alphabet)
    for _ in range(rng.choice((0, 0, 0, 1, 1, 2, 3))):
        text += gap(rng) + part(rng, modified=modified, alphabet=alphabet)
    return text


def realise(text: str, rng: random.Random, *, slip: float = 0.0) -> bytes:
    """Bytes that the pattern describes.

    Args:
        text: the pattern, without offset and modifiers.
        rng: chooses what wildcards, gaps and alternatives stand for.
        slip: how likely a gap is one byte too short or too long.
    """
    return _row(text, rng, slip)


def _row(text: str, rng: random.Random, slip: float) -> bytes:
    out = bytearray()
    at = 0
    while at < len(text):
        char = text[at]
        if char in _HEX and at + 1 < len(text):
            out.append(_byte(text[at : at + 2], rng))
            at += 2
        elif char == "*":
            out += _filling(rng.randint(0, _LONGEST_FREE_GAP), rng)
            at += 1
        elif char in "{[":
            close = text.index("}" if char == "{" else "]", at)
            out += _filling(_gap_length(text[at + 1 : close], rng, slip), rng)
            at = close + 1
        elif char == "(" or text[at : at + 2] == "!(":
            negated = char == "!"
            open_at = at + negated
            close = _closing(text, open_at)
            out += _group(text[open_at + 1 : close], rng, slip, negated=negated)
            at = close + 1
        else:
            raise ValueError(f"not a pattern at {at}: {text[at : at + 20]!r}")
    return bytes(out)


def _byte(pair: str, rng: random.Random) -> int:
    digits = "".join(rng.choice("0123456789abcdef") if digit == "?" else digit for digit in pair)
    return int(digits, 16)


def _filling(size: int, rng: random.Random) -> bytes:
    return bytes(rng.choice(b"\x00\x01\xfe\xf0\x81") for _ in range(size))


def _gap_length(text: str, rng: random.Random, slip: float) -> int:
    low_text, dash, high_text = text.partition("-")
    low = int(low_text or 0)
    high = int(high_text or 0) if dash else low
    length = rng.randint(low, max(low, high or low + _LONGEST_FREE_GAP))
    if rng.random() < slip:
        length = rng.choice((low - 1, max(low, high) + 1))
    return max(0, length)


def _closing(text: str, start: int) -> int:
    depth = 0
    for at in range(start, len(text)):
        depth += {"(": 1, ")": -1}.get(text[at], 0)
        if depth == 0:
            return at
    raise ValueError("a parenthesis that does not close")


def _options(inside: str) -> list[str]:
    options, depth, start = [], 0, 0
    for at, char in enumerate(inside):
        depth += {"(": 1, ")": -1}.get(char, 0)
        if char == "|" and depth == 0:
            options.append(inside[start:at])
            start = at + 1
    return [*options, inside[start:]]


def _group(inside: str, rng: random.Random, slip: float, *, negated: bool) -> bytes:
    if inside in _BOUNDARY:
        return _NO_BOUNDARY if negated else _BOUNDARY[inside]
    options = [option for option in _options(inside) if option]
    if negated:
        return bytes(rng.randrange(256) for _ in range(len(options[0]) // 2))
    return _row(rng.choice(options), rng, slip)


def modify(data: bytes, modifiers: str, rng: random.Random) -> bytes:
    """Bytes that still match when these modifiers stand behind the pattern."""
    if "i" in modifiers:
        data = bytes(
            byte ^ 0x20 if rng.random() < 0.5 and chr(byte).isascii() and chr(byte).isalpha()
            else byte for byte in data
        )  # fmt: skip
    if "w" in modifiers and not ("a" in modifiers and rng.random() < 0.5):
        data = b"".join(bytes((byte, 0)) for byte in data)
    return data


def almost(data: bytes, rng: random.Random) -> bytes:
    """The same bytes with one thing wrong."""
    if not data:
        return data
    at = rng.randrange(len(data))
    return rng.choice(
        (
            data[:at] + bytes([data[at] ^ rng.choice((1, 0x20, 0x80, 0xFF))]) + data[at + 1 :],
            data[:at] + data[at + 1 :],
            data[:at] + b"\x00" + data[at:],
            data[:-1],
            data[1:],
            data.swapcase(),
        )
    )


_PLAIN = re.compile(r"(?:[0-9a-fA-F]{2})+\Z")


def is_plain(text: str) -> bool:
    """Whether a pattern is nothing but literal bytes."""
    return bool(_PLAIN.match(text))
