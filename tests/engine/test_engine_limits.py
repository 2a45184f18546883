"""Each limit is reported by name when it is hit, and the verdict is then never clean."""

from __future__ import annotations

import gzip
import hashlib
import io
from pathlib import Path

import pytest
from engine_samples import BODY_RULE, PAYLOAD, DatabaseMaker, tarred, zipped, zipped_all

from tocsin import Index, Limits, Options, Report, Scanner, Verdict
from tocsin.engine import tree
from tocsin.engine.object_scan import ObjectScanner

NOTHING = "Other:0:*:6e6f7468657265\n"


def nested(layers: int) -> bytes:
    data = PAYLOAD
    for _ in range(layers):
        data = zipped(data, "a.zip")
    return data


def scan(index: Index, data: bytes, **limits: float) -> Report:
    options = Options(limits=Limits()._replace(**limits))
    return Scanner(index, options).scan_bytes(data, "x")


@pytest.mark.parametrize(
    ("data", "limits", "option"),
    [
        (zipped(bytes(5000)), {"max_file_size": 4000}, "--max-file-size"),
        (zipped_all({"a": bytes(3000), "b": bytes(3000)}), {"max_scan_size": 4000}, "scan-size"),
        (gzip.compress(bytes(100_000)), {"max_scan_size": 50_000}, "--max-scan-size"),
        (nested(4), {"max_depth": 3}, "--max-depth"),
        (zipped_all({f"{n}": b"data-data" for n in range(9)}), {"max_files": 5}, "--max-files"),
    ],
)
def test_limit_that_is_hit(
    data: bytes, limits: dict[str, float], option: str, database: DatabaseMaker
) -> None:
    report = scan(database(a_ndb=NOTHING), data, **limits)
    assert report.verdict is Verdict.INCOMPLETE
    assert {skip.reason for skip in report.skipped} == {"limit"}
    assert any(option in skip.detail for skip in report.skipped)


@pytest.mark.parametrize(
    ("data", "limits"),
    [
        (zipped(bytes(4000)), {"max_file_size": 4000}),
        (zipped_all({"a": bytes(2000), "b": bytes(2000)}), {"max_scan_size": 4000}),
        (nested(3), {"max_depth": 4}),
        (zipped_all({f"{n}": b"data-data" for n in range(9)}), {"max_files": 10}),
        (
            zipped(bytes(4000)),
            {"max_file_size": 0, "max_scan_size": 0, "max_files": 0, "timeout": 0},
        ),
    ],
)
def test_limit_that_is_just_kept(
    data: bytes, limits: dict[str, float], database: DatabaseMaker
) -> None:
    report = scan(database(a_ndb=NOTHING), data, **limits)
    assert (report.verdict, report.skipped) == (Verdict.CLEAN, [])


def test_what_lies_before_a_limit_is_found(database: DatabaseMaker) -> None:
    data = zipped_all({"bad": PAYLOAD, "large": bytes(50_000)})
    report = scan(database(a_ndb=BODY_RULE), data, max_scan_size=1000)
    assert report.verdict is Verdict.INFECTED
    assert {skip.reason for skip in report.skipped} == {"limit"}


def test_deep_nesting_is_found_within_the_limit(database: DatabaseMaker) -> None:
    index = database(a_ndb=BODY_RULE)
    report = scan(index, nested(6), max_depth=7)
    assert report.detections[0].object == "x" + "!/a.zip" * 6
    assert scan(index, nested(6), max_depth=6).verdict is Verdict.INCOMPLETE


def test_larger_file_has_only_its_digests_compared(database: DatabaseMaker, tmp_path: Path) -> None:
    place = tmp_path / "large"
    place.write_bytes(PAYLOAD + bytes(1000))
    digest = hashlib.sha256(place.read_bytes()).hexdigest()
    options = Options(limits=Limits(max_file_size=500))
    report = Scanner(database(a_ndb=BODY_RULE), options).scan_file(place)
    assert report.verdict is Verdict.INCOMPLETE
    assert "--max-file-size" in report.skipped[0].detail
    assert (report.sha256, report.size) == (digest, len(PAYLOAD) + 1000)
    known = database(b_hsb=f"{digest}:*:Known.Large:73\n")
    report = Scanner(known, options).scan_file(place)
    assert report.verdict is Verdict.INFECTED
    assert [d.name for d in report.detections] == ["Known.Large"]
    assert report.skipped


def test_bytes_in_memory_keep_the_size_limit_too(database: DatabaseMaker) -> None:
    report = scan(database(a_ndb=BODY_RULE), PAYLOAD + bytes(5000), max_file_size=1000)
    assert report.verdict is not Verdict.CLEAN
    assert report.skipped


def test_no_time_left(database: DatabaseMaker) -> None:
    index = database(a_ndb=NOTHING, a_ldb="L;Engine:51-255,Target:0;0&1;6e65;776f72\n")
    report = scan(index, zipped_all({"a": PAYLOAD, "b": PAYLOAD}), timeout=1e-9)
    assert report.verdict is Verdict.INCOMPLETE
    assert all("--timeout" in skip.detail for skip in report.skipped)


