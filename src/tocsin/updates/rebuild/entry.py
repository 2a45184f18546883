"""The log entry that says what a database or a rulebook was made of, found in the log itself.

Repositories offer a few versions; the log has all of them. So a version that was dropped or
withdrawn long ago can still be checked by whoever has its sources.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from tocsin.transparency.reader import LogReader
from tocsin.transparency.tiles import WIDTH
from tocsin.updates.errors import StatementError
from tocsin.updates.layout import database_name, rulebook_name
from tocsin.updates.rebuild.errors import EntryNotFound
from tocsin.updates.statement import (
    DatabasePredicate,
    RulebookPredicate,
    Statement,
    StatementKey,
    parse_envelope,
    verified_by,
)

_NAMES: dict[Any, Callable[[int], str]] = {
    DatabasePredicate: database_name,
    RulebookPredicate: rulebook_name,
}
_WORDS: dict[Any, str] = {DatabasePredicate: "version", RulebookPredicate: "edition"}

Keys = tuple[Mapping[str, StatementKey], int]
"""Keys of a root's targets role by TUF key id, and how many of them must sign."""


_Made = TypeVar("_Made", DatabasePredicate, RulebookPredicate)


@dataclass(frozen=True)
class FoundEntry(Generic[_Made]):
    """A log entry about a version.

    Attributes:
        index: its place in the log.
        sha256: of the entry.
        statement: what it says.
        predicate: of that.
        signed_by: TUF key ids of the publisher's that signed it.
    """

    index: int
    sha256: str
    statement: Statement
    predicate: _Made
    signed_by: frozenset[str]


DatabaseEntry = FoundEntry[DatabasePredicate]
RulebookEntry = FoundEntry[RulebookPredicate]


def find_entry(
    reader: LogReader,
    version: int,
    roots: Iterable[Keys],
    kind: type[_Made],
    *,
    sha256: str = "",
    told: Callable[[int], None] = lambda _: None,
) -> FoundEntry[_Made]:
    """Find what the log says of a version: the newest entry that the publisher's keys signed.

    An entry is written again when the publisher's keys change, about the same version. Two
    versions with one number are not the same case, and are never mixed up.

    Args:
        reader: of the log, at a checkpoint that was verified.
        version: its number.
        roots: whose word counts; the keys of any one of them must have signed in their number.
        kind: what the entry says: that a database was published, or a rulebook.
        sha256: which of several with this number is meant.
        told: how many entries are left to read.

    Raises:
        EntryNotFound: there is none, or there are several with that number.
        LogDamaged: the log's files are missing or wrong.
    """
    every = tuple(roots)
    found: dict[str, FoundEntry[_Made]] = {}
    for place in reversed(range((reader.head.size + WIDTH - 1) // WIDTH)):
        told(place * WIDTH)
        bundle = reader.bundle(place)
        for offset in reversed(range(len(bundle))):
            entry = _entry(bundle[offset], version, every, kind, place * WIDTH + offset)
            if entry is not None and sha256 in ("", entry.statement.sha256):
                found.setdefault(entry.statement.sha256, entry)
    word = _WORDS[kind]
    if not found:
        asked = f" with SHA-256 {sha256}" if sha256 else ""
        raise EntryNotFound(
            f"the log {reader.head.origin} has {reader.head.size:,} entries, and none by the "
            f"publisher about {word} {version}{asked}"
        )
    if len(found) > 1:
        raise EntryNotFound(
            f"the log has {len(found)} of the {word} {version}; say which one with "
            f"--sha256: {', '.join(sorted(found))}"
        )
    return next(iter(found.values()))


def _entry(
    data: bytes, version: int, roots: tuple[Keys, ...], kind: type[_Made], index: int
) -> FoundEntry[_Made] | None:
    try:
        envelope = parse_envelope(data)
    except StatementError:
        return None  # of another kind, or of a later program
    statement = envelope.statement
    predicate = statement.predicate
    if not isinstance(predicate, kind) or predicate.version != version:
        return None
    if statement.name != _NAMES[kind](version):
        return None
    for keys, threshold in roots:
        signed = verified_by(envelope, keys)
        if len(signed) >= max(1, threshold):
            entry_sha256 = hashlib.sha256(data).hexdigest()
            return FoundEntry(index, entry_sha256, statement, predicate, signed)
    return None
