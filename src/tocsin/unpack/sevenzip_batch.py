"""What takes in the items that come out of one pass over an archive, within the budget."""

from __future__ import annotations

from collections.abc import Container
from io import BytesIO
from typing import NamedTuple

from tocsin.errors import LimitReached
from tocsin.unpack.interface import MIB, Budget, Reason
from tocsin.unpack.sevenzip_library import Result
from tocsin.unpack.stream import Taken

_MOST_PASSED_OVER = 400 * MIB
"""Bytes decoded to no purpose: behind an item that is too big, to reach what shares its block."""


class TooBig(Exception):
    """An item is bigger than an object may be, and nothing behind it is worth its decoding."""


class Done(NamedTuple):
    """An item that has come out: its number, its data, 7-Zip's result."""

    number: int
    taken: Taken
    result: int


class Batch:
    """Takes in items until it is full.

    Args:
        budget: what is charged.
        room: bytes after which no more item is begun.
        leading: items behind which others are packed in the same block, so that decoding must
            go on when they are too big.
        charge_file: whether each item is charged as an object.

    Attributes:
        done: the items that came out.
        index: the item that is coming, or None.
        full: whether it stopped because it was full.
    """

    def __init__(
        self, budget: Budget, room: int, leading: Container[int], *, charge_file: bool = True
    ) -> None:
        self.done: list[Done] = []
        self.index: int | None = None
        self.full = False
        self._budget = budget
        self._room = room
        self._charge_file = charge_file
        self._leading = leading
        self._held = 0
        self._passed_over = 0
        self._out = BytesIO()
        self._size = 0
        self._oversize = False

    def begin(self, index: int) -> bool:
        """See `Receiver.begin`."""
        if self._held >= self._room:
            self.full = True
            return False
        if self._charge_file:
            self._budget.charge_file()
        self.index = index
        self._out = BytesIO()
        self._size = 0
        self._oversize = False
        return True

    def write(self, piece: memoryview) -> None:
        """See `Receiver.write`."""
        budget = self._budget
        budget.check_time()
        if self._oversize:
            self._passed_over += len(piece)
            if self._passed_over > _MOST_PASSED_OVER:
                raise TooBig
            return
        self._size += len(piece)
        if not budget.fits_file(self._size):
            self._oversize = True
            self._out = BytesIO()
            budget.charge_bytes(len(piece))
            if self.index not in self._leading:
                raise TooBig
            return
        room = budget.remaining_bytes
        self._out.write(piece if room is None else piece[:room])
        budget.charge_bytes(len(piece))

    def end(self, result: int) -> None:
        """See `Receiver.end`."""
        if self.index is None:
            return
        if self._oversize:
            self._add(self.too_big(), result)
            return
        reason, note = _RESULTS.get(result, (Reason.DAMAGED, "damaged"))
        data = self._out.getvalue()
        self._add(Taken(data) if reason is None else Taken(data, reason, note), result)

    def alive(self) -> None:
        """See `Receiver.alive`."""
        self._budget.check_time()

    def stop(self, reason: Reason, note: str, stop: LimitReached | None = None) -> None:
        """End the item that is coming, if one is, with what there is of it."""
        if self.index is None:
            return
        taken = Taken(self._out.getvalue(), reason, note, stop=stop)
        self._add(self.too_big() if self._oversize else taken, Result.DATA_ERROR)

    def drop(self) -> None:
        """Forget the item that is coming."""
        self.index = None

    def too_big(self) -> Taken:
        """What becomes of an item with too many bytes."""
        bound = self._budget.limits.max_file_size
        return Taken(b"", Reason.LIMIT, f"more than {bound} bytes (--max-file-size)", oversize=True)

    def _add(self, taken: Taken, result: int) -> None:
        if self.index is not None:
            self.done.append(Done(self.index, taken, result))
        self._held += len(taken.data)
        self.index = None
        self._out = BytesIO()


_RESULTS: dict[int, tuple[Reason | None, str]] = {
    Result.OK: (None, ""),
    Result.DATA_BEHIND: (None, ""),
    Result.UNSUPPORTED: (Reason.UNSUPPORTED, "its method is not known"),
    Result.DATA_ERROR: (Reason.DAMAGED, "damaged"),
    Result.CHECKSUM: (Reason.DAMAGED, "its checksum does not match"),
    Result.UNAVAILABLE: (Reason.DAMAGED, "its data are not in this file"),
    Result.CUT_OFF: (Reason.DAMAGED, "truncated"),
    Result.NO_ARCHIVE: (Reason.DAMAGED, "damaged"),
    Result.HEADERS: (Reason.DAMAGED, "its headers are damaged"),
    Result.WRONG_PASSWORD: (Reason.ENCRYPTED, "no password fits"),
}
