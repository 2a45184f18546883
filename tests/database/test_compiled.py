"""Patterns compiled to what the index stores, and the atoms chosen for them.

What an atom promises is checked on bytes: wherever the pattern stands, its atom stands too, at
the distance that is stated.
"""

from __future__ import annotations

import re

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tocsin.database.atoms import body_atoms, required
from tocsin.database.compiled import PatternNumbers, compile_content, part_lengths
from tocsin.errors import SignatureError
from tocsin.signatures.clamav.body import Alternatives, Boundary, Masked, parse_body
from tocsin.signatures.clamav.expression import parse_expression
from tocsin.signatures.clamav.logical import Content
from tocsin.signatures.clamav.offset import ANYWHERE


def part_regex(pattern, modifiers=""):
    """The only part's literal or expression, as one Python expression."""
    compiled = compile_content(ANYWHERE, parse_body(pattern, modifiers), PatternNumbers())
    literal, source = compiled[2][0][0][0][:2]
    return re.compile(source if literal is None else re.escape(literal), re.DOTALL)


@pytest.mark.parametrize(
    ("pattern", "modifiers", "matching", "others"),
    [
        ("616263", "", [b"abc"], [b"abd", b"ABC"]),
        ("6162??63", "", [b"ab\nc", b"ab\xffc"], [b"abc"]),
        ("6162a?", "", [b"ab\xa0", b"ab\xaf"], [b"ab\xb0"]),
        ("6162?a", "", [b"ab\x0a", b"ab\xfa"], [b"ab\x0b"]),
        ("6162(63|6465)66", "", [b"abcf", b"abdef"], [b"abf", b"abcdef"]),
        ("6162!(63|64)66", "", [b"abxf"], [b"abcf", b"abdf", b"abf"]),
        ("2e2a5b28", "", [b".*[("], [b"xxxx"]),
        ("6162??", "i", [b"AbX"], [b"xbX"]),
        ("6162", "f", [b"ab", b" ab.", b"\xe9ab"], [b"xab", b"ab1"]),
        ("6162(L)", "", [b"ab\n", b"ab\r\n", b"ab"], [b"abc"]),
        ("(L)6162", "", [b"ab", b"\nab"], [b"cab"]),
    ],
)
def test_regular_expressions(pattern, modifiers, matching, others):
    regex = part_regex(pattern, modifiers)
    for data in matching:
        assert regex.search(data), data
    for data in others:
        assert not regex.search(data), data


HEX = st.sampled_from(["00", "ff", "41", "61", "7a", "90", "e8", "0d", "0a", "5c", "2a"])
LITERAL = st.lists(HEX, min_size=2, max_size=9).map("".join)
PIECE = st.one_of(
    LITERAL,
    st.sampled_from(["??", "4?", "?1", "{3}", "{1-4}", "*", "(41|42)", "(4142|43??)", "!(41|42)"]),
)
PATTERNS = st.tuples(LITERAL, st.lists(PIECE, max_size=6).map("".join), LITERAL).map("".join)


def sample_of(elements, data):
    """Bytes that a row of elements matches."""
    found = bytearray()
    for element in elements:
        if isinstance(element, bytes):
            found += element
        elif isinstance(element, Masked):
            free = data.draw(st.integers(0, 255)) & ~element.mask
            found.append(element.value | free)
        elif isinstance(element, Alternatives):
            if element.negated:
                found += b"\x00" * element.length
            else:
                found += sample_of(data.draw(st.sampled_from(element.options)), data)
        else:
            assert isinstance(element, Boundary)
    return bytes(found)


@settings(max_examples=300, deadline=None)
@given(pattern=PATTERNS, modifiers=st.sampled_from(["", "i", "w", "wa"]), data=st.data())
def test_the_atom_stands_where_it_says(pattern, modifiers, data):
    try:
        body = parse_body(pattern, modifiers)
    except SignatureError:
        assume(False)
    atoms = body_atoms(body)
    if not atoms:
        return
    assert len(atoms) == len(body.forms)
    compiled = compile_content(ANYWHERE, body, PatternNumbers())
    for form, laid_out, atom in zip(body.forms, compiled[2], atoms, strict=True):
        for number, part in enumerate(form.parts):
            sample = sample_of(part, data)
            literal, source = laid_out[0][number][:2]
            shortest, longest = part_lengths(part)
            assert shortest <= len(sample) <= longest
            if literal is None:
                assert re.compile(source, re.DOTALL).fullmatch(sample)
            else:
                assert literal == (sample.lower() if body.nocase else sample)
            if number == atom.part:
                regex = re.compile(atom.pattern, re.DOTALL | (re.I if atom.nocase else 0))
                ends = [
                    m.end()
                    for m in re.finditer(
                        b"(?=(" + atom.pattern + b"))",
                        sample,
                        re.DOTALL | (re.I if atom.nocase else 0),
                    )
                ]
                assert regex.search(sample)
                starts = [end + len(regex.match(sample, end)[0]) for end in ends]
                assert atom.distance in starts


@pytest.mark.parametrize(
    ("expression", "needed"),
    [
        ("0", {0}),
        ("0&1", {1}),
        ("0|1", {0, 1}),
        ("0&(1|2)", {1, 2}),
        ("2&(0|1)", {2}),
        ("0=0", None),
        ("0&1=0", {0}),
        ("0|1=0", None),
        ("0<3", None),
        ("0>2", {0}),
        ("(0|1)>2,2", {0, 1}),
        ("(0&1)<2", None),
    ],
)
def test_what_an_expression_cannot_do_without(expression, needed):
    subs = tuple(Content(ANYWHERE, parse_body("61626364")) for _ in range(3))
    found = required(parse_expression(expression, 3), subs, [20, 10, 5])
    assert (None if found is None else set(found.subs)) == needed


def test_equal_patterns_have_equal_numbers():
    numbers = PatternNumbers()
    texts = ["616263", "616264", "616263"]
    found = [compile_content(ANYWHERE, parse_body(text), numbers)[-1] for text in texts]
    assert found[0] == found[2] != found[1]
    assert compile_content(ANYWHERE, parse_body("616263", "i"), numbers)[-1] not in found
