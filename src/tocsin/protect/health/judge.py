"""Whether this device is protected, judged from what is known of it; nothing is looked up here.

Each judgement is about one topic, says what is so in one sentence, and, where something is
amiss, what to do about it. The worst of them is the state of the device.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tocsin.protect.health.seen import (
    DAY,
    Judgement,
    Level,
    Seen,
    Updates,
    age_words,
    database_time,
    forwarders,
    is_young,
)

OVERDUE_SECONDS = 3600.0
CLOCK_TOLERANCE = 300.0
FORWARD_LAG = 10_000
_MOST_NAMED = 3
_RESTART = "restart it: systemctl restart tocsin"
_RELOAD = "mend that, then: systemctl reload tocsin"
_TRY = "tocsin update"
_MOST_FAILURES = 3
_UPDATE = "bring in newer signatures: run freshclam, or take a newer release of tocsin"


def judge(seen: Seen) -> list[Judgement]:
    """Everything that is to be said, the worst first."""
    found = []
    for topic, judged in _TOPICS:
        try:
            found += list(judged(seen))
        except (TypeError, ValueError, AttributeError, KeyError, OverflowError) as error:
            text = f"what the daemon says of it makes no sense to this command: {error}"
            found.append(Judgement(Level.WARNING, topic, text, _RESTART))
    return sorted(found, key=lambda judgement: -judgement.level.rank)


def judge_updates(seen: Seen) -> list[Judgement]:
    """What is to be said of updates alone."""
    return list(_updates(seen))


def judge_sources(seen: Seen) -> list[Judgement]:
    """What is to be said of sources that others publish alone."""
    return list(_sources(seen))


def worst(judgements: list[Judgement]) -> Level:
    """The state of the device: a mere note is well."""
    level = max((each.level for each in judgements), key=lambda level: level.rank, default=Level.OK)
    return Level.OK if level is Level.NOTE else level


def exit_status(judgements: list[Judgement]) -> int:
    """0 when all is well, 1 when something needs attention, 2 when protection is amiss."""
    return {Level.OK: 0, Level.WARNING: 1, Level.ALARM: 2}[worst(judgements)]


def headline(seen: Seen, judgements: list[Judgement]) -> str:
    """The state of the device in one line."""
    level = worst(judgements)
    count = sum(judgement.level is level for judgement in judgements)
    if seen.daemon is None:
        return "Not protected: the daemon does not answer"
    if level is Level.ALARM:
        return "Not protected as it should be: " + _alarms(count)
    words = "Protected" if seen.daemon.get("guarded") else "Scanning what it is asked to scan"
    if level is Level.WARNING:
        things = "one thing needs" if count == 1 else f"{count} things need"
        return f"{words}, but {things} attention"
    return words if seen.daemon.get("guarded") else f"{words}; nothing is guarded in real time"


# --- one topic each -----------------------------------------------------------------------


def _daemon(seen: Seen) -> Iterator[Judgement]:
    topic = "daemon"
    state = seen.daemon
    if state is None:
        yield Judgement(Level.ALARM, topic, "nothing is scanned or guarded", seen.unreachable)
        return
    version = str(state.get("version", ""))
    if version != seen.version:
        text = f"it runs version {version or 'unknown'}, this command is {seen.version}"
        yield Judgement(Level.WARNING, topic, text, _RESTART)
    database = state.get("database", {})
    if not state.get("ready"):
        if database.get("indexing") or is_young(seen):
            yield Judgement(Level.WARNING, topic, "signatures are being read; requests wait")
        elif database.get("generation"):
            yield Judgement(Level.WARNING, topic, "its engine is being replaced; requests wait")
        else:
            text = "it has no engine: requests wait in vain"
            yield Judgement(Level.ALARM, topic, text, "its log says why: journalctl -u tocsin")
    restarts = {str(name): int(count) for name, count in state.get("restarts", {}).items()}
    if any(restarts.values()):
        names = ", ".join(f"{name} {_times(count)}" for name, count in restarts.items() if count)
        text = f"processes ended unasked and were started anew: {names}"
        yield Judgement(Level.NOTE, topic, text, "tocsin events --kind failure says why")


def _clock(seen: Seen) -> Iterator[Judgement]:
    started = float((seen.daemon or {}).get("started") or 0.0)
    if started > seen.now + CLOCK_TOLERANCE:
        text = f"it was set back by at least {age_words(started - seen.now)} since the daemon began"
        yield Judgement(
            Level.WARNING, "clock", text, "set it; ages shown here are not to be trusted"
        )


def _database(seen: Seen) -> Iterator[Judgement]:
    topic = "database"
    state = (seen.daemon or {}).get("database", {})
    if trouble := state.get("trouble"):
        advice = _RELOAD
        yield Judgement(
            Level.ALARM, topic, f"not the one that the settings name: {trouble}", advice
        )
    if refused := state.get("refused"):
        text = f"a newer one could not be taken into use: {refused}"
        yield Judgement(Level.WARNING, topic, text, _RELOAD)
    if seen.sources_trouble:
        yield Judgement(Level.ALARM, topic, seen.sources_trouble, "look at [database] sources")
    newest = database_time(seen)
    if newest <= 0:
        in_use = seen.daemon is None or state.get("generation")
        if in_use and not trouble and not seen.sources_trouble:
            yield Judgement(Level.WARNING, topic, "how old its sources are is not known")
        return
    age, settings = seen.now - newest, seen.settings.database
    if age < -CLOCK_TOLERANCE:
        text = f"its newest source is of the future, by {age_words(-age)}: a clock was wrong"
        yield Judgement(Level.WARNING, topic, text, "compare 'date' with the date of that file")
        return
    for level, days in (
        (Level.ALARM, settings.alarm_after_days),
        (Level.WARNING, settings.warn_after_days),
    ):
        if days and age >= days * DAY:
            text = f"its newest source is {age_words(age)} old"
            yield Judgement(level, topic, text, _UPDATE)
            return


def _updates(seen: Seen) -> Iterator[Judgement]:
    """Updates of a publisher, where somebody said whose are believed."""
    topic, updates, settings = "updates", seen.updates, seen.settings.database
    if updates.trouble:
        yield Judgement(Level.WARNING, topic, updates.trouble, "tocsin update status")
    if not updates.trusted:
        if updates.version:
            text = f"version {updates.version} is in use, and nothing says whose updates to believe"
            yield Judgement(Level.WARNING, topic, text, "tocsin update trust --root root.json …")
        return
    if updates.split:
        text = "a log signed two histories; nothing is taken from it"
        yield Judgement(Level.ALARM, topic, text, "tocsin update status names the evidence")
    if updates.waiting:
        text = f"root {updates.waiting} would make another one the publisher; nothing new is taken"
        yield Judgement(Level.WARNING, topic, text, "tocsin update consent shows who, and asks")
    if updates.quorum_met is False:
        text = f"version {updates.version} was not seen by enough of the witnesses you trust now"
        yield Judgement(Level.WARNING, topic, text, "tocsin update verify")
    since = updates.confirmed or updates.created
    age = seen.now - since
    for level, days in (
        (Level.ALARM, settings.alarm_after_days),
        (Level.WARNING, settings.warn_after_days),
    ):
        if since and days and age >= days * DAY:
            text = f"for {age_words(age)} nobody confirmed that what is in use is the newest"
            yield Judgement(level, topic, text, _why_no_update(updates))
            return
    if updates.outcome == "failed" and not updates.waiting:
        level = (
            Level.NOTE if updates.version and updates.failures < _MOST_FAILURES else Level.WARNING
        )
        yield Judgement(level, topic, f"the last one failed: {updates.text}", _TRY)
    if not updates.every:
        text = "the daemon makes none by itself: [updates] every is 0"
        yield Judgement(Level.NOTE, topic, text)
    elif not updates.version and updates.outcome != "failed":
        former = "; the database of the publisher before protects" if updates.former else ""
        yield Judgement(Level.NOTE, topic, f"no version is here yet{former}", _TRY)


def _software(seen: Seen) -> Iterator[Judgement]:
    later, failed = seen.updates.software, seen.updates.software_failed
    if later and failed:
        text = f"version {later} of tocsin is there and did not pass its test here: {failed}"
        yield Judgement(Level.NOTE, "software", text, f"{_TRY} software --again")
    elif later:
        text = f"version {later} of tocsin is there, this is {seen.version}: {_TRY} software"
        yield Judgement(Level.NOTE, "software", text)


def _sources(seen: Seen) -> Iterator[Judgement]:
    """Sources that others publish; one that is behind is never as bad as no database."""
    topic, days = "sources", seen.settings.database.warn_after_days
    for source in seen.sources:
        if not source.confirmed or not source.whole:
            text = f"{source.name} is not in use as it should be: {source.trouble}"
            yield Judgement(Level.WARNING, topic, text, _TRY)
            continue
        age = seen.now - source.confirmed
        failed = f"the last try failed: {source.trouble}" if source.trouble else ""
        if days and age >= days * DAY:
            text = f"{source.name} was last confirmed as the newest {age_words(age)} ago"
            advice = f"{_TRY}; {failed}" if failed else _TRY
            yield Judgement(Level.WARNING, topic, text, advice)
        elif failed:
            text = f"{source.name} stays as it was {age_words(max(0.0, age))} ago; {failed}"
            yield Judgement(Level.NOTE, topic, text, _TRY)


def _why_no_update(updates: Updates) -> str:
    if updates.outcome == "failed":
        return f"{_TRY}; the last one failed: {updates.text}"
    return _TRY


def _guard(seen: Seen) -> Iterator[Judgement]:
    topic = "guard"
    if seen.daemon is None:
        return
    wanted_now = seen.settings.guard.enabled
    wanted = bool(seen.daemon.get("guarded", wanted_now))
    if wanted != wanted_now and seen.same_settings:
        said = "enabled" if wanted_now else "disabled"
        text = f"it was {said} in the settings after the daemon began"
        yield Judgement(Level.WARNING, topic, text, _RESTART)
    if not wanted:
        text = "no guard: [guard] enabled is false in the settings"
        yield Judgement(Level.NOTE, topic, text)
        return
    state = seen.daemon.get("guard") or {}
    if not state:
        if is_young(seen):
            yield Judgement(Level.WARNING, topic, "it is starting")
        else:
            advice = "tocsin events --kind failure --kind guard says why"
            yield Judgement(Level.ALARM, topic, "it does not run: no opening is looked at", advice)
        return
    if not state.get("active"):
        reason = state.get("reason") or "it does not say why"
        text = f"it is not active: {reason}"
        yield Judgement(Level.ALARM, topic, text, "look at [guard] in the settings")
        return
    yield from _guard_weaknesses(seen, state)


def _guard_weaknesses(seen: Seen, state: dict[str, Any]) -> Iterator[Judgement]:
    topic = "guard"
    amiss = [target for target in state.get("targets", []) if target.get("trouble")]
    for target in amiss[:_MOST_NAMED]:
        text = f"{target.get('path')} ({target.get('kind')}) is not guarded: {target['trouble']}"
        yield Judgement(Level.WARNING, topic, text, "mount or make it, or take it out of [guard]")
    if len(amiss) > _MOST_NAMED:
        text = f"{len(amiss) - _MOST_NAMED} more places are not guarded"
        yield Judgement(Level.WARNING, topic, text, "tocsin status --json names them")
    if state.get("mode", "permission") != "permission":
        chosen = seen.settings.guard.mode == "notify"
        reason = f": {state['reason']}" if state.get("reason") else ""
        text = f"files are looked at after they were opened, and nothing is refused{reason}"
        advice = "" if chosen else "give it what it lacks, or settle for [guard] mode = 'notify'"
        yield Judgement(Level.NOTE if chosen else Level.WARNING, topic, text, advice)
    if state.get("engine") is False and (seen.daemon or {}).get("ready"):
        fallback = seen.settings.guard.fallback
        text = f"it has no engine; [guard] fallback decides, which is to {fallback}"
        yield Judgement(Level.WARNING, topic, text)
    if overflows := int(state.get("overflows") or 0):
        text = f"the kernel lost events, {_times(overflows)}: some openings were not looked at"
        yield Judgement(Level.WARNING, topic, text, "guard less, or exclude busy programs")
    if timed_out := int(state.get("timed_out") or 0):
        text = f"{timed_out:,} openings had no verdict in time and were decided by the fallback"
        yield Judgement(Level.NOTE, topic, text, "raise [guard] deadline, or guard less")


def _tasks(seen: Seen) -> Iterator[Judgement]:
    topic = "tasks"
    for task in seen.tasks:
        if task.trouble:
            advice = f"tocsin events --text task:{task.name}"
            yield Judgement(Level.WARNING, topic, f"{task.name}: {task.trouble}", advice)
        elif (
            seen.daemon is not None
            and task.state not in ("running", "paused")
            and 0 < task.next < seen.now - OVERDUE_SECONDS
            and not is_young(seen)
        ):
            text = f"{task.name} has been due for {age_words(seen.now - task.next)}"
            yield Judgement(Level.WARNING, topic, text, "tocsin events --kind task")


def _happened(seen: Seen) -> Iterator[Judgement]:
    happened = seen.happened
    if happened is None:
        return
    if paths := happened.unresolved:
        more = f" and {len(paths) - 1:,} more" if len(paths) > 1 else ""
        text = f"infected and still in its place: {paths[0]}{more}"
        advice = "tocsin quarantine take PATH, or tocsin allow PATH if it is known to be good"
        yield Judgement(Level.WARNING, "findings", text, advice)
    if failures := happened.failures:
        text = f"failed within 24 hours, {_times(len(failures))}; the last: {failures[0]}"
        yield Judgement(Level.WARNING, "failures", text, "tocsin events --kind failure --since 24h")


def _quarantine(seen: Seen) -> Iterator[Judgement]:
    stored = seen.stored
    if stored is None:
        return
    most = seen.settings.quarantine.max_size
    if most and stored.size >= 0.95 * most:
        text = "it is nearly full; what does not fit is refused and stays where it is"
        yield Judgement(Level.WARNING, "quarantine", text, "delete from it, or raise max_size")
    if count := stored.restorable:
        what = "one object is" if count == 1 else f"{count:,} objects are"
        text = f"{what} no longer detected; 'tocsin quarantine restore' puts back what you name"
        yield Judgement(Level.NOTE, "quarantine", text, "tocsin quarantine list names them")


def _queue(seen: Seen) -> Iterator[Judgement]:
    queue = (seen.daemon or {}).get("queue", {})
    pending, most = int(queue.get("pending") or 0), int(queue.get("most") or 0)
    if most and pending >= most:
        text = f"{pending:,} requests wait, which is the most; more are refused"
        yield Judgement(Level.WARNING, "queue", text, "look at 'tocsin top'; raise [scan] jobs")


def _journal(seen: Seen) -> Iterator[Judgement]:
    topic = "journal"
    state = (seen.daemon or {}).get("journal", {})
    if trouble := state.get("trouble"):
        text = f"events wait in memory: {trouble}"
        yield Judgement(Level.WARNING, topic, text)
    if dropped := int(state.get("dropped") or 0):
        yield Judgement(Level.WARNING, topic, f"{dropped:,} events were lost, there were too many")
    if seen.journal_trouble:
        yield Judgement(Level.WARNING, topic, seen.journal_trouble)
    for name, behind, trouble in forwarders(seen):
        if trouble:
            text = f"not forwarded to {name}: {trouble}"
            yield Judgement(Level.WARNING, topic, text, "nothing is lost; it goes on by itself")
        elif behind > FORWARD_LAG:
            text = f"{name} is {behind:,} events behind"
            yield Judgement(Level.WARNING, topic, text, "nothing is lost; look at its target")


_TOPICS = (
    ("daemon", _daemon),
    ("clock", _clock),
    ("database", _database),
    ("updates", _updates),
    ("software", _software),
    ("sources", _sources),
    ("guard", _guard),
    ("tasks", _tasks),
    ("findings", _happened),
    ("quarantine", _quarantine),
    ("queue", _queue),
    ("journal", _journal),
)


# --- words --------------------------------------------------------------------------------


def _times(count: int) -> str:
    return {1: "once", 2: "twice"}.get(count, f"{count:,} times")


def _alarms(count: int) -> str:
    return "one alarm" if count == 1 else f"{count} alarms"
