"""What the doctor says of an installed daemon and of the machine under it."""

from __future__ import annotations

import os
import pwd
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import namedtuple
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tocsin.app import doctor_daemon, doctor_installation, doctor_machine
from tocsin.app.doctor import State
from tocsin.app.doctor_daemon import examine_daemon, guard_check
from tocsin.app.doctor_installation import (
    age_check,
    examine_installation,
    examine_settings,
    unit_state,
)
from tocsin.app.doctor_machine import (
    cgroup_limits,
    clock_check,
    examine_machine,
    fanotify_users,
    memory_check,
    processes_named,
    room_check,
)
from tocsin.app.ownership import settle as give_to_user
from tocsin.protect.account import Account
from tocsin.protect.install.service_unit import system_unit
from tocsin.protect.journal.event import Event, Kind, Severity
from tocsin.protect.journal.store import Journal
from tocsin.settings import DatabaseSettings, Settings
from tocsin.version import VERSION

TOCSIN = [sys.executable, "-m", "tocsin.cli.main"]
COMMAND = ("/opt/tocsin/bin/tocsin",)


@pytest.fixture
def place(tmp_path, monkeypatch):
    """Settings, state and cache in a folder of the test's own."""
    tmp_path.chmod(0o755)
    for name in ("config", "state", "cache"):
        (tmp_path / name).mkdir(mode=0o755)
        monkeypatch.setenv(f"TOCSIN_{name.upper()}_DIR", str(tmp_path / name))
    monkeypatch.delenv("TOCSIN_CONFIG", raising=False)
    return tmp_path


def settle(place, text=""):
    """Write a settings file whose sockets are in the folder."""
    user = "nobody" if os.geteuid() == 0 else ""
    file = place / "config" / "tocsin.toml"
    file.write_text(
        f'[daemon]\nsocket = "{place}/clamd.sock"\napi_socket = "{place}/api.sock"\n'
        f'user = "{user}"\nadmin_group = "{"root" if os.geteuid() == 0 else ""}"\n{text}'
    )
    file.chmod(0o600)
    return file


def by_name(checks):
    return {check.name: check for check in checks}


# --- settings and files -----------------------------------------------------------------------


def test_wrong_settings_are_named_and_the_rest_is_still_examined(place):
    settle(place, "sokcet = 5\nmax_queue = 0\n")
    situation, check = examine_settings(None)
    assert check.state is State.FAILED
    assert "tocsin.toml:6: [daemon] sokcet" in check.detail
    assert "1 more" in check.detail
    assert "config check" in check.advice
    assert situation.installed
    assert by_name(examine_installation(situation))


def test_a_warning_of_the_settings_is_passed_on(place):
    settle(place, '[database]\nsources = ["/no/such/folder"]\n')
    situation, check = examine_settings(None)
    assert check.state is State.WARNING
    assert "/no/such/folder" in check.detail
    signatures = by_name(examine_installation(situation))["signatures"]
    assert signatures.state is State.FAILED
    assert "freshclam" in signatures.advice


def test_nothing_installed_is_no_fault(place, monkeypatch):
    monkeypatch.setattr(doctor_installation, "UNIT_FOLDER", str(place))
    monkeypatch.setattr(doctor_installation, "_VENDOR_UNITS", ())
    monkeypatch.setattr(doctor_installation, "STATE", str(place))
    monkeypatch.setattr(doctor_installation, "MACHINE_SETTINGS", place / "none")
    situation, check = examine_settings(None)
    assert check.state is State.OK
    (said,) = examine_installation(situation)
    assert said.state is State.WARNING
    assert "tocsin install" in said.advice


def test_accounts_that_are_missing_are_named(place):
    if os.geteuid():
        pytest.skip("the machine's own accounts are examined by root")
    settle(place, 'socket_group = "no-such-group"\n')
    situation, _ = examine_settings(None)
    accounts = by_name(examine_installation(situation))["accounts"]
    assert accounts.state is State.FAILED
    assert "no group no-such-group" in accounts.detail


def test_a_state_folder_that_others_can_write_to(place):
    settle(place)
    (place / "state").chmod(0o777)
    situation, _ = examine_settings(None)
    state = by_name(examine_installation(situation))["state folder"]
    assert state.state is State.FAILED
    assert "written by others" in state.detail
    assert "chmod" in state.advice


def test_a_quarantine_that_others_can_enter(place):
    settle(place)
    vault = place / "state" / "quarantine"
    vault.mkdir(mode=0o700)
    vault.chmod(0o755)
    situation, _ = examine_settings(None)
    quarantine = by_name(examine_installation(situation))["quarantine"]
    assert quarantine.state is State.FAILED
    assert "0755" in quarantine.detail


