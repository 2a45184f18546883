"""What a program that imports tocsin can count on."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent / "engine"))

from engine_samples import BODY_RULE, EICAR, PAYLOAD, isolation, zipped

import tocsin

NAMES = {
    "Detection",
    "Exceptions",
    "Index",
    "Level",
    "Limits",
    "Options",
    "Report",
    "Scanner",
    "SkippedObject",
    "Verdict",
    "__version__",
    "open_database",
}


@pytest.fixture(autouse=True)
def _isolated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in isolation(tmp_path).items():
        monkeypatch.setenv(name, value)


def test_every_public_name_is_there() -> None:
    assert set(tocsin.__all__) == NAMES
    assert all(getattr(tocsin, name) is not None for name in NAMES)
    assert getattr(tocsin, "Scanner") is tocsin.Scanner  # noqa: B009


def test_other_names_are_not() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        tocsin.nonsense  # noqa: B018


def test_import_loads_no_engine() -> None:
    code = "import sys, tocsin; print(*sorted(m for m in sys.modules if m.startswith('tocsin')))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["tocsin", "tocsin.version"]


@pytest.mark.parametrize("as_text", [False, True])
def test_from_signatures_to_a_verdict(as_text: bool, tmp_path: Path) -> None:
    rules, bad = tmp_path / "a.ndb", tmp_path / "bad.zip"
    rules.write_text(BODY_RULE)
    bad.write_bytes(zipped(PAYLOAD))
    database = tocsin.open_database(str(rules) if as_text else rules)
    report = tocsin.Scanner(database).scan_file(str(bad) if as_text else bad)
    assert report.path == str(bad)
    assert report.verdict is tocsin.Verdict.INFECTED
    assert [detection.name for detection in report.detections] == ["Test.Needle"]
    assert report.detections[0].object == f"{bad}!/inner.exe"
    assert report.sha256 == hashlib.sha256(bad.read_bytes()).hexdigest()
    assert report.seconds > 0


def test_default_database_and_bytes_in_memory() -> None:
    scanner = tocsin.Scanner(tocsin.open_database())
    report = scanner.scan_bytes(EICAR, name="eicar.com")
    assert report.path == "eicar.com"
    assert report.verdict is tocsin.Verdict.INFECTED
    assert {detection.level for detection in report.detections} == {tocsin.Level.TEST}
    assert scanner.scan_bytes(PAYLOAD).verdict is tocsin.Verdict.CLEAN


def test_several_sources_as_one(tmp_path: Path) -> None:
    (tmp_path / "a.ndb").write_text(BODY_RULE)
    (tmp_path / "list.txt").write_text(hashlib.sha256(b"other-bytes").hexdigest())
    database = tocsin.open_database([tmp_path / "a.ndb", str(tmp_path / "list.txt")])
    scanner = tocsin.Scanner(database)
    assert scanner.scan_bytes(PAYLOAD).detections
    assert scanner.scan_bytes(b"other-bytes").detections


def test_scanner_can_be_used_again_and_again(tmp_path: Path) -> None:
    (tmp_path / "a.ndb").write_text(BODY_RULE)
    scanner = tocsin.Scanner(tocsin.open_database(tmp_path / "a.ndb"))
    verdicts = [scanner.scan_bytes(data).verdict.value for data in (PAYLOAD, b"x" * 9) * 3]
    assert verdicts == ["infected", "clean"] * 3


def test_options_and_exceptions(tmp_path: Path) -> None:
    (tmp_path / "a.ndb").write_text(BODY_RULE)
    options = tocsin.Options(
        limits=tocsin.Limits(max_depth=2),
        exceptions=tocsin.Exceptions.of(names=["Test.Needle"]),
    )
    scanner = tocsin.Scanner(tocsin.open_database(tmp_path / "a.ndb"), options)
    assert scanner.scan_bytes(PAYLOAD).verdict is tocsin.Verdict.CLEAN
    assert scanner.scan_bytes(zipped(zipped(PAYLOAD))).verdict is tocsin.Verdict.INCOMPLETE


@pytest.mark.parametrize("name", ["missing.ndb", "broken.ndb", "unknown.xyz", "empty"])
def test_errors_are_the_packages_own(name: str, tmp_path: Path) -> None:
    from tocsin.errors import TocsinError

    (tmp_path / "broken.ndb").write_text("this is no signature\n")
    (tmp_path / "unknown.xyz").write_text("what is this")
    (tmp_path / "empty").mkdir()
    with pytest.raises(TocsinError) as caught:
        tocsin.open_database(tmp_path / name)
    assert name in str(caught.value)


def test_strings_of_verdicts_and_levels() -> None:
    assert [*tocsin.Verdict] == ["clean", "infected", "suspicious", "incomplete", "error"]
    assert [*tocsin.Level] == ["malicious", "suspicious", "unwanted", "test"]
