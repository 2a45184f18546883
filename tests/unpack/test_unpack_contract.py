"""Promises of all unpackers: no bytes whatever make them raise, hang or overrun a bound."""

from __future__ import annotations

import bz2
import gzip
import lzma
import subprocess
import sys
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from unpack_contract import check_contract
from unpack_samples import MIXED, TEXT, Entry, File, encrypted_entry, make_tar, make_zip, pax

from tocsin.errors import LimitReached
from tocsin.unpack import unpacker_of
from tocsin.unpack.interface import Budget, Limits, Reason

SAMPLES: dict[str, bytes] = {
    "ZIP": make_zip(
        [Entry(), encrypted_entry(), Entry(name=b"d/", data=b"", method=0), Entry(flags=8)]
    ),
    "GZ": gzip.compress(TEXT) + gzip.compress(MIXED),
    "BZ": bz2.compress(TEXT) + bz2.compress(MIXED),
    "XZ": lzma.compress(TEXT) + lzma.compress(MIXED),
    "POSIX_TAR": make_tar([pax(path="x/y"), File(), File(kind=b"L", data=b"long\0"), File()]),
    "OLD_TAR": make_tar(
        [pax(GNU__sparse__size="9999", GNU__sparse__map="0,9,50,9"), File(data=bytes(18))]
    ),
}
each_format = pytest.mark.parametrize("kind", SAMPLES)
BOTH_WAYS = settings(max_examples=60, deadline=5000, derandomize=True)


@each_format
def test_every_truncation(kind: str) -> None:
    sample = SAMPLES[kind]
    for kept in range(0, len(sample), max(1, len(sample) // 250)):
        check_contract(kind, sample[:kept])


@each_format
def test_bit_flips(kind: str) -> None:
    sample = SAMPLES[kind]
    for place in range(0, len(sample), max(1, len(sample) // 150)):
        flipped = bytearray(sample)
        flipped[place] ^= 1 << place % 8
        check_contract(kind, bytes(flipped))


@each_format
def test_bytes_overwritten(kind: str) -> None:
    @BOTH_WAYS
    @given(
        st.lists(
            st.tuples(
                st.integers(0, len(SAMPLES[kind]) - 1),
                st.sampled_from([b"\0" * 4, b"\xff" * 4, b"\xff\xff\xff\x7f", b"PK\3\4", b"\x80"]),
            ),
            min_size=1,
            max_size=6,
        )
    )
    def check(patches: list[tuple[int, bytes]]) -> None:
        data = bytearray(SAMPLES[kind])
        for place, patch in patches:
            data[place : place + len(patch)] = patch
        check_contract(kind, bytes(data))

    check()


@each_format
def test_anything_behind_the_magic(kind: str) -> None:
    @BOTH_WAYS
    @given(st.integers(0, 60), st.binary(max_size=600))
    def check(kept: int, rest: bytes) -> None:
        check_contract(kind, SAMPLES[kind][:kept] + rest)

    check()


@each_format
def test_two_runs_agree(kind: str) -> None:
    assert check_contract(kind, SAMPLES[kind]) == check_contract(kind, SAMPLES[kind])


def test_types_without_an_unpacker() -> None:
    assert unpacker_of("TEXT_ASCII_NONE") is None
    assert unpacker_of("CL_TYPE_ZIP") is None


def test_importing_the_room_loads_no_decoder() -> None:
    code = (
        "import sys; import tocsin.unpack; "
        "print(*{'zlib', 'bz2', 'lzma', 'zipfile', 'tarfile'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-S", "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": ":".join(sys.path)},
    )
    assert done.stdout.split() == []


# --- the budget ---------------------------------------------------------------------------


def test_bytes_up_to_the_bound_may_be_charged() -> None:
    budget = Budget(Limits(max_scan_size=10))
    budget.charge_bytes(10)
    assert budget.remaining_bytes == 0
    with pytest.raises(LimitReached, match=r"more than 10 bytes.*--max-scan-size"):
        budget.charge_bytes(1)
    assert budget.remaining_bytes == 0


def test_objects_up_to_the_bound_may_be_charged() -> None:
    budget = Budget(Limits(max_files=1))
    budget.charge_file()
    assert budget.remaining_files == 0
    with pytest.raises(LimitReached, match="--max-files"):
        budget.charge_file()


def test_depth() -> None:
    budget = Budget(Limits(max_depth=3))
    budget.check_depth(3)
    with pytest.raises(LimitReached, match="--max-depth"):
        budget.check_depth(4)


def test_time() -> None:
    budget = Budget(Limits(timeout=0.001))
    time.sleep(0.005)
    with pytest.raises(LimitReached, match="--timeout"):
        budget.check_time()


def test_bounds_switched_off() -> None:
    budget = Budget(Limits(max_file_size=0, max_scan_size=0, max_files=0, timeout=0))
    budget.charge_bytes(1 << 60)
    budget.charge_file()
    budget.check_time()
    assert budget.fits_file(1 << 60)
    assert (budget.remaining_bytes, budget.remaining_files) == (None, None)


def test_defaults_are_those_of_clamscan() -> None:
    assert Limits() == (100 << 20, 400 << 20, 10_000, 17, 120.0)
    assert [str(reason) for reason in Reason] == [
        "encrypted",
        "limit",
        "damaged",
        "unsupported",
        "duplicate",
    ]
