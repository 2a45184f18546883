"""Every option of ClamAV's programs and what becomes of it: the rows' form, and all rows.

The tables are what `tocsin migrate clamav` decides by, and what `docs/migrating.md` shows; a
test holds them against the options that `clamconf` itself lists.
"""

from __future__ import annotations

from enum import Enum, StrEnum
from typing import NamedTuple


class Takes(Enum):
    """What an option takes, as messages say it."""

    SWITCH = "yes or no"
    NUMBER = "a number"
    SIZE = "a size such as 25M"
    TEXT = "a text"


class Fate(StrEnum):
    """What becomes of an option."""

    BECOMES = "becomes"
    SAME = "as before"
    NOT_NEEDED = "not needed"
    NO_COUNTERPART = "no counterpart"


class Option(NamedTuple):
    """One option.

    Attributes:
        name: as it is written.
        takes: what its value is.
        fate: what becomes of it, unless its value is one of `same`.
        text: the setting it becomes and how, why it is not needed, or what to do instead.
        same: values for which tocsin does what ClamAV does.
        several: whether it can stand more than once.
        now: the newer name of the option, or empty.
    """

    name: str
    takes: Takes
    fate: Fate
    text: str
    same: tuple[bool | int | str, ...] = ()
    several: bool = False
    now: str = ""


def becomes(
    name: str, takes: Takes, text: str, *same: bool | int | str, several: bool = False
) -> Option:
    """A row of what becomes a setting."""
    return Option(name, takes, Fate.BECOMES, text, same, several)


def not_needed(name: str, takes: Takes, text: str, *, several: bool = False) -> Option:
    """A row of what changes nothing here."""
    return Option(name, takes, Fate.NOT_NEEDED, text, (), several)


def missing(
    name: str, takes: Takes, text: str, *same: bool | int | str, several: bool = False
) -> Option:
    """A row of what cannot be set here, unless it is one of the values that hold anyway."""
    return Option(name, takes, Fate.NO_COUNTERPART, text, same, several)


def older(name: str, now: str, known: tuple[Option, ...]) -> Option:
    """A row of an older name."""
    option = next(each for each in known if each.name == now)
    return option._replace(name=name, now=now, text=f"older name of `{now}`: {option.text}")
