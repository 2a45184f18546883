"""Versions that were pulled back, as the log says it, whatever a mirror's metadata shows.

A withdrawal is in the signed metadata and in the log. Who hides it in one must hide it in the
other, before the device's own witnesses. New entries are read from where the last look ended: a
bundle is fetched from the byte on that is not known yet, and each entry is checked against the
tree. What counts is signed by the publisher's targets keys and bound to a database's digest, so
the log's key alone withdraws nothing. Keys that a later root dropped count only for what was
logged before that root: who stole them withdraws nothing more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import NamedTuple

from tuf.api.exceptions import RepositoryError
from tuf.api.metadata import Metadata, Targets

from tocsin.transparency.errors import LogDamaged
from tocsin.transparency.merkle import leaf_hash
from tocsin.transparency.reader import LogReader
from tocsin.transparency.tiles import ENTRIES, WIDTH, tile_at
from tocsin.updates.errors import LayoutError, StatementError
from tocsin.updates.layout import Withdrawn, database_name, parse_withdrawn
from tocsin.updates.receive.choose import Offer
from tocsin.updates.receive.seen import LoggedWithdrawal, Place
from tocsin.updates.receive.state import UpdateState
from tocsin.updates.statement import (
    MOST_ENTRY_BYTES,
    Envelope,
    RootPredicate,
    StatementKey,
    WithdrawalPredicate,
    parse_envelope,
    verified_by,
)

_LENGTH_BYTES = 2


class Word(NamedTuple):
    """Whose word counts, and up to where in a log.

    Attributes:
        keys: of a root's targets role, by TUF key id.
        threshold: how many of them must sign.
        until: index from which on they count no more; None while they are in force.
        ended_by: SHA-256 of the root that dropped them; empty while they are in force.
        root: version of the root that names them.
    """

    keys: Mapping[str, StatementKey]
    threshold: int
    until: int | None = None
    ended_by: str = ""
    root: int = 0

    def counts_at(self, index: int) -> bool:
        """Whether they count for the entry of an index."""
        return self.until is None or index < self.until


GetFrom = Callable[[str, int, int], bytes | None]
"""Fetches a log's file from a byte on: path, offset, most bytes; None when it is not there."""


class Learned(NamedTuple):
    """What new entries said, and how far the log was read."""

    withdrawals: tuple[LoggedWithdrawal, ...]
    place: Place


def learn(reader: LogReader, get: GetFrom, begin: Place, words: Iterable[Word]) -> Learned:
    """Read what the log has beyond a place.

    Args:
        reader: of the log, at a checkpoint that was accepted.
        get: fetches a part of a file of the log.
        begin: where the last look ended, or the beginning of a bundle.
        words: whose word counts, the newest first; the keys of any one of them must have signed in
            their number.

    Raises:
        LogDamaged: entries are missing or not what the tree has.
    """
    every, size = tuple(words), reader.head.size
    found: list[LoggedWithdrawal] = []
    start, offset = begin.size, begin.offset
    while start < size:
        place = start // WIDTH
        tile = tile_at(ENTRIES, place, size)
        count = tile.width - start % WIDTH
        most = count * (_LENGTH_BYTES + MOST_ENTRY_BYTES)
        data = get(tile.path, offset, most)
        if data is None and tile.width < WIDTH:  # only the full one is there
            data = get(tile.full.path, offset, tile.full.max_bytes)
        if data is None:
            raise LogDamaged(f"{tile.path}: it is missing from the log")
        entries, used = _split(data, count, tile.path)
        hashes = reader.tile(tile_at(0, place, size))[start % WIDTH : tile.width]
        if [leaf_hash(entry) for entry in entries] != hashes:
            raise LogDamaged(f"{tile.path}: its entries are not what the log's tree has there")
        for number, entry in enumerate(entries, start):
            statement = _statement(entry)
            if statement is None:
                continue
            if isinstance(statement.statement.predicate, RootPredicate):
                every = _ended(every, statement.statement.sha256, number)
            elif (withdrawal := _withdrawal(statement, number, every)) is not None:
                found.append(withdrawal)
        start += count
        offset = 0 if start % WIDTH == 0 else offset + used
    return Learned(tuple(found), Place(start, offset))


def begin_of_bundle(index: int) -> Place:
    """Where to begin reading so that an entry is read too."""
    return Place(index // WIDTH * WIDTH, 0)


def _split(data: bytes, count: int, name: str) -> tuple[list[bytes], int]:
    """The first entries of a bundle's rest, and the bytes that they take."""
    entries: list[bytes] = []
    at = 0
    while len(entries) < count:
        begin = at + _LENGTH_BYTES
        end = begin + int.from_bytes(data[at:begin], "big")
        if begin > len(data) or end > len(data):
            raise LogDamaged(f"{name}: it is cut short")
        entries.append(data[begin:end])
        at = end
    return entries, at


def _statement(data: bytes) -> Envelope | None:
    try:
        return parse_envelope(data)
    except StatementError:
        return None  # of another kind, or of a later program


def _ended(words: tuple[Word, ...], sha256: str, index: int) -> tuple[Word, ...]:
    """The words once a root turned up: who has the log's key may have shown a later entry of it."""
    ended = False
    made = []
    for word in words:
        ended = ended or word.ended_by == sha256
        if ended and word.until is not None and index < word.until:
            word = word._replace(until=index)
        made.append(word)
    return tuple(made)


def _withdrawal(envelope: Envelope, index: int, words: tuple[Word, ...]) -> LoggedWithdrawal | None:
    statement = envelope.statement
    said = statement.predicate
    if not isinstance(said, WithdrawalPredicate) or statement.name != database_name(said.version):
        return None
    for word in words:
        if word.counts_at(index) and len(verified_by(envelope, word.keys)) >= max(
            1, word.threshold
        ):
            return LoggedWithdrawal(said.version, statement.sha256, said.reason, said.since, index)
    return None


def is_about(one: LoggedWithdrawal, version: int, sha256: str | None) -> bool:
    """Whether a withdrawal is about a database: of this number and with these bytes."""
    return one.version == version and one.sha256 == sha256


def known_withdrawn(state: UpdateState) -> dict[int, str]:
    """Versions on this device that are known to be pulled back, and why; nothing is asked anew.

    Args:
        state: of the device: the metadata that was trusted last, and what logs said.
    """
    held = {version: state.received(version).sha256 for version in state.kept_versions()}
    found = {
        one.version: one.reason
        for one in state.seen().withdrawn
        if is_about(one, one.version, held.get(one.version))
    }
    data = state.targets_bytes()
    with suppress(RepositoryError, LayoutError):
        if data is not None:
            fields = Metadata[Targets].from_bytes(data).signed.unrecognized_fields
            found |= {one.version: one.reason for one in parse_withdrawn(fields)}
    return {version: reason for version, reason in found.items() if version in held}


def with_logged(offer: Offer, logged: Iterable[LoggedWithdrawal], held: Mapping[int, str]) -> Offer:
    """An offer with what the log says was pulled back.

    Args:
        offer: as the metadata has it.
        logged: what the log says.
        held: SHA-256 of the databases on this device, by version.
    """
    withdrawn = dict(offer.withdrawn)
    for one in logged:
        offered = offer.databases.get(one.version)
        if is_about(one, one.version, held.get(one.version)) or (
            offered is not None and is_about(one, one.version, offered.sha256)
        ):
            withdrawn.setdefault(one.version, Withdrawn(one.version, one.reason, one.since))
    return offer._replace(withdrawn=withdrawn)
