"""Points in time as people write and read them."""

from __future__ import annotations

import time
from datetime import datetime

from tocsin.errors import UsageError


def past_moment(text: str) -> float:
    """Seconds since 1970 of a date, or of so long ago: `2026-12-31`, `2026-12-31T08:00`, `2h`.

    Raises:
        UsageError: it is neither.
    """
    from tocsin.protect.configuration.forms import read_duration

    ago = None if text.strip().isdigit() else read_duration(text)
    if ago is not None:
        return time.time() - ago
    try:
        return datetime.fromisoformat(text.strip()).timestamp()  # local unless it names a zone
    except (ValueError, OverflowError):
        raise UsageError(
            f"{text!r} is neither a date (2026-12-31, 2026-12-31T08:00) nor so long ago (90s, 2h, "
            "7d)"
        ) from None


def local_time(moment: float) -> str:
    """A point in time for people here: `2026-12-31 08:00:00`."""
    try:
        return datetime.fromtimestamp(moment).astimezone().strftime("%Y-%m-%d %H:%M:%S")
    except (ValueError, OverflowError, OSError):  # a clock that was far off
        return f"{moment:.0f}"
