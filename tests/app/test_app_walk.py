"""Which files a walk hands out, and what it says of all others."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis.strategies import lists, sampled_from, sets

from tocsin.app import walk as walk_module
from tocsin.app.walk import Walk, WalkOptions, read_file_list
from tocsin.engine.report import Report, Verdict


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A small tree with links that lead round in circles."""
    top = tmp_path / "top"
    for name in ("a.txt", "sub/b.exe", "sub/deep/c.txt", "other/d.exe"):
        place = top / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(b"data")
    (top / "sub" / "round").symlink_to(top)
    (top / "itself").symlink_to(top / "itself")
    (top / "to-a").symlink_to(top / "a.txt")
    return top


def walked(top: Path, options: WalkOptions = WalkOptions()) -> tuple[set[str], Walk]:  # noqa: B008
    walk = Walk(options)
    items = list(walk.items([str(top)]))
    assert len(items) == len(set(map(str, items)))
    return {str(Path(item).relative_to(top)) for item in items if isinstance(item, str)}, walk


def test_every_regular_file_once_and_links_not_followed(tree: Path) -> None:
    files, walk = walked(tree)
    assert files == {"a.txt", "sub/b.exe", "sub/deep/c.txt", "other/d.exe"}
    assert walk.left_out == {"links": 3}
    assert walk.folders == 4


def test_link_that_is_named_is_followed(tree: Path) -> None:
    walk = Walk(WalkOptions())
    named = [str(tree / "to-a"), str(tree / "sub" / "round")]
    items = list(walk.items(named))
    assert named[0] in items
    assert str(tree / "sub" / "round" / "a.txt") in items


@pytest.mark.parametrize(
    ("exclude", "left"),
    [
        (("*.exe",), {"a.txt", "sub/deep/c.txt"}),
        (("sub",), {"a.txt", "other/d.exe"}),
        (("*/sub/deep",), {"a.txt", "sub/b.exe", "other/d.exe"}),
        (("*/sub/*",), {"a.txt", "other/d.exe"}),
        (("deep/c.txt",), {"a.txt", "sub/b.exe", "sub/deep/c.txt", "other/d.exe"}),
        (("*.EXE",), {"a.txt", "sub/b.exe", "sub/deep/c.txt", "other/d.exe"}),
        (("[ab].*", "d.???"), {"sub/deep/c.txt"}),
    ],
)
def test_exclusion(exclude: tuple[str, ...], left: set[str], tree: Path) -> None:
    files, walk = walked(tree, WalkOptions(exclude=exclude))
    assert files == left
    assert ("excluded" in walk.left_out) == (len(left) < 4)


def test_special_files_inside_a_folder_are_counted(tmp_path: Path) -> None:
    top = tmp_path / "top"
    top.mkdir()
    os.mkfifo(top / "pipe")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(top / "socket"))
        files, walk = walked(top)
    assert files == set()
    assert walk.left_out == {"special files": 2}


@pytest.mark.parametrize(
    ("make", "words"),
    [("fifo", "a named pipe"), ("socket", "a socket"), ("device", "a character device")],
)
def test_special_file_that_is_named_is_not_opened(make: str, words: str, tmp_path: Path) -> None:
    place = tmp_path / "special"
    match make:
        case "fifo":
            os.mkfifo(place)
        case "socket":
            with socket.socket(socket.AF_UNIX) as listener:
                listener.bind(str(place))
        case "device":
            place = Path("/dev/null")
    (report,) = Walk(WalkOptions()).items([str(place)])
    assert isinstance(report, Report)
    assert report.verdict is Verdict.INCOMPLETE
    assert words in report.skipped[0].detail
    assert report.skipped[0].reason == "unsupported"


@pytest.mark.parametrize("name", ["missing", "dangling", "loop", "too-long"])
def test_what_cannot_be_looked_at_gets_a_report(name: str, tmp_path: Path) -> None:
    place = tmp_path / name
    if name == "dangling":
        place.symlink_to(tmp_path / "nowhere")
    elif name == "loop":
        place.symlink_to(place)
    elif name == "too-long":
        place = tmp_path / ("x" * 300)
    (report,) = Walk(WalkOptions()).items([str(place)])
    assert isinstance(report, Report)
    assert report.verdict is Verdict.ERROR
    assert report.errors[0]


def test_nul_in_a_name_gets_a_report() -> None:
    (report,) = Walk(WalkOptions()).items(["a\0b"])
    assert isinstance(report, Report)
    assert report.verdict is Verdict.ERROR


def test_folder_that_vanishes_gets_a_report(tree: Path) -> None:
    items = Walk(WalkOptions()).items([str(tree)])
    first = next(items)
    assert first == str(tree / "a.txt")
    os.rename(tree / "sub", tree.parent / "gone")
    rest = list(items)
    (lost,) = [item for item in rest if isinstance(item, Report)]
    assert lost.path == str(tree / "sub")
    assert lost.verdict is Verdict.ERROR
    assert str(tree / "other" / "d.exe") in rest


