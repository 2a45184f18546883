"""Possessive groups mean the same on every Python."""

from __future__ import annotations

import re
from pathlib import Path

import pcre2
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tocsin
from tocsin.patterns import compile_pattern, spelt_out

SOURCES = sorted(Path(tocsin.__file__).parent.rglob("*.py"))
POSSESSIVE_GROUP = re.compile(r"\)(?:[*+?]|\{[0-9]*,?[0-9]*\})\+")
ALPHABET = "binhex.py"  # its 64 characters look like one
OWN_CALL = re.compile(r"\bre\.(?:compile|match|search|fullmatch|sub|subn|split|find\w+)\(")


@pytest.mark.parametrize(
    ("pattern", "text", "matched"),
    [
        ("(?:ab?c)*+", "aca", "ac"),
        ("(?:ab?c)++", "acabca", "acabc"),
        ("(?:ab?+c)*+", "aca", "ac"),
        ("(?:ab*?c)*+", "acaba", "ac"),
        ("(?:ab?c)?+", "abx", ""),
        ("(?:[ab]++|c(?=d)d)*+", "abcdc", "abcd"),
        ("(?:ab?c){1,2}+", "acabcac", "acabc"),
        ("(?:(?:a|b)*+[)]c)*+", "ab)ca", "ab)c"),
        (r"(?:\)b?c)*+", ")c)", ")c"),
        (r"(?:[]x]b?c)*+", "]c]", "]c"),
        (r"(?:[^]x]b?c)*+", "yc]", "yc"),
    ],
)
def test_what_is_matched(pattern: str, text: str, matched: str) -> None:
    assert compile_pattern(pattern).match(text)[0] == matched
    assert re.match(spelt_out(pattern), text)[0] == matched
    assert compile_pattern(pattern.encode()).match(text.encode())[0] == matched.encode()


def test_more_times_round_than_are_kept_at_once() -> None:
    found = re.match(spelt_out("(?:ab?c)*+"), "abcac" * 1000 + "ab")
    assert found is not None
    assert found.end() == 5000


def test_captures_are_the_last_ones() -> None:
    assert re.match(spelt_out("(a(b)?c)*+"), "abcaca").groups() == ("ac", "b")


def test_what_is_not_possessive_stays() -> None:
    for pattern in ("a*+", "[^x]++", r"\)*+", "(?:a)*", "[)]*+", "(?P<a>b)?", r"(?:a\++)+"):
        assert spelt_out(pattern) == pattern


PIECES = st.sampled_from(["a", "b", "c", "ab?c", "a|b", "b*?c", "[ab]++", "a(?=b)", "b{1,2}c"])
QUANTIFIERS = st.sampled_from(["*+", "++", "?+", "{0,2}+", "{1,3}+", "{2}+", "*", "?"])
PATTERNS = st.recursive(
    PIECES,
    lambda inner: st.tuples(inner, inner, QUANTIFIERS).map(lambda p: f"(?:{p[0]}{p[1]}){p[2]}"),
    max_leaves=5,
)


@given(PATTERNS, st.text("abc", max_size=12))
def test_both_ways_to_write_it_match_the_same(pattern: str, text: str) -> None:
    # By PCRE2: Python 3.11's own `re` misses `(?:a|ba|b){2}+` on "ba".
    expected = pcre2.compile(f"\\A(?:{pattern})").match(text)
    found = re.match(spelt_out(pattern), text)
    assert (found and found.span()) == (expected and expected.span())


def test_nobody_compiles_possessive_groups_directly() -> None:
    wrong = [
        str(path)
        for path in SOURCES
        if path.name not in ("patterns.py", ALPHABET)
        and POSSESSIVE_GROUP.search(path.read_text(encoding="utf-8"))
        and OWN_CALL.search(path.read_text(encoding="utf-8"))
    ]
    assert wrong == []
