"""uuencode, yEnc, BinHex, AppleSingle, S/MIME, and what stands encoded in a text."""

from __future__ import annotations

import base64
import hashlib
import shutil
import subprocess
import time
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mail_samples import (
    PROGRAM,
    SAMPLES,
    apple_double,
    binhexed,
    enveloped,
    script,
    signed,
    streamed,
    uuencoded,
    yencoded,
)
from unpack_contract import check_contract

from tocsin.formats.identify import identify
from tocsin.formats.kinds import kinds
from tocsin.unpack.interface import Limits, Member, Reason
from tocsin.unpack.registry import FORMATS

TESTFILES = Path("/usr/share/clamav-testfiles")
CLAM = "71e7b604d18aefd839e51a39c88df8383bb4c071dc31f87f00a2b5df580d4495"
WIDE = Limits(timeout=20)
KINDS = {
    "mail": "MAIL",
    "mbox": "MAIL",
    "pkcs7": "PKCS7",
    "uuencode": "UUENCODED",
    "yenc": "YENC",
    "binhex": "BINHEX",
    "apple": "APPLESINGLE",
    "base64_runs": "BASE64_RUNS",
}


def members(kind: str, data: bytes) -> list[Member]:
    outcome = check_contract(kind, data, WIDE)
    assert outcome.error is None
    assert not outcome.skipped
    return outcome.members


def contents(kind: str, data: bytes) -> list[bytes]:
    return [member.data for member in members(kind, data)]


def recognised(data: bytes, type_name: str = "TEXT_ASCII") -> set[str]:
    return set(kinds(data, type_name))


def test_every_row_has_a_sample() -> None:
    modules = {"mail", "pkcs7", "uuencode", "yenc", "binhex", "apple", "base64_runs"}
    rows = {row.sample: row.kinds for row in FORMATS if row.module in modules}
    assert set(rows) == set(SAMPLES) == set(KINDS)
    assert all(KINDS[sample] in kinds_of for sample, kinds_of in rows.items())


@pytest.mark.parametrize("name", SAMPLES)
def test_every_sample_is_opened_whole(name: str) -> None:
    found = members(KINDS[name], SAMPLES[name]())
    assert found
    assert all(member.complete and not member.note for member in found)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("clam.exe.binhex", "BINHEX"),
        ("clam.exe.mbox.base64", "MAIL"),
        ("clam.exe.mbox.uu", "MAIL"),
        ("clam.mail", "MAIL"),
    ],
)
def test_the_test_files_of_clamav(name: str, kind: str) -> None:
    path = TESTFILES / name
    if not path.exists():
        pytest.skip(f"{path} is not installed")
    found = members(kind, path.read_bytes())
    assert CLAM in {hashlib.sha256(member.data).hexdigest() for member in found}
    assert all(member.complete for member in found)


# --- uuencode -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        uuencoded(),
        uuencoded().replace(b"\n", b"\r\n"),
        uuencoded().replace(b"\n", b"\r"),
        uuencoded().replace(b" ", b"`").replace(b"begin`644`", b"begin 644 "),
        b"\n".join(line.rstrip() for line in uuencoded().split(b"\n")),
        b"words before\n" + uuencoded() + b"words behind\n",
        uuencoded().replace(b"`\nend\n", b" \nend"),
        uuencoded().replace(b"end\n", b""),
        b"begin-base64 644 program.exe\n" + base64.encodebytes(PROGRAM) + b"====\n",
    ],
)
def test_uuencode(text: bytes) -> None:
    assert [(member.name, member.data) for member in members("UUENCODED", text)] == [
        ("program.exe", PROGRAM)
    ]
    assert "UUENCODED" in recognised(text)


