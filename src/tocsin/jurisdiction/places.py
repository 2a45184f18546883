"""Countries and groups of them, and when a day begins there.

Codes and time zones are those of the tz database (`iso3166.tab`, `zone.tab`; RFC 6557), which the
package `tzdata` brings, so that they are the same on every machine.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, tzinfo
from functools import cache
from importlib.resources import files
from zoneinfo import ZoneInfo

from tocsin.errors import LawError

_EU = "AT BE BG CY CZ DE DK EE ES FI FR GR HR HU IE IT LT LU LV MT NL PL PT RO SE SI SK"
GROUPS = {"EU": frozenset(_EU.split())}  # a list would take 27 lines
"""Groups of countries: the European Union since 2020-02-01."""

_NOWHERE: frozenset[str] = frozenset()
_PARTS = {
    "US": frozenset({"AS", "GU", "MP", "PR", "UM", "VI"}),
    "AU": frozenset({"CC", "CX", "HM", "NF"}),
    "FI": frozenset({"AX"}),
    "FR": frozenset({"GF", "GP", "MF", "MQ", "RE", "YT"}),
    "NL": frozenset({"BQ"}),
}
"""Territories with a code of their own that are meant where a rule names their country, and its
group with it: a rule of the United States is law in Puerto Rico (15 CFR 791.2)."""

_SEATS = {
    "AR": "America/Argentina/Buenos_Aires", "AU": "Australia/Sydney", "BR": "America/Sao_Paulo",
    "CA": "America/Toronto", "CD": "Africa/Kinshasa", "CL": "America/Santiago",
    "CN": "Asia/Shanghai", "CY": "Asia/Nicosia", "DE": "Europe/Berlin", "EC": "America/Guayaquil",
    "ES": "Europe/Madrid", "EU": "Europe/Brussels", "FM": "Pacific/Pohnpei", "GL": "America/Nuuk",
    "ID": "Asia/Jakarta", "KI": "Pacific/Tarawa", "KZ": "Asia/Almaty", "MH": "Pacific/Majuro",
    "MN": "Asia/Ulaanbaatar", "MX": "America/Mexico_City", "MY": "Asia/Kuala_Lumpur",
    "NZ": "Pacific/Auckland", "PF": "Pacific/Tahiti", "PG": "Pacific/Port_Moresby",
    "PT": "Europe/Lisbon", "RU": "Europe/Moscow", "UA": "Europe/Kyiv", "US": "America/New_York",
    "UZ": "Asia/Tashkent",
}  # fmt: skip
"""Of countries with several zones, that of the seat of government."""

UNKNOWN = "unknown"
_NAMES = {
    "EU": "the European Union",
    "GB": "the United Kingdom",
    "NL": "the Netherlands",
    "US": "the United States",
    UNKNOWN: "an unknown place",
}
_ALIASES = {"UK": "GB", "EL": "GR", "USA": "US"}


@cache
def countries() -> dict[str, str]:
    """English names by ISO 3166-1 alpha-2 code."""
    return {code: rows[0] for code, rows in _table("iso3166.tab", 0, 1).items()}


def read_place(text: str) -> str:
    """A country's or group's code.

    Raises:
        LawError: there is no such; with what it may be.
    """
    code = text.strip().upper()
    code = _ALIASES.get(code, code)
    if code in countries() or code in GROUPS:
        return code
    by_name = {name.casefold(): found for found, name in countries().items()}
    if found := by_name.get(text.strip().casefold()):
        return found
    near = [f"{found} ({name})" for found, name in countries().items() if code in name.upper()]
    meant = f"; did you mean {' or '.join(near[:3])}?" if near and len(code) > 2 else ""
    raise LawError(
        f"{text[:40]!r} is no country; give two letters (ISO 3166-1), as US or DE, or EU{meant}"
    )


def place_name(code: str) -> str:
    """A place in words."""
    return _NAMES.get(code) or countries().get(code, code)


@cache
def within(code: str) -> frozenset[str]:
    """A place, and the groups that it is in."""
    return frozenset({code, *(name for name, members in GROUPS.items() if code in members)})


def members(codes: Iterable[str]) -> frozenset[str]:
    """Places, the members of those that are groups, and the territories of all of them."""
    found = frozenset(codes)
    found = found.union(*(GROUPS[code] for code in found if code in GROUPS))
    return found.union(*(_PARTS[code] for code in found if code in _PARTS))


def somewhere_in(codes: Iterable[str]) -> frozenset[str]:
    """Where something may be of which only a group of countries is known; else nowhere."""
    groups = [code for code in codes if code in GROUPS]
    return members(groups) if groups else _NOWHERE


@cache
def zone_of(code: str) -> tzinfo:
    """The time zone in which a day of a place is meant: its seat of government's, else UTC."""
    name = _SEATS.get(code) or next(iter(_table("zone.tab", 0, 2).get(code, ())), None)
    return ZoneInfo(name) if name else UTC


def day_begins(day: date, code: str) -> datetime:
    """The instant at which a day begins in a place."""
    return datetime(day.year, day.month, day.day, tzinfo=zone_of(code))


@cache
def _table(name: str, key: int, value: int) -> dict[str, tuple[str, ...]]:
    """Columns of a table of the tz database: all values of a key, in their order."""
    found: dict[str, list[str]] = {}
    text = files("tzdata").joinpath("zoneinfo", name).read_text("utf-8")
    for line in text.splitlines():
        if line and not line.startswith("#"):
            columns = line.split("\t")
            found.setdefault(columns[key], []).append(columns[value])
    return {key: tuple(values) for key, values in found.items()}
