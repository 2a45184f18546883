"""The filters of PDF streams, against other writers and against damage."""

from __future__ import annotations

import base64
import random
import zlib
from contextlib import suppress

import pikepdf
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pdf_samples import PAYLOAD, document, flate, object_stream, stream, written_by_pikepdf, xdp
from unpack_contract import Outcome, check_contract

from tocsin.errors import FormatError
from tocsin.unpack.interface import Limits, Member, Reason
from tocsin.unpack.pdf_filters import Filter, decode
from tocsin.unpack.pdf_predictors import Prediction

TEXT = b"the quick brown fox jumps over the lazy dog. " * 300
MIXED = random.Random(3).randbytes(3000) + bytes(2000) + TEXT
FEW = settings(max_examples=60, deadline=5000, derandomize=True)


def decoded(data: bytes, *names: bytes) -> bytes:
    return b"".join(decode(data, 0, len(data), [Filter(name) for name in names]))


def member(text: bytes) -> Member:
    outcome: Outcome = check_contract("PDF", document({10: text}), Limits())
    (found,) = (m for m in outcome.members if m.name == "object 10 0")
    return found


# --- encoders, written from the specification ----------------------------------------------


def lzw(data: bytes, *, early: bool = True) -> bytes:
    bits = width = count = 0
    table: dict[bytes, int] = {}
    width = 9

    def put(code: int) -> None:
        nonlocal bits, count
        bits, count = bits << width | code, count + width

    def clear() -> None:
        nonlocal width, table
        put(256)
        table, width = {bytes([value]): value for value in range(256)}, 9

    clear()
    known, following = b"", 258
    for value in data:
        longer = known + bytes([value])
        if longer in table:
            known = longer
            continue
        put(table[known])
        table[longer] = following
        following += 1
        if following + early > 1 << width:
            width += 1
        if following >= 4094:
            clear()
            following = 258
        known = bytes([value])
    if known:
        put(table[known])
        following += 1
        if following + early > 1 << width and width < 12:
            width += 1
    put(257)
    pad = -count % 8
    return (bits << pad).to_bytes((count + pad) // 8, "big")


def run_length(data: bytes) -> bytes:
    out = bytearray()
    at = 0
    while at < len(data):
        run = 1
        while run < 128 and data[at : at + 1] == data[at + run : at + run + 1]:
            run += 1
        if run > 1:
            out += bytes((257 - run, data[at]))
            at += run
        else:
            piece = data[at : at + 5]
            out += bytes((len(piece) - 1,)) + piece
            at += len(piece)
    return bytes(out) + b"\x80"


ENCODERS = {
    b"FlateDecode": zlib.compress,
    b"LZWDecode": lzw,
    b"ASCII85Decode": lambda data: base64.a85encode(data, wrapcol=70) + b"~>",
    b"ASCIIHexDecode": lambda data: data.hex(" ", 30).encode() + b">",
    b"RunLengthDecode": run_length,
}
ABBREVIATIONS = {
    b"FlateDecode": b"Fl",
    b"LZWDecode": b"LZW",
    b"ASCII85Decode": b"A85",
    b"ASCIIHexDecode": b"AHx",
    b"RunLengthDecode": b"RL",
}
each_filter = pytest.mark.parametrize("name", ENCODERS)


@each_filter
@pytest.mark.parametrize("data", [b"x", b"xy", b"xyz", bytes(5), TEXT, MIXED, MIXED * 8])
def test_filter(name: bytes, data: bytes) -> None:
    assert decoded(ENCODERS[name](data), name) == data


@each_filter
def test_filter_and_its_abbreviation_in_a_document(name: bytes) -> None:
    for written in (name, ABBREVIATIONS[name], name.replace(b"D", b"#44", 1)):
        found = member(stream(ENCODERS[name](PAYLOAD), b"/Filter/" + written))
        assert (found.data, found.complete) == (PAYLOAD, True)


@each_filter
def test_qpdf_agrees(name: bytes) -> None:
    with pikepdf.Pdf.new() as pdf:
        filters = pikepdf.Name("/" + name.decode())
        other = pikepdf.Stream(pdf, ENCODERS[name](MIXED), Filter=filters)
        assert other.read_bytes(pikepdf.StreamDecodeLevel.specialized) == MIXED


@each_filter
@FEW
@given(data=st.binary(max_size=300))
def test_any_bytes_survive(name: bytes, data: bytes) -> None:
    assert decoded(ENCODERS[name](data), name) == data


def test_lzw_without_early_change() -> None:
    data = b"/Filter/LZWDecode/DecodeParms<</EarlyChange 0>>"
    assert member(stream(lzw(MIXED, early=False), data)).data == MIXED


def test_chain_in_its_order() -> None:
    data = PAYLOAD
    for name in (b"FlateDecode", b"RunLengthDecode", b"LZWDecode", b"ASCII85Decode"):
        data = ENCODERS[name](data)
    names = b"[/ASCII85Decode /LZW /RL /Fl]"
    assert member(stream(data, b"/Filter" + names)).data == PAYLOAD
    more = {10: stream(data, b"/Filter[20 0 R/LZW/RL/Fl]"), 20: b"/A85", 21: names}
    more[11] = stream(data + b" ", b"/Filter 21 0 R")
    outcome = check_contract("PDF", document(more), Limits())
    assert [m.data for m in outcome.members].count(PAYLOAD) == 2


@pytest.mark.parametrize(
    "name", [b"DCTDecode", b"DCT", b"JPXDecode", b"JBIG2Decode", b"CCITTFaxDecode", b"CCF"]
)
def test_pictures_are_handed_on_as_they_are(name: bytes) -> None:
    assert member(stream(PAYLOAD, b"/Filter/" + name)).data == PAYLOAD
    found = member(stream(zlib.compress(PAYLOAD), b"/Filter[/FlateDecode/%s]" % name))
    assert (found.data, found.complete) == (PAYLOAD, True)


def test_unknown_filter_is_told_of() -> None:
    found = member(stream(zlib.compress(PAYLOAD), b"/Filter[/Fl/NoSuch]"))
    assert found.data == PAYLOAD
    assert "NoSuch" in found.note
    chain = stream(b"41", b"/Filter[%s]" % (b"/AHx" * 50))
    (skipped,) = check_contract("PDF", document({10: chain})).skipped
    assert "filters" in skipped.detail


@pytest.mark.parametrize("text", [b"/Filter[]", b"/Filter null", b"", b"/Filter/Crypt"])
def test_no_filter(text: bytes) -> None:
    assert member(stream(PAYLOAD, text)).data == PAYLOAD


# --- predictors -----------------------------------------------------------------------------


def png(rows: bytes, width: int, back: int, kinds: list[int]) -> bytes:
    """Apply PNG's predictors. Source: RFC 2083, 6."""
    out = bytearray()
    above = bytes(width)
    for number, at in enumerate(range(0, len(rows), width)):
        row = rows[at : at + width]
        kind = kinds[number % len(kinds)]
        out.append(kind)
        for place, value in enumerate(row):
            left = row[place - back] if place >= back else 0
            corner = above[place - back] if place >= back else 0
            up = above[place]
            guess = (0, left, up, (left + up) // 2, _paeth(left, up, corner))[kind]
            out.append(value - guess & 0xFF)
        above = row + bytes(width - len(row))
    return bytes(out)


def _paeth(left: int, up: int, corner: int) -> int:
    distances = {value: abs(left + up - corner - value) for value in (corner, up, left)}
    best = min(distances.values())
    return next(value for value in (left, up, corner) if distances[value] == best)


@pytest.mark.parametrize("kinds", [[0], [1], [2], [3], [4], [4, 2, 0, 3, 1]])
@pytest.mark.parametrize(("colors", "columns"), [(1, 10), (3, 70), (4, 7)])
def test_png_predictors(kinds: list[int], colors: int, columns: int) -> None:
    width = colors * columns
    packed = zlib.compress(png(MIXED, width, colors, kinds))
    parameters = b"<</Predictor 15/Colors %d/Columns %d>>" % (colors, columns)
    found = member(stream(packed, b"/Filter/FlateDecode/DecodeParms" + parameters))
    assert (found.data, found.complete) == (MIXED, True)


def test_predictor_over_many_blocks() -> None:
    data = random.Random(4).randbytes(1_500_000)
    width = 640
    above = bytes(width) + data
    differences = bytes((one - other) & 0xFF for one, other in zip(data, above, strict=False))
    rows = (b"\2" + differences[at : at + width] for at in range(0, len(data), width))
    packed = zlib.compress(b"".join(rows), 1)
    entries = b"/Filter[/Fl]/DecodeParms[<</Predictor 12/Columns 640>>]"
    assert member(stream(packed, entries)).data == data


def test_tiff_predictor() -> None:
    rows = bytes(range(200)) * 20
    packed = b"".join(
        bytes((row[place] - (row[place - 1] if place else 0)) & 0xFF for place in range(100))
        for row in (rows[at : at + 100] for at in range(0, len(rows), 100))
    )
    entries = b"/Filter/LZWDecode/DecodeParms<</Predictor 2/Columns 100>>"
    assert member(stream(lzw(packed), entries)).data == rows


@pytest.mark.parametrize(
    "text",
    [b"/Columns 0", b"/Columns 999999999999", b"/Colors 0", b"/Colors -5", b"/BitsPerComponent 7"],
)
def test_impossible_predictor_is_told_of(text: bytes) -> None:
    entries = b"/Filter/FlateDecode/DecodeParms<</Predictor 12%s>>" % text
    found = member(stream(zlib.compress(PAYLOAD), entries))
    assert (found.data, found.complete) == (PAYLOAD, False)


@FEW
@given(
    data=st.binary(max_size=200),
    numbers=st.tuples(*[st.integers(-2, 70)] * 4),
)
def test_predictors_take_anything(data: bytes, numbers: tuple[int, int, int, int]) -> None:
    packed = zlib.compress(data)
    chunks = decode(packed, 0, len(packed), [Filter(b"FlateDecode", True, Prediction(*numbers))])
    with suppress(FormatError):
        assert sum(map(len, chunks)) <= len(data) + 70 * 70 * 70


# --- damage -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [b"FlateDecode", b"RunLengthDecode"])
def test_cut_data_give_what_precedes_the_cut(name: bytes) -> None:
    packed = ENCODERS[name](MIXED)
    found = member(stream(packed[: len(packed) * 2 // 3], b"/Filter/" + name))
    assert not found.complete
    assert "truncated" in found.note
    assert MIXED.startswith(found.data)
    assert found.size > 2000


def test_undefined_code_of_lzw() -> None:
    found = member(stream(lzw(b"abc")[:3] + b"\xff" * 10, b"/Filter/LZW"))
    assert not found.complete


@pytest.mark.parametrize("tail", [b"", b"\n", b"\r\n", b"more", b"\0" * 9])
def test_what_viewers_forgive_in_flate(tail: bytes) -> None:
    packed = zlib.compress(PAYLOAD)
    for data in (packed[:-4], packed[:-2], b"\r\n" + packed):
        assert member(stream(data, b"/Filter/Fl")).data == PAYLOAD
    assert member(stream(packed + tail, b"/Filter/Fl")).complete
    raw = zlib.compressobj(9, wbits=-15)
    assert member(stream(raw.compress(PAYLOAD) + raw.flush(), b"/Filter/Fl")).data == PAYLOAD


def test_wrong_check_value_is_damage() -> None:
    found = member(stream(zlib.compress(PAYLOAD)[:-4] + b"abcd", b"/Filter/Fl"))
    assert (found.data, found.complete) == (PAYLOAD, False)


@each_filter
@FEW
@given(data=st.binary(max_size=400))
def test_any_bytes_as_a_filters_data(name: bytes, data: bytes) -> None:
    with suppress(FormatError):
        assert len(decoded(data, name)) < 2_000_000


@pytest.mark.parametrize("name", [b"LZWDecode", b"RunLengthDecode", b"ASCII85Decode"])
def test_bombs_of_other_filters(name: bytes) -> None:
    packed = b"\x81\0" * 100_000 if name == b"RunLengthDecode" else b"z" * 1_000_000
    if name == b"LZWDecode":
        packed = lzw(bytes(2_000_000))
    limits = Limits(max_file_size=1_000_000)
    outcome = check_contract("PDF", document({10: stream(packed, b"/Filter/" + name)}), limits)
    assert [skip.reason for skip in outcome.skipped] == [Reason.LIMIT]


# --- any document -----------------------------------------------------------------------------

DOCUMENTS = {
    "PDF": document(
        {
            10: stream(lzw(TEXT[:300]), b"/Filter/LZW"),
            11: object_stream({12: b"<</S/JavaScript/JS(x)>>", 13: b"<</JS 14 0 R>>", 14: b"(s)"}),
            15: b"<</F(a)/EF<</F 16 0 R>>>>",
            16: flate(png(TEXT[:300], 10, 1, [2]), b"/DecodeParms<</Predictor 12/Columns 10>>"),
        }
    ),
    "PDF of pikepdf": written_by_pikepdf(),
    "PDF, encrypted": written_by_pikepdf(revision=6),
    "PDF, RC4": written_by_pikepdf(revision=3, aes=False, metadata=False),
    "XDP": xdp(PAYLOAD),
}
each_document = pytest.mark.parametrize("what", DOCUMENTS)


@each_document
def test_damaged_documents(what: str) -> None:
    data = DOCUMENTS[what]
    kind = what[:3]
    for kept in range(0, len(data), max(1, len(data) // 150)):
        check_contract(kind, data[:kept])
    for place in range(0, len(data), max(1, len(data) // 150)):
        flipped = bytearray(data)
        flipped[place] ^= 1 << place % 8
        check_contract(kind, bytes(flipped))


@each_document
@FEW
@given(data=st.data())
def test_overwritten_documents(what: str, data: st.DataObject) -> None:
    sample = bytearray(DOCUMENTS[what])
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(sample)))
        piece = data.draw(
            st.sampled_from(
                [b"<<", b">>", b"stream\n", b"endstream", b" 10 0 obj", b"/Length 9", b"(", b"\\"]
            )
            | st.binary(max_size=9)
        )
        sample[at : at + data.draw(st.integers(0, 9))] = piece
    check_contract(what[:3], bytes(sample))


@FEW
@given(st.binary(max_size=300))
def test_garbage(data: bytes) -> None:
    check_contract("PDF", b"%PDF-1.7\n1 0 obj" + data)
    check_contract("XDP", b"<xdp:xdp><chunk>" + data)