@pytest.mark.parametrize("margin", [b"", b"  ", b"\t"])
@pytest.mark.parametrize("coding", ["latin-1", "utf-16", "utf-16-le"])
def test_uuencode_set_off_by_blanks_and_in_wide_characters(margin: bytes, coding: str) -> None:
    text = b"\n".join(margin + line for line in uuencoded().split(b"\n"))
    data = (text.decode("latin-1") + " " * 64).encode(coding)
    assert "UUENCODED" in recognised(data, identify(data[:1024]))
    assert PROGRAM in contents("UUENCODED", data)


def test_words_that_begin_like_uuencode_behind_blanks() -> None:
    assert "UUENCODED" not in recognised(b"  begin 644 a\nand go on\n")
    assert "UUENCODED" not in recognised(b"we  begin 644 a\n  and go on\n")


def test_uuencode_cut_off_or_damaged_keeps_what_there_is() -> None:
    text = uuencoded()
    (member,) = members("UUENCODED", text[: text.index(b"\n", 500) + 1])
    assert not member.complete
    assert member.data
    assert PROGRAM.startswith(member.data)
    (member,) = members("UUENCODED", text.replace(b"`\nend", b"~ damage\n"))
    assert (member.complete, member.data) == (False, PROGRAM)


@pytest.mark.parametrize("text", [b"begin the day with\nwords\n", b"begin 644 a\n", b"begin "])
def test_words_that_begin_like_uuencode(text: bytes) -> None:
    assert members("UUENCODED", text) == []


# --- yEnc ---------------------------------------------------------------------------------


def test_yenc() -> None:
    text = b"news\r\n" + yencoded() + b"bye\r\n"
    (member,) = members("YENC", text)
    assert (member.name, member.data, member.note) == ("program.exe", PROGRAM, "")
    assert all("YENC" in recognised(data, identify(data)) for data in (text, yencoded()))


def test_yenc_parts_are_joined_and_a_part_alone_is_a_fragment() -> None:
    first = yencoded(PROGRAM[:500], part=(1, 1, len(PROGRAM)))
    second = yencoded(PROGRAM[500:], part=(2, 501, len(PROGRAM)))
    (member,) = members("YENC", first + b"\r\nmore\r\n" + second)
    assert (member.data, member.complete) == (PROGRAM, True)
    for alone, data in ((first, PROGRAM[:500]), (second, PROGRAM[500:])):
        (member,) = members("YENC", alone)
        assert (member.data, member.complete) == (data, False)
        assert "fragment" in member.note


def test_yenc_damaged() -> None:
    (member,) = members("YENC", yencoded().replace(b"crc32=", b"crc32=1"))
    assert (member.complete, member.note) == (True, "CRC-32 does not match")
    (member,) = members("YENC", yencoded().partition(b"\r\n=yend")[0])
    assert (member.complete, member.data) == (False, PROGRAM)


# --- BinHex and AppleSingle ---------------------------------------------------------------


def test_binhex_gives_both_forks() -> None:
    repeated = b"\x90" * 5 + b"a" * 600 + b"\x90\x00\x90" + PROGRAM
    text = b"Hello,\n\n" + binhexed(repeated, b"r" * 70)
    found = [(member.name, member.data, member.note) for member in members("BINHEX", text)]
    assert found == [("program", repeated, ""), ("program/rsrc", b"r" * 70, "")]
    assert "BINHEX" in recognised(text)


def test_the_last_of_many_files_in_binhex() -> None:
    data = b"\n".join(binhexed(b"%04d" % number, b"") for number in range(1200))
    assert contents("BINHEX", data)[-1] == b"1199"


