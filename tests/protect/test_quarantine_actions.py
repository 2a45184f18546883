"""Acting on findings: what is found is taken or deleted if it still is what was scanned."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
from quarantine_samples import make_sample, seen

from tocsin.engine.report import Detection, Level, Report
from tocsin.protect.actions import (
    Action,
    Outcome,
    act,
    acts_on,
    process_start,
    terminate,
)
from tocsin.protect.quarantine.identity import FileIdentity
from tocsin.protect.quarantine.vault import Vault


def found(path: Path, level: Level = Level.MALICIOUS) -> Report:
    report = Report(os.fspath(path))
    report.detections.append(Detection("A.B", "a.ndb", f"{path}!/inner", None, level))
    report.sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    report.size = path.stat().st_size
    return report


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "file"
    make_sample(path)
    return path


def do(action: Action, report: Report, identity: FileIdentity, tmp_path: Path) -> Outcome:
    return act(
        action,
        report,
        identity,
        path=os.fsencode(report.path),
        vault=partial(Vault, tmp_path / "vault"),
        database="d" * 40,
        origin="test",
    )


def test_quarantine(file: Path, tmp_path: Path) -> None:
    was = seen(file, times=False)
    os.link(file, file.with_name("second"))
    report = found(file)
    outcome = do(Action.QUARANTINE, report, FileIdentity.of(file.stat()), tmp_path)
    assert outcome.state == "quarantined"
    assert "1 other name" in outcome.detail
    assert "second" in outcome.detail
    assert not file.exists()
    with Vault(tmp_path / "vault") as vault:
        record = vault.record(outcome.record)
        assert (record.names, record.sha256) == (("A.B",), report.sha256)
        assert (record.finding.origin, record.finding.database) == ("test", "d" * 40)
        vault.restore(record.id)
    assert seen(file, times=False) == was


def test_delete(file: Path, tmp_path: Path) -> None:
    outcome = do(Action.DELETE, found(file), FileIdentity.of(file.stat()), tmp_path)
    assert (outcome.state, outcome.detail) == ("deleted", "")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("action", [Action.QUARANTINE, Action.DELETE])
@pytest.mark.parametrize("how", ["another file", "content", "gone", "mailbox", "link"])
def test_what_is_not_what_was_scanned_stays(
    file: Path, tmp_path: Path, action: Action, how: str
) -> None:
    if how == "mailbox":
        file.write_bytes(b"From a Mon Jan  5 12:00:00 2026\n\nhi\n\n" * 2)
    report, identity = found(file), FileIdentity.of(file.stat())
    if how == "another file":
        make_sample(tmp_path / "other")
        os.replace(tmp_path / "other", file)
    elif how == "content":
        with open(file, "r+b") as opened:
            opened.write(b"!")
    elif how == "gone":
        file.unlink()
    elif how == "link":
        file.rename(tmp_path / "real")
        file.symlink_to("real")
    outcome = do(action, report, identity, tmp_path)
    assert outcome.failed
    assert outcome.action is action
    assert str(file) in outcome.detail
    assert os.path.lexists(file) == (how != "gone")
    if how == "mailbox":
        assert f"{file}!/inner" in outcome.detail


def test_reporting_does_nothing(file: Path, tmp_path: Path) -> None:
    outcome = do(Action.REPORT, found(file), FileIdentity.of(file.stat()), tmp_path)
    assert outcome.state == "reported"
    assert list(tmp_path.iterdir()) == [file]
    assert do(Action.TERMINATE, found(file), FileIdentity.of(file.stat()), tmp_path).failed


def test_only_what_is_infected_is_acted_on(file: Path) -> None:
    assert acts_on(found(file))
    assert acts_on(found(file, Level.TEST))
    assert not acts_on(found(file, Level.SUSPICIOUS))
    assert not acts_on(found(file, Level.UNWANTED))
    assert not acts_on(Report("x"))


def test_what_goes_wrong_with_the_vault_is_an_outcome(file: Path, tmp_path: Path) -> None:
    (tmp_path / "vault").mkdir(mode=0o755)
    outcome = do(Action.QUARANTINE, found(file), FileIdentity.of(file.stat()), tmp_path)
    assert outcome.failed
    assert "others may enter" in outcome.detail
    assert file.exists()


def test_ending_a_process() -> None:
    sleeper = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        start = process_start(sleeper.pid)
        refused = terminate(sleeper.pid, start + 1)
        assert refused.failed
        assert "another one" in refused.detail
        assert sleeper.poll() is None
        assert terminate(sleeper.pid, start).state == "terminated"
        assert sleeper.wait(10) == -9
    finally:
        sleeper.kill()
        sleeper.wait()
    assert terminate(sleeper.pid, start).failed
    for pid in (0, 1, os.getpid(), -5):
        assert terminate(pid, 0).failed
