"""Digest tables against a plain list: the same rows are found, for any digests and sizes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.database.digest_sections import DigestSections
from tocsin.database.digest_table import ALGORITHM_BYTES, DigestTable
from tocsin.database.layout import NAME_HEAD

SIZES = st.one_of(st.none(), st.integers(1, 20), st.just(2**63))


@pytest.mark.parametrize("length", sorted(ALGORITHM_BYTES.values()))
@given(data=st.data())
def test_find_what_a_list_finds(length, data):
    # Few distinct digests, so that equal and neighbouring ones are frequent.
    digests = st.sampled_from([bytes([n]) * length for n in (0, 1, 2, 254, 255)])
    rows = data.draw(st.lists(st.tuples(digests, SIZES), max_size=12))
    written = DigestSections(None)
    found = [
        (digest.hex(), str(size or "*"), str(name)) for name, (digest, size) in enumerate(rows)
    ]
    written.extend("file", found, 7, True)
    sections = {name: b"".join(pieces) for name, pieces in written.sections()}
    algorithm = {size: name for name, size in ALGORITHM_BYTES.items()}[length]
    packed = [sections.get(f"file.{algorithm}{end}", b"") for end in ("", ".sizes")]
    table = DigestTable(*map(memoryview, packed), length)
    assert len(table) == len(rows)

    def named(offset):
        head = sections["names"][offset : offset + NAME_HEAD]
        assert head[:3] == b"\x07\0\x01"
        start = offset + NAME_HEAD
        return int(sections["names"][start : start + int.from_bytes(head[3:], "little")])

    for digest in (data.draw(digests), b"\x07" * length):
        size = data.draw(st.integers(1, 21))
        wanted = [name for name, (d, s) in enumerate(rows) if d == digest and s in (None, size)]
        assert sorted(map(named, table.find(digest, size))) == wanted
        if wanted:
            assert table.wants(size)
    for size in range(1, 22):
        assert table.wants(size) == any(s in (None, size) for _, s in rows)


def test_empty_table():
    table = DigestTable(memoryview(b""), memoryview(b""), 16)
    assert len(table) == 0
    assert not table.wants(1)
    assert list(table.find(b"\0" * 16, 1)) == []
