"""Extended signatures (`.ndb .ndu .sdb`) and the oldest ones (`.db`): one pattern a line.

Source: ClamAV manual, "Extended signature format".
"""

from __future__ import annotations

from typing import NamedTuple

from tocsin.errors import SignatureError
from tocsin.signatures.clamav.body import Body, parse_body
from tocsin.signatures.clamav.level import parse_levels
from tocsin.signatures.clamav.logical import MAX_TARGET
from tocsin.signatures.clamav.numbers import natural
from tocsin.signatures.clamav.offset import Anchor, Offset, parse_offset

MIN_PLAIN_BYTES = 3
OLD_SUFFIX = " (Clam)"
"""Names of the oldest signatures end so; it is not part of the name."""


class Extended(NamedTuple):
    """A parsed body signature with its target and offset."""

    name: str
    target: int
    offset: Offset
    body: Body


def parse_extended(line: str) -> Extended | None:
    """Read `NAME:TARGET:OFFSET:HEX[:MINFL[:MAXFL]]`.

    Returns:
        The signature, or None when it is meant for another engine or target.

    Raises:
        SignatureError: the line is malformed.
    """
    fields = line.split(":")
    if not 4 <= len(fields) <= 6 or not fields[0]:
        raise SignatureError("an extended signature is NAME:TARGET:OFFSET:HEX[:MINFL[:MAXFL]]")
    if not parse_levels(fields[4:]):
        return None
    name, target_text, offset_text, pattern = fields[:4]
    name = name.removesuffix(OLD_SUFFIX)
    target = 0 if target_text in ("*", "") else natural(target_text, "target")
    if target > MAX_TARGET:
        return None
    offset = parse_offset(offset_text, target)
    body = parse_body(pattern)
    placed = offset.anchor is not Anchor.ANY and not offset.max_shift
    needs_three = target == 0 or (target == 1 and placed)
    if needs_three and _plain_bytes(body) < MIN_PLAIN_BYTES:
        raise SignatureError(f"a plain pattern for target 0 or 1 needs {MIN_PLAIN_BYTES} bytes")
    return Extended(name, target, offset, body)


def _plain_bytes(body: Body) -> int:
    """Length of a pattern that is nothing but literal bytes; others count as long enough."""
    parts = body.forms[0].parts
    if len(parts) == 1 and len(parts[0]) == 1 and isinstance(parts[0][0], bytes):
        return len(parts[0][0])
    return MIN_PLAIN_BYTES


def from_plain(line: str) -> str:
    """Rewrite a `.db` line, `NAME=HEX`, as an extended signature."""
    name, equals, pattern = line.partition("=")
    if not equals or not name:
        raise SignatureError("a .db signature is NAME=HEX")
    return f"{name}:0:*:{pattern}"
