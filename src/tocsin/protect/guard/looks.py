"""Openings that wait, and the looks at files that they wait for: bookkeeping without a kernel.

Many openings of one file wait for one look. An opening may join a look that was not begun, since
that will see the file as it is then; it may join one that is under way only when the file cannot
have changed since that began, for which the conditions are those for using a remembered verdict
(`verdicts`). So a file that is being written to has at most one look under way that may be
joined no more, and one that waits.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable

from tocsin.engine.report import Report
from tocsin.protect.file_facts import Facts, Key


class Opening:
    """Somebody who waits for an answer.

    Attributes:
        look: that it waits for.
        descriptor: of the event.
        pid: who.
        arrived: when, monotonic.
        deadline: when it is answered at the latest.
        open: whether it waits still.
    """

    __slots__ = ("arrived", "deadline", "descriptor", "look", "open", "pid")

    def __init__(
        self, look: Look, descriptor: int, pid: int, arrived: float, deadline: float
    ) -> None:
        self.look = look
        self.descriptor = descriptor
        self.pid = pid
        self.arrived = arrived
        self.deadline = deadline
        self.open = True


class Look:
    """One look at a file.

    Attributes:
        number: by which the engine's answer is known.
        facts: of the file, as they were when the look began.
        descriptor: that the engine reads, this object's own.
        path: of the file.
        pid: who made it necessary.
        openings: that wait for it.
        late: whether one of its openings was allowed without its verdict.
        refused: whether one was refused without it.
        stable: whether the file cannot have changed since it began.
        generation: of the database that it is made with; 0 while it waits.
        submitted: when it was begun, monotonic.
        tries: how often the engine was asked.
        errand: called with the report, when the look is not for openings.
    """

    __slots__ = (
        "descriptor",
        "errand",
        "facts",
        "generation",
        "late",
        "number",
        "openings",
        "path",
        "pid",
        "refused",
        "stable",
        "submitted",
        "tries",
    )

    def __init__(self, facts: Facts, descriptor: int, path: str, pid: int) -> None:
        self.number = 0
        self.facts = facts
        self.descriptor = descriptor
        self.path = path
        self.pid = pid
        self.openings: list[Opening] = []
        self.late = False
        self.refused = False
        self.stable = False
        self.generation = 0
        self.submitted = 0.0
        self.tries = 0
        self.errand: Callable[[Look, Report], None] | None = None


class Looks:
    """Those that wait and those under way.

    Args:
        in_flight: most that may be under way.
    """

    def __init__(self, in_flight: int) -> None:
        self.in_flight = in_flight
        self._waiting: deque[Look] = deque()
        self._idle: deque[Look] = deque()
        self._waiting_by_key: dict[Key, Look] = {}
        self._running: dict[int, Look] = {}
        self._running_by_key: dict[Key, list[Look]] = {}
        self._number = 0

    @property
    def waiting(self) -> int:
        """Looks that were not begun."""
        return len(self._waiting) + len(self._idle)

    @property
    def running(self) -> int:
        """Looks that are under way."""
        return len(self._running)

    def joinable(self, facts: Facts, *, quiet: bool, generation: int) -> Look | None:
        """The look that an opening may join.

        Args:
            facts: of the file as it is now.
            quiet: whether nobody writes to it, and all that were closed have been told of.
            generation: of the database in use.
        """
        look = self._waiting_by_key.get(facts.key)
        if look is not None:
            return look
        if quiet:
            for look in self._running_by_key.get(facts.key, ()):
                if (
                    look.stable
                    and look.generation == generation
                    and look.facts.stamp == facts.stamp
                ):
                    return look
        return None

    def add(self, look: Look, *, idle: bool = False) -> None:
        """A look is to be made.

        Args:
            look: which.
            idle: nobody waits for it; the others come first.
        """
        if idle:
            self._idle.append(look)
            return
        self._waiting.append(look)
        self._waiting_by_key[look.facts.key] = look

    def next(self) -> Look | None:
        """Take the one that is to be begun, if another may be."""
        if len(self._running) >= self.in_flight:
            return None
        if self._waiting:
            look = self._waiting.popleft()
            if self._waiting_by_key.get(look.facts.key) is look:
                del self._waiting_by_key[look.facts.key]
            return look
        if self._idle and len(self._running) < max(1, self.in_flight // 2):
            return self._idle.popleft()
        return None

    def begin(self, look: Look, facts: Facts, *, stable: bool, generation: int) -> int:
        """A look begins now.

        Args:
            look: that `next` gave.
            facts: of the file as it is now.
            stable: whether nobody writes to it, and a change would show.
            generation: of the database that is used.

        Returns:
            Its number.
        """
        self._number += 1
        look.number = self._number
        look.facts = facts
        look.stable = stable
        look.generation = generation
        look.tries += 1
        self._running[look.number] = look
        self._running_by_key.setdefault(facts.key, []).append(look)
        return look.number

    def disturb(self, key: Key) -> None:
        """A file was written to."""
        for look in self._running_by_key.get(key, ()):
            look.stable = False

    def disturb_all(self) -> None:
        """Files may be others than they were."""
        for look in self._running.values():
            look.stable = False

    def find(self, number: int) -> Look | None:
        """The look under way that has a number."""
        return self._running.get(number)

    def finish(self, look: Look) -> None:
        """A look has ended."""
        del self._running[look.number]
        same = self._running_by_key[look.facts.key]
        same.remove(look)
        if not same:
            del self._running_by_key[look.facts.key]

    def again(self, numbers: Iterable[int]) -> list[Look]:
        """Put back what was under way and had no answer, before all that waits.

        Returns:
            What was put back.
        """
        lost = [look for number in numbers if (look := self._running.get(number)) is not None]
        for look in reversed(lost):
            self.finish(look)
            look.generation = 0
            if look.openings:
                self._waiting.appendleft(look)
                self._waiting_by_key.setdefault(look.facts.key, look)
            else:
                self._idle.appendleft(look)
        return lost

    def withdraw(self, look: Look) -> None:
        """A look that waits is not to be made."""
        if look in self._idle:
            self._idle.remove(look)
        else:
            self._waiting.remove(look)
            if self._waiting_by_key.get(look.facts.key) is look:
                del self._waiting_by_key[look.facts.key]

    def unwanted(self) -> Look | None:
        """One that waits and that nobody waits for, if there is one."""
        if self._idle:
            return self._idle[0]
        for look in self._waiting:
            if not any(opening.open for opening in look.openings):
                return look
        return None
