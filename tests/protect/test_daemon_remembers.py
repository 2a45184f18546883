"""What is clean is not scanned again, and nothing that could be another content is taken for it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from protect.running_daemon import RunningDaemon, eicar, piece, running_daemon
from tocsin.engine.report import Note, Report, SkippedObject
from tocsin.protect.daemon.remembered import Remembered


@pytest.fixture(scope="module")
def daemon() -> Iterator[RunningDaemon]:
    with running_daemon() as daemon:
        yield daemon


def known(daemon: RunningDaemon) -> int:
    """How often a content was known."""
    text = daemon.request("GET", "/metrics")[1].decode()
    line = next(each for each in text.splitlines() if each.startswith("tocsin_remembered_total"))
    return int(float(line.split()[1]))


def scan(daemon: RunningDaemon, path: Path) -> bytes:
    return daemon.ask(b"zSCAN %s\0" % bytes(path)).rpartition(b": ")[2].rstrip(b"\0")


# --- streams ------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [0, 10, 100_000, 3_000_000])
def test_a_stream_is_known_by_its_digest(daemon: RunningDaemon, size: int) -> None:
    data = os.urandom(16)[: min(size, 16)] + bytes(max(0, size - 16))
    pieces = [piece(data[at : at + 50_000]) for at in range(0, len(data), 50_000)]
    before = known(daemon)
    for _ in range(3):
        assert daemon.ask(b"zINSTREAM\0", *pieces, piece(b"")) == b"stream: OK\0"
    assert known(daemon) - before >= 2
    before = known(daemon)
    other = [piece(b"x"), *pieces]
    assert daemon.ask(b"zINSTREAM\0", *other, piece(b"")) == b"stream: OK\0"
    assert known(daemon) == before


def test_what_is_found_is_found_again(daemon: RunningDaemon) -> None:
    before = known(daemon)
    for _ in range(3):
        assert daemon.ask(b"zINSTREAM\0", piece(eicar()), piece(b"")).endswith(b"FOUND\0")
    assert known(daemon) == before


# --- files ----------------------------------------------------------------------------------


def test_files_are_looked_at_every_time(daemon: RunningDaemon) -> None:
    """Between two readings a file may be another, and not every way to change it sets a time."""
    file = daemon.folder / "file"
    file.write_bytes(b"clean")
    before = known(daemon)
    assert [scan(daemon, file) for _ in range(3)] == [b"OK"] * 3
    for _ in range(2):
        assert daemon.ask(b"zINSTREAM\0", piece(b"clean"), piece(b"")) == b"stream: OK\0"
    assert scan(daemon, file) == b"OK"
    assert known(daemon) == before + 1


def test_another_database_begins_with_nothing() -> None:
    stream = (piece(b"what a signature will name"), piece(b""))
    with running_daemon() as daemon:
        for _ in range(2):
            assert daemon.ask(b"zINSTREAM\0", *stream) == b"stream: OK\0"
        assert known(daemon) == 1
        added = "Later:0:*:" + b"a signature will name".hex() + "\n"
        with (daemon.folder / "db" / "small.ndb").open("a") as database:
            database.write(added)
        assert daemon.ask(b"zRELOAD\0") == b"RELOADING\0"
        daemon.wait_until(lambda: daemon.ask(b"zINSTREAM\0", *stream).endswith(b"FOUND\0"))


def test_nothing_is_remembered_when_it_is_switched_off() -> None:
    with running_daemon(daemon={"cache_size": 0}) as daemon:
        for _ in range(2):
            assert daemon.ask(b"zINSTREAM\0", piece(b"x"), piece(b"")) == b"stream: OK\0"
        assert known(daemon) == 0


# --- the parts --------------------------------------------------------------------------------


def test_only_what_was_wholly_looked_at_is_remembered() -> None:
    remembered = Remembered(2)
    for spoil in (
        lambda report: report.skipped.append(SkippedObject("x", "allowed", "by the user")),
        lambda report: report.errors.append("unreadable"),
        lambda report: report.notes.append(Note("x", "odd", "odd")),
    ):
        report = Report("x")
        spoil(report)
        remembered.keep(b"mark", report)
        assert remembered.recall(b"mark", "x") is None
    remembered.keep(b"", Report("x"))
    assert remembered.recall(b"", "x") is None
    for mark in (b"1", b"2"):
        remembered.keep(mark, Report("x"))
    assert remembered.recall(b"1", "y").path == "y"
    remembered.keep(b"3", Report("x"))
    assert [mark for mark in (b"1", b"2", b"3") if remembered.recall(mark, "x")] == [b"1", b"3"]
