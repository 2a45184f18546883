"""Several processes give the same reports as one, and a lost one costs one file its verdict."""

from __future__ import annotations

import faulthandler
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from engine_samples import BODY_RULE, PAYLOAD, DatabaseMaker, tarred, zipped

from tocsin import Options, Report, Scanner, Verdict
from tocsin.engine import worker_process, workers
from tocsin.engine.messages import (
    LENGTH,
    ReadyAnswer,
    UnpackedAnswer,
    answer_from,
    pack_answer,
)
from tocsin.engine.object_scan import ObjectScanner
from tocsin.engine.options import Sandboxing
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
    whole = ObjectScanner.scan_stream

    def scan_stream(self: ObjectScanner, stream: Any, path: str, expected: int = 0) -> Report:
        if os.path.basename(path) == name:
            act()
        return whole(self, stream, path, expected)

    monkeypatch.setattr(ObjectScanner, "scan_stream", scan_stream)


@pytest.mark.parametrize(
    ("act", "words"),
    [
        (lambda: os.kill(os.getpid(), signal.SIGKILL), "without an answer"),
        (lambda: (faulthandler.disable(), os.kill(os.getpid(), signal.SIGSEGV)), "SIGSEGV"),
        (lambda: os._exit(3), "without an answer"),
        (lambda: 1 // 0, "without an answer"),
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
            assert words in report.skipped[0].detail
            assert "tried again" in report.skipped[0].detail
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


def test_one_bad_moment_is_forgiven(
    database: DatabaseMaker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    marker = tmp_path / "was here"

    def first_time() -> None:
        if not marker.exists():
            marker.touch()
            os._exit(7)

    break_at(monkeypatch, "bad.zip", first_time)
    options = Options(sandbox=Sandboxing.OFF)  # the marker is written by the worker
    with WorkerPool(database(a_ndb=BODY_RULE), options, 2) as pool:
        reports = {os.path.basename(r.path): r for r in pool.scan(make_files(tmp_path / "files"))}
    assert marker.exists()
    assert reports["bad.zip"].verdict is Verdict.INFECTED


def test_no_object_is_tried_a_third_time(
    database: DatabaseMaker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries = tmp_path / "tries"

    def count() -> None:
        with tries.open("a") as file:
            file.write("x")
        os._exit(7)

    break_at(monkeypatch, "bad", count)
    with WorkerPool(database(a_ndb=BODY_RULE), Options(sandbox=Sandboxing.OFF), 2) as pool:
        list(pool.scan(make_files(tmp_path / "files")))
    assert tries.read_text() == "xx"


def test_worker_is_replaced_after_a_number_of_objects(
    database: DatabaseMaker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workers, "OBJECTS_PER_WORKER", 3)
    paths = [path for path in make_files(tmp_path / "files") if "missing" not in path]
    pids = []
    with WorkerPool(database(a_ndb=BODY_RULE), Options(), 1) as pool:
        for _ in pool.scan(paths * 2):
            pids += [worker.pid for worker in pool._all]
    assert len(set(pids)) >= len(paths) * 2 // 3 - 1
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


NONSENSE: dict[str, bytes] = {
    "no message": b"\xc1",
    "not a map": b"\x93\x01\x02\x03",
    "unknown message": msgspec.msgpack.encode({"type": "verdict", "verdict": "clean"}),
    "message without its fields": msgspec.msgpack.encode({"type": "report"}),
    "wrong types": msgspec.msgpack.encode(
        {**msgspec.to_builtins(answer_from(Report("x"))), "size": "1", "type": "report"}
    ),
    "negative size": msgspec.msgpack.encode(
        {**msgspec.to_builtins(answer_from(Report("x"))), "size": -1, "type": "report"}
    ),
    "another kind of answer": pack_answer(UnpackedAnswer("ZIP", []))[4:],
    "ready again": pack_answer(ReadyAnswer(["everything"]))[4:],
    "nested without end": b"\x91" * 100_000,
    "text where a digest belongs": msgspec.msgpack.encode(
        {**msgspec.to_builtins(answer_from(Report("x"))), "sha256": "../..", "type": "report"}
    ),
}


@pytest.mark.parametrize("what", NONSENSE)
def test_answer_that_makes_no_sense(
    what: str, database: DatabaseMaker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def say(answers: int, _report: Report) -> None:
        os.write(answers, LENGTH.pack(len(NONSENSE[what])) + NONSENSE[what])

    monkeypatch.setattr(worker_process, "_say_report", say)
    place = tmp_path / "file"
    place.write_bytes(PAYLOAD)
    with WorkerPool(database(a_ndb=BODY_RULE), Options(), 1) as pool:
        (report,) = pool.scan([str(place)])
    assert report.verdict is Verdict.INCOMPLETE
    assert report.path == str(place)


def test_answer_without_end(
    database: DatabaseMaker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        worker_process, "_say_report", lambda answers, _: os.write(answers, b"\xff" * 4000)
    )
    place = tmp_path / "file"
    place.write_bytes(PAYLOAD)
    with WorkerPool(database(a_ndb=BODY_RULE), Options(), 1) as pool:
        (report,) = pool.scan([str(place)])
    assert "too long" in report.skipped[0].detail


def test_worker_cannot_speak_for_another_path(
    database: DatabaseMaker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def say(answers: int, _report: Report) -> None:
        os.write(answers, pack_answer(answer_from(Report("/etc/passwd"))))

    monkeypatch.setattr(worker_process, "_say_report", say)
    place = tmp_path / "file"
    place.write_bytes(PAYLOAD)
    with WorkerPool(database(a_ndb=BODY_RULE), Options(), 1) as pool:
        (report,) = pool.scan([str(place)])
    assert report.path == str(place)


def test_no_process_is_left_behind(database: DatabaseMaker, tmp_path: Path) -> None:
    with WorkerPool(database(a_ndb=BODY_RULE), Options(), 3) as pool:
        reports = pool.scan(make_files(tmp_path / "files"))
        next(iter(reports))
        pids = [worker.pid for worker in pool._all]
    assert pids
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
