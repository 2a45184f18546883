"""The portable database: canonical, readable, and refused when it was damaged."""

from __future__ import annotations

import contextlib
import hashlib
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from signature_samples import LINES, MD5

from tocsin.database.portable import (
    build_portable,
    is_portable,
    read_header,
    read_portable,
    split_line,
    verified_body,
)
from tocsin.errors import DatabaseError
from tocsin.signatures.parse import parse_text
from tocsin.signatures.records import Kind, Record, Source

SOURCES = (
    Source("a.ndb", "11" * 32),
    Source("a.ndb", "22" * 32),
    Source("daily.cvd/daily.ldb", "33" * 32, "builder", "GPL-2.0", True, "27000"),
    Source("ünï.yar", "44" * 32, author="someone; \t else"),
)
# Surrogates U+DC80..U+DCFF stand for bytes that are no UTF-8; others come from no file.
TEXTS = st.text(
    st.one_of(
        st.characters(exclude_categories=["Cs"]),
        st.sampled_from("\\\t\n\r\0\x1f\x7f\udc80\udcff"),
    ),
    max_size=40,
)
RECORDS = st.builds(
    Record,
    st.sampled_from(list(Kind)),
    TEXTS,
    st.sampled_from(SOURCES),
    st.booleans(),
    st.just(0),
    st.sampled_from(["", "bytecode", "phishing lists"]),
)
GOLDEN_SHA256 = "495e759316bda04a0cf9bbf6280deaec333ca500870b3db21811f831899a07fd"


def samples():
    return [
        Record(
            kind,
            line,
            SOURCES[place % len(SOURCES)],
            detail="bytecode" if kind == Kind.UNEVALUATED else "",
        )
        for place, (kind, line) in enumerate(LINES)
    ]


def read_back(data):
    header, body = verified_body(data, "test")
    return [split_line(line, header.sources) for line in body.split(b"\n")[:-1]]


def test_golden():
    """The same on every machine and for ever; a change here is a change of the format."""
    assert hashlib.sha256(build_portable(samples())).hexdigest() == GOLDEN_SHA256


@settings(max_examples=100, deadline=None)
@given(records=st.lists(RECORDS, max_size=12), data=st.data())
def test_order_and_duplicates_do_not_show(records, data):
    shuffled = data.draw(st.permutations(records))
    repeated = data.draw(st.lists(st.sampled_from(records), max_size=5)) if records else []
    assert build_portable([*shuffled, *repeated]) == build_portable(records)


@settings(max_examples=200, deadline=None)
@given(records=st.lists(RECORDS, max_size=12))
def test_records_come_back(records):
    data = build_portable(records)
    found = read_back(data)
    assert set(found) == set(records)
    assert build_portable(found) == data


@settings(max_examples=50, deadline=None)
@given(records=st.lists(RECORDS, max_size=8), line=st.integers(0, 1000))
def test_line_numbers_do_not_show(records, line):
    assert build_portable(r._replace(line=line) for r in records) == build_portable(records)


@pytest.mark.parametrize(("kind", "line"), LINES)
def test_text_to_record_to_line_to_record(kind, line):
    record = Record(kind, line, SOURCES[0])
    (found,) = read_back(build_portable([record]))
    assert found == record
    assert parse_text(found.kind, found.text) == parse_text(kind, line)


def test_header(tmp_path):
    path = tmp_path / "a.tdb"
    path.write_bytes(build_portable(samples()))
    assert is_portable(path)
    header = read_header(path)
    assert header.sources == sorted(SOURCES)
    assert sum(header.counts.values()) == len(samples())
    assert header.body_bytes < path.stat().st_size


def test_exceptions_come_first(tmp_path):
    path = tmp_path / "a.tdb"
    path.write_bytes(build_portable(samples()))
    kinds = [parsed.record.kind for parsed in read_portable(path)]
    exceptions = kinds.count(Kind.IGNORE)
    assert exceptions == 3
    assert set(kinds[:exceptions]) == {Kind.IGNORE}


