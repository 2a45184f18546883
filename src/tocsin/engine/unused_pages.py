"""Letting go of what was read from files in the process's beginning and is not needed any more.

To load and link a library the kernel maps far more of it than runs later: two thirds of what a
host has in memory before its first request are such pages. They are clean, so to let go of them
loses nothing: whoever needs one has it back from the page cache by a fault of a microsecond.
"""

from __future__ import annotations

import ctypes
import re
from contextlib import suppress

_MADV_DONTNEED = 4
_LEAST = 256 << 10
"""Bytes; smaller mappings are left."""

_MAPPING = re.compile(rb"([0-9a-f]+)-([0-9a-f]+) ([r-])([w-])([x-])([ps]) [0-9a-f]+ \S+ [1-9]\d* ")


def let_go() -> int:
    """Let go of every page that is as in its file, of private mappings nobody may write to.

    A page that was written to (by the linker, before the mapping was made read-only) is the
    process's own and is not in the file, so a mapping that has one is left whole.

    Returns:
        Bytes that were let go; 0 where the kernel does not tell.

    Source: madvise(2) on `MADV_DONTNEED`, proc(5) on `smaps`.
    """
    try:
        with open("/proc/self/smaps", "rb") as file:
            text = file.read()
    except OSError:
        return 0
    madvise = ctypes.CDLL(None, use_errno=True).madvise
    madvise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
    freed = 0
    for start, end, resident in _clean(text):
        if not madvise(start, end - start, _MADV_DONTNEED):
            freed += resident
    return freed


def _clean(text: bytes) -> list[tuple[int, int, int]]:
    """Start, end and resident bytes of the mappings of which nothing is the process's own."""
    found = []
    for block in re.split(rb"\n(?=[0-9a-f]+-[0-9a-f]+ )", text):
        head = _MAPPING.match(block)
        if head is None or head[4] != b"-" or head[6] != b"p":
            continue
        facts = dict(re.findall(rb"^(\w+): +(\d+) kB$", block, re.MULTILINE))
        with suppress(KeyError):
            own = [facts[name] for name in (b"Private_Dirty", b"Shared_Dirty", b"Anonymous")]
            resident = int(facts[b"Rss"]) << 10
            if resident >= _LEAST and not any(map(int, [*own, facts[b"Swap"]])):
                found.append((int(head[1], 16), int(head[2], 16), resident))
    return found
