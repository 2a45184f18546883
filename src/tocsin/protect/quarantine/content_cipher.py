"""A stream of bytes, encrypted and authenticated in pieces, so that any size takes little memory.

Each object has a random key of its own, which stands in its first bytes, wrapped by the vault's
key. The stream is cut into pieces of one size; each is sealed by AES-256-GCM under a nonce that
holds its number and whether it is the last (the STREAM construction), and under the object's
number as associated data. A piece that is altered, moved, repeated, left out or taken from
another object does not open, nor does a stream that was cut short.

Source: Hoang, Reyhanitabar, Rogaway, Vizár, "Online Authenticated-Encryption and its
Nonce-Reuse Misuse-Resistance" (2015), section 7; NIST SP 800-38D.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from typing import TYPE_CHECKING

from tocsin.protect.quarantine.errors import DamagedItem

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

PIECE_BYTES = 1 << 18
TAG_BYTES = 16
_MAGIC = b"TOCSINQ\x01"
_NONCE_BYTES = 12
_KEY_BYTES = 32
_WRAPPED_BYTES = _NONCE_BYTES + _KEY_BYTES + TAG_BYTES
HEADER_BYTES = len(_MAGIC) + _WRAPPED_BYTES
_NONCE = struct.Struct(">7xIB")
_SEALED_BYTES = PIECE_BYTES + TAG_BYTES


def write_all(descriptor: int, data: bytes | memoryview) -> None:
    """Write all of some bytes.

    Raises:
        OSError: they could not all be written.
    """
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


class SealedWriter:
    """Writes a stream into an object's file.

    Args:
        descriptor: the file, empty.
        wrapping: the vault's key for keys.
        number: the object's, which its pieces are bound to.

    Attributes:
        written: bytes of the file so far.
    """

    def __init__(self, descriptor: int, wrapping: AESGCM, number: str) -> None:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        self._descriptor = descriptor
        self._bound = _MAGIC + number.encode("ascii")
        key = os.urandom(_KEY_BYTES)
        self._cipher = AESGCM(key)
        nonce = os.urandom(_NONCE_BYTES)
        header = _MAGIC + nonce + wrapping.encrypt(nonce, key, self._bound)
        write_all(descriptor, header)
        self.written = len(header)
        self._held = bytearray()
        self._piece = 0

    def write(self, data: bytes | memoryview) -> None:
        """Add bytes.

        Raises:
            OSError: they could not be written.
        """
        self._held += data
        while len(self._held) > PIECE_BYTES:
            self._seal(bytes(self._held[:PIECE_BYTES]), last=False)
            del self._held[:PIECE_BYTES]

    def finish(self) -> None:
        """Write what is left, as the last piece.

        Raises:
            OSError: it could not be written.
        """
        self._seal(bytes(self._held), last=True)
        self._held.clear()

    def _seal(self, data: bytes, *, last: bool) -> None:
        sealed = self._cipher.encrypt(_NONCE.pack(self._piece, last), data, self._bound)
        write_all(self._descriptor, sealed)
        self.written += len(sealed)
        self._piece += 1


def open_pieces(descriptor: int, wrapping: AESGCM, number: str) -> Iterator[bytes]:
    """The pieces of a stream, each as it is known to be genuine.

    That the stream was not cut short is known when all of it was read.

    Args:
        descriptor: the object's file; it is read by place, so its position does not matter.
        wrapping: the vault's key for keys.
        number: the object's.

    Raises:
        DamagedItem: it is not what was written, or its key was destroyed.
    """
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    header = os.pread(descriptor, HEADER_BYTES, 0)
    bound = _MAGIC + number.encode("ascii")
    if len(header) < HEADER_BYTES or not header.startswith(_MAGIC):
        raise DamagedItem(f"{number}: this is no object of a vault; its content is lost")
    nonce = header[len(_MAGIC) : len(_MAGIC) + _NONCE_BYTES]
    try:
        key = wrapping.decrypt(nonce, header[len(_MAGIC) + _NONCE_BYTES :], bound)
    except InvalidTag:
        raise DamagedItem(
            f"{number}: its key does not open; the object was damaged or deleted"
        ) from None
    cipher = AESGCM(key)
    size = os.fstat(descriptor).st_size
    place, piece = HEADER_BYTES, 0
    while place < size or not piece:
        sealed = _read_at(descriptor, min(_SEALED_BYTES, size - place), place)
        place += len(sealed)
        try:
            yield cipher.decrypt(_NONCE.pack(piece, place >= size), sealed, bound)
        except InvalidTag:
            raise DamagedItem(
                f"{number}: the object is damaged at byte {place - len(sealed):,} or cut short"
            ) from None
        piece += 1


def _read_at(descriptor: int, count: int, place: int) -> bytes:
    parts: list[bytes] = []
    while count > 0:
        part = os.pread(descriptor, count, place)
        if not part:
            break
        parts.append(part)
        count -= len(part)
        place += len(part)
    return b"".join(parts)


def destroy_key(descriptor: int) -> None:
    """Overwrite an object's key where it stands, so that nothing opens its content again.

    Raises:
        OSError: it cannot be written.
    """
    os.pwrite(descriptor, bytes(_WRAPPED_BYTES), len(_MAGIC))
    os.fsync(descriptor)
