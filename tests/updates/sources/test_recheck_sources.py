"""Files of sources that are in use, looked at again: what was changed, and who signed what."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tocsin.updates.sources.in_use import InUse, SourcePlace, UsedFile
from tocsin.updates.sources.recheck import recheck_source
from tocsin.updates.sources.state import Entry
from updates.sources.sources_kit import TRUST, digest_lines, make_cvd

NOW = datetime(2026, 11, 28, tzinfo=UTC)


def used(place: SourcePlace, name: str, data: bytes, kind: str) -> Path:
    """Have a file in use, as bringing it in does."""
    sha256 = hashlib.sha256(data).hexdigest()
    entry = Entry(
        kind=kind,
        url=f"https://lists.example/{name}",
        file=name,
        sha256=sha256,
        size=len(data),
        signatures=1,
        fetched=NOW,
    )
    one = UsedFile(file=name, digest=sha256[:32], size=len(data), source=entry)
    held = place.in_use()
    files = (*(held.files if held else ()), one)
    path = place.path(one)
    path.parent.mkdir(parents=True)
    path.write_bytes(data)
    place.keep(InUse(spec="x", files=files, since=NOW, confirmed=NOW, tried=NOW))
    return path


@pytest.fixture
def place(tmp_path: Path) -> SourcePlace:
    return SourcePlace(tmp_path / "source")


def test_a_signed_database_and_an_unsigned_list(place: SourcePlace) -> None:
    used(place, "daily.cvd", make_cvd("daily", 7, digest_lines(1, 2)), "clamav")
    used(place, "bad.hsb", b"0" * 64 + b":1:Bad\n", "digests")
    cvd, plain = recheck_source(place, TRUST)
    assert cvd.stands
    assert cvd.detail == "version 7, signed by ClamAV"
    assert plain.stands
    assert "nobody signs it" in plain.detail


def test_a_file_that_was_changed_or_is_gone(place: SourcePlace) -> None:
    path = used(place, "bad.hsb", b"0" * 64 + b":1:Bad\n", "digests")
    path.write_bytes(b"1" * 64 + b":1:Bad\n")
    (point,) = recheck_source(place)
    assert not point.stands
    assert "changed since it came" in point.detail
    path.unlink()
    (point,) = recheck_source(place)
    assert (point.stands, point.detail) == (False, "No such file or directory; fetch it again")


def test_a_database_that_clamav_did_not_sign_although_its_digest_was_noted(
    place: SourcePlace,
) -> None:
    """Whoever changes the file may change what was noted of it as well."""
    data = bytearray(make_cvd("daily", 7, digest_lines(1, 2)))
    data[-1] ^= 1
    used(place, "daily.cvd", bytes(data), "clamav")
    (point,) = recheck_source(place, TRUST)
    assert not point.stands
    genuine = make_cvd("main", 7, digest_lines(3))
    used(place, "main.cvd", genuine, "clamav")
    assert not recheck_source(place)[1].stands  # those keys are ours and not ClamAV's


def test_a_detached_signature_of_something_else(place: SourcePlace) -> None:
    used(place, "daily.cvd", make_cvd("daily", 7, digest_lines(1)), "clamav")
    place.fetched.mkdir()
    (place.fetched / "daily-7.cvd.sign").write_bytes(b"#clamsign-1.0\n1:2:pkcs7-pem:AAAA\n")
    (point,) = recheck_source(place, TRUST)
    assert not point.stands
    assert "daily-7.cvd" in point.detail


def test_a_record_that_cannot_be_read(place: SourcePlace) -> None:
    place.folder.mkdir()
    (place.folder / "in-use.json").write_bytes(b"{")
    (point,) = recheck_source(place)
    assert (point.point, point.stands) == ("record", False)
