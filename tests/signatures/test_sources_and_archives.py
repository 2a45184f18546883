"""Files, folders and ClamAV's archives: which reader, which place, which signature."""

from __future__ import annotations

import errno
import gzip
import hashlib
import io
import tarfile

import pytest
from hypothesis import given
from hypothesis import strategies as st
from signature_samples import MD5

from tocsin.errors import DatabaseError, SignatureError, VerificationError
from tocsin.signatures import sources
from tocsin.signatures.clamav import cvd
from tocsin.signatures.languages import list_files
from tocsin.signatures.records import Kind
from tocsin.signatures.sources import SourceReader


def read(name, text, *, lenient=False):
    reader = SourceReader(lenient=lenient)
    data = text if isinstance(text, bytes) else text.encode()
    return reader, [parsed.record for parsed in reader.read_bytes(data, name)]


@pytest.mark.parametrize(
    ("name", "text", "kind", "pua"),
    [
        ("a.hdb", f"{MD5}:68:A", Kind.FILE_DIGEST, False),
        ("a.hsu", f"{MD5}:68:A", Kind.FILE_DIGEST, True),
        ("a.mdb", f"68:{MD5}:A", Kind.SECTION_DIGEST, False),
        ("a.imp", f"{MD5}:*:A", Kind.IMPORT_DIGEST, False),
        ("a.sfp", f"{MD5}:68:A", Kind.ALLOW_DIGEST, False),
        ("a.NDB", "A:0:*:616263", Kind.BODY, False),
        ("a.db", "A=616263", Kind.BODY, False),
        ("a.ldu", "A;Target:0;0;6162", Kind.LOGICAL, True),
        ("a.cdb", "A:*:*:x:*:*:*:*:*:*", Kind.CONTAINER, False),
        ("a.ign2", "A", Kind.IGNORE, False),
        ("a.yara", "rule A { condition: true }", Kind.YARA, False),
        ("a.cbc", "ClamBC", Kind.UNEVALUATED, False),
        ("a.pdb", "R:x:y", Kind.UNEVALUATED, False),
        ("a.txt", MD5, Kind.FILE_DIGEST, False),
        ("hashes", MD5, Kind.FILE_DIGEST, False),
        ("rules.toml", '["A"]\nlevel = "test"', Kind.METADATA, False),
        ("daily-1.cvd.sign", "x", Kind.UNEVALUATED, False),
    ],
)
def test_languages_by_name(name, text, kind, pua):
    reader, (record,) = read(name, text)
    assert (record.kind, record.pua) == (kind, pua)
    assert record.source.name == name
    assert record.source.sha256 == hashlib.sha256(text.encode()).hexdigest()
    assert [source.name for source in reader.sources] == [name]


@pytest.mark.parametrize("name", ["a.exe", "a.txt", "a.toml", "a"])
def test_other_files_are_refused_with_what_is_known(name):
    with pytest.raises(DatabaseError, match=r"\.ndb"):
        read(name, "just text")


def test_comments_blank_lines_line_ends_and_numbers():
    text = "# Author: me\r\n\r\nA:0:*:616263\r\n\n#B:0:*:6162\nC:0:*:616264"
    _, records = read("a.ndb", text)
    assert [(r.text, r.line) for r in records] == [("A:0:*:616263", 3), ("C:0:*:616264", 6)]
    assert records[0].source.author == "me"


def test_a_malformed_line_has_its_place():
    with pytest.raises(SignatureError, match=r"^a\.ndb:2: ") as caught:
        read("a.ndb", "A:0:*:616263\nbad\n")
    assert (caught.value.source, caught.value.line) == ("a.ndb", 2)
    reader, records = read("a.ndb", "A:0:*:616263\nbad\nC:0:*:616264\n", lenient=True)
    assert len(records) == 2
    assert [(p.source, p.line) for p in reader.problems] == [("a.ndb", 2)]


def test_bytes_that_are_no_utf8_are_kept():
    _, (record,) = read("a.ndb", b"A\xe9:0:*:616263\n")
    assert record.text == "A\xe9:0:*:616263"


