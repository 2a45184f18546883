"""Copying a process's memory, page by page as far as it has pages, into files in memory."""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Iterator
from typing import NamedTuple

from tocsin.protect.memory_map import PAGE, Region, changed_runs, parse_maps, used_runs
from tocsin.protect.processes import PROC, Process, read_process

_BLOCK = 1 << 20
_ENTRY = 8
_ENTRIES_AT_ONCE = 1 << 16
_UNREADABLE = frozenset({errno.EIO, errno.EFAULT})


class ProcessFiles:
    """The files that tell of one process, by a descriptor that leads to no other process.

    Args:
        process: as it was found.

    Attributes:
        process: the same.
        folder: descriptor of its folder in `/proc`.

    Raises:
        OSError: it has ended, or may not be looked into.
    """

    def __init__(self, process: Process) -> None:
        self.process = process
        self._files: dict[str, int] = {}
        self.folder = os.open(f"{PROC}/{process.pid}", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            if read_process(process.pid, self.folder).start != process.start:
                raise ProcessLookupError(errno.ESRCH, "it has ended")
        except BaseException:
            os.close(self.folder)
            raise

    def close(self) -> None:
        """Close everything."""
        for descriptor in (*self._files.values(), self.folder):
            os.close(descriptor)

    def file(self, name: str) -> int:
        """A descriptor of one of its files, open until `close`.

        Raises:
            OSError: it cannot be opened.
        """
        if name not in self._files:
            self._files[name] = os.open(name, os.O_RDONLY | os.O_CLOEXEC, dir_fd=self.folder)
        return self._files[name]

    def read(self, name: str) -> bytes:
        """All of one of its files, read anew.

        Raises:
            OSError: it cannot be read.
        """
        descriptor = os.open(name, os.O_RDONLY | os.O_CLOEXEC, dir_fd=self.folder)
        with open(descriptor, "rb") as file:
            return file.read()


class Taken(NamedTuple):
    """A copied piece of memory.

    Attributes:
        descriptor: a file in memory, at its start; -1 when nothing could be read.
        start: address of its first byte.
        end: the address behind its last.
        digest: of what is in it and where.
        lost: bytes that could not be read.
    """

    descriptor: int
    start: int
    end: int
    digest: str
    lost: int


class MemoryCopy:
    """Copies pieces of one region.

    Args:
        source: the process's files.
        region: which.

    Attributes:
        process: whose it is.
        region: which.
    """

    def __init__(self, source: ProcessFiles, region: Region) -> None:
        self._source = source
        self.process = source.process
        self.region = region

    def changed(self) -> bool:
        """Whether the process has changed what it mapped from a file.

        Raises:
            OSError: it has ended.
        """
        try:
            parts = self._entries(self.region.start, self.region.end)
            return any(any(True for _ in changed_runs(part, at)) for at, part in parts)
        except PermissionError:
            return False  # then its memory may not be read either

    def still_there(self) -> bool:
        """Whether the region can still be run."""
        try:
            regions = parse_maps(self._source.read("maps"))
        except OSError:
            return False
        return any(
            r.executable and r.start < self.region.end and self.region.start < r.end
            for r in regions
        )

    def take(self, start: int, end: int) -> Taken | None:
        """Copy a piece; None when the process has put nothing there.

        Raises:
            OSError: the process has ended, or may not be read.
        """
        memory = self._source.file("mem")
        runs = list(self._used(start, end))
        if not runs:
            return None
        first, last = runs[0][0], runs[-1][1]
        digest = hashlib.sha256()
        lost = 0
        descriptor = os.memfd_create("tocsin", os.MFD_CLOEXEC)
        try:
            os.ftruncate(descriptor, last - first)
            for run_start, run_end in runs:
                for at, data in _blocks(memory, run_start, run_end):
                    if not data:
                        lost += PAGE
                        continue
                    os.pwrite(descriptor, data, at - first)
                    digest.update(b"%d:%d:" % (at - first, len(data)))
                    digest.update(data)
        except BaseException:
            os.close(descriptor)
            raise
        if lost == sum(run_end - run_start for run_start, run_end in runs):
            os.close(descriptor)
            return Taken(-1, first, last, "", lost)
        return Taken(descriptor, first, last, digest.hexdigest(), lost)

    def _used(self, start: int, end: int) -> Iterator[tuple[int, int]]:
        """Stretches that hold something; everything where the kernel does not say."""
        try:
            for at, part in self._entries(start, end):
                yield from used_runs(part, at)
        except (PermissionError, FileNotFoundError):
            yield start, end

    def _entries(self, start: int, end: int) -> Iterator[tuple[int, bytes]]:
        """What `pagemap` says of a stretch, in parts, each with its first address.

        Raises:
            OSError: it cannot be read.
        """
        descriptor = self._source.file("pagemap")
        at = start
        while at < end:
            count = min(_ENTRIES_AT_ONCE, (end - at) // PAGE)
            part = os.pread(descriptor, count * _ENTRY, at // PAGE * _ENTRY)
            if len(part) < count * _ENTRY:
                raise ProcessLookupError(errno.ESRCH, "it has ended")
            yield at, part
            at += count * PAGE


def _blocks(memory: int, start: int, end: int) -> Iterator[tuple[int, bytes]]:
    """Memory from one address to another; a page that cannot be read comes empty.

    Raises:
        OSError: the process has ended.
    """
    at = start
    single_until = start
    while at < end:
        size = PAGE if at < single_until else min(_BLOCK, end - at)
        try:
            data = os.pread(memory, size, at)
        except OSError as error:
            if error.errno not in _UNREADABLE:
                raise
            if size > PAGE:
                single_until = at + size
                continue
            yield at, b""
            at += PAGE
            continue
        if not data:
            raise ProcessLookupError(errno.ESRCH, "it has ended")
        yield at, data
        at += len(data)
