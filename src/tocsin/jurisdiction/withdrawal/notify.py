"""Notices to customers: by every way there is, each with what proves that it arrived, or a list."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from tocsin.jurisdiction.withdrawal.journal import Entry, Kind
from tocsin.jurisdiction.withdrawal.population import DAY
from tocsin.jurisdiction.withdrawal.standing import Standing

_LETTER_TAKES = 5 * DAY
_SHOWN_AFTER = 2 * DAY
_ORDER = 7
"""Of notices among what happens at one second: after facts, wishes and refunds."""


class Notices:
    """Sends notices, and knows whom none reached.

    Args:
        standings: of all customers.
        ends: of the period, in seconds since 1970.
        write: takes an entry down.
        later: has a callable be called at a second, with that and further arguments.
    """

    def __init__(
        self,
        standings: Sequence[Standing],
        ends: int,
        write: Callable[[Entry], None],
        later: Callable[..., None],
    ) -> None:
        self._standings = standings
        self._ends = ends
        self._write = write
        self._later = later

    def round(self, at: int, number: int) -> None:
        """Send one round of notices, counted from 1, to whom something ends for."""
        for standing in self._concerned(at):
            self._send(at, standing, number)

    def list_unreached(self, at: int) -> None:
        """List every customer concerned whom no notice reached."""
        for standing in self._concerned(at):
            if not standing.is_reached and not standing.is_listed:
                self._list(at, standing)

    def explain(self, at: int, standing: Standing) -> None:
        """Tell whoever is not served for the first time why, on the device."""
        if standing.is_reached or standing.is_listed:
            return
        if standing.customer.sees_app:
            self._show(at, standing)
        else:
            self._list(at, standing)

    def _concerned(self, at: int) -> Iterator[Standing]:
        return (each for each in self._standings if self._is_concerned(at, each))

    def _is_concerned(self, at: int, standing: Standing) -> bool:
        """Whether something ends for a customer by what is known now."""
        if standing.licence is None or standing.deleted:
            return False
        return any(
            track.blocked_between(at, self._ends)
            for tracks in standing.tracks
            for _, track in tracks
        )

    def _send(self, at: int, standing: Standing, number: int) -> None:
        customer = standing.customer
        name = customer.number
        sent = at + name * 7919 % 3600
        self._later(sent, _ORDER, self._mail, standing)
        if customer.sees_app:
            self._later(at + _SHOWN_AFTER + name % 3600, _ORDER, self._show, standing)
        if number >= 2 and not standing.is_reached and customer.has_address:
            self._later(at + _LETTER_TAKES, _ORDER, self._letter, standing)

    def _mail(self, at: int, standing: Standing) -> None:
        name = standing.customer.number
        if standing.deleted:
            return
        if not standing.customer.has_email:
            self._write(Entry(at, name, Kind.NOTICE, done=False, detail="e-mail", why="bounced"))
            return
        proof = f"accepted by the receiving server at {at}"
        self._write(Entry(at, name, Kind.NOTICE, detail="e-mail", proof=proof))
        standing.is_reached = True

    def _show(self, at: int, standing: Standing) -> None:
        if standing.removed:
            return
        name, proof = standing.customer.number, f"confirmed by the device at {at}"
        self._write(Entry(at, name, Kind.NOTICE, detail="in the product", proof=proof))
        standing.is_reached = True

    def _letter(self, at: int, standing: Standing) -> None:
        if standing.is_reached or standing.deleted:
            return
        name, proof = standing.customer.number, f"receipt of the letter at {at}"
        self._write(Entry(at, name, Kind.NOTICE, detail="letter", proof=proof))
        standing.is_reached = True

    def _list(self, at: int, standing: Standing) -> None:
        standing.is_listed = True
        self._write(Entry(at, standing.customer.number, Kind.NOT_REACHED))
