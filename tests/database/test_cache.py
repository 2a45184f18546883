"""The cache of indexes: always the sources as they are, made once, and only one's own."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest

from tocsin.database import cache
from tocsin.database.cache import index_identity, open_database, source_files
from tocsin.errors import DatabaseError, SignatureError, TocsinError

LINE = "Test.{0}:0:*:{0:08x}61626364\n"


@pytest.fixture
def folder(tmp_path):
    place = tmp_path / "rules"
    place.mkdir()
    (place / "a.ndb").write_text(LINE.format(1))
    return place


@pytest.fixture
def kept(tmp_path):
    return tmp_path / "cache"


def names(database):
    return sorted(signature[0] for signature in database.signatures())


def test_made_once_and_used_again(folder, kept, monkeypatch):
    told = []
    first = open_database(folder, cache_dir=kept, progress=told.append)
    assert names(first) == ["Test.1"]
    assert told
    monkeypatch.setattr(cache, "_build", lambda *_: pytest.fail("built again"))
    second = open_database(folder, cache_dir=kept, progress=lambda _: pytest.fail("told again"))
    assert second.identity == first.identity
    assert names(second) == ["Test.1"]
    assert [p.suffix for p in kept.iterdir()] == [".index"]


def test_changes_are_noticed(folder, kept):
    seen = {open_database(folder, cache_dir=kept).identity}
    (folder / "b.ndb").write_text(LINE.format(2))
    added = open_database(folder, cache_dir=kept)
    assert names(added) == ["Test.1", "Test.2"]
    seen.add(added.identity)
    (folder / "b.ndb").write_text(LINE.format(3))  # the same length
    changed = open_database(folder, cache_dir=kept)
    assert names(changed) == ["Test.1", "Test.3"]
    seen.add(changed.identity)
    (folder / "b.ndb").unlink()
    assert names(open_database(folder, cache_dir=kept)) == ["Test.1"]
    assert len(seen) == 3


def test_a_change_that_keeps_size_and_time_is_noticed(folder, kept):
    file = folder / "a.ndb"
    before = file.stat()
    open_database(folder, cache_dir=kept)
    time.sleep(0.02)
    file.write_text(LINE.format(7))
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert names(open_database(folder, cache_dir=kept)) == ["Test.7"]


def test_a_replaced_file_is_noticed(folder, kept):
    open_database(folder, cache_dir=kept)
    other = folder.parent / "other.ndb"
    other.write_text(LINE.format(8))
    os.utime(other, ns=(0, (folder / "a.ndb").stat().st_mtime_ns))
    other.replace(folder / "a.ndb")
    assert names(open_database(folder, cache_dir=kept)) == ["Test.8"]


def test_lenient_and_strict_have_indexes_of_their_own(folder, kept):
    (folder / "a.ndb").write_text(LINE.format(1) + "malformed\n")
    lenient = open_database(folder, cache_dir=kept, lenient=True)
    assert names(lenient) == ["Test.1"]
    assert len(lenient.problems) == 1
    with pytest.raises(SignatureError, match=r"a\.ndb:2"):
        open_database(folder, cache_dir=kept)


def test_a_half_written_index_is_never_used(folder, kept):
    good = open_database(folder, cache_dir=kept)
    (path,) = kept.glob("*.index")
    data = path.read_bytes()
    del good
    for length in (0, 10, 63, 64, len(data) // 2, len(data) - 1):
        path.write_bytes(data[:length])
        try:
            database = open_database(folder, cache_dir=kept)
        except DatabaseError:
            continue
        assert names(database) == ["Test.1"], "a truncated index was used"
        assert path.read_bytes() == data, "… or rebuilt"


def test_a_build_that_fails_leaves_nothing(folder, kept):
    (folder / "a.ndb").write_text("malformed\n")
    with pytest.raises(SignatureError):
        open_database(folder, cache_dir=kept)
    assert list(kept.iterdir()) == []


def test_a_leftover_of_a_killed_build_is_not_used(folder, kept):
    identity = index_identity(source_files([folder]), lenient=False)
    kept.mkdir(mode=0o700)
    (kept / ".building-x").write_bytes(b"half")
    (kept / f"{identity}.lock").write_bytes(b"")
    assert names(open_database(folder, cache_dir=kept)) == ["Test.1"]


@pytest.mark.parametrize("mode", [0o770, 0o707, 0o777, 0o702])
def test_a_folder_others_can_write_to_is_refused(folder, kept, mode):
    kept.mkdir()
    kept.chmod(mode)
    with pytest.raises(DatabaseError, match="TOCSIN_CACHE_DIR"):
        open_database(folder, cache_dir=kept)


def test_an_index_others_can_write_to_is_refused(folder, kept):
    open_database(folder, cache_dir=kept)
    (path,) = kept.glob("*.index")
    path.chmod(0o666)
    with pytest.raises(DatabaseError):
        open_database(folder, cache_dir=kept)


def test_an_index_behind_a_link_is_not_followed(folder, kept, tmp_path):
    open_database(folder, cache_dir=kept)
    (path,) = kept.glob("*.index")
    path.rename(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises((TocsinError, OSError)):
        open_database(folder, cache_dir=kept)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_an_index_of_somebody_else_is_refused(folder, kept):
    open_database(folder, cache_dir=kept)
    (path,) = kept.glob("*.index")
    os.chown(path, 12345, 12345)
    with pytest.raises(DatabaseError):
        open_database(folder, cache_dir=kept)


def test_created_for_the_user_alone(folder, kept):
    open_database(folder, cache_dir=kept)
    assert kept.stat().st_mode & 0o077 == 0
    (path,) = kept.glob("*.index")
    assert path.stat().st_mode & 0o022 == 0


def test_where_nothing_can_be_kept_it_works_all_the_same(folder, tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    assert names(open_database(folder, cache_dir=blocked / "cache")) == ["Test.1"]


def test_old_indexes_go(folder, kept):
    for number in range(cache.KEPT_INDEXES + 3):
        (folder / "a.ndb").write_text(LINE.format(number + 1))
        open_database(folder, cache_dir=kept)
    assert len(list(kept.glob("*.index"))) <= cache.KEPT_INDEXES + 1


def test_missing_and_empty_sources(tmp_path, kept):
    with pytest.raises(DatabaseError, match="no such"):
        open_database(tmp_path / "nothing", cache_dir=kept)
    with pytest.raises(DatabaseError, match="no signature"):
        open_database(tmp_path, cache_dir=kept)


OPENER = """
import sys, time
from pathlib import Path
from tocsin.database import cache, index_build
real = index_build.build_index
def slow(*arguments, **named):
    Path(sys.argv[3]).open("a").write("built\\n")
    time.sleep(0.5)
    real(*arguments, **named)
index_build.build_index = slow
database = cache.open_database(sys.argv[1], cache_dir=Path(sys.argv[2]))
print(*(signature[0] for signature in database.signatures()))
"""


def test_two_processes_build_once(folder, kept, tmp_path):
    log = tmp_path / "log"
    command = [sys.executable, "-c", OPENER, str(folder), str(kept), str(log)]
    processes = [
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    for process in processes:
        output, errors = process.communicate(timeout=60)
        assert (process.returncode, output.strip()) == (0, "Test.1"), errors
    assert log.read_text() == "built\n"
    assert [p.suffix for p in kept.iterdir()] == [".index"]
