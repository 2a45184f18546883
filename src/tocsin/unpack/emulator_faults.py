"""Structured exception handling: faults that a program means to have.

Protectors raise exceptions on purpose and go on in their handlers, which find the way by the
processor's context. Only the 32-bit kind is done, whose handlers are a list on the stack; on
x86-64 they are in tables that a packer has no use for.
Source: "A Crash Course on the Depths of Win32 Structured Exception Handling" (MSJ 1/1997);
CONTEXT and EXCEPTION_RECORD in winnt.h.
"""

from __future__ import annotations

import struct

from tocsin.unpack.emulator_cpu import Cpu, Kind, Stop
from tocsin.unpack.emulator_windows import NO_HANDLER

RETURN = 0x7FFDFF00
"""Where a handler returns to; nothing is there."""

_ACCESS, _ILLEGAL, _DIVISION = 0xC0000005, 0xC000001D, 0xC0000094
_BREAKPOINT, _STEP = 0x80000003, 0x80000004
_CODES = {
    Kind.READ: _ACCESS,
    Kind.WRITE: _ACCESS,
    Kind.FETCH: _ACCESS,
    Kind.DIVISION: _DIVISION,
    Kind.INVALID: _ILLEGAL,
    Kind.TRAP: _STEP,
}
_ACCESSES = {Kind.READ: 0, Kind.WRITE: 1, Kind.FETCH: 8}
_INTERRUPTS = {1: _STEP, 3: _BREAKPOINT, 0x2D: _BREAKPOINT}

_CONTEXT_SIZE, _RECORD_SIZE = 0x2CC, 0x50
_CONTEXT_FULL = 0x1001F
_REGISTERS = {
    "DI": 0x9C,
    "SI": 0xA0,
    "BX": 0xA4,
    "DX": 0xA8,
    "CX": 0xAC,
    "AX": 0xB0,
    "BP": 0xB4,
    "SP": 0xC4,
}
_EIP, _EFLAGS = 0xB8, 0xC0
_TRAP_FLAG = 0x100
_SEGMENTS = {0x8C: 0, 0x90: 0x3B, 0x94: 0x23, 0x98: 0x23, 0xBC: 0x1B, 0xC8: 0x23}
_END = 0xFFFFFFFF
_MOST_DISPATCHES = 4096
_MOST_FRAMES = 64


class Faults:
    """Hands faults to the program's handlers.

    Args:
        cpu: the processor.
        teb: address of the thread's structure, which begins with the list of handlers.
    """

    def __init__(self, cpu: Cpu, teb: int) -> None:
        self._cpu = cpu
        self._teb = teb
        self._left = _MOST_DISPATCHES
        self._frames: list[tuple[int, int, int]] = []

    def dispatch(self, stop: Stop, last_resort: int = 0) -> bool:
        """Go on in the first handler.

        Args:
            stop: the fault.
            last_resort: the filter for exceptions that no handler took, or 0.

        Returns:
            False when there is none.
        """
        cpu = self._cpu
        code = _code(stop)
        self._left -= 1
        if cpu.wide or not code or self._left < 0:
            return False
        at = stop.pc
        if stop.kind is Kind.INTERRUPT and stop.value in (1, 0x2D):
            at = cpu.next_pc
        context = (cpu.get("SP") - 0x400 - _CONTEXT_SIZE) & -16
        record = context - _RECORD_SIZE
        access = _ACCESSES.get(stop.kind)
        info = (0,) if access is None else (access, stop.value & 0xFFFFFFFF)
        parameters = 0 if access is None else 2
        row = struct.pack(f"<5I{len(info)}I", code, 0, 0, at, parameters, *info)
        if not cpu.write(record, row.ljust(_RECORD_SIZE, b"\0")):
            return False
        cpu.write(context, self._context(at))
        frame = cpu.read_pointer(self._teb)
        if self._enter(record, frame, context):
            return True
        return bool(last_resort) and self._filter(record, context, last_resort)

    def _context(self, at: int) -> bytes:
        image = bytearray(_CONTEXT_SIZE)

        def put(offset: int, value: int) -> None:
            image[offset : offset + 4] = (value & 0xFFFFFFFF).to_bytes(4, "little")

        put(0, _CONTEXT_FULL)
        for name, offset in _REGISTERS.items():
            put(offset, self._cpu.get(name))
        for offset, value in _SEGMENTS.items():
            put(offset, value)
        put(_EIP, at)
        put(_EFLAGS, self._cpu.get("eflags") | 0x202)
        return bytes(image)

    def _enter(self, record: int, frame: int, context: int) -> bool:
        cpu = self._cpu
        handler = cpu.read_pointer(frame + 4)
        for _ in range(_MOST_FRAMES):
            if handler != NO_HANDLER:
                break
            frame = cpu.read_pointer(frame)
            handler = cpu.read_pointer(frame + 4)
        if not frame or frame == _END or handler in (0, NO_HANDLER):
            return False
        self._frames.append((record, frame, context))
        del self._frames[:-64]
        nested = record - 0x20
        cpu.write_pointer(nested, cpu.read_pointer(self._teb))
        cpu.write_pointer(nested + 4, NO_HANDLER)
        cpu.write_pointer(self._teb, nested)
        cpu.set("SP", record - 0x40)
        for value in (0, context, frame, record, RETURN):
            cpu.push(value)
        cpu.pc = handler
        return True

    # Windows puts a row of its own before the others while a handler runs; stubs count on it.

    def _filter(self, record: int, context: int, handler: int) -> bool:
        cpu = self._cpu
        self._frames.append((record, _END, context))
        cpu.set("SP", record - 0x40)
        pointers = record - 0x20
        cpu.write_pointer(pointers, record)
        cpu.write_pointer(pointers + 4, context)
        for value in (pointers, RETURN):
            cpu.push(value)
        cpu.pc = handler
        return True

    def returned(self) -> bool:
        """A handler has returned: go on where its context says, or in the next handler.

        Returns:
            False when nothing is left to do.
        """
        cpu = self._cpu
        if not self._frames:
            return False
        record, frame, context = self._frames.pop()
        answer = cpu.get("AX")
        nested = record - 0x20
        if cpu.read_pointer(self._teb) == nested and frame != _END:
            cpu.write_pointer(self._teb, cpu.read_pointer(nested))
        image = cpu.read(context, _CONTEXT_SIZE)
        if len(image) < _CONTEXT_SIZE:
            return False
        if answer == 0 or (frame == _END and answer == 0xFFFFFFFF):
            for name, offset in _REGISTERS.items():
                cpu.set(name, int.from_bytes(image[offset : offset + 4], "little"))
            flags = int.from_bytes(image[_EFLAGS : _EFLAGS + 4], "little")
            cpu.set("eflags", flags & ~_TRAP_FLAG)
            cpu.trapping = bool(flags & _TRAP_FLAG)
            cpu.pc = int.from_bytes(image[_EIP : _EIP + 4], "little")
            return True
        if frame == _END or answer != 1:
            return False
        return self._enter(record, cpu.read_pointer(frame), context)


def _code(stop: Stop) -> int:
    if stop.kind is Kind.INTERRUPT:
        return _INTERRUPTS.get(stop.value, _ACCESS)
    return _CODES.get(stop.kind, 0)