def test_folders(tmp_path):
    for name in ("b.ndb", "a.yar", "daily.ldb", "x.ign2", "readme.md", "notes.txt", "rules.toml"):
        (tmp_path / name).write_text("")
    (tmp_path / "sub.ndb").mkdir()
    assert [p.name for p in list_files(tmp_path)] == [
        "x.ign2",
        "daily.ldb",
        "a.yar",
        "b.ndb",
        "rules.toml",
    ]
    assert list_files(tmp_path / "readme.md") == [tmp_path / "readme.md"]
    with pytest.raises(DatabaseError):
        list_files(tmp_path / "nothing")
    with pytest.raises(DatabaseError):
        list_files(tmp_path / "sub.ndb")


# --- archives, signed by keys of our own --------------------------------------------------


def key_pair(p, q):
    return cvd.PublicKey(p * q, 65537), pow(65537, -1, (p - 1) * (q - 1))


# Mersenne primes: fit for a test, not for a secret.
HEADER_KEY, HEADER_SECRET = key_pair(2**127 - 1, 2**521 - 1)
INFO_KEY, INFO_SECRET = key_pair(2**521 - 1, 2**1279 - 1)
KEYS = {"header_key": HEADER_KEY, "info_key": INFO_KEY}


def signature_text(number):
    digits = []
    while number:
        number, digit = divmod(number, 64)
        digits.append(cvd._ALPHABET[digit])
    return "".join(digits)


