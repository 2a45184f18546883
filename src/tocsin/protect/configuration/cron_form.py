"""Whether cron times say when something is to be done; the schedule itself has the last word."""

from __future__ import annotations

import re
import time

_NAMED = ("@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_FIELDS: tuple[tuple[str, int, int, tuple[str, ...], int], ...] = (
    ("minute", 0, 59, (), 0),
    ("hour", 0, 23, (), 0),
    ("day of the month", 1, 31, (), 0),
    ("month", 1, 12, _MONTHS, 1),
    ("day of the week", 0, 7, _DAYS, 0),
)
_PART = re.compile(r"(?:\*|([a-z]{3}|\d{1,2})(?:-([a-z]{3}|\d{1,2}))?)(?:/(\d{1,2}))?\Z", re.A)


def wrong_with(text: str) -> str:
    """What is wrong with cron times, or an empty string."""
    stated = text.strip().lower()
    if stated.startswith("@"):
        return "" if stated in _NAMED else f"expected one of {', '.join(_NAMED)}"
    fields = stated.split()
    if len(fields) != len(_FIELDS):
        return (
            f"expected five fields (minute, hour, day, month, day of the week), not {len(fields)}; "
            'for example "30 3 * * *" is every day at 3:30'
        )
    from tocsin.protect.schedule.times import following

    if following(stated, time.time()) is not None:
        return ""
    return _wrong_field(fields) or "there is no such time, in no year"


def _wrong_field(fields: list[str]) -> str:
    for field, (name, least, most, names, first) in zip(fields, _FIELDS, strict=True):
        for part in field.split(","):
            form = _PART.match(part)
            numbers = [_number(g, names, first) for g in form.groups()[:2] if g] if form else []
            fits = all(n is not None and least <= n <= most for n in numbers)
            if form is None or not fits or form[3] in ("0", "00"):
                return f"{part[:40]!r} is not a {name} ({least} to {most}, '*', '1-5', '*/2')"
            if len(numbers) == 2 and (numbers[0] or 0) > (numbers[1] or 0):
                return f"{part!r}: the {name} runs backwards"
    return ""


def _number(text: str, names: tuple[str, ...], first: int) -> int | None:
    if text.isdigit():
        return int(text)
    return names.index(text) + first if text in names else None
