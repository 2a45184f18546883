"""From signatures to a verdict: languages, levels, allow lists, first and all matches."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from engine_samples import BODY_RULE, PAYLOAD, DatabaseMaker, zipped, zipped_all

from tocsin import Exceptions, Level, Options, Scanner, Verdict, open_database
from tocsin.engine.report import Detection, Report, SkippedObject

MD5 = hashlib.md5(PAYLOAD).hexdigest()
SHA1 = hashlib.sha1(PAYLOAD).hexdigest()
SHA256 = hashlib.sha256(PAYLOAD).hexdigest()
SIZE = len(PAYLOAD)
MISS = "0" * 32
YARA = (
    'rule One { meta: author = "A. Body" license = "MIT" strings: $a = "needle" condition: $a }\n'
)


def names(report: Report) -> list[str]:
    return [detection.name for detection in report.detections]


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"a_hdb": f"D:{SIZE}:X\n".replace("D", MD5)}, ["X"]),
        ({"a_hdb": f"{MD5}:{SIZE + 1}:X\n"}, []),
        ({"a_hdb": f"{MISS}:{SIZE}:X\n"}, []),
        ({"a_hdb": f"{MISS}:{SIZE}:X\n{MD5}:{SIZE + 1}:Y\n"}, []),
        ({"a_hdb": f"{MD5}:*:X:73\n"}, ["X"]),
        ({"a_hsb": f"{SHA1}:{SIZE}:X\n"}, ["X"]),
        ({"a_hsb": f"{SHA256}:*:X:73\n"}, ["X"]),
        ({"a_hsb": f"{SHA256}:{SIZE}:X\n{SHA1}:{SIZE}:Y\n"}, ["X", "Y"]),
        ({"list_txt": f"# a list\n{SHA256}  known-bad\n"}, ["known-bad"]),
        ({"a_ndb": BODY_RULE}, ["Test.Needle"]),
        ({"a_ndb": BODY_RULE.replace(":*:", ":0:")}, []),
        ({"a_ldb": "X;Engine:51-255,Target:0;0&1;6e6565646c65;776f726473\n"}, ["X"]),
        ({"a_ldb": "X;Engine:51-255,Target:0;0&1;6e6565646c65;6e6f7468657265\n"}, []),
        ({"a_ldb": "X;Engine:81-255,Target:0;0&1;6e6565;0/n(e+)dle-[a-z]+/\n"}, ["X"]),
        ({"a_ldb": "X;Engine:51-255,Target:1;0;6e6565646c65\n"}, []),
        ({"a_yar": YARA}, ["One"]),
    ],
)
def test_languages(
    files: dict[str, str], expected: list[str], database: DatabaseMaker, tmp_path: Path
) -> None:
    if "list_txt" in files:
        place = tmp_path / "list.txt"
        place.write_text(files["list_txt"])
        from tocsin import open_database

        index = open_database(place)
    else:
        index = database(**files)
    report = Scanner(index).scan_bytes(PAYLOAD, "x")
    assert sorted(names(report)) == expected
    assert report.verdict is (Verdict.INFECTED if expected else Verdict.CLEAN)
    assert report.sha256 == SHA256
    assert report.size == SIZE


def test_evidence_of_a_yara_rule(database: DatabaseMaker) -> None:
    (found,) = Scanner(database(a_yar=YARA)).scan_bytes(PAYLOAD, "x").detections
    assert found == Detection(
        name="One",
        source="a.yar",
        object="x",
        offset=PAYLOAD.index(b"needle"),
        author="A. Body",
        licence="MIT",
        sha256=SHA256,
        yara=True,
    )


def test_digests_have_no_offset(database: DatabaseMaker) -> None:
    (found,) = Scanner(database(a_hsb=f"{SHA256}:*:X:73\n")).scan_bytes(PAYLOAD, "x").detections
    assert found.offset is None
    assert (found.source, found.object, found.official) == ("a.hsb", "x", False)


# --- executables --------------------------------------------------------------------------


def test_section_and_import_digests(database: DatabaseMaker) -> None:
    import struct

    optional = struct.pack("<HBBIIIIIII", 0x10B, 1, 0, 0, 0, 0, 0x1000, 0x1000, 0x2000, 0x400000)
    optional += struct.pack(
        "<IIHHHHHHIIIIHH", 0x1000, 0x200, 4, 0, 0, 0, 4, 0, 0, 0x10000, 0x400, 0, 3, 0
    )
    directories = [(0, 0)] * 16
    directories[1] = (0x2000, 40)
    optional += bytes(16) + struct.pack("<II", 0, 16)
    optional += b"".join(struct.pack("<II", *entry) for entry in directories)
    image = b"MZ".ljust(0x3C, b"\0") + struct.pack("<I", 0x40)
    image += struct.pack("<4sHHIIIHH", b"PE\0\0", 0x14C, 2, 0, 0, 0, len(optional), 0x102)
    image += optional
    for address, raw in ((0x1000, 0x400), (0x2000, 0x600)):
        image += struct.pack("<8sIIII12xI", b".s", 0x200, address, 0x200, raw, 0x60000020)
    first = b"\xcc" * 0x200
    imports = bytearray(0x200)
    imports[:20] = struct.pack("<IIIII", 0x2060, 0, 0, 0x2040, 0x2060)
    imports[0x40:0x4D] = b"KERNEL32.dll\0"
    imports[0x60:0x64] = struct.pack("<I", 0x2080)
    imports[0x80:0x8E] = b"\0\0ExitProcess\0"
    image = image.ljust(0x400, b"\0") + first + bytes(imports)
    section = hashlib.md5(first).hexdigest()
    names_imported = b"kernel32.exitprocess"
    digest = hashlib.md5(names_imported).hexdigest()
    index = database(
        a_mdb=f"512:{section}:Sec.MD5\n",
        a_msb=f"512:{hashlib.sha256(first).hexdigest()}:Sec.SHA\n",
        a_imp=f"{digest}:{len(names_imported)}:Imports\n",
        b_mdb=f"512:{MISS}:Miss\n",
    )
    report = Scanner(index).scan_bytes(image, "x.exe")
    assert sorted(names(report)) == ["Imports", "Sec.MD5", "Sec.SHA"]
    assert report.type_name == "MSEXE"
    assert names(Scanner(index).scan_bytes(b"\0" + image[1:], "x")) == []


# --- levels -------------------------------------------------------------------------------

RULE = 'rule R {{ meta: level = "{}" strings: $a = "needle" condition: $a }}\n'


@pytest.mark.parametrize(
    ("stated", "level", "verdict"),
    [
        ("malicious", Level.MALICIOUS, Verdict.INFECTED),
        ("suspicious", Level.SUSPICIOUS, Verdict.SUSPICIOUS),
        ("test", Level.TEST, Verdict.INFECTED),
        ("whatever", Level.MALICIOUS, Verdict.INFECTED),
    ],
)
def test_level_of_a_yara_rule(
    stated: str, level: Level, verdict: Verdict, database: DatabaseMaker
) -> None:
    report = Scanner(database(a_yar=RULE.format(stated))).scan_bytes(PAYLOAD, "x")
    assert (report.detections[0].level, report.verdict) == (level, verdict)


def test_level_from_the_table_beside_the_signatures(database: DatabaseMaker) -> None:
    index = database(a_ndb=BODY_RULE, rules_toml='["Test.Needle"]\nlevel = "suspicious"\n')
    report = Scanner(index).scan_bytes(PAYLOAD, "x")
    assert report.verdict is Verdict.SUSPICIOUS


def test_unwanted_programs_only_on_request(database: DatabaseMaker) -> None:
    index = database(a_ndu=BODY_RULE, a_hdu=f"{MD5}:{SIZE}:Unwanted\n")
    assert Scanner(index).scan_bytes(PAYLOAD, "x").verdict is Verdict.CLEAN
    report = Scanner(index, Options(detect_pua=True)).scan_bytes(PAYLOAD, "x")
    assert sorted(names(report)) == ["Test.Needle", "Unwanted"]
    assert {d.level for d in report.detections} == {Level.UNWANTED}
    assert report.verdict is Verdict.SUSPICIOUS


def test_all_matches_or_the_first(database: DatabaseMaker) -> None:
    index = database(a_ndb=BODY_RULE, a_hsb=f"{SHA256}:*:X:73\n", a_yar=YARA)
    every = Scanner(index).scan_bytes(zipped(PAYLOAD), "x")
    first = Scanner(index, Options(all_matches=False)).scan_bytes(zipped(PAYLOAD), "x")
    assert sorted(names(every)) == ["One", "Test.Needle", "X"]
    assert first.detections == every.detections[:1]


# --- exceptions ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "allow",
    [
        {"a_fp": f"{MD5}:{SIZE}:Known\n"},
        {"a_sfp": f"{SHA256}:{SIZE}:Known\n"},
        {"a_sfp": f"{SHA1}:*:Known:73\n"},
    ],
)
def test_allow_list_protects_the_object_and_what_is_inside(
    allow: dict[str, str], database: DatabaseMaker
) -> None:
    scanner = Scanner(database(a_ndb=BODY_RULE, **allow))
    report = scanner.scan_bytes(PAYLOAD, "x")
    assert report.verdict is Verdict.CLEAN
    assert [skip.reason for skip in report.skipped] == ["allowed"]
    assert "Test.Needle" in report.skipped[0].detail
    both = scanner.scan_bytes(zipped_all({"good": PAYLOAD, "bad": PAYLOAD + b"!"}), "z")
    assert [d.object for d in both.detections] == ["z!/bad"]


def test_allow_list_entry_of_another_size_allows_nothing(database: DatabaseMaker) -> None:
    scanner = Scanner(database(a_ndb=BODY_RULE, a_fp=f"{MD5}:{SIZE + 1}:Known\n"))
    assert scanner.scan_bytes(PAYLOAD, "x").verdict is Verdict.INFECTED


def test_allowed_container_protects_its_members(database: DatabaseMaker) -> None:
    data = zipped(PAYLOAD)
    allow = f"{hashlib.sha256(data).hexdigest()}:*:Known:73\n"
    report = Scanner(database(a_ndb=BODY_RULE, a_sfp=allow)).scan_bytes(data, "z")
    assert report.verdict is Verdict.CLEAN
    assert [skip.object for skip in report.skipped] == ["z!/inner.exe"]


@pytest.mark.parametrize(
    ("ignored", "left"),
    [
        ("Test.Needle\n", ["X"]),
        ("X\n", ["Test.Needle"]),
        (f"Test.Needle:{hashlib.md5(BODY_RULE.strip().encode()).hexdigest()}\n", ["X"]),
        (f"Test.Needle:{MISS}\n", ["Test.Needle", "X"]),
        ("Test.Needle\nX\n", []),
        ("test.needle\n", ["Test.Needle", "X"]),
    ],
)
def test_ignored_signatures(ignored: str, left: list[str], database: DatabaseMaker) -> None:
    index = database(a_ndb=BODY_RULE, a_hsb=f"{SHA256}:*:X:73\n", a_ign2=ignored)
    assert sorted(names(Scanner(index).scan_bytes(PAYLOAD, "x"))) == left


def test_ignored_yara_rule(database: DatabaseMaker) -> None:
    index = database(a_yar=YARA, a_ign2="One\n")
    assert Scanner(index).scan_bytes(PAYLOAD, "x").verdict is Verdict.CLEAN


@pytest.mark.parametrize("digest", [MD5, SHA1, SHA256, SHA256.upper()])
def test_exception_of_the_users_own_by_digest(digest: str, database: DatabaseMaker) -> None:
    options = Options(exceptions=Exceptions.of(digests=[digest]))
    report = Scanner(database(a_ndb=BODY_RULE), options).scan_bytes(PAYLOAD, "x")
    assert (report.verdict, report.skipped[0].reason) == (Verdict.CLEAN, "allowed")


def test_exception_of_the_users_own_by_name(database: DatabaseMaker) -> None:
    options = Options(exceptions=Exceptions.of(names=["Test.Needle"]))
    index = database(a_ndb=BODY_RULE, a_hsb=f"{SHA256}:*:X:73\n")
    report = Scanner(index, options).scan_bytes(PAYLOAD, "x")
    assert names(report) == ["X"]
    assert report.skipped == [SkippedObject("x", "allowed", "Test.Needle: excepted by name")]


def test_exception_of_the_users_own_by_path(database: DatabaseMaker, tmp_path: Path) -> None:
    inside, beside = tmp_path / "ours" / "a", tmp_path / "ours2"
    inside.parent.mkdir()
    for place in (inside, beside):
        place.write_bytes(PAYLOAD)
    options = Options(exceptions=Exceptions.of(paths=[str(tmp_path / "ours")]))
    scanner = Scanner(database(a_ndb=BODY_RULE), options)
    assert scanner.scan_file(inside).verdict is Verdict.CLEAN
    assert scanner.scan_file(inside).skipped[0].reason == "allowed"
    assert scanner.scan_file(beside).verdict is Verdict.INFECTED


# --- the verdict itself -------------------------------------------------------------------

BAD = Detection("A", "s", "x", 0)
ODD = BAD._replace(level=Level.SUSPICIOUS)
UNWANTED = BAD._replace(level=Level.UNWANTED)
GAP = SkippedObject("x", "limit", "too large")
ALLOWED = SkippedObject("x", "allowed", "excepted")


@pytest.mark.parametrize(
    ("detections", "skipped", "errors", "verdict"),
    [
        ([], [], [], Verdict.CLEAN),
        ([], [ALLOWED], [], Verdict.CLEAN),
        ([], [GAP], [], Verdict.INCOMPLETE),
        ([], [ALLOWED, GAP], [], Verdict.INCOMPLETE),
        ([], [], ["gone"], Verdict.ERROR),
        ([], [ALLOWED], ["gone"], Verdict.ERROR),
        ([], [GAP], ["gone"], Verdict.INCOMPLETE),
        ([BAD], [], [], Verdict.INFECTED),
        ([BAD], [GAP], ["gone"], Verdict.INFECTED),
        ([ODD], [GAP], ["gone"], Verdict.SUSPICIOUS),
        ([UNWANTED], [], [], Verdict.SUSPICIOUS),
        ([ODD, BAD], [], [], Verdict.INFECTED),
    ],
)
def test_verdict_follows_the_evidence(
    detections: list[Detection],
    skipped: list[SkippedObject],
    errors: list[str],
    verdict: Verdict,
) -> None:
    report = Report("x")
    report.detections, report.skipped, report.errors = detections, skipped, errors
    assert report.verdict is verdict
    assert Report.from_dict(report.to_dict()).to_dict() == report.to_dict()


@pytest.mark.parametrize("data", [b"", b"a", b"abcde"])
def test_very_small_objects(data: bytes, database: DatabaseMaker) -> None:
    report = Scanner(database(a_ndb=BODY_RULE)).scan_bytes(data, "x")
    assert report.verdict is Verdict.CLEAN
    assert (report.size, report.empty) == (len(data), not data)
    assert report.sha256 == hashlib.sha256(data).hexdigest()


def test_a_suspicion_does_not_end_the_search_for_worse(tmp_path: Path) -> None:
    """With the first match wanted, only one that decides the verdict ends the scan."""
    (tmp_path / "a.yar").write_text(
        'rule maybe { meta: level = "suspicious" strings: $a = "first word" condition: $a }\n'
        'rule surely { strings: $a = "second word" condition: $a }\n'
    )
    database = open_database(tmp_path / "a.yar", cache_dir=tmp_path / "cache")
    scanner = Scanner(database, Options(all_matches=False))
    assert scanner.scan_bytes(b"the first word alone").verdict is Verdict.SUSPICIOUS
    report = scanner.scan_bytes(b"the first word and the second word")
    assert report.verdict is Verdict.INFECTED


def test_what_a_sidecar_states_reaches_the_evidence(tmp_path: Path) -> None:
    (tmp_path / "a.ndb").write_text("Some.Name:0:*:6576696c20776f7264\n")
    (tmp_path / "rules.toml").write_text(
        '["Some.Name"]\nlevel = "suspicious"\nauthor = "somebody"\nlicense = "MIT"\n'
    )
    database = open_database(tmp_path, cache_dir=tmp_path / "cache")
    (detection,) = Scanner(database).scan_bytes(b"an evil word").detections
    assert (detection.level, detection.author, detection.licence) == (
        Level.SUSPICIOUS,
        "somebody",
        "MIT",
    )
