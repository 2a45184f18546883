"""For any text every reader either understands it or raises SignatureError, and soon.

Signature files come from strangers. Texts are made up from nothing, and by damaging
well-formed lines, which reaches deeper.
"""

from __future__ import annotations

import contextlib
import re
import time

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from signature_samples import LINES, WELL_FORMED

from tocsin.errors import SignatureError, TocsinError
from tocsin.signatures.clamav import byte_compare, expression, offset, pcre
from tocsin.signatures.clamav.body import parse_body
from tocsin.signatures.digest_lists import looks_like_digest_list, parse_list_line
from tocsin.signatures.languages import ARCHIVES, LANGUAGES, LIST_ENDINGS, METADATA_FILE
from tocsin.signatures.metadata import read_metadata_lines
from tocsin.signatures.parse import parse_text, signature_name
from tocsin.signatures.records import Kind
from tocsin.signatures.sources import SourceReader

SECONDS = 1.0
PIECES = st.sampled_from(
    [
        *":;,*?|&()!{}[]-+<>=/#$\\.\"' \t\0\x7f",
        "²",  # str.isdigit() says yes, int() says no
        "٣",  # a digit for both, but not ASCII
        "é",
        "\udc80",
        "00",
        "ff",
        "4294967295",
        "99999999999999999999",
        "9" * 5000,  # more digits than int() takes
        "((((((((",
        "))))))))",
        "(" * 70,
        "0&" * 80,
        "{0-9}",
        "{-}",
        "[2-4]",
        "(B)",
        "!(L)",
        "(61|62)",
        "??",
        "::iwfa",
        "EP+0",
        "CL_TYPE_",
        "Engine:",
        "Target:",
        "(?:",
        "(?<n>",
        "\\1",
        "0x",
    ]
)
JUNK = st.one_of(PIECES, st.text(max_size=12), st.lists(PIECES, max_size=6).map("".join))


@st.composite
def damaged(draw, kind=None):
    """A well-formed line with a few cuts and insertions."""
    lines = LINES if kind is None else [(kind, line) for line in WELL_FORMED[kind]]
    which, line = draw(st.sampled_from(lines))
    for _ in range(draw(st.integers(0, 3))):
        start = draw(st.integers(0, len(line)))
        end = draw(st.integers(start, min(len(line), start + 8)))
        line = line[:start] + draw(JUNK) + line[end:]
    return which, line


def takes_or_refuses(function, *arguments, allowed=SignatureError):
    began = time.process_time()
    with contextlib.suppress(allowed):
        function(*arguments)
    assert time.process_time() - began < SECONDS


@pytest.mark.parametrize(("kind", "line"), LINES)
def test_samples_are_well_formed(kind, line):
    assert parse_text(kind, line) is not None


@pytest.mark.parametrize("kind", list(Kind))
@settings(max_examples=250, deadline=None)
@given(data=st.data())
def test_damaged_lines(kind, data):
    _, line = data.draw(damaged(kind))
    takes_or_refuses(parse_text, kind, line)


NASTY = [
    "²",
    "٣",
    "9" * 5000,
    "99999999999999999999",
    "-",
    "\udc80",
    "(",
    "",
    "0x",
    "{",
    "é",
    "{4}",
]


@pytest.mark.parametrize(("kind", "line"), LINES)
def test_every_place_of_a_line(kind, line):
    """What is nasty in front of and instead of each character, and as a whole field."""
    for place in range(len(line) + 1):
        for nasty in NASTY:
            takes_or_refuses(parse_text, kind, line[:place] + nasty + line[place:])
            takes_or_refuses(parse_text, kind, line[:place] + nasty + line[place + 1 :])
    for match in re.finditer(r"[^:;,#<>(){}$+-]+", line):
        for nasty in NASTY:
            takes_or_refuses(parse_text, kind, line[: match.start()] + nasty + line[match.end() :])


