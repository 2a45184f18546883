"""`db verify`: every byte against what the file states of itself."""

from __future__ import annotations

import json

import pytest

from tocsin.database import portable as portable_format
from tocsin.database.cache import open_database
from tocsin.database.portable import MAGIC, build_portable
from tocsin.database.verify import verify_file
from tocsin.errors import DatabaseError
from tocsin.signatures.records import Kind, Record, Source

RECORDS = [
    Record(Kind.BODY, f"Test.{n}:0:*:{n:08x}", Source("a.ndb", "11" * 32)) for n in range(30)
]


@pytest.fixture
def portable(tmp_path):
    path = tmp_path / "a.tdb"
    path.write_bytes(build_portable(RECORDS))
    return path


def refuse(path, data):
    path.write_bytes(data)
    with pytest.raises(DatabaseError):
        verify_file(path)


def test_portable(portable):
    kind, detail = verify_file(portable)
    assert kind == "portable database"
    assert detail.startswith("30 records")


def test_every_bit_counts(portable):
    """Unlike opening, verifying sees every altered bit: the form is canonical."""
    data = portable.read_bytes()
    for place in range(0, len(data), 3):
        altered = bytearray(data)
        altered[place] ^= 1 << (place % 8)
        refuse(portable, altered)


def test_truncation(portable):
    data = portable.read_bytes()
    for length in (*range(0, len(data), 97), len(data) - 1):
        refuse(portable, data[:length])
    refuse(portable, data + b"\n")


def test_not_in_canonical_order(portable):
    data = portable.read_bytes()
    _, header, body = data.split(b"\n", 2)
    lines = body.splitlines(keepends=True)
    turned = b"".join(reversed(lines))
    stated = json.loads(header)
    stated["sha256"] = portable_format._digest(stated, turned)
    packed = portable_format.packed_header(stated)
    refuse(portable, MAGIC + packed + b"\n" + turned)


def test_index(tmp_path):
    (tmp_path / "a.ndb").write_text("\n".join(record.text for record in RECORDS))
    open_database(tmp_path / "a.ndb", cache_dir=tmp_path / "cache")
    (path,) = (tmp_path / "cache").glob("*.index")
    assert verify_file(path).kind == "index"
    data = bytearray(path.read_bytes())
    middle = data.index(b"Test.7")
    data[middle] ^= 1
    refuse(path, data)
    refuse(path, data[:-1])
    path.chmod(0o666)
    with pytest.raises(DatabaseError, match="others"):
        verify_file(path)


@pytest.mark.parametrize("name", ["a.ndb", "a.yar", "a.bin", "a.tdb", "a.cvd", "a.cld"])
def test_files_that_state_nothing_are_refused(tmp_path, name):
    refuse(tmp_path / name, b"Test.1:0:*:61626364\n")
    refuse(tmp_path / name, b"")


def test_missing_and_folders(tmp_path):
    with pytest.raises(DatabaseError, match="No such file"):
        verify_file(tmp_path / "nothing")
    with pytest.raises(DatabaseError):
        verify_file(tmp_path)
