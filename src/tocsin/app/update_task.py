"""One update in the background, in a process that has nothing else to do and few rights.

As root that is two processes: what confining workers takes is kept by one that never talks to
the network, and what does has no capability at all (`update_apart`). What came of it is
journalled: a version that was taken into use, a later release of the program, a publisher that
waits for consent, and a failure when it is another one than the last time.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime

import msgspec

from tocsin.app.acting import write_events
from tocsin.app.installed import sources_folder, updates_folder
from tocsin.app.ownership import make_journal_folder
from tocsin.app.update_apart import Done, Say, Trials, without_rights
from tocsin.app.update_health import failed_software, later_software
from tocsin.app.update_rounds import has_sources, is_trusted
from tocsin.app.update_test import try_out, try_out_source
from tocsin.app.updates import Asked, state_of, update_device
from tocsin.errors import TocsinError
from tocsin.protect.daemon.rights import keep_capabilities
from tocsin.protect.journal.event import Event, Kind, Severity
from tocsin.protect.schedule.priority import lower_priority
from tocsin.settings import Settings
from tocsin.transparency.verdict import Standing
from tocsin.updates.receive.errors import ConsentNeeded, StateBusy, UpdateError
from tocsin.updates.receive.roots import Waiting
from tocsin.updates.receive.rulebook import EditionOutcome
from tocsin.updates.receive.state import LastRun
from tocsin.updates.receive.updater import Outcome
from tocsin.updates.sources.in_use import MOST_TROUBLE, SourcePlace
from tocsin.version import VERSION

ORIGIN = "update"
TAKEN, FAILED, WAITS = 0, 2, 3
_NICE = 19
_MOST_NAMED = 50
"""Rules that an edition takes away, in the journal."""

_RIGHTS = (
    *("SETUID", "SETGID", "SETPCAP", "SYS_ADMIN", "SYS_CHROOT", "SYS_RESOURCE", "KILL"),
    "DAC_READ_SEARCH",
)
"""What confining workers takes, and writing to the journal as the daemon's user."""


def update_in_background(settings: Settings, say: Say = lambda _: None) -> tuple[int, list[str]]:
    """Bring this device up to date with as little as possible.

    Args:
        settings: of the device.
        say: told in a few words what it comes to.

    Returns:
        An exit status: 0 up to date, 2 not, 3 a new publisher waits; and what else did not go
        as it should, in words.
    """
    trouble = lower_priority(_NICE, idle_io=True)
    if os.geteuid() == 0:
        with suppress(TocsinError, OSError):  # what cannot be journalled is said at the end
            make_journal_folder(settings)  # which takes a right that nothing later does
        keep_capabilities(*_RIGHTS)
    trials = Trials(
        lambda database: try_out(settings, database),
        lambda name, files: try_out_source(settings, name, files),
    )

    def work(asked: Trials, told: Say) -> Done:
        return _round(settings, asked, told)

    try:
        if os.geteuid() == 0:
            folders = (updates_folder(settings), sources_folder(settings))
            done = without_rights(work, trials, folders, say)
        else:
            done = work(trials, say)
    except UpdateError as error:
        say(str(error))
        done = _ended_early(settings, error)
    if done.events and (unwritten := write_events(settings, done.events)):
        trouble.append(f"not journalled: {unwritten}")
    return done.status, trouble


def _ended_early(settings: Settings, error: UpdateError) -> Done:
    """A round whose other process did not come to its end: remembered, and told once."""
    before, _ = _before(settings)
    with suppress(TocsinError, OSError):
        last = before or LastRun(datetime.now(UTC), "failed", "")
        state_of(settings).keep_last_run(
            msgspec.structs.replace(
                last, at=datetime.now(UTC), outcome="failed", text=str(error)[:2000]
            )
        )
    status, event = _not_taken(error, before)
    return Done(status, [] if event is None else [event])


def _round(settings: Settings, trials: Trials, say: Say) -> Done:
    """Everything but trials and the journal."""
    status, events = _signed(settings, trials, say) if is_trusted(settings) else (TAKEN, [])
    try:
        failed, of_sources = _from_sources(settings, trials, say)
    except (TocsinError, OSError) as error:
        say(str(error))
        failed, of_sources = True, _told_once(settings, f"the sources: {error}")
    return Done(status or (FAILED if failed else TAKEN), [*events, *of_sources])


def _signed(settings: Settings, trials: Trials, say: Say) -> tuple[int, list[Event]]:
    """The publisher's database: exit status, and what is to be journalled."""
    before, known = _before(settings)
    later = before.software if before is not None else ""
    rulebook = RulebookTold(settings, say)
    try:
        outcome = update_device(settings, Asked(), trial=trials.database, told=rulebook.hear)
    except StateBusy as error:  # somebody updates by hand: that is no failure to tell of
        say(str(error))
        return FAILED, []
    except (TocsinError, OSError) as error:
        say(str(error))
        status, event = _not_taken(error, before)
        told = (event, _later(settings, later), *rulebook.events)
        return status, [each for each in told if each is not None]
    say(outcome.choice.why)
    new = [each for each in outcome.waiting if each.step.version not in known]
    told = (_taken(outcome), _waiting(new), _later(settings, later), *rulebook.events)
    events = [each for each in told if each is not None]
    return WAITS if outcome.waiting else FAILED if rulebook.failed else TAKEN, events