def test_binhex_cut_off_or_only_spoken_of() -> None:
    text = binhexed()
    (member,) = members("BINHEX", text[: len(text) // 2])
    assert not member.complete
    assert PROGRAM.startswith(member.data)
    assert members("BINHEX", text.partition(b":")[0]) == []


def test_apple_single() -> None:
    data = apple_double()
    found = [(member.name, member.data) for member in members("APPLESINGLE", data)]
    assert found == [("program", PROGRAM), ("resource fork", b"resource fork")]
    assert "APPLESINGLE" in recognised(data, "BINARY_DATA")
    assert not members("APPLESINGLE", data[:-5])[-1].complete


# --- S/MIME -------------------------------------------------------------------------------


def test_signed_data_are_taken_out() -> None:
    for data in (signed(), streamed([PROGRAM[:200], PROGRAM[200:]])):
        assert contents("PKCS7", data) == [PROGRAM]
        assert "PKCS7" in recognised(data, "BINARY_DATA")


def test_signed_data_by_openssl(tmp_path: Path) -> None:
    program = shutil.which("openssl")
    if program is None:
        pytest.skip("openssl is not installed")
    make = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "k", "-out", "c"]
    make += ["-subj", "/CN=a", "-days", "9"]
    subprocess.run([program, *make], cwd=tmp_path, check=True, capture_output=True)
    (tmp_path / "in").write_bytes(PROGRAM * 100)
    sign = ["cms", "-sign", "-binary", "-nodetach", "-in", "in", "-signer", "c", "-inkey", "k"]
    sign += ["-out", "out", "-outform"]
    for form in (["DER"], ["DER", "-stream"], ["PEM"]):
        subprocess.run([program, *sign, *form], cwd=tmp_path, check=True, capture_output=True)
        assert contents("PKCS7", (tmp_path / "out").read_bytes()) == [PROGRAM * 100]


def test_compressed_data_are_taken_out() -> None:
    def value(tag: int, content: bytes) -> bytes:
        return bytes((tag, 0x82)) + len(content).to_bytes(2, "big") + content

    kind = bytes.fromhex("060b2a864886f70d0109100109")
    algorithm = value(0x30, bytes.fromhex("060b2a864886f70d0109100308"))
    inner = bytes.fromhex("06092a864886f70d010701")
    inner += value(0xA0, value(4, zlib.compress(PROGRAM * 50)))
    body = value(0x30, b"\x02\x01\x00" + algorithm + value(0x30, inner))
    data = value(0x30, kind + value(0xA0, body))
    assert contents("PKCS7", data) == [PROGRAM * 50]
    assert "PKCS7" in recognised(data, "BINARY_DATA")


def test_a_detached_signature_has_nothing_inside() -> None:
    assert members("PKCS7", signed(detached=True)) == []


def test_encrypted_mail_is_said_to_be() -> None:
    (skip,) = check_contract("PKCS7", enveloped()).skipped
    assert (skip.reason, skip.encrypted) == (Reason.ENCRYPTED, True)


def test_a_signed_mail_that_is_cut_off() -> None:
    data = streamed([PROGRAM, PROGRAM])
    (member,) = members("PKCS7", data[: len(data) - 500])
    assert not member.complete
    assert member.data.startswith(PROGRAM)


# --- runs in texts ------------------------------------------------------------------------


def test_runs_in_a_script() -> None:
    assert "BASE64_RUNS" in recognised(script())
    command, once, lines, digits = contents("BASE64_RUNS", script())
    assert command.decode("utf-16-le").startswith("Write-Output")
    assert [once, lines, digits] == [PROGRAM] * 3


def _joined(text: bytes) -> bytes:
    """As strings of 40 characters behind one of 80."""
    pieces = [text[:80], *(text[at : at + 40] for at in range(80, len(text), 40))]
    return b'" + "'.join(pieces)


@pytest.mark.parametrize(
    "text",
    [
        b'x = "' + _joined(base64.b64encode(PROGRAM)) + b'"; y',
        b"y = [" + b", ".join(b"0x%02x" % byte for byte in PROGRAM) + b"]",
        b"s = '" + b"".join(b"\\x%02X" % byte for byte in PROGRAM) + b"'",
        ("﻿x = '" + base64.b64encode(PROGRAM).decode() + "'").encode("utf-16-le"),
        ("# a comment of some length, and then x = '" + base64.b64encode(PROGRAM).decode()).encode(
            "utf-16-le"
        ),
        base64.encodebytes(PROGRAM),
    ],
    ids=["joined", "numbers", "escapes", "utf-16", "unmarked utf-16", "alone"],
)
def test_ways_to_write_a_program(text: bytes) -> None:
    assert "BASE64_RUNS" in recognised(text, identify(text))
    assert PROGRAM in contents("BASE64_RUNS", text)


def test_what_is_nothing_stays_in_the_text() -> None:
    noise = base64.encodebytes(bytes(range(128, 256)) * 9)
    text = b"-----BEGIN CERTIFICATE-----\n" + noise + b"a word " + b"ab" * 99
    assert contents("BASE64_RUNS", text) == []
    assert recognised(b"just words, and a path: /usr/share/doc/something\n" * 99) == {"TEXT_ASCII"}
    assert recognised(PROGRAM, "MSEXE") == {"MSEXE"}


# --- everything ---------------------------------------------------------------------------


@pytest.mark.parametrize("name", SAMPLES)
def test_damage_keeps_the_promises(name: str) -> None:
    sample = SAMPLES[name]()
    kind = KINDS[name]
    for kept in range(0, len(sample), max(1, len(sample) // 120)):
        check_contract(kind, sample[:kept])
    for place in range(0, len(sample), max(1, len(sample) // 120)):
        flipped = bytearray(sample)
        flipped[place] ^= 1 << place % 8
        check_contract(kind, bytes(flipped))

    @settings(max_examples=40, deadline=5000, derandomize=True)
    @given(
        st.integers(0, len(sample)),
        st.lists(
            st.one_of(
                st.binary(max_size=40),
                st.sampled_from(
                    [b"\r\n", b"\n--XX", b"=", b":", b"\x90", b"\x80", b"begin 644 a\n"]
                ),
            )
        ),
    )
    def anything(kept: int, rest: list[bytes]) -> None:
        check_contract(kind, sample[:kept] + b"".join(rest))

    anything()


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        ("UUENCODED", lambda: b"begin 644 a\n#86)C\n" * 60_000),
        ("UUENCODED", lambda: b"begin 644 a\n" + b"#86)C\n" * 300_000),
        ("YENC", lambda: b"=ybegin size=1 name=a\r\n" * 60_000),
        ("YENC", lambda: b"=ybegin size=1 name=a\r\n" + b"=" * 2_000_000),
        ("BINHEX", lambda: b"(This file must be converted with BinHex 4.0)" * 40_000),
        ("BINHEX", lambda: binhexed(b"ab\x90" * 300_000)),
        ("PKCS7", lambda: streamed([b""] * 12_000)),
        ("PKCS7", lambda: streamed([])[:40] + b"\x24\x80" * 500_000),
        ("PKCS7", lambda: streamed([])[:15] + b"\x30\x80" * 500_000),
        ("BASE64_RUNS", lambda: (b"A" * 70 + b" ! ") * 20_000),
        ("BASE64_RUNS", lambda: (b"TVqQ" * 20 + b" ! ") * 20_000),
        ("BASE64_RUNS", lambda: b"TVqQ" * 20 + b" TVqQTVqQTVqQTVqQ" * 90_000),
        ("BASE64_RUNS", lambda: b"TVqQ" * 20 + b"\"' ,&" * 300_000),
        ("BASE64_RUNS", lambda: b"4d5a " * 300_000),
        ("BASE64_RUNS", lambda: b"A" * 2_000_000),
        ("APPLESINGLE", lambda: apple_double()[:24] + b"\xff\xff" + b"\0\0\0\1" * 300_000),
    ],
)
def test_time_stays_short(kind: str, data: Callable[[], bytes]) -> None:
    hostile = data()
    start = time.process_time()
    check_contract(kind, hostile, Limits(max_files=2000, max_scan_size=20_000_000, timeout=60))
    assert time.process_time() - start < 5
