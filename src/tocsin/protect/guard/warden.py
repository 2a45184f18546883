"""Answers the kernel: may this file be opened?

One thread, which waits for nothing but events. What it must ask (the engine, what is remembered,
what `/proc` says of a process) never opens a file that is guarded. An opening by one of the
daemon's own processes is allowed at once, so that whatever they do meanwhile cannot be waiting
for the guard.

The order of things, for each opening:

1. of the daemon's own: allowed;
2. not a regular file, or empty: allowed;
3. not guarded (`scope`): allowed;
4. remembered as clean (`verdicts`): allowed, and the kernel is told not to ask again where that
   is exact;
5. excluded by path, program or user: allowed;
6. larger than is looked at: as `on_incomplete` says;
7. remembered as something else: as that says;
8. opened so that nothing can be read by it, to write only or to be emptied: allowed;
9. otherwise it waits for a look (`looks`), which many openings share, or for its deadline.
"""

from __future__ import annotations

import os
import stat
import time
from collections import deque
from collections.abc import Callable
from typing import Final, Protocol

from tocsin.engine.jobs import lost
from tocsin.engine.report import Report, SkippedObject, Verdict
from tocsin.protect.file_facts import Facts, facts_of, nobody_writes, path_of
from tocsin.protect.guard.boundary import Boundary
from tocsin.protect.guard.engine_link import EngineLink
from tocsin.protect.guard.fanotify import FAN_CLOSE_WRITE, FAN_NOFD, FAN_OPEN_PERM, FileEvent
from tocsin.protect.guard.looks import Look, Looks, Opening
from tocsin.protect.guard.memory import Marks, Memory
from tocsin.protect.guard.processes import opens_to_write_only, who
from tocsin.protect.guard.tally import Tally
from tocsin.protect.guard.teller import Teller
from tocsin.protect.guard.verdicts import allows
from tocsin.settings import GuardSettings

MOST_AT_ONCE: Final = 128
"""Events read in one go."""

SPARE_DESCRIPTORS: Final = 64
"""Kept free for everything that is not an event."""

_ROUNDS: Final = 16
_MOST_TRIES: Final = 4


class Kernel(Marks, Protocol):
    """Whom the answers go to; `fanotify.Group` is one."""

    def read(self, most: int) -> list[FileEvent]:
        """Events that wait."""

    def answer(self, descriptor: int, *, allow: bool) -> bool:
        """Let whoever waits go on."""