def test_a_journal_that_was_altered(place):
    settle(place)
    file = place / "state" / "journal" / "journal.db"
    file.parent.mkdir()
    journal = Journal(file)
    for number in range(3):
        journal.write(
            Event(kind=Kind.DAEMON, severity=Severity.INFO, message=str(number), origin="x")
        )
    journal.close()
    situation, _ = examine_settings(None)
    if os.geteuid() == 0:  # as the daemon does when it starts
        entry = pwd.getpwnam("nobody")
        give_to_user(situation.settings, Account(entry.pw_uid, entry.pw_gid))
        for folder in file.parents:  # pytest closes its own to others
            if folder.stat().st_uid == 0 and folder != Path("/"):
                folder.chmod(folder.stat().st_mode | 0o001)
    check = by_name(examine_installation(situation))["journal"]
    assert (check.state, "3 events" in check.detail) == (State.OK, True)
    file.chmod(0o666)
    check = by_name(examine_installation(situation))["journal"]
    assert check.state is State.FAILED
    file.chmod(0o600)
    import sqlite3

    with sqlite3.connect(file) as connection:
        triggers = connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'")
        for (trigger,) in triggers.fetchall():
            connection.execute(f"DROP TRIGGER {trigger}")
        connection.execute("DELETE FROM event WHERE number = 2")
    connection.close()
    check = by_name(examine_installation(situation))["journal"]
    assert check.state is State.FAILED
    assert "forwarded" in check.advice


def test_signatures_get_old():
    settings = Settings(database=DatabaseSettings(sources=("/x",)))
    now = 1_000_000_000.0
    states = [age_check(now - days * 86400, now, settings).state for days in (1, 4, 8)]
    assert states == [State.OK, State.WARNING, State.FAILED]
    assert "freshclam" in age_check(now - 9e6, now, settings).advice


def test_the_unit_runs_this_program_or_another():
    assert unit_state(system_unit(COMMAND), COMMAND) == (State.OK, "runs this program", "")
    state, detail, advice = unit_state(system_unit(("/other/tocsin",)), COMMAND)
    assert (state, "/other/tocsin daemon" in detail) == (State.WARNING, True)
    assert "tocsin install" in advice
    state, detail, advice = unit_state(system_unit(COMMAND) + "# older\n", COMMAND)
    assert state is State.WARNING
    assert "drop-in" in advice
    assert unit_state("", COMMAND)[1].startswith("runs nothing")


# --- the daemon -------------------------------------------------------------------------------


