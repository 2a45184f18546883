"""`tocsin events` shows, follows and verifies what the journal of the settings holds."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import closing

import pytest
from click.testing import CliRunner

from tocsin.app.events import follow
from tocsin.cli import events as verb
from tocsin.cli.main import main
from tocsin.cli.times import past_moment
from tocsin.errors import UsageError
from tocsin.protect.journal.event import Event, Kind, Severity
from tocsin.protect.journal.store import Filter, Journal


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.setenv("TOCSIN_CONFIG_DIR", str(tmp_path / "config"))
    monkeypatch.setenv("TOCSIN_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.delenv("TOCSIN_CONFIG", raising=False)
    return tmp_path / "state" / "journal" / "journal.db"


@pytest.fixture
def journal(place):
    with closing(Journal(place)) as opened:
        now = time.time()
        opened.write_many(
            [
                Event(
                    kind=Kind.DAEMON,
                    severity=Severity.INFO,
                    message="started",
                    origin="daemon",
                    time=now - 7200,
                ),
                Event(
                    kind=Kind.DETECTION,
                    severity=Severity.ALARM,
                    message="infected file",
                    origin="guard",
                    path="/home/a\x1b[2J\udcff.exe",
                    signatures=("Win.Trojan.A",),
                    action="denied",
                    time=now - 60,
                ),
            ]
        )
        yield opened


def run(*arguments):
    return CliRunner().invoke(main, list(arguments), standalone_mode=False, catch_exceptions=False)


def test_kinds_and_severities_are_those_of_events():
    assert tuple(Kind) == verb._KINDS
    assert tuple(Severity) == verb._SEVERITIES


def test_a_table_for_people(journal):
    done = run("events")
    first, second, third, *_ = done.stdout.splitlines()
    assert first.split() == ["#", "time", "severity", "kind", "what"]
    assert "info" in second
    assert "ALARM" in third
    assert "infected file; Win.Trojan.A;" in third
    assert "\x1b" not in done.stdout
    assert "\\x1b[2J\\xff.exe" in done.stdout.replace("\n", "").replace(" ", "")


def test_json_has_every_field(journal):
    started, found = map(json.loads, run("events", "--json").stdout.splitlines())
    assert started["number"] == 1
    assert set(found) == {*Event.__struct_fields__, "at", "digest"}
    assert found["path"] == "/home/a\x1b[2J\udcff.exe"
    assert found["signatures"] == ["Win.Trojan.A"]
    assert found["digest"] == list(journal.read_entries())[1].digest
    assert found["at"].endswith("+00:00")


@pytest.mark.parametrize(
    ("options", "numbers"),
    [
        (["--kind", "daemon"], [1]),
        (["--kind", "daemon", "--kind", "detection"], [1, 2]),
        (["--severity", "warning"], [2]),
        (["--since", "1h"], [2]),
        (["--until", "1h"], [1]),
        (["--since", "2000-01-01", "--until", "2000-01-02T10:00"], []),
        (["--path", "/home"], [2]),
        (["--signature", "win.*"], [2]),
        (["--action", "denied"], [2]),
        (["--text", "STARTED"], [1]),
        (["--after", "1"], [2]),
        (["--limit", "1"], [2]),
        (["--limit", "0"], [1, 2]),
    ],
)
def test_filters(journal, options, numbers):
    lines = run("events", "--json", *options).stdout.splitlines()
    assert [json.loads(line)["number"] for line in lines] == numbers


def test_without_a_journal_nothing_happened_yet(place):
    assert run("events").stdout == "no such events\n"
    assert run("events", "--json").stdout == ""


def test_the_journal_of_the_settings_is_read(tmp_path, journal, place):
    config = tmp_path / "mine.toml"
    config.write_text(f'[journal]\nfile = "{tmp_path}/other.db"\n')
    assert run("--config", str(config), "events").stdout == "no such events\n"
    config.write_text(f'[daemon]\nstate = "{place.parent.parent}"\n')
    assert "infected" in run("--config", str(config), "events").stdout


def test_verify(journal, place):
    command = [sys.executable, "-m", "tocsin.cli.main", "events", "--verify"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert "2 events as they were written" in done.stdout
    assert journal.verify().digest in done.stdout
    connection = journal._connection
    connection.execute("DROP TRIGGER event_stays")
    connection.execute("UPDATE event SET severity = 0 WHERE number = 2")
    done = subprocess.run([*command, "--json"], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert json.loads(done.stdout)["problems"] == ["event 2 is filed under what it does not say"]


def heed_interrupts():
    """Whoever starts tests in the background has them ignore SIGINT, and hands that on."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_follow_prints_what_comes_and_ends_well_when_interrupted(journal):
    command = [sys.executable, "-m", "tocsin.cli.main", "events", "-f", "--json", "--limit", "1"]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, preexec_fn=heed_interrupts
    )
    watchdog = threading.Timer(60, process.kill)
    watchdog.start()
    try:
        assert json.loads(process.stdout.readline())["number"] == 2
        journal.write(Event(kind=Kind.SCAN, severity=Severity.INFO, message="x", origin="t"))
        assert json.loads(process.stdout.readline())["number"] == 3
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=30) == 0
    finally:
        watchdog.cancel()
        process.kill()
        process.stdout.close()


def test_follow_outlives_a_journal_that_is_not_there_yet_removed_or_replaced(place, monkeypatch):
    monkeypatch.setattr("tocsin.app.events._POLL_SECONDS", 0.01)
    stop, said, seen = threading.Event(), [], []

    def take():
        for entry in follow(place, Filter(), stop=stop, told=said.append):
            seen.append(entry.event.message)

    def until(condition):
        for _ in range(3000):
            if condition():
                return
            time.sleep(0.01)
        raise AssertionError((seen, said))

    def event(message):
        return Event(kind=Kind.SCAN, severity=Severity.INFO, message=message, origin="t")

    thread = threading.Thread(target=take)
    thread.start()
    try:
        until(lambda: any("no journal" in text for text in said))
        with closing(Journal(place)) as journal:
            journal.write(event("one"))
            until(lambda: seen == ["one"])
            journal.write(event("two"))
            until(lambda: seen == ["one", "two"])
            journal.retain(max_events=1)
            journal.write(event("three"))
            until(lambda: seen == ["one", "two", "three"])
            for ending in ("", "-wal", "-shm", ".lock"):
                os.unlink(f"{place}{ending}")
            journal.write(event("four"))
            until(lambda: seen == ["one", "two", "three", "four"])
            assert any("replaced" in text for text in said)
    finally:
        stop.set()
        thread.join()


def test_points_in_time():
    assert time.time() - past_moment("2h") - 7200 < 5
    assert past_moment("1970-01-02T00:00:00+00:00") == 86400
    for wrong in ("soon", "2026", "", "2h ago"):
        with pytest.raises(UsageError):
            past_moment(wrong)