def _from_sources(settings: Settings, trials: Trials, say: Say) -> tuple[bool, list[Event]]:
    """What others publish: whether one failed, and what is to be journalled."""
    if not has_sources(settings):
        return False, []
    from tocsin.app.update_sources import (
        SourceAsked,
        State,
        meant_sources,
        sources_values,
        update_sources,
    )

    known = {each["name"]: each["trouble"] for each in sources_values(settings)}
    asked = SourceAsked(trial=trials.source)
    outcomes = update_sources(settings, meant_sources(settings, ()), asked, say=say)
    SourcePlace(sources_folder(settings)).forget_trouble()
    events = []
    for each in outcomes:
        if each.state is State.UPDATED:
            text = f"source {each.name}: {each.text}"
            events.append(_event(text, Severity.NOTICE, "updated", source=each.name))
        elif each.state is State.FAILED and known.get(each.name) != each.text:  # told once
            text = f"source {each.name} failed: {each.text}"
            events.append(_event(text, Severity.WARNING, "failed", source=each.name))
    return any(each.state is State.FAILED for each in outcomes), events


def _told_once(settings: Settings, text: str) -> list[Event]:
    """What is journalled where no source could be looked after: nothing when that was so before."""
    place = SourcePlace(sources_folder(settings))
    known = place.never_came()
    place.keep_trouble(datetime.now(UTC), text)
    if known is not None and known.trouble == text[:MOST_TROUBLE]:
        return []
    return [_event(text, Severity.WARNING, "failed")]


class RulebookTold:
    """What is said and journalled of the rulebook: a failure only once.

    Args:
        settings: of the device.
        say: told what came of it.

    Attributes:
        events: to be journalled.
        failed: whether a later edition is not used, for a reason that is none of the time.
    """

    def __init__(self, settings: Settings, say: Say) -> None:
        self.events: list[Event] = []
        self.failed = False
        self._say = say
        self._last: LastRun | None = None
        with suppress(TocsinError, OSError):
            self._last = state_of(settings).rulebooks.last_run()

    def hear(self, outcome: EditionOutcome) -> None:
        """Hear what came of it."""
        if outcome.failed:
            self.failed = True
            self._say(outcome.failed)
            if self._last is None or self._last.text != outcome.failed[:2000]:
                text = f"the update of the rulebook failed: {outcome.failed}"
                self.events.append(_event(text, Severity.WARNING, "failed", rulebook=True))
        elif outcome.changed:
            self._say(outcome.why)
            rules = outcome.rules
            told = f"; rules {rules}" if rules else ""
            self.events.append(
                _event(
                    outcome.why + _before_and_by(outcome) + told,
                    Severity.WARNING if rules and rules.removed else Severity.NOTICE,
                    "updated",
                    rulebook=True,
                    before=outcome.before,
                    edition=outcome.now,
                    source=outcome.source,
                    rules_removed=list(rules.removed[:_MOST_NAMED]) if rules else [],
                )
            )


def _before_and_by(outcome: Outcome | EditionOutcome) -> str:
    """What was in use before, and who saw what is."""
    verdict = outcome.vouching.verdict if outcome.vouching else None
    standings = verdict.witnesses if verdict else ()
    seen = [each.witness.name for each in standings if each.standing is Standing.COUNTS]
    before = f" (was {outcome.before})" if outcome.before else ""
    return before + (f", seen by {', '.join(seen)}" if seen else "")


def _taken(outcome: Outcome) -> Event | None:
    """What is journalled of an update that did not fail."""
    if not outcome.changed:
        return None
    return _event(
        f"version {outcome.now} of the signatures is in use{_before_and_by(outcome)}",
        Severity.NOTICE,
        "updated",
        before=outcome.before,
        version=outcome.now,
        way=outcome.way,
        source=outcome.source,
        bytes=sum(step.bytes for step in outcome.steps),
        milliseconds={step.name: round(step.milliseconds, 1) for step in outcome.steps},
        left_aside=dict(outcome.failures),
    )


def _waiting(new: Sequence[Waiting]) -> Event | None:
    """What is journalled of roots that wait since this run; the old publisher's still holds."""
    if not new:
        return None
    reasons = "; ".join(new[-1].reasons())
    message = f"root {new[-1].step.version} waits for you ({reasons}): tocsin update consent"
    return _event(message, Severity.WARNING, "waiting", root=new[-1].step.version)


def _later(settings: Settings, told: str) -> Event | None:
    """What is journalled of a later release of the program, once for each, whatever came of it."""
    last, _ = _before(settings)
    later = later_software(last.software if last is not None else "")
    if later in ("", told) or failed_software(later):
        return None
    return _event(
        f"version {later} of tocsin is there, this is {VERSION}: tocsin update software",
        Severity.NOTICE,
        "available",
        running=VERSION,
        software=later,
    )


def _not_taken(error: Exception, before: LastRun | None) -> tuple[int, Event | None]:
    """Exit status, and what is journalled: nothing when it is what was said the last time."""
    text, waits = str(error), isinstance(error, ConsentNeeded)
    status, outcome = (WAITS, "waiting") if waits else (FAILED, "failed")
    if before is not None and (before.outcome, before.text) == (outcome, text[:2000]):
        return status, None
    if waits:
        return status, _event(f"an update waits: {text}", Severity.WARNING, outcome)
    return status, _event(f"the update failed: {text}", Severity.WARNING, outcome)


def _event(message: str, severity: Severity, action: str, **details: object) -> Event:
    return Event(
        kind=Kind.UPDATE,
        severity=severity,
        message=message,
        origin=ORIGIN,
        action=action,
        uid=os.getuid(),
        pid=os.getpid(),
        details=details,
    )


def _before(settings: Settings) -> tuple[LastRun | None, frozenset[int]]:
    """What the last run did, and the roots that it left waiting."""
    with suppress(UpdateError):
        state = state_of(settings)
        return state.last_run(), frozenset(state.pending())
    return None, frozenset()
