"""Parts of signatures in words."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.database.words import (
    bytes_words,
    expression_sentence,
    expression_tree,
    form_lines,
    offset_words,
)
from tocsin.signatures.clamav.body import parse_body
from tocsin.signatures.clamav.expression import parse_expression
from tocsin.signatures.clamav.offset import parse_offset


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("*", "anywhere in the object"),
        ("0", "at the very beginning"),
        ("16", "at byte 16"),
        ("16,4", "at byte 16 to 20"),
        ("0,1000", "at byte 0 to 1,000"),
        ("EOF-1", "1 byte before the end"),
        ("EOF-100,20", "100 bytes before the end, or up to 20 bytes later"),
        ("EP+0", "at the entry point"),
        ("EP+7", "7 bytes after the entry point"),
        ("EP-7,1", "7 bytes before the entry point, or up to 1 byte later"),
        ("S3+8", "8 bytes after the start of section 3"),
        ("SL+0", "at the start of the last section"),
        ("SE2", "in section 2"),
        ("VI", "in the version information"),
        ("$4$", "anywhere, as a member of macro group 4"),
    ],
)
def test_offsets(text, words):
    assert offset_words(parse_offset(text, 1)) == words


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", ""),
        (b"MZ", '"MZ"'),
        (b"\x4d\x5a\x90", "4d 5a 90"),
        (b"\x00This program\r\n", '00 "This program" 0d 0a'),
        (b"a\0b\0c\0", 'wide "abc"'),
        (b"\xff\xfeC\0:\0\\\0x\0", 'ff fe wide "C:\\x"'),
        (b'say "no"', "'say \"no\"'"),
        (b"\x1b[31m", '1b "[31m"'),
    ],
)
def test_bytes(data, words):
    assert bytes_words(data) == words


@given(st.binary(max_size=60))
def test_any_bytes_are_printable(data):
    assert bytes_words(data).isprintable()


@pytest.mark.parametrize(
    ("pattern", "lines"),
    [
        ("616263", ['"abc"  (3 bytes)']),
        (
            "6162??64??",
            ['"ab"  (2 bytes)', "1 arbitrary byte", '"d"  (1 byte)', "1 arbitrary byte"],
        ),
        ("6162{3}6364", ['"ab"  (2 bytes)', "3 arbitrary bytes", '"cd"  (2 bytes)']),
        ("6162*6364", ['"ab"  (2 bytes)', "then any number of bytes", '"cd"  (2 bytes)']),
        ("6162{4-}6364", ['"ab"  (2 bytes)', "then 4 or more bytes", '"cd"  (2 bytes)']),
        ("6162{-9}6364", ['"ab"  (2 bytes)', "then 0 to 9 arbitrary bytes", '"cd"  (2 bytes)']),
        ("6162a?", ['"ab"  (2 bytes)', "a byte a0 to af"]),
        ("6162?a", ['"ab"  (2 bytes)', "a byte whose lower half is a"]),
        ("6162(63|6465??)", ['"ab"  (2 bytes)', 'one of: "c" | "de" then 1 arbitrary byte']),
        ("6162!(63|64)", ['"ab"  (2 bytes)', '1 byte other than "c" or "d"']),
        ("(B)6162", ["a word boundary", '"ab"  (2 bytes)']),
        ("6162!(L)", ['"ab"  (2 bytes)', "no line boundary"]),
        ("6162(W)6364", ['"ab"  (2 bytes)', "a non-alphanumeric character", '"cd"  (2 bytes)']),
    ],
)
def test_patterns(pattern, lines):
    assert form_lines(parse_body(pattern).forms[0]) == lines


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("0", "#0"),
        ("0&1&2", "#0 and #1 and #2"),
        ("0&(1|2)", "#0 and (#1 or #2)"),
        ("0=0", "#0 never"),
        ("0>0", "#0 at least once"),
        ("0>1", "#0 more than 1 time"),
        ("0=3", "#0 exactly 3 times"),
        ("0<2", "#0 fewer than 2 times"),
        ("(0|1)>2", "[more than 2 times in all, counted over any of #0 or #1]"),
        (
            "(0|1)>2,2",
            "[more than 2 times in all and at least 2 different ones, "
            "counted over any of #0 or #1]",
        ),
    ],
)
def test_sentences(text, sentence):
    assert expression_sentence(parse_expression(text, 3)) == sentence


def test_tree():
    assert expression_tree(parse_expression("0&(1|(2&3=0))", 4)) == [
        "all of",
        "  #0",
        "  at least one of",
        "    #1",
        "    all of",
        "      #2",
        "      #3 never",
    ]
