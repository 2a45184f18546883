"""Deflate64 and implode: methods of zip that are decoded in Python."""

from __future__ import annotations

import bz2
import lzma
import random
import zlib

import pytest
from unpack_contract import check_contract
from unpack_samples import TEXT, Entry, make_zip

from tocsin.unpack.interface import Limits, Reason


class Bits:
    """Writes bits, the least significant of a byte first."""

    def __init__(self) -> None:
        self.text = ""

    def number(self, value: int, count: int) -> Bits:
        self.text += f"{value:0{count}b}"[::-1] if count else ""
        return self

    def code(self, value: int, count: int) -> Bits:
        self.text += f"{value:0{count}b}"
        return self

    def data(self) -> bytes:
        padded = self.text + "0" * (-len(self.text) % 8)
        return bytes(int(padded[at : at + 8][::-1], 2) for at in range(0, len(padded), 8))


# --- deflate64 ----------------------------------------------------------------------------


def _few_letters(count: int) -> bytes:
    letters = random.Random(3)
    return bytes(letters.choice(b"abcdefgh") for _ in range(count))


@pytest.mark.parametrize(
    ("level", "strategy"),
    [(9, zlib.Z_DEFAULT_STRATEGY), (0, 0), (9, zlib.Z_FIXED), (9, zlib.Z_HUFFMAN_ONLY)],
)
def test_deflate_without_longest_matches_is_deflate64_too(level: int, strategy: int) -> None:
    data = _few_letters(100_000)
    packer = zlib.compressobj(level, zlib.DEFLATED, -15, 9, strategy)
    packed = packer.compress(data) + packer.flush()
    (member,) = check_contract("ZIP", make_zip([Entry(data=data, method=9, packed=packed)])).members
    assert (member.data == data, member.complete, member.note) == (True, True, "")


def _matches(*, length_extra: int, distance_code: int, distance_extra: int, bits: int) -> Bits:
    """A block of fixed codes: an "A", then a match of length code 285."""
    out = Bits().number(1, 1).number(1, 2).code(0x30 + ord("A"), 8)
    out.code(0xC0 + 285 - 280, 8).number(length_extra, 16)
    out.code(distance_code, 5).number(distance_extra, bits)
    return out.code(0, 7)


def test_deflate64_longest_match() -> None:
    packed = _matches(length_extra=65535, distance_code=0, distance_extra=0, bits=0).data()
    data = b"A" * 65539
    (member,) = check_contract("ZIP", make_zip([Entry(data=data, method=9, packed=packed)])).members
    assert (member.data == data, member.note) == (True, "")


def test_deflate64_farthest_match() -> None:
    noise = random.Random(5).randbytes(65536)
    packed = b"".join(
        b"\0" + len(part).to_bytes(2, "little") + (len(part) ^ 0xFFFF).to_bytes(2, "little") + part
        for part in (noise[:32768], noise[32768:])
    )
    match = Bits().number(1, 1).number(1, 2).code(1, 7).code(31, 5).number(16383, 14).code(0, 7)
    data = noise + noise[:3]
    entry = Entry(data=data, method=9, packed=packed + match.data())
    (member,) = check_contract("ZIP", make_zip([entry])).members
    assert (member.data == data, member.note) == (True, "")


BAD_DEFLATE64: dict[str, bytes] = {
    "nothing": b"",
    "block of kind 3": b"\7",
    "stored block with wrong length": b"\1\5\0\5\0hello",
    "match before the beginning": _matches(
        length_extra=0, distance_code=1, distance_extra=0, bits=0
    ).data(),
    "codes that fill more than there is": b"\x05\xe0" + b"\x49" * 30,
    "no codes": b"\x05\x00" + bytes(30),
}


@pytest.mark.parametrize("case", BAD_DEFLATE64)
def test_damaged_deflate64(case: str) -> None:
    entry = Entry(method=9, packed=BAD_DEFLATE64[case])
    outcome = check_contract("ZIP", make_zip([entry], directory=False))
    assert outcome.values
    assert not [m for m in outcome.members if m.complete and m.data]


def test_truncated_deflate64_gives_what_came_out() -> None:
    data = _few_letters(1000)
    packer = zlib.compressobj(9, zlib.DEFLATED, -15, 9, zlib.Z_HUFFMAN_ONLY)
    packed = packer.compress(data) + packer.flush()
    archive = make_zip([Entry(data=data, method=9, packed=packed[:-50])], directory=False)
    (member,) = check_contract("ZIP", archive).members
    assert (member.complete, member.note.startswith("truncated")) == (False, True)
    assert data.startswith(member.data)
    assert member.size > 700


