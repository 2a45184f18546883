"""Plain text in its normal form, and what scripts hide."""

from __future__ import annotations

import base64
import random
import shutil
import subprocess
import time
import zlib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from html_samples import INNER, script
from hypothesis import given, settings
from hypothesis import strategies as st
from unpack_contract import check_contract

from tocsin.errors import FormatError
from tocsin.formats.identify import identify
from tocsin.unpack import find_unpackers, unpacker_of
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
    (b'"a"+\n  "b" /*x*/ + /*y*/ "c"', b'"abc"'),
    (b"`a`+\r\n`b`", b"`ab`"),
    (b'["a",\n  "b"].join("")', b'["ab")'),
    (b'var b="a";b+="b";\nb += "c";', b'var b="abc";'),
    (b'x="z";\nb+="a";b+="b";', b'x="z"\nb+="ab";'),
    (b'cb="a";b+="b";', b'cb="a";b+="b";'),
    (b's = s & "a"\ns = s & "b"\n', b's = s & "ab"\n'),
    (b'"ab\\\ncd"', b'"abcd"'),
    (b"eval('\\u{41}\\u{42}\\u{0043}\\u{44}')", b"eval('ABCD')"),
    (b"unescape('%u0041%u0042%u5a4d%u0044')", b"unescape('ABMZD')"),
    (b"eval('\\101\\102\\103\\104')", b"eval('ABCD')"),
    (b"p^o^w^e^r^shell -e^n^c x", b"powershell -enc x"),
    (b"@echo abc >a\r\necho def >>a\r\n", b"abc \r\ndef \r\n"),
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


def test_a_command_in_wide_characters_behind_megabytes() -> None:
    padding = b"# nothing to see here\n" * (MOST_BYTES // 40)
    data = b"\xff\xfe" + (padding + script()).decode("latin-1").encode("utf-16-le")
    assert len(data) > MOST_BYTES
    _, members = found_in(data, "TEXT_UTF16LE")
    assert b"Write-Host 'the inner command'" in [member.data for member in members.values()]


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


@pytest.mark.parametrize(
    "option",
    [
        b"-enc ",
        b"/EncodedCommand:",
        b"-e: ",
        "–enc ".encode(),
        "―EnCoDedCommand ".encode(),
        b"\x96ec ",
    ],
)
def test_every_way_to_say_that_a_command_is_encoded(option: bytes) -> None:
    command = base64.b64encode("Write-Host 'the inner command'".encode("utf-16-le"))
    _, members = found_in(b"powershell " + option + command)
    assert b"Write-Host 'the inner command'" in [member.data for member in members.values()]


PIECES_OF = [
    lambda parts: b'var b="' + b'"+\n"'.join(parts) + b'";',
    lambda parts: b'var b="' + b'"+"'.join(parts) + b'";',
    lambda parts: b'var b=["' + b'",\n"'.join(parts) + b'"].join("");',
    lambda parts: b'var b="";' + b"\n".join(b'b+="%s";' % part for part in parts),
    lambda parts: b"var b=`" + b"\n".join(parts) + b"`;",
    lambda parts: b'var b="' + b"\\\n".join(parts) + b'";',
]


@pytest.mark.parametrize("way", PIECES_OF)
def test_smuggled_file_in_short_pieces(way: Callable[[list[bytes]], bytes]) -> None:
    text = base64.b64encode(INNER)
    parts = [text[at : at + 40] for at in range(0, len(text), 40)]
    script = way(parts) + b"new Blob([Uint8Array.from(atob(b),c=>c.charCodeAt(0))])"
    page = b"<html><body><script>" + script + b"</script></body></html>"
    assert INNER in everything_in(page)
    assert INNER in everything_in(script)


def everything_in(data: bytes) -> list[bytes]:
    """An object, what is inside it, and so on."""
    out = [data]
    for data_in in out:
        for _, unpacker in find_unpackers(data_in, identify(data_in)):
            with suppress(FormatError):
                items = unpacker.members(data_in, Budget(), ())
                out += [item.data for item in items if isinstance(item, Member)]
        assert len(out) < 100
    return out


def test_lines_of_base64_shorter_than_usual() -> None:
    text = base64.b64encode(INNER)
    lines = [text[at : at + 60] for at in range(0, len(text), 60)]
    assert INNER in everything_in(b"\n".join(lines))
    batch = b"\r\n".join(b"echo " + line + b" >>a" for line in lines)
    found = everything_in(batch + b"\r\ncertutil -decode a b")
    assert any(data.startswith(INNER) for data in found)


def test_list_of_numbers_with_comments() -> None:
    numbers = b", /*x*/".join(b"%d" % byte for byte in INNER)
    assert INNER in everything_in(b"powershell [Byte[]] $b = " + numbers)


def test_of_a_large_text_only_what_changed_is_looked_at_again() -> None:
    padding = b"these are words of a line\n" * 20_000
    _, members = found_in(padding + script() + padding)
    plain = members["folded"].data
    assert b'"hello"' in plain
    assert len(plain) < 5000


@pytest.mark.parametrize(
    "page",
    [
        b"<!DOCTYPE html><meta charset=utf-8><embed src='data:text/plain,%s'>",
        b"<p>hi</p><q cite='da\nta:text/plain,%s'>x</q>",
    ],
)
def test_tags_that_are_no_sign_of_html(page: bytes) -> None:
    _, members = found_in(page.replace(b"%s", b"what is hidden here"))
    assert [member.data for member in members.values()] == [b"what is hidden here"]


def test_page_in_wide_characters_the_other_way_round() -> None:
    page = "<html><a href='data:text/plain,what is hidden here'>x</a></html>"
    for coding in ("utf-32", "utf-16", "utf-16-be", "utf-16-le"):
        assert b"what is hidden here" in everything_in(page.encode(coding))
    assert b"what is hidden here" in everything_in(b"\xfe\xff" + page.encode("utf-16-be"))


def test_ordinary_text_hides_nothing() -> None:
    text = b"These are words - and some more - e.g. an explanation, 1, 2, 3. " * 50
    assert found_in(text)[1] == {}


@pytest.mark.parametrize(
    "unit",
    [b"^", b"a^", b"`", b"'+'", b'"+', b"[char]", b"chr(1", b"{0}", b"'{0}", b"'a',", b"1,",
     b"\\x41", b"%41", b"-e ", b"(", b"('", b"'a'.replace(", b"frombase64string('", b"data:",
     b"a+=\"x\";", b"a=a&\"x\"\n", b"\"x\"a+=", b"'a',\r\n  ", b"\\\n", b"/*x*/", b"'/*x*/",
     b"1/*x*/,", b"echo a >", b"-e^n^", b"\\101", b"%u0041", b"\\u{41}", b"A" * 40 + b"\n",
     b"A" * 50 + b" ", b"<p ", b"<p data:", b"d\na\n", b"&#100;"],
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
