"""What the functions of the emulated Windows do, and how they return."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence

from tocsin.unpack.emulator_api import ARGUMENTS, ENDS, LEFT_TO_CALLER, PROGRAMS, TRUE
from tocsin.unpack.emulator_cpu import PAGE
from tocsin.unpack.emulator_windows import COMMAND_LINE, HEAP_HANDLE, Windows

_MOST_COPY = 4 << 20
_OWN_NAME = r"C:\sample.exe"
_FILE = 0x44
"""Handle of the program's own file, the only one there is."""

_Handler = Callable[[Windows, Sequence[int]], int]


def call(windows: Windows, name: str, unpacked: bool) -> bool:
    """Do what a function does and return to its caller.

    Args:
        windows: what is around the program.
        name: the function.
        unpacked: whether something has been unpacked already.

    Returns:
        False when the program ends here, or nothing is known of the function.
    """
    windows.calls.append(name)
    del windows.calls[:-64]
    if name in ENDS or (unpacked and name in PROGRAMS):
        return False
    count = 0 if name in LEFT_TO_CALLER else ARGUMENTS.get(name)
    if count is None:
        if not windows.cpu.wide:
            return False
        count = 4
    arguments = _arguments(windows, max(count, 6 if windows.cpu.wide else 4))
    handler = _HANDLERS.get(name)
    result = int(name in TRUE) if handler is None else handler(windows, arguments)
    _return(windows, result, 0 if windows.cpu.wide else count)
    return True


def _arguments(windows: Windows, count: int) -> list[int]:
    cpu = windows.cpu
    first = [cpu.get(name) for name in ("CX", "DX", "R8", "R9")] if cpu.wide else []
    at = cpu.get("SP") + cpu.pointer * (1 + len(first))
    rest = range(at, at + cpu.pointer * max(0, count - len(first)), cpu.pointer)
    return [*first, *(cpu.read_pointer(place) for place in rest)]


def _return(windows: Windows, result: int, arguments: int) -> None:
    cpu = windows.cpu
    sp = cpu.get("SP")
    cpu.pc = cpu.read_pointer(sp)
    cpu.set("SP", sp + cpu.pointer * (1 + arguments))
    cpu.set("AX", result)


def _get_proc_address(w: Windows, a: Sequence[int]) -> int:
    name = f"#{a[1]}" if a[1] < 0x10000 else w.text(a[1])
    return w.function(a[0], name)


def _module_handle(w: Windows, name: str) -> int:
    return w.library(name) if name else w.own_base()


def _virtual_alloc(w: Windows, a: Sequence[int]) -> int:
    wanted, size = a[0], a[1]
    if wanted and w.cpu.readable(wanted, size) == size:
        return wanted
    return w.allocate(size, wanted)


def _virtual_query(w: Windows, a: Sequence[int]) -> int:
    region = w.cpu.region_of(a[0])
    if region is None:
        return 0
    page = a[0] & -PAGE
    if w.cpu.wide:
        row = struct.pack("<QQIIQIIII", page, region.start, 0x40, 0, region.end - page, *_STATE, 0)
    else:
        row = struct.pack("<7I", page, region.start, 0x40, region.end - page, *_STATE)
    return len(row) if w.cpu.write(a[1], row) else 0


_STATE = (0x1000, 0x40, 0x20000)
"""MEM_COMMIT, PAGE_EXECUTE_READWRITE, MEM_PRIVATE."""


def _protect(w: Windows, a: Sequence[int]) -> int:
    w.cpu.write(a[3], struct.pack("<I", 0x40))
    return 1


def _copy(w: Windows, a: Sequence[int]) -> int:
    w.cpu.write(a[0], w.cpu.read(a[1], min(a[2], _MOST_COPY)))
    return a[0]


def _fill(w: Windows, a: Sequence[int], value: int, size: int) -> int:
    w.cpu.write(a[0], bytes([value & 0xFF]) * min(size, _MOST_COPY))
    return a[0]


def _own_name(w: Windows, a: Sequence[int]) -> int:
    w.cpu.write(a[1], _OWN_NAME.encode()[: max(0, a[2] - 1)] + b"\0")
    return len(_OWN_NAME)


def _open_file(w: Windows, a: Sequence[int], wide: bool = False) -> int:
    if w.text(a[0], wide).lower() != _OWN_NAME.lower():
        return -1
    w.position = 0
    return _FILE


def _file_size(w: Windows, a: Sequence[int]) -> int:
    return len(w.data) if a[0] == _FILE else -1


def _read_file(w: Windows, a: Sequence[int]) -> int:
    if a[0] != _FILE:
        return 0
    piece = w.data[w.position : w.position + min(a[2], _MOST_COPY)]
    if not w.cpu.write(a[1], piece):
        return 0
    w.position += len(piece)
    w.cpu.write(a[3], struct.pack("<I", len(piece)))
    return 1


def _seek(w: Windows, a: Sequence[int]) -> int:
    if a[0] != _FILE or a[3] > 2:
        return -1
    offset = a[1] - (a[1] >> 31 << 32)
    w.position = max(0, (0, w.position, len(w.data))[a[3]] + offset)
    return w.position


