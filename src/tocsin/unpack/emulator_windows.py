"""The Windows around an emulated program: its process's structures, libraries and functions.

Only what unpacking stubs look at is there. Nothing here reaches the machine: files, processes
and windows do not exist. Sources: Microsoft's reference of the Windows API; "PEB", "TEB",
"PEB_LDR_DATA" and "LDR_DATA_TABLE_ENTRY" (winternl.h).
"""

from __future__ import annotations

import encodings.utf_16_le  # noqa: F401  while the process may still open files
import struct

from tocsin.unpack.emulator_api import LIBRARIES, exports
from tocsin.unpack.emulator_cpu import PAGE, Cpu
from tocsin.unpack.emulator_library import MOST_SLOTS, SIZE, SLOT, SLOTS_RVA, library_image

_STACK_SIZE = 0x40000
_STACK_TOP = 0x30000
_STACKS = (0x00100000, 0x78000000)
_FIRST_FRAME = 0x20
"""Where the first exception handler's row is, in bytes below the stack's top; at the entry
point the stack pointer is 0x1C bytes below that, and there are stubs that count on it."""

NO_HANDLER = 0x7FFDFD00
"""The first exception handler, which takes nothing; nothing is there."""

PROCESS = 0x7FFD0000
"""Where the structures of process and thread are."""

_PEB, _TEB, _LDR, _TEXT = PROCESS, PROCESS + 0x1000, PROCESS + 0x2000, PROCESS + 0x4000
_PROCESS_SIZE = 0x10000
_SHARED = 0x7FFE0000
_SHARED_ROWS = {
    0x000: struct.pack("<II", 0x01000000, 0x0FA00000),
    0x008: struct.pack("<III", 0x9A3298A0, 0x15, 0x15),
    0x014: struct.pack("<III", 0x8F2A7C00, 0x01CF1234, 0x01CF1234),
    0x030: "C:\\Windows\0".encode("utf-16-le"),
    0x264: struct.pack("<III", 1, 1, 6),
    0x270: struct.pack("<I", 1),
    0x320: struct.pack("<III", 0x10000, 0, 0),
}
"""KUSER_SHARED_DATA: ticks, times, Windows 6.1. Source: ntddk.h."""

_HEAP, _HEAP_END = 0x60000000, 0x70000000
_MORE_LIBRARIES = 0x71000000
_MOST_LIBRARIES = 48
_MOST_TEXT = 1024
_MOST_ALLOCATED = 64 << 20
HEAP_HANDLE = 0x150000
COMMAND_LINE = _TEXT + 0x2800
"""Where the program's arguments are, which are none."""


