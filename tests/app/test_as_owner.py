"""Root's commands cannot be led astray by whoever owns the journal's folder."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from tocsin.app import as_owner
from tocsin.app.acting import write_events
from tocsin.app.as_owner import by_owner
from tocsin.errors import JournalError
from tocsin.protect.journal.event import Event, Kind, Severity
from tocsin.protect.journal.store import Journal
from tocsin.settings import Settings

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")

OWNER = 54_321
SOME = Event(kind=Kind.SCAN, severity=Severity.INFO, message="x", origin="t")


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="tocsin-owner-") as name:
        os.chmod(name, 0o755)
        place = Path(name) / "journal"
        place.mkdir(mode=0o750)
        os.chown(place, OWNER, OWNER)
        (Path(name) / "roots").mkdir(mode=0o700)
        yield place


def settings(folder: Path) -> Settings:
    journal = msgspec.structs.replace(Settings().journal, file=str(folder / "journal.db"))
    return msgspec.structs.replace(Settings(), journal=journal)


def test_events_are_written_as_the_owner(folder: Path) -> None:
    assert write_events(settings(folder), [SOME]) == ""
    assert write_events(settings(folder), [SOME]) == ""
    assert {path.stat().st_uid for path in folder.iterdir()} == {OWNER}
    read = by_owner(folder, lambda: Journal(folder / "journal.db", read_only=True).last_number())
    assert read == 2
    assert os.geteuid() == 0


def test_link_leads_root_nowhere(folder: Path) -> None:
    target = folder.parent / "roots" / "made"
    for name in ("journal.db", "journal.db-wal", "journal.db-shm", "journal.db.lock"):
        (folder / name).symlink_to(target)
        write_events(settings(folder), [SOME])
        assert not target.exists()
        for path in folder.iterdir():
            path.unlink()


def test_pipe_or_held_lock_holds_root_up_no_longer_than_said(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(as_owner, "PATIENCE", 0.5)
    assert write_events(settings(folder), [SOME]) == ""
    with (folder / "journal.db.lock").open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert "did not answer" in write_events(settings(folder), [SOME])
    for path in folder.iterdir():
        path.unlink()
    os.mkfifo(folder / "journal.db")
    os.chown(folder / "journal.db", OWNER, OWNER)
    with pytest.raises(JournalError, match="no file"):
        by_owner(folder, lambda: Journal(folder / "journal.db", read_only=True).last_number())
    config = folder.parent / "tocsin.toml"
    config.write_text(f'[journal]\nfile = "{folder}/journal.db"\n')
    command = [sys.executable, "-m", "tocsin", "--config", str(config), "events"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    assert (done.returncode, "no file" in done.stderr) == (2, True), done.stderr


def test_what_fails_is_said(folder: Path) -> None:
    def fail() -> None:
        raise JournalError("for a reason")

    with pytest.raises(JournalError, match="for a reason"):
        by_owner(folder, fail)
    with pytest.raises(JournalError, match="ended early"):
        by_owner(folder, lambda: os._exit(3))
