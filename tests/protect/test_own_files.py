"""This program's own files: neither examined by a walk nor taken away, and nothing besides them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "engine"))

from engine_samples import isolation
from running_daemon import MARKER, SIGNATURES, RunningDaemon, running_daemon

from tocsin.app import tasks
from tocsin.app.keeping import Keeping
from tocsin.app.own_files import own_files
from tocsin.app.scan import Request, ScanRun
from tocsin.app.settings import load_settings
from tocsin.app.walk import Walk, WalkOptions
from tocsin.database.cache import open_database
from tocsin.engine.options import Options
from tocsin.engine.report import Detection, Level, Report
from tocsin.protect.actions import NOT_OWN
from tocsin.protect.journal.event import Event, Kind
from tocsin.protect.own_files import WHAT, OwnFiles
from tocsin.settings import Settings

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount and change owners")


class Place:
    """Caches, state and signatures of their own, with an index that is in use."""

    def __init__(self, top: Path) -> None:
        self.cache = top / "cache"
        self.state = top / "own" / "state"
        self.rules = top / "rules" / "small.ndb"
        self.data = top / "data"
        self.file = top / "tocsin.toml"
        self.rules.parent.mkdir(mode=0o755)
        self.rules.write_text(SIGNATURES)
        self.rules.chmod(0o644)
        self.data.mkdir()

    def settle(self, *paths: Path, action: str = "quarantine") -> Settings:
        named = ", ".join(f'"{path}"' for path in paths or (self.data,))
        self.file.write_text(
            f'[database]\nsources = ["{self.rules.parent}"]\nwith_default = false\n'
            '[daemon]\napi_socket = "/nonexistent/api.sock"\n'
            '[[task]]\nname = "t"\nkind = "custom"\nincremental = false\nnice = 0\n'
            f'idle_io = false\npause_on_battery = false\naction = "{action}"\npaths = [{named}]\n'
        )
        return load_settings(self.file).settings

    def index(self) -> Path:
        open_database([self.rules.parent], lenient=True)
        (index,) = self.cache.glob("*.index")
        return index


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    for name, value in isolation(tmp_path).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("TOCSIN_CACHE_DIR", str(tmp_path / "cache"))
    return Place(tmp_path)


def walked(top: Path, own: OwnFiles, **more: bool) -> tuple[list[str], int]:
    walk = Walk(WalkOptions(own=own, **more))
    items = [item for item in walk.items([str(top)]) if isinstance(item, str)]
    return items, walk.left_out.get(WHAT, 0)


def run(settings: Settings) -> tuple[object, list[Report]]:
    heard: list[Report] = []
    return tasks.TaskRun(settings, tasks.task_named(settings, "t")).run(heard=heard.append), heard


def infected(path: Path) -> Report:
    report = Report(str(path))
    report.detections.append(Detection("A.B", "a.ndb", str(path), None, Level.MALICIOUS))
    return report


# --- tasks --------------------------------------------------------------------------------


@pytest.mark.parametrize("named", ["folder", "above", "file"])
def test_a_task_that_takes_away_leaves_the_index_in_use(place: Place, named: str) -> None:
    index = place.index()
    bad = place.data / "bad"
    bad.write_bytes(MARKER)
    tops = {"folder": place.cache, "above": place.cache.parent, "file": index}
    progress, heard = run(place.settle(tops[named], place.data))
    assert index.exists()
    assert place.rules.exists()
    assert not bad.exists()
    assert progress.own > 0  # type: ignore[attr-defined]
    assert not [report for report in heard if report.path.startswith(str(place.cache))]


def test_a_link_to_the_index_is_the_index(place: Place) -> None:
    index = place.index()
    os.link(index, place.data / "other-name")
    settings = place.settle()
    items, left_out = walked(place.data, own_files(settings))
    assert (items, left_out) == ([], 1)


@as_root
def test_another_mount_of_the_cache_is_the_cache(place: Place) -> None:
    """In a mount namespace of its own, which ends with the process."""
    index = place.index()
    place.settle()
    script = f"""
