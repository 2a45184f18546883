"""A database written in little memory is the one that is laid out at once."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tocsin.database.portable import build_portable, read_header
from tocsin.database.portable_write import write_portable
from tocsin.errors import DatabaseError
from tocsin.signatures.records import Kind, Record, Source

SOURCES = [Source(f"s{n}.hsb", f"{n % 7:064x}", licence="x" * (n % 2)) for n in range(13)]

records = st.builds(
    Record,
    kind=st.sampled_from([Kind.FILE_DIGEST, Kind.BODY, Kind.IGNORE, Kind.UNEVALUATED]),
    text=st.text(max_size=8),
    source=st.sampled_from(SOURCES),
    pua=st.booleans(),
    line=st.just(0),
    detail=st.sampled_from(["", "a", "b c"]),
)


@settings(max_examples=60, deadline=None)
@given(held=st.integers(1, 2_000), some=st.lists(records, max_size=40))
def test_the_same_bytes_whatever_fits_into_memory(
    tmp_path_factory: pytest.TempPathFactory, held: int, some: list[Record]
) -> None:
    place = tmp_path_factory.getbasetemp() / "written.tdb"
    written = write_portable(iter(some), place, held_bytes=held)
    data = place.read_bytes()
    assert data == build_portable(some)
    assert (written.sha256, written.size) == (hashlib.sha256(data).hexdigest(), len(data))
    assert written.counts == read_header(place).counts
    assert [path for path in place.parent.iterdir() if path.name.startswith(".sorting-")] == []


def test_what_cannot_be_written_leaves_what_was_there(tmp_path: Path) -> None:
    place = tmp_path / "folder"
    place.mkdir()
    with pytest.raises(DatabaseError, match="folder"):
        write_portable([], place)
    assert place.is_dir()


def test_an_error_on_the_way_leaves_what_was_there(tmp_path: Path) -> None:
    place = tmp_path / "a.tdb"
    place.write_bytes(b"before")

    def broken():
        yield Record(Kind.BODY, "x", SOURCES[0], False, 0, "")
        raise DatabaseError("a source is damaged")

    with pytest.raises(DatabaseError, match="damaged"):
        write_portable(broken(), place)
    assert place.read_bytes() == b"before"
    assert list(tmp_path.iterdir()) == [place]
