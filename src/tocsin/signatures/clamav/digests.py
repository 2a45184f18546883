"""Digest signatures: whole files, PE sections and import tables.

Source: ClamAV manual, "File hash signatures".
"""

from __future__ import annotations

import re
from typing import NamedTuple

from tocsin.errors import SignatureError
from tocsin.signatures.clamav.level import parse_levels
from tocsin.signatures.clamav.numbers import is_number

ALGORITHMS = {32: "md5", 40: "sha1", 64: "sha256"}
"""Name of a digest by the number of its hexadecimal characters."""

ANY_SIZE_LEVEL = 73
"""A signature for any size must ask for at least this functionality level."""

MAX_SIZE = 0xFFFFFFFF


_HEX = r"([0-9A-Fa-f]{64}|[0-9A-Fa-f]{32}|[0-9A-Fa-f]{40})"
_NUMBER = r"[1-9][0-9]{0,8}"
_NAME = r"([^:\r\n]+)"
PLAIN_FILE = re.compile(
    rf"^{_HEX}:({_NUMBER}|\*(?=:[^:\r\n]+:{ANY_SIZE_LEVEL}$)):{_NAME}(?::{ANY_SIZE_LEVEL})?$", re.M
)
"""Nearly all lines, of which `parse_file_digest` reads the same: digest, size and name."""
PLAIN_SECTION = re.compile(rf"^({_NUMBER}):{_HEX}:{_NAME}$", re.M)
"""The same for `parse_section_digest`: size, digest and name."""


class Digest(NamedTuple):
    """A parsed digest signature.

    Attributes:
        algorithm: `md5`, `sha1` or `sha256`.
        digest: the raw digest.
        size: bytes of what is hashed, or None for any.
        name: name of the detection.
    """

    algorithm: str
    digest: bytes
    size: int | None
    name: str


def parse_file_digest(line: str, *, any_size_free: bool = False) -> Digest | None:
    """Read `DIGEST:SIZE:NAME[:MINFL[:MAXFL]]`; None when meant for another engine.

    Args:
        line: the line.
        any_size_free: whether `*` needs no functionality level (`.imp`).

    Raises:
        SignatureError: the line is malformed.
    """
    fields = line.split(":")
    if not 3 <= len(fields) <= 5:
        raise SignatureError("a digest signature is DIGEST:SIZE:NAME[:MINFL[:MAXFL]]")
    return _digest(fields[0], fields[1], fields[2], fields[3:], any_size_free)


def parse_section_digest(line: str) -> Digest | None:
    """Read `SIZE:DIGEST:NAME[:MINFL[:MAXFL]]`; None when meant for another engine.

    Raises:
        SignatureError: the line is malformed.
    """
    fields = line.split(":")
    if not 3 <= len(fields) <= 5:
        raise SignatureError("a section signature is SIZE:DIGEST:NAME[:MINFL[:MAXFL]]")
    return _digest(fields[1], fields[0], fields[2], fields[3:], False)


def _digest(
    hexadecimal: str, size_text: str, name: str, levels: list[str], any_size_free: bool
) -> Digest | None:
    algorithm = ALGORITHMS.get(len(hexadecimal))
    try:
        digest = bytes.fromhex(hexadecimal)
    except ValueError:
        algorithm = None
        digest = b""
    if algorithm is None or len(digest) * 2 != len(hexadecimal):
        raise SignatureError(f"not an MD5, SHA-1 or SHA-256 in hexadecimal: {hexadecimal!r}")
    if not name:
        raise SignatureError("a signature without a name")
    size: int | None = None
    if size_text == "*":
        floor = int(levels[0]) if levels and is_number(levels[0]) else 0
        if not any_size_free and floor < ANY_SIZE_LEVEL:
            raise SignatureError(
                f"size * needs a minimum functionality level of at least {ANY_SIZE_LEVEL}"
            )
    elif is_number(size_text) and 0 < int(size_text) < MAX_SIZE:
        size = int(size_text)
    else:
        raise SignatureError(f"size {size_text[:24]!r} is neither a positive number nor *")
    if not parse_levels(levels, lax=True):
        return None
    return Digest(algorithm, digest, size, name)
