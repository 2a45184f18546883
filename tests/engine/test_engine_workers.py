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
    ReportAnswer,
    UnpackedAnswer,
    answer_from,
    pack_answer,
    pack_report,
    read_answer,
    report_from,
)
from tocsin.engine.object_scan import ObjectScanner
from tocsin.engine.options import Sandboxing
from tocsin.engine.report import Detection
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
    database: DatabaseMaker, tmp_path: Path
) -> None:
    paths = [path for path in make_files(tmp_path / "files") if "missing" not in path]
    pids = []
    with WorkerPool(database(a_ndb=BODY_RULE), Options(objects_per_worker=3), 1) as pool:
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
    def say(answers: int, _report: Report, number: int) -> None:
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
        worker_process, "_say_report", lambda answers, *_: os.write(answers, b"\xff" * 4000)
    )
    place = tmp_path / "file"
    place.write_bytes(PAYLOAD)
    with WorkerPool(database(a_ndb=BODY_RULE), Options(), 1) as pool:
        (report,) = pool.scan([str(place)])
    assert "too long" in report.skipped[0].detail


def test_worker_cannot_speak_for_another_path(
    database: DatabaseMaker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def say(answers: int, _report: Report, number: int) -> None:
        os.write(answers, pack_answer(answer_from(Report("/etc/passwd"), number)))

    monkeypatch.setattr(worker_process, "_say_report", say)
    place = tmp_path / "file"
    place.write_bytes(PAYLOAD)
    with WorkerPool(database(a_ndb=BODY_RULE), Options(), 1) as pool:
        (report,) = pool.scan([str(place)])
    assert report.path == str(place)


@pytest.fixture
def one_file(tmp_path: Path) -> str:
    place = tmp_path / "file"
    place.write_bytes(PAYLOAD)
    return str(place)


def clean(number: int) -> bytes:
    return pack_answer(answer_from(Report("x"), number))


def test_answer_to_no_question_or_another(
    database: DatabaseMaker, one_file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        worker_process, "_say_report", lambda answers, _, number: os.write(answers, clean(7))
    )
    with WorkerPool(database(a_ndb=BODY_RULE), Options(), 1) as pool:
        (report,) = pool.scan([one_file])
    assert report.verdict is Verdict.INCOMPLETE
    assert "out of turn" in report.skipped[0].detail


@pytest.mark.parametrize("pause", [0.0, 0.2])
def test_worker_that_says_more_than_it_was_asked_is_replaced(
    pause: float, database: DatabaseMaker, one_file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it says at once or later never stands for the next object."""
    whole = worker_process._say_report

    def say(answers: int, report: Report, number: int) -> None:
        whole(answers, report, number)
        time.sleep(pause)
        os.write(answers, clean(number) * 3)

    monkeypatch.setattr(worker_process, "_say_report", say)
    started = []
    start = WorkerPool._start

    def count(pool: WorkerPool) -> object:
        started.append(pool)
        return start(pool)

    monkeypatch.setattr(WorkerPool, "_start", count)
    with WorkerPool(database(a_ndb=BODY_RULE), Options(), 1) as pool:
        for report in pool.scan([one_file] * 4):
            assert report.verdict is Verdict.INFECTED
            time.sleep(2 * pause)
    assert len(started) >= 4


def test_scan_that_its_caller_leaves_can_be_followed_by_others(
    database: DatabaseMaker, one_file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Left(Exception):
        pass

    def leave(_number: int, _frame: object) -> None:
        raise Left

    break_at(monkeypatch, "slow", lambda: time.sleep(20))
    index = database(a_ndb=BODY_RULE)
    before = len(os.listdir("/proc/self/fd"))
    with Scanner(index) as scanner:
        signal.signal(signal.SIGALRM, leave)
        signal.setitimer(signal.ITIMER_REAL, 0.3)
        with pytest.raises(Left):
            scanner.scan_bytes(b"x" * 100, "slow")
        assert scanner.scan_file(one_file).verdict is Verdict.INFECTED
    assert len(os.listdir("/proc/self/fd")) <= before


def test_process_forked_from_one_that_scans_has_a_worker_of_its_own(
    database: DatabaseMaker, one_file: str
) -> None:
    with Scanner(database(a_ndb=BODY_RULE)) as scanner:
        assert scanner.scan_file(one_file).verdict is Verdict.INFECTED
        children = []
        for number in range(3):
            pid = os.fork()
            if pid == 0:
                data = PAYLOAD if number % 2 else b"nothing" * 9
                wanted = Verdict.INFECTED if number % 2 else Verdict.CLEAN
                fits = all(scanner.scan_bytes(data).verdict is wanted for _ in range(5))
                scanner.close()
                os._exit(0 if fits else 1)
            children.append(pid)
        statuses = [os.waitpid(pid, 0)[1] for pid in children]
        assert statuses == [0, 0, 0]
        assert scanner.scan_file(one_file).verdict is Verdict.INFECTED


def test_report_too_long_to_pass_on_keeps_what_was_found() -> None:
    report = Report("x")
    detection = Detection("Name", "a.ndb", "x" * 100_000, None)
    report.detections = [detection._replace(name=f"N{number}") for number in range(2000)]
    packed = pack_report(report, 5)
    assert len(packed) < 70 << 20
    answer = read_answer(packed[4:])
    assert isinstance(answer, ReportAnswer)
    assert report_from(answer, "x").verdict is Verdict.INFECTED
    assert answer.skipped


def test_no_process_is_left_behind(database: DatabaseMaker, tmp_path: Path) -> None:
    with WorkerPool(database(a_ndb=BODY_RULE), Options(), 3) as pool:
        reports = pool.scan(make_files(tmp_path / "files"))
        next(iter(reports))
        pids = [worker.pid for worker in pool._all]
    assert pids
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
