"""Instructions that icicle knows of and does not carry out, done here instead.

Packers put such instructions before their stubs to end an emulation: what asks who the
processor is (CPUID, RDRAND) and what asks about its tables (SGDT, STR) is answered as an
ordinary machine would. Of the rest only the length is known: they are stepped over, and the
run is one whose result is not to be relied on.

Source: Intel 64 and IA-32 Architectures Software Developer's Manual, volume 2: 2.1, 2.3 (form
of an instruction), appendix A (opcodes).
"""

from __future__ import annotations

from typing import NamedTuple

from tocsin.unpack.emulator_cpu import Cpu

_LONGEST = 15
_PREFIXES = frozenset(b"\x26\x2e\x36\x3e\x64\x65\x66\x67\xf0\xf2\xf3")
_GENERAL = ("AX", "CX", "DX", "BX", "SP", "BP", "SI", "DI")
_CPUID = {
    0: (1, 0x756E6547, 0x6C65746E, 0x49656E69),  # GenuineIntel
    1: (0x000306C3, 0x00100800, 0x00982201, 0x0FABFBFF),  # no bit says that it is a guest
}
"""What CPUID says: EAX, EBX, ECX, EDX by leaf."""

_CARRY = 1
_GDT, _IDT = b"\x7f\0\0\x70\xf8\x80", b"\xff\x07\0\x74\xf8\x80"
_WITH_BYTE = frozenset(b"\x70\x71\x72\x73\xc2\xc4\xc5\xc6\xa4\xac\xba")
"""Opcodes of the two-byte map that end in a byte of their own."""

_CRC32C = 0x82F63B78
_ONE_BYTE, _TWO_BYTES, _MAP_38, _MAP_3A = 0, 1, 2, 3


class _Form(NamedTuple):
    """An instruction taken apart.

    Attributes:
        length: its bytes.
        table: which map of opcodes it is of.
        opcode: its last opcode byte.
        mod: how its operand is addressed; 3 for a register.
        reg: the number in the middle of its ModRM byte.
        rm: the register, when it is one.
        address: where its operand is in memory, when it is there.
        prefixes: the old prefixes before it.
        rex: the byte by which x86-64 widens it, or 0.
    """

    table: int
    opcode: int
    prefixes: bytes
    rex: int
    length: int = 0
    mod: int = 3
    reg: int = 0
    rm: int = 0
    address: int = 0

    @property
    def bytes_wide(self) -> int:
        """Bytes of its operand."""
        return 2 if b"\x66" in self.prefixes else 8 if self.rex & 8 else 4


def stand_in(cpu: Cpu, pc: int) -> bool | None:
    """Do the instruction that the processor stopped at, and go on behind it.

    Returns:
        Whether it was done as a real processor would; None when it is none of these, and is
        left for what the program itself does about it.
    """
    form = _take_apart(cpu, pc, cpu.read(pc, _LONGEST))
    if form is None:
        return None
    faithful = _do(cpu, form)
    cpu.pc = pc + form.length
    return faithful


def _take_apart(cpu: Cpu, pc: int, code: bytes) -> _Form | None:
    at = 0
    while at < len(code) and code[at] in _PREFIXES:
        at += 1
    prefixes, rex = code[:at], 0
    if cpu.wide and at < len(code) and code[at] & 0xF0 == 0x40:
        rex = code[at]
        at += 1
    table = _ONE_BYTE
    if code[at : at + 1] == b"\x0f":
        table, at = _TWO_BYTES, at + 1
        if code[at : at + 1] in (b"\x38", b"\x3a"):
            table, at = (_MAP_38 if code[at] == 0x38 else _MAP_3A), at + 1
    elif code[at : at + 1] in (b"\xc4", b"\xc5") and (cpu.wide or code[at + 1 : at + 2] >= b"\xc0"):
        short = code[at] == 0xC5
        table = _TWO_BYTES if short else (code[at + 1] if len(code) > at + 1 else 0) & 31
        at += 2 if short else 3
    if table not in (_TWO_BYTES, _MAP_38, _MAP_3A) or at + 2 > len(code):
        return None
    form = _Form(table, code[at], prefixes, rex)
    if table == _TWO_BYTES and form.opcode == 0xA2:
        return form._replace(length=at + 1)
    if table == _TWO_BYTES and not _is_known(form.opcode, code):
        return None
    return _with_operand(cpu, pc, code, at, form)


def _is_known(opcode: int, code: bytes) -> bool:
    """Of the map of two bytes, those that a program does not use to raise a fault."""
    return opcode in (0x00, 0x01, 0x02, 0x03, 0xC7) or code[:1] in (b"\xc4", b"\xc5")


