"""Expressions become globs that match the same paths, or none."""

from __future__ import annotations

import fnmatch
import re

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tocsin.protect.migrate.path_patterns import globs_of


@pytest.mark.parametrize(
    ("expression", "globs"),
    [
        ("^/proc/", ["/proc/*"]),
        (r"\.iso$", ["/*.iso"]),
        (r"(foo|bar)\.tmp$", ["/*foo.tmp", "/*bar.tmp"]),
        ("^/(lib|srv)/x?y", ["/lib/xy*", "/lib/y*", "/srv/xy*", "/srv/y*"]),
        (".*\\.log", ["/*.log*"]),
        (r"[Tt]humbs\.db$", ["/*[Tt]humbs.db"]),
        ("^/home/.{2,3}$", ["/home/??", "/home/???"]),
        ("^/a[^b-d]$", ["/a[!b-d]"]),
        ("^/mnt/a b", ["/mnt/a b*"]),
        (r"^/a\*b$", ["/a[*]b"]),
    ],
)  # fmt: skip
def test_expressions_that_have_globs(expression, globs):
    assert globs_of(expression) == globs


@pytest.mark.parametrize(
    "expression",
    [r"\d+", "a+", "(ab)*", "[[:digit:]]", "[^/]+", "a**", "(", ")", "x)", "*x", "a{2", "[a",
     "a^b", "a$b", "(^a)", r"(a)\1", "[b-a]", "(" * 50, "(a|b)" * 7, "a" * 2000, "a{0,99}",
     "[!a]b"],
)  # fmt: skip
def test_expressions_that_have_none(expression):
    assert globs_of(expression) is None


ATOMS = st.sampled_from(
    ["a", "b", "/", ".", r"\.", "[ab]", "[^a]", "[^/]", ".*", ".+", "a?", "(a|b/)", ".?", "b{2}",
     "(/a|b)?", r"\*", "-", "[/b]", "[a-z]", " "]
)  # fmt: skip
EXPRESSIONS = st.tuples(
    st.sampled_from(["", "^"]), st.lists(ATOMS, max_size=5).map("".join), st.sampled_from(["", "$"])
).map("".join)
PATHS = st.text(alphabet="ab/.* -", max_size=7).map(lambda rest: "/" + rest)


@settings(max_examples=200)
@given(EXPRESSIONS | st.tuples(EXPRESSIONS, EXPRESSIONS).map("|".join), st.lists(PATHS, max_size=8))
def test_globs_match_what_the_expression_is_found_in(expression, paths):
    globs = globs_of(expression)
    assume(globs is not None)  # more than 64 of them are none
    assert all("/" in glob for glob in globs)
    for path in paths:
        found = re.search(expression, path, re.S) is not None
        assert any(fnmatch.fnmatchcase(path, glob) for glob in globs) is found


@settings(max_examples=150)
@given(st.text(alphabet="ab/.^$*+?{}[]()|\\1,:-", max_size=40))
def test_any_text_is_answered(expression):
    globs = globs_of(expression)
    assert globs is None or len(globs) <= 64
