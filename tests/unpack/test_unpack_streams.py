"""What the unpackers of gzip, bzip2 and xz give: one object a file, damaged or not."""

from __future__ import annotations

import bz2
import gzip
import lzma
import random
from collections.abc import Callable

import pytest
from unpack_contract import check_contract
from unpack_samples import MIXED, TEXT

from tocsin.errors import FormatError, LimitReached
from tocsin.unpack.interface import Limits, Reason
from tocsin.unpack.stream import BEHIND

PACK: dict[str, Callable[[bytes], bytes]] = {
    "GZ": lambda data: gzip.compress(data, mtime=0),
    "BZ": bz2.compress,
    "XZ": lzma.compress,
}
each_format = pytest.mark.parametrize("kind", PACK)


@each_format
@pytest.mark.parametrize("data", [b"", b"x", TEXT, MIXED * 400], ids=len)
def test_a_sound_file(kind: str, data: bytes) -> None:
    packed = PACK[kind](data)
    outcome = check_contract(kind, packed, Limits())
    assert outcome.error is None
    (member,) = outcome.members
    assert (member.data, member.packed_size, member.complete) == (data, len(packed), True)
    assert (member.position, member.encrypted, member.note) == (1, False, "")


@each_format
def test_streams_are_joined(kind: str) -> None:
    pack = PACK[kind]
    (member,) = check_contract(kind, pack(TEXT) + pack(b"") + pack(MIXED)).members
    assert (member.data, member.complete, member.note) == (TEXT + MIXED, True, "")


@each_format
def test_bytes_behind_are_noted_and_handed_on(kind: str) -> None:
    member, after = check_contract(kind, PACK[kind](TEXT) + b"garbage").members
    assert (after.name, after.data, after.position) == (BEHIND, b"garbage", 2)
    assert (member.data, member.complete) == (TEXT, True)
    assert member.note == "7 bytes follow the last stream"


@each_format
def test_zero_bytes_behind_are_no_member(kind: str) -> None:
    assert len(check_contract(kind, PACK[kind](TEXT) + bytes(512)).members) == 1


