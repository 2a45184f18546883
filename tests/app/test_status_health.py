"""Whether this device is protected: tables of cases, each with what must be said of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tocsin.protect.health.judge import exit_status, headline, judge, worst
from tocsin.protect.health.recent import failures, unresolved
from tocsin.protect.health.seen import (
    Happened,
    Judgement,
    Level,
    Seen,
    Source,
    Stored,
    Task,
    Updates,
    age_words,
)
from tocsin.protect.health.tasks import tasks_on_disk
from tocsin.protect.schedule.files import write_state
from tocsin.protect.schedule.plan import Memory, Planned
from tocsin.protect.schedule.progress import Files, Progress, State
from tocsin.settings import TaskSettings, settings_from

NOW = 1_800_000_000.0
DAY = 86400.0
GUARDED = settings_from({"guard": {"enabled": True, "folders": ["/srv"]}})
OPEN = settings_from({})


def daemon(**changed: Any) -> dict[str, Any]:
    """What a daemon says that is well."""
    state: dict[str, Any] = {
        "version": "1.0",
        "pid": 100,
        "started": NOW - 2 * DAY,
        "ready": True,
        "guarded": True,
        "paths": True,
        "database": {
            "generation": 2,
            "signatures": 1000,
            "newest": NOW - DAY,
            "trouble": "",
            "refused": "",
            "indexing": False,
        },
        "guard": {
            "mode": "permission",
            "active": True,
            "reason": "",
            "targets": [{"kind": "folder", "path": "/srv", "trouble": ""}],
            "engine": True,
            "overflows": 0,
            "timed_out": 0,
        },
        "queue": {"pending": 3, "waiting": 0, "most": 2000},
        "journal": {"trouble": "", "dropped": 0, "forward": {}},
        "restarts": {},
    }
    for name, value in changed.items():
        before = state.get(name)
        state[name] = {**before, **value} if isinstance(before, dict) and value else value
    return state


def seen(**changed: Any) -> Seen:
    known = Seen(NOW, "1.0", GUARDED, daemon=daemon())
    return known._replace(**changed)


def said(judgements: list[Judgement], topic: str) -> list[tuple[Level, str]]:
    return [(each.level, each.text) for each in judgements if each.topic == topic]


def test_all_is_well() -> None:
    judgements = judge(seen(happened=Happened(day=3, week=5), stored=Stored(2, 100)))
    assert judgements == []
    assert exit_status(judgements) == 0
    assert headline(seen(), judgements) == "Protected"


@pytest.mark.parametrize(
    ("age", "level", "part"),
    [
        (0, None, ""),
        (3 * DAY - 1, None, ""),
        (3 * DAY, Level.WARNING, "3 days old"),
        (7 * DAY - 1, Level.WARNING, "6 days old"),
        (7 * DAY, Level.ALARM, "7 days old"),
        (4000 * DAY, Level.ALARM, "4,000 days old"),
        (-60, None, ""),
        (-3 * 3600, Level.WARNING, "of the future, by 3 hours"),
        (-400 * DAY, Level.WARNING, "of the future, by 400 days"),
    ],
)
def test_the_age_of_the_database(age: float, level: Level | None, part: str) -> None:
    for known in (
        seen(daemon=daemon(database={"newest": NOW - age})),
        seen(daemon=None, newest=NOW - age),
    ):
        found = said(judge(known), "database")
        assert [each for each, _ in found] == ([level] if level else [])
        assert part in "".join(text for _, text in found)


def test_the_age_of_the_database_is_judged_by_the_settings() -> None:
    settings = settings_from({"database": {"warn_after_days": 30.0, "alarm_after_days": 0.0}})
    old = daemon(database={"newest": NOW - 100 * DAY})
    found = said(judge(seen(settings=settings, daemon=old)), "database")
    assert [level for level, _ in found] == [Level.WARNING]  # 0: no alarm
    assert not said(judge(seen(settings=settings)), "database")


@pytest.mark.parametrize(
    ("changed", "level", "topic", "part"),
    [
        # the daemon
        ({"version": "0.9"}, Level.WARNING, "daemon", "runs version 0.9, this command is 1.0"),
        ({"ready": False}, Level.WARNING, "daemon", "being replaced"),
        (
            {"ready": False, "database": {"generation": 0, "newest": 0.0}},
            Level.ALARM,
            "daemon",
            "requests wait in vain",
        ),
        (
            {"ready": False, "database": {"generation": 0, "newest": 0.0, "indexing": True}},
            Level.WARNING,
            "daemon",
            "signatures are being read",
        ),
        ({"restarts": {"host": 2, "front": 0}}, Level.NOTE, "daemon", "host twice"),
        ({"started": NOW + 2 * DAY}, Level.WARNING, "clock", "set back by at least 2 days"),
        # the database
        (
            {"database": {"trouble": "daily.cvd is damaged; the last one is used", "newest": 0.0}},
            Level.ALARM,
            "database",
            "not the one that the settings name: daily.cvd is damaged",
        ),
        ({"database": {"refused": "main.cvd:3"}}, Level.WARNING, "database", "main.cvd:3"),
        ({"database": {"newest": 0.0}}, Level.WARNING, "database", "is not known"),
        # the guard
        ({"guard": {}}, Level.ALARM, "guard", "does not run"),
        (
            {"guard": {"active": False, "reason": "the kernel has no fanotify"}},
            Level.ALARM,
            "guard",
            "not active: the kernel has no fanotify",
        ),
        (
            {"guard": {"mode": "notify", "reason": "only root may"}},
            Level.WARNING,
            "guard",
            "nothing is refused: only root may",
        ),
        (
            {"guard": {"targets": [{"kind": "mount", "path": "/mnt", "trouble": "not there"}]}},
            Level.WARNING,
            "guard",
            "/mnt (mount) is not guarded: not there",
        ),
        ({"guard": {"engine": False}}, Level.WARNING, "guard", "which is to allow"),
        ({"guard": {"overflows": 1}}, Level.WARNING, "guard", "lost events, once"),
        ({"guard": {"timed_out": 12}}, Level.NOTE, "guard", "12 openings"),
        # the rest
        ({"queue": {"pending": 2000}}, Level.WARNING, "queue", "more are refused"),
        ({"journal": {"trouble": "disk full"}}, Level.WARNING, "journal", "disk full"),
        ({"journal": {"dropped": 5}}, Level.WARNING, "journal", "5 events were lost"),
        (
            {"journal": {"forward": {"siem": {"lag": 3, "failures": 1, "last_error": "refused"}}}},
            Level.WARNING,
            "journal",
            "not forwarded to siem: refused",
        ),
        (
            {"journal": {"forward": {"siem": {"lag": 20_000, "failures": 0, "last_error": "old"}}}},
            Level.WARNING,
            "journal",
            "siem is 20,000 events behind",
        ),
    ],
)
def test_what_the_daemon_says(changed: dict[str, Any], level: Level, topic: str, part: str) -> None:
    judgements = judge(seen(daemon=daemon(**changed)))
    assert [each.level for each in judgements] == [level], judgements
    assert judgements[0].topic == topic
    assert part in judgements[0].text
    assert exit_status(judgements) == {Level.NOTE: 0, Level.WARNING: 1, Level.ALARM: 2}[level]


def test_no_daemon_is_said_first_and_with_what_to_do() -> None:
    known = seen(daemon=None, unreachable="/run/x: start it", newest=NOW - 4 * DAY)
    judgements = judge(known)
    assert judgements[0] == Judgement(
        Level.ALARM, "daemon", "nothing is scanned or guarded", "/run/x: start it"
    )
    assert said(judgements, "database")[0][0] is Level.WARNING
    assert exit_status(judgements) == 2
    assert headline(known, judgements).startswith("Not protected")


def test_what_has_only_just_begun_may_be_on_its_way() -> None:
    young = daemon(started=NOW - 5, guard={}, ready=False, database={"generation": 0, "newest": 0})
    levels = {each.level for each in judge(seen(daemon=young))}
    assert levels == {Level.WARNING}


def test_without_a_guard_that_is_said_and_no_fault() -> None:
    known = seen(settings=OPEN, daemon=daemon(guarded=False, guard={}))
    judgements = judge(known)
    assert said(judgements, "guard") == [
        (Level.NOTE, "no guard: [guard] enabled is false in the settings")
    ]
    assert exit_status(judgements) == 0
    assert "nothing is guarded in real time" in headline(known, judgements)


def test_settings_that_were_changed_after_the_start() -> None:
    known = seen(settings=OPEN)
    assert "disabled in the settings after" in said(judge(known), "guard")[0][1]
    others = seen(settings=OPEN, same_settings=False)
    assert not said(judge(others), "guard")


def test_a_chosen_weaker_mode_is_but_a_note() -> None:
    settings = settings_from({"guard": {"enabled": True, "mode": "notify", "folders": ["/srv"]}})
    known = seen(settings=settings, daemon=daemon(guard={"mode": "notify"}))
    assert [each.level for each in judge(known)] == [Level.NOTE]


def test_many_places_without_a_guard_are_counted() -> None:
    targets = [{"kind": "mount", "path": f"/mnt/{n}", "trouble": "no"} for n in range(50)]
    found = said(judge(seen(daemon=daemon(guard={"targets": targets}))), "guard")
    assert len(found) == 4
    assert found[-1][1].startswith("47 more")


@pytest.mark.parametrize(
    ("task", "part"),
    [
        (Task("full", trouble="failed: no room"), "full: failed: no room"),
        (Task("full", next=NOW - 2 * 3600), "full has been due for 2 hours"),
        (Task("full", next=NOW - 60), ""),
        (Task("full", next=NOW + 60), ""),
        (Task("full", state="running", next=NOW - 9 * 3600), ""),
        (Task("full", state="paused", next=NOW - 9 * 3600), ""),
        (Task("full"), ""),
    ],
)
def test_tasks(task: Task, part: str) -> None:
    found = said(judge(seen(tasks=(task,))), "tasks")
    assert bool(found) == bool(part)
    assert part in "".join(text for _, text in found)


@pytest.mark.parametrize(
    ("source", "level", "part"),
    [
        (Source("feed", 10, NOW - DAY, NOW), None, ""),
        (
            Source("feed", 10, NOW - DAY, NOW, "404"),
            Level.NOTE,
            "1 day ago; the last try failed: 4",
        ),
        (Source("feed", 10, NOW + DAY, NOW, "404"), Level.NOTE, "less than a minute ago"),
        (Source("feed", 10, NOW - 8 * DAY, NOW), Level.WARNING, "newest 8 days ago"),
        (Source("feed", 10, NOW - 90 * DAY, NOW, "404"), Level.WARNING, "newest 90 days ago"),
        (Source("feed", trouble="404"), Level.WARNING, "not in use as it should be: 404"),
        (Source("feed", 1, NOW, NOW, "x is gone", whole=False), Level.WARNING, "x is gone"),
    ],
)
def test_sources_that_others_publish(source: Source, level: Level | None, part: str) -> None:
    judgements = judge(seen(sources=(source,)))
    assert [each.level for each in judgements] == ([level] if level else [])
    assert part in "".join(text for _, text in said(judgements, "sources"))
    assert exit_status(judgements) <= 1


def test_a_later_release_is_told_and_is_no_fault() -> None:
    judgements = judge(seen(updates=Updates(software="1.1")))
    assert said(judgements, "software") == [
        (Level.NOTE, "version 1.1 of tocsin is there, this is 1.0: tocsin update software")
    ]
    assert exit_status(judgements) == 0


def test_a_release_that_failed_here_is_not_told_as_one_to_be_installed() -> None:
    judgements = judge(seen(updates=Updates(software="1.1", software_failed="it crashed")))
    ((level, text),) = said(judgements, "software")
    assert level is Level.NOTE
    assert "did not pass its test here: it crashed" in text
    assert [each.advice for each in judgements] == ["tocsin update software --again"]


def test_tasks_as_their_runs_left_them(tmp_path: Path) -> None:
    for name, progress in {
        "full": Progress(state=State.FINISHED, ended=NOW - DAY, found=2, files=1000),
        "quick": Progress(state=State.FAILED, detail="no database", updated=NOW - 60),
        "mine": Progress(state=State.FINISHED, ended=NOW, found=1, failed=1),
        "gone": Progress(state=State.RUNNING, pid=1, files=5),
    }.items():
        write_state(Files.of(tmp_path, name).progress, progress)
    plan = Memory(tasks={"full": Planned(times="@daily", moment=NOW + 60, start=NOW + 90)})
    write_state(tmp_path / "tasks" / "schedule.json", plan)
    stated = [
        TaskSettings(name=name, kind="full", at=at)
        for name, at in (
            ("full", "@daily"),
            ("quick", ""),
            ("mine", ""),
            ("gone", ""),
            ("new", "@hourly"),
        )
    ]
    tasks = {task.name: task for task in tasks_on_disk(tmp_path, stated, NOW)}
    assert tasks["full"] == Task(
        "full", last=NOW - DAY, next=NOW + 90, found=2, outcome="", files=1000
    )
    assert tasks["quick"].trouble == "failed: no database"
    assert "1 of what it found" in tasks["mine"].trouble
    assert tasks["gone"].outcome == "interrupted"
    assert tasks["new"].last == 0
    assert NOW < tasks["new"].next <= NOW + 3600
    assert tasks["quick"].next == 0


def test_what_happened() -> None:
    happened = Happened(unresolved=("/srv/b", "/srv/a"), failures=("no room", "x", "y"))
    judgements = judge(seen(happened=happened))
    assert said(judgements, "findings")[0][1] == (
        "infected and still in its place: /srv/b and 1 more"
    )
    assert "3 times; the last: no room" in said(judgements, "failures")[0][1]
    assert exit_status(judgements) == 1


def test_a_quarantine_that_is_nearly_full() -> None:
    settings = settings_from({"quarantine": {"max_size": 1000}})
    assert not judge(seen(settings=settings, same_settings=False, stored=Stored(1, 900)))
    (offer,) = judge(seen(settings=settings, same_settings=False, stored=Stored(3, 900, 2)))
    assert (offer.level, offer.text) == (
        Level.NOTE,
        "2 objects are no longer detected; 'tocsin quarantine restore' puts back what you name",
    )
    found = judge(seen(settings=settings, same_settings=False, stored=Stored(1, 960)))
    assert said(found, "quarantine")[0][0] is Level.WARNING


def test_the_worst_comes_first_and_counts() -> None:
    state = daemon(guard={"active": False, "timed_out": 1}, database={"newest": NOW - 4 * DAY})
    known = seen(daemon=state)
    judgements = judge(known)
    assert [each.level for each in judgements] == [Level.ALARM, Level.WARNING]
    assert worst(judgements) is Level.ALARM
    assert headline(known, judgements) == "Not protected as it should be: one alarm"


@pytest.mark.parametrize(
    "state",
    [
        {"restarts": ["odd"]},
        {"started": "yesterday"},
        {"database": 5},
        {"guard": {"targets": 7, "active": True}},
        {"journal": {"forward": []}},
        {"queue": {"pending": "many", "most": 5}},
        {"started": float("nan"), "version": None},
    ],
)
def test_a_daemon_of_another_version_cannot_break_the_judgement(state: dict[str, Any]) -> None:
    judgements = judge(seen(daemon={**daemon(), **state}))
    assert worst(judgements) in (Level.WARNING, Level.OK)
    assert headline(seen(daemon={**daemon(), **state}), judgements)


def test_a_daemon_that_says_nothing_yet() -> None:
    judgements = judge(seen(daemon={}))
    assert exit_status(judgements) == 1 or exit_status(judgements) == 2


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (-5, "less than a minute"),
        (59, "less than a minute"),
        (60, "1 minute"),
        (3599, "59 minutes"),
        (3600, "1 hour"),
        (DAY, "1 day"),
        (3 * DAY + 5, "3 days"),
    ],
)
def test_ages_in_words(seconds: float, words: str) -> None:
    assert age_words(seconds) == words


def _event(kind: str, path: str, origin: str, action: str = "", **more: Any) -> dict[str, Any]:
    return {"kind": kind, "path": path, "origin": origin, "action": action, **more}


def test_what_was_found_and_is_still_there() -> None:
    events = [
        _event("detection", "/a", "guard", "denied"),
        _event("detection", "/b", "guard", "opened"),
        _event("detection", "/c", "task:full"),
        _event("detection", "/d", "daemon"),
        _event("detection", "/e", "cli"),
        _event("action", "/c", "task:full", "quarantined"),
        _event("detection", "/f", "guard", "noticed"),
        _event("detection", "/g", "guard", "opened"),
        _event("action", "/g", "cli", "restored"),
        _event("detection", "/b", "guard", "opened"),
        _event("action", "/f", "guard", "failed"),
    ]
    assert unresolved(events) == ("/b", "/f")
    assert unresolved([*events, _event("detection", "/b", "guard", "denied")]) == ("/f",)


def test_failures_that_were_mended_do_not_count() -> None:
    events = [
        _event("failure", "", "daemon", message="host was killed", severity="warning"),
        _event("failure", "", "daemon", message="no database", severity="alarm"),
        _event("failure", "", "guard", message="not taken", severity="alarm"),
    ]
    assert failures(events) == ("not taken", "no database")
