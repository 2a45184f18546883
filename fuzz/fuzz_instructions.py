"""Instructions that stand in for those an emulator lacks: any bytes end or are stepped over."""

from __future__ import annotations

import fuzz_support

from tocsin.unpack.emulator_cpu import Cpu
from tocsin.unpack.emulator_instructions import stand_in

SEEDS = [
    bytes.fromhex(code)
    for code in ("000fa2", "010fc7f0", "00f20f38f14603", "010f38f18b00010000", "00c4e27d1805")
]
_PLACE, _LONGEST = 0x10000, 15
_CPUS = (Cpu(False), Cpu(True))
for _cpu in _CPUS:
    _cpu.map(_PLACE, 0x2000)


def check(data: bytes) -> None:
    """Step over one instruction; it has a length that an instruction may have."""
    cpu = _CPUS[data[:1] > b"\x7f" or data[:1] == b"\1"]
    code = data[1 : 1 + 32].ljust(32, b"\x90")
    cpu.write(_PLACE, code)
    cpu.pc = _PLACE
    if stand_in(cpu, _PLACE) is not None:
        assert _PLACE < cpu.pc <= _PLACE + 2 * _LONGEST


if __name__ == "__main__":
    fuzz_support.fuzz(check, SEEDS)