def refuse(path, data):
    path.write_bytes(data)
    with pytest.raises(DatabaseError):
        list(read_portable(path))


def test_truncation_is_refused(tmp_path):
    data = build_portable(samples())
    for length in (*range(0, len(data), 97), len(data) - 1):
        refuse(tmp_path / "a.tdb", data[:length])


def test_growth_is_refused(tmp_path):
    data = build_portable(samples())
    for more in (b"\n", b"\0", b"body\t0\t\tA:0:*:616263\n"):
        refuse(tmp_path / "a.tdb", data + more)


def test_bit_flips_are_refused_or_harmless(tmp_path):
    """A flip in the header may leave a valid header that says the same of the content."""
    data = build_portable(samples())
    path = tmp_path / "a.tdb"
    original = read_back(data)
    header_end = data.index(b"\n", data.index(b"\n") + 1)
    for place in range(0, len(data), 7):
        altered = bytearray(data)
        altered[place] ^= 1 << (place % 8)
        path.write_bytes(altered)
        try:
            found = list(read_portable(path))
        except DatabaseError:
            continue
        assert place <= header_end, "an altered body was read"
        assert [r.record.text for r in found if r.record.kind != Kind.IGNORE] == [
            r.text for r in original if r.kind != Kind.IGNORE
        ]


@settings(max_examples=200, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_random_damage_is_no_other_error(tmp_path_factory, seed):
    dice = random.Random(seed)
    data = bytearray(build_portable(samples()))
    for _ in range(dice.randint(1, 4)):
        start = dice.randrange(min(len(data), 1500))
        data[start : start + dice.randint(0, 6)] = dice.randbytes(dice.randint(0, 6))
    with contextlib.suppress(DatabaseError):
        read_back(bytes(data))


@pytest.mark.parametrize(
    "header",
    [
        b"",
        b"{}",
        b"[]",
        b"null",
        b'"x"',
        b"{" * 100_000,
        b"[" * 100_000,
        b'{"sources":[],"counts":{},"body_bytes":1e999,"sha256":""}',
        b'{"sources":[],"counts":[],"body_bytes":0,"sha256":""}',
        b'{"sources":[{"nome":1}],"counts":{},"body_bytes":0,"sha256":""}',
        b'{"sources":[[]],"counts":{},"body_bytes":0,"sha256":""}',
        b'{"sources":5,"counts":{},"body_bytes":0,"sha256":""}',
        b'{"sources":[],"counts":{},"body_bytes":"' + b"9" * 5000 + b'","sha256":""}',
        b"\xff\xfe",
    ],
    ids=lambda header: header[:24].decode("latin-1"),
)
def test_headers_made_up(tmp_path, header):
    path = tmp_path / "a.tdb"
    path.write_bytes(b"tocsin-database 1\n" + header + b"\n")
    with pytest.raises(DatabaseError):
        read_header(path)
    refuse(path, path.read_bytes())


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"body",
        b"body\t0\t",
        b"nothing\t0\t\tA",
        b"body\t9\t\tA",
        b"body\t-1\t\tA",
        b"body\tx\t\tA",
    ],
)
def test_malformed_records_are_refused(tmp_path, line):
    from tocsin.database import portable
    from tocsin.errors import TocsinError

    body = line + b"\n"
    header = {
        "body_bytes": len(body),
        "counts": {},
        "sources": [SOURCES[0]._asdict()],
    }
    header["sha256"] = portable._digest(header, body)
    path = tmp_path / "a.tdb"
    path.write_bytes(b"tocsin-database 1\n" + portable.packed_header(header) + b"\n" + body)
    with pytest.raises(TocsinError):
        list(read_portable(path))


def test_digest_of_nothing():
    data = build_portable([])
    assert read_back(data) == []
    assert MD5.encode() not in data