@pytest.mark.parametrize("kind", list(Kind))
@settings(max_examples=100, deadline=None)
@given(text=st.one_of(st.text(), st.lists(PIECES, max_size=30).map("".join)))
def test_any_text(kind, text):
    takes_or_refuses(parse_text, kind, text)
    takes_or_refuses(signature_name, kind, text)


@settings(max_examples=400, deadline=None)
@given(
    pattern=st.text("0123456789abcdefABCDEF?*{}[]()|!-BLW+ ", max_size=120),
    modifiers=st.text("iwfax", max_size=5),
)
def test_body_patterns(pattern, modifiers):
    takes_or_refuses(parse_body, pattern, modifiers)


@settings(max_examples=400, deadline=None)
@given(text=st.text("0123456789&|()=<>, -x", max_size=120))
def test_expressions(text):
    takes_or_refuses(expression.parse_expression, text, 64)


@settings(max_examples=300, deadline=None)
@given(text=st.text("0123456789EPOFSLVI+-,*$x²", max_size=20), target=st.integers(0, 14))
def test_offsets(text, target):
    takes_or_refuses(offset.parse_offset, text, target)


@settings(max_examples=300, deadline=None)
@given(text=st.text("0123456789(>)<#hdailbe=,-x", max_size=40))
def test_byte_comparisons(text):
    takes_or_refuses(byte_compare.parse_byte_compare, text)


@settings(max_examples=300, deadline=None)
@given(regex=st.text(max_size=30), flags=st.text("greismxAEUq", max_size=4))
def test_regular_expressions(regex, flags):
    takes_or_refuses(pcre.parse_pcre, f"0/{regex}/{flags}", 0, 1)


@settings(max_examples=200, deadline=None)
@given(line=st.text(max_size=100), name=st.text(max_size=10))
def test_digest_lists(line, name):
    looks_like_digest_list(line)
    takes_or_refuses(parse_list_line, line, name)


@settings(max_examples=150, deadline=None)
@given(text=st.text('[]{}="\n.#abc1 ', max_size=100))
def test_metadata_files(text):
    takes_or_refuses(lambda: list(read_metadata_lines(text)))


def _read_all(reader, data, name):
    return list(reader.read_bytes(data, name))


@pytest.mark.parametrize("ending", sorted({*LANGUAGES, *ARCHIVES, *LIST_ENDINGS, METADATA_FILE}))
@settings(max_examples=40, deadline=None)
@given(data=st.binary(max_size=300))
@example(data=b"\xef")  # the beginning of a mark, and no more
def test_any_file(ending, data):
    """A file of any content under any name that is read: lenient or not, no other error."""
    name = ending if ending == METADATA_FILE else f"some{ending}"
    for lenient in (False, True):
        reader = SourceReader(lenient=lenient)
        takes_or_refuses(_read_all, reader, data, name, allowed=TocsinError)


@pytest.mark.parametrize(
    "line",
    [
        "A:0:*:" + "(" * 20000,
        "A:0:*:" + "(61|" * 20000,
        "A:0:*:" + "{1}" * 20000,
        "A:0:*:" + "6162{1}" * 20000,
        "A:0:*:" + "6162{1-2}" * 20000,
        "A:0:*:" + "61??" * 20000,
        "A:0:*:6162" + "!(61|62)" * 20000,
        "A:0:*:6162" + "(61|6263)" * 20000,
    ],
    ids=lambda line: line[6:20],
)
def test_long_patterns_in_linear_time(line):
    """Forty times longer may take eighty times as long, but not the square of it."""
    takes_or_refuses(parse_text, Kind.BODY, line[: len(line) // 40])
    began = time.process_time()
    with contextlib.suppress(SignatureError):
        parse_text(Kind.BODY, line)
    assert time.process_time() - began < 5


@pytest.mark.parametrize(
    "expression_text",
    ["(" * 5000, "0&" * 5000 + "0", "(0&1)|" * 3000 + "0", "(" * 60 + "0" + ")" * 60, "0|" * 60],
)
def test_long_expressions(expression_text):
    takes_or_refuses(
        parse_text, Kind.LOGICAL, f"A;Engine:51-255,Target:0;{expression_text};6162;6263"
    )
