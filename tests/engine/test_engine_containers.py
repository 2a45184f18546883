"""What is found inside containers, and how the way to it is told."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import lzma
import random

import pytest
from engine_samples import (
    BODY_RULE,
    EICAR,
    PAYLOAD,
    WRAPPINGS,
    DatabaseMaker,
    mailbox,
    tarred,
    zipped,
    zipped_all,
)

from tocsin import Options, Report, Scanner, Verdict

each_wrapping = pytest.mark.parametrize("wrapping", WRAPPINGS)


def found(report: Report) -> list[tuple[str, str]]:
    return [(detection.name, detection.object) for detection in report.detections]


@each_wrapping
def test_default_database_finds_the_eicar_file(wrapping: str, default_scanner: Scanner) -> None:
    wrap, way = WRAPPINGS[wrapping]
    report = default_scanner.scan_bytes(wrap(EICAR), "sample")
    assert report.verdict is Verdict.INFECTED
    assert {d.level.value for d in report.detections} == {"test"}
    for detection in report.detections:
        assert detection.object.startswith("sample")
        assert detection.object.endswith(way)
        assert detection.sha256 == hashlib.sha256(EICAR).hexdigest()


@each_wrapping
def test_default_database_finds_nothing_in_what_is_harmless(
    wrapping: str, default_scanner: Scanner
) -> None:
    report = default_scanner.scan_bytes(WRAPPINGS[wrapping][0](PAYLOAD), "sample")
    assert report.verdict is Verdict.CLEAN
    assert not report.skipped


def test_default_database_finds_the_eicar_text_in_a_mailbox(default_scanner: Scanner) -> None:
    report = default_scanner.scan_bytes(mailbox(EICAR), "inbox")
    assert report.verdict is Verdict.INFECTED
    assert report.detections[0].object == "inbox!/message 2 (the second one)"


@each_wrapping
def test_body_rule_in_every_wrapping(wrapping: str, database: DatabaseMaker) -> None:
    wrap, way = WRAPPINGS[wrapping]
    report = Scanner(database(a_ndb=BODY_RULE)).scan_bytes(wrap(PAYLOAD), "sample")
    assert {d.name for d in report.detections} == {"Test.Needle"}
    *around, detection = report.detections  # a tar archive shows what is in it
    assert len(around) == (wrapping in ("tar", "tgz", "tbz", "txz"))
    assert detection.source == "a.ndb"
    assert detection.offset == PAYLOAD.index(b"tocsin-needle")
    assert detection.object.startswith("sample")
    assert detection.object.endswith(way)


def test_compressed_object_is_named_inside_its_container(database: DatabaseMaker) -> None:
    report = Scanner(database(a_ndb=BODY_RULE)).scan_bytes(gzip.compress(PAYLOAD), "x.gz")
    (detection,) = report.detections
    assert detection.object != "x.gz"
    assert detection.object.startswith("x.gz!/")


def test_each_member_is_told_apart(database: DatabaseMaker) -> None:
    members = {"one": PAYLOAD, "dir/two": PAYLOAD + b"!", "three": b"nothing here"}
    report = Scanner(database(a_ndb=BODY_RULE)).scan_bytes(zipped_all(members), "a.zip")
    assert found(report) == [("Test.Needle", "a.zip!/one"), ("Test.Needle", "a.zip!/dir/two")]


@pytest.mark.parametrize(
    ("before", "message"),
    [
        (b"", "message 1 (first)"),
        (b"From x@y Mon Jan  1 10:00:00 2024\nMessage-ID: <7@z>\n\ntext\n\n", "message 2 (first)"),
        (
            b"From x@y Mon Jan  1 10:00:00 2024\r\nSubject: crlf\r\n\r\ntext\r\n\r\n",
            "message 2 (first)",
        ),
    ],
)
def test_finding_in_a_mailbox_names_its_message(
    before: bytes, message: str, database: DatabaseMaker
) -> None:
    data = before + b"From b@c Tue Jan  2 10:00:00 2024\nSubject: first\n\n" + PAYLOAD
    report = Scanner(database(a_ndb=BODY_RULE)).scan_bytes(data, "mail")
    assert ("Test.Needle", f"mail!/{message}") in found(report)
    inside = f"mail!/{message}!/" if before else "mail!/"
    assert any(place.startswith(inside) for _, place in found(report))


def test_text_that_only_mentions_mail_is_no_mailbox(database: DatabaseMaker) -> None:
    report = Scanner(database(a_ndb=BODY_RULE)).scan_bytes(b"\nFrom b@c\n\n" + PAYLOAD, "text")
    assert found(report) == [("Test.Needle", "text")]


def test_member_rules_see_names_and_sizes(database: DatabaseMaker) -> None:
    rules = (
        "Test.Name:CL_TYPE_ZIP:*:\\.exe$:*:*:*:*:*:\n"
        "Test.Size:CL_TYPE_ZIP:*:*:*:7:*:*:*:\n"
        "Test.Place:CL_TYPE_ZIP:*:*:*:*:*:2:*:\n"
        "Test.Tar:CL_TYPE_POSIX_TAR:*:inner:*:*:*:*:*:\n"
    )
    scanner = Scanner(database(a_cdb=rules))
    members = {"a.exe": b"1234567", "b.txt": b"12"}
    report = scanner.scan_bytes(zipped_all(members), "x")
    assert {name for name, _ in found(report)} == {"Test.Name", "Test.Size", "Test.Place"}
    assert {d.object for d in report.detections} == {"x"}
    assert found(scanner.scan_bytes(tarred(b"data"), "x")) == [("Test.Tar", "x")]
    assert found(scanner.scan_bytes(zipped(b"12", "a.com"), "x")) == []


@pytest.mark.parametrize(
    ("block", "wrappings"),
    [
        ("Container:CL_TYPE_ZIP", {"zip", "zip in tar in gz", "zip in zip"}),
        ("Container:CL_TYPE_GZ", {"gz", "tgz"}),  # a tar archive shows what is in it
        ("Intermediates:CL_TYPE_ZIP>CL_TYPE_ZIP", {"zip in zip"}),
        ("Intermediates:CL_TYPE_POSIX_TAR>CL_TYPE_ZIP", {"zip in tar in gz"}),
        ("Intermediates:CL_TYPE_ZIP>CL_TYPE_POSIX_TAR", set()),
        ("Intermediates:CL_TYPE_GZ>CL_TYPE_ANY>CL_TYPE_ZIP", set()),  # ANY names no container
        ("Intermediates:CL_TYPE_POSIX_TAR>CL_TYPE_ANY>CL_TYPE_ZIP", {"zip in tar in gz"}),
    ],
)
def test_rules_that_ask_for_the_containers_around(
    block: str, wrappings: set[str], database: DatabaseMaker
) -> None:
    """Intermediates are named from the outside in, as clamscan 1.4.6 reads them."""
    rule = f"A;Engine:81-255,Target:0,{block};0;746f6373696e2d6e6565646c652d6f6e65\n"
    scanner = Scanner(database(a_ldb=rule))
    fitting = {
        name
        for name, (wrap, _) in WRAPPINGS.items()
        if scanner.scan_bytes(wrap(PAYLOAD)).detections
    }
    assert fitting == wrappings


@pytest.mark.parametrize("name", ["bad\nname\x1b[31m", "caf\udce9", "../../etc/passwd", "/abs"])
def test_names_of_members_are_data(name: str, database: DatabaseMaker) -> None:
    data = tarred(PAYLOAD, name) if "\udce9" in name else zipped(PAYLOAD, name)
    report = Scanner(database(a_ndb=BODY_RULE)).scan_bytes(data, "x")
    assert found(report)[-1] == ("Test.Needle", f"x!/{name}")


DAMAGED = {
    "zip cut short": zipped(PAYLOAD * 50)[:150],
    "gzip cut short": gzip.compress(bytes(range(256)) * 50)[:100],
    "gzip with a broken stream": gzip.compress(PAYLOAD)[:40] + bytes(60),
    "xz cut short": lzma.compress(PAYLOAD * 50)[:-30],
    "bzip2 cut short": bz2.compress(PAYLOAD * 50)[:-30],
    "tar cut short": tarred(PAYLOAD * 50)[:1500],
}


@pytest.mark.parametrize("what", DAMAGED)
def test_damaged_container_is_never_clean(what: str, database: DatabaseMaker) -> None:
    report = Scanner(database(a_ndb="Other:0:*:6e6f7468657265\n")).scan_bytes(DAMAGED[what], what)
    assert report.verdict is Verdict.INCOMPLETE
    assert {skip.reason for skip in report.skipped} == {"damaged"}
    assert all(skip.object.startswith(what) and skip.detail for skip in report.skipped)


def test_what_comes_before_the_damage_is_scanned(database: DatabaseMaker) -> None:
    packed = gzip.compress(PAYLOAD + bytes(random.Random(1).randbytes(5000)))
    report = Scanner(database(a_ndb=BODY_RULE)).scan_bytes(packed[:3000], "x.gz")
    assert report.verdict is Verdict.INFECTED
    assert [skip.reason for skip in report.skipped] == ["damaged"]


def test_encrypted_member_is_never_clean_and_passwords_are_tried(
    database: DatabaseMaker,
) -> None:
    from unpack_samples import encrypted_entry, make_zip

    data = make_zip([encrypted_entry(password=b"swordfish")])
    rule = "Test.Fox:0:*:717569636b2062726f776e20666f78\n"
    index = database(a_ndb=rule)
    report = Scanner(index).scan_bytes(data, "x.zip")
    assert report.verdict is Verdict.INCOMPLETE
    assert [(s.object, s.reason) for s in report.skipped] == [("x.zip!/a.txt", "encrypted")]
    report = Scanner(index, Options(passwords=(b"no", b"swordfish"))).scan_bytes(data, "x.zip")
    assert found(report)[0] == ("Test.Fox", "x.zip!/a.txt")
    known = database(a_pwdb="P;Engine:81-255,Target:0;0;swordfish\n")
    assert found(Scanner(known).scan_bytes(data, "x.zip")) == found(report)
