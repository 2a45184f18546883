"""Places where a packer needs help to unpack what it packed.

WWPack32 unpacks in place, from the end of a section to its begin, and does not leave enough
room between what it reads and what it writes: the last bytes of a section that is nearly full
are written over before they are read (Debian's clam-wwpack.exe breaks like this on any
processor). So it is given a copy of what it reads.
"""

from __future__ import annotations

from tocsin.unpack.emulator_cpu import PAGE, Cpu
from tocsin.unpack.emulator_windows import Windows

_WWPACK = bytes.fromhex("f3a58bf783c6048bf8fcad8be8b320eb")
"""Moves the packed data, points ESI to them and EDI to where they are unpacked to; the read
of the first four bytes is at `_WWPACK_READ`."""

_WWPACK_READ = 10
_LONGEST = 16 << 20


def install(cpu: Cpu, windows: Windows, memory: bytes, base: int) -> None:
    """Watch for the places that there are in a program.

    Args:
        cpu: the processor.
        windows: what gives memory.
        memory: the image.
        base: where it is.
    """
    at = memory.find(_WWPACK)
    if at < 0 or cpu.wide:
        return

    def copy_source() -> None:
        source = cpu.get("SI")
        end = (source + PAGE) & -PAGE
        data = cpu.read(source, min(end - source, _LONGEST))
        start = windows.allocate(len(data) + PAGE)
        if start and data:
            cpu.write(start, data)
            cpu.set("SI", start)

    cpu.help_at(base + at + _WWPACK_READ, copy_source)
