"""Plain text in its normal form, and what scripts hide."""

from __future__ import annotations

import base64
import random
import shutil
import subprocess
import time
import zlib
from pathlib import Path

import pytest
from html_samples import INNER, script
from hypothesis import given, settings
from hypothesis import strategies as st
from unpack_contract import check_contract

from tocsin.unpack import unpacker_of
from tocsin.unpack.interface import MIB, Budget, Limits, Member, View
from tocsin.unpack.script_folding import _STEPS, folded
from tocsin.unpack.script_items import MOST_BYTES as MOST_SCRIPT
from tocsin.unpack.text import MOST_BYTES, normalise

ALL_MARKS = frozenset(step[0] for step in _STEPS)
FOLDED = [
    (b"p^o^w^e^r^shell", b"powershell"),
    (b"In`vo`ke-Exp`ression", b"Invoke-Expression"),
    (b"('In'+'voke')", b"'Invoke'"),
    (b'"a" & "b" & "c"', b'"abc"'),
    (b"[char]77+[char]0x5A", b"'MZ'"),
    (b"Chr(77) & Chr(&H5A)", b'"MZ"'),
    (b"String.fromCharCode(77, 90)", b'"MZ"'),
    (b"'{1}{0}' -f 'b','a'", b'"ab"'),
    (b"('a','b','c') -join ''", b'("abc"'),
    (b"'axb'.replace('x','')", b'"ab")'),
    (b"eval('\\x41\\x42\\x43\\x44')", b"eval('ABCD')"),
    (b"x _\r\n y", b"x y"),
]


def found_in(data: bytes, kind: str = "TEXT_ASCII") -> tuple[list[View], dict[str, Member]]:
    unpacker = unpacker_of(kind)
    assert unpacker is not None
    items = list(unpacker.members(data, Budget(), ()))
    views = [item for item in items if isinstance(item, View)]
    return views, {item.name: item for item in items if isinstance(item, Member)}


def test_normal_form_of_text() -> None:
    given = b'Hello   World\tABC \n\n\r\n  foo "bar" \x80\xff \xc3\xa9 &amp;\n\x0c\x07zz\x7f\0\x0b'
    assert normalise(given) == b'hello world abc foo "bar" &amp; zz\x7f '


@pytest.mark.parametrize("seed", range(6))
def test_normal_form_is_that_of_sigtool(seed: int, tmp_path: Path) -> None:
    if shutil.which("sigtool") is None:
        pytest.skip("sigtool is not installed")
    rng = random.Random(seed)
    data = bytes(rng.choice(b"aB \t\n\r\0\x07\x80~{[") for _ in range(rng.choice((50, 9000))))
    (tmp_path / "text").write_bytes(data)
    command = ["sigtool", "--ascii-normalise=text"]
    subprocess.run(command, cwd=tmp_path, capture_output=True, check=False)
    assert normalise(data) == (tmp_path / "normalised_text").read_bytes()


def test_text_in_wide_characters() -> None:
    views, _ = found_in("\ufeffSome  TEXT".encode("utf-16-le"), "TEXT_UTF16LE")
    assert [view.data for view in views] == [b"some text"]


def test_no_normal_form_of_what_is_too_large() -> None:
    assert found_in(b"x" * (MOST_BYTES + 1)) == ([], {})


@pytest.mark.parametrize(("text", "expected"), FOLDED)
def test_folding(text: bytes, expected: bytes) -> None:
    assert folded(text, lambda: None) == expected


def test_encoded_command() -> None:
    views, members = found_in(script())
    assert [view.type_name for view in views] == ["TEXT_ASCII"]
    contents = [member.data for member in members.values()]
    assert b"Write-Host 'the inner command'" in contents
    assert any(b'"hello"' in content for content in contents)


@pytest.mark.parametrize("before", [MOST_SCRIPT - 700, MOST_SCRIPT - 10, MOST_BYTES + 10])
def test_a_command_behind_megabytes_of_comments(before: int) -> None:
    padding = b"# nothing to see here\n" * (before // 22)
    _, members = found_in(padding + script() + padding[: 2 * MIB])
    contents = [member.data for member in members.values()]
    assert b"Write-Host 'the inner command'" in contents


def test_short_base64_literal_and_deflated_one() -> None:
    short = base64.b64encode(b"calc.exe /evil")
    _, members = found_in(b"[Convert]::FromBase64String('" + short + b"')")
    assert b"calc.exe /evil" in [member.data for member in members.values()]
    deflate = zlib.compressobj(9, wbits=-15)
    packed = deflate.compress(bytes(range(256)) + b"text of the payload " * 3) + deflate.flush()
    text = b"powershell IO.Compression.DeflateStream('" + base64.b64encode(packed) + b"')"
    _, members = found_in(text)
    assert any(b"text of the payload" in member.data for member in members.values())


def test_a_deflated_literal_that_is_too_large_is_said_to_be() -> None:
    deflate = zlib.compressobj(9, wbits=-15)
    packed = deflate.compress(bytes(3_000_000)) + deflate.flush()
    text = b"powershell IO.Compression.DeflateStream('" + base64.b64encode(packed) + b"')"
    unpacker = unpacker_of("TEXT_ASCII")
    assert unpacker is not None
    limits = Limits(max_file_size=1_000_000)
    notes = [str(item) for item in unpacker.members(text, Budget(limits), ())]
    assert any("--max-file-size" in note for note in notes)


def test_list_of_numbers() -> None:
    numbers = b", ".join(b"0x%02x" % byte for byte in INNER)
    _, members = found_in(b"powershell [Byte[]] $b = " + numbers)
    assert INNER in [member.data for member in members.values()]


def test_ordinary_text_hides_nothing() -> None:
    text = b"These are words - and some more - e.g. an explanation, 1, 2, 3. " * 50
    assert found_in(text)[1] == {}


@pytest.mark.parametrize(
    "unit",
    [b"^", b"a^", b"`", b"'+'", b'"+', b"[char]", b"chr(1", b"{0}", b"'{0}", b"'a',", b"1,",
     b"\\x41", b"%41", b"-e ", b"(", b"('", b"'a'.replace(", b"frombase64string('", b"data:"],
)  # fmt: skip
def test_hostile_repetition_is_linear(unit: bytes) -> None:
    took = []
    for size in (40_000, 320_000):
        data = b"powershell createobject " + unit * (size // len(unit))
        start = time.process_time()
        check_contract("TEXT_ASCII", data)
        took.append(time.process_time() - start)
    assert took[1] < 24 * took[0] + 0.5


@settings(max_examples=150, deadline=5000, derandomize=True)
@given(st.lists(st.sampled_from([text for text, _ in FOLDED]), max_size=12), st.binary(max_size=80))
def test_contract_for_any_text(parts: list[bytes], rest: bytes) -> None:
    check_contract("TEXT_ASCII", b"powershell " + b" ".join(parts) + rest)
