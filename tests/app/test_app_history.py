"""What `--incremental` remembers: clean files that are surely unchanged, and nothing else."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from engine_samples import BODY_RULE, PAYLOAD, DatabaseMaker, zipped

from tocsin import Index, Limits, Options, Report, Scanner, Verdict
from tocsin.app import history as history_module
from tocsin.app.history import History
from tocsin.app.scan import Request, ScanRun
from tocsin.app.walk import WalkOptions
from tocsin.engine.jobs import Job
from tocsin.engine.messages import Final
from tocsin.engine.workers import WorkerPool
from tocsin.errors import SettingsError

LONG_AGO = time.time_ns() - 10**13


@pytest.fixture(autouse=True)
def _settle_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files made by these tests count as changed long ago."""
    monkeypatch.setattr(history_module, "_SETTLED_NS", -1)


@pytest.fixture
def index(database: DatabaseMaker) -> Index:
    return database(a_ndb=BODY_RULE)


def run(
    index: Index,
    *paths: Path,
    options: Options = Options(),  # noqa: B008
    jobs: int = 1,
) -> dict[str, Report]:
    request = Request(tuple(map(str, paths)), options, WalkOptions(), jobs, incremental=True)
    return {Path(report.path).name: report for report in ScanRun(index, request).reports()}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    top = tmp_path / "files"
    top.mkdir()
    contents = {"clean": b"nothing here", "bad": PAYLOAD, "cut": zipped(PAYLOAD)[:60], "empty": b""}
    for name, data in contents.items():
        (top / name).write_bytes(data)
    return top


@pytest.mark.parametrize("jobs", [1, 2])
def test_only_clean_files_are_taken_over(jobs: int, index: Index, folder: Path) -> None:
    first = run(index, folder, jobs=jobs)
    second = run(index, folder, jobs=jobs)
    assert not any(report.unchanged for report in first.values())
    assert {name for name, report in second.items() if report.unchanged} == {"clean", "empty"}
    assert {n: r.verdict for n, r in first.items()} == {n: r.verdict for n, r in second.items()}
    for name in ("clean", "empty"):
        assert second[name].sha256 == first[name].sha256
        assert (second[name].size, second[name].type_name) == (
            first[name].size,
            first[name].type_name,
        )


def test_taken_over_verdicts_are_counted(index: Index, folder: Path) -> None:
    run(index, folder)
    request = Request((str(folder),), Options(), WalkOptions(), incremental=True)
    again = ScanRun(index, request)
    assert len(list(again.reports())) == 4
    assert again.totals.unchanged == 2


@pytest.mark.parametrize(
    "change", ["content", "same size and time", "replaced", "renamed over", "touched"]
)
def test_changed_file_is_scanned_again(change: str, index: Index, folder: Path) -> None:
    place = folder / "clean"
    place.write_bytes(b"x" * len(PAYLOAD))
    os.utime(place, ns=(LONG_AGO, LONG_AGO))
    run(index, folder)
    status = place.stat()
    match change:
        case "content":
            place.write_bytes(PAYLOAD + b"more")
        case "same size and time":
            place.write_bytes(PAYLOAD)
            os.utime(place, ns=(status.st_atime_ns, status.st_mtime_ns))
        case "replaced":
            place.unlink()
            place.write_bytes(PAYLOAD)
            os.utime(place, ns=(LONG_AGO, LONG_AGO))
        case "renamed over":
            (folder / "bad").rename(place)
        case "touched":
            os.utime(place)
    report = run(index, place)["clean"]
    assert not report.unchanged
    assert report.verdict is (Verdict.CLEAN if change == "touched" else Verdict.INFECTED)


def test_unchanged_file_under_another_name_is_taken_over(index: Index, folder: Path) -> None:
    run(index, folder)
    os.link(folder / "empty", folder / "second name")
    os.rename(folder / "clean", folder / "renamed")
    verdicts = run(index, folder)
    assert all(report.verdict is Verdict.CLEAN for n, report in verdicts.items() if "e" in n[:2])


def test_another_database_scans_again(index: Index, folder: Path, database: DatabaseMaker) -> None:
    run(index, folder)
    other = database(b_ndb="Nothing:0:*:6e6f7468696e672068657265\n")
    report = run(other, folder / "clean")["clean"]
    assert (report.unchanged, report.verdict) == (False, Verdict.INFECTED)


@pytest.mark.parametrize(
    "options",
    [
        Options(detect_pua=True),
        Options(limits=Limits(max_depth=3)),
        Options(passwords=(b"x",)),
        Options(all_matches=False),
    ],
)
def test_other_options_scan_again(options: Options, index: Index, folder: Path) -> None:
    run(index, folder)
    assert not run(index, folder / "clean", options=options)["clean"].unchanged
    assert run(index, folder / "clean", options=options)["clean"].unchanged


