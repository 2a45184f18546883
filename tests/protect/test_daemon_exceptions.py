"""The user's exceptions and settings hold in the daemon too, from when they are made."""

from __future__ import annotations

import hashlib
import os
import subprocess
from pathlib import Path

import pytest
from running_daemon import MARKER, TOCSIN, RunningDaemon, daemon_folder, piece

STREAM = b"zINSTREAM\0" + piece(MARKER) + piece(b"")


def tocsin(daemon: RunningDaemon, *arguments: str) -> None:
    environment = {**os.environ, "TOCSIN_CONFIG_DIR": str(daemon.folder / "config")}
    subprocess.run([*TOCSIN, *arguments], check=True, env=environment, capture_output=True)


def test_exceptions_begin_and_end_while_it_runs() -> None:
    with daemon_folder() as folder:
        daemon = RunningDaemon(folder).start()
        try:
            known = folder / "known"
            known.mkdir()
            (known / "good").write_bytes(MARKER)
            other = folder / "other"
            other.write_bytes(MARKER)
            ask = b"zSCAN %s\0" % bytes(known / "good")
            assert daemon.ask(ask).endswith(b"FOUND\0")
            tocsin(daemon, "allow", str(known), "--reason", "ours")
            daemon.wait_until(lambda: daemon.ask(ask).endswith(b": OK\0"))
            assert daemon.ask(b"zSCAN %s\0" % bytes(other)).endswith(b"FOUND\0")
            assert daemon.ask(STREAM).endswith(b"FOUND\0")
            digest = hashlib.sha256(MARKER).hexdigest()
            tocsin(daemon, "allow", digest, "--reason", "ours too")
            daemon.wait_until(lambda: daemon.ask(STREAM).endswith(b": OK\0"))
            tocsin(daemon, "allow", "--revoke", "1")
            tocsin(daemon, "allow", "--revoke", "2")
            daemon.wait_until(lambda: daemon.ask(STREAM).endswith(b"FOUND\0"))
            daemon.wait_until(lambda: daemon.ask(ask).endswith(b"FOUND\0"))
            said = [event["message"] for event in daemon.events(kind="setting")]
            assert any("1 hold (numbers 1)" in message for message in said), said
            # a damaged file excepts nothing, and stops nothing
            (folder / "config" / "allow.json").write_text("nonsense")
            daemon.wait_until(
                lambda: any("cannot be read" in e["message"] for e in daemon.events(kind="setting"))
            )
            assert daemon.ask(STREAM).endswith(b"FOUND\0")
        finally:
            daemon.stop()


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_guard_heeds_them_and_forgets_them() -> None:
    with daemon_folder() as folder:
        guarded = folder / "guarded"
        guarded.mkdir()
        bad = guarded / "bad"
        bad.write_bytes(MARKER)
        daemon = RunningDaemon(
            folder, guard={"enabled": True, "folders": [str(guarded)], "fallback": "deny"}
        ).start()

        def readable() -> bool:
            try:
                return bad.read_bytes() == MARKER
            except PermissionError:
                return False

        try:
            daemon.wait_until(lambda: daemon.status()["guard"].get("active"))
            assert not readable()
            tocsin(daemon, "allow", str(bad), "--reason", "ours")
            daemon.wait_until(readable)
            os.link(bad, guarded / "another name")
            with pytest.raises(PermissionError):
                (guarded / "another name").read_bytes()
            tocsin(daemon, "allow", "--revoke", "1")
            daemon.wait_until(lambda: not readable())
        finally:
            daemon.stop()


def test_changed_settings_are_journalled_without_their_secrets() -> None:
    with daemon_folder() as folder:
        RunningDaemon(folder, scan={"passwords": ["first secret"]}).start().stop()
        daemon = RunningDaemon(folder, scan={"passwords": ["other secret"], "timeout": 60.0})
        daemon.start()
        try:
            (event,) = daemon.wait_until(lambda: daemon.events(kind="setting"))
            assert "[scan] passwords" in event["message"]
            assert "[scan] timeout" in event["message"]
            assert event["details"]["now"]["[scan] timeout"] == 60.0
            kept = Path(daemon.state / "last-settings.json")
            assert "secret" not in str(event)
            assert "secret" not in kept.read_text()
            assert not kept.stat().st_mode & 0o077
            assert "the settings changed" in daemon.said()
        finally:
            daemon.stop()