@each_format
def test_truncated_data_gives_what_came_out(kind: str) -> None:
    data = random.Random(1).randbytes(1_500_000)
    packed = PACK[kind](data)
    (member,) = check_contract(kind, packed[: len(packed) * 9 // 10], Limits()).members
    assert (member.complete, member.note) == (False, "truncated")
    assert member.data == data[: member.size]
    assert member.size >= 900_000 - 100


@each_format
def test_truncated_before_anything_came_out(kind: str) -> None:
    (value,) = check_contract(kind, PACK[kind](TEXT)[:11]).skipped
    assert (value.reason, value.detail) == (Reason.DAMAGED, "truncated")


def _check_value_at(kind: str, packed: bytes) -> int:
    """Where the check value of the data lies in a file of one stream."""
    if kind == "XZ":
        index_size = (int.from_bytes(packed[-8:-4], "little") + 1) * 4
        return len(packed) - 12 - index_size - 1
    return {"GZ": len(packed) - 8, "BZ": 10}[kind]


@each_format
def test_a_wrong_check_value_costs_at_most_a_byte(kind: str) -> None:
    packed = bytearray(PACK[kind](TEXT))
    packed[_check_value_at(kind, bytes(packed))] ^= 1
    (member,) = check_contract(kind, bytes(packed)).members
    assert member.data == (TEXT[:-1] if kind == "BZ" else TEXT)
    assert member.note
    assert member.complete is (kind == "GZ")


@each_format
@pytest.mark.parametrize("data", [b"", b"x" * 99, b"\x1f", b"BZ", b"BZhx", b"\xfd7zXZ"])
def test_what_is_of_another_format(kind: str, data: bytes) -> None:
    assert isinstance(check_contract(kind, data).error, FormatError)


@each_format
def test_an_object_too_big_is_skipped(kind: str) -> None:
    outcome = check_contract(kind, PACK[kind](bytes(5_000_000)))
    assert [s.reason for s in outcome.skipped] == [Reason.LIMIT]
    assert "--max-file-size" in outcome.skipped[0].detail
    assert outcome.error is None


@each_format
def test_max_scan_size_cuts_short(kind: str) -> None:
    outcome = check_contract(kind, PACK[kind](bytes(5000)), Limits(max_scan_size=99))
    assert [(m.size, m.complete) for m in outcome.members] == [(99, False)]
    assert isinstance(outcome.error, LimitReached)


@each_format
def test_max_scan_size_used_up(kind: str) -> None:
    outcome = check_contract(kind, PACK[kind](TEXT), Limits(max_files=1, timeout=1e-9))
    assert not outcome.values
    assert isinstance(outcome.error, LimitReached)


@each_format
def test_thousands_of_empty_streams(kind: str) -> None:
    (member,) = check_contract(kind, PACK[kind](b"") * 5000 + PACK[kind](TEXT)).members
    assert member.data == TEXT


# --- gzip alone ---------------------------------------------------------------------------

DEFLATED = gzip.compress(TEXT, mtime=0)[10:]


def _gzip_header(flags: int, fields: bytes = b"", method: int = 8) -> bytes:
    return b"\x1f\x8b" + bytes([method, flags]) + bytes(6) + fields


GZIP_NAMES: dict[str, tuple[bytes, str]] = {
    "no name": (_gzip_header(0), ""),
    "name": (_gzip_header(8, b"a.txt\0"), "a.txt"),
    "name not UTF-8": (_gzip_header(8, b"\xe4\0"), "\udce4"),
    "all fields": (_gzip_header(30, b"\3\0abca.txt\0comment\0\1\2"), "a.txt"),
    "endless name": (_gzip_header(8, b"x" * 9999 + b"\0"), "x" * 4096),
}


@pytest.mark.parametrize("case", GZIP_NAMES)
def test_gzip_header_fields(case: str) -> None:
    header, name = GZIP_NAMES[case]
    (member,) = check_contract("GZ", header + DEFLATED).members
    assert (member.name, member.data) == (name, TEXT)


def test_gzip_states_the_crc_of_a_single_stream() -> None:
    one = gzip.compress(TEXT)
    crc = int.from_bytes(one[-8:-4], "little")
    assert check_contract("GZ", one).members[0].crc == crc
    assert check_contract("GZ", one * 2).members[0].crc is None


def test_gzip_of_a_method_unheard_of() -> None:
    (value,) = check_contract("GZ", _gzip_header(0, method=7) + DEFLATED).skipped
    assert value.reason is Reason.UNSUPPORTED


def test_gzip_ending_in_zero_bytes_is_not_worth_a_note() -> None:
    assert check_contract("GZ", gzip.compress(TEXT) + bytes(512)).members[0].note == ""


def test_gzip_padding_between_streams() -> None:
    packed = gzip.compress(TEXT)
    (member,) = check_contract("GZ", packed + bytes(100) + packed).members
    assert (member.data, member.note) == (TEXT * 2, "")


def test_gzip_second_stream_damaged() -> None:
    (member,) = check_contract("GZ", gzip.compress(TEXT) + _gzip_header(0) + b"\xff" * 9).members
    assert (member.data, member.complete) == (TEXT, False)


# --- xz alone -----------------------------------------------------------------------------


def test_xz_padding_between_streams() -> None:
    packed = lzma.compress(TEXT)
    (member,) = check_contract("XZ", packed + bytes(8) + packed + bytes(4)).members
    assert (member.data, member.note) == (TEXT * 2, "")


def test_xz_that_asks_for_too_much_memory() -> None:
    filters = [{"id": lzma.FILTER_LZMA2, "dict_size": 1 << 20}]
    packed = bytearray(lzma.compress(TEXT, filters=filters))
    assert packed[16] == 16
    packed[16] = 37
    packed[20:24] = _crc32(bytes(packed[12:20]))
    (value,) = check_contract("XZ", bytes(packed)).skipped
    assert value.reason is Reason.LIMIT
    assert "memory" in value.detail


def _crc32(data: bytes) -> bytes:
    import zlib

    return zlib.crc32(data).to_bytes(4, "little")
