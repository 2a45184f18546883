"""What is remembered of files that were looked at, so that they need not be again.

A verdict may be used when the file cannot be another than the one that was looked at. Three
things together say so, each against something that the others miss:

- **Its stamp** (size, birth, change and modification time, to the nanosecond) is the same when
  the look begins, when it ends, and when the verdict is used. That sees whatever is written by
  `write(2)` and its like, and `truncate(2)`.
- **Nobody has it open for writing** when the look begins, when it ends, and when the verdict is
  used: the kernel gives a read lease (`file_facts.nobody_writes`). Without that, a change time
  that was set before the data came (the order in which the kernel does it) would be believed,
  and what is stored through a writable mapping would be seen too late.
- **Nobody has closed it after writing** in between: the kernel tells that
  (`FAN_CLOSE_WRITE`), before it gives the lease to anybody. A verdict is used only after all that
  the kernel had to tell was heard, and what was closed is forgotten. On tmpfs a store through
  a mapping changes no time at all, and asynchronous I/O need not end a kernel's ignore mark.

A change time may be as coarse as the kernel's clock, so that what changes twice within one tick
has one stamp. Nothing is remembered of a file that changed within the last ticks
(`is_settled`). A file system that is mounted may bear the number of one that was unmounted, and
be made to resemble it: no file of it is asked about before it is marked, and everything is
forgotten when that is done. So it is when there is a new database.

What is not closed by this, because nothing that is asked only when files are opened can: a file
may be written to after it was opened by somebody else.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from tocsin.engine.jobs import is_lost
from tocsin.engine.report import Report, Verdict
from tocsin.protect.file_facts import Key, Stamp
from tocsin.settings import GuardSettings

_REPEATABLE: Final = frozenset({"limit", "encrypted", "unsupported", "allowed"})
"""Reasons for which another look at the same bytes would have the same end."""


class Remembered(NamedTuple):
    """A verdict.

    Attributes:
        stamp: of the file that it is on.
        verdict: on it.
        report: why, when it is not clean.
    """

    stamp: Stamp
    verdict: Verdict
    report: Report | None


class Verdicts:
    """Remembered verdicts; the ones not used for longest are forgotten first.

    Args:
        most: to be remembered.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._known: dict[Key, Remembered] = {}

    def __len__(self) -> int:
        return len(self._known)

    def get(self, key: Key, stamp: Stamp) -> Remembered | None:
        """What is remembered of a file as it is now."""
        known = self._known.pop(key, None)
        if known is None or known.stamp != stamp:
            return None
        self._known[key] = known  # now the one used last
        return known

    def put(self, key: Key, stamp: Stamp, report: Report) -> None:
        """Remember a verdict, if another look would have the same end."""
        verdict = report.verdict
        if not self._most or not is_repeatable(report):
            return
        self._known.pop(key, None)
        if len(self._known) >= self._most:
            del self._known[next(iter(self._known))]
        self._known[key] = Remembered(stamp, verdict, None if verdict is Verdict.CLEAN else report)

    def forget(self, key: Key) -> None:
        """A file changed."""
        self._known.pop(key, None)

    def forget_all(self) -> None:
        """There is another database, or another file system."""
        self._known.clear()


def allows(report: Report, settings: GuardSettings) -> bool:
    """Whether a file may be opened; what is merely suspicious may not be either.

    What was not looked at at all, as when workers ended with it, is as good as no answer.
    """
    verdict = report.verdict
    if verdict is Verdict.CLEAN:
        return True
    if verdict in (Verdict.INFECTED, Verdict.SUSPICIOUS) or settings.on_incomplete != "allow":
        return False
    return settings.fallback == "allow" or not (verdict is Verdict.ERROR or is_lost(report))


def is_repeatable(report: Report) -> bool:
    """Whether another look at the same bytes would have the same end."""
    if report.verdict in (Verdict.CLEAN, Verdict.INFECTED, Verdict.SUSPICIOUS):
        return True
    return not report.errors and all(skip.reason in _REPEATABLE for skip in report.skipped)
