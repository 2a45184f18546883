"""Ctrl-C: what was looked at until then is reported, and the exit status is never 0."""

from __future__ import annotations

import json
import os
import pty
import select
import subprocess
import sys
import time
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "engine"))

from engine_samples import BODY_RULE, COMMAND, PAYLOAD, environment, interrupted, tocsin

MANY = 3000


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    place = tmp_path / "signatures" / "a.ndb"
    place.parent.mkdir()
    place.write_text(BODY_RULE)
    return place


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """More files than are scanned before the signal comes: each is read again and again."""
    folder = tmp_path / "files"
    folder.mkdir()
    large = folder / "f00000"
    large.write_bytes(os.urandom(1 << 20))
    for number in range(1, MANY):
        os.link(large, folder / f"f{number:05}")
    return folder


def first_line(process: subprocess.Popen[bytes]) -> None:
    assert process.stdout is not None
    ready, _, _ = select.select([process.stdout], [], [], 60)
    assert ready


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_partial_report(jobs: str, files: Path, rules: Path, tmp_path: Path) -> None:
    status, output, errors = interrupted(
        tmp_path, "scan", "--db", rules, "--jobs", jobs, "-v", files, when=first_line
    )
    text = output.decode()
    assert status == 2
    assert b"Traceback" not in errors
    assert "stopped" in text
    assert 0 < text.count("clean      ") < MANY
    assert "scanned" in text


def test_partial_report_as_json(files: Path, rules: Path, tmp_path: Path) -> None:
    status, output, errors = interrupted(
        tmp_path, "scan", "--db", rules, "--json", "--jobs", "2", files, when=first_line
    )
    lines = [json.loads(line) for line in output.splitlines()]
    assert 0 < len(lines) < MANY
    assert {line["verdict"] for line in lines} == {"clean"}
    assert status == 2
    assert b"stopped after" in errors
    assert b"Traceback" not in errors


def test_what_was_found_before_counts(files: Path, rules: Path, tmp_path: Path) -> None:
    bad = files / "a-bad-one"
    bad.write_bytes(PAYLOAD)
    status, output, errors = interrupted(
        tmp_path, "scan", "--db", rules, "--jobs", "1", files, when=first_line
    )
    assert status == 1, errors
    assert b"Test.Needle" in output


def test_list_that_never_ends(rules: Path, tmp_path: Path) -> None:
    fifo = tmp_path / "list"
    os.mkfifo(fifo)
    writers: list[int] = []

    def feed(_: subprocess.Popen[bytes]) -> None:
        writers.append(os.open(fifo, os.O_WRONLY))  # waits for the reader
        os.write(writers[0], os.fsencode(rules) + b"\0")
        time.sleep(0.3)

    try:
        status, _, errors = interrupted(
            tmp_path, "scan", "--db", rules, "--files-from0", fifo, when=feed
        )
    finally:
        for writer in writers:
            os.close(writer)
    assert status == 2
    assert b"Traceback" not in errors


def test_workers_do_not_outlive_the_scan(files: Path, rules: Path, tmp_path: Path) -> None:
    children: list[int] = []

    def note(process: subprocess.Popen[bytes]) -> None:
        first_line(process)
        place = Path(f"/proc/{process.pid}/task/{process.pid}/children")
        if not place.exists():
            pytest.skip("needs /proc/PID/task/PID/children")
        children.extend(map(int, place.read_text().split()))

    interrupted(tmp_path, "scan", "--db", rules, "-v", "--jobs", "2", files, when=note)
    assert len(children) == 2
    for child in children:
        with pytest.raises(ProcessLookupError):
            os.kill(child, 0)


def test_incremental_scan_keeps_what_it_found_out(files: Path, rules: Path, tmp_path: Path) -> None:
    for number in range(1, MANY):
        (files / f"f{number:05}").unlink()
    own = [files / f"x{number:03}" for number in range(200)]
    for place in own:
        place.write_bytes(os.urandom(1 << 17))
    time.sleep(2.1)  # a file changed within two seconds is not remembered
    options = ("--db", rules, "--jobs", "1", "--incremental", "--json")
    status, output, _ = interrupted(tmp_path, "scan", *options, files, when=first_line)
    seen = len(output.splitlines())
    assert status in (0, 2)
    again = [
        json.loads(line) for line in tocsin(tmp_path, "scan", *options, files).stdout.splitlines()
    ]
    assert seen - 1 <= sum(line["unchanged"] for line in again) <= 201
    assert seen > 0


# --- a terminal ---------------------------------------------------------------------------


def on_terminal(place: Path, *arguments: str | Path) -> tuple[int, bytes]:
    """Run the command on a pseudo terminal; its status and all it wrote."""
    leader, follower = pty.openpty()
    process = subprocess.Popen(
        [*COMMAND, *map(os.fsencode, arguments)],
        stdin=follower,
        stdout=follower,
        stderr=follower,
        env=environment(place, TERM="xterm", COLUMNS="400"),
        start_new_session=True,
    )
    os.close(follower)
    written = bytearray()
    try:
        while True:
            try:
                chunk = os.read(leader, 1 << 16)
            except OSError:
                break
            if not chunk:
                break
            written += chunk
    finally:
        os.close(leader)
    return process.wait(timeout=60), bytes(written)


def test_progress_on_a_terminal_shows_names_without_their_escapes(
    rules: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "files"
    folder.mkdir()
    large = folder / "\x1b]0;owned\x07 first"
    # Bytes of no kind of file: chance makes a text in 16-bit characters of most random ones,
    # whose 151 scans take a minute.
    quiet = bytes((0, 1, 2, 3, 0x81, 0xF0, 0xF1, 0xFE)) * 32
    large.write_bytes(os.urandom(4 << 20).translate(quiet))
    for number in range(150):
        os.link(large, folder / f"\x1b]0;owned\x07{number:03}")
    status, shown = on_terminal(tmp_path, "scan", "--db", rules, "--jobs", "1", folder)
    assert status == 0
    assert b"nothing found" in shown
    assert b"0;owned" in shown
    assert b"\x1b]0;" not in shown


def test_colours_on_a_terminal_only(rules: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad"
    bad.write_bytes(PAYLOAD)
    status, shown = on_terminal(tmp_path, "scan", "--db", rules, bad)
    assert status == 1
    assert b"\x1b[31;1mINFECTED" in shown
    _, plain = on_terminal(tmp_path, "scan", "--db", rules, "--no-progress", "--json", bad)
    assert b"\x1b" not in plain