def test_a_deflate64_bomb_is_stopped() -> None:
    out = Bits().number(1, 1).number(1, 2).code(0x30, 8)
    for _ in range(200):
        out.code(0xC0 + 5, 8).number(65535, 16).code(0, 5)
    packed = out.code(0, 7).data()
    (value,) = check_contract("ZIP", make_zip([Entry(method=9, packed=packed)])).skipped
    assert value.reason is Reason.LIMIT


# --- implode ------------------------------------------------------------------------------


def _flat_code(bits: int) -> bytes:
    """All symbols of codes of that many bits; symbol s has the code of all ones minus s."""
    runs = (1 << bits) // 16
    return bytes([runs - 1]) + bytes([0xF0 | bits - 1]) * runs


def _implode(*, literal_code: bool, big: bool) -> tuple[bytes, bytes]:
    """Letters, a match, and a long match that reaches in front of the beginning."""
    low_bits = 7 if big else 6
    shortest = 3 if literal_code else 2
    out = Bits()
    for byte in b"abcd":
        out.number(1, 1)
        if literal_code:
            out.code(255 - byte, 8)
        else:
            out.number(byte, 8)
    out.number(0, 1).number(1, low_bits).code(63, 6).code(63 - 4, 6)
    out.number(0, 1).number(0, low_bits).code(63 - 1, 6).code(0, 6).number(7, 8)
    trees = (_flat_code(8) if literal_code else b"") + _flat_code(6) * 2
    begun = b"abcd" + (b"cd" * 9)[: 4 + shortest]
    length = 63 + 7 + shortest
    distance = (1 << low_bits) + 1
    whole = bytearray(bytes(distance) + begun)
    for _ in range(length):
        whole.append(whole[-distance])
    return trees + out.data(), bytes(whole[distance:])


@pytest.mark.parametrize("literal_code", [False, True])
@pytest.mark.parametrize("big", [False, True])
def test_implode(literal_code: bool, big: bool) -> None:
    packed, data = _implode(literal_code=literal_code, big=big)
    flags = 4 * literal_code + 2 * big
    entry = Entry(data=data, method=6, flags=flags, packed=packed)
    (member,) = check_contract("ZIP", make_zip([entry])).members
    assert (member.data, member.complete, member.note) == (data, True, "")


BAD_IMPLODE: dict[str, bytes] = {
    "nothing": b"",
    "too few codes": b"\0\xf5" * 9,
    "codes that fill more than there is": b"\3" + b"\xf0" * 4 + b"\3" + b"\xf0" * 4 + bytes(9),
}


@pytest.mark.parametrize("case", BAD_IMPLODE)
def test_damaged_implode(case: str) -> None:
    entry = Entry(method=6, packed=BAD_IMPLODE[case])
    (value, _no_directory) = check_contract("ZIP", make_zip([entry], directory=False)).skipped
    assert value.reason is Reason.DAMAGED


def test_implode_that_never_ends_is_stopped() -> None:
    packed, data = _implode(literal_code=False, big=False)
    entry = Entry(data=data, size=1 << 31, method=6, packed=packed + b"\xaa" * 500_000)
    outcome = check_contract("ZIP", make_zip([entry], directory=False), Limits(max_scan_size=9999))
    assert outcome.error is not None


@pytest.mark.parametrize("method", [6, 9, 12, 14])
def test_bit_flips(method: int) -> None:
    packed = {
        6: _implode(literal_code=True, big=True)[0],
        9: _matches(length_extra=9, distance_code=0, distance_extra=0, bits=0).data() * 9,
        12: bz2.compress(TEXT),
        14: b"\x09\4\5\0" + lzma.compress(TEXT, lzma.FORMAT_ALONE)[:5]
        + lzma.compress(TEXT, lzma.FORMAT_ALONE)[13:],
    }[method]  # fmt: skip
    sample = make_zip([Entry(method=method, flags=2 * (method == 14), packed=packed)])
    for place in range(0, len(sample) * 8, 11):
        flipped = bytearray(sample)
        flipped[place // 8] ^= 1 << place % 8
        check_contract("ZIP", bytes(flipped))
