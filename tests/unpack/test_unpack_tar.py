"""What the tar unpacker finds, in sound archives and in crooked ones."""

from __future__ import annotations

import io
import tarfile

import pytest
from unpack_contract import check_contract
from unpack_samples import TEXT, File, make_tar, pax, python_tar, tar_entry

from tocsin.errors import FormatError, LimitReached
from tocsin.formats.identify import identify
from tocsin.unpack import find_unpackers
from tocsin.unpack.interface import Budget, Limits, Reason, Skipped

V7 = b"\0" * 8
LONG = "d/" * 120 + "name"


@pytest.mark.parametrize("fmt", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
@pytest.mark.parametrize("name", ["a.txt", "d/" * 70 + "name", "ä.txt"])
def test_members_of_archives_by_tarfile(fmt: int, name: str) -> None:
    outcome = check_contract("POSIX_TAR", python_tar(fmt, name))
    assert outcome.error is None
    (member,) = outcome.values
    size = len(TEXT)
    assert member == (name, TEXT, size, size, 1, False, None, True, "", "")


NEXT = File(name=b"next", data=b"next data")

GOOD: dict[str, tuple[list[File], list[tuple[str, bytes]]]] = {
    "v7": ([File(magic=V7)], [("a.txt", TEXT)]),
    "ustar with a prefix": ([File(prefix=b"dir")], [("dir/a.txt", TEXT)]),
    "GNU magic has no prefix": ([File(magic=b"ustar  \0", prefix=b"dir")], [("a.txt", TEXT)]),
    "GNU long name": (
        [File(kind=b"L", data=LONG.encode() + b"\0"), File()], [(LONG, TEXT)]),
    "pax path and size": (
        [pax(path=LONG, size="9"), NEXT._replace(size_field=b"0")], [(LONG, NEXT.data)]),
    "global pax header": ([pax(path="p")._replace(kind=b"g"), File(), NEXT],
                          [("p", TEXT), ("p", NEXT.data)]),
    "old file type NUL": ([File(kind=b"\0")], [("a.txt", TEXT)]),
    "type unheard of": ([File(kind=b"q")], [("a.txt", TEXT)]),
    "links and devices are passed over": (
        [*(File(kind=b"%d" % kind, data=b"") for kind in range(1, 7)), NEXT],
        [("next", NEXT.data)]),
    "old directory": ([File(name=b"d/", kind=b"\0", data=b""), NEXT], [("next", NEXT.data)]),
    "empty file": ([File(data=b"")], [("a.txt", b"")]),
    "size in binary": (
        [File(data=b"123", size_field=b"\x80" + bytes(10) + b"\3")], [("a.txt", b"123")]),
    "size with blanks": ([File(data=b"123", size_field=b"         3 \0")], [("a.txt", b"123")]),
    "link with a size and no data": (
        [File(kind=b"1", data=b"", size_field=b"00000001000\0"), NEXT], [("next", NEXT.data)]),
    "data hidden behind a link": ([File(kind=b"2"), NEXT],
                                  [("a.txt", TEXT), ("next", NEXT.data)]),
    "NUL in the name": ([File(name=b"a\0b")], [("a", TEXT)]),
    "name not UTF-8": ([File(name=b"\xff")], [("\udcff", TEXT)]),
    "pax records that make no sense": (
        [File(kind=b"x", data=b"999999 path=x\n"), File()], [("a.txt", TEXT)]),
}  # fmt: skip


@pytest.mark.parametrize("case", GOOD)
def test_readable_archives(case: str) -> None:
    files, expected = GOOD[case]
    outcome = check_contract("POSIX_TAR", make_tar(files))
    assert outcome.error is None
    assert not outcome.skipped
    assert [(m.name, m.data) for m in outcome.members] == expected
    assert [m.position for m in outcome.members] == list(range(1, len(expected) + 1))
    assert all(m.complete for m in outcome.members)


def test_signed_checksum_of_old_programs() -> None:
    block = bytearray(tar_entry(File(name=b"\xe4.txt"))[:512])
    block[148:156] = b" " * 8
    signed = sum(byte - 256 if byte > 127 else byte for byte in block)
    data = make_tar([File(name=b"\xe4.txt", checksum=signed)])
    assert check_contract("OLD_TAR", data).members[0].data == TEXT


@pytest.mark.parametrize("end", [b"", bytes(512), bytes(700), bytes(4096)])
def test_end_of_archive_in_any_shape(end: bytes) -> None:
    outcome = check_contract("POSIX_TAR", make_tar([File()], end))
    assert [m.data for m in outcome.members] == [TEXT]
    assert not outcome.skipped


def test_members_behind_the_end_of_the_archive() -> None:
    outcome = check_contract("POSIX_TAR", make_tar([File()]) + make_tar([NEXT]) + b"garbage" * 99)
    assert [m.data for m in outcome.members] == [TEXT, NEXT.data, b"garbage" * 99]
    assert not outcome.skipped


DAMAGED: dict[str, tuple[list[File], str]] = {
    "checksum wrong": ([File(), File(checksum=1), NEXT], "no valid header at byte 1536"),
    "size negative": ([File(), File(size_field=b"\xff" * 12), NEXT], "size is negative"),
    "size no number": ([File(), File(size_field=b"zzz"), NEXT], "size is negative or no number"),
}


@pytest.mark.parametrize("case", DAMAGED)
def test_damage_in_the_middle_is_told_and_passed_over(case: str) -> None:
    files, detail = DAMAGED[case]
    outcome = check_contract("POSIX_TAR", make_tar(files))
    (damage,) = outcome.skipped
    first, *_, last = outcome.members
    assert isinstance(damage, Skipped)
    assert damage.reason is Reason.DAMAGED
    assert detail in damage.detail
    assert (first.name, last.name) == ("a.txt", "next")


@pytest.mark.parametrize("size_field", [b"77777777777\0", b"\x80" + b"\xff" * 11])
def test_a_size_beyond_the_archive(size_field: bytes) -> None:
    (member,) = check_contract("POSIX_TAR", make_tar([File(size_field=size_field)])).members
    assert (member.complete, member.note) == (False, "truncated")
    assert member.data.startswith(TEXT)


@pytest.mark.parametrize("kept", [513, 700, 512 + len(TEXT) - 1])
def test_truncated_archive(kept: int) -> None:
    (member,) = check_contract("POSIX_TAR", make_tar([File()])[:kept]).members
    assert (member.data, member.complete) == (TEXT[: kept - 512], False)


def test_truncated_header() -> None:
    outcome = check_contract("POSIX_TAR", make_tar([File(), NEXT])[:1700])
    assert [s.detail for s in outcome.skipped] == ["truncated header at byte 1536"]


def _names_that_are_marks() -> list[bytes]:
    return [b"GIFs/a", b"MMX/a", b"II*/a", b"BMW.txt", b"MZ/a", b"From: me", b"begin 644 a", b"ID3"]


@pytest.mark.parametrize("name", _names_that_are_marks())
@pytest.mark.parametrize("fmt", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT])
def test_a_first_name_that_is_another_types_mark(name: bytes, fmt: int) -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=fmt) as archive:
        info = tarfile.TarInfo(name.decode())
        info.size = len(TEXT)
        archive.addfile(info, io.BytesIO(TEXT))
    data = out.getvalue()
    found = [unpacker for kind, unpacker in find_unpackers(data, identify(data)) if "TAR" in kind]
    assert [m.data for u in found for m in u.members(data, Budget(), ())] == [TEXT]


