"""What to ask ClamAV's servers for: decided from what is here and what is announced.

Source: ClamAV's manual, "CVD and CLD" and "freshclam.conf"; the order of fields in the TXT
record as ClamAV 1.4.6 reads it.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import Enum
from typing import NamedTuple

from tocsin.signatures.clamav.numbers import is_number
from tocsin.updates.sources.errors import SourceUnreachable

STANDARD = ("main", "daily", "bytecode")
"""Databases that everybody takes, in ClamAV's order."""
OPTIONAL = ("safebrowsing", "test")

_FIELDS = {"main": 1, "daily": 2, "safebrowsing": 6, "bytecode": 7}
_SOFTWARE, _RECORDED, _WARNING, _LEVEL = 0, 3, 4, 5
OLDEST_RECORD = timedelta(hours=3)
"""A record that is older is a resolver's memory, not news; then the server is asked itself."""
MOST_PATCHES = 180
"""Differences that are fetched one after the other; beyond that the whole is less to ask for."""
MOST_VERSION = 10**9


class Announced(NamedTuple):
    """What the TXT record says.

    Attributes:
        versions: newest version by database; one that is not named is not in it.
        software: newest version of ClamAV.
        level: functionality level it recommends; 0 when it says none.
        warns: whether older software is to be warned about.
    """

    versions: dict[str, int]
    software: str
    level: int
    warns: bool


def read_record(text: str, now: datetime) -> Announced:
    """Read the TXT record, `SOFTWARE:MAIN:DAILY:TIME:WARN:LEVEL:SAFE:BYTECODE`.

    Raises:
        SourceUnreachable: it is malformed, or too old to say anything.
    """
    fields = text.split(":")
    if len(fields) <= _LEVEL or not is_number(fields[_RECORDED]) or len(fields[_RECORDED]) > 12:
        raise SourceUnreachable("the TXT record is not as ClamAV writes it")
    if now.timestamp() - int(fields[_RECORDED]) > OLDEST_RECORD.total_seconds():
        raise SourceUnreachable("DNS record is older than 3 hours.")
    versions = {
        name: int(fields[place])
        for name, place in _FIELDS.items()
        if place < len(fields) and _is_version(fields[place])
    }
    level = int(fields[_LEVEL]) if _is_version(fields[_LEVEL]) else 0
    return Announced(versions, fields[_SOFTWARE][:32], level, fields[_WARNING] != "0")


def _is_version(text: str) -> bool:
    return is_number(text) and len(text) <= 9 and int(text) > 0


class Step(Enum):
    """What to do about a database."""

    NOTHING = "up to date"
    PATCHES = "fetch the differences"
    WHOLE = "fetch all of it"


def plan_step(here: int | None, there: int, *, scripted: bool) -> Step:
    """What to do.

    Args:
        here: version of the database that is here; None when there is none.
        there: newest version there is.
        scripted: whether differences are wanted at all.
    """
    if here is not None and here >= there:
        return Step.NOTHING
    if here is None or not scripted or there - here > MOST_PATCHES:
        return Step.WHOLE
    return Step.PATCHES


def select_databases(
    *, extra: tuple[str, ...] = (), excluded: tuple[str, ...] = (), bytecode: bool = True
) -> tuple[str, ...]:
    """The databases to bring in, in order."""
    chosen = [name for name in STANDARD if name not in excluded]
    if not bytecode:
        chosen = [name for name in chosen if name != "bytecode"]
    return tuple(dict.fromkeys([*chosen, *(name for name in extra if name not in excluded)]))
