"""What `tocsin status` shows of each part: labels and sentences, made from what was seen."""

from __future__ import annotations

from typing import Any

from tocsin.cli.printable import printable
from tocsin.cli.sizes import counted, human_size
from tocsin.cli.times import local_time
from tocsin.protect.health.seen import Seen, Task, age_words, database_time, forwarders

_FOR_ADMINS = "shown to root and to members of [daemon] admin_group"
_UNKNOWN = "not known: the daemon does not answer"
_MOST_PLACES = 4
_MOST_FINDINGS = 5


def status_rows(seen: Seen) -> list[tuple[str, list[str]]]:
    """Label and lines of each part, in the order in which they are shown."""
    daemon = seen.daemon
    rows = [
        ("daemon", [_daemon(seen)]),
        ("database", [_database(seen)]),
        ("updates", _updates(seen)),
        *([("sources", lines)] if (lines := _sources(seen)) else []),
        ("guard", _guard(seen)),
        ("tasks", [_task(task, seen.now) for task in seen.tasks] or ["none in the settings"]),
        ("findings", _findings(seen)),
        ("quarantine", [_quarantine(seen)]),
    ]
    if daemon is not None:
        rows += [
            ("scanned", [_scanned(daemon)]),
            ("queue", [_queue(daemon)]),
            ("journal", [_journal(seen)]),
            ("listens at", [_listening(daemon)]),
        ]
    return rows


def _daemon(seen: Seen) -> str:
    daemon = seen.daemon
    if daemon is None:
        return "does not answer"
    started = float(daemon.get("started") or 0.0)
    if not started:
        return f"starting, version {daemon.get('version')}"
    lasted = age_words(max(0.0, seen.now - started))
    return (
        f"runs since {_minute(started)} ({lasted}), process {daemon.get('pid')}, "
        f"version {daemon.get('version')}"
    )


def _database(seen: Seen) -> str:
    state = (seen.daemon or {}).get("database", {})
    newest = database_time(seen)
    parts = []
    if state.get("signatures"):
        parts.append(counted(int(state["signatures"]), "signature"))
    if newest:
        age = f" ({age_words(seen.now - newest)} old)" if seen.now >= newest else ""
        parts.append(f"newest source of {_minute(newest)}{age}")
    if state.get("indexing"):
        parts.append("a newer one is being read")
    return "; ".join(parts) or "none"


def _updates(seen: Seen) -> list[str]:
    """The publisher's version, who vouches for it, and when the daemon asks again."""
    updates = seen.updates
    if not updates.trusted and not updates.version:
        return ["nothing says whose to believe: tocsin update trust"]
    lines = []
    if updates.version:
        age = age_words(max(0.0, seen.now - updates.created))
        pinned = ", pinned" if updates.pinned == updates.version else ""
        lines.append(
            f"version {updates.version}{pinned}, made {_minute(updates.created)} ({age} old)"
        )
        by = counted(updates.signatures, "key") + " of the publisher"
        if updates.witnesses:
            by += f", seen by {', '.join(map(printable, updates.witnesses))}"
        lines.append(f"signed with {by}")
    asked = (
        f"asked {_minute(updates.checked)}: {updates.outcome}" if updates.checked else "never asked"
    )
    if updates.failures:
        asked += f", {updates.failures:,} in a row failed"
    if not updates.every:
        asked += "; next when it is asked for"
    elif updates.next:
        asked += f"; next {_minute(updates.next)}" if updates.next > seen.now else "; next now"
    return [*lines, asked]


def _sources(seen: Seen) -> list[str]:
    """A line for each source that others publish."""
    lines = [seen.sources_closed] if seen.sources_closed else []
    for source in seen.sources:
        if source.confirmed:
            age = age_words(max(0.0, seen.now - source.confirmed))
            said = f"{counted(source.signatures, 'signature')}, the newest {age} ago"
        else:
            said = "not in use"
        if source.tried:
            said += f"; asked {_minute(source.tried)}"
        lines.append(
            printable(f"{source.name}: {said}{', which failed' if source.trouble else ''}")
        )
    return lines


def _guard(seen: Seen) -> list[str]:
    if seen.daemon is None:
        wanted = seen.settings.guard.enabled
        return [_UNKNOWN if wanted else "no guard: [guard] enabled is false in the settings"]
    state = seen.daemon.get("guard") or {}
    if not seen.daemon.get("guarded"):
        return ["no guard: [guard] enabled is false in the settings"]
    if not state:
        return ["not running"]
    if not state.get("active"):
        return [f"not active: {state.get('reason') or 'it does not say why'}"]
    places = [
        f"{target.get('path')} ({target.get('kind')})"
        for target in state.get("targets", [])
        if not target.get("trouble")
    ]
    shown = ", ".join(places[:_MOST_PLACES])
    more = f" and {len(places) - _MOST_PLACES} more" if len(places) > _MOST_PLACES else ""
    how = {
        "permission": "refuses to open what is infected",
        "notify": "looks at files after they were opened",
        "inotify": "looks at files after they were written",
    }.get(str(state.get("mode")), str(state.get("mode")))
    return [f"{how}, on {shown}{more}", _guard_counts(state)]


