"""`tocsin quarantine` and `tocsin scan --action` as programs."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import jsonschema
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "engine"))

from engine_samples import BODY_RULE, PAYLOAD, tocsin

Run = Callable[..., "CompletedProcess[bytes]"]
SCHEMA = json.loads(
    (Path(__file__).resolve().parents[2] / "docs" / "report.schema.json").read_text()
)


@pytest.fixture
def run(tmp_path: Path) -> Run:
    def run(*arguments: str | Path, **more: Any) -> CompletedProcess[bytes]:
        done = tocsin(tmp_path, *arguments, **more)
        assert b"Traceback" not in done.stderr
        return done

    return run


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    path = tmp_path / "a.ndb"
    path.write_text(BODY_RULE)
    return path


@pytest.fixture
def bad(tmp_path: Path) -> Path:
    path = tmp_path / "files" / "bad\n\udcff"
    path.parent.mkdir()
    path.write_bytes(PAYLOAD)
    path.chmod(0o640)
    return path


def listed(run: Run) -> list[dict[str, Any]]:
    done = run("quarantine", "list", "--json")
    values = json.loads(done.stdout)
    assert isinstance(values, list)
    return values


def journal(run: Run) -> list[tuple[str, str]]:
    lines = run("events", "--json", "--limit", "0").stdout.splitlines()
    return [(event["kind"], event.get("action", "")) for event in map(json.loads, lines)]


def test_scan_take_restore(run: Run, bad: Path, rules: Path) -> None:
    clean = bad.with_name("clean")
    clean.write_bytes(b"clean")
    done = run("scan", "--db", rules, "--action", "quarantine", "--json", bad.parent)
    assert done.returncode == 1
    reports = {report["path"]: report for report in map(json.loads, done.stdout.splitlines())}
    for report in reports.values():
        jsonschema.validate(report, SCHEMA)
    assert "outcome" not in reports[str(clean)]
    outcome = reports[str(bad)]["outcome"]
    assert outcome["state"] == "quarantined"
    assert not bad.exists()
    (item,) = listed(run)
    assert (item["id"], item["path"], item["mode"]) == (outcome["record"], str(bad), "0640")
    assert [found["name"] for found in item["detections"]] == ["Test.Needle"]
    table = run("quarantine", "list", env={"COLUMNS": "400"}).stdout
    assert item["id"][:8].encode() in table
    assert b"Test.Needle" in table
    assert b"bad\n\xff" not in table
    shown = run("quarantine", "show", item["id"][:6]).stdout
    assert item["sha256"].encode() in shown
    assert json.loads(run("quarantine", "show", item["id"], "--json").stdout) == item

    done = run("quarantine", "restore", item["id"][:6])
    assert done.returncode == 0, done.stderr
    assert bad.read_bytes() == PAYLOAD
    assert listed(run) == []
    assert journal(run) == [
        ("detection", ""),
        ("action", "quarantined"),
        ("action", "restored"),
    ]


def test_what_is_done_is_said(run: Run, bad: Path, rules: Path) -> None:
    os.link(bad, bad.with_name("second"))
    done = run("scan", "--db", rules, "--action", "quarantine", bad)
    assert b"quarantined as" in done.stdout
    assert b"1 other name" in done.stdout
    done = run("scan", "--db", rules, "--action", "report", bad.with_name("second"))
    assert done.returncode == 1
    assert bad.with_name("second").exists()
    done = run("scan", "--db", rules, "--action", "delete", bad.with_name("second"))
    assert b"    deleted\n" in done.stdout
    assert os.listdir(bad.parent) == []
    assert len(listed(run)) == 1


def test_a_scanned_link_means_its_file(run: Run, bad: Path, rules: Path, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(bad)
    assert b"quarantined" in run("scan", "--db", rules, "--action", "quarantine", link).stdout
    assert link.is_symlink()
    assert listed(run)[0]["path"] == str(bad)


def test_a_mailbox_stays_and_the_message_is_named(run: Run, rules: Path, tmp_path: Path) -> None:
    path = tmp_path / "inbox"
    line = b"From a@b Mon Jan  5 12:00:00 2026\n"
    path.write_bytes(
        line
        + b"Message-ID: <first@x>\n\nhello\n\n"
        + line
        + b"Message-ID: <second@x>\n\n"
        + PAYLOAD
        + b"\n\n"
    )
    done = run("scan", "--db", rules, "--action", "quarantine", path)
    assert b"NOT DONE (quarantine)" in done.stdout
    assert b"message 2 (<second@x>)" in done.stdout.split(b"NOT DONE")[1]
    assert path.exists()


def test_by_hand(run: Run, bad: Path, tmp_path: Path) -> None:
    done = run("quarantine", "take", bad, tmp_path / "missing", "--reason", "strange")
    assert done.returncode == 2
    assert b"missing" in done.stderr
    (item,) = listed(run)
    assert item["reason"] == "strange"
    bad.write_bytes(b"in the way")
    done = run("quarantine", "restore", item["id"])
    assert done.returncode == 2
    assert b"--to" in done.stderr
    assert bad.read_bytes() == b"in the way"
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "folder")
    done = run("quarantine", "restore", item["id"], "--to", tmp_path / "link" / "new", "--json")
    assert json.loads(done.stdout)[0]["path"] == str(tmp_path / "folder" / "new")
    assert (tmp_path / "folder" / "new").read_bytes() == PAYLOAD


def test_letting_go(run: Run, bad: Path, tmp_path: Path) -> None:
    run("quarantine", "take", bad)
    (item,) = listed(run)
    assert run("quarantine", "export", item["id"], tmp_path / "a.zip").returncode == 0
    assert (tmp_path / "a.zip").read_bytes().startswith(b"PK")
    assert run("quarantine", "export", item["id"], tmp_path / "a.zip").returncode == 2
    assert run("quarantine", "delete").returncode == 2
    assert json.loads(run("quarantine", "delete", "--older-than", "1", "--json").stdout) == []
    assert run("quarantine", "delete", item["id"], "0000").returncode == 2
    assert listed(run) == []
    assert journal(run)[-2:] == [("action", "exported"), ("action", "deleted")]


def test_looking_again_and_putting_back(run: Run, bad: Path, rules: Path) -> None:
    run("scan", "--db", rules, "--action", "quarantine", bad)
    done = run("quarantine", "reexamine", "--db", rules)
    assert done.returncode == 0, done.stderr
    assert b"Test.Needle" in done.stdout
    assert b"nothing to look at" in run("quarantine", "reexamine", "--db", rules).stdout
    rules.write_text(BODY_RULE.replace("Test.Needle:0:*:74", "Test.Needle:0:*:75"))
    (looked,) = json.loads(run("quarantine", "reexamine", "--db", rules, "--json").stdout)
    assert looked["may_be_restored"]
    assert looked["restored"] is None
    wide = {"COLUMNS": "400"}  # so that no cell is wrapped
    assert b"may be restored" in run("quarantine", "list", env=wide).stdout
    done = run("quarantine", "reexamine", "--db", rules, "--restore")
    assert done.returncode == 0, done.stderr
    assert bad.read_bytes() == PAYLOAD
    assert listed(run) == []


def test_nothing_there(run: Run, tmp_path: Path) -> None:
    done = run("quarantine", "list")
    assert done.returncode == 0
    assert b"no quarantine yet" in done.stdout
    assert listed(run) == []
    assert run("quarantine", "restore", "abc").returncode == 2
    assert run("quarantine", "show", "abc").returncode == 2
    assert not (tmp_path / "own" / "state" / "quarantine").exists()


def test_damage_is_listed(run: Run, bad: Path, tmp_path: Path) -> None:
    run("quarantine", "take", bad, "--folder", tmp_path / "v")
    (record,) = (tmp_path / "v" / "records").iterdir()
    record.write_bytes(b"rubbish")
    done = run("quarantine", "list", "--folder", tmp_path / "v")
    assert done.returncode == 1
    assert b"DAMAGED" in done.stdout
