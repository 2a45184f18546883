"""Mails scanned from end to end: what is encoded in them is found, and healthy ones are clean."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from mail_samples import (
    HEAD,
    PROGRAM,
    SAMPLES,
    apple_double,
    binhexed,
    file_part,
    multipart,
    script,
    signed,
    yencoded,
)
from unpack_samples import Entry, encrypted_entry, make_zip

import tocsin
from tocsin.engine.object_scan import ObjectScanner
from tocsin.engine.options import Options
from tocsin.engine.report import Report


def scanned(tmp_path: Path, database: str, mail: bytes) -> Report:
    """What the engine says of a mail."""
    name, _, content = database.partition(" ")
    (tmp_path / name).write_text(content + "\n")
    opened = tocsin.open_database([tmp_path / name], cache_dir=tmp_path / "cache")
    return ObjectScanner(opened, Options()).scan_bytes(mail, "mail")


def part_of(data: bytes, head: bytes) -> bytes:
    return HEAD + multipart([b"Content-Type: " + head + b"\n\n" + data])


@pytest.mark.parametrize(
    ("mail", "way"),
    [
        (part_of(binhexed(), b"application/mac-binhex40; name=a.hqx"), "a.hqx!/program"),
        (
            part_of(binhexed(), b"text/x\nContent-Transfer-Encoding: binhex40"),
            "part 1 (text/x)!/program",
        ),
        (part_of(yencoded(), b"text/plain"), "part 1 (text/plain)!/program.exe"),
        (
            part_of(yencoded(), b"application/x; name=a\nContent-Transfer-Encoding: x-yencode"),
            "a!/program.exe",
        ),
        (HEAD + b"\n" + binhexed(), "part 1 (text/plain)!/program"),
        (
            HEAD + multipart([file_part(apple_double()), file_part(b"x")], b"YY"),
            "part 1 (application/octet-stream)!/program",
        ),
        (HEAD + file_part(signed()), "part 1 (application/octet-stream)!/content"),
        (
            HEAD + file_part(signed(HEAD + file_part())),
            "part 1 (application/octet-stream)!/content!/part 1 (application/octet-stream)",
        ),
        (
            HEAD + multipart([b"Content-Type: text/plain; name=a.vbs\n\n" + script()]),
            "a.vbs!/base64 at 186",
        ),
    ],
)
def test_an_encoded_program_is_found_in_a_mail(tmp_path: Path, mail: bytes, way: str) -> None:
    digest = f"{hashlib.sha256(PROGRAM).hexdigest()}:{len(PROGRAM)}:Program"
    report = scanned(tmp_path, f"a.hsb {digest}", mail)
    assert f"mail!/{way}" in {detection.object for detection in report.detections}


WORDS = b"words that nothing but a mail reader takes out\n"
LONG = b"ARC-Seal: i=1;" + b"\n ".join([b"a" * 70] * 30) + b"\n"


@pytest.mark.parametrize(
    "data",
    [
        LONG + HEAD + file_part(WORDS),
        make_zip([Entry(b"a.eml", LONG + HEAD + file_part(WORDS))]),
        HEAD + multipart([file_part(LONG + HEAD + file_part(WORDS), b"Content-Type: a/b\n")]),
        (LONG + HEAD + file_part(WORDS)).decode().encode("utf-16"),
        b"words\n" * 3000 + b"\n" + HEAD + file_part(WORDS),
        LONG + file_part(WORDS),
    ],
    ids=range(6),
)
def test_a_long_header_hides_nothing(tmp_path: Path, data: bytes) -> None:
    digest = f"{hashlib.sha256(WORDS).hexdigest()}:{len(WORDS)}:Words"
    report = scanned(tmp_path, f"a.hsb {digest}", data)
    assert report.detections


def test_signatures_for_mail_match_where_clamscan_opens_a_text_as_mail(tmp_path: Path) -> None:
    mail = b"X-A: b\nFrom: a@b\nX-C: " + b"a" * 1500 + b"\n" + file_part()
    both = f"a.ndb Mail:4:*:{b'X-C: aaa'.hex()}\nText:7:*:{b'x-c: aaa'.hex()}"
    names = {found.name for found in scanned(tmp_path, both, mail).detections}
    assert names == {"Mail", "Text"}


@pytest.mark.parametrize(
    "text",
    [
        b"words\n" * 300 + b"\n" + HEAD + b"Content-Type: text/plain\n\nhello\n",
        (b"Content-Type: text/plain\nX-A: b\n\n") * 60,
        HEAD + b"\n" + (b"words\n\n" + HEAD + b"Content-Type: text/plain\n\n") * 60,
        (b"words\n\n" + HEAD + file_part() + b"\n") * 60,
    ],
    ids=range(4),
)
def test_a_text_is_not_opened_again_and_again(tmp_path: Path, text: bytes) -> None:
    report = scanned(tmp_path, "a.ndb None:0:0:" + b"nothing has this".hex(), text)
    assert (report.verdict, report.skipped) == ("clean", [])
    assert report.bytes_scanned < 4 * len(text)


def test_a_password_in_the_mail_opens_its_attachment(tmp_path: Path) -> None:
    packed = make_zip([encrypted_entry(b"Sesame7")])
    mail = HEAD + multipart(
        [b"\nThe password is Sesame7, as always.\n", file_part(packed, b"X: y\n")]
    )
    report = scanned(tmp_path, "a.ndb Fox:0:0:" + b"The quick brown fox".hex(), mail)
    assert [detection.object for detection in report.detections] == [
        "mail!/part 2 (application/octet-stream)!/a.txt"
    ]


@pytest.mark.parametrize("name", SAMPLES)
def test_samples_scan_clean(tmp_path: Path, name: str) -> None:
    report = scanned(tmp_path, "a.ndb None:0:0:" + b"nothing has this".hex(), SAMPLES[name]())
    assert (report.verdict, report.skipped, report.notes) == ("clean", [], [])
