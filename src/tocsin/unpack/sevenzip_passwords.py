"""Which password opens an item of an archive."""

from __future__ import annotations

import time
from collections.abc import Sequence

from tocsin.unpack.interface import Budget
from tocsin.unpack.sevenzip_batch import TooBig
from tocsin.unpack.sevenzip_library import Archive, LibraryError, Result

SECONDS = 20.0
"""Time for all tries on one archive: whoever makes it says how long one try takes."""


def find_password(
    archive: Archive, index: int, passwords: Sequence[str], budget: Budget, deadline: float
) -> str | None:
    """Try passwords on one item, which is decoded and not kept.

    Args:
        archive: what holds it.
        index: the item.
        passwords: what to try, in this order.
        budget: whose time and size of objects count; no byte is charged.
        deadline: when to stop, by `time.monotonic`.
    """
    for password in passwords:
        if time.monotonic() > deadline:
            break
        probe = _Probe(budget)
        try:
            archive.extract([index], probe, password)
        except TooBig:
            return password
        except LibraryError:
            continue
        if probe.result == Result.OK:
            return password
    return None


class _Probe:
    """Finds out whether a password fits; keeps nothing."""

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self._size = 0
        self.result = Result.WRONG_PASSWORD.value

    def begin(self, index: int) -> bool:
        """See `Receiver.begin`."""
        del index
        return True

    def write(self, piece: memoryview) -> None:
        """See `Receiver.write`."""
        self._budget.check_time()
        self._size += len(piece)
        if not self._budget.fits_file(self._size):
            raise TooBig

    def end(self, result: int) -> None:
        """See `Receiver.end`."""
        self.result = result

    def alive(self) -> None:
        """See `Receiver.alive`."""
        self._budget.check_time()