def pss(message, salt=b"s" * 32):
    length = (INFO_KEY.modulus.bit_length() + 7) // 8
    digest = hashlib.sha256(bytes(8) + hashlib.sha256(message).digest() + salt).digest()
    block = bytes(length - 33 - 33 - 32 + 32) + b"\x01" + salt
    mask = b"".join(
        hashlib.sha256(digest + n.to_bytes(4, "big")).digest() for n in range(len(block) // 32 + 1)
    )
    masked = bytearray(a ^ b for a, b in zip(block, mask, strict=False))
    masked[0] &= 0x7F
    number = int.from_bytes(bytes(masked) + digest + b"\xbc", "big")
    return signature_text(pow(number, INFO_SECRET, INFO_KEY.modulus))


MEMBERS = {
    "COPYING": b"\nThe Licence, version 2\nmore\n",
    "test.ndb": b"Test.A:0:*:616263\n",
    "test.ign2": b"Test.B\n",
}


def info(members):
    lines = ["ClamAV-VDB:1 Jan 2026:7:1:90:X:X:builder:1"]
    lines += [
        f"{name}:{len(data)}:{hashlib.sha256(data).hexdigest()}" for name, data in members.items()
    ]
    body = ("\n".join(lines) + "\n").encode()
    return body + b"DSIG:" + pss(body).encode()


def archive(members=MEMBERS, *, signed_info=True, compress=True):
    held = dict(members)
    if signed_info:
        held["test.info"] = info(members)
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, data in held.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
    body = gzip.compress(buffer.getvalue(), mtime=0) if compress else buffer.getvalue()
    md5 = hashlib.md5(body).digest()
    dsig = signature_text(pow(int.from_bytes(md5, "big"), HEADER_SECRET, HEADER_KEY.modulus))
    header = f"ClamAV-VDB:1 Jan 2026 00-00 +0000:7:1:90:{md5.hex()}:{dsig}:builder:1"
    return header.encode().ljust(512) + body


def verify(data, name, **keys):
    """Header and members' bytes by name."""
    kept = io.BytesIO()
    found = cvd.verify(io.BytesIO(data), name, kept=kept, **keys)
    whole = kept.getvalue()
    return found.header, {m.name: whole[m.start : m.start + m.size] for m in found.members}


@pytest.mark.parametrize("signed_info", [True, False])
def test_a_signed_archive(signed_info):
    header, members = verify(archive(signed_info=signed_info), "test.cvd", **KEYS)
    assert (header.version, header.builder) == (7, "builder")
    assert {n: data for n, data in members.items() if n != "test.info"} == MEMBERS


def test_a_local_archive_rests_on_its_info():
    header, _ = verify(archive(compress=False), "test.cld", **KEYS)
    assert header.version == 7
    with pytest.raises(VerificationError, match="without"):
        verify(archive(signed_info=False, compress=False), "test.cld", **KEYS)


def test_an_archive_of_somebody_else():
    with pytest.raises(VerificationError, match="not ClamAV's"):
        verify(archive(), "test.cvd")


def test_every_part_of_an_archive_counts():
    data = archive()
    for place in range(512, len(data)):
        altered = bytearray(data)
        altered[place] ^= 1
        with pytest.raises(VerificationError):
            verify(bytes(altered), "test.cvd", **KEYS)
    for length in (0, 11, 100, 511, 512, 600, len(data) - 1):
        with pytest.raises(VerificationError):
            verify(data[:length], "test.cvd", **KEYS)


def test_a_member_that_is_not_what_the_info_states():
    data = archive({**MEMBERS}, compress=False)
    altered = data.replace(b"Test.A:0:*:616263", b"Test.A:0:*:616264")
    assert altered != data
    with pytest.raises(VerificationError, match=r"test\.ndb"):
        verify(altered, "test.cld", **KEYS)
    with pytest.raises(VerificationError, match=r"info"):
        verify(data.replace(b"builder:1\n", b"builder:2\n"), "test.cld", **KEYS)


@pytest.mark.parametrize(
    ("bound", "value"), [("MAX_MEMBERS", 2), ("MAX_MEMBER_BYTES", 20), ("MAX_TOTAL_BYTES", 60)]
)
def test_what_an_archive_unpacks_to_is_bounded(monkeypatch, bound, value):
    monkeypatch.setattr(cvd, bound, value)
    with pytest.raises(VerificationError, match="than"):
        verify(archive(), "test.cvd", **KEYS)


def test_a_full_disk_is_not_called_a_damaged_archive():
    class Full(io.BytesIO):
        def write(self, data):
            raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        cvd.verify(io.BytesIO(archive()), "test.cvd", kept=Full(), **KEYS)


@given(
    st.lists(st.sampled_from(["a", "ä", "\n", "\r\n", "#", "\x0b", "\udcff"]), max_size=40),
    st.integers(1, 9),
    st.booleans(),
)
def test_lines_are_those_of_the_whole_text_however_it_is_read(parts, piece, marked):
    data = b"\xef\xbb\xbf" * marked + "".join(parts).encode("utf-8", "surrogateescape")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sources, "_PIECE", max(piece, 3))
        part = sources._Part(io.BytesIO(data))
        sha256, encoding = part.examined()
        lines = [line for some in part.lines(encoding) for line in some]
    assert sha256 == hashlib.sha256(data).hexdigest()
    assert lines == sources._text(data).split("\n")


def test_records_of_an_archive(monkeypatch):
    real = cvd.verify
    monkeypatch.setattr(cvd, "verify", lambda data, name, kept: real(data, name, kept=kept, **KEYS))
    _, records = read("test.cvd", archive())
    assert [r.source.name for r in records][:2] == ["test.cvd/test.ign2", "test.cvd/test.info"] or (
        records[0].kind is Kind.IGNORE
    )
    body = next(r for r in records if r.kind is Kind.BODY)
    assert body.source.signed
    assert body.source.licence == "The Licence, version 2"
    assert (body.source.author, body.source.version) == ("builder", "7")


def test_an_unsigned_archive_is_read_as_that():
    reader = SourceReader()
    data = archive(signed_info=False)
    records = [parsed.record for parsed in reader.read_bytes(data, "own.cud")]
    assert records
    assert not any(record.source.signed for record in records)
    with pytest.raises(VerificationError):
        list(reader.read_bytes(data, "own.cvd"))


def test_a_folder_gives_detached_signatures_and_lists_of_digests_too(tmp_path):
    names = ["a.sha256", "daily-1.cvd.sign", "main.ndb", "notes.txt"]
    for name in names:
        (tmp_path / name).write_text("x")
    assert sorted(path.name for path in list_files(tmp_path)) == names[:3]
