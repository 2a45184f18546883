"""The two codings that every format of this room uses, in their one canonical form each.

What can be written in two ways is accepted in one only, so that two readers never differ over
what was signed.
"""

from __future__ import annotations

import base64
import binascii

HASH_BYTES = 32
MAX_SIZE = (1 << 63) - 1
"""Largest number of leaves, and latest time in seconds: what fits others' signed integers."""

_MAX_DIGITS = 19


def encode_base64(data: bytes) -> str:
    """Standard base64 with padding (RFC 4648, section 4)."""
    return base64.b64encode(data).decode("ascii")


def decode_base64(text: str) -> bytes:
    """Bytes of canonical base64.

    Raises:
        ValueError: it is none, or bits are set that stand for nothing.
    """
    try:
        data = base64.b64decode(text.encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError) as error:
        raise ValueError("not base64") from error
    if encode_base64(data) != text:
        raise ValueError("not canonical base64")
    return data


def decode_hash(text: str) -> bytes:
    """A SHA-256 digest in base64.

    Raises:
        ValueError: it is none.
    """
    data = decode_base64(text)
    if len(data) != HASH_BYTES:
        raise ValueError(f"a hash has {HASH_BYTES} bytes, this one {len(data)}")
    return data


def decode_decimal(text: str) -> int:
    """A number from 0 to 2^63 - 1 without leading zeros, sign or space.

    Raises:
        ValueError: it is none.
    """
    if not text or len(text) > _MAX_DIGITS or not (text.isascii() and text.isdigit()):
        raise ValueError("not a decimal number")
    if text[0] == "0" and text != "0":
        raise ValueError("a decimal number with a leading zero")
    number = int(text)
    if number > MAX_SIZE:
        raise ValueError("a number beyond 2^63 - 1")
    return number
