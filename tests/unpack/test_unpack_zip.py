"""What the zip unpacker finds, in sound archives and in crooked ones."""

from __future__ import annotations

import base64
import io
import tracemalloc
import zipfile

import pytest
from unpack_contract import check_contract
from unpack_samples import TEXT, Entry, deflate, encrypted_entry, make_zip

from tocsin.errors import FormatError, LimitReached
from tocsin.unpack.interface import Limits, Member, Reason, Skipped

INFO_ZIP_ENCRYPTED = base64.b64decode(
    "UEsDBAoACQAAADZGd13421jSGwAAAA8AAAAJAAAAcGxhaW4udHh0WsfTX6tnSfrOAnVrltkTOpsUwCG7M2c3XlZqUEsH"
    "CPjbWNIbAAAADwAAAFBLAQIeAwoACQAAADZGd13421jSGwAAAA8AAAAJAAAAAAAAAAEAAACkgQAAAABwbGFpbi50eHRQ"
    "SwUGAAAAAAEAAQA3AAAAUgAAAAAA"
)
"""Written by Info-ZIP 3.0 with `zip -P infected`; holds "attack at dawn"."""


@pytest.mark.parametrize(
    "method",
    [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA],
)
@pytest.mark.parametrize("zip64", [False, True])
@pytest.mark.parametrize("seekable", [False, True])
def test_members_of_archives_by_zipfile(method: int, zip64: bool, seekable: bool) -> None:
    out = io.BytesIO()
    if not seekable:
        out.seekable = lambda: False  # type: ignore[method-assign]
    with zipfile.ZipFile(out, "w", method) as archive:
        archive.writestr("dir/", b"")
        with archive.open("dir/b.txt", "w", force_zip64=zip64) as file:
            file.write(TEXT)
        archive.writestr("empty", b"")
    outcome = check_contract("ZIP", out.getvalue())
    assert outcome.error is None
    assert [(m.name, m.data, m.complete, m.note, m.position) for m in outcome.members] == [
        ("dir/b.txt", TEXT, True, "", 2),
        ("empty", b"", True, "", 3),
    ]


@pytest.mark.parametrize("type_name", ["ZIPSFX", "OOXML_WORD", "OOXML_XL", "OOXML_PPT"])
def test_kinds_of_zip(type_name: str) -> None:
    assert check_contract(type_name, make_zip([Entry()])).members[0].data == TEXT


def test_metadata_is_what_the_archive_states() -> None:
    packed = len(deflate(TEXT))
    (member,) = check_contract("ZIP", make_zip([Entry()])).members
    assert member[2:] == (len(TEXT), packed, 1, False, member.crc, True, "", "")
    assert member.crc == zipfile.ZipFile(io.BytesIO(make_zip([Entry()]))).infolist()[0].CRC


HIDDEN = Entry(name=b"b.txt", data=b"hidden " * 9, listed=False)
TWO = [Entry(), Entry(name=b"b.txt", data=b"second " * 9)]

