"""What a process has mapped: reading `/proc/PID/maps` and `/proc/PID/pagemap` (proc(5)).

Pure: bytes in, values out.
"""

from __future__ import annotations

import array
import os
import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

PAGE = os.sysconf("SC_PAGE_SIZE")

_LINE = re.compile(
    rb"([0-9a-f]+)-([0-9a-f]+) (\S{4}) ([0-9a-f]+) ([0-9a-f]+):([0-9a-f]+) (\d+) *(.*)\Z", re.S
)
_DELETED = " (deleted)"
_OF_THE_KERNEL = ("[vdso]", "[vsyscall]", "[vvar", "[uprobes]")

_PRESENT = 1 << 63
_SWAPPED = 1 << 62
_OF_A_FILE = 1 << 61


class Region(NamedTuple):
    """One mapping.

    Attributes:
        start: its first address.
        end: the address behind its last.
        rights: as the kernel writes them: `r-xp`.
        device: number of the file system of what is mapped, 0 when that is no file.
        inode: of what is mapped, 0 when that is no file.
        path: what is mapped, as the process sees it; `[heap]` and its like; or empty.
        deleted: whether the kernel says that the path no longer leads there.
    """

    start: int
    end: int
    rights: str
    device: int
    inode: int
    path: str
    deleted: bool

    @property
    def executable(self) -> bool:
        """Whether what is in it can be run, and is not the kernel's own."""
        return "x" in self.rights and not self.path.startswith(_OF_THE_KERNEL)

    @property
    def anonymous(self) -> bool:
        """Whether no file stands behind it."""
        return self.inode == 0

    @property
    def private(self) -> bool:
        """Whether writing to it leaves the file alone."""
        return self.rights.endswith("p")

    def name(self, start: int = 0, end: int = 0) -> str:
        """How a piece of it, or all of it, is called."""
        kind = f" {self.path}" if self.path.startswith("[") else ""
        return f"memory {start or self.start:x}-{end or self.end:x} {self.rights[:3]}{kind}"


def parse_maps(text: bytes) -> list[Region]:
    """Every mapping; lines that cannot be read are left out."""
    regions = []
    for line in text.split(b"\n"):
        match = _LINE.match(line)
        if match is None:
            continue
        start, end, rights, _offset, major, minor, inode, path = match.groups()
        name = os.fsdecode(path.replace(b"\\012", b"\n"))
        deleted = int(inode) != 0 and name.endswith(_DELETED)
        regions.append(
            Region(
                start=int(start, 16),
                end=int(end, 16),
                rights=rights.decode("ascii", "replace"),
                device=os.makedev(int(major, 16), int(minor, 16)),
                inode=int(inode),
                path=name.removesuffix(_DELETED) if deleted else name,
                deleted=deleted,
            )
        )
    return regions


def used_runs(entries: bytes, start: int) -> Iterator[tuple[int, int]]:
    """Stretches of a region whose pages hold something.

    Args:
        entries: its part of `pagemap`.
        start: its first address.

    Yields:
        The first address of each stretch and the one behind its last.
    """
    yield from _runs(entries, start, lambda entry: bool(entry & (_PRESENT | _SWAPPED)))


def changed_runs(entries: bytes, start: int) -> Iterator[tuple[int, int]]:
    """Stretches of a private mapping of a file in which the process has pages of its own."""
    yield from _runs(
        entries,
        start,
        lambda entry: bool(entry & _SWAPPED) or entry & (_PRESENT | _OF_A_FILE) == _PRESENT,
    )


def _runs(entries: bytes, start: int, wanted: Callable[[int], bool]) -> Iterator[tuple[int, int]]:
    values = array.array("Q", entries[: len(entries) // 8 * 8])
    began = -1
    for place, entry in enumerate(values):
        if wanted(entry):
            if began < 0:
                began = place
        elif began >= 0:
            yield start + began * PAGE, start + place * PAGE
            began = -1
    if began >= 0:
        yield start + began * PAGE, start + len(values) * PAGE


def pieces(start: int, end: int, most: int, overlap: int) -> Iterator[tuple[int, int]]:
    """Cut a stretch into pieces of bounded length, each beginning in the end of the one before."""
    while True:
        stop = min(end, start + most)
        yield start, stop
        if stop == end:
            return
        start = stop - overlap
