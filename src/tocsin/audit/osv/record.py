"""A record in OSV's format (schema 1.x), as far as it tells which versions it is about."""

from __future__ import annotations

from datetime import date

import msgspec

from tocsin.audit.source import Unreadable

MOST_BYTES = 32 << 20
"""Of one record; some of a kernel list a hundred thousand versions."""


class Event(msgspec.Struct, frozen=True):
    """A version at which something changes; one of the fields."""

    introduced: str | None = None
    fixed: str | None = None
    last_affected: str | None = None
    limit: str | None = None


class Range(msgspec.Struct, frozen=True):
    """Events in a row of versions: `SEMVER`, `ECOSYSTEM` or `GIT`."""

    type: str = ""
    events: list[Event] | None = None


class Package(msgspec.Struct, frozen=True):
    """Which package.

    Attributes:
        ecosystem: with its release after a colon: `PyPI`, `Debian:12`.
        name: as that calls it.
    """

    ecosystem: str = ""
    name: str = ""


class Affected(msgspec.Struct, frozen=True):
    """A package with the versions that are affected."""

    package: Package | None = None
    ranges: list[Range] | None = None
    versions: list[str] | None = None


class Reference(msgspec.Struct, frozen=True):
    """Where more can be read."""

    type: str = ""
    url: str = ""


class Record(msgspec.Struct, frozen=True):
    """What matters of a record."""

    id: str = ""
    published: str | None = None
    modified: str | None = None
    withdrawn: str | None = None
    aliases: list[str] | None = None
    summary: str | None = None
    details: str | None = None
    affected: list[Affected] | None = None
    references: list[Reference] | None = None

    @property
    def is_malicious(self) -> bool:
        """Whether it is about a package that was made to do harm."""
        return any(name.startswith("MAL-") for name in (self.id, *(self.aliases or ())))


_DECODER = msgspec.json.Decoder(Record)


def decode(data: bytes, name: str = "") -> Record:
    """Read a record.

    Args:
        data: JSON.
        name: of its file without what follows the point: the identifier of one that has none yet,
            as those have that the malicious-packages collection has just taken in.

    Raises:
        Unreadable: it is none.
    """
    if len(data) > MOST_BYTES:
        raise Unreadable(f"a record of more than {MOST_BYTES >> 20} MB")
    try:
        record = _DECODER.decode(data.removeprefix(b"\xef\xbb\xbf"))
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Unreadable(f"no OSV record: {error}") from None
    except RecursionError:
        raise Unreadable("no OSV record: nested too deeply") from None
    if not record.id:
        record = msgspec.structs.replace(record, id=name)
    if not record.id or not (record.affected or record.published or record.modified):
        raise Unreadable("no OSV record: it has no identifier, or nothing besides")
    return record


def one_line(record: Record) -> str:
    """Its summary, or how its details begin."""
    for told in (record.summary, record.details):
        for line in (told or "")[:4096].splitlines():
            if line.strip(" #-=\t"):
                return line.strip()[:300]
    return ""


def published_on(record: Record) -> date | None:
    """The day on which it was published."""
    try:
        return date.fromisoformat((record.published or record.modified or "")[:10])
    except ValueError:
        return None
