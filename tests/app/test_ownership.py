"""The journal is the daemon's user's, whoever made it first."""

from __future__ import annotations

import os
import pwd
import stat
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from tocsin.app.acting import write_events
from tocsin.app.daemon import _make_folders
from tocsin.app.doctor import State
from tocsin.app.doctor_daemon import _status
from tocsin.app.doctor_installation import Situation, _journal
from tocsin.app.ownership import closed_journal, settle
from tocsin.protect.account import Account
from tocsin.protect.configuration.load import Loaded
from tocsin.protect.journal.event import Event, Kind, Severity
from tocsin.protect.journal.store import Journal
from tocsin.settings import DaemonSettings, JournalSettings, Settings

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
EVENT = Event(kind=Kind.SCAN, severity=Severity.INFO, message="looked", origin="cli")


def account(name: str) -> Account:
    entry = pwd.getpwnam(name)
    return Account(entry.pw_uid, entry.pw_gid)


def owner(path: Path) -> Account:
    status = path.lstat()
    return Account(status.st_uid, status.st_gid)


def settings_for(state: Path, user: str, file: str = "") -> Settings:
    daemon = DaemonSettings(state=str(state), user=user)
    return Settings(daemon=daemon, journal=JournalSettings(file=file))


@pytest.fixture
def state(tmp_path: Path) -> Path:
    for folder in (tmp_path, *tmp_path.parents):
        if folder.owner() == "root" and folder != Path("/tmp"):
            folder.chmod(folder.stat().st_mode | 0o011)
    return tmp_path / "state"


def write_as(name: str, state: Path) -> subprocess.CompletedProcess[str]:
    """Write an event as an account that has no rights besides."""
    code = (
        "import sys; from pathlib import Path; from tocsin.protect.journal.store import Journal\n"
        "from tocsin.protect.journal.event import Event, Kind, Severity\n"
        "import tocsin.protect.journal.content, tocsin.protect.journal.upkeep, os, pwd\n"
        "e = pwd.getpwnam(sys.argv[1]); os.setgroups([]); os.setresgid(*[e.pw_gid] * 3)\n"
        "os.setresuid(*[e.pw_uid] * 3); j = Journal(Path(sys.argv[2]))\n"
        "print(j.write(Event(kind=Kind.SCAN, severity=Severity.INFO, message='m', origin='d')))\n"
    )
    place = state / "journal" / "journal.db"
    return subprocess.run(
        [sys.executable, "-c", code, name, str(place)], capture_output=True, text=True, check=False
    )


@as_root
def test_roots_command_makes_it_the_daemons_users(state: Path) -> None:
    before = os.umask(0o077)
    try:
        assert write_events(settings_for(state, "nobody"), [EVENT]) == ""
    finally:
        os.umask(before)
    assert {owner(place) for place in (state / "journal").iterdir()} == {account("nobody")}
    assert owner(state / "journal") == account("nobody")
    assert write_as("nobody", state).stdout == "2\n"


@as_root
def test_without_that_account_it_stays_roots_and_the_daemon_heals_it(state: Path) -> None:
    assert write_events(settings_for(state, "no-such-account"), [EVENT]) == ""
    assert owner(state / "journal") == (0, 0)
    settings = settings_for(state, "nobody")
    assert write_as("nobody", state).returncode != 0
    closed = closed_journal(settings)
    assert closed is not None
    assert closed.advice.startswith(f"chown -R nobody: {state}/journal; ")
    os.close(_make_folders(settings, account("nobody")))
    assert closed_journal(settings) is None
    assert write_as("nobody", state).stdout == "2\n"


@as_root
def test_another_user_in_the_settings_gets_it_at_the_next_start(state: Path) -> None:
    os.close(_make_folders(settings_for(state, "daemon"), account("daemon")))
    assert write_as("daemon", state).stdout == "1\n"
    os.close(_make_folders(settings_for(state, "nobody"), account("nobody")))
    assert write_as("nobody", state).stdout == "2\n"
    assert owner(state / "streams") == account("nobody")
    assert stat.S_IMODE((state / "streams").stat().st_mode) == 0o700


@as_root
def test_the_commands_of_the_doctor_are_what_helps(state: Path) -> None:
    settings = settings_for(state, "nobody")
    write_events(settings_for(state, "no-such-account"), [EVENT])
    loaded = Loaded(settings, Path("x"), found=True, warnings=(), lines={})
    check = _journal(Situation(loaded, installed=True, machine=True, unit=None))
    assert check.state is State.FAILED
    assert "unaltered, but" in check.detail
    status = {"version": "", "journal": {"trouble": "Permission denied"}}
    said = {found.name: found for found in _status(status, settings)}["journal"]
    assert check.advice in said.advice
    assert "belongs to root" in said.detail
    command, _, _ = check.advice.partition("; ")
    subprocess.run(command.split(), check=True)
    assert closed_journal(settings) is None
    assert write_as("nobody", state).stdout == "2\n"


@as_root
def test_nothing_is_given_away_that_is_not_tocsins_own(state: Path) -> None:
    """Links, second names and folders that somebody else uses as well stay whose they are."""
    victim = state.parent / "victim"
    victim.write_text("")
    journal = state / "journal"
    journal.mkdir(parents=True)
    (journal / "journal.db").symlink_to(victim)
    os.link(victim, journal / "journal.db-wal")
    os.mkfifo(journal / "journal.db-shm")
    (journal / "something else").write_text("")
    settle(settings_for(state, "nobody"), account("nobody"))
    assert owner(journal) == account("nobody")
    assert owner(victim) == (0, 0)
    assert owner(journal / "journal.db-shm") == (0, 0)
    assert owner(journal / "something else") == (0, 0)

    elsewhere = state.parent / "elsewhere"
    elsewhere.mkdir()
    file = elsewhere / "journal.db"
    Journal(file).close()
    settings = settings_for(state, "nobody", str(file))
    settle(settings, account("nobody"))
    assert owner(elsewhere) == (0, 0)
    assert owner(file) == account("nobody")
    closed = closed_journal(settings)
    assert closed is not None
    assert "name another" in closed.advice

    linked = msgspec.structs.replace(settings.daemon, state=str(state.parent / "second"))
    (state.parent / "second").mkdir()
    (state.parent / "second" / "streams").symlink_to(elsewhere)
    settle(msgspec.structs.replace(settings, daemon=linked), account("nobody"))
    assert owner(elsewhere) == (0, 0)


def test_without_root_it_is_the_users_own(tmp_path: Path) -> None:
    settings = settings_for(tmp_path / "state", "")
    assert write_events(settings, [EVENT]) == ""
    assert stat.S_IMODE((tmp_path / "state" / "journal").stat().st_mode) == 0o700
    assert closed_journal(settings) is None
