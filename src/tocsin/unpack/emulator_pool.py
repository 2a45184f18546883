"""The processors of icicle, and those that are kept for the next program of a thread.

Making one reads Ghidra's description of the instruction set (0.15 seconds, 44 files). The
modules `emulator_x86` and `emulator_x86_64` make theirs when they are imported, for a process
that may open no file later; it may be forked from the one that imported them.
"""

from __future__ import annotations

import os
import threading
from contextlib import suppress

from icicle import Icicle, MemoryException, MemoryProtection

from tocsin.errors import FormatError

# Reading the description fails and is mended inside; where the user has asked for backtraces of
# Rust programs, each of these failures would load all debug information there is (37 MiB, 0.2 s).
os.environ["RUST_LIB_BACKTRACE"] = "0"

_MOST_PAGES = 24 * 1024
"""Pages a program may write to; each costs twice its size (96 MiB make 192 MiB)."""

MOST_USES = 32
"""Programs after which a processor is made anew, where that can be done: compiled code is given
back then only. It is little: 40 programs that compile much left 28 MiB."""


class CpuError(FormatError):
    """The emulator itself came to its end; the program's state is lost or of no use."""


class CpuLost(CpuError):
    """There is no emulator, or it broke on this program; another might have unpacked it."""


class _Pool(threading.local):
    """The processors of this thread, which no other may use: architecture, compiling or not."""

    def __init__(self) -> None:
        self.idle: dict[tuple[str, bool], tuple[Icicle, int]] = {}


POOL = _Pool()


def make(architecture: str, compiling: bool) -> Icicle:
    """Make a processor."""
    try:
        made = Icicle(architecture, jit=compiling)
        made.mem_capacity = _MOST_PAGES
    except Exception as error:  # icicle raises Exception itself when it cannot read its files
        raise CpuLost(f"no emulator: {error}") from error
    return made


def preload(architecture: str) -> None:
    """Make the processors of an architecture for this thread, unless it has them."""
    with suppress(CpuError):
        for compiling in (False, True):
            if (architecture, compiling) not in POOL.idle:
                POOL.idle[architecture, compiling] = (make(architecture, compiling), 0)


def give_back(architecture: str, compiling: bool, vm: Icicle, uses: int) -> None:
    """Keep a processor for the next program.

    One that is used up or broke is made anew. A process that is confined may be unable to; it
    goes on with the old one, which a program that broke it on purpose must not take away from
    those after it.
    """
    if uses >= MOST_USES:
        with suppress(CpuLost):
            POOL.idle[architecture, compiling] = (make(architecture, compiling), 0)
            return
    try:
        vm.reset()
    except BaseException as error:
        if not is_panic(error):
            raise
        return
    POOL.idle[architecture, compiling] = (vm, uses)


def is_panic(error: BaseException) -> bool:
    """Whether Rust code came to its end in a way of its own; such an error is no `Exception`."""
    return type(error).__name__ == "PanicException"


def peek(vm: Icicle, address: int, size: int) -> bytes:
    """Read memory."""
    try:
        return bytes(vm.mem_read(address, size))
    except MemoryException as error:
        raise CpuError(f"the emulator's memory: {error}") from error


def poke(vm: Icicle, address: int, data: bytes) -> None:
    """Write memory, whatever may be done with it."""
    try:
        vm.mem_write(address, data)
    except MemoryException as error:
        raise CpuError(f"the emulator's memory: {error}") from error


def protect(vm: Icicle, address: int, size: int, protection: MemoryProtection) -> None:
    """Say what may be done with memory."""
    try:
        vm.mem_protect(address, size, protection)
    except MemoryException as error:
        raise CpuError(f"the emulator's memory: {error}") from error
