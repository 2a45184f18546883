"""Whose journal and whose tasks a user is shown, and through whom."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from cli.other_user import GROUP, UID, become, call, call_at_home, member, why_not
from protect.running_daemon import MARKER, TOCSIN, RunningDaemon, running_daemon
from tocsin.app import remote_events
from tocsin.app.events import events
from tocsin.app.remote_events import RemoteJournal
from tocsin.app.settings import journal_file
from tocsin.errors import JournalError
from tocsin.protect.configuration.load import load_file
from tocsin.protect.journal.event import Kind, Severity
from tocsin.protect.journal.filters import Filter
from tocsin.settings import Settings

pytestmark = pytest.mark.skipif(bool(why_not()), reason=why_not())
TASK = '[[task]]\nname = "nightly"\nkind = "quick"\nat = "0 2 * * *"\n'


@pytest.fixture(scope="module")
def daemon() -> Iterator[RunningDaemon]:
    with running_daemon(TASK, daemon={"admin_group": GROUP}) as running:
        for name in (b"one", b"tw\xffo & more", b"three"):
            path = os.fsencode(running.folder) + b"/" + name
            with open(path, "wb") as file:
                file.write(MARKER)
            running.ask(b"zSCAN " + path + b"\0")
        running.wait_until(lambda: len(running.events(kind="detection")) == 3)
        yield running


@pytest.fixture
def settings(daemon: RunningDaemon) -> Settings:
    return load_file(daemon.config, needed=True).settings


@pytest.fixture
def home(daemon: RunningDaemon) -> Path:
    place = daemon.folder / "home"
    if not place.exists():
        place.mkdir()
        os.chown(place, UID, UID)
    return place


@pytest.mark.parametrize("as_json", [[], ["--json"]])
def test_a_member_is_shown_what_root_is(daemon: RunningDaemon, as_json: list[str]) -> None:
    shown = [
        call(daemon, groups, "events", "--kind", "detection", *as_json)
        for groups in (None, member())
    ]
    assert len(shown[0].stdout.splitlines()) == 3 + (not as_json)
    assert shown[0].stdout == shown[1].stdout
    assert (shown[1].returncode, shown[1].stderr) == (0, "")


@pytest.mark.parametrize(
    "wanted",
    [
        Filter(),
        Filter(limit=2),
        Filter(limit=2, newest=True),
        Filter(limit=4, newest=True),
        Filter(kinds=(Kind.DETECTION, Kind.TASK)),
        Filter(severity=Severity.ALARM),
        Filter(path="*/tw\udcffo & *"),
        Filter(signature="test.*", since=1.0, until=9e9),
        Filter(until=1.0),
        Filter(action="denied"),
        Filter(text="THREE"),
        Filter(after=2),
    ],
)
def test_the_daemon_gives_what_the_file_holds(
    settings: Settings, wanted: Filter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote_events, "_PAGE", 3)
    there = events(journal_file(settings), wanted)
    assert RemoteJournal(settings).events(wanted) == there
    if wanted.path or wanted.text:
        assert len(there) == 1


def heed_interrupts() -> None:
    """Whoever starts tests in the background has them ignore SIGINT, and hands that on."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_following_goes_through_the_daemon(daemon: RunningDaemon) -> None:
    command = [*become(member()), *TOCSIN, "--config", str(daemon.config), "events", "-f"]
    process = subprocess.Popen(
        [*command, "--json", "--limit", "1", "--kind", "detection"],
        stdout=subprocess.PIPE,
        text=True,
        cwd="/",
        preexec_fn=heed_interrupts,
    )
    watchdog = threading.Timer(60, process.kill)
    watchdog.start()
    assert process.stdout is not None
    try:
        assert json.loads(process.stdout.readline())["path"].endswith("/three")
        path = daemon.folder / "one"
        path.write_bytes(path.read_bytes() + b" again")  # equal findings would be counted
        daemon.ask(b"zSCAN %s\0" % bytes(path))
        assert json.loads(process.stdout.readline())["path"] == str(path)
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=30) == 0
    finally:
        watchdog.cancel()
        process.kill()
        process.wait()
        process.stdout.close()


def test_who_is_no_member_is_told_how_to_become_one(daemon: RunningDaemon) -> None:
    done = call(daemon, [], "events")
    assert (done.returncode, done.stdout) == (2, "")
    assert f"members of '{GROUP}' alone; 'sudo usermod -aG {GROUP} USER' adds" in done.stderr
    done = call(daemon, member(), "events", "--verify")
    assert (done.returncode, done.stdout) == (2, "")
    assert "'sudo tocsin events --verify'" in done.stderr


def test_without_a_daemon_it_is_said(settings: Settings) -> None:
    gone = msgspec.structs.replace(settings.daemon, api_socket="/nonexistent/api.sock")
    remote = RemoteJournal(msgspec.structs.replace(settings, daemon=gone))
    with pytest.raises(JournalError, match="no daemon runs with this socket"):
        remote.events(Filter())


def test_own_and_the_devices(daemon: RunningDaemon, home: Path) -> None:
    done = call_at_home(daemon, member(), home, "events", "--kind", "detection")
    assert (done.stdout.count("Test.Marker") >= 3, done.stderr) == (True, "")
    mine = home / "mine"
    mine.write_bytes(b"x")
    os.chown(mine, UID, UID)
    assert call_at_home(daemon, [], home, "quarantine", "take", mine).returncode == 0
    done = call_at_home(daemon, member(), home, "events", "--kind", "detection")
    assert done.stdout.count("Test.Marker") >= 3
    assert "asked of the daemon; '--own' shows" in done.stderr
    done = call_at_home(daemon, member(), home, "events", "--own")
    assert "Test.Marker" not in done.stdout
    assert f"taken into quarantine: {mine}" in done.stdout
    done = call_at_home(daemon, [], home, "events")
    assert f"taken into quarantine: {mine}" in done.stdout
    assert "is your own journal. " in done.stderr
    assert f"members of '{GROUP}' alone" in done.stderr
    done = call_at_home(daemon, [], home, "events", "--verify")
    assert (done.returncode, "1 events as" in done.stdout) == (0, True)


def test_the_machines_tasks_are_listed(daemon: RunningDaemon, home: Path) -> None:
    done = call_at_home(daemon, [], home, "task", "list", "--json")
    assert done.stdout == call(daemon, None, "task", "list", "--json").stdout
    assert json.loads(done.stdout)["name"] == "nightly"
    assert f"the machine's tasks, of {daemon.config}" in done.stderr
    own = home / ".config" / "tocsin"
    own.mkdir(parents=True)
    (own / "tocsin.toml").write_text(TASK.replace("nightly", "mine"))
    done = call_at_home(daemon, [], home, "task", "list", "--json")
    assert (json.loads(done.stdout)["name"], done.stderr) == ("mine", "")


def test_settings_of_the_machine_that_cannot_be_read(daemon: RunningDaemon, home: Path) -> None:
    daemon.config.chmod(0o600)
    try:
        done = call_at_home(daemon, [], home / "none", "task", "list")
    finally:
        daemon.config.chmod(0o644)
    assert "no tasks" in done.stdout
    assert f"{daemon.config}: Permission denied" in done.stderr
