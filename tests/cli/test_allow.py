"""`tocsin allow`: exceptions made, listed and revoked, and what they do to a scan."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "engine"))

from engine_samples import BODY_RULE, COMMAND, PAYLOAD, environment, tocsin, zipped

Run = Callable[..., "subprocess.CompletedProcess[bytes]"]
SHA256 = hashlib.sha256(PAYLOAD).hexdigest()


@pytest.fixture
def run(tmp_path: Path) -> Run:
    def run(*arguments: str | Path) -> subprocess.CompletedProcess[bytes]:
        done = tocsin(tmp_path, *arguments)
        assert b"Traceback" not in done.stderr
        return done

    return run


@pytest.fixture
def bad(tmp_path: Path) -> Path:
    place = tmp_path / "files" / "bad"
    place.parent.mkdir()
    place.write_bytes(PAYLOAD)
    return place


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    place = tmp_path / "signatures" / "a.ndb"
    place.parent.mkdir()
    place.write_text(BODY_RULE)
    return place


@pytest.mark.parametrize("what", ["digest", "name", "path", "folder"])
def test_exception_holds_until_it_is_revoked(what: str, run: Run, bad: Path, rules: Path) -> None:
    scan = ("scan", "--db", rules, "--json", bad)
    value = {"digest": SHA256, "name": "Test.Needle", "path": bad, "folder": bad.parent}[what]
    assert run(*scan).returncode == 1
    made = run("allow", value, "--reason", "ours")
    assert made.returncode == 0
    assert made.stdout.startswith(b"allowed 1: ")
    allowed = run(*scan)
    assert allowed.returncode == 0
    report = json.loads(allowed.stdout)
    assert report["verdict"] == "clean"
    assert [skip["reason"] for skip in report["skipped"]] == ["allowed"]
    assert run("allow", "--revoke", "1").stdout.startswith(b"revoked 1: ")
    assert run(*scan).returncode == 1


def test_digest_protects_inside_a_container(
    run: Run, bad: Path, rules: Path, tmp_path: Path
) -> None:
    (tmp_path / "a.zip").write_bytes(zipped(PAYLOAD))
    run("allow", SHA256, "--reason", "ours")
    assert run("scan", "--db", rules, tmp_path / "a.zip").returncode == 0


def test_exception_is_not_said_to_be_clean_silently(run: Run, bad: Path, rules: Path) -> None:
    run("allow", "Test.Needle", "--reason", "ours")
    assert b"Test.Needle" in run("scan", "--db", rules, "--verbose", bad).stdout


def test_list(run: Run) -> None:
    assert run("allow", "--list").stdout == b"no exceptions\n"
    run("allow", "One", "--reason", "first reason")
    run("allow", "Two", "--reason", "second reason", "--expires", "30d")
    run("allow", "--revoke", "1")
    shown = run("allow", "--list").stdout.decode()
    assert "Two" in shown
    assert "second reason" in shown
    assert "until" in shown
    assert "One" not in shown
    everything = run("allow", "--list", "--all").stdout.decode()
    assert "One (no longer holds)" in everything
    stated = json.loads(run("allow", "--list", "--all", "--json").stdout)
    assert [(e["number"], e["kind"], e["value"], e["reason"]) for e in stated] == [
        (1, "name", "One", "first reason"),
        (2, "name", "Two", "second reason"),
    ]
    assert stated[0]["revoked"]
    assert not stated[1]["revoked"]


@pytest.mark.parametrize("when", ["30d", "8w", "6m", "1y", "2999-12-31", "2999-12-31T10:00+02:00"])
def test_times_at_which_it_may_end(when: str, run: Run) -> None:
    done = run("allow", "One", "--reason", "r", "--expires", when, "--json")
    assert done.returncode == 0
    assert json.loads(done.stdout)["expires"]


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["One"],
        ["One", "--reason", " "],
        ["One", "--reason", "r", "--expires", "soon"],
        ["One", "--reason", "r", "--expires", "2001-01-01"],
        ["One", "--reason", "r", "--expires", "0d"],
        ["One", "--reason", "r", "--expires", "-1d"],
        ["One", "--reason", "r", "--expires", "99999999999d"],
        ["One", "--reason", "r", "--expires", "999999y"],
        ["One", "--reason", "r", "--expires", "\u00b2d"],
        ["--revoke", "7"],
        ["--revoke", "x"],
    ],
)
def test_what_is_refused_changes_nothing(arguments: list[str], run: Run, tmp_path: Path) -> None:
    done = run("allow", *arguments)
    assert done.returncode == 2
    assert done.stderr
    assert run("allow", "--list").stdout == b"no exceptions\n"


def test_expired_exception_no_longer_holds(
    run: Run, bad: Path, rules: Path, tmp_path: Path
) -> None:
    run("allow", "Test.Needle", "--reason", "r", "--expires", "1d")
    assert run("scan", "--db", rules, bad).returncode == 0
    place = tmp_path / "own" / "config" / "allow.json"
    stated = json.loads(place.read_text())
    stated["allowed"][0]["expires"] = "2020-01-01T00:00:00+00:00"
    place.write_text(json.dumps(stated))
    assert run("scan", "--db", rules, bad).returncode == 1
    assert run("allow", "--list").stdout == b"no exceptions\n"
    assert b"no longer holds" in run("allow", "--list", "--all").stdout


@pytest.mark.parametrize("content", [b"{", b"[]", b'{"version": 9, "allowed": []}'])
def test_damaged_file_is_said_and_kept(content: bytes, run: Run, bad: Path, tmp_path: Path) -> None:
    place = tmp_path / "own" / "config" / "allow.json"
    place.parent.mkdir(parents=True)
    place.write_bytes(content)
    for arguments in (["--list"], ["One", "--reason", "r"], ["--revoke", "1"]):
        done = run("allow", *arguments)
        assert done.returncode == 2
        assert b"allow.json" in done.stderr
    assert run("scan", bad).returncode == 2
    assert place.read_bytes() == content


def test_two_commands_at_once_lose_nothing(run: Run, tmp_path: Path) -> None:
    running = [
        subprocess.Popen(
            [*COMMAND, "allow", f"Name.{number}", "--reason", "r"],
            env=environment(tmp_path),
            stdout=subprocess.DEVNULL,
        )
        for number in range(6)
    ]
    assert [process.wait(timeout=60) for process in running] == [0] * 6
    stated = json.loads(run("allow", "--list", "--json").stdout)
    assert {entry["value"] for entry in stated} == {f"Name.{number}" for number in range(6)}


def test_reason_and_path_write_no_control_characters(run: Run, tmp_path: Path) -> None:
    made = run("allow", "x/\x1b[31m", "--reason", "red \x1b[31m text")
    listed = run("allow", "--list")
    for done in (made, listed):
        assert done.returncode == 0
        assert b"\x1b" not in done.stdout


def test_path_that_is_not_utf8(run: Run, rules: Path, tmp_path: Path) -> None:
    import os

    place = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9"))
    place.write_bytes(PAYLOAD)
    assert run("allow", place, "--reason", "ours").returncode == 0
    assert run("allow", "--list").returncode == 0
    assert run("scan", "--db", rules, place).returncode == 0
