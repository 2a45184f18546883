"""What is hidden inside or behind other files: found, cut to size, and not seen where it is not."""

from __future__ import annotations

import io
import os
import struct
import sys
import tarfile
import time
import zlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from installer_samples import (
    CLAM_EXE_SHA256,
    SAMPLES,
    debian_sample,
    make_elf,
    make_pe,
    make_universal,
)
from unpack_contract import check_contract

from tocsin.formats import embedded
from tocsin.formats.embedded import find_hidden, find_marks, hidden_objects
from tocsin.formats.identify import identify
from tocsin.formats.kinds import kinds
from tocsin.formats.pe_extent import pe_extent
from tocsin.unpack.interface import Limits, Reason

ROOMY = Limits(timeout=60.0)
PROGRAM = make_pe(b"\x90" * 700)
SIGNED = make_pe(b"\x90" * 700, signature=b"signature" * 20)
PICTURES = {
    "gif": b"GIF89a" + bytes(300),
    "png": b"\x89PNG\r\n\x1a\n" + bytes(300),
    "jpeg": b"\xff\xd8\xff\xe0\0\x10JFIF\0" + bytes(300),
    "zeros": bytes(5000),
    "noise": bytes(range(256)) * 30,
    "text": b"words and words\n" * 300,
    "program": make_pe(b"\xcc" * 300),
    "elf": make_elf(b"\xcc" * 300),
    "pdf": b"%PDF-1.4\n" + bytes(3000),
}


def found(data: bytes) -> list[bytes]:
    """What comes out of the bytes, when they are recognised to hide something."""
    if "EMBEDDED" not in kinds(data, identify(data)):
        return []
    outcome = check_contract("EMBEDDED", data, ROOMY)
    assert outcome.error is None
    assert outcome.skipped == []
    assert all(member.complete for member in outcome.members)
    return [member.data for member in outcome.members]


def seven_zip(content: bytes = b"packed") -> bytes:
    tail = struct.pack("<QQI", len(content), 0, 0)
    return b"7z\xbc\xaf\x27\x1c\0\4" + struct.pack("<I", zlib.crc32(tail)) + tail + content


def rar5() -> bytes:
    header = b"\1\0\0"
    return b"Rar!\x1a\7\1\0" + struct.pack("<IB", zlib.crc32(b"\3" + header), 3) + header + b"rest"


def rar4() -> bytes:
    header = b"\x73\0\0\x0d\0" + bytes(6)
    return b"Rar!\x1a\7\0" + struct.pack("<H", zlib.crc32(header) & 0xFFFF) + header + b"rest"


def cabinet() -> bytes:
    size = 36 + 40
    head = struct.pack("<4s4xI4xIIBBHHH", b"MSCF", size, 44, 0, 3, 1, 1, 1, 0)
    return head + bytes(size - len(head))


@pytest.mark.parametrize("name", PICTURES)
@pytest.mark.parametrize("hidden", [PROGRAM, SIGNED, make_elf(b"\x90" * 99)])
def test_program_behind_anything_comes_out_as_it_is(name: str, hidden: bytes) -> None:
    assert found(PICTURES[name] + hidden) == [hidden]
    assert found(PICTURES[name] + hidden + b"and more behind it") == [hidden]


@pytest.mark.parametrize("archive", [seven_zip(), rar5(), rar4(), cabinet()])
@pytest.mark.parametrize("name", ["gif", "png", "jpeg", "elf", "noise"])
def test_archive_behind_a_picture_comes_out(name: str, archive: bytes) -> None:
    assert found(PICTURES[name] + archive) == [archive]


@pytest.mark.parametrize("archive", [seven_zip(), rar5(), rar4(), cabinet()])
def test_damaged_first_header_of_an_archive_is_no_find(archive: bytes) -> None:
    at = 10 if archive[:1] != b"M" else 16
    broken = (
        archive[:at] + bytes(byte ^ 0xFF for byte in archive[at : at + 12]) + archive[at + 12 :]
    )
    assert found(PICTURES["gif"] + broken) == []


def test_several_programs_come_out_one_by_one() -> None:
    others = [make_pe(bytes([place]) * 300) for place in range(5)]
    assert found(PICTURES["program"] + b"gap".join(others)) == others


def test_program_inside_another_comes_out_with_it_only() -> None:
    outer = make_pe(b"\x90" * 50 + PROGRAM)
    assert found(b"GIF89a" + bytes(40) + outer) == [outer]
    assert found(outer) == [PROGRAM]


def test_program_of_debian_behind_a_picture() -> None:
    import hashlib

    (member,) = found(PICTURES["gif"] + debian_sample("clam.exe") + b"trailer")
    assert hashlib.sha256(member).hexdigest() == CLAM_EXE_SHA256


def test_program_cut_off_comes_out_as_far_as_it_goes() -> None:
    assert found(PICTURES["gif"] + PROGRAM[:-100]) == [PROGRAM[:-100]]


