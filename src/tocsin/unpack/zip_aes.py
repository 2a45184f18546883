"""AES as WinZip and 7-Zip encrypt the members of zip files with it.

Source: WinZip, "AES Encryption Information: Encryption Specification AE-1 and AE-2".
"""

from __future__ import annotations

import hmac
import struct
from collections.abc import Callable, Iterator, Sequence
from hashlib import pbkdf2_hmac, sha1
from typing import NamedTuple

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from tocsin.unpack.zip_crypto import MOST_PASSWORDS

_EXTRA = 0x9901
_SALT_BYTES = {1: 8, 2: 12, 3: 16}
_KEY_BYTES = {1: 16, 2: 24, 3: 32}
_ITERATIONS = 1000
_VERIFIER = 2
_SEAL = 10
_BLOCK = 16
_BLOCKS = 4096
"""Blocks decrypted in one step."""


class Scheme(NamedTuple):
    """How a member is encrypted.

    Attributes:
        states_crc: whether its headers state the CRC-32 (AE-1).
        strength: 1, 2 or 3, for 128, 192 and 256 bits.
        method: how it is packed.
    """

    states_crc: bool
    strength: int
    method: int

    @property
    def overhead(self) -> int:
        """Bytes that are stored besides the data."""
        return _SALT_BYTES[self.strength] + _VERIFIER + _SEAL


def read_scheme(extra: bytes) -> Scheme | None:
    """Read the extra field that says how a member is encrypted, or None without one."""
    at = 0
    while at + 4 <= len(extra):
        tag, size = struct.unpack_from("<HH", extra, at)
        field = extra[at + 4 : at + 4 + size]
        if tag == _EXTRA and len(field) >= 7 and field[4] in _SALT_BYTES:
            version, _vendor, strength, method = struct.unpack_from("<H2sBH", field)
            return Scheme(version == 1, strength, method)
        at += 4 + size
    return None


def decrypt(
    data: bytes,
    start: int,
    end: int,
    scheme: Scheme,
    passwords: Sequence[bytes],
    alive: Callable[[], None],
) -> bytes | None:
    """The packed data of a member, or None when no password fits.

    Args:
        data: bytes that hold the member.
        start: where its salt begins.
        end: where its seal ends.
        scheme: how it is encrypted.
        passwords: what to try, in this order.
        alive: called now and then; may raise to stop.
    """
    body = start + _SALT_BYTES[scheme.strength] + _VERIFIER
    if body + _SEAL > end:
        return None
    salt, verifier = data[start : body - _VERIFIER], data[body - _VERIFIER : body]
    packed = memoryview(data)[body : end - _SEAL]
    size = _KEY_BYTES[scheme.strength]
    for password in passwords[:MOST_PASSWORDS]:
        alive()
        keys = pbkdf2_hmac("sha1", password, salt, _ITERATIONS, 2 * size + _VERIFIER)
        if keys[-_VERIFIER:] != verifier:
            continue
        seal = hmac.new(keys[size : 2 * size], packed, sha1).digest()
        if seal[:_SEAL] == data[end - _SEAL : end]:
            return b"".join(_plain(packed, keys[:size], alive))
    return None


def _plain(packed: memoryview, key: bytes, alive: Callable[[], None]) -> Iterator[bytes]:
    """Decrypt: counter mode, whose counter begins at one and has its low byte first."""
    cipher = Cipher(algorithms.AES(key), modes.ECB()).encryptor()  # noqa: S305 - counters, not data
    step = _BLOCKS * _BLOCK
    for at in range(0, len(packed), step):
        alive()
        piece = packed[at : at + step]
        first = at // _BLOCK + 1
        count = (len(piece) + _BLOCK - 1) // _BLOCK
        counters = b"".join(
            number.to_bytes(_BLOCK, "little") for number in range(first, first + count)
        )
        mask = int.from_bytes(cipher.update(counters)[: len(piece)], "little")
        yield (int.from_bytes(piece, "little") ^ mask).to_bytes(len(piece), "little")