@pytest.mark.parametrize("data", [b"", b"x" * 511, b"x" * 2000, bytes(1024)])
def test_what_is_no_tar(data: bytes) -> None:
    assert isinstance(check_contract("OLD_TAR", data).error, FormatError)


# --- sparse files -------------------------------------------------------------------------

PIECES = b"A" * 512 + b"B" * 512
WHOLE = b"A" * 512 + bytes(1024) + b"B" * 512 + bytes(40)


def _gnu_sparse(pairs: list[tuple[int, int]], real_size: int, more: bytes = b"\0") -> bytes:
    fields = b"".join(b"%011o\0%011o\0" % pair for pair in pairs)
    return bytes(41) + fields.ljust(96, b"\0") + more + b"%011o\0" % real_size


SPARSE: dict[str, list[File]] = {
    "GNU": [
        File(kind=b"S", data=PIECES, tail=_gnu_sparse([(0, 512), (1536, 512), (2088, 0)], 2088))
    ],
    "pax 0.0": [
        pax(
            ("GNU.sparse.size", "2088"),
            ("GNU.sparse.offset", "0"),
            ("GNU.sparse.numbytes", "512"),
            ("GNU.sparse.offset", "1536"),
            ("GNU.sparse.numbytes", "512"),
        ),
        File(data=PIECES),
    ],
    "pax 0.1": [
        pax(GNU__sparse__size="2088", GNU__sparse__map="0,512,1536,512"),
        File(data=PIECES),
    ],
    "pax 1.0": [
        pax(GNU__sparse__major="1", GNU__sparse__minor="0", GNU__sparse__realsize="2088"),
        File(data=b"2\n0\n512\n1536\n512\n".ljust(512, b"\0") + PIECES),
    ],
}