class Windows:
    """What a program finds around itself.

    Args:
        cpu: its processor and memory, with its image mapped.
        data: its file, which it may read.
        base: where its image is.
        size: bytes of its image.
        entry: address of its entry point.

    Attributes:
        data: its file.
        stack_top: where its stack begins, downwards.
        teb: address of the thread's structure.
        allocated: what the program was given: address and bytes.
        position: where in its file it reads.
        calls: names of the functions it called, the latest last.
        filters: handlers set by `SetUnhandledExceptionFilter` and the vectored kind.
    """

    def __init__(self, cpu: Cpu, data: bytes, base: int, size: int, entry: int) -> None:
        self.cpu = cpu
        self.data = data
        self.position = 0
        self.allocated: list[tuple[int, int]] = []
        self.calls: list[str] = []
        self.filters: list[int] = []
        self.teb = _TEB
        self._base = base
        self._libraries: dict[str, int] = {}
        self._slots: dict[int, list[str]] = {}
        self._heap = _HEAP
        self._ticks = 0x10000
        self._tls = 0
        stack = next((start for start in _STACKS if cpu.map(start, _STACK_SIZE)), 0)
        self.stack_top = stack + _STACK_TOP
        cpu.map(PROCESS, _PROCESS_SIZE)
        if cpu.map(_SHARED, PAGE):
            for place, row in _SHARED_ROWS.items():
                cpu.write(_SHARED + place, row)
        for name in LIBRARIES:
            self._add_library(name)
        self._write_process(size, entry, stack)

    @property
    def first_frame(self) -> int:
        """Where the first exception handler's row is."""
        return self.stack_top - _FIRST_FRAME

    # --- libraries ------------------------------------------------------------------------

    def _add_library(self, name: str) -> int:
        known = name in LIBRARIES
        base = LIBRARIES.get(name, _MORE_LIBRARIES + 0x100000 * len(self._libraries))
        functions = exports(name) if known else []
        if not self.cpu.map(base, SIZE):
            return 0
        self.cpu.write(base, library_image(name, base, functions, self.cpu.wide))
        self._libraries[name] = base
        self._slots[base] = list(functions)
        return base

    def library(self, name: str) -> int:
        """Address of a library, which is loaded if need be; 0 when that is not possible."""
        name = name.rpartition("\\")[2].lower()
        name = name if "." in name else name + ".dll"
        if name not in self._libraries and len(self._libraries) >= _MOST_LIBRARIES:
            return 0
        return self._libraries.get(name) or self._add_library(name)

    def function(self, library: int, name: str) -> int:
        """Address of a function of a library; 0 when that is not possible."""
        slots = self._slots.get(library)
        if slots is None or not name:
            return 0
        if name not in slots:
            if len(slots) >= MOST_SLOTS:
                return 0
            slots.append(name)
        return library + SLOTS_RVA + SLOT * slots.index(name)

    def called(self, address: int) -> str | None:
        """Name of the function an address belongs to; empty for none of a library's."""
        for base, slots in self._slots.items():
            if base <= address < base + SIZE:
                index = (address - base - SLOTS_RVA) // SLOT
                return slots[index] if 0 <= index < len(slots) else ""
        return None

    # --- process --------------------------------------------------------------------------

    def _write_process(self, size: int, entry: int, stack: int) -> None:
        cpu, step = self.cpu, self.cpu.pointer
        peb = {2: self._base, 3: _LDR, 4: _TEXT + 0x2000, 6: HEAP_HANDLE}
        for index, value in peb.items():
            cpu.write_pointer(_PEB + step * index, value)
        cpu.write(_PEB + (0x118 if cpu.wide else 0xA4), struct.pack("<IIH", 6, 1, 7601))
        teb = (0, self.stack_top, stack, 0, 0, 0, _TEB)
        for index, value in enumerate(teb):
            cpu.write_pointer(_TEB + step * index, value)
        if not cpu.wide:
            cpu.write_pointer(_TEB, self.first_frame)
            cpu.write_pointer(self.first_frame, 0xFFFFFFFF)
            cpu.write_pointer(self.first_frame + 4, NO_HANDLER)
        cpu.write_pointer(_TEB + (0x60 if cpu.wide else 0x30), _PEB)
        cpu.write_pointer(_TEB + (0x58 if cpu.wide else 0x2C), _TEXT + 0x3000)
        cpu.write_pointer(_TEB + 8 * step, 0x1234)
        cpu.write_pointer(_TEB + 9 * step, 0x1238)
        cpu.set("GS_OFFSET" if cpu.wide else "FS_OFFSET", _TEB)
        self._write_modules(size, entry)

    def _write_modules(self, size: int, entry: int) -> None:
        """The three lists of modules, each in the order program, ntdll, kernel32, others."""
        cpu, step = self.cpu, self.cpu.pointer
        order = ["ntdll.dll", "kernel32.dll", "user32.dll", "advapi32.dll"]
        rows = [("sample.exe", self._base, size, entry)]
        rows += [(name, self._libraries[name], SIZE, 0) for name in order]
        row_size = 0x100
        first = _LDR + 0x100
        heads = [_LDR + (0x10 if cpu.wide else 0xC) + 2 * step * which for which in range(3)]
        for which, head in enumerate(heads):
            nodes = [first + row_size * index + 2 * step * which for index in range(len(rows))]
            nodes = nodes[1:] if which == 2 else nodes
            ring = [head, *nodes]
            for index, node in enumerate(ring):
                cpu.write_pointer(node, ring[(index + 1) % len(ring)])
                cpu.write_pointer(node + step, ring[index - 1])
        text = _TEXT
        for index, (name, base, bytes_, start) in enumerate(rows):
            row = first + row_size * index + 6 * step
            cpu.write_pointer(row, base)
            cpu.write_pointer(row + step, start)
            cpu.write(row + 2 * step, struct.pack("<I", bytes_))
            wide_name = name.encode("utf-16-le")
            cpu.write(text, wide_name + b"\0\0")
            for which in range(2):
                at = row + 3 * step + 2 * step * which
                cpu.write(at, struct.pack("<HH", len(wide_name), len(wide_name) + 2))
                cpu.write_pointer(at + step, text)
            text += len(wide_name) + 16 & -8
        cpu.write(_LDR, struct.pack("<II", 0x58 if cpu.wide else 0x28, 1))

    # --- what functions need --------------------------------------------------------------

    def text(self, address: int, wide: bool = False) -> str:
        """Text at an address, up to its NUL."""
        data = self.cpu.read(address, self.cpu.readable(address, _MOST_TEXT))
        if wide:
            return data.decode("utf-16-le", "replace").partition("\0")[0]
        return data.partition(b"\0")[0].decode("latin-1")

    def allocate(self, size: int, wanted: int = 0) -> int:
        """Map memory for the program; 0 when it has had too much."""
        size = max(PAGE, size + PAGE - 1 & -PAGE)
        if size + sum(taken for _, taken in self.allocated) > _MOST_ALLOCATED:
            return 0
        start = wanted & -0x10000
        if not start or not self.cpu.map(start, size):
            start = self._heap
            if start + size > _HEAP_END or not self.cpu.map(start, size):
                return 0
            self._heap += size + 0xFFFF & -0x10000
        self.allocated.append((start, size))
        return start

    def ticks(self) -> int:
        """A clock that goes slowly."""
        self._ticks += 1
        return self._ticks

    def new_tls(self) -> int:
        """Number of another thread-local variable."""
        self._tls += 1
        return self._tls

    def own_base(self) -> int:
        """Where the program itself is."""
        return self._base
