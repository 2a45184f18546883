"""What was found clean with the database in use, so that the same content need not be looked at.

A content is known by a mark. A stream's is its digest, which the front makes of the bytes it took
itself and hands to the engine: what was looked at is what the digest is of. A file's is what the
keeper says of it, where nobody but root may write to it (`marks`). Only what was wholly looked at
and is clean is remembered, with no exception made for it; another host (with another database,
other settings or exceptions) begins with nothing.
"""

from __future__ import annotations

from tocsin.engine.report import Report, Verdict


class Remembered:
    """Marks of clean contents; those not asked for longest are forgotten first.

    Args:
        most: to be remembered; 0 remembers nothing.

    Attributes:
        used: how often one was known.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._sizes: dict[bytes, int] = {}
        self.used = 0

    def __len__(self) -> int:
        return len(self._sizes)

    def recall(self, mark: bytes, name: str) -> Report | None:
        """A report on an object of this name and content; None when nothing is known of it."""
        size = self._sizes.pop(mark, None) if mark else None
        if size is None:
            return None
        self._sizes[mark] = size  # now the one used last
        self.used += 1
        report = Report(name)
        report.size = size
        report.empty = not size
        report.unchanged = True
        return report

    def keep(self, mark: bytes, report: Report) -> None:
        """Remember what was found, if it is clean and was wholly looked at."""
        if not mark or not self._most or report.verdict is not Verdict.CLEAN:
            return
        if report.skipped or report.errors or report.notes:
            return
        self._sizes.pop(mark, None)
        if len(self._sizes) >= self._most:
            del self._sizes[next(iter(self._sizes))]
        self._sizes[mark] = report.size

    def clear(self) -> None:
        """Another host answers from now on."""
        self._sizes.clear()