@pytest.mark.parametrize("case", SPARSE)
def test_sparse_files_come_with_their_holes(case: str) -> None:
    (member,) = check_contract("POSIX_TAR", make_tar(SPARSE[case])).members
    assert (member.data, member.complete) == (WHOLE, True)


HOSTILE_MAPS: dict[str, File] = {
    "pieces overlap": pax(GNU__sparse__size="2088", GNU__sparse__map="0,512,100,512"),
    "piece beyond the file": pax(GNU__sparse__size="9", GNU__sparse__map="0,512,1536,512"),
    "more pieces than data": pax(GNU__sparse__size="9999", GNU__sparse__map="0,5120"),
    "no map": pax(GNU__sparse__size="2088"),
    "map that is no map": pax(GNU__sparse__size="2088", GNU__sparse__map="x,,y"),
    "map in the data that is none": pax(GNU__sparse__major="1", GNU__sparse__realsize="2088"),
    "a file of 8 EB": pax(GNU__sparse__size="9" * 19, GNU__sparse__map="0,512"),
}


@pytest.mark.parametrize("case", HOSTILE_MAPS)
def test_a_crooked_map_hides_nothing(case: str) -> None:
    (member,) = check_contract(
        "POSIX_TAR", make_tar([HOSTILE_MAPS[case], File(data=PIECES)])
    ).members
    assert not member.complete
    assert b"A" * 200 in member.data
    assert b"B" * 512 in member.data


# --- limits -------------------------------------------------------------------------------


def test_a_member_too_big_is_skipped_and_the_rest_goes_on() -> None:
    outcome = check_contract("POSIX_TAR", make_tar([File(), NEXT]), Limits(max_file_size=100))
    assert [(s.name, s.reason, s.size) for s in outcome.skipped] == [
        ("a.txt", Reason.LIMIT, len(TEXT))
    ]
    assert [m.data for m in outcome.members] == [NEXT.data]


def test_many_holes_are_charged() -> None:
    bombs = [pax(GNU__sparse__size="900000", GNU__sparse__map="0,1"), File(data=b"x")] * 20
    outcome = check_contract("POSIX_TAR", make_tar(bombs))
    assert isinstance(outcome.error, LimitReached)
    assert len(outcome.members) == 5


def test_max_files() -> None:
    outcome = check_contract("POSIX_TAR", make_tar([NEXT] * 9), Limits(max_files=3))
    assert len(outcome.members) == 3
    assert isinstance(outcome.error, LimitReached)
