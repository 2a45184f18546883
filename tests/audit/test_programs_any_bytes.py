"""The promise of `fuzz/fuzz_audit_programs.py`, kept for damaged samples and for any bytes."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

FUZZ = str(Path(__file__).resolve().parents[2] / "fuzz")
if FUZZ not in sys.path:
    sys.path.insert(0, FUZZ)

from fuzz_audit_programs import SEEDS, check  # noqa: E402


@pytest.mark.parametrize("number", range(len(SEEDS)))
def test_every_seed_keeps_the_promise(number: int) -> None:
    check(SEEDS[number])


@settings(max_examples=150)
@given(
    st.sampled_from(SEEDS),
    st.lists(st.tuples(st.integers(0, 4000), st.binary(min_size=1, max_size=4)), max_size=4),
    st.integers(0, 5000),
)
def test_damaged_programs_keep_the_promise(
    seed: bytes, damage: list[tuple[int, bytes]], end: int
) -> None:
    data = bytearray(seed)
    for at, change in damage:
        data[at : at + len(change)] = change
    check(bytes(data[: end or None]))


@given(st.binary(max_size=200))
@example(b"\x7fELF\2\1\1" + b"\xff" * 60)
@example(b"\3\0\x08\0" + b"\xff" * 60)
@example(b"dex\n" + b"\xff" * 120)
@example(b"\xcf\xfa\xed\xfe" + b"\xff" * 120)
def test_any_bytes_keep_the_promise(data: bytes) -> None:
    check(data)
