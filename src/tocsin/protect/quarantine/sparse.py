"""A file as the stretches of it that hold data, and back: holes stay holes.

In the stream each stretch is preceded by its place and its length; the end says how long the
file is. Source: lseek(2), `SEEK_DATA` and `SEEK_HOLE`.
"""

from __future__ import annotations

import errno
import hashlib
import os
import struct
from collections.abc import Callable, Iterable, Iterator

from tocsin.protect.quarantine.errors import DamagedItem, NotTaken

_STRETCH = struct.Struct("<QQ")
_READ = 1 << 18
_ZEROS = bytes(1 << 20)


class Digests:
    """Digests of a whole file, its holes read as zeros."""

    def __init__(self, *names: str) -> None:
        self._states = [hashlib.new(name, usedforsecurity=False) for name in names]
        self._place = 0

    def add(self, place: int, data: bytes | memoryview) -> None:
        """Take in bytes that stand at a place, and the hole before them."""
        self.skip_to(place)
        for state in self._states:
            state.update(data)
        self._place += len(data)

    def skip_to(self, place: int) -> None:
        """Take in the hole up to a place."""
        zeros = memoryview(_ZEROS)
        while self._place < place:
            stretch = zeros[: min(len(zeros), place - self._place)]
            for state in self._states:
                state.update(stretch)
            self._place += len(stretch)

    def hex(self) -> tuple[str, ...]:
        """The digests, lower-case hex."""
        return tuple(state.hexdigest() for state in self._states)


def stretches(descriptor: int, size: int) -> Iterator[tuple[int, int]]:
    """Places and lengths of the parts of a file that hold data.

    On a file system that does not know its holes it is one part.

    Raises:
        OSError: it cannot be read.
    """
    place = 0
    while place < size:
        try:
            start = os.lseek(descriptor, place, os.SEEK_DATA)
        except OSError as error:
            if error.errno == errno.ENXIO:
                return
            if error.errno not in (errno.EINVAL, errno.EOPNOTSUPP):
                raise
            yield place, size - place
            return
        end = min(os.lseek(descriptor, start, os.SEEK_HOLE), size)
        if end <= start:
            return  # it was cut short meanwhile, which its status then shows
        yield start, end - start
        place = end


def pack_file(descriptor: int, size: int, write: Callable[[bytes], None], digests: Digests) -> None:
    """Hand on a file as stretches.

    Args:
        descriptor: the file.
        size: its length.
        write: what takes the stream.
        digests: what takes in its content.

    Raises:
        NotTaken: it was cut short meanwhile.
        OSError: it cannot be read or written.
    """
    for place, length in stretches(descriptor, size):
        write(_STRETCH.pack(place, length))
        end = place + length
        while place < end:
            data = os.pread(descriptor, min(_READ, end - place), place)
            if not data:
                raise NotTaken("it was cut short while it was read")
            write(data)
            digests.add(place, data)
            place += len(data)
    digests.skip_to(size)
    write(_STRETCH.pack(size, 0))


def unpack_file(pieces: Iterable[bytes], target: int, digests: Digests) -> int:
    """Write a file from its stretches.

    Args:
        pieces: the stream.
        target: an empty file.
        digests: what takes in its content.

    Returns:
        Its length.

    Raises:
        DamagedItem: the stream makes no sense.
        OSError: it cannot be written.
    """
    held = bytearray()
    place = left = 0
    size = -1
    for piece in pieces:
        held += piece
        while held and size < 0:
            if left:
                data = bytes(held[:left])
                _write_at(target, data, place)
                digests.add(place, data)
                place, left = place + len(data), left - len(data)
                del held[: len(data)]
                continue
            if len(held) < _STRETCH.size:
                break
            start, left = _STRETCH.unpack_from(held)
            del held[: _STRETCH.size]
            if start < place:
                raise DamagedItem("the stretches of the object overlap")
            place = start
            if not left:
                size = start
    if size < 0 or held:
        raise DamagedItem("the stretches of the object do not end as they must")
    digests.skip_to(size)
    os.ftruncate(target, size)
    return size


def _write_at(target: int, data: bytes, place: int) -> None:
    view = memoryview(data)
    while view:
        count = os.pwrite(target, view, place)
        view, place = view[count:], place + count