@contextmanager
def fake_clamd(path, answers):
    """Something that answers at a socket as another scanner does."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen()

    def serve():
        while True:
            try:
                end, _ = listener.accept()
            except OSError:
                return
            with end, suppress(OSError):
                end.sendall(answers[end.recv(100)])

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(5)


def test_another_scanner_at_the_socket(place):
    settle(place)
    situation, _ = examine_settings(None)
    answers = {b"zPING\0": b"PONG\0", b"zVERSION\0": b"ClamAV 1.4.6/27000/x\0"}
    with fake_clamd(place / "clamd.sock", answers):
        checks = by_name(examine_daemon(situation))
    assert checks["clamd socket"].state is State.FAILED
    assert "ClamAV 1.4.6" in checks["clamd socket"].detail
    assert "clamav-daemon.socket" in checks["clamd socket"].advice
    assert checks["API"].state is State.FAILED
    assert "systemctl start tocsin" in checks["API"].advice


def test_a_socket_that_is_not_there_and_one_that_nobody_serves(place):
    settle(place)
    situation, _ = examine_settings(None)
    assert "is not there" in by_name(examine_daemon(situation))["clamd socket"].detail
    with socket.socket(socket.AF_UNIX) as end:
        end.bind(str(place / "clamd.sock"))
    assert "refused" in by_name(examine_daemon(situation))["clamd socket"].detail


def test_a_daemon_that_runs_and_one_of_another_version(place, monkeypatch):
    settle(place)
    situation, _ = examine_settings(None)
    daemon = subprocess.Popen([*TOCSIN, "daemon"], stderr=subprocess.PIPE, text=True)
    try:
        for _ in range(600):
            if daemon.poll() is not None:
                pytest.fail(daemon.stderr.read())
            checks = by_name(examine_daemon(situation))
            if "database in use" in checks and checks["database in use"].state is State.OK:
                break
            time.sleep(0.1)
        assert checks["clamd socket"].state is State.OK
        assert "mode 0666" in checks["clamd socket"].detail
        assert (checks["version"].state, VERSION in checks["version"].detail) == (State.OK, True)
        assert checks["guard"].state is State.OK
        assert "API" not in checks
        os.chmod(place / "clamd.sock", 0o600)
        monkeypatch.setattr(doctor_daemon, "VERSION", "99")
        checks = by_name(examine_daemon(situation))
        assert checks["version"].state is State.WARNING
        assert "restart" in checks["version"].advice
        assert checks["clamd socket"].state is State.WARNING
        assert "0666" in checks["clamd socket"].detail
    finally:
        daemon.send_signal(signal.SIGTERM)
        daemon.communicate(timeout=60)


def test_a_status_with_trouble():
    status = {
        "version": VERSION, "ready": True, "database": {"trouble": "cannot be read"},
        "restarts": {"front": 3, "host": 0}, "journal": {"trouble": "disk full"},
    }  # fmt: skip
    checks = by_name(doctor_daemon._status(status, Settings()))
    assert checks["database in use"].state is State.FAILED
    assert checks["journal"].state is State.FAILED
    assert checks["processes"].detail == "started anew: front 3 times"
    assert (
        by_name(doctor_daemon._status({"version": VERSION}, Settings()))["database in use"].state
        is State.WARNING
    )


def test_accounts_without_an_admin_group_and_no_advice_against_oneself(place, monkeypatch):
    file = settle(place)
    file.write_text(file.read_text().replace('admin_group = "root"', 'admin_group = ""'))
    situation, _ = examine_settings(None)
    if os.geteuid() == 0:
        check = by_name(examine_installation(situation))["accounts"]
        assert check.detail.startswith("nobody; no [daemon] admin_group: only root may")
    (place / "state").chmod(0o777)
    assert doctor_installation._state(situation).advice.startswith(
        "chown root" if os.geteuid() == 0 else "chmod go-w"
    )
    monkeypatch.setattr(os, "geteuid", lambda: 4242)
    said = doctor_installation._state(situation)
    assert "belongs to user" in said.detail
    assert "chown" not in said.advice


@pytest.mark.parametrize(
    ("guard", "state", "said"),
    [
        ({}, State.FAILED, "its process does not run"),
        ({"active": False, "reason": "no right"}, State.FAILED, "no right"),
        ({"active": True, "mode": "notify", "reason": "x"}, State.WARNING, "after"),
        ({"active": True, "mode": "permission",
          "targets": [{"path": "/a", "trouble": "is none"}, {"path": "/b", "trouble": ""}]},
         State.WARNING, "/a: is none"),
        ({"active": True, "mode": "permission", "targets": []}, State.OK, "before"),
    ],
)  # fmt: skip
def test_the_guard(guard, state, said):
    check = guard_check(guard)
    assert check.state is state
    assert said in check.detail
    assert bool(check.advice) is (state is not State.OK)


def test_who_is_asked_before_files_are_opened_is_found():
    from tocsin.protect.guard.fanotify import Group

    me = os.getpid()
    name = Path("/proc/self/comm").read_text().strip()
    assert me in processes_named(name)
    assert me not in [pid for pid, _ in fanotify_users()]
    try:
        group = Group(permission=True)
    except OSError:
        pytest.skip("needs the right to fanotify")
    try:
        assert (me, name) in fanotify_users()
        settings = Settings()
        settings = Settings(guard=type(settings.guard)(enabled=True, folders=("/srv",)))
        others = by_name(doctor_daemon._others(settings, {"processes": {}}))
        assert others["another guard"].state is State.FAILED
        assert f"{name} ({me})" in others["another guard"].detail
        own = by_name(doctor_daemon._others(settings, {"processes": {"guard": me}}))
        assert "another guard" not in own or f"({me})" not in own["another guard"].detail
    finally:
        group.close()


# --- the machine ------------------------------------------------------------------------------

Room = namedtuple("Room", "f_bavail f_frsize f_files f_favail")


def test_room_on_disk():
    states = [
        room_check("state", "/x", Room(blocks, 1 << 20, 100, inodes)).state
        for blocks, inodes in ((5000, 9), (500, 9), (50, 9), (5000, 0))
    ]
    assert states == [State.OK, State.WARNING, State.FAILED, State.FAILED]


def test_memory_and_who_limits_it(tmp_path):
    for path, value in {"a/memory.max": "max", "a/b/memory.max": "1000", "memory.max": "9"}.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(value)
    assert sorted(cgroup_limits("0::/a/b\n", tmp_path)) == [9, 1000]
    (tmp_path / "memory/c").mkdir(parents=True)
    (tmp_path / "memory/c/memory.limit_in_bytes").write_text("7\n")
    assert cgroup_limits("5:cpu,memory:/c\n4:cpu:/d\nrubbish\n", tmp_path) == [7]
    assert memory_check(1 << 30, 2).state is State.OK
    assert memory_check(200 << 20, 2).state is State.WARNING
    assert memory_check(0, 2).state is State.OK


def test_the_clock():
    assert clock_check(1_800_000_000, 1_790_000_000).state is State.OK
    assert clock_check(0, 1_790_000_000).state is State.FAILED
    assert clock_check(9_000_000_000, 1_790_000_000).state is State.FAILED


def test_the_machine_that_the_tests_run_on(place):
    checks = list(examine_machine(Settings()))
    assert {"disk", "memory", "clock"} <= {check.name for check in checks}
    assert all(check.advice for check in checks if check.state is not State.OK)
    assert checks[0].group == doctor_machine.GROUP