from pathlib import Path
from tocsin.app.own_files import own_files
from tocsin.app.settings import load_settings
from tocsin.app.walk import Walk, WalkOptions
walk = Walk(WalkOptions(own=own_files(load_settings(Path({str(place.file)!r})).settings)))
print(list(walk.items([{str(place.data)!r}])), walk.left_out)
"""
    second, third = place.data / "cache", place.data / "index"
    second.mkdir()
    third.touch()
    mounts = f"mount --bind {place.cache} {second} && mount --bind {index} {third}"
    done = subprocess.run(
        ["unshare", "-m", "sh", "-c", f'{mounts} && exec "$0" -c "$1"', sys.executable, script],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode and "mount" in done.stderr:
        pytest.skip(f"this machine does not let mount: {done.stderr}")
    assert done.stdout.strip() == f"[] {{{WHAT!r}: 2}}", done.stderr


# --- what somebody else could have put there ----------------------------------------------


@as_root
def test_a_folder_of_somebody_else_is_not_passed_over(place: Place) -> None:
    place.index()
    (place.cache / "hidden").write_bytes(MARKER)
    os.chown(place.cache, 65534, 65534)
    items, left_out = walked(place.cache, own_files(place.settle()))
    assert str(place.cache / "hidden") in items
    assert left_out == 0


@pytest.mark.parametrize("mode", [0o777, 0o1777, 0o770])
def test_a_folder_that_others_may_write_to_is_not_passed_over(place: Place, mode: int) -> None:
    place.index()
    (place.cache / "hidden").write_bytes(MARKER)
    (place.cache / "hidden").chmod(0o666)
    place.cache.chmod(mode)
    items, _ = walked(place.cache, own_files(place.settle()))
    assert str(place.cache / "hidden") in items


@as_root
def test_a_link_that_somebody_else_made_makes_nothing_ours(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.settle()
    (place.data / "hidden").write_bytes(MARKER)
    link = place.data.parent / "link"
    link.symlink_to(place.data)
    monkeypatch.setenv("TOCSIN_CACHE_DIR", str(link))
    assert walked(place.data, own_files(place.settle())) == ([], 1)
    os.lchown(link, 65534, 65534)
    assert walked(place.data, own_files(place.settle()))[0] == [str(place.data / "hidden")]


def test_other_files_beside_the_signatures_are_not_passed_over(place: Place) -> None:
    other = place.rules.parent / "program"
    other.write_bytes(MARKER)
    assert walked(place.rules.parent, own_files(place.settle())) == ([str(other)], 1)


@as_root
def test_signatures_of_another_account_are_scanned_but_never_taken(place: Place) -> None:
    plain = place.rules.with_name("plain.ndb")
    plain.write_text("# " + MARKER.decode() + "\n")
    os.chown(place.rules.parent, 65534, 65534)
    progress, heard = run(place.settle(place.rules.parent))
    assert str(plain) in {report.path for report in heard if report.detections}
    assert plain.exists()
    assert progress.failed == 1  # type: ignore[attr-defined]


# --- other ways to a file -----------------------------------------------------------------


class OneFile:
    """A source that has one file, as the memory of a process or a start-up place may."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def items(self) -> Iterator[object]:
        from tocsin.engine.exceptions import NONE
        from tocsin.engine.jobs import scan_job

        yield scan_job(str(self._path), NONE)

    def finished(self, report: Report) -> Iterator[Report]:
        yield report

    def lines(self) -> list[tuple[str, str]]:
        return []


def test_a_start_up_place_that_leads_to_the_index(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = place.index()
    bad = place.data / "bad"
    bad.write_bytes(MARKER)
    settings = place.settle()
    walk = WalkOptions(own=own_files(settings))
    found = ScanRun(open_database([place.rules.parent], lenient=True), Request((), Options(), walk))
    sources = [OneFile(index), OneFile(place.rules), OneFile(bad)]
    monkeypatch.setattr(found, "_sources", lambda: iter(sources))
    assert [report.path for report in found.reports()] == [str(bad)]
    assert found.walk.left_out == {WHAT: 2}


def test_what_the_guard_finds_in_the_state_folder_is_not_taken(place: Place) -> None:
    settings = place.settle()
    said: list[Event] = []
    keeping = Keeping(settings, place.file, said.append)
    for path in (place.state / "journal" / "deep" / "x", place.data / "x"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(MARKER)
        with path.open("rb") as file:
            keeping.take(bytes(path), file.fileno(), infected(path).to_dict(), "guard")
    assert (place.state / "journal" / "deep" / "x").exists()
    assert not (place.data / "x").exists()
    assert [event.kind for event in said] == [Kind.FAILURE, Kind.ACTION]
    assert NOT_OWN in said[0].message


# --- the daemon ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def daemon() -> Iterator[RunningDaemon]:
    with running_daemon() as running:
        yield running


def test_clamd_excludes_what_is_its_own(daemon: RunningDaemon) -> None:
    cache = daemon.folder / "cache"
    (index,) = cache.glob("*.index")
    assert daemon.ask(b"zCONTSCAN %b\0" % bytes(cache)) == b"%b: Excluded\0" % bytes(cache)
    assert daemon.ask(b"zSCAN %b\0" % bytes(index)) == b"%b: Excluded\0" % bytes(index)
    bad = daemon.folder / "bad"
    bad.write_bytes(MARKER)
    said = daemon.ask(b"zCONTSCAN %b\0" % bytes(daemon.folder)).split(b"\0")
    assert b"%b: Test.Marker.UNOFFICIAL FOUND" % bytes(bad) in said
    assert b"%b: Excluded" % bytes(cache) in said
    assert b"%b: Excluded" % bytes(daemon.folder / "db" / "small.ndb") in said
    assert not [line for line in said if line.startswith(bytes(cache) + b"/")]
