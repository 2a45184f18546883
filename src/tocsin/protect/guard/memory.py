"""What need not be looked at again: verdicts remembered here, marks remembered by the kernel.

`verdicts` has the argument for the first. The kernel's ignore mark ends with the file's
modification, but a store through a writable mapping is none, nor is it asked about the opening
that precedes it. So only files that nobody but root may open for writing get one
(`Facts.root_alone_writes`). The mark is made first, then it is checked that nobody writes and that
the file is what was looked at; otherwise it is taken away. It is also taken away whenever somebody
has closed the file after writing.
"""

from __future__ import annotations

from typing import Protocol

from tocsin.engine.report import Report, Verdict
from tocsin.protect.file_facts import Facts, facts_of, is_settled, is_trusted, nobody_writes
from tocsin.protect.guard.looks import Look, Looks
from tocsin.protect.guard.tally import Tally
from tocsin.protect.guard.verdicts import Remembered, Verdicts
from tocsin.settings import GuardSettings


class Marks(Protocol):
    """The kernel's part of the memory."""

    def ignore(self, descriptor: int) -> bool:
        """Do not ask about this file again."""

    def heed(self, descriptor: int) -> None:
        """Ask about this file again."""

    def heed_all(self) -> None:
        """Ask about every file again."""


class Memory:
    """Remembers.

    Args:
        settings: that say how much.
        marks: the kernel's part.
        looks: those under way, of which may be remembered what comes of them.
        tally: counts.
    """

    def __init__(self, settings: GuardSettings, marks: Marks, looks: Looks, tally: Tally) -> None:
        self._verdicts = Verdicts(settings.cache_size)
        self._uses_marks = settings.kernel_cache != "off"
        self._marks = marks
        self._looks = looks
        self._tally = tally
        self._trusted: dict[tuple[int, int], bool] = {}

    def __len__(self) -> int:
        return len(self._verdicts)

    def recall(self, descriptor: int, facts: Facts) -> Remembered | None:
        """What is known of a file to which nobody writes, everything told being heard."""
        if not self._is_trusted(descriptor, facts):
            return None
        return self._verdicts.get(facts.key, facts.stamp)

    def is_stable(self, descriptor: int, facts: Facts, now: float) -> bool:
        """Whether whatever changes a file from now on would be noticed.

        Args:
            descriptor: of the file.
            facts: of it.
            now: seconds since 1970, before which the facts were had.
        """
        return (
            self._is_trusted(descriptor, facts)
            and is_settled(facts, now)
            and nobody_writes(descriptor)
        )

    def is_unchanged(self, look: Look) -> bool:
        """Whether nobody writes to a file now, and it is what it was when the look began."""
        if not look.stable or not nobody_writes(look.descriptor):
            return False
        try:
            return facts_of(look.descriptor).stamp == look.facts.stamp
        except OSError:
            return False

    def keep(self, look: Look, report: Report) -> None:
        """Remember a verdict; the look is stable, unchanged, and everything told was heard."""
        self._verdicts.put(look.facts.key, look.facts.stamp, report)
        if report.verdict is Verdict.CLEAN and not report.skipped:
            self.ignore(look.descriptor, look.facts)

    def ignore(self, descriptor: int, facts: Facts) -> None:
        """Have the kernel ask no more about a clean file, where that is exact."""
        if not self._uses_marks or not facts.root_alone_writes:
            return
        if not self._marks.ignore(descriptor):
            return
        try:
            if nobody_writes(descriptor):
                now = facts_of(descriptor)
                if now.stamp == facts.stamp and now.root_alone_writes:
                    self._tally.ignored += 1
                    return
        except OSError:
            pass
        self._marks.heed(descriptor)

    def forget(self, descriptor: int, facts: Facts) -> None:
        """A file was written to."""
        self._verdicts.forget(facts.key)
        self._looks.disturb(facts.key)
        self._marks.heed(descriptor)

    def forget_verdicts(self) -> None:
        """There is another database."""
        self._verdicts.forget_all()
        self._marks.heed_all()

    def forget_files(self) -> None:
        """A number may mean another file than before, or any file may have changed."""
        self._verdicts.forget_all()
        self._looks.disturb_all()
        self._trusted.clear()
        self._marks.heed_all()

    def _is_trusted(self, descriptor: int, facts: Facts) -> bool:
        device = facts.key[:2]
        trusted = self._trusted.get(device)
        if trusted is None:
            trusted = self._trusted[device] = is_trusted(descriptor)
        return trusted
