"""`tocsin status` against a real daemon, against none, and for those who may not know all."""

from __future__ import annotations

import grp
import json
import os
import pty
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cli.other_user import why_not
from protect.running_daemon import MARKER, TOCSIN, RunningDaemon, running_daemon
from tocsin.app import device, settings
from tocsin.errors import InvalidSettings

DAY = 86400
root_only = pytest.mark.skipif(bool(why_not()), reason=why_not())


@pytest.fixture(scope="module")
def daemon() -> Iterator[RunningDaemon]:
    with running_daemon(daemon={"admin_group": "daemon"}) as running:
        hostile = running.folder / "in\x1b[31mvoice\u202e[bold].exe"
        hostile.write_bytes(MARKER)
        plain = running.folder / "plain"
        plain.write_bytes(b"nothing")
        for path in (hostile, plain, hostile):
            running.ask(b"zSCAN " + os.fsencode(path) + b"\0")
            hostile.write_bytes(MARKER[:-1] + b"!")  # equal findings would be counted
        running.wait_until(lambda: len(running.events(kind="detection")) == 2)
        yield running


def run(daemon: RunningDaemon, *arguments: str, **more: Any) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "TOCSIN_STATE_DIR": str(daemon.state), "COLUMNS": "80"}
    before = more.pop("before", [])
    environment |= more
    return subprocess.run(
        [*before, *TOCSIN, "--config", str(daemon.config), "status", *arguments],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
    )


def other_settings(daemon: RunningDaemon, name: str, *changes: tuple[str, str]) -> Path:
    """The daemon's settings, changed; the daemon does not know."""
    text = daemon.config.read_text()
    for before, after in changes:
        assert before in text
        text = text.replace(before, after)
    path = daemon.folder / name
    path.write_text(text)
    return path


def test_on_one_screen(daemon: RunningDaemon) -> None:
    done = run(daemon)
    assert done.returncode == 0, done.stdout + done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == "Scanning what it is asked to scan; nothing is guarded in real time"
    assert len(lines) <= 24
    assert max(map(len, lines)) <= 80
    text = " ".join(done.stdout.split())
    assert daemon.process is not None
    for part in (
        f"process {daemon.process.pid}, version",
        " signatures; newest source of ",
        "no guard: [guard] enabled is false in the settings",
        "2 within 24 hours, 2 within 7 days",
        "Test.Marker (2 times)",
        "quarantine empty",
        "3 objects of 63 B for clients: 1 clean, 2 infected",
        "0 under way or waiting",
        daemon.socket,
    ):
        assert part in text


def test_names_cannot_steer_the_terminal(daemon: RunningDaemon) -> None:
    done = run(daemon)
    assert "\x1b" not in done.stdout
    assert "\u202e" not in done.stdout
    assert "\\x1b[31mvoice\\u202e[bold].exe" in "".join(done.stdout.split())


def test_for_programs(daemon: RunningDaemon) -> None:
    done = run(daemon, "--json")
    values = json.loads(done.stdout)
    assert done.returncode == values["exit_status"] == 0
    assert values["state"] == "ok"
    assert values["daemon"]["scanned"]["objects"] == 3
    assert values["findings"]["day"] == 2
    assert values["findings"]["last"][0]["signatures"] == ["Test.Marker"]
    assert values["quarantine"] == {"objects": 0, "size": 0, "restorable": 0}
    assert [each["level"] for each in values["judgements"]] == ["note"]


@pytest.mark.parametrize(
    ("warn", "alarm", "code", "word"),
    [("1e-7", "7.0", 1, "WARNING"), ("1e-7", "1e-7", 2, "ALARM")],
)
def test_what_needs_attention_is_in_the_exit_status(
    daemon: RunningDaemon, warn: str, alarm: str, code: int, word: str
) -> None:
    keys = f"[database]\nwarn_after_days = {float(warn):.7f}\nalarm_after_days = {float(alarm):.7f}"
    file = other_settings(daemon, f"old-{code}.toml", ("[database]", keys))
    done = subprocess.run(
        [*TOCSIN, "--config", str(file), "status"], capture_output=True, text=True, check=False
    )
    assert done.returncode == code, done.stdout
    assert f"{word}" in done.stdout
    assert "database: its newest source is" in done.stdout


@root_only
def test_who_is_no_admin_is_shown_no_names(daemon: RunningDaemon) -> None:
    become = ["setpriv", "--reuid=12345", "--regid=12345", "--clear-groups"]
    done = run(daemon, before=become, HOME="/nonexistent")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "voice" not in done.stdout
    assert "plain" not in done.stdout
    assert done.stdout.count("shown to root and to members of [daemon] admin_group") == 2
    assert "3 objects" in done.stdout
    values = json.loads(run(daemon, "--json", before=become, HOME="/nonexistent").stdout)
    assert values["findings"] is None
    assert "voice" not in json.dumps(values)


