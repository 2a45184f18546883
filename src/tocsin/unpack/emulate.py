"""Runs a packed program until it has unpacked itself.

The test is generic: memory that was written since the program was loaded, and is executed. At
each such place the image is taken down as it is at that moment; a stub may unpack another
stub, so the emulation goes on, and the last such place counts. A place is new when its bytes
are not what they were at the last one, or when it is the first in its section that is
executed. The emulation ends when the program calls what only programs call, ends itself, does
nothing new for long, or has used up what it may.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from operator import ne
from typing import NamedTuple

from tocsin.errors import LimitReached
from tocsin.unpack.emulator_cpu import PAGE, Cpu, Kind, Stop
from tocsin.unpack.emulator_faults import RETURN, Faults
from tocsin.unpack.emulator_functions import call
from tocsin.unpack.emulator_hints import install
from tocsin.unpack.emulator_image import Image, callbacks, imports, lay_out
from tocsin.unpack.emulator_instructions import stand_in
from tocsin.unpack.emulator_pool import CpuError
from tocsin.unpack.emulator_windows import PROCESS, Windows

_SLICE = 1_000_000
_COMPARED = 16
"""Bytes at a place that are compared to tell whether it was written."""

_FAR = 0x200
"""Bytes a jump goes at least that may be the one to the program; its stack is empty then."""

_MOST_WAVES = 128
_MOST_DUMPED = 256 << 20
"""Bytes taken down in all."""

_DONE = 0x7FFDFE00
"""Where a function called by the loader returns to; nothing is there."""


class Effort(NamedTuple):
    """How much may be spent on one program.

    Attributes:
        seconds: processor time.
        instructions: instructions in all.
        quiet: instructions after the last place that was new.
        events: stops of the processor.
    """

    seconds: float = 8.0
    instructions: int = 1_500_000_000
    quiet: int = 200_000_000
    events: int = 150_000


class Dump(NamedTuple):
    """The image as it was when it began to execute what it had written.

    Attributes:
        entry: RVA of the place; beyond the image when it is in memory asked for.
        memory: the image.
        wave: number of the place, counted from 1.
    """

    entry: int
    memory: bytes
    wave: int


class Outcome(NamedTuple):
    """What an emulation came to.

    Attributes:
        dumps: images, the last first.
        blocks: contents of memory that the program had asked for, address and bytes.
        end: why it ended, in words.
        instructions: how many were executed.
        stop: the bound of the whole tree that was hit, or None.
        unsure: whether the program came upon an instruction that was not carried out.
    """

    dumps: tuple[Dump, ...]
    blocks: tuple[tuple[int, bytes], ...]
    end: str
    instructions: int
    stop: LimitReached | None = None
    unsure: bool = False


TOO_LONG = "more than"
"""Begins the reason when time or instructions ran out."""

_CALLED = "it called "
_HEAD, _OWN = 0x2000, 0x200
_FEW = 64


class _End(Exception):
    """The emulation is over; the argument says why."""


def emulate(
    image: Image, data: bytes, check_time: Callable[[], None], effort: Effort | None = None
) -> Outcome:
    """Run a program.

    Args:
        image: its headers.
        data: the file.
        check_time: called now and then; may raise.
        effort: how much may be spent.
    """
    cpu = Cpu(image.wide)
    try:
        return _Run(cpu, image, data, check_time, effort or Effort()).run()
    finally:
        cpu.close()


class _Run:
    """One program being run."""

    def __init__(
        self,
        cpu: Cpu,
        image: Image,
        data: bytes,
        check_time: Callable[[], None],
        effort: Effort,
    ) -> None:
        self._cpu = cpu
        self._image = image
        self._check_time = check_time
        self._effort = effort
        self._deadline = time.thread_time() + effort.seconds
        self._loaded = lay_out(image, data)
        self._last = self._loaded
        self._stack = 0
        self._previous = 0
        self._unsure = False
        self._entered: set[int] = set()
        self._ran: set[int] = set()
        self._dumps: list[Dump] = []
        self._waves = 0
        self._dumped = 0
        self._last_new = 0
        self._load(data)

    def _load(self, data: bytes) -> None:
        image, cpu = self._image, self._cpu
        if not cpu.map(image.base, image.size):
            raise CpuError(f"cannot be loaded at {image.base:#x}")
        cpu.write(image.base, self._loaded)
        entry = image.base + image.entry
        self._windows = Windows(cpu, data, image.base, image.size, entry)
        self._faults = Faults(cpu, self._windows.teb)
        for wanted in imports(image, self._loaded):
            library = self._windows.library(wanted.library)
            address = self._windows.function(library, wanted.function)
            cpu.write_pointer(image.base + wanted.slot, address)
        install(cpu, self._windows, self._loaded, image.base)
        self._todo = [entry, *reversed(callbacks(image, self._loaded))]
        self._loaded = cpu.read(image.base, image.size)
        self._last = self._loaded

    def _start(self, address: int) -> None:
        """Call the entry point, or a function that comes before it, as the loader does."""
        cpu, image = self._cpu, self._image
        at_entry = not self._todo
        back = _DONE
        if not image.dll and at_entry:
            kernel = self._windows.library("kernel32")
            back = self._windows.function(kernel, "ExitThread") + 2
        if cpu.wide:
            cpu.set("SP", self._windows.stack_top - 0x100)
            cpu.set("CX", image.base)
            cpu.set("DX", 1)
            cpu.set("R8", 0)
        else:
            cpu.set("SP", self._windows.first_frame - 0xC)
            for value in (0, 1, image.base):
                cpu.push(value)
            cpu.set("AX", address)
            cpu.set("BX", PROCESS)
            cpu.set("DX", address)
            cpu.set("BP", self._windows.first_frame + 0x10)
        cpu.push(back)
        self._stack = cpu.get("SP")
        cpu.set("eflags", 0x202)
        cpu.set("MXCSR", 0x1F80)
        cpu.set("FPUControlWord", 0x27F)
        cpu.pc = address

    # --- the loop -------------------------------------------------------------------------

    def run(self) -> Outcome:
        """Run the program to its end or ours."""
        stop: LimitReached | None = None
        try:
            while self._todo:
                self._start(self._todo.pop())
                self._until_returned()
            end = "it returned"
        except _End as reason:
            end = str(reason)
        except LimitReached as error:
            end, stop = str(error), error
        except CpuError as error:
            if not self._dumps:
                raise
            return self._outcome((), str(error), None)
        self._take_rest(end)
        return self._outcome(tuple(self._blocks()), end, stop)

    def _outcome(
        self, blocks: tuple[tuple[int, bytes], ...], end: str, stop: LimitReached | None
    ) -> Outcome:
        dumps = tuple(reversed(self._dumps[-2:]))
        return Outcome(dumps, blocks, end, self._cpu.executed, stop, self._unsure)

    def _take_rest(self, end: str) -> None:
        """Keep the last two places, or one and what the image was when it went wrong.

        A place may have been taken for the program's begin that was not.
        """
        del self._dumps[:-2]
        memory = self._cpu.read(self._image.base, self._image.size)
        went_well = end.startswith(_CALLED)
        if not went_well and _differs(memory, self._last):
            entry = self._dumps[-1].entry if self._dumps else self._image.entry
            self._dumps = [*self._dumps[-1:], Dump(entry, memory, self._waves)]
        elif went_well:
            del self._dumps[:-1]

    def _blocks(self) -> Iterator[tuple[int, bytes]]:
        """Memory asked for that was executed, or that has a program in it."""
        for start, size in self._windows.allocated:
            head = self._cpu.read(start, min(size, _HEAD))
            headers = int.from_bytes(head[60:64], "little")
            program = head[:2] == b"MZ" and head[headers : headers + 4] == b"PE\0\0"
            own = self._windows.data.startswith(head[:_OWN])
            if start in self._ran or (program and not own):
                yield start, self._cpu.read(start, size).rstrip(b"\0")

    def _until_returned(self) -> None:
        for _ in range(self._effort.events):
            stop = self._cpu.run(_SLICE)
            self._check_effort()
            if stop.kind is Kind.LIMIT:
                self._check_quiet(stop)
            elif stop.kind is Kind.FETCH:
                if stop.pc == _DONE:
                    return
                self._fetch(stop)
            elif stop.kind is Kind.BROKEN:
                self._unsure = True
                raise _End("an instruction that the emulator does not know")
            elif stop.kind is not Kind.INVALID or not self._stand_in(stop):
                self._fault(stop)
        raise _End(f"{TOO_LONG} {self._effort.events} events")

    def _stand_in(self, stop: Stop) -> bool:
        """Carry out what the processor does not, or step over it."""
        faithful = stand_in(self._cpu, stop.pc)
        self._unsure |= faithful is False
        return faithful is not None

    def _check_effort(self) -> None:
        self._check_time()
        if time.thread_time() > self._deadline:
            raise _End(f"{TOO_LONG} {self._effort.seconds:g} seconds")
        if self._cpu.executed > self._effort.instructions:
            raise _End(f"{TOO_LONG} {self._effort.instructions} instructions")

    def _check_quiet(self, stop: Stop) -> None:
        if self._cpu.read(stop.pc, 1) == b"\xf4":  # HLT, which icicle repeats for ever
            self._fault(Stop(Kind.INVALID, stop.pc, 0))
        elif self._dumps and self._cpu.executed - self._last_new > self._effort.quiet:
            raise _End("nothing new for long")

    def _fault(self, stop: Stop) -> None:
        filters = self._windows.filters
        if not self._faults.dispatch(stop, filters[-1] if filters else 0):
            raise _End(f"{stop.kind.name.lower()} fault at {stop.pc:#x}")

    def _fetch(self, stop: Stop) -> None:
        """Something is about to be executed for the first time."""
        name = self._windows.called(stop.pc)
        if name is not None:
            if not name:
                self._fault(stop)
            elif not call(self._windows, name, bool(self._dumps)):
                raise _End(_CALLED + name)
        elif stop.pc == RETURN:
            if not self._faults.returned():
                raise _End("an exception that no handler took")
        elif self._cpu.region_of(stop.pc) is None:
            self._fault(stop)
        else:
            self._look(stop.pc)
            self._cpu.grant(stop.pc)

    # --- places ---------------------------------------------------------------------------

    def _look(self, pc: int) -> None:
        """Take the image down if what is about to be executed was written."""
        rva = pc - self._image.base
        inside = 0 <= rva < self._image.size
        if not inside:
            region = self._cpu.region_of(pc)
            if region is not None and region.start not in self._ran:
                self._ran.add(region.start)
                self._take(self._image.size + 1)
            return
        part = self._part(rva)
        first = part not in self._entered
        began = not self._entered
        self._entered.add(part)
        now = self._cpu.read(pc, _COMPARED)
        written = now != self._loaded[rva : rva + len(now)]
        far = abs(pc - self._previous) > _FAR and self._cpu.get("SP") == self._stack
        self._previous = pc
        if (written and (far or now != self._last[rva : rva + len(now)])) or (first and not began):
            self._take(rva)

    def _part(self, rva: int) -> int:
        """Number of the section an address lies in; of overlapping ones the last."""
        found = -1
        for number, section in enumerate(self._image.sections):
            if section.rva <= rva < section.rva + section.size:
                found = number
        return found + 1

    def _take(self, entry: int) -> None:
        self._last_new = self._cpu.executed
        self._dumped += self._image.size
        if self._waves >= _MOST_WAVES or self._dumped > _MOST_DUMPED:
            raise _End("too many layers")
        memory = self._cpu.read(self._image.base, self._image.size)
        if memory == self._last:
            if self._dumps:
                self._dumps[-1] = self._dumps[-1]._replace(entry=entry)
            return
        self._last = memory
        self._waves += 1
        self._dumps.append(Dump(entry, self._last, self._waves))
        del self._dumps[:-3]


def _differs(one: bytes, other: bytes) -> bool:
    """Whether two images differ in more than a few bytes, as counters and tables do."""
    if one == other:
        return False
    count = 0
    for at in range(0, len(one), PAGE):
        left, right = one[at : at + PAGE], other[at : at + PAGE]
        if left != right:
            count += sum(map(ne, left, right))
            if count > _FEW:
                return True
    return False