def test_file_that_turns_bad_is_forgotten(index: Index, folder: Path) -> None:
    run(index, folder)
    (folder / "clean").write_bytes(PAYLOAD)
    run(index, folder)
    (folder / "clean").write_bytes(b"nothing here")
    assert not run(index, folder)["clean"].unchanged


def test_file_changed_just_now_is_not_remembered(
    index: Index, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history_module, "_SETTLED_NS", 10**12)
    run(index, folder)
    assert not any(report.unchanged for report in run(index, folder).values())


def test_file_changed_while_it_was_scanned_is_not_remembered(
    index: Index, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bytes that were looked at are not those that lie there now."""
    place = folder / "clean"
    place.write_bytes(b"x" * len(PAYLOAD))
    whole = WorkerPool.run

    def slow(self: WorkerPool, work: Iterator[Job | Report]) -> Iterator[Report | Final]:
        for report in whole(self, work):
            place.write_bytes(PAYLOAD)
            yield report

    with monkeypatch.context() as patched:
        patched.setattr(WorkerPool, "run", slow)
        assert run(index, place)["clean"].verdict is Verdict.CLEAN
    assert run(index, place)["clean"].verdict is Verdict.INFECTED


def test_links_and_special_files_are_never_taken_over(index: Index, folder: Path) -> None:
    link = folder / "link"
    link.symlink_to(folder / "clean")
    run(index, link)
    link.unlink()
    link.symlink_to(folder / "bad")
    assert run(index, link)["link"].verdict is Verdict.INFECTED


@pytest.mark.parametrize(
    "content", [b"this is no database" * 100, b"SQLite format 3\0" + b"x" * 500]
)
def test_damaged_history_is_said(content: bytes, index: Index, tmp_path: Path) -> None:
    place = tmp_path / "history.sqlite"
    place.write_bytes(content)
    with pytest.raises(SettingsError, match=r"history\.sqlite.*remove it"):
        History(index.identity, Options(), place)
    assert place.read_bytes() == content


def scan_with(history: History, index: Index, *paths: Path) -> list[bool]:
    """Ask, scan and remember, as a run does; whether each was known."""
    scanner = Scanner(index)
    known = []
    for path in paths:
        report = history.known_clean(str(path))
        known.append(report is not None)
        history.remember(report or scanner.scan_file(str(path)))
    return known


def test_history_damaged_behind_its_header_only_means_scanning_again(
    index: Index, folder: Path, tmp_path: Path
) -> None:
    for number in range(300):
        (folder / f"f{number}").write_bytes(b"nothing")
    before = {name: report.verdict for name, report in run(index, folder).items()}
    place = tmp_path / "own" / "state" / "history.sqlite"
    with sqlite3.connect(place) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    content = bytearray(place.read_bytes())
    assert len(content) > 3 * 4096
    content[4096:] = b"\xa5" * (len(content) - 4096)
    place.write_bytes(content)
    request = Request((str(folder),), Options(), WalkOptions(), incremental=True)
    again = ScanRun(index, request)
    after = {Path(report.path).name: report.verdict for report in again.reports()}
    assert after == before
    assert again.totals.unchanged == 0
    assert "history.sqlite" in again.trouble


def test_two_scans_at_once(index: Index, folder: Path) -> None:
    one, other = (History(index.identity, Options()) for _ in range(2))
    clean, empty = folder / "clean", folder / "empty"
    assert scan_with(one, index, clean) == [False]
    assert scan_with(other, index, folder / "bad", empty) == [False, False]
    assert scan_with(one, index, folder / "cut", empty) == [False, True]
    one.close()
    assert scan_with(other, index, clean, empty) == [True, True]
    other.close()
    assert (one.trouble, other.trouble) == ("", "")
    again = History(index.identity, Options())
    assert scan_with(again, index, clean, empty) == [True, True]
    again.close()


def test_what_was_not_asked_for_is_not_remembered(index: Index, folder: Path) -> None:
    history = History(index.identity, Options())
    history.remember(Scanner(index).scan_file(str(folder / "clean")))
    assert history.known_clean(str(folder / "clean")) is None
    history.close()


def test_file_replaced_between_scan_and_remembering_is_not_clean_later(
    index: Index, folder: Path
) -> None:
    scanner = Scanner(index)
    place = folder / "clean"
    history = History(index.identity, Options())
    history.known_clean(str(place))
    report = scanner.scan_file(str(place))
    place.write_bytes(b"NOTHING HERE")  # as long as before
    history.remember(report)
    assert history.known_clean(str(place)) is None
    history.close()