def test_names_that_are_no_text(tmp_path: Path) -> None:
    top = tmp_path / "top"
    top.mkdir()
    names = {b"caf\xe9", b"line\nbreak", b"\x1b[31mred", b" ", b"-"}
    for name in names:
        (top / os.fsdecode(name)).write_bytes(b"data")
    items = list(Walk(WalkOptions()).items([str(top)]))
    assert {os.fsencode(Path(item).name) for item in items if isinstance(item, str)} == names


@pytest.mark.parametrize("pseudo", [False, True])
def test_pseudo_file_systems(pseudo: bool, tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(walk_module, "pseudo_mounts", lambda: frozenset({str(tree / "sub")}))
    files, walk = walked(tree, WalkOptions(pseudo=pseudo))
    assert ("sub/b.exe" in files) == pseudo
    assert walk.left_out.get("pseudo file systems", 0) == (not pseudo)


def test_pseudo_file_system_that_is_named_is_entered(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(walk_module, "pseudo_mounts", lambda: frozenset({str(tree / "sub")}))
    files, _ = walked(tree / "sub")
    assert "b.exe" in files


@pytest.mark.skipif(not os.path.exists("/proc/self/mounts"), reason="needs /proc")
def test_this_systems_pseudo_file_systems_are_known() -> None:
    assert "/proc" in walk_module.pseudo_mounts()
    assert "/" not in walk_module.pseudo_mounts()


@pytest.mark.parametrize("stay", [False, True])
def test_one_file_system(stay: bool, tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.DirEntry.stat

    class Entry:
        """A folder entry that says `sub` is of another file system."""

        def __init__(self, entry: os.DirEntry[str]) -> None:
            self._entry = entry
            self.name, self.path = entry.name, entry.path

        def stat(self, *, follow_symlinks: bool = True) -> os.stat_result:
            status = real(self._entry, follow_symlinks=follow_symlinks)
            if self.name != "sub":
                return status
            return os.stat_result([*status[:2], status.st_dev + 1, *status[3:]])

    scandir = os.scandir

    class Listing:
        def __init__(self, path: str) -> None:
            self._entries = scandir(path)

        def __enter__(self) -> list[Entry]:
            return [Entry(entry) for entry in self._entries]

        def __exit__(self, *_: object) -> None:
            self._entries.close()

    monkeypatch.setattr(walk_module.os, "scandir", Listing)
    files, walk = walked(tree, WalkOptions(one_file_system=stay))
    assert ("sub/b.exe" in files) == (not stay)
    assert walk.left_out.get("other file systems", 0) == stay


@pytest.mark.parametrize(
    ("data", "paths"),
    [
        (b"", []),
        (b"a\0b\0", ["a", "b"]),
        (b"a\0b", ["a", "b"]),
        (b"a\n b\0\0", ["a\n b"]),
        (b"caf\xe9\0", ["caf\udce9"]),
        (b"\0\0", []),
    ],
)
def test_list_of_files(data: bytes, paths: list[str]) -> None:
    assert read_file_list(data) == paths


# --- taking a walk up again ---------------------------------------------------------------

NAMES = sampled_from(["a", "b", "b.x", "b-", "c", "\udcff", "ä", "z"])


@given(paths=sets(lists(NAMES, min_size=1, max_size=4).map(tuple), min_size=1, max_size=25))
@settings(max_examples=60, deadline=None)
def test_a_walk_goes_on_behind_any_file(
    paths: set[tuple[str, ...]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    top = tmp_path_factory.mktemp("walk")
    for path in sorted(paths):
        place = top.joinpath(*path)
        if not any(above.is_file() for above in place.parents) and not place.exists():
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(b"")
    named = [str(top), str(top / "a"), str(top) + "/"]
    whole: list[tuple[int, str]] = []
    walk = Walk(WalkOptions())
    for item in walk.items(named):
        if isinstance(item, str):
            whole.append((walk.place, item))
    for number, (place, path) in enumerate(whole):
        again = Walk(WalkOptions())
        rest = [
            (again.place, item)
            for item in again.items(named, (place, path))
            if isinstance(item, str)
        ]
        assert rest == whole[number + 1 :]
        os.rename(path, path + ".gone")  # a file that is no longer there marks the place as well
        left = list(Walk(WalkOptions()).items(named, (place, path)))
        os.rename(path + ".gone", path)
        missing = {p for _, p in whole[number + 1 :]} - {path} - set(map(str, left))
        assert missing == set()


def test_folders_to_leave_are_not_entered(tree: Path) -> None:
    files, walk = walked(tree, WalkOptions(leave=frozenset({str(tree / "sub" / "deep")})))
    assert files == {"a.txt", "sub/b.exe", "other/d.exe"}
    assert walk.left_out["other file systems"] == 1