CROOKED_BUT_READABLE: dict[str, tuple[bytes, list[bytes], str]] = {
    "data in front, positions not corrected": (make_zip(TWO, prefix=b"MZ stub" * 9), [], ""),
    "data in front, positions corrected": (
        make_zip(TWO, prefix=b"MZ stub" * 9, shift=63), [], ""),
    "data behind": (
        make_zip(TWO) + b"PK trailing" * 9, [*(e.data for e in TWO), b"PK trailing" * 9], ""),
    "zero bytes behind": (make_zip(TWO) + bytes(999), [], ""),
    "no directory": (make_zip(TWO, directory=False), [], "not in the central directory"),
    "directory cut off": (make_zip(TWO)[:-70], [], "not in the central directory"),
    "directory position wrong": (make_zip(TWO, shift=9), [], ""),
    "member not listed": (
        make_zip([Entry(), HIDDEN]), [TEXT, HIDDEN.data], "not in the central directory"),
    "two archives in one file": (
        make_zip(TWO[:1]) + make_zip(TWO[1:]), [TEXT, TWO[1].data], "in another directory only"),
    "wrong CRC": (make_zip([Entry(crc=1)]), [TEXT], "CRC-32 does not match"),
    "size too small": (make_zip([Entry(size=5)]), [TEXT], "5 bytes are stated"),
    "size too big": (make_zip([Entry(size=1 << 31)]), [TEXT], "bytes are stated"),
    "packed size too small": (make_zip([Entry(packed_size=3), TWO[1]]), [], ""),
    "packed size too big": (make_zip([Entry(packed_size=1 << 20)]), [TEXT], ""),
    "name with NUL": (make_zip([Entry(name=b"a\0.exe")]), [TEXT], ""),
    "name not UTF-8": (make_zip([Entry(name=b"\xff\xfe")]), [TEXT], ""),
    "name that climbs": (make_zip([Entry(name=b"../../etc/passwd")]), [TEXT], ""),
    "two members of one name": (make_zip([Entry(), Entry(data=b"x" * 9)]), [TEXT, b"x" * 9], ""),
    "directory with data": (make_zip([Entry(name=b"dir/")]), [TEXT], ""),
    "damaged zip64 field": (make_zip([Entry(extra=b"\1\0\xff\xff\0")]), [TEXT], ""),
    "descriptor, sizes only in the directory": (make_zip([Entry(flags=8)]), [TEXT], ""),
    "not listed, sizes only in a descriptor": (
        make_zip([Entry(flags=8, descriptor=b"PK\7\x08" + bytes(4)
                        + len(deflate(TEXT)).to_bytes(4, "little") + bytes(4)), TWO[1]],
                 directory=False), [], ""),
    "not listed, sizes nowhere": (make_zip([Entry(flags=8), TWO[1]], directory=False), [], ""),
    "stored and deflated at once": (
        make_zip([Entry(method=0, packed=deflate(TEXT), local_method=8)]),
        [deflate(TEXT), TEXT], "read as its local header says"),
    "encrypted by one header only": (
        make_zip([Entry(flags=1, local_flags=0)]), [TEXT, TEXT], "read as its local header says"),
    "listed as a folder": (
        make_zip([Entry(name=b"a/", size=0, packed_size=0, local_packed_size=len(deflate(TEXT)))]),
        [TEXT], "read as its local header says"),
    "marked as encrypted, deflated": (
        make_zip([Entry(flags=1)]), [TEXT], "marked as encrypted and is not"),
    "marked as encrypted, stored": (
        make_zip([Entry(flags=1, method=0)]), [TEXT], "marked as encrypted and is not"),
}  # fmt: skip


@pytest.mark.parametrize("case", CROOKED_BUT_READABLE)
def test_crooked_archives_are_read(case: str) -> None:
    data, expected, note = CROOKED_BUT_READABLE[case]
    outcome = check_contract("ZIP", data)
    assert outcome.error is None
    assert [m.data for m in outcome.members] == (expected or [e.data for e in TWO])
    assert all(m.complete for m in outcome.members)
    assert note in " ".join(m.note for m in outcome.members)


NOT_TO_BE_HAD: dict[str, tuple[Entry, Reason, str]] = {
    "no password fits": (encrypted_entry(b"unknown"), Reason.ENCRYPTED, "no password fits"),
    "AES": (Entry(method=99, flags=1, packed=b"x" * 99), Reason.ENCRYPTED, "AES"),
    "strong encryption": (Entry(flags=0x41), Reason.ENCRYPTED, "strong cipher"),
    "method jpeg": (Entry(method=96), Reason.UNSUPPORTED, "jpeg"),
    "method wavpack": (Entry(method=97), Reason.UNSUPPORTED, "wavpack"),
    "method PPMd, and it is not": (Entry(method=98), Reason.DAMAGED, "damaged"),
    "method zstd, and it is not": (Entry(method=93), Reason.DAMAGED, "damaged"),
    "method xz, and it is not": (Entry(method=95), Reason.DAMAGED, "damaged"),
    "method unheard of": (Entry(method=77), Reason.UNSUPPORTED, "method 77"),
    "damaged at once": (Entry(packed=b"\xff" * 50), Reason.DAMAGED, "damaged"),
    "too big, stored": (
        Entry(method=0, data=bytes(1_000_001)), Reason.LIMIT, "--max-file-size"),
    "too big, deflated": (Entry(data=bytes(1_000_001)), Reason.LIMIT, "--max-file-size"),
    "LZMA with a dictionary of 4 GiB": (
        Entry(method=14, packed=b"\x09\4\5\0\x5d\xff\xff\xff\xff" + bytes(50)),
        Reason.LIMIT, "memory"),
    "LZMA without properties": (
        Entry(method=14, packed=b"\x09\4\0\0" + bytes(50)), Reason.DAMAGED, "properties"),
}  # fmt: skip