class Warden:
    """Decides.

    Args:
        settings: that say how.
        kernel: who asks.
        link: to the engine; its `answered` and `lost` are this object's methods.
        teller: is told what there is to tell.
        tally: counts.
        session: to which the daemon's own processes belong.
        most_descriptors: that this process may have open.
        mounts_changed: looks whether something was mounted or unmounted; if so, the boundary's
            scope is another when it returns.

    Attributes:
        boundary: what is looked at.
        looks: those that wait and those under way.
        acts_afterwards: whether files are looked at after they were written or executed, since
            nobody is asked before.
    """

    def __init__(
        self,
        settings: GuardSettings,
        kernel: Kernel,
        link: EngineLink,
        teller: Teller,
        tally: Tally,
        session: int,
        most_descriptors: int,
        mounts_changed: Callable[[], None],
    ) -> None:
        self._settings = settings
        self._fallback = settings.fallback == "allow"
        self._kernel = kernel
        self._link = link
        self._teller = teller
        self._tally = tally
        self._session = session
        self._room = most_descriptors - SPARE_DESCRIPTORS
        self._mounts_changed = mounts_changed
        self.boundary = Boundary(settings)
        self.looks = Looks(settings.in_flight)
        self._memory = Memory(settings, kernel, self.looks, tally)
        self.acts_afterwards = False
        self._asked: deque[FileEvent] = deque()
        self._openings: deque[Opening] = deque()
        self._generation = 0
        self._held = 0  # descriptors

    # --- what happens ---------------------------------------------------------------------

    def hear(self) -> None:
        """There are events."""
        for _ in range(_ROUNDS):
            if not self._asked:
                self._read()
                if not self._asked:
                    break
            self._consider()
        self.pump()

    def answered(self, answers: list[tuple[int, Report]]) -> None:
        """The engine has answered."""
        done: list[tuple[Look, Report]] = []
        for number, report in answers:
            look = self.looks.find(number)
            if look is not None:
                self._conclude(look, report)
                done.append((look, report))
        unchanged = [self._memory.is_unchanged(look) for look, _ in done]
        heard = self._read_all()  # whatever was closed before that was told before that
        for (look, report), same in zip(done, unchanged, strict=True):
            excepted = any(skip.reason == "allowed" for skip in report.skipped)  # by this path
            current = look.stable and look.generation == self._generation
            if heard and same and current and not excepted:
                self._memory.keep(look, report)
            self._end(look)
        if self._asked:
            self.hear()
        else:
            self.pump()

    def lost(self, numbers: list[int]) -> None:
        """Requests will not be answered: their host has gone."""
        for look in self.looks.again(numbers):
            if look.tries >= _MOST_TRIES:
                report = lost(look.path, f"the engine ended over it, {look.tries} times", 0.0)
                self.looks.withdraw(look)
                self._conclude(look, report)
                self._end(look)

    def new_database(self, generation: int) -> None:
        """Nothing that was found out with another database holds any more."""
        if generation == self._generation:
            return  # another host with the same
        self._generation = generation
        self._memory.forget_verdicts()

    def other_file_systems(self) -> None:
        """A number may mean another file than before."""
        self._memory.forget_files()

    def pump(self) -> None:
        """Have looks begun, as many as may be."""
        link = self._link
        while link.ready and (look := self.looks.next()) is not None:
            began = time.time()
            try:
                facts = facts_of(look.descriptor)
            except OSError as error:
                self.looks.begin(look, look.facts, stable=False, generation=0)
                report = Report(look.path)
                report.errors.append(error.strerror or str(error))
                self._conclude(look, report)
                self._end(look)
                continue
            stable = self._memory.is_stable(look.descriptor, facts, began)
            number = self.looks.begin(look, facts, stable=stable, generation=link.generation)
            look.submitted = time.monotonic()
            self._tally.looks += 1
            if not link.submit(number, look.path, look.descriptor):
                return

    def expire(self, now: float) -> float:
        """Answer whoever has waited long enough.

        Returns:
            Seconds until the next has.
        """
        openings = self._openings
        while openings:
            opening = openings[0]
            if opening.open:
                if opening.deadline > now:
                    return opening.deadline - now
                self._fall_back(opening)
            openings.popleft()
        return 3600.0

    def let_go(self) -> None:
        """Answer everybody who waits, by the fallback: the guard ends."""
        while self._asked:
            event = self._asked.popleft()
            self._answer(event.descriptor, allow=self._fallback)
        while self._openings:
            opening = self._openings.popleft()
            if opening.open:
                self._fall_back(opening)

    @property
    def remembered(self) -> int:
        """Verdicts that are remembered."""
        return len(self._memory)

    @property
    def waiting(self) -> int:
        """Openings that wait."""
        return sum(opening.open for opening in self._openings)

    # --- events ---------------------------------------------------------------------------

    def _read(self) -> bool:
        """Take events from the kernel; what is no question is heard at once.

        Returns:
            Whether there may be more of them.
        """
        most = min(MOST_AT_ONCE, self._make_room())
        try:
            events = self._kernel.read(most)
        except OSError as error:
            self._tally.unreadable += 1
            self._memory.forget_files()  # it may have been that a file was closed after writing
            self._teller.unreadable(error)
            return True
        for event in events:
            if event.mask & FAN_OPEN_PERM:
                self._asked.append(event)
                self._held += 1
            elif event.descriptor == FAN_NOFD:
                self._overflowed()
            else:
                self._was_told(event)
        return len(events) == most

    def _read_all(self) -> bool:
        """Hear everything that the kernel has to tell now.

        Returns:
            Whether that was all.
        """
        return any(not self._read() for _ in range(_ROUNDS))

    def _was_told(self, event: FileEvent) -> None:
        """Somebody closed a file after writing, or executed it."""
        descriptor = event.descriptor
        self._held += 1
        try:
            facts = facts_of(descriptor)
        except OSError:  # a file that cannot be told: everything may be another
            self._memory.forget_files()
            self._close(descriptor)
            return
        if event.mask & FAN_CLOSE_WRITE:
            self._memory.forget(descriptor, facts)
        if not self.acts_afterwards or not self._notice(descriptor, event.pid, facts):
            self._close(descriptor)

    def notice(self, descriptor: int) -> None:
        """A file changed, and who did that is not known; the descriptor is this object's now."""
        self._held += 1
        try:
            facts = facts_of(descriptor)
        except OSError:
            self._close(descriptor)
            return
        self._memory.forget(descriptor, facts)
        if not self._notice(descriptor, 0, facts):
            self._close(descriptor)

    def _notice(self, descriptor: int, pid: int, facts: Facts) -> bool:
        """Have a file looked at for which nobody waits; whether it is going to be."""
        if not facts.size or not stat.S_ISREG(facts.mode) or self._is_own(pid):
            return False
        self._tally.events += 1
        is_guarded, path = self.boundary.guards(descriptor, facts)
        if not is_guarded:
            self._tally.outside += 1
            return False
        path = path or path_of(descriptor)
        if self.boundary.excludes(path, pid, facts):
            self._tally.excluded += 1
            return False
        most = self._settings.max_file_size
        if most and facts.size > most:
            return False
        quiet = nobody_writes(descriptor)
        if quiet and self._memory.recall(descriptor, facts) is not None:
            self._tally.remembered += 1
            return False
        if self.looks.joinable(facts, quiet=quiet, generation=self._generation) is not None:
            self._tally.joined += 1
            return False
        self.looks.add(Look(facts, descriptor, path, pid), idle=True)
        return True

    def _overflowed(self) -> None:
        """The kernel lost events; which files were closed after writing is not known."""
        self._tally.overflows += 1
        self._memory.forget_files()
        self._teller.overflowed()

    def _consider(self) -> None:
        """Decide on what was asked, or have it wait for a look."""
        batch = list(self._asked)
        self._asked.clear()
        self._mounts_changed()
        tally = self._tally
        tally.events += len(batch)
        guarded: list[tuple[int, int, Facts, str, bool]] = []
        for _, descriptor, pid in batch:
            if self._is_own(pid):
                tally.own += 1
                self._answer(descriptor, allow=True)
                continue
            try:
                facts = facts_of(descriptor)
            except OSError:
                tally.timed_out += 1
                self._answer(descriptor, allow=self._fallback)
                continue
            if not facts.size or not stat.S_ISREG(facts.mode):
                self._answer(descriptor, allow=True)
                continue
            is_guarded, path = self.boundary.guards(descriptor, facts)
            if is_guarded:
                quiet = nobody_writes(descriptor)
                guarded.append((descriptor, pid, facts, path, quiet))
            else:
                tally.outside += 1
                self._answer(descriptor, allow=True)
        if guarded:
            heard = self._read_all()  # of whoever had a file open for writing and no longer has
            for descriptor, pid, facts, path, quiet in guarded:
                self._decide(descriptor, pid, facts, path, quiet=quiet and heard)

    def _decide(self, descriptor: int, pid: int, facts: Facts, path: str, *, quiet: bool) -> None:
        """Answer, or have it wait for a look.

        Args:
            descriptor: of the event.
            pid: who asks.
            facts: of the file.
            path: of the file, if it is known already.
            quiet: whether nobody has it open for writing, and what was closed was told of.
        """
        known = self._memory.recall(descriptor, facts) if quiet else None
        if known is not None and known.verdict is Verdict.CLEAN:
            self._tally.remembered += 1
            self._answer(descriptor, allow=True, keep=True)
            self._memory.ignore(descriptor, facts)
            self._close(descriptor)
            return
        path = path or path_of(descriptor)
        if self.boundary.excludes(path, pid, facts):
            self._tally.excluded += 1
            self._answer(descriptor, allow=True)
            return
        most = self._settings.max_file_size
        report = known.report if known is not None else None
        if report is not None:
            self._tally.remembered += 1
        elif most and facts.size > most:
            report = Report(path)
            report.size = facts.size
            report.skipped.append(SkippedObject(path, "limit", f"larger than {most:,} bytes"))
        if report is not None:
            allow = allows(report, self._settings)
            if not allow:
                self._teller.refused(report, descriptor, facts.key, path, pid)
            self._answer(descriptor, allow=allow)
            return
        if not quiet and opens_to_write_only(pid):
            self._tally.write_only += 1
            self._answer(descriptor, allow=True)
            return
        look = self.looks.joinable(facts, quiet=quiet, generation=self._generation)
        if look is None:
            look = Look(facts, descriptor, path, pid)
            self.looks.add(look)
        else:
            self._tally.joined += 1
        now = time.monotonic()
        opening = Opening(look, descriptor, pid, now, now + self._settings.deadline)
        look.openings.append(opening)
        self._openings.append(opening)

    def examine(
        self, descriptor: int, path: str, errand: Callable[[Look, Report], None] | None = None
    ) -> None:
        """Have a file looked at for which nobody waits.

        Args:
            descriptor: this object's from now on.
            path: of the file.
            errand: called with the report.

        Raises:
            OSError: the kernel says nothing of it.
        """
        look = Look(facts_of(descriptor), descriptor, path, 0)
        look.errand = errand
        self._held += 1
        self.looks.add(look, idle=True)

    # --- verdicts -------------------------------------------------------------------------

    def _conclude(self, look: Look, report: Report) -> None:
        """Answer all that wait for a look."""
        now = time.monotonic()
        allow = allows(report, self._settings)
        waiting = [opening for opening in look.openings if opening.open]
        asking = None
        if report.detections or (waiting and not allow):
            asking = who(waiting[0].pid if waiting else look.pid)  # it is there while it waits
        for opening in waiting:
            opening.open = False
            self._tally.waited_for(now - opening.arrived, look.path)
            self._answer_opening(opening, allow=allow)
        self._tally.findings += bool(report.detections)
        if asking is not None:
            self._teller.looked(look, report, asking, waited=bool(waiting))
        if look.errand is not None:
            look.errand(look, report)

    def _fall_back(self, opening: Opening) -> None:
        """Answer somebody for whom there is no verdict in time."""
        opening.open = False
        look, allow = opening.look, self._fallback
        look.late |= allow
        look.refused |= not allow
        self._tally.timed_out += 1
        self._tally.waited_for(time.monotonic() - opening.arrived, look.path)
        self._teller.fell_back(look, opening.pid, allow=allow)  # it is there while it waits
        self._answer_opening(opening, allow=allow)

    # --- small things ---------------------------------------------------------------------

    def _answer(self, descriptor: int, *, allow: bool, keep: bool = False) -> None:
        if allow:
            self._tally.allowed += 1
        else:
            self._tally.denied += 1
        self._kernel.answer(descriptor, allow=allow)
        if not keep:
            self._close(descriptor)

    def _answer_opening(self, opening: Opening, *, allow: bool) -> None:
        keep = opening.descriptor == opening.look.descriptor  # that is closed with the look
        self._answer(opening.descriptor, allow=allow, keep=keep)

    def _close(self, descriptor: int) -> None:
        os.close(descriptor)
        self._held -= 1

    def _end(self, look: Look) -> None:
        """A look is done, under way or not."""
        if self.looks.find(look.number) is look:
            self.looks.finish(look)
        self._close(look.descriptor)
        look.openings.clear()

    def _is_own(self, pid: int) -> bool:
        if pid <= 0:  # of a PID namespace that is not seen from here; getsid(0) is our own
            return False
        try:
            return os.getsid(pid) == self._session
        except OSError:
            return False

    def _make_room(self) -> int:
        """Descriptors that there is room for; some are freed where there is none."""
        while (room := self._room - self._held) < MOST_AT_ONCE:
            look = self.looks.unwanted()
            if look is not None:
                self.looks.withdraw(look)
                self._conclude(look, lost(look.path, "too many files wait", 0.0))
                self._end(look)
                continue
            while self._openings and not self._openings[0].open:
                self._openings.popleft()
            if not self._openings:
                break
            self._fall_back(self._openings.popleft())
        return max(1, room)
