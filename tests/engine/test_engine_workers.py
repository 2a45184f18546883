"""Several processes give the same reports as one, and a lost one costs one file its verdict."""

from __future__ import annotations

import faulthandler
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from engine_samples import BODY_RULE, PAYLOAD, DatabaseMaker, tarred, zipped

from tocsin import Options, Report, Scanner, Verdict
from tocsin.engine import workers
from tocsin.engine.workers import WorkerPool


def timeless(report: Report) -> dict[str, Any]:
    return {**report.to_dict(), "seconds": 0}


def make_files(folder: Path) -> list[str]:
    contents = {
        "clean": b"nothing at all",
        "bad": PAYLOAD,
        "bad.zip": zipped(PAYLOAD),
        "cut.zip": zipped(PAYLOAD)[:60],
        "caf\udce9": tarred(PAYLOAD),
        "line\nbreak": b"x" * 100_000,
        "empty": b"",
    }
    folder.mkdir()
    for name, data in contents.items():
        (folder / name).write_bytes(data)
    return [str(folder / name) for name in [*contents, "missing"]]


@pytest.mark.parametrize("jobs", [1, 2, 5])
def test_same_reports_as_one_process(jobs: int, database: DatabaseMaker, tmp_path: Path) -> None:
    index = database(a_ndb=BODY_RULE, a_yar='rule R { strings: $a = "nee" condition: $a }\n')
    paths = make_files(tmp_path / "files") * 3
    scanner = Scanner(index)
    alone = [timeless(scanner.scan_file(path)) for path in paths]
    with WorkerPool(index, Options(), jobs) as pool:
        together = [timeless(report) for report in pool.scan(paths)]
    assert sorted(together, key=str) == sorted(alone, key=str)


def test_nothing_to_scan(database: DatabaseMaker) -> None:
    with WorkerPool(database(a_ndb=BODY_RULE), Options(), 2) as pool:
        assert list(pool.scan([])) == []


def test_paths_are_taken_as_they_are_needed(database: DatabaseMaker, tmp_path: Path) -> None:
    taken: list[str] = []

    def paths() -> Any:
        for path in make_files(tmp_path / "files") * 5:
            taken.append(path)
            yield path

    with WorkerPool(database(a_ndb=BODY_RULE), Options(), 2) as pool:
        next(iter(pool.scan(paths())))
    assert len(taken) <= 5


def break_at(monkeypatch: pytest.MonkeyPatch, name: str, act: Callable[[], object]) -> None:
    whole = Scanner.scan_file

    def scan_file(self: Scanner, path: Any) -> Report:
        if os.path.basename(path) == name:
            act()
        return whole(self, path)

    monkeypatch.setattr(Scanner, "scan_file", scan_file)


@pytest.mark.parametrize(
    ("act", "words"),
    [
        (lambda: os.kill(os.getpid(), signal.SIGKILL), "without an answer"),
        (lambda: (faulthandler.disable(), os.kill(os.getpid(), signal.SIGSEGV)), "SIGSEGV"),
        (lambda: os._exit(3), "without an answer"),
        (lambda: 1 // 0, ""),
    ],
    ids=["killed", "crashed", "exited", "raised"],
)
@pytest.mark.parametrize("jobs", [1, 2])
def test_lost_worker_costs_one_file_its_verdict(
    jobs: int,
    act: Callable[[], object],
    words: str,
    database: DatabaseMaker,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    break_at(monkeypatch, "bad.zip", act)
    paths = make_files(tmp_path / "files") * 2
    with WorkerPool(database(a_ndb=BODY_RULE), Options(), jobs) as pool:
        reports = list(pool.scan(paths))
    assert sorted(report.path for report in reports) == sorted(paths)
    for report in reports:
        name = os.path.basename(report.path)
        if name == "bad.zip":
            assert report.verdict is Verdict.INCOMPLETE
            assert words in (report.skipped[0].detail if report.skipped else report.errors[0])
        elif name == "bad":
            assert report.verdict is Verdict.INFECTED
        elif name == "clean":
            assert report.verdict is Verdict.CLEAN


def test_worker_that_hangs_is_ended(
    database: DatabaseMaker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workers, "GRACE_SECONDS", 0.1)
    break_at(monkeypatch, "bad", lambda: time.sleep(60))
    options = Options(limits=Options().limits._replace(timeout=0.5))
    with WorkerPool(database(a_ndb=BODY_RULE), options, 2) as pool:
        reports = {os.path.basename(r.path): r for r in pool.scan(make_files(tmp_path / "files"))}
    assert reports["bad"].verdict is Verdict.INCOMPLETE
    assert "no answer" in reports["bad"].skipped[0].detail
    assert reports["bad.zip"].verdict is Verdict.INFECTED


@pytest.mark.parametrize(
    "answer",
    [b"not json", b"{}", b"[]", b'{"path": 1, "detections": 3}', b"\xff\xfe"],
)
def test_answer_that_makes_no_sense(
    answer: bytes, database: DatabaseMaker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Wrong:
        def to_dict(self) -> Any:
            return Odd()

    class Odd:
        pass

    monkeypatch.setattr(Scanner, "scan_file", lambda *_: Wrong())
    monkeypatch.setattr(workers.json, "dumps", lambda _: Said(answer))

    class Said:
        def __init__(self, data: bytes) -> None:
            self.data = data

        def encode(self) -> bytes:
            return self.data

    with WorkerPool(database(a_ndb=BODY_RULE), Options(), 1) as pool:
        (report,) = pool.scan([str(tmp_path)])
    assert report.verdict is Verdict.INCOMPLETE
    assert report.path == str(tmp_path)


def test_no_process_is_left_behind(database: DatabaseMaker, tmp_path: Path) -> None:
    with WorkerPool(database(a_ndb=BODY_RULE), Options(), 3) as pool:
        reports = pool.scan(make_files(tmp_path / "files"))
        next(iter(reports))
        pids = [worker.pid for worker in [*pool._idle, *pool._busy]]
    assert pids
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