def _map_file(w: Windows, a: Sequence[int]) -> int:
    if a[0] != _FILE:
        return 0
    start = w.allocate(len(w.data))
    return start if start and w.cpu.write(start, w.data) else 0


def _nt_allocate(w: Windows, a: Sequence[int]) -> int:
    got = _virtual_alloc(w, (w.cpu.read_pointer(a[1]), w.cpu.read_pointer(a[3])))
    return 0 if got and w.cpu.write_pointer(a[1], got) else 0xC0000017


def _string_copy(w: Windows, a: Sequence[int]) -> int:
    w.cpu.write(a[0], w.text(a[1]).encode("latin-1") + b"\0")
    return a[0]


def _string_append(w: Windows, a: Sequence[int]) -> int:
    w.cpu.write(a[0], (w.text(a[0]) + w.text(a[1])).encode("latin-1") + b"\0")
    return a[0]


def _compare(left: str, right: str) -> int:
    return (left > right) - (left < right)


def _add_filter(w: Windows, handler: int) -> int:
    w.filters.append(handler)
    del w.filters[:-8]
    return 1


def _constant(value: int) -> _Handler:
    return lambda _windows, _arguments: value


def _same(_windows: Windows, a: Sequence[int]) -> int:
    return a[0]


def _open_mapping(_windows: Windows, a: Sequence[int]) -> int:
    return a[0] if a[0] == _FILE else 0


_HANDLERS: dict[str, _Handler] = {
    "LoadLibraryA": lambda w, a: w.library(w.text(a[0])),
    "LoadLibraryW": lambda w, a: w.library(w.text(a[0], True)),
    "LoadLibraryExA": lambda w, a: w.library(w.text(a[0])),
    "LoadLibraryExW": lambda w, a: w.library(w.text(a[0], True)),
    "GetModuleHandleA": lambda w, a: _module_handle(w, w.text(a[0])),
    "GetModuleHandleW": lambda w, a: _module_handle(w, w.text(a[0], True)),
    "GetProcAddress": _get_proc_address,
    "VirtualAlloc": _virtual_alloc,
    "VirtualAllocEx": lambda w, a: _virtual_alloc(w, a[1:]),
    "NtAllocateVirtualMemory": _nt_allocate,
    "ZwAllocateVirtualMemory": _nt_allocate,
    "VirtualProtect": _protect,
    "VirtualQuery": _virtual_query,
    "GlobalAlloc": lambda w, a: w.allocate(a[1]),
    "LocalAlloc": lambda w, a: w.allocate(a[1]),
    "HeapAlloc": lambda w, a: w.allocate(a[2]),
    "malloc": lambda w, a: w.allocate(a[0]),
    "calloc": lambda w, a: w.allocate(a[0] * a[1]),
    "GlobalLock": _same,
    "LocalLock": _same,
    "HeapCreate": _constant(HEAP_HANDLE),
    "GetProcessHeap": _constant(HEAP_HANDLE),
    "GetTickCount": lambda w, _: w.ticks(),
    "GetTickCount64": lambda w, _: w.ticks(),
    "GetCurrentProcess": _constant(-1),
    "GetCurrentThread": _constant(-2),
    "GetCurrentProcessId": _constant(0x1234),
    "GetCurrentThreadId": _constant(0x1238),
    "GetVersion": _constant(0x1DB10106),
    "GetACP": _constant(1252),
    "TlsAlloc": lambda w, _: w.new_tls(),
    "FlsAlloc": lambda w, _: w.new_tls(),
    "EncodePointer": _same,
    "DecodePointer": _same,
    "GetModuleFileNameA": _own_name,
    "CreateFileA": _open_file,
    "CreateFileW": lambda w, a: _open_file(w, a, True),
    "GetFileSize": _file_size,
    "ReadFile": _read_file,
    "SetFilePointer": _seek,
    "CreateFileMappingA": _open_mapping,
    "CreateFileMappingW": _open_mapping,
    "MapViewOfFile": _map_file,
    "GetFileAttributesA": _constant(-1),
    "GetCommandLineA": _constant(COMMAND_LINE),
    "memcpy": _copy,
    "memmove": _copy,
    "RtlMoveMemory": _copy,
    "memset": lambda w, a: _fill(w, a, a[1], a[2]),
    "RtlFillMemory": lambda w, a: _fill(w, a, a[2], a[1]),
    "RtlZeroMemory": lambda w, a: _fill(w, a, 0, a[1]),
    "lstrcpyA": _string_copy,
    "strcpy": _string_copy,
    "lstrcatA": _string_append,
    "strcat": _string_append,
    "lstrlenA": lambda w, a: len(w.text(a[0])),
    "strlen": lambda w, a: len(w.text(a[0])),
    "lstrcmpA": lambda w, a: _compare(w.text(a[0]), w.text(a[1])),
    "lstrcmpiA": lambda w, a: _compare(w.text(a[0]).lower(), w.text(a[1]).lower()),
    "SetUnhandledExceptionFilter": lambda w, a: _add_filter(w, a[0]),
}
