"""Which descriptors a process keeps."""

from __future__ import annotations

import os
from collections.abc import Collection
from contextlib import suppress
from typing import Final

from tocsin.sandbox import syscalls

_LAST: Final = 0x7FFFFFFF
_STANDARD: Final = (0, 1, 2)
_WITHOUT_PROC: Final = 65_536


def close_all_but(keep: Collection[int]) -> None:
    """Close every descriptor that is not to be kept; 0, 1 and 2 then lead nowhere."""
    nowhere = _open_nowhere()
    for standard in _STANDARD:
        if standard not in keep and standard != nowhere:
            os.dup2(nowhere, standard, inheritable=False)
    kept = sorted({*keep, *_STANDARD})
    for before, after in zip([-1, *kept], [*kept, _LAST + 1], strict=True):
        if before + 1 < after:
            _close_range(before + 1, after - 1)


def _open_nowhere() -> int:
    try:
        return os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
    except OSError:  # no /dev here
        reader, writer = os.pipe2(os.O_CLOEXEC)
        os.close(reader)
        return writer


def _close_range(first: int, last: int) -> None:
    try:
        syscalls.call("close_range", first, last, 0)
    except OSError:  # older than 5.9
        for descriptor in _open_descriptors():
            if first <= descriptor <= last:
                with suppress(OSError):  # the one that the folder was listed with
                    os.close(descriptor)


def _open_descriptors() -> list[int]:
    try:
        return [int(name) for name in os.listdir("/proc/self/fd")]
    except OSError:
        return list(range(_WITHOUT_PROC))