@root_only
def test_a_member_of_the_group_asks_the_daemon_for_the_journal(daemon: RunningDaemon) -> None:
    group = grp.getgrnam("daemon").gr_gid
    become = ["setpriv", "--reuid=12345", f"--regid={group}", "--clear-groups"]
    values = json.loads(run(daemon, "--json", before=become).stdout)
    assert values["findings"]["day"] == values["findings"]["week"] == 2
    assert values["findings"]["last"][0]["signatures"] == ["Test.Marker"]
    assert values["quarantine"] == {"objects": 0, "size": 0, "restorable": 0}


def test_the_api_filters_events_and_answers_what_makes_no_sense(daemon: RunningDaemon) -> None:
    def asked(query: str) -> list[dict[str, Any]]:
        code, body = daemon.request("GET", f"/v1/events?{query}")
        assert code == 200, body
        return list(json.loads(body)["events"])

    found = asked("kinds=detection,action&newest=1&limit=1")
    assert [event["kind"] for event in found] == ["detection"]
    assert found[0]["number"] == max(event["number"] for event in asked("kinds=detection"))
    assert asked(f"kinds=detection&since={time.time() + 60}") == []
    assert {event["severity"] for event in asked("severity=alarm")} == {"alarm"}
    for query in ("kinds=nonsense", "since=yesterday", "limit=many", "severity=9"):
        assert daemon.request("GET", f"/v1/events?{query}")[0] == 400


def test_who_has_no_settings_asks_about_the_daemon_of_the_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    system = tmp_path / "etc.toml"
    monkeypatch.setattr(device, "SYSTEM_FILE", system)
    monkeypatch.setattr(settings, "config_dir", lambda: tmp_path / "own")
    monkeypatch.delenv("TOCSIN_CONFIG_DIR", raising=False)
    monkeypatch.delenv("TOCSIN_CONFIG", raising=False)
    assert device.device_settings(None).daemon.api_socket == "/run/tocsin/api.sock"
    system.write_text('[daemon]\napi_socket = "/run/other"\n')
    assert device.device_settings(None).daemon.api_socket == "/run/other"
    system.write_text("[daemon]\nodd = 1\n")  # nothing that this user could mend
    assert device.device_settings(None).daemon.api_socket == "/run/tocsin/api.sock"
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "tocsin.toml").write_text('[daemon]\napi_socket = "/run/mine"\n')
    assert device.device_settings(None).daemon.api_socket == "/run/mine"
    with pytest.raises(InvalidSettings):
        device.device_settings(system)


def test_without_a_daemon_it_says_what_to_do_and_what_it_knows(daemon: RunningDaemon) -> None:
    file = other_settings(daemon, "gone.toml", (daemon.api, str(daemon.folder / "gone.sock")))
    began = time.monotonic()
    environment = {**os.environ, "COLUMNS": "80"}
    command = [*TOCSIN, "--config", str(file), "status"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert time.monotonic() - began < 20
    assert done.returncode == 2
    text = " ".join(done.stdout.split())
    assert text.startswith("Not protected: the daemon does not answer ALARM daemon:")
    assert "systemctl start tocsin" in text
    assert "newest source of" in text
    assert "2 within 24 hours" in text  # the journal is there all the same


def test_sources_that_are_not_there(tmp_path: Path) -> None:
    file = tmp_path / "tocsin.toml"
    file.write_text(
        f'[database]\nsources = ["{tmp_path}/none"]\n'
        f'[daemon]\napi_socket = "{tmp_path}/api"\nstate = "{tmp_path}/state"\n'
    )
    done = subprocess.run(
        [*TOCSIN, "--config", str(file), "status", "--json"],
        capture_output=True,
        text=True,
        check=False,
    )
    values = json.loads(done.stdout)
    assert done.returncode == 2
    assert any("none" in each["text"] for each in values["judgements"])
    assert values["findings"]["week"] == 0
    assert values["quarantine"] == {"objects": 0, "size": 0, "restorable": 0}


def test_colours_only_for_a_terminal(daemon: RunningDaemon) -> None:
    parent, child = pty.openpty()
    with os.fdopen(parent, "rb", buffering=0) as screen:
        environment = {**os.environ, "TERM": "xterm", "COLUMNS": "80"}
        with subprocess.Popen(
            [*TOCSIN, "--config", str(daemon.config), "status"],
            stdout=child,
            stdin=subprocess.DEVNULL,
            env=environment,
        ) as process:
            os.close(child)
            shown = b""
            try:
                while chunk := screen.read(65536):
                    shown += chunk
            except OSError:  # how a pseudo-terminal ends
                pass
            assert process.wait(30) == 0
    assert b"\x1b[32m\x1b[1mScanning" in shown
    assert "\x1b" not in run(daemon).stdout


def test_help_loads_nothing_heavy() -> None:
    program = (
        "import sys\n"
        "from tocsin.cli.main import main\n"
        "main(['status', '--help'], standalone_mode=False)\n"
        "main(['top', '--help'], standalone_mode=False)\n"
        "heavy = {'textual', 'rich', 'msgspec', 'tocsin.app.status', 'sqlite3'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert "Exit status: 0 protected; 1 protected, but" in " ".join(done.stdout.split())
    assert done.stdout.endswith("[]\n")
