"""Whether this device is kept up to date: whom it believes, and how its last updates went."""

from __future__ import annotations

import time

from tocsin.app.doctor import Check, State
from tocsin.app.update_health import updates_seen
from tocsin.protect.health.judge import judge_updates
from tocsin.protect.health.seen import Level, Seen, age_words
from tocsin.settings import Settings
from tocsin.version import VERSION

GROUP = "database"
_STATES = {Level.ALARM: State.FAILED, Level.WARNING: State.WARNING}


def examine_updates(settings: Settings) -> Check:
    """How it stands with updates, in one line: the worst of what is to be said of them.

    Args:
        settings: of the device.
    """
    now, updates = time.time(), updates_seen(settings)
    if not updates.trusted and not updates.version:
        detail = "nothing says whose to believe; scanning goes on with what is here"
        return Check(GROUP, "updates", State.OK, detail)
    judged = judge_updates(Seen(now=now, version=VERSION, settings=settings, updates=updates))
    worst = max(judged, key=lambda each: each.level.rank, default=None)
    if worst is not None and worst.level in _STATES:
        return Check(GROUP, "updates", _STATES[worst.level], worst.text, worst.advice)
    age = age_words(max(0.0, now - updates.created)) if updates.created else ""
    detail = (
        f"version {updates.version}, {age} old" if updates.version else "no version is here yet"
    )
    if updates.witnesses:
        detail += f", seen by {', '.join(updates.witnesses)}"
    return Check(GROUP, "updates", State.OK, detail)
