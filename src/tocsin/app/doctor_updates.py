"""Whether this device is kept up to date: signatures of a publisher, of others, and the program."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

from tocsin.app.doctor import Check, State
from tocsin.app.update_health import sources_seen, updates_seen
from tocsin.protect.health.judge import judge_sources, judge_updates
from tocsin.protect.health.seen import Judgement, Level, Seen, age_words
from tocsin.settings import Settings
from tocsin.version import VERSION

GROUP = "database"
_STATES = {Level.ALARM: State.FAILED, Level.WARNING: State.WARNING}


def examine_updates(settings: Settings) -> Iterator[Check]:
    """How it stands with updates, a line each: the worst of what is to be said of them.

    Args:
        settings: of the device.
    """
    sources, closed = sources_seen(settings)
    seen = Seen(
        now=time.time(),
        version=VERSION,
        settings=settings,
        updates=updates_seen(settings),
        sources=sources,
        sources_closed=closed,
    )
    yield _publisher(seen)
    if sources or closed:
        yield _sources(seen)
    if seen.updates.trusted:
        later = seen.updates.software
        said = f"{later} is there: tocsin update software" if later else "no later release is known"
        if failed := seen.updates.software_failed:
            said = f"{later} is there and did not pass its test here: {failed}"
        yield Check("installation", "release", State.OK, f"this is {VERSION}; {said}")


def _sources(seen: Seen) -> Check:
    """Sources that others publish."""
    if seen.sources_closed:
        return Check(GROUP, "sources", State.OK, seen.sources_closed)
    amiss = _worst(judge_sources(seen))
    if amiss is not None:
        return Check(GROUP, "sources", _STATES[amiss.level], amiss.text, amiss.advice)
    told = []
    for source in seen.sources:
        age = age_words(max(0.0, seen.now - source.confirmed))
        told.append(f"{source.name} {age} old{' (failed since)' if source.trouble else ''}")
    return Check(GROUP, "sources", State.OK, ", ".join(told))


def _worst(judged: Sequence[Judgement]) -> Judgement | None:
    """The worst of what is amiss; None when nothing is."""
    amiss = [each for each in judged if each.level in _STATES]
    return max(amiss, key=lambda each: each.level.rank, default=None)


def _publisher(seen: Seen) -> Check:
    """The signed database."""
    now, updates = seen.now, seen.updates
    if not updates.trusted and not updates.version:
        detail = "nothing says whose to believe; scanning goes on with what is here"
        return Check(GROUP, "updates", State.OK, detail)
    worst = _worst(judge_updates(seen))
    if worst is not None:
        return Check(GROUP, "updates", _STATES[worst.level], worst.text, worst.advice)
    age = age_words(max(0.0, now - updates.created)) if updates.created else ""
    detail = (
        f"version {updates.version}, {age} old" if updates.version else "no version is here yet"
    )
    if updates.witnesses:
        detail += f", seen by {', '.join(updates.witnesses)}"
    return Check(GROUP, "updates", State.OK, detail)
