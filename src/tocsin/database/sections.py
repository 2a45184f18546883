"""A file of named sections: how a machine index lies on disk.

    header     MAGIC, format version, length of the whole file, length and SHA-256 of the
               directory (fixed size)
    directory  a marshalled dict: section name to (offset, length, SHA-256)
    sections   each at a multiple of 64 bytes

Opening checks the header, the file's length and the directory, and maps the rest; `verify`
hashes every section.
"""

from __future__ import annotations

import hashlib
import marshal
import mmap
import os
import struct
from collections.abc import Iterable
from typing import BinaryIO

from tocsin.errors import VerificationError

MAGIC = b"tocsinIX"
FORMAT = 1
_HEADER = struct.Struct("<8sIQI32s")
_ALIGN = 64
_NOTHING = hashlib.sha256(b"").digest()

Section = bytes | bytearray | memoryview | Iterable[bytes]
"""The bytes of a section, or pieces that are them one after the other."""


def write_sections(file: BinaryIO, sections: Iterable[tuple[str, Section]]) -> None:
    """Write sections with their header and directory.

    Args:
        file: a seekable binary file, at its beginning.
        sections: names, each once, and their bytes; each is written before the next is asked for.
    """
    directory: dict[str, tuple[int, int, bytes]] = {}
    position = _ALIGN * (-(-_HEADER.size // _ALIGN))
    file.write(bytes(position))
    for name, data in sections:
        state, length = hashlib.sha256(), 0
        for piece in (data,) if isinstance(data, (bytes, bytearray, memoryview)) else data:
            state.update(piece)
            file.write(piece)
            length += len(piece)
        directory[name] = (position, length, state.digest())
        padding = -length % _ALIGN
        file.write(bytes(padding))
        position += length + padding
    packed = marshal.dumps(directory, 4)
    file.write(packed)
    file.seek(0)
    digest = hashlib.sha256(packed).digest()
    file.write(_HEADER.pack(MAGIC, FORMAT, position + len(packed), len(packed), digest))


class SectionFile:
    """A mapped file of sections.

    Args:
        descriptor: an open file; it may be closed afterwards.
        name: for messages.

    Raises:
        VerificationError: not such a file, truncated, or its directory altered.
    """

    def __init__(self, descriptor: int, name: str) -> None:
        self.name = name
        size = os.fstat(descriptor).st_size
        header = os.pread(descriptor, _HEADER.size, 0)
        if len(header) < _HEADER.size or not header.startswith(MAGIC):
            raise VerificationError(f"{name}: not a tocsin index; delete it and scan again")
        _, version, length, directory_length, digest = _HEADER.unpack(header)
        if version != FORMAT:
            raise VerificationError(f"{name}: index format {version}, this program reads {FORMAT}")
        if length != size or directory_length > size:
            raise VerificationError(
                f"{name}: {size} bytes instead of {length}: the index is truncated"
            )
        packed = os.pread(descriptor, directory_length, size - directory_length)
        if hashlib.sha256(packed).digest() != digest:
            raise VerificationError(f"{name}: the index's directory was altered; delete it")
        self._directory: dict[str, tuple[int, int, bytes]] = marshal.loads(packed)
        self._checked: set[str] = set()
        self._map = mmap.mmap(descriptor, size, access=mmap.ACCESS_READ)
        self.view = memoryview(self._map)

    def __contains__(self, name: str) -> bool:
        return name in self._directory

    def names(self) -> list[str]:
        """Names of all sections."""
        return list(self._directory)

    def section(self, name: str) -> memoryview:
        """The bytes of a section, mapped; empty when there is none of that name."""
        offset, length, _ = self._directory.get(name, (0, 0, b""))
        return self.view[offset : offset + length]

    def checked(self, name: str) -> memoryview:
        """The bytes of a section, hashed before they are first handed out.

        Raises:
            VerificationError: it was altered.
        """
        if name not in self._checked:
            self._verify(name)
            self._checked.add(name)
        return self.section(name)

    def let_go(self) -> None:
        """Keep nothing of the file in this process's memory; it comes back as it is read."""
        if hasattr(self._map, "madvise"):
            self._map.madvise(mmap.MADV_DONTNEED)

    def verify(self) -> None:
        """Hash every section.

        Raises:
            VerificationError: one was altered.
        """
        for name in self._directory:
            self._verify(name)

    def _verify(self, name: str) -> None:
        offset, length, digest = self._directory.get(name, (0, 0, _NOTHING))
        if hashlib.sha256(self.view[offset : offset + length]).digest() != digest:
            raise VerificationError(f"{self.name}: section {name} was altered; delete the index")
