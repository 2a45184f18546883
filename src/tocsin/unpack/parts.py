"""How a document hands out its parts: counted, charged, reported."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from tocsin.unpack.interface import Budget, Member, Reason, Skipped
from tocsin.unpack.stream import Meta, copy, report, skipped, take


class Parts:
    """Counts the parts of one container and turns bytes into members.

    Args:
        budget: what is charged.

    Attributes:
        budget: the same.
        position: number of the last part.
    """

    def __init__(self, budget: Budget) -> None:
        self.budget = budget
        self.position = 0

    def member(
        self,
        name: str,
        chunks: Iterable[bytes] | bytes,
        packed_size: int | None = None,
        *,
        type_name: str = "",
        encrypted: bool = False,
        size: int = 0,
        notes: Iterable[str] = (),
    ) -> Iterator[Member | Skipped]:
        """Hand out one part.

        Args:
            name: its name.
            chunks: its bytes, or what they come out of; may raise `Interrupted`.
            packed_size: bytes it occupies; those that come out when None.
            type_name: see `Member.type_name`.
            encrypted: whether it is encrypted in the container.
            size: bytes that the container states.
            notes: remarks that do not make it incomplete.

        Raises:
            LimitReached: a bound of the whole tree was hit.
        """
        budget = self.budget
        budget.check_time()
        self.position += 1
        meta = Meta(name, size, packed_size or 0, self.position, encrypted)
        if size and not budget.fits_file(size) and not isinstance(chunks, bytes):
            bound = budget.limits.max_file_size
            yield skipped(meta, Reason.LIMIT, f"more than {bound} bytes (--max-file-size)")
            return
        budget.charge_file()
        taken = take(copy(chunks, 0, len(chunks)) if isinstance(chunks, bytes) else chunks, budget)
        if packed_size is None:
            meta = meta._replace(packed_size=len(taken.data))
        for item in report(meta, taken, notes):
            yield item._replace(type_name=type_name) if isinstance(item, Member) else item

    def skip(self, name: str, reason: Reason, detail: str, size: int = 0) -> Skipped:
        """A part whose bytes could not be had."""
        self.position += 1
        encrypted = reason is Reason.ENCRYPTED
        return Skipped(name, reason, detail, size, size, self.position, encrypted)
