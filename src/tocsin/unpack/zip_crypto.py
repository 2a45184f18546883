"""The traditional encryption of zip files, for members whose password is known.

Malware is sent in archives encrypted with a password that stands in the mail's text. The
cipher is weak and nothing here protects a secret, so it is written for speed alone.

Source: APPNOTE 6.3, section 6.1.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

HEADER_SIZE = 12
"""Random bytes in front of the data; the last one tells whether a password may be right."""

MOST_PASSWORDS = 1000
"""Passwords tried on one member."""

_CHUNK = 16 * 1024
_MULTIPLIER = 134775813


def _crc_table() -> tuple[int, ...]:
    table = []
    for value in range(256):
        for _ in range(8):
            value = value >> 1 ^ (0xEDB88320 if value & 1 else 0)
        table.append(value)
    return tuple(table)


_CRC = _crc_table()

Keys = tuple[int, int, int]

_INITIAL: Keys = (0x12345678, 0x23456789, 0x34567890)


def decrypt(data: bytes, keys: Keys) -> tuple[bytes, Keys]:
    """Decrypt bytes and carry the three keys on.

    Args:
        data: encrypted bytes.
        keys: the state before them.

    Returns:
        The plain bytes and the state after them.

    Source: APPNOTE 6.1.6 and 6.1.7.
    """
    key0, key1, key2 = keys
    table = _CRC
    plain = bytearray(len(data))
    for index, byte in enumerate(data):
        word = key2 & 0xFFFF | 2
        byte ^= (word * (word ^ 1)) >> 8 & 0xFF
        plain[index] = byte
        key0 = table[(key0 ^ byte) & 0xFF] ^ key0 >> 8
        key1 = ((key1 + (key0 & 0xFF)) * _MULTIPLIER + 1) & 0xFFFFFFFF
        key2 = table[(key2 ^ key1 >> 24) & 0xFF] ^ key2 >> 8
    return bytes(plain), (key0, key1, key2)


def keys_of(password: bytes) -> Keys:
    """The state that a password leads to.

    Source: APPNOTE 6.1.5.
    """
    key0, key1, key2 = _INITIAL
    for byte in password:
        key0 = _CRC[(key0 ^ byte) & 0xFF] ^ key0 >> 8
        key1 = ((key1 + (key0 & 0xFF)) * _MULTIPLIER + 1) & 0xFFFFFFFF
        key2 = _CRC[(key2 ^ key1 >> 24) & 0xFF] ^ key2 >> 8
    return key0, key1, key2


def fitting_keys(
    header: bytes, checks: frozenset[int], passwords: Sequence[bytes]
) -> Iterator[Keys]:
    """Find the passwords that may be right.

    One wrong password in 256 passes, so that the data has to decide.

    Args:
        header: the encrypted header.
        checks: values its last byte may have when decrypted.
        passwords: what to try, in this order.

    Yields:
        The state after the header, for each password that passes.
    """
    for password in passwords[:MOST_PASSWORDS]:
        plain, keys = decrypt(header, keys_of(password))
        if plain[-1] in checks:
            yield keys


def decrypt_all(data: bytes, start: int, end: int, keys: Keys, alive: Callable[[], None]) -> bytes:
    """Decrypt a member's data.

    Args:
        data: bytes that hold it.
        start: where it begins, after the header.
        end: where it ends.
        keys: the state after the header.
        alive: called now and then; may raise to stop.
    """
    plain = bytearray()
    for at in range(start, end, _CHUNK):
        alive()
        piece, keys = decrypt(data[at : min(at + _CHUNK, end)], keys)
        plain += piece
    return bytes(plain)