def _with_operand(cpu: Cpu, pc: int, code: bytes, at: int, form: _Form) -> _Form:
    """The form with its operand, found by its ModRM byte."""
    rex = form.rex
    modrm = code[at + 1]
    mod, reg, rm = modrm >> 6, modrm >> 3 & 7, modrm & 7
    end, address = at + 2, 0
    if mod != 3:
        end, address = _address(cpu, code, end, mod, rm, rex)
        if cpu.wide and mod == 0 and rm == 5:
            address += pc + end + (form.table == _MAP_3A)
        if b"\x64" in form.prefixes or b"\x65" in form.prefixes:
            address += cpu.get("GS_OFFSET" if cpu.wide else "FS_OFFSET")
    with_byte = form.table == _MAP_3A or (form.table == _TWO_BYTES and form.opcode in _WITH_BYTE)
    mask = (1 << 8 * cpu.pointer) - 1
    return form._replace(
        length=end + with_byte,
        mod=mod,
        reg=reg | (rex & 4) << 1,
        rm=rm | (rex & 1) << 3,
        address=address & mask,
    )


def _address(cpu: Cpu, code: bytes, at: int, mod: int, rm: int, rex: int) -> tuple[int, int]:
    """Where the bytes of an operand's address end, and the address."""
    address = 0
    if rm == 4:
        sib = code[at] if at < len(code) else 0
        at += 1
        index = sib >> 3 & 7 | (rex & 2) << 2
        if index != 4:
            address += _register(cpu, index) << (sib >> 6)
        rm = sib & 7
    if mod == 0 and rm == 5:
        size = 4
    else:
        address += _register(cpu, rm | (rex & 1) << 3)
        size = (0, 1, 4)[mod]
    return at + size, address + int.from_bytes(code[at : at + size], "little", signed=True)


def _register(cpu: Cpu, number: int) -> int:
    return cpu.get(_GENERAL[number] if number < 8 else f"R{number}")


def _set_register(cpu: Cpu, number: int, value: int) -> None:
    cpu.set(_GENERAL[number] if number < 8 else f"R{number}", value)


def _do(cpu: Cpu, form: _Form) -> bool:
    """Carry an instruction out, if it is one of those that are known here."""
    if form.table == _TWO_BYTES:
        return _do_of_two_bytes(cpu, form)
    if form.table == _MAP_38 and form.opcode in (0xF0, 0xF1):
        if b"\xf2" in form.prefixes:
            return _crc32(cpu, form)
        return _movbe(cpu, form)
    return False


def _do_of_two_bytes(cpu: Cpu, form: _Form) -> bool:
    if form.opcode == 0xA2:
        values = _CPUID.get(cpu.get("AX") & 0xFFFFFFFF, (0, 0, 0, 0))
        for name, value in zip(("AX", "BX", "CX", "DX"), values, strict=True):
            cpu.set(name, value)
        return True
    if form.opcode == 0xC7 and form.mod == 3 and form.reg & 7 in (6, 7):
        _set_register(cpu, form.rm, 0x5DEECE66)
        cpu.set("eflags", cpu.get("eflags") | _CARRY)
        return True
    if form.opcode == 0x00 and form.reg & 7 in (0, 1):
        value = 0x40 if form.reg & 7 else 0  # the task's selector; there is no local table
        if form.mod == 3:
            _set_register(cpu, form.rm, value)
            return True
        return cpu.write(form.address, value.to_bytes(2, "little"))
    if form.opcode == 0x01 and form.mod != 3 and form.reg & 7 in (0, 1):
        table = (_IDT if form.reg & 7 else _GDT).ljust(2 + cpu.pointer, b"\xff")
        return cpu.write(form.address, table)
    return False


def _movbe(cpu: Cpu, form: _Form) -> bool:
    size = form.bytes_wide
    if form.mod == 3:
        return False
    if form.opcode == 0xF1:
        value = _register(cpu, form.reg) & ((1 << 8 * size) - 1)
        return cpu.write(form.address, value.to_bytes(size, "big"))
    raw = cpu.read(form.address, size)
    value = int.from_bytes(raw, "big")
    if size == 2:
        value |= _register(cpu, form.reg) & ~0xFFFF
    _set_register(cpu, form.reg, value)
    return len(raw) == size


def _crc32(cpu: Cpu, form: _Form) -> bool:
    size = 1 if form.opcode == 0xF0 else form.bytes_wide
    if form.mod == 3 and size == 1 and form.rm >= 4:
        return False  # a register's second byte
    if form.mod == 3:
        raw = (_register(cpu, form.rm) & ((1 << 8 * size) - 1)).to_bytes(size, "little")
    else:
        raw = cpu.read(form.address, size)
    crc = _register(cpu, form.reg) & 0xFFFFFFFF
    for byte in raw:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (_CRC32C if crc & 1 else 0)
    _set_register(cpu, form.reg, crc)
    return len(raw) == size
