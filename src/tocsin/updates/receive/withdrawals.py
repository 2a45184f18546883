"""Versions that were pulled back, as the log says it, whatever a mirror's metadata shows.

A withdrawal is in the signed metadata and in the log. Who hides it in one must hide it in the
other, before the device's own witnesses. New entries are read from where the last look ended: a
bundle is fetched from the byte on that is not known yet, and each entry is checked against the
tree. What counts is signed by the publisher's targets keys and bound to a database's digest, so
the log's key alone withdraws nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from tocsin.transparency.errors import LogDamaged
from tocsin.transparency.merkle import leaf_hash
from tocsin.transparency.reader import LogReader
from tocsin.transparency.tiles import ENTRIES, WIDTH, tile_at
from tocsin.updates.errors import StatementError
from tocsin.updates.layout import Withdrawn, database_name
from tocsin.updates.receive.choose import Offer
from tocsin.updates.receive.seen import LoggedWithdrawal, Place
from tocsin.updates.statement import (
    MOST_ENTRY_BYTES,
    StatementKey,
    WithdrawalPredicate,
    parse_envelope,
    verified_by,
)

_LENGTH_BYTES = 2

Keys = tuple[Mapping[str, StatementKey], int]
"""Keys of a root's targets role by TUF key id, and how many of them must sign."""

GetFrom = Callable[[str, int, int], bytes | None]
"""Fetches a log's file from a byte on: path, offset, most bytes; None when it is not there."""


class Learned(NamedTuple):
    """What new entries said, and how far the log was read."""

    withdrawals: tuple[LoggedWithdrawal, ...]
    place: Place


def learn(reader: LogReader, get: GetFrom, begin: Place, roots: Iterable[Keys]) -> Learned:
    """Read what the log has beyond a place.

    Args:
        reader: of the log, at a checkpoint that was accepted.
        get: fetches a part of a file of the log.
        begin: where the last look ended, or the beginning of a bundle.
        roots: whose word counts; the keys of any one of them must have signed in their number.

    Raises:
        LogDamaged: entries are missing or not what the tree has.
    """
    every, size = tuple(roots), reader.head.size
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
            withdrawal = _withdrawal(entry, number, every)
            if withdrawal is not None:
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


def _withdrawal(data: bytes, index: int, roots: tuple[Keys, ...]) -> LoggedWithdrawal | None:
    try:
        envelope = parse_envelope(data)
    except StatementError:
        return None  # of another kind, or of a later program
    statement = envelope.statement
    said = statement.predicate
    if not isinstance(said, WithdrawalPredicate) or statement.name != database_name(said.version):
        return None
    for keys, threshold in roots:
        if len(verified_by(envelope, keys)) >= max(1, threshold):
            return LoggedWithdrawal(said.version, statement.sha256, said.reason, said.since, index)
    return None


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
        if one.sha256 in (held.get(one.version), offered.sha256 if offered else None):
            withdrawn.setdefault(one.version, Withdrawn(one.version, one.reason, one.since))
    return offer._replace(withdrawn=withdrawn)
