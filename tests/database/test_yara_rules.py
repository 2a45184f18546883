"""Where rules begin and end in a YARA file's text."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tocsin.database.yara_rules import split_rules, without_rules


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("", []),
        ("rule A { condition: true }", ["A"]),
        ("rule A{condition:true}rule B{condition:true}", ["A", "B"]),
        (
            "private rule A { condition: true } global private rule B { condition: true }",
            ["A", "B"],
        ),
        ("rule A : t1 t2 { condition: true }", ["A"]),
        ("// rule X { condition: true }\nrule A { condition: true }", ["A"]),
        ("/* rule X { } */ rule A { condition: true }", ["A"]),
        (
            'rule A { strings: $a = "} rule X {" condition: $a } rule B { condition: true }',
            ["A", "B"],
        ),
        (r'rule A { strings: $a = "\"}" condition: $a } rule B { condition: true }', ["A", "B"]),
        (
            r"rule A { strings: $a = /[}]\/{2}/ condition: $a } rule B { condition: true }",
            ["A", "B"],
        ),
        ("rule A { strings: $a = { 7d [2-4] ( 7b | 7d ) } condition: $a }", ["A"]),
        ("rule A { strings: $a = { 7d // } rule X {\n 7b } condition: $a }", ["A"]),
        ('import "pe"\ninclude "x.yar"\nrule A { condition: true }', ["A"]),
        ("rule A { condition: true", []),
        ("} } rule A { condition: true }", ["A"]),
        ("rule", []),
        ("rule { }", []),
    ],
)
def test_names(text, names):
    assert [rule.name for rule in split_rules(text)] == names


def test_places():
    text = "// one\nprivate rule A { condition: true }\n\nrule B { condition: A }\n"
    first, second = split_rules(text)
    assert text[first.start : first.end] == "private rule A { condition: true }"
    assert text[second.start : second.end] == "rule B { condition: A }"


def test_cutting_out_keeps_line_numbers():
    text = "rule A\n{\ncondition: true\n}\nrule B { condition: true }\n"
    cut = without_rules(text, ["A"])
    assert [rule.name for rule in split_rules(cut)] == ["B"]
    assert cut.index("rule B") == 4
    assert without_rules(text, ["C"]) == text


def test_of_equal_names_the_last_goes():
    text = "rule A { condition: true }\nrule A { condition: false }\n"
    assert "true" in without_rules(text, ["A"])
    assert "false" not in without_rules(text, ["A"])


def test_the_default_rules_are_all_seen():
    import yara_x

    from tocsin.database.cache import default_sources

    for file in sorted(default_sources().glob("*.yar")):
        text = file.read_text(encoding="utf-8")
        compiled = [rule.identifier for rule in yara_x.compile(text)]
        seen = [rule.name for rule in split_rules(text)]
        assert set(compiled) <= set(seen)
        assert len(seen) == len(set(seen))


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from(["rule ", "A ", "{", "}", '"', "/", "*", "\\", "\n", "x"])))
def test_any_text(pieces):
    text = "".join(pieces)
    for rule in split_rules(text):
        assert text[rule.end - 1] == "}"
    without_rules(text, ["A", "x"])


@pytest.mark.parametrize("piece", ["/*", '"', "/a", "rule A {", "}", "\\", '"\\'])
def test_long_texts_do_not_take_long(piece):
    began = time.perf_counter()
    list(split_rules(piece * 20_000))
    assert time.perf_counter() - began < 5
