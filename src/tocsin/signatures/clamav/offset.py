"""Where a body signature may match: the offset field of `.ndb` lines and sub-signatures.

Source: ClamAV manual, "Extended signature format".
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import NamedTuple

from tocsin.errors import SignatureError
from tocsin.signatures.clamav.numbers import natural


class Anchor(StrEnum):
    """What an offset counts from."""

    ANY = "*"
    START = "start"
    END = "EOF"
    ENTRY_POINT = "EP"
    SECTION = "S"
    LAST_SECTION = "SL"
    WITHIN_SECTION = "SE"
    VERSION_INFO = "VI"
    MACRO = "$"


EXECUTABLE_ANCHORS = frozenset(
    {
        Anchor.ENTRY_POINT,
        Anchor.SECTION,
        Anchor.LAST_SECTION,
        Anchor.WITHIN_SECTION,
        Anchor.VERSION_INFO,
    }
)
EXECUTABLE_TARGETS = frozenset({1, 6, 9})


class Offset(NamedTuple):
    """A parsed offset field.

    Attributes:
        anchor: what `distance` counts from.
        distance: bytes; negative before the anchor.
        number: of the section, or of the macro group.
        max_shift: how many bytes later than the offset the match may still start.
    """

    anchor: Anchor
    distance: int = 0
    number: int = 0
    max_shift: int = 0


ANYWHERE = Offset(Anchor.ANY)

_FORM = re.compile(
    r"(?:(?P<start>[0-9]+|(?=,))"
    r"|EOF-(?P<end>[0-9]+)"
    r"|EP(?P<ep>[+-][0-9]+)"
    r"|SL\+(?P<last>[0-9]+)"
    r"|SE(?P<within>[0-9]*)"
    r"|S(?P<section>[0-9]+)\+(?P<into>[0-9]+)"
    r"|(?P<version>VI[^,]*)"
    r"|\$(?P<macro>[0-9]+)[^,]*"
    r")(?:,(?P<shift>[0-9]*))?\Z"
)
MAX_MACRO_GROUPS = 32


def parse_offset(text: str, target: int) -> Offset:
    """Read an offset field.

    Args:
        text: the field, for example `EP+0,40`.
        target: number of the signature's target; some anchors need an executable.

    Raises:
        SignatureError: not an offset, or one the target does not have.
    """
    if text == "*":
        return ANYWHERE
    if not text:
        return Offset(Anchor.START)
    form = _FORM.match(text)
    if form is None:
        raise SignatureError(f"not an offset: {text!r}")
    shift = _wrapped(form["shift"])
    if shift > _MAX_SIGNED:
        shift -= 1 << 32
    if form["start"] is not None:
        return Offset(Anchor.START, _wrapped(form["start"]), max_shift=shift)
    if form["end"]:
        return Offset(Anchor.END, -natural(form["end"]), max_shift=shift)
    if form["macro"]:
        if shift or natural(form["macro"]) >= MAX_MACRO_GROUPS:
            raise SignatureError(f"a macro group is $0$ to ${MAX_MACRO_GROUPS - 1}$: {text!r}")
        return Offset(Anchor.MACRO, number=natural(form["macro"]))
    if target not in EXECUTABLE_TARGETS:
        raise SignatureError(f"offset {text!r} needs target 1, 6 or 9, not {target}")
    if form["ep"]:
        return Offset(Anchor.ENTRY_POINT, _signed(form["ep"]), max_shift=shift)
    if form["last"]:
        return Offset(Anchor.LAST_SECTION, natural(form["last"]), max_shift=shift)
    if form["within"] is not None:
        return Offset(Anchor.WITHIN_SECTION, number=natural(form["within"] or "0"), max_shift=shift)
    if form["version"]:
        return Offset(Anchor.VERSION_INFO)
    return Offset(Anchor.SECTION, natural(form["into"]), natural(form["section"]), shift)


_MAX_SIGNED = (1 << 31) - 1


def _wrapped(digits: str | None) -> int:
    """A number as clamscan reads it: modulo 2^32, nothing as 0."""
    return natural(digits or "0") & 0xFFFFFFFF


def _signed(text: str) -> int:
    return -natural(text[1:]) if text.startswith("-") else natural(text[1:])
