"""The processor that programs are emulated on: icicle, its memory and its code cache.

Memory may be written or executed, never both, byte by byte. All of it may be written at first.
Permission to execute is given in granules when the program first gets there: a `Stop` of kind
FETCH tells the caller that code is about to run that has not run before. A write to what may
be executed is let through, the bytes are known as data from then on (until they are executed
themselves), and the code cache is emptied, because icicle does not see by itself all writes to
code that it has translated.

Code is interpreted first, and compiled when it has long been unchanged: compiling costs a
millisecond a block, which for most stubs is more than interpreting them.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Set as AbstractSet
from enum import Enum, auto
from typing import NamedTuple

from icicle import ExceptionCode, Icicle, MemoryProtection, RunStatus

from tocsin.unpack.emulator_pool import (
    MOST_USES,
    POOL,
    CpuLost,
    give_back,
    is_panic,
    make,
    peek,
    poke,
    protect,
)

PAGE = 0x1000
GRANULE = 0x40
"""Bytes that may be executed after one stop; a stub and what it unpacks may share a page."""

_LONGEST_INSTRUCTION = 15
_MOST_GRANULES_WRITTEN = 8
"""Granules that one instruction writes at most."""

_REPEATS_A_MEGABYTE = 800
"""Stops at granule borders that cost as much time as emptying the code cache does."""

_INTERPRETED = 1_500_000
"""Instructions that are interpreted (0.25 seconds) before code is compiled."""


_POPF, _OPERAND_SIZE = 0x9D, 0x66
_TRAP_FLAG = 0x100
_MOST_WATCHED = 1024
_MOST_PASSES = 2000
"""Times a `popf` is looked at; one in a loop sets no trap flag."""


class Kind(Enum):
    """Why the processor stopped."""

    LIMIT = auto()
    FETCH = auto()
    INTERRUPT = auto()
    READ = auto()
    WRITE = auto()
    DIVISION = auto()
    INVALID = auto()
    TRAP = auto()
    BROKEN = auto()


class Stop(NamedTuple):
    """Why and where the processor stopped.

    Attributes:
        kind: the family.
        pc: the instruction's address.
        value: the address accessed or the interrupt's number.
    """

    kind: Kind
    pc: int
    value: int


_FAULTS = {
    int(ExceptionCode.ReadUnmapped): Kind.READ,
    int(ExceptionCode.ReadPerm): Kind.READ,
    int(ExceptionCode.WriteUnmapped): Kind.WRITE,
    int(ExceptionCode.WritePerm): Kind.WRITE,
    int(ExceptionCode.DivisionException): Kind.DIVISION,
    int(ExceptionCode.InvalidInstruction): Kind.INVALID,
    int(ExceptionCode.UnimplementedOp): Kind.INVALID,
    int(ExceptionCode.InvalidTarget): Kind.INVALID,
    int(ExceptionCode.UnknownCpuID): Kind.INVALID,
    int(ExceptionCode.Syscall): Kind.INTERRUPT,
}

_GENERAL = ("AX", "CX", "DX", "BX", "SP", "BP", "SI", "DI")
_KEPT = ("eflags", "MXCSR", "FPUControlWord", "FPUStatusWord", "FPUTagWord")
_VECTORS = tuple(f"XMM{number}_{half}" for number in range(8) for half in ("Qa", "Qb"))


def _none() -> set[int]:
    return set()


class Region(NamedTuple):
    """Memory that is mapped, in whole pages."""

    start: int
    size: int

    @property
    def end(self) -> int:
        """Address behind it."""
        return self.start + self.size


class Cpu:
    """One program's processor and memory.

    Args:
        wide: whether it is an x86-64.

    Attributes:
        wide: whether it is an x86-64.
        pointer: bytes of an address.
        regions: what is mapped, in the order of mapping.
        flushes: how often the code cache was emptied.
        trapping: whether the next instruction is to be followed by a TRAP.
    """

    def __init__(self, wide: bool) -> None:
        self.wide = wide
        self.pointer = 8 if wide else 4
        self.regions: list[Region] = []
        self.flushes = 0
        self.trapping = False
        self._watched: dict[int, int] = {}
        self._helpers: dict[int, Callable[[], None]] = {}
        self._architecture = "x86_64" if wide else "i686"
        self._compiling = False
        self._vm, self._uses = self._take(False)
        self._granted = _none()
        self._data: dict[int, int] = {}
        self._repeats = 0
        self._executed = 0
        letter = "R" if wide else "E"
        self._kept = (*(letter + name for name in _GENERAL), *_KEPT, *_VECTORS)
        self._kept += ("GS_OFFSET",) if wide else ("FS_OFFSET",)
        if wide:
            self._kept += tuple(f"R{number}" for number in range(8, 16))

    def _take(self, compiling: bool) -> tuple[Icicle, int]:
        kept = POOL.idle.pop((self._architecture, compiling), None)
        return kept or (make(self._architecture, compiling), 0)

    def close(self) -> None:
        """Give the processor back, for the next program."""
        self._unwatch()
        give_back(self._architecture, self._compiling, self._vm, self._uses + 1)

    # --- registers ------------------------------------------------------------------------

    def get(self, name: str) -> int:
        """A register by its 32-bit name without E: `AX`, `SP`; or by its full name."""
        return int(self._vm.reg_read(self._full(name)))

    def set(self, name: str, value: int) -> None:
        """Set a register."""
        mask = (1 << 8 * self.pointer) - 1
        self._vm.reg_write(self._full(name), value & mask)

    def _full(self, name: str) -> str:
        return ("R" if self.wide else "E") + name if name in _GENERAL else name

    @property
    def pc(self) -> int:
        """Address of the next instruction."""
        return int(self._vm.pc)

    @pc.setter
    def pc(self, value: int) -> None:
        self._vm.pc = value

    @property
    def next_pc(self) -> int:
        """Address behind the instruction that raised an interrupt."""
        return int(self._vm.reg_read("NEXT_PC"))

    @property
    def executed(self) -> int:
        """Instructions executed up to now."""
        return self._executed + int(self._vm.icount)

    # --- memory ---------------------------------------------------------------------------

    def map(self, start: int, size: int) -> bool:
        """Map zeroed memory, readable and writable.

        Returns:
            False when something is there already or the address is none.
        """
        size = (size + PAGE - 1) & -PAGE
        if start % PAGE or size <= 0 or start + size > 1 << (47 if self.wide else 32):
            return False
        if any(start < region.end and region.start < start + size for region in self.regions):
            return False
        self._vm.mem_map(start, size, MemoryProtection.ReadWrite)
        self.regions.append(Region(start, size))
        return True

    def region_of(self, address: int) -> Region | None:
        """The mapped region an address lies in."""
        return next((r for r in self.regions if r.start <= address < r.end), None)

    def readable(self, address: int, size: int) -> int:
        """How many of `size` bytes from an address on lie in one region."""
        region = self.region_of(address)
        return 0 if region is None else min(size, region.end - address)

    def read(self, address: int, size: int) -> bytes:
        """Read memory; fewer bytes where it ends."""
        size = self.readable(address, size)
        return peek(self._vm, address, size) if size > 0 else b""

    def write(self, address: int, data: bytes) -> bool:
        """Write memory.

        Returns:
            False when it is not all mapped.
        """
        if self.readable(address, len(data)) < len(data):
            return False
        first, last = address & -GRANULE, address + len(data)
        if any(granule in self._granted for granule in range(first, last, GRANULE)):
            self._flush(set())
        poke(self._vm, address, data)
        return True

    def read_pointer(self, address: int) -> int:
        """The pointer at an address; 0 where nothing is mapped."""
        return int.from_bytes(self.read(address, self.pointer), "little")

    def write_pointer(self, address: int, value: int) -> bool:
        """Write a pointer; False when that is not possible."""
        value &= (1 << 8 * self.pointer) - 1
        return self.write(address, value.to_bytes(self.pointer, "little"))

    def push(self, value: int) -> None:
        """Push a pointer."""
        self.set("SP", self.get("SP") - self.pointer)
        self.write_pointer(self.get("SP"), value)

    # --- running --------------------------------------------------------------------------

    def grant(self, address: int) -> None:
        """Let the instruction at an address be executed, and its neighbours.

        It may be asked for again and again, since how long the instruction is is not known.
        """
        last = address + _LONGEST_INSTRUCTION - 1
        for granule in (address & -GRANULE, last & -GRANULE):
            if granule not in self._granted and self.region_of(granule) is not None:
                self._granted.add(granule)
                self._permit(granule)
                return
        for place in range(address, last + 1):
            granule, bit = place & -GRANULE, 1 << place % GRANULE
            if self._data.get(granule, 0) & bit:
                self._data[granule] &= ~bit
                protect(self._vm, place, 1, MemoryProtection.ExecuteRead)
                return
        self._repeat()

    def _permit(self, granule: int) -> None:
        """Let a granule be executed, except the bytes in it that are data."""
        poke(self._vm, granule, peek(self._vm, granule, 1))  # a page of its own
        self._watch(granule)
        data = self._data.get(granule, 0)
        if not data:
            protect(self._vm, granule, GRANULE, MemoryProtection.ExecuteRead)
            return
        for index in range(GRANULE):
            if not data >> index & 1:
                protect(self._vm, granule + index, 1, MemoryProtection.ExecuteRead)

    def _watch(self, granule: int) -> None:
        """Stop before each `popf`, which may set the trap flag that icicle knows nothing of."""
        if self.wide:
            return
        code = peek(self._vm, granule, GRANULE)
        at = code.find(_POPF)
        while at >= 0 and len(self._watched) < _MOST_WATCHED:
            first = at - 1 if at and code[at - 1] == _OPERAND_SIZE else at
            for address in {granule + first, granule + at}:
                if self._watched.setdefault(address, 0) < _MOST_PASSES:
                    self._vm.add_breakpoint(address)
            at = code.find(_POPF, at + 1)

    def help_at(self, address: int, helper: Callable[[], None]) -> None:
        """Call a function each time before an instruction is executed."""
        self._helpers[address] = helper
        self._vm.add_breakpoint(address)

    def _unwatch(self) -> None:
        for address in (*self._watched, *self._helpers):
            self._vm.remove_breakpoint(address)

    def _pass_watched(self) -> None:
        """Execute an instruction that is watched; a `popf` may set the trap flag."""
        address = self.pc
        if address in self._helpers:
            self._helpers[address]()
        self._watched[address] = self._watched.get(address, 0) + 1
        popf = self.read(address, 2).lstrip(b"\x66")[:1] == b"\x9d"
        trap = popf and bool(int.from_bytes(self.read(self.get("SP"), 2), "little") & _TRAP_FLAG)
        self._vm.remove_breakpoint(address)
        self._step()
        if self._watched[address] < _MOST_PASSES:
            self._vm.add_breakpoint(address)
        self.trapping = trap

    def _step(self) -> None:
        self._vm.icount_limit = self._vm.icount + 1
        self._run()

    def _repeat(self) -> None:
        """A block that was cut at a border which is none any more stays cut until a flush."""
        self._repeats += 1
        size = sum(region.size for region in self.regions)
        if self._repeats > 50 + (size * _REPEATS_A_MEGABYTE >> 20):
            self._flush(self._granted)

    def run(self, instructions: int) -> Stop:
        """Run on until something happens.

        Args:
            instructions: how many at most.
        """
        if not self._compiling and self._vm.icount > _INTERPRETED:
            self._exchange(True, self._granted)
        limit = self.executed + instructions
        while True:
            limit = self.executed + 1 if self.trapping else limit
            self._vm.icount_limit = max(0, limit - self._executed)
            status = self._run()
            if status == RunStatus.Breakpoint:
                self._pass_watched()
                continue
            code, value = self._vm.exception_code, int(self._vm.exception_value)
            if status == RunStatus.InstructionLimit:
                kind = Kind.TRAP if self.trapping else Kind.LIMIT
                self.trapping = False
                self.set("eflags", self.get("eflags") & ~_TRAP_FLAG)
                return Stop(kind, self.pc, 0)
            if status != RunStatus.UnhandledException:
                return Stop(Kind.BROKEN, self.pc, value)
            if code in (ExceptionCode.SelfModifyingCode, ExceptionCode.WritePerm):
                if self.region_of(value) is None:
                    return Stop(Kind.WRITE, self.pc, value)
                self._let_write(value)
                continue
            if code == ExceptionCode.ExecViolation:
                return Stop(Kind.FETCH, value, value)
            return Stop(_FAULTS.get(int(code), Kind.BROKEN), self.pc, value)

    def _run(self) -> RunStatus:
        try:
            return self._vm.run()
        except BaseException as error:
            if not is_panic(error):
                raise
            self._uses = MOST_USES
            raise CpuLost(f"the emulator failed: {error}") from error

    def _let_write(self, address: int) -> None:
        """Let an instruction write what may be executed, then forget all translated code."""
        before: dict[int, bytes] = {}
        for _ in range(_MOST_GRANULES_WRITTEN):
            for granule in {address & -GRANULE, (address + 7) & -GRANULE}:
                if granule not in before and self.region_of(granule) is not None:
                    before[granule] = peek(self._vm, granule, GRANULE)
                    protect(self._vm, granule, GRANULE, MemoryProtection.ReadWrite)
            self._data[address & -GRANULE] = self._data.get(address & -GRANULE, 0) | (
                1 << address % GRANULE
            )
            self._step()
            code = self._vm.exception_code
            if code not in (ExceptionCode.SelfModifyingCode, ExceptionCode.WritePerm):
                break
            address = int(self._vm.exception_value)
            if self.region_of(address) is None:
                break
        for granule, old in before.items():
            new = peek(self._vm, granule, GRANULE)
            for index in range(GRANULE):
                if old[index] != new[index]:
                    self._data[granule] = self._data.get(granule, 0) | 1 << index
        if self._compiling:
            self.flushes += 1
            self._exchange(False, set())
        else:
            self._flush(set())

    def _exchange(self, compiling: bool, granted: AbstractSet[int]) -> None:
        """Go on with the other processor, which compiles, or does not."""
        old, uses = self._vm, self._uses
        new, self._uses = self._take(compiling)
        self._unwatch()
        self._move(new, granted)
        old.reset()
        POOL.idle[self._architecture, self._compiling] = (old, uses)
        self._compiling = compiling

    def _flush(self, granted: AbstractSet[int]) -> None:
        """Empty the code cache; icicle can do so only together with everything else.

        Args:
            granted: granules that may be executed from now on.
        """
        self.flushes += 1
        self._move(self._vm, granted)

    def _move(self, vm: Icicle, granted: AbstractSet[int]) -> None:
        """Move the program's state to a processor that is reset, maybe the same one."""
        old = self._vm
        kept = [(name, old.reg_read(name)) for name in self._kept]
        pc = old.pc
        memory = [(r, peek(old, r.start, r.size)) for r in self.regions]
        self._executed += int(old.icount)
        self._repeats = 0
        vm.reset()
        self._vm = vm
        for region, data in memory:
            vm.mem_map(region.start, region.size, MemoryProtection.ReadWrite)
            _restore(vm, region.start, data)
        for address in self._helpers:
            vm.add_breakpoint(address)
        self._granted = set(granted)
        for granule in self._granted:
            self._permit(granule)
        for name, value in kept:
            vm.reg_write(name, value)
        vm.pc = pc


def _restore(vm: Icicle, start: int, data: bytes) -> None:
    """Write back what is not zero, in stretches that are."""
    zero = bytes(PAGE)
    at = 0
    while at < len(data):
        if data.startswith(zero, at):
            at += PAGE
            continue
        end = at + PAGE
        while end < len(data) and not data.startswith(zero, end):
            end += PAGE
        poke(vm, start + at, data[at:end])
        at = end