@pytest.mark.parametrize("case", NOT_TO_BE_HAD)
def test_a_member_not_to_be_had_leaves_its_metadata_and_the_others(case: str) -> None:
    entry, reason, detail = NOT_TO_BE_HAD[case]
    outcome = check_contract("ZIP", make_zip([entry, Entry(name=b"next")]))
    first, second = outcome.values
    assert isinstance(first, Skipped)
    assert (first.name, first.reason, first.position) == ("a.txt", reason, 1)
    assert (first.encrypted, first.size) == (bool(entry.flags & 1), len(entry.data))
    assert detail in first.detail
    assert isinstance(second, Member)
    assert second.data == TEXT
    assert outcome.error is None


def test_entries_of_the_same_data_are_taken_out_once() -> None:
    data = make_zip([Entry(), Entry(name=b"again", written=False)])
    member, again = check_contract("ZIP", data).values
    assert isinstance(member, Member)
    assert isinstance(again, Skipped)
    assert (again.name, again.detail) == ("again", "the same data as member 1")


def test_entries_of_one_place_that_are_read_differently_are_all_taken_out() -> None:
    packed = deflate(TEXT)
    stored = Entry(method=0, data=packed)
    data = make_zip([stored, Entry(written=False)])
    assert [m.data for m in check_contract("ZIP", data).members] == [packed, TEXT]


@pytest.mark.parametrize("local_method", [0, 8, 0x7777])
def test_a_decoy_directory_does_not_hide_the_true_one(local_method: int) -> None:
    decoy = make_zip([Entry(data=b"harmless" * 99, method=0)])
    decoy, at = decoy[: decoy.index(b"PK\5\6")], decoy.index(b"PK\1\2")
    true = bytearray(make_zip([Entry(name=b"e.exe", local_method=local_method)]))
    directory, end = true.index(b"PK\1\2"), true.index(b"PK\5\6")
    shift = len(decoy) + directory - at  # by which the stated offsets are too small
    true[directory + 42 : directory + 46] = (len(decoy) - shift).to_bytes(4, "little")
    true[end + 16 : end + 20] = at.to_bytes(4, "little")
    data = decoy + true
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.read("e.exe") == TEXT
    assert TEXT in [m.data for m in check_contract("ZIP", data).members]


def test_a_stored_archive_keeps_its_members_to_itself() -> None:
    inner = make_zip([Entry(name=b"inner")])
    (member,) = check_contract("ZIP", make_zip([Entry(method=0, data=inner)])).members
    assert (member.data, member.note) == (inner, "")


def test_a_name_of_a_directory_hides_no_data() -> None:
    entry = Entry(name=b"a/", method=0, packed_size=0, size=0, local_packed_size=len(TEXT))
    assert TEXT in [m.data for m in check_contract("ZIP", make_zip([entry])).members]


def test_a_local_header_that_is_not_there() -> None:
    data = make_zip([Entry()])
    data = data.replace(b"PK\3\4", b"XX\3\4")
    (value,) = check_contract("ZIP", data).values
    assert isinstance(value, Skipped)
    assert value.reason is Reason.DAMAGED


def test_overlapping_members_say_so() -> None:
    inner = make_zip([Entry(name=b"inner")], directory=False)
    outer = make_zip([Entry(method=0, data=inner)])
    listed = make_zip([Entry(name=b"inner", written=False)])
    shifted = outer[: outer.index(b"PK\1\2")] + _list_at(outer, listed, outer.index(inner))
    outcome = check_contract("ZIP", shifted)
    assert [(m.name, m.note) for m in outcome.members] == [
        ("a.txt", ""),
        ("inner", "overlaps another member"),
    ]


def _list_at(outer: bytes, listed: bytes, offset: int) -> bytes:
    first = outer[outer.index(b"PK\1\2") : outer.index(b"PK\5\6")]
    second = bytearray(listed[listed.index(b"PK\1\2") : listed.index(b"PK\5\6")])
    second[42:46] = offset.to_bytes(4, "little")
    end = bytearray(outer[outer.index(b"PK\5\6") :])
    end[12:16] = (len(first) + len(second)).to_bytes(4, "little")
    return first + bytes(second) + bytes(end)


@pytest.mark.parametrize("method", [0, 8])
def test_password_among_others(method: int) -> None:
    wrong = [b"wrong %d" % number for number in range(600)]
    entry = encrypted_entry(method=method)
    outcome = check_contract("ZIP", make_zip([entry]), passwords=[*wrong, b"infected"])
    (member,) = outcome.members
    assert (member.data, member.encrypted, member.note) == (TEXT, True, "")


