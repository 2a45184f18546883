"""Keeps the tests of composition away from the user's own files."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

ENGINE = str(Path(__file__).resolve().parents[1] / "engine")
if ENGINE not in sys.path:
    sys.path.insert(0, ENGINE)

from engine_samples import DatabaseMaker, isolation, open_files  # noqa: E402


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
