"""What is said of findings and of misspelt verbs: the same words everywhere, whole paths."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "engine"))

from click.testing import CliRunner
from engine_samples import BODY_RULE, PAYLOAD, tocsin

from tocsin.cli.events import _cells
from tocsin.cli.main import main
from tocsin.engine.report import Detection, Report
from tocsin.protect.daemon.front import detection
from tocsin.protect.guard import notices
from tocsin.protect.guard.processes import Who
from tocsin.protect.journal.event import Event, Kind, Severity, found_in
from tocsin.protect.journal.store import Entry


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("staus", "there is no verb 'staus'; did you mean 'status'?"),
        ("quarantin", "did you mean 'quarantine'?"),
        ("xyzzy", "'tocsin --help' lists all"),
    ],
)
def test_a_misspelt_verb_is_told_from_what_it_is_like(typed: str, said: str) -> None:
    done = CliRunner().invoke(main, [typed])
    assert done.exit_code == 2
    assert said in done.stderr


def test_a_relative_path_is_journalled_whole(tmp_path: Path) -> None:
    rules = tmp_path / "a.ndb"
    rules.write_text(BODY_RULE)
    bad = tmp_path / "files" / "bad"
    bad.parent.mkdir()
    bad.write_bytes(PAYLOAD)
    arguments = ("scan", "--db", rules, "--action", "quarantine", "files/../files/bad")
    done = tocsin(tmp_path, *arguments, cwd=tmp_path)
    assert done.returncode == 1, done.stderr
    lines = tocsin(tmp_path, "events", "--json", "--limit", "0").stdout.splitlines()
    found, taken = [json.loads(line) for line in lines]
    assert (found["path"], taken["path"]) == (str(bad), str(bad))
    assert found["message"] == f"Test.Needle in {bad}"
    assert taken["message"].startswith(f"Test.Needle in {bad}: quarantined")
    shown = tocsin(tmp_path, "events", env={"COLUMNS": "1000"}).stdout.decode()
    assert "; quarantined" not in shown
    assert shown.count("Test.Needle") == 2


def test_each_origin_says_a_finding_alike_and_nothing_twice() -> None:
    report = Report("/x/y")
    report.detections.append(Detection(name="A.B", source="s", object="/x/y", offset=0))
    client = detection(report, "daemon", "db")
    assert client.message == found_in(("A.B",), "/x/y") == "A.B in /x/y"
    assert found_in(("A.B", "C", "D"), "/x") == "A.B and 2 more in /x"
    for action in ("denied", "opened", "noticed"):
        event = notices.detection(report, "/x/y", Who(1, 2, "/bin/cat"), "db", action)
        assert event.message.startswith("A.B in /x/y: ")
        assert ";" not in str(_cells(Entry(event, ""))[-1])
    for event in (
        notices.refused("/x/y", Who(1, 2, ""), "there was no verdict in time"),
        notices.undecided("/x/y", Who(1, 2, ""), 3.0),
        Event(kind=Kind.TASK, severity=Severity.INFO, message="task t goes on", origin="task:t",
              action="started"),
    ):  # fmt: skip
        said = str(_cells(Entry(event, ""))[-1])
        assert said == event.message
        assert not ("refused" in said and "denied" in said)