@pytest.mark.parametrize("method", [0, 8])
def test_a_password_that_passes_the_check_byte_alone_is_not_believed(method: int) -> None:
    entry = encrypted_entry(method=method)
    wrong = [b"wrong %d" % number for number in range(900)]
    outcome = check_contract("ZIP", make_zip([entry]), passwords=wrong)
    assert [each.reason for each in outcome.skipped] == [Reason.ENCRYPTED]


def test_password_on_an_archive_by_info_zip() -> None:
    (member,) = check_contract("ZIP", INFO_ZIP_ENCRYPTED).members
    assert (member.name, member.data) == ("plain.txt", b"attack at dawn\n")


def test_encrypted_without_passwords() -> None:
    (value,) = check_contract("ZIP", INFO_ZIP_ENCRYPTED, passwords=()).skipped
    assert (value.reason, value.detail) == (Reason.ENCRYPTED, "no password is known")


@pytest.mark.parametrize("data", [b"", b"PK\3\4", b"PK\3\4" + bytes(99), b"nothing"])
def test_what_is_no_zip(data: bytes) -> None:
    assert isinstance(check_contract("ZIP", data).error, FormatError)


def test_an_archive_without_members_is_one() -> None:
    outcome = check_contract("ZIP", make_zip([]))
    assert (outcome.values, outcome.error) == ([], None)


def test_cut_off_member_gives_what_is_there() -> None:
    data = make_zip([Entry(method=0)], directory=False)[:300]
    (member,) = check_contract("ZIP", data).members
    assert (member.complete, member.data) == (False, TEXT[: member.size])
    assert "truncated" in member.note
    assert member.size > 200


def _bomb(size: int) -> bytes:
    """A deflate stream of that many zero bytes, made by repeating its middle."""
    import zlib

    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    middle = packer.compress(bytes(1 << 24)) + packer.flush(zlib.Z_FULL_FLUSH)
    return middle * (size >> 24) + packer.flush()


def test_a_bomb_of_10_gb_is_stopped_in_time_and_memory() -> None:
    bomb = Entry(name=b"bomb", packed=_bomb(10 << 30), data=b"", size=10)
    data = make_zip([bomb, Entry(name=b"next")])
    limits = Limits(max_file_size=4 << 20, max_scan_size=40 << 20)
    tracemalloc.start()
    outcome = check_contract("ZIP", data, limits)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 10 << 20
    assert [s.reason for s in outcome.skipped] == [Reason.LIMIT]
    assert [m.name for m in outcome.members] == ["next"]


def test_max_scan_size_cuts_a_member_short_and_ends_the_scan() -> None:
    entries = [Entry(name=b"%d" % number, data=bytes(1000)) for number in range(9)]
    outcome = check_contract("ZIP", make_zip(entries), Limits(max_scan_size=2500))
    assert [(m.size, m.complete) for m in outcome.members] == [
        (1000, True),
        (1000, True),
        (500, False),
    ]
    assert isinstance(outcome.error, LimitReached)
    assert "--max-scan-size" in str(outcome.error)


@pytest.mark.parametrize("listed", [True, False])
def test_max_files(listed: bool) -> None:
    entries = [Entry(name=b"%d" % number, listed=listed) for number in range(9)]
    outcome = check_contract("ZIP", make_zip(entries), Limits(max_files=4))
    assert len(outcome.members) == 4
    assert isinstance(outcome.error, LimitReached)
    assert "--max-files" in str(outcome.error)


@pytest.mark.parametrize("listed", [True, False])
def test_more_entries_than_anyone_needs(listed: bool) -> None:
    entries = [
        Entry(name=b"%d/" % number, data=b"", method=0, listed=listed) for number in range(99)
    ]
    outcome = check_contract("ZIP", make_zip(entries), Limits(max_files=4))
    assert isinstance(outcome.error, LimitReached)


def test_timeout() -> None:
    outcome = check_contract("ZIP", make_zip([Entry()]), Limits(timeout=1e-9))
    assert isinstance(outcome.error, LimitReached)
    assert "--timeout" in str(outcome.error)


def test_limits_switched_off() -> None:
    limits = Limits(max_file_size=0, max_scan_size=0, max_files=0, timeout=0)
    outcome = check_contract("ZIP", make_zip([Entry(data=bytes(3_000_000))]), limits)
    assert [m.size for m in outcome.members] == [3_000_000]
