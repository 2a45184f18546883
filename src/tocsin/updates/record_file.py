"""A portable database on disk as sorted lines, read in pieces whatever its size.

What `tocsin.database.portable` lays out is a header and then lines in the order of their bytes:
kind, number of the source, flags, text. So all lines that agree in the first three stand
together; that is a *group* here. Places are bytes from the start of the file. Nothing is mapped:
mapped pages would count as this process's memory, and a file cut short under a map ends it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

from tocsin.database.portable import MAGIC
from tocsin.updates.errors import DeltaError

MAX_HEADER_BYTES = 16 << 20
"""The header's line; a hundred thousand sources fit."""

MAX_GROUPS = 1 << 17
"""Groups of a database; a set of YARA rules has one for each of its files."""

MAX_PREFIX_BYTES = 1 << 12

BLOCK = 1 << 20
_PROBE = 512
_FIELDS = 3


class Group(NamedTuple):
    """Lines of one kind, source and flags.

    Attributes:
        prefix: what all of them begin with: kind, source's number and flags, a tab behind each.
        start: place of the first line.
        end: place behind the last.
    """

    prefix: bytes
    start: int
    end: int


class RecordFile:
    """A portable database, opened for reading; a context manager.

    Attributes:
        name: for messages.
        header: the header's line with its newline.
        start: place of the first record.
        size: bytes of the file.

    Raises:
        DeltaError: there is no portable database at the path.
    """

    def __init__(self, path: Path) -> None:
        self.name = str(path)
        try:
            self._file = path.open("rb", buffering=0)
        except OSError as error:
            raise DeltaError(f"{path}: {error.strerror}") from error
        try:
            self.size = os.fstat(self._file.fileno()).st_size
            self.header = self._header()
            self.start = len(MAGIC) + len(self.header)
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._file.close()

    def _header(self) -> bytes:
        for size in (BLOCK // 16, BLOCK, MAX_HEADER_BYTES):
            head = self.read(0, len(MAGIC) + size)
            first, newline, _ = head[len(MAGIC) :].partition(b"\n")
            if not head.startswith(MAGIC):
                break
            if newline:
                return first + newline
        raise DeltaError(f"{self.name}: not a tocsin database, or its header is too long")

    def read(self, at: int, size: int) -> bytes:
        """Bytes from a place on, fewer only at the end of the file.

        Raises:
            DeltaError: the disk fails.
        """
        try:
            data = os.pread(self._file.fileno(), size, at)
            while 0 < len(data) < size:
                more = os.pread(self._file.fileno(), size - len(data), at + len(data))
                if not more:
                    break
                data += more
        except OSError as error:
            raise DeltaError(f"{self.name}: cannot be read: {error.strerror}") from error
        return data

    def blocks(self, start: int, end: int) -> Iterator[bytes]:
        """What stands between two places, in pieces.

        Raises:
            DeltaError: it ends before.
        """
        while start < end:
            block = self.read(start, min(BLOCK, end - start))
            if not block:
                raise DeltaError(f"{self.name}: it became shorter while it was read")
            yield block
            start += len(block)

    def lines(self, start: int, end: int) -> int:
        """How many lines end between two places."""
        return sum(block.count(b"\n") for block in self.blocks(start, end))

    def line_end(self, start: int, end: int, lines: int = 1) -> int:
        """Place behind the `lines`-th newline that stands at `start` or later, at most `end`."""
        size = _PROBE
        while start < end:
            block = self.read(start, min(size, end - start))
            found = block.count(b"\n")
            if not block:
                return end
            if found >= lines:
                at = -1
                for _ in range(lines):
                    at = block.find(b"\n", at + 1)
                return start + at + 1
            lines -= found
            start += len(block)
            size = min(size * 2, BLOCK)
        return end

    def lower_bound(self, start: int, end: int, key: bytes) -> int:
        """Place of the first line that is not less than a key, between two starts of lines.

        Args:
            start: place of a line.
            end: place behind a line.
            key: a whole line with its newline, or what one may begin with.

        Returns:
            `end` when all are less.
        """
        # No line from `start` on begins in [top, most), and the one at `most` is not less.
        top, most = end, end
        while start < top:
            middle = (start + top) // 2
            # A line begins where a newline stands before it.
            at = start if middle == start else self.line_end(middle - 1, most)
            if at >= most:
                top = middle
            elif self.read(at, min(len(key), most - at)) < key:
                start = self.line_end(at, most)
            else:
                top, most = middle, at
        return most

    def groups(self) -> Iterator[Group]:
        """All groups in their order.

        Raises:
            DeltaError: a line is none of a database's.
        """
        at = self.start
        for _ in range(MAX_GROUPS):
            if at >= self.size:
                return
            line = self.read(at, MAX_PREFIX_BYTES).partition(b"\n")[0]
            fields = line.split(b"\t", _FIELDS)
            if len(fields) != _FIELDS + 1:
                raise DeltaError(f"{self.name}: not a record at byte {at}; the file is damaged")
            prefix = b"\t".join(fields[:_FIELDS]) + b"\t"
            # The byte after a tab: what follows is behind all lines that begin with the prefix.
            end = self.lower_bound(at, self.size, prefix[:-1] + b"\n")
            yield Group(prefix, at, end)
            at = end
        if at < self.size:
            raise DeltaError(f"{self.name}: more than {MAX_GROUPS:,} groups of records")