def test_yara_rules_that_take_too_long(
    database: DatabaseMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    import yara_x

    scanner = ObjectScanner(database(a_yar="rule R { condition: true }\n"))

    class Slow:
        def __getattr__(self, name: str) -> object:
            return lambda *_: None

        def scan(self, _data: bytes) -> None:
            raise yara_x.TimeoutError("too slow")

    monkeypatch.setattr(scanner._yara, "_scanner", Slow())
    report = scanner.scan_bytes(PAYLOAD, "x")
    assert report.verdict is Verdict.INCOMPLETE
    assert "--timeout" in report.skipped[0].detail


def test_many_containers_in_one_another_do_not_exhaust_the_stack(
    database: DatabaseMaker,
) -> None:
    data = PAYLOAD
    for _ in range(70):
        data = tarred(data, "a.tar") if len(data) < 100_000 else gzip.compress(data)
    report = scan(database(a_ndb=NOTHING), data, max_depth=64)
    assert report.verdict is Verdict.INCOMPLETE
    assert tree.SMALLEST_OBJECT == 6


# --- how much is read ---------------------------------------------------------------------


class Dripping(io.BytesIO):
    """Gives less than it is asked for, as pipes and network file systems do."""

    def __init__(self, data: bytes, at_once: int) -> None:
        super().__init__(data)
        self.at_once = at_once
        self.most_asked = 0

    def read(self, size: int | None = -1, /) -> bytes:
        wanted = -1 if size is None else size
        self.most_asked = max(self.most_asked, wanted)
        return super().read(min(wanted, self.at_once) if wanted >= 0 else self.at_once)


@pytest.mark.parametrize("at_once", [1, 7, 100, 1 << 20])
@pytest.mark.parametrize("limit", [0, len(PAYLOAD), 100 << 20])
def test_stream_is_read_to_its_end(at_once: int, limit: int, database: DatabaseMaker) -> None:
    options = Options(limits=Limits(max_file_size=limit))
    stream = Dripping(b"x" * 40 + PAYLOAD[:-40], at_once)
    report = Scanner(database(a_ndb=BODY_RULE), options).scan_stream(stream, "-")
    assert report.verdict is Verdict.INFECTED
    assert report.size == len(PAYLOAD)
    assert stream.most_asked <= 1 << 24


@pytest.mark.parametrize("at_once", [1, 100, 1 << 20])
def test_stream_beyond_the_limit(at_once: int, database: DatabaseMaker) -> None:
    data = PAYLOAD + bytes(1000)
    options = Options(limits=Limits(max_file_size=500))
    report = Scanner(database(a_ndb=BODY_RULE), options).scan_stream(Dripping(data, at_once), "-")
    assert report.verdict is Verdict.INCOMPLETE
    assert (report.size, report.sha256) == (len(data), hashlib.sha256(data).hexdigest())


@pytest.mark.parametrize("change", ["grows", "shrinks"])
def test_file_that_changes_its_size_while_it_is_read(
    change: str, database: DatabaseMaker, tmp_path: Path
) -> None:
    place = tmp_path / "file"
    place.write_bytes(b"a" * 100 + (PAYLOAD if change == "grows" else b""))
    expected = 100 if change == "grows" else 5000  # bytes when its size was asked for
    scanner = ObjectScanner(database(a_ndb=BODY_RULE))
    with place.open("rb") as stream:
        report = scanner.scan_stream(stream, str(place), expected)
    assert report.sha256 == hashlib.sha256(place.read_bytes()).hexdigest()
    assert report.size == place.stat().st_size
    assert report.verdict is (Verdict.INFECTED if change == "grows" else Verdict.CLEAN)


def test_defect_of_this_package_costs_one_object_its_verdict(
    database: DatabaseMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("something nobody thought of")

    monkeypatch.setattr(tree.TreeScan, "scan", broken)
    report = Scanner(database(a_ndb=BODY_RULE)).scan_bytes(PAYLOAD, "x")
    assert report.verdict is Verdict.ERROR
    assert "something nobody thought of" in report.errors[0]


# --- what cannot be read ------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["missing", "folder", "pipe", "dangling", "loop"])
def test_what_is_no_readable_file(kind: str, database: DatabaseMaker, tmp_path: Path) -> None:
    import os

    place = tmp_path / kind
    match kind:
        case "folder":
            place.mkdir()
        case "pipe":
            os.mkfifo(place)
        case "dangling":
            place.symlink_to(tmp_path / "nowhere")
        case "loop":
            place.symlink_to(place)
    report = Scanner(database(a_ndb=NOTHING)).scan_file(place)
    assert report.verdict is Verdict.ERROR
    assert len(report.errors) == 1
    assert report.errors[0]
    assert (report.sha256, report.size) == ("", 0)
