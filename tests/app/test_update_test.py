"""Whose fault it is that a new database cannot be tried out: its own, or this device's."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from tocsin.app.update_test import SelfTestFailed, try_out
from tocsin.settings import DatabaseSettings, Settings
from tocsin.updates.receive.errors import NotTriedOut


@pytest.fixture
def new(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("STATE", "CONFIG", "CACHE"):
        monkeypatch.setenv(f"TOCSIN_{name}_DIR", str(tmp_path / name.lower()))
    place = tmp_path / "new.ndb"
    place.write_text("Test.New:0:*:" + b"what is only in a sample".hex() + "\n")
    return place


def with_sources(*sources: Path) -> Settings:
    return Settings(
        database=DatabaseSettings(
            sources=tuple(map(str, sources)), with_default=False, lenient=False
        )
    )


def test_a_good_one_passes(new: Path) -> None:
    try_out(with_sources(), new)


def test_one_that_cannot_be_read_fails(new: Path) -> None:
    new.write_text("Test.New:0:*:zz\n")
    with pytest.raises(SelfTestFailed, match=r"new\.ndb"):
        try_out(with_sources(), new)


def test_a_source_of_the_user_that_is_not_there_is_no_fault_of_the_new_one(
    new: Path, tmp_path: Path
) -> None:
    with pytest.raises(NotTriedOut, match="gone"):
        try_out(with_sources(tmp_path / "gone.ndb"), new)


def test_a_source_of_the_user_that_is_wrong_is_no_fault_of_the_new_one(
    new: Path, tmp_path: Path
) -> None:
    (tmp_path / "own.ndb").write_text("Own.Wrong:0:*:zz\n")
    with pytest.raises(NotTriedOut, match=r"own\.ndb"):
        try_out(with_sources(tmp_path / "own.ndb"), new)


def test_a_cache_that_others_may_write_to_is_no_fault_of_the_new_one(
    new: Path, tmp_path: Path
) -> None:
    (tmp_path / "cache").mkdir(mode=0o777)
    (tmp_path / "cache").chmod(0o777)
    (tmp_path / "own.ndb").write_text("Own.Good:0:*:00112233445566\n")
    with pytest.raises(NotTriedOut, match="TOCSIN_CACHE_DIR"):
        try_out(with_sources(tmp_path / "own.ndb"), new)


def test_a_disk_that_is_full_before_is_none_either(
    new: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("tocsin.database.index_build.write_sections", full)
    with pytest.raises(NotTriedOut, match=r"cache.*make room"):
        try_out(with_sources(), new)


def test_a_full_disk_is_no_fault_of_the_new_one(new: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(NotTriedOut, match=r"cache.*make room"):
        try_out(with_sources(), new)
