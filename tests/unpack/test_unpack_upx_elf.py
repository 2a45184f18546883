"""ELF programs that UPX packed come out as they were."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from unpack_contract import check_contract
from upx_samples import BLOCKS, BLOCKS_SHA256, BLOCKS_SIZE, TAIL, original, upx_elf

from tocsin.errors import FormatError
from tocsin.formats.packed import find_packed_elf
from tocsin.unpack.interface import Budget, Limits, Member, Reason
from tocsin.unpack.nrv import expand
from tocsin.unpack.upx_elf import UNPACKER


@pytest.mark.parametrize("wide", [False, True])
@pytest.mark.parametrize("big", [False, True])
def test_a_program_comes_out_as_it_was(wide: bool, big: bool) -> None:
    data = upx_elf(wide=wide, big=big)
    assert list(find_packed_elf(data)) == ["UPX_ELF"]
    (member,) = UNPACKER.members(data, Budget(), ())
    assert isinstance(member, Member)
    assert (member.complete, member.note) == (True, "")
    assert member.data == original(wide=wide, big=big)


@pytest.mark.parametrize("method", sorted(BLOCKS))
def test_blocks_that_upx_made_are_read(method: int) -> None:
    out = expand(BLOCKS[method], BLOCKS_SIZE, method, lambda: None)
    assert len(out) == BLOCKS_SIZE
    assert hashlib.sha256(out).hexdigest() == BLOCKS_SHA256


@pytest.mark.parametrize("method", sorted(BLOCKS))
def test_a_stream_does_not_grow_beyond_its_size(method: int) -> None:
    with pytest.raises(FormatError):
        expand(BLOCKS[method], BLOCKS_SIZE - 1, method, lambda: None)
    with pytest.raises(FormatError):
        expand(BLOCKS[method][:100], BLOCKS_SIZE, method, lambda: None)


def test_without_what_lay_between_the_segments_it_is_incomplete() -> None:
    (member,) = UNPACKER.members(upx_elf(between=False), Budget(), ())
    assert isinstance(member, Member)
    assert not member.complete
    assert original().startswith(member.data)


def test_sizes_that_were_wiped_are_done_without() -> None:
    data = bytearray(upx_elf())
    at = data.index(b"UPX!") + 8
    data[at : at + 12] = bytes(12)
    (member,) = UNPACKER.members(bytes(data), Budget(), ())
    assert isinstance(member, Member)
    assert member.complete
    assert original().startswith(member.data)
    assert len(member.data) == len(original()) - len(TAIL)


def test_a_program_too_big_is_skipped_before_it_is_unpacked() -> None:
    outcome = check_contract("UPX_ELF", upx_elf(), Limits(max_file_size=500))
    (skipped,) = outcome.skipped
    assert skipped.reason is Reason.LIMIT


def test_other_elf_programs_are_left_alone() -> None:
    assert not list(find_packed_elf(original()))
    assert not list(find_packed_elf(b"UPX!" + original()))


@settings(max_examples=150, deadline=None)
@given(
    wide=st.booleans(),
    big=st.booleans(),
    changes=st.lists(st.tuples(st.integers(0, 0x5FF), st.integers(0, 255)), max_size=8),
    cut=st.integers(0, 0x500),
)
def test_damaged_programs_keep_the_contract(
    wide: bool, big: bool, changes: list[tuple[int, int]], cut: int
) -> None:
    data = bytearray(upx_elf(wide=wide, big=big))
    for at, value in changes:
        if at < len(data):
            data[at] = value
    check_contract("UPX_ELF", bytes(data[: len(data) - cut]))


@given(st.binary(max_size=400), st.sampled_from(sorted(BLOCKS)))
def test_any_bytes_end_a_stream(data: bytes, method: int) -> None:
    try:
        out = expand(data, 5000, method, lambda: None)
    except FormatError:
        return
    assert len(out) <= 5000
