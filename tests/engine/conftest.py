"""Keeps the tests of the engine away from the user's own files, and makes databases for them."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
for place in (str(HERE), str(HERE.parent / "unpack"), str(HERE.parents[1] / "fuzz")):
    if place not in sys.path:
        sys.path.insert(0, place)

from engine_samples import DatabaseMaker, isolation, open_files  # noqa: E402

from tocsin.database.cache import open_database  # noqa: E402
from tocsin.engine.scanner import Scanner  # noqa: E402


@pytest.fixture(autouse=True)
def _isolated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in isolation(tmp_path).items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def database(tmp_path: Path) -> DatabaseMaker:
    """Makes a database from the texts of signature files by name."""

    def make(**files: str) -> object:
        return open_files(tmp_path / "signatures", files)

    return make


@pytest.fixture
def default_scanner() -> Iterator[Scanner]:
    """A scanner with the signatures that come with the package."""
    return Scanner(open_database())