def _guard_counts(state: dict[str, Any]) -> str:
    counts = {name: int(state.get(name) or 0) for name in ("remembered", "joined", "looks")}
    guarded = sum(counts.values())
    openings = counted(int(state.get("events") or 0), "opening")
    parts = [f"{guarded:,} of {openings} were of guarded files"]
    if guarded:
        parts.append(f"{counts['remembered'] / guarded:.0%} known from memory")
    parts.append(f"{int(state.get('looks') or 0):,} looked at")
    parts.append(f"{int(state.get('denied') or 0):,} refused")
    if state.get("timed_out"):
        parts.append(f"{int(state['timed_out']):,} decided by the fallback")
    return ", ".join(parts)


def _task(task: Task, now: float) -> str:
    parts = []
    if task.state != "waiting":
        reason = f" ({task.waits_for})" if task.waits_for else ""
        parts.append(f"{task.state}{reason}, {counted(task.files, 'file')} so far")
    elif task.last:
        outcome = f", {task.outcome}" if task.outcome else ""
        found = "" if task.found is None else f", {task.found:,} found"
        parts.append(f"last {_minute(task.last)}{outcome}{found}")
    else:
        parts.append("never ran")
    if task.next:
        parts.append(f"next {_minute(task.next)}" if task.next > now else "due now")
    else:
        parts.append("next when it is asked for")
    return f"{task.name}: {'; '.join(parts)}"


def _findings(seen: Seen) -> list[str]:
    happened = seen.happened
    if happened is None:
        return [seen.journal_trouble or _FOR_ADMINS]
    more = " or more" if happened.more else ""
    lines = [f"{happened.day:,} within 24 hours, {happened.week:,}{more} within 7 days"]
    return [*lines, *map(printable, _last_findings(happened.last))]


def _last_findings(events: tuple[dict[str, Any], ...]) -> list[str]:
    """The last findings; the same in the same place is one, told with its last time."""
    times: dict[tuple[str, str, str], tuple[float, int]] = {}
    for event in events:
        names = event.get("signatures") or ("",)
        key = (str(names[0]), str(event.get("path")), str(event.get("action", "")))
        last, count = times.get(key, (float(event["time"]), 0))
        times[key] = (last, count + int((event.get("details") or {}).get("repeated") or 1))
    lines = []
    for (name, path, action), (last, count) in list(times.items())[:_MOST_FINDINGS]:
        said = ", ".join(part for part in (f"{count} times" if count > 1 else "", action) if part)
        lines.append(f"{_minute(last)}  {name}{f' ({said})' if said else ''}  {path}")
    return lines


def _quarantine(seen: Seen) -> str:
    stored = seen.stored
    if stored is None:
        return _FOR_ADMINS
    if not stored.objects:
        return "empty"
    may = f"; {stored.restorable:,} no longer detected" if stored.restorable else ""
    return f"{counted(stored.objects, 'object')}, {human_size(stored.size)}{may}"


def _scanned(daemon: dict[str, Any]) -> str:
    state = daemon.get("scanned", {})
    objects, size = int(state.get("objects") or 0), int(state.get("bytes") or 0)
    if not objects:
        return "nothing yet"
    verdicts = {name: count for name, count in state.get("verdicts", {}).items() if count}
    told = ", ".join(f"{count:,} {name}" for name, count in verdicts.items())
    seconds = float(state.get("worker_seconds") or 0.0)
    speed = f"; {human_size(size / seconds)}/s for each worker" if seconds > 0 else ""
    return f"{counted(objects, 'object')} of {human_size(size)} for clients: {told}{speed}"


def _queue(daemon: dict[str, Any]) -> str:
    queue = daemon.get("queue", {})
    parts = [
        f"{int(queue.get('pending') or 0):,} under way or waiting",
        counted(int(daemon.get("jobs") or 0), "worker"),
        counted(int(daemon.get("clients") or 0), "client") + " of the clamd protocol",
    ]
    return ", ".join(parts)


def _journal(seen: Seen) -> str:
    state = (seen.daemon or {}).get("journal", {})
    parts = []
    if seen.happened is not None and seen.happened.number:
        parts.append(counted(seen.happened.number, "event"))
    if waiting := int(state.get("waiting") or 0):
        parts.append(f"{waiting:,} not written yet")
    for name, behind, trouble in forwarders(seen):
        parts.append(f"forwarded to {name}: " + (trouble or f"{behind:,} behind"))
    return "; ".join([*parts, str(state.get("file", ""))])


def _listening(daemon: dict[str, Any]) -> str:
    places = daemon.get("listening", {})
    named = {"clamd": "", "tcp": "", "metrics": " (metrics)", "api": " (API)"}
    return ", ".join(f"{places[key]}{what}" for key, what in named.items() if places.get(key))


def _minute(moment: float) -> str:
    """A point in time without its seconds."""
    return local_time(moment).rpartition(":")[0] or local_time(moment)
