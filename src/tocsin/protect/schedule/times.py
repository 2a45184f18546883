"""When a task is to be started: cron's five fields, in the time of this place."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

_NAMED = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}

Following = Callable[[str, float], float | None]
"""The first moment after another at which a task with these times is to be started, or None."""


@lru_cache(maxsize=1)
def local_zone() -> tzinfo:
    """The zone of this place, with its changes of summer and winter time; UTC when unknown."""
    stated = os.environ.get("TZ", "").removeprefix(":")
    if stated and not stated.startswith("/"):
        with suppress(ValueError, OSError, KeyError):
            return ZoneInfo(stated)
    with suppress(ValueError, OSError), open(stated or "/etc/localtime", "rb") as file:
        return ZoneInfo.from_file(file, "local")
    return UTC


def following(times: str, after: float, zone: tzinfo | None = None) -> float | None:
    """The first moment after another at which something is to be started.

    Where the clock is put forward, what falls into the hour that is left out is started right
    behind it; where it is put back, nothing at a fixed hour is started twice, as cron does.

    Args:
        times: five fields, or `@daily` and its like; empty for never.
        after: seconds since 1970.
        zone: in whose time; None for that of this place.
    """
    stated = _NAMED.get(times.strip().lower(), times.strip())
    if not stated:
        return None
    try:
        start = datetime.fromtimestamp(after, zone or local_zone())
        return next(CronSim(stated, start)).timestamp()
    except (CronSimError, StopIteration, OverflowError, ValueError, OSError):
        return None