def test_slices_of_a_universal_binary() -> None:
    slices = [make_elf(), make_pe(), b"third"]
    outcome = check_contract("MACHO_UNIBIN", make_universal(slices))
    assert [member.data for member in outcome.members] == slices


def test_slice_that_is_cut_off_is_not_whole() -> None:
    slices = [make_elf(), make_pe()]
    outcome = check_contract("MACHO_UNIBIN", make_universal(slices)[:-20])
    assert [member.complete for member in outcome.members] == [True, False]
    assert outcome.members[1].data == slices[1][:-20]


def test_extent_covers_the_signature() -> None:
    extent = pe_extent(SIGNED)
    assert extent is not None
    assert extent.end == len(SIGNED)
    assert extent.sections_end == len(PROGRAM)


@pytest.mark.parametrize(
    "data",
    [
        b"MZ" * 500 + b"PE\0\0\x4c\1" + bytes(300),
        bytes(200) + b"PE\0\0\x64\x86" + bytes(300),
        b"text \x7fELF\1\1\1 that speaks of programs" + bytes(100),
        b"constants: Rar!\x1a\7\0 7z\xbc\xaf\x27\x1c\0 MSCF\0\0\0\0" + bytes(100),
        b"Inno Setup Setup Data (5.5.0)" + bytes(100),
    ],
)
def test_marks_alone_are_no_find(data: bytes) -> None:
    assert list(find_hidden(data)) == []


def test_files_of_an_archive_are_not_taken_out_twice() -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        entry = tarfile.TarInfo("a.exe")
        entry.size = len(PROGRAM)
        archive.addfile(entry, io.BytesIO(PROGRAM))
    data = out.getvalue()
    assert "EMBEDDED" not in kinds(data, identify(data))
    library = b"!<arch>\n" + b"a.o/".ljust(48) + b"100".ljust(10) + b"`\n" + make_elf(bytes(400))
    assert "EMBEDDED" not in kinds(library, identify(library))


def test_ordinary_programs_hide_nothing() -> None:
    """The interpreter, its libraries and the system's tools."""
    directories = [
        Path(sys.executable).resolve().parent,
        Path(os.__file__).parent,
        Path("/usr/bin"),
    ]
    files = [path for folder in directories for path in sorted(folder.iterdir()) if path.is_file()]
    looked_at = 0
    for path in files[:400]:
        data = path.read_bytes()
        if identify(data) not in {"ELF", "TEXT_ASCII", "SCRIPT", "BINARY_DATA"}:
            continue
        looked_at += 1
        hidden = list(hidden_objects(data, find_marks(data)))
        assert all(item.end - item.start > 64 for item in hidden), path
        assert not [kind for kind in find_hidden(data) if kind != "EMBEDDED"], path
    assert looked_at > 20


def test_too_many_marks_are_said_and_cost_little() -> None:
    data = b"GIF89a" + (b"MZ" + bytes(58) + b"\x40\0\0\0PE\0\0\x4c\1") * 200_000
    start = time.perf_counter()
    outcome = check_contract("EMBEDDED", data, ROOMY)
    assert time.perf_counter() - start < 5
    assert [value.reason for value in outcome.skipped] == [Reason.LIMIT]


def test_programs_that_all_reach_to_the_end_come_out_once() -> None:
    """Nested headers must not hand on the same bytes a thousand times."""
    endless = bytearray(make_pe())
    struct.pack_into("<I", endless, 64 + 24 + 0xE0 + 16, 0x7FFFFFFF)
    data = b"GIF89a" + bytes(endless) * 400
    outcome = check_contract("EMBEDDED", data, ROOMY)
    assert [len(member.data) for member in outcome.members] == [len(data) - 6]


def test_the_pass_ends_at_the_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded, "MOST_MARKS", 3)
    marks = find_marks((b"Rar!\x1a\7\0" + bytes(20)) * 10)
    assert marks.too_many
    assert len(marks.places) == 3


@settings(max_examples=150, deadline=5000, derandomize=True)
@given(st.data())
def test_damage(draw) -> None:
    data = bytearray(SAMPLES["embedded"]() + seven_zip() + rar5() + cabinet())
    for _ in range(draw.draw(st.integers(1, 8))):
        place = draw.draw(st.integers(0, len(data) - 1))
        patch = draw.draw(
            st.sampled_from([b"\0" * 4, b"\xff" * 4, b"\xff\xff\xff\x7f", b"MZ", b"\1"])
        )
        data[place : place + len(patch)] = patch
    whole = bytes(data[: draw.draw(st.integers(0, len(data)))])
    list(find_hidden(whole))
    check_contract("EMBEDDED", whole)
    check_contract("MACHO_UNIBIN", b"\xca\xfe\xba\xbe" + whole)
