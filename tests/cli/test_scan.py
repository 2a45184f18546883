"""`tocsin scan` as a program: what it scans, prints and exits with."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import jsonschema
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "engine"))

from engine_samples import BODY_RULE, EICAR, PAYLOAD, WRAPPINGS, tarred, tocsin, zipped

Scan = Callable[..., "CompletedProcess[bytes]"]
SCHEMA = json.loads(
    (Path(__file__).resolve().parents[2] / "docs" / "report.schema.json").read_text()
)
VALID = jsonschema.Draft202012Validator(SCHEMA)


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    folder = tmp_path / "signatures"
    folder.mkdir()
    (folder / "a.ndb").write_text(BODY_RULE)
    return folder


@pytest.fixture
def files(tmp_path: Path) -> Path:
    folder = tmp_path / "files"
    (folder / "sub").mkdir(parents=True)
    (folder / "clean.txt").write_bytes(b"nothing here")
    (folder / "bad.txt").write_bytes(PAYLOAD)
    (folder / "sub" / "bad.zip").write_bytes(zipped(PAYLOAD))
    (folder / "sub" / "cut.zip").write_bytes(zipped(PAYLOAD * 9)[:90])
    return folder


@pytest.fixture
def scan(tmp_path: Path, rules: Path) -> Scan:
    """Runs `tocsin scan` with a small database, and checks what every run promises."""

    def run(*arguments: str | Path, **more: Any) -> CompletedProcess[bytes]:
        done = tocsin(tmp_path, "scan", "--db", rules, *arguments, **more)
        assert b"Traceback" not in done.stderr
        return done

    return run


def reports(done: CompletedProcess[bytes]) -> dict[str, dict[str, Any]]:
    """The reports of `--json`, each as docs/report.schema.json says."""
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    for line in lines:
        VALID.validate(line)
    found = {os.path.basename(line["path"]): line for line in lines}
    assert len(found) == len(lines)
    return found


# --- exit status --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("names", "status"),
    [
        (["clean.txt"], 0),
        (["bad.txt"], 1),
        (["sub/bad.zip"], 1),
        (["sub/cut.zip"], 2),
        (["missing"], 2),
        (["clean.txt", "missing"], 2),
        (["bad.txt", "missing"], 1),
        (["sub/cut.zip", "bad.txt"], 1),
        (["."], 1),
    ],
)
def test_exit_status(names: list[str], status: int, scan: Scan, files: Path) -> None:
    assert scan(*(files / name for name in names)).returncode == status


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--max-file-size", "much", "x"],
        ["--no-such-option", "x"],
        ["--jobs", "0", "x"],
        ["--max-depth", "0", "x"],
        ["--db", "/no/such/place", "x"],
    ],
)
def test_what_cannot_be_begun_exits_with_2(arguments: list[str], tmp_path: Path) -> None:
    done = tocsin(tmp_path, "scan", *arguments)
    assert done.returncode == 2
    assert done.stdout == b""
    assert done.stderr
    assert b"Traceback" not in done.stderr


# --- what is printed ----------------------------------------------------------------------


def test_json_has_a_line_for_each_path(scan: Scan, files: Path) -> None:
    done = scan("--json", files)
    found = reports(done)
    assert {name: report["verdict"] for name, report in found.items()} == {
        "clean.txt": "clean",
        "bad.txt": "infected",
        "bad.zip": "infected",
        "cut.zip": "incomplete",
    }
    bad = found["bad.zip"]
    assert bad["path"] == str(files / "sub" / "bad.zip")
    assert bad["sha256"] == hashlib.sha256(zipped(PAYLOAD)).hexdigest()
    assert bad["size"] == len(zipped(PAYLOAD))
    (detection,) = bad["detections"]
    assert detection["name"] == "Test.Needle"
    assert detection["source"] == "a.ndb"
    assert detection["object"] == f"{bad['path']}!/inner.exe"
    assert detection["offset"] == PAYLOAD.index(b"tocsin-needle")
    assert found["cut.zip"]["skipped"]
    assert done.stderr == b""


def test_text_names_findings_and_gaps_and_sums_up(scan: Scan, files: Path) -> None:
    text = scan(files).stdout.decode()
    assert f"INFECTED   {files}/bad.txt" in text
    assert f"Test.Needle in {files}/sub/bad.zip!/inner.exe at byte" in text
    assert f"INCOMPLETE {files}/sub/cut.zip" in text
    assert "clean.txt" not in text
    assert "scanned" in text
    assert "4 files" in text
    assert "\x1b" not in text


def test_quiet_and_verbose(scan: Scan, files: Path) -> None:
    quiet = scan("--quiet", files).stdout.decode()
    assert "bad.txt" in quiet
    assert "scanned" not in quiet
    assert scan("--quiet", files / "clean.txt").stdout == b""
    assert "clean.txt" in scan("--verbose", files / "clean.txt").stdout.decode()


@pytest.mark.parametrize(
    "name",
    [b"red\x1b[31m\x1b]0;title\x07", b"two\nlines", b"caf\xe9", "naïve".encode(), b"\xc2\x9b31m"],
)
@pytest.mark.parametrize("where", ["file", "member"])
def test_no_name_writes_control_characters(
    where: str, name: bytes, scan: Scan, tmp_path: Path
) -> None:
    text = os.fsdecode(name)
    folder = tmp_path / "odd"
    folder.mkdir()
    place = folder / (text if where == "file" else "a.tar")
    place.write_bytes(PAYLOAD if where == "file" else gzip.compress(tarred(PAYLOAD, text)))
    done = scan("--all-matches", folder)
    shown = done.stdout.decode("utf-8")
    assert done.returncode == 1
    assert all(c == "\n" or c.isprintable() for c in shown)
    if where == "file":
        (line,) = [line for line in shown.splitlines() if line.startswith("INFECTED")]
        assert line.startswith(f"INFECTED   {folder}/")
    (report,) = reports(scan("--json", "--all-matches", folder)).values()
    told = report["path"] if where == "file" else report["detections"][-1]["object"]
    assert os.fsencode(told).endswith(name)


@pytest.mark.parametrize("bad", ["\x1b[31m", "\x07", "\x9b"])
def test_no_signature_writes_control_characters(bad: str, tmp_path: Path) -> None:
    rules = tmp_path / "odd"
    rules.mkdir()
    (rules / f"x{bad}y.hsb").write_text(f"{hashlib.sha256(PAYLOAD).hexdigest()}:*:A{bad}B:73\n")
    (tmp_path / "bad").write_bytes(PAYLOAD)
    done = tocsin(tmp_path, "scan", "--db", rules, tmp_path / "bad")
    assert done.returncode in (1, 2)
    assert not any(byte < 32 and byte != 10 for byte in done.stdout + done.stderr)
    assert "\x9b" not in (done.stdout + done.stderr).decode()


# --- what is scanned ----------------------------------------------------------------------


@pytest.mark.parametrize("wrapping", ["plain", "zip", "zip in tar in gz"])
def test_default_database_and_standard_input(wrapping: str, tmp_path: Path) -> None:
    data = WRAPPINGS[wrapping][0](EICAR)
    done = tocsin(tmp_path, "scan", "--json", "-", stdin=data)
    (report,) = reports(done).values()
    assert done.returncode == 1
    assert report["path"] == "-"
    assert report["sha256"] == hashlib.sha256(data).hexdigest()
    assert report["detections"][0]["level"] == "test"


def test_standard_input_beside_files(scan: Scan, files: Path) -> None:
    found = reports(scan("--json", "-", files / "bad.txt", stdin=b"nothing"))
    assert found["-"]["verdict"] == "clean"
    assert found["bad.txt"]["verdict"] == "infected"


def test_standard_input_keeps_the_size_limit(scan: Scan) -> None:
    done = scan("--json", "--max-file-size", "1K", "-", stdin=bytes(5000))
    assert done.returncode == 2
    assert reports(done)["-"]["verdict"] == "incomplete"


@pytest.mark.parametrize("given", ["file", "standard input"])
def test_files_from0(given: str, scan: Scan, files: Path, tmp_path: Path) -> None:
    odd = files / "line\nbreak"
    odd.write_bytes(PAYLOAD)
    listed = b"\0".join(os.fsencode(p) for p in (odd, files / "clean.txt", files / "sub")) + b"\0"
    place = tmp_path / "list"
    place.write_bytes(listed)
    where = place if given == "file" else "-"
    found = reports(scan("--json", "--files-from0", where, stdin=listed))
    assert set(found) == {"line\nbreak", "clean.txt", "bad.zip", "cut.zip"}


def test_empty_list_of_files_is_a_clean_scan(scan: Scan) -> None:
    done = scan("--json", "--files-from0", "-", stdin=b"")
    assert (done.returncode, done.stdout) == (0, b"")


def test_exclude(scan: Scan, files: Path) -> None:
    found = reports(scan("--json", "--exclude", "*.zip", "--exclude", "*/clean*", files))
    assert set(found) == {"bad.txt"}
    assert (
        "excluded: 3" in scan("--exclude", "*.zip", "--exclude", "*/clean*", files).stdout.decode()
    )


def test_all_matches(scan: Scan, files: Path, rules: Path) -> None:
    (rules / "b.ndb").write_text("Second:0:*:6861726d6c657373\n")
    first = reports(scan("--json", files / "bad.txt"))["bad.txt"]
    every = reports(scan("--json", "--all-matches", files / "bad.txt"))["bad.txt"]
    assert len(first["detections"]) == 1
    assert {d["name"] for d in every["detections"]} == {"Test.Needle", "Second"}


def test_links_in_circles_and_special_files(scan: Scan, files: Path) -> None:
    (files / "round").symlink_to(files)
    os.mkfifo(files / "pipe")
    done = scan(files)
    text = done.stdout.decode()
    assert "links: 1" in text
    assert "special files: 1" in text
    assert len(reports(scan("--json", files))) == 4


def test_special_file_that_is_named(scan: Scan, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    done = scan("--json", tmp_path / "pipe")
    assert done.returncode == 2
    assert "named pipe" in reports(done)["pipe"]["skipped"][0]["detail"]


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="needs /proc")
def test_pseudo_file_systems_are_left_out_unless_asked_for(
    scan: Scan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tocsin.app.walk import Walk, WalkOptions

    def first(options: WalkOptions) -> str:
        walk = Walk(options._replace(exclude=("[!p]*", "p[!r]*")))
        for item in walk.items(["/"]):
            if str(getattr(item, "path", item)).startswith("/proc/"):
                return "entered"
        return "left out" if walk.left_out.get("pseudo file systems") else "not seen"

    assert first(WalkOptions()) == "left out"
    named = scan("--json", "/proc/self/status")
    assert named.returncode == 0
    assert "pseudo-file-systems" in tocsin(tmp_path, "scan", "--help").stdout.decode()


ROOT = os.geteuid() == 0
POWERLESS = (
    "setpriv",
    "--bounding-set=-dac_override,-dac_read_search",
    "--inh-caps=-dac_override,-dac_read_search",
)
"""Takes away from root that it may read everything."""


@pytest.mark.skipif(
    ROOT and shutil.which("setpriv") is None, reason="root reads everything, and setpriv is missing"
)
@pytest.mark.parametrize("kind", ["file", "folder"])
def test_what_may_not_be_read(kind: str, files: Path, tmp_path: Path, rules: Path) -> None:
    hidden = files / "hidden"
    if kind == "file":
        hidden.write_bytes(PAYLOAD)
    else:
        hidden.mkdir()
        (hidden / "inside").write_bytes(PAYLOAD)
    hidden.chmod(0)
    try:
        done = tocsin(
            tmp_path, "scan", "--db", rules, "--json", files, before=POWERLESS if ROOT else ()
        )
    finally:
        hidden.chmod(0o700)
    assert b"Traceback" not in done.stderr
    assert done.returncode == 1
    found = reports(done)
    assert found["hidden"]["verdict"] == "error"
    assert found["hidden"]["errors"] == ["Permission denied"]
    assert found["bad.txt"]["verdict"] == "infected"


def test_file_that_vanishes_during_the_scan(files: Path, rules: Path, tmp_path: Path) -> None:
    from tocsin.app.scan import Request, ScanRun
    from tocsin.app.walk import WalkOptions
    from tocsin.database.cache import open_database
    from tocsin.engine.options import Options

    index = open_database(rules, cache_dir=tmp_path / "cache")
    run = ScanRun(index, Request((str(files),), Options(), WalkOptions()))
    found = {}
    for report in run.reports():
        found[os.path.basename(report.path)] = report
        if "bad.zip" in found:
            (files / "sub" / "cut.zip").unlink(missing_ok=True)
    assert found["cut.zip"].verdict.value == "error"
    assert found["cut.zip"].errors == ["No such file or directory"]
    assert run.totals.exit_status == 1


@pytest.mark.parametrize("jobs", ["1", "2", "7"])
def test_jobs_make_no_difference(jobs: str, scan: Scan, files: Path) -> None:
    for number in range(20):
        (files / f"more{number}").write_bytes(PAYLOAD if number % 3 else b"x")

    def told(done: CompletedProcess[bytes]) -> list[str]:
        lines = [{**json.loads(line), "seconds": 0} for line in done.stdout.splitlines()]
        return sorted(json.dumps(line) for line in lines)

    alone = scan("--json", "--jobs", "1", files)
    together = scan("--json", "--jobs", jobs, files)
    assert told(together) == told(alone)
    assert len(told(alone)) == 24
    assert together.returncode == alone.returncode == 1


# --- limits -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        (["--max-file-size", "100"], "bad.txt"),
        (["--max-scan-size", "100"], "sub/bad.zip"),
        (["--max-depth", "1"], "sub/bad.zip"),
        (["--max-files", "1"], "sub/bad.zip"),
        (["--timeout", "0.000001"], "sub/bad.zip"),
    ],
)
def test_limit_is_said_and_never_clean(
    arguments: list[str], name: str, scan: Scan, files: Path, rules: Path
) -> None:
    (rules / "a.ndb").write_text("Other:0:*:6e6f7468657265\n")
    done = scan("--json", *arguments, files / name)
    (report,) = reports(done).values()
    assert done.returncode == 2
    assert report["verdict"] == "incomplete"
    assert any(arguments[0] in skip["detail"] for skip in report["skipped"])


# --- databases ----------------------------------------------------------------------------


def test_change_in_a_database_folder_is_noticed(scan: Scan, files: Path, rules: Path) -> None:
    place = files / "clean.txt"
    assert scan(place).returncode == 0
    (rules / "b.ndb").write_text("Added:0:*:6e6f7468696e672068657265\n")
    assert scan(place).returncode == 1
    (rules / "b.ndb").write_text("Other:0:*:6e6f7468696e672074686572\n")
    assert scan(place).returncode == 0
    (rules / "b.ndb").write_text("Changed:0:*:6e6f7468696e672068657265\n")
    assert b"Changed" in scan(place).stdout
    (rules / "c.ign2").write_text("Changed\n")
    assert scan(place).returncode == 0
    (rules / "c.ign2").unlink()
    (rules / "b.ndb").unlink()
    assert scan(place).returncode == 0


def test_two_databases_and_the_default_one(scan: Scan, tmp_path: Path) -> None:
    listed = tmp_path / "bad.txt"
    listed.write_text(hashlib.sha256(b"one more").hexdigest() + "\n")
    names = {"one": PAYLOAD, "two": b"one more", "three": EICAR}
    folder = tmp_path / "three"
    folder.mkdir()
    for name, data in names.items():
        (folder / name).write_bytes(data)
    found = reports(scan("--db", listed, "--json", folder))
    assert {n for n, r in found.items() if r["verdict"] == "infected"} == {"one", "two"}
    found = reports(scan("--with-default", "--json", folder))
    assert {n for n, r in found.items() if r["verdict"] == "infected"} == {"one", "three"}


def test_malformed_signature(scan: Scan, files: Path, rules: Path) -> None:
    (rules / "b.ndb").write_text("Good:0:*:61626364\nBroken:0:*:xyz\n")
    done = scan(files)
    assert done.returncode == 2
    assert b"b.ndb:2" in done.stderr
    assert scan("--lenient", files / "bad.txt").returncode == 1


# --- incremental --------------------------------------------------------------------------


def test_incremental_says_what_was_not_scanned_again(
    scan: Scan, files: Path, tmp_path: Path
) -> None:
    for number in range(4):  # in every process they come in the same order
        tocsin(tmp_path, "allow", f"Some.Name.{number}", "--reason", "r")
    long_ago = 1_000_000_000
    os.utime(files / "clean.txt", (long_ago, long_ago))
    import time

    time.sleep(2.1)  # a file changed within two seconds is not remembered
    first = reports(scan("--json", "--incremental", files))
    second = reports(scan("--json", "--incremental", files))
    assert not any(report["unchanged"] for report in first.values())
    assert {name for name, report in second.items() if report["unchanged"]} == {"clean.txt"}
    text = scan("--incremental", "--verbose", files).stdout.decode()
    assert "1 not scanned again" in text
    assert "unchanged since it was found clean" in text
    (files / "clean.txt").write_bytes(PAYLOAD[: len(b"nothing here")])
    assert not reports(scan("--json", "--incremental", files))["clean.txt"]["unchanged"]
    assert not any(report["unchanged"] for report in reports(scan("--json", files)).values())


def test_damaged_history_is_said(scan: Scan, files: Path, tmp_path: Path) -> None:
    place = tmp_path / "own" / "state" / "history.sqlite"
    place.parent.mkdir(parents=True)
    place.write_bytes(b"not a database" * 100)
    done = scan("--incremental", files)
    assert done.returncode == 2
    assert b"history.sqlite" in done.stderr


def test_damaged_exceptions_are_said(scan: Scan, files: Path, tmp_path: Path) -> None:
    place = tmp_path / "own" / "config" / "allow.json"
    place.parent.mkdir(parents=True)
    place.write_bytes(b"{")
    done = scan(files)
    assert done.returncode == 2
    assert b"allow.json" in done.stderr


def test_reader_of_the_output_that_goes_away(files: Path, rules: Path, tmp_path: Path) -> None:
    import subprocess

    from engine_samples import COMMAND, environment

    process = subprocess.Popen(
        [*COMMAND, "scan", "--db", str(rules), "--json", str(files)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(tmp_path),
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    errors = process.stderr.read()
    process.stderr.close()
    assert process.wait(timeout=60) != 0
    assert b"Traceback" not in errors


def test_an_unreadable_path_does_not_end_the_command() -> None:
    """Its report says so; the others are scanned. (click would refuse the whole command.)"""
    from tocsin.cli.scan import command

    (argument,) = [parameter for parameter in command.params if parameter.name == "paths"]
    assert argument.type.readable is False
    assert argument.type.exists is False


def test_a_full_disk_behind_the_output_is_no_defect(tmp_path):
    if not os.path.exists("/dev/full"):
        pytest.skip("this system has no /dev/full")
    (tmp_path / "a.txt").write_text("harmless")
    with open("/dev/full", "w") as full:
        command = [sys.executable, "-m", "tocsin.cli.main", "scan", tmp_path]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 2
    assert "No space left" in done.stderr
    assert "defect" not in done.stderr
