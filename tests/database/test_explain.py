"""Signatures in words: every kind says something, and what it says is what is parsed."""

from __future__ import annotations

import json

import pytest
from signature_samples import LINES, MD5

from tocsin.database.explain import explain, explain_all, explanation_values
from tocsin.database.inspect import Entry
from tocsin.signatures.parse import signature_name
from tocsin.signatures.records import Kind, Record, Source

SOURCE = Source("a", "00" * 32)


def entry(kind, text):
    return Entry(signature_name(kind, text), Record(kind, text, SOURCE, detail="bytecode"))


@pytest.mark.parametrize(("kind", "line"), LINES)
def test_every_kind_is_explained(kind, line):
    explanation = explain(entry(kind, line))
    assert explanation.summary
    assert "malformed" not in explanation.summary
    assert json.loads(json.dumps(explanation_values(explanation)))["summary"]


def words_of(kind, text):
    explanation = explain(entry(kind, text))
    parts = [line for part in explanation.parts for line in (part.title, *part.lines)]
    return explanation, parts


def test_logical():
    explanation, parts = words_of(
        Kind.LOGICAL,
        "A;Engine:81-255,Target:1,FileSize:10-20,EntryPoint:1-2,NumberOfSections:3-3,"
        "Container:CL_TYPE_ZIP,Intermediates:CL_TYPE_ZIP>CL_TYPE_RAR;0&1&2&3;"
        "EP+4:4d5a??::i;6162636465::fwa;0/x;y/gi;1(<<2#hl4#=0x1f)",
    )
    assert dict(explanation.facts) == {
        "objects": "Windows executables (PE) (target 1)",
        "engine levels": "81 to 255",
        "bytes": "10 to 20",
        "entry point at byte": "1 to 2",
        "sections": "3",
        "directly inside": "ZIP",
        "inside, outermost first": "ZIP > RAR",
    }
    assert explanation.sentence == "#0 and #1 and #2 and #3"
    assert parts == [
        "#0: 4 bytes after the entry point, letters in either case",
        '"MZ"  (2 bytes)',
        "1 arbitrary byte",
        "#1: anywhere in the object, no letter or digit directly before or behind, "
        "wide characters or plain ones",
        "with a NUL behind each byte:",
        '  wide "abcde"  (10 bytes)',
        "or, one byte a character:",
        '  "abcde"  (5 bytes)',
        "#2: a regular expression, anywhere in the object",
        "/x;y/",
        "tried when: #0",
        "g: count every match",
        "i: letters in either case",
        "#3: a byte comparison",
        "4 bytes at 2 bytes before the start of #1, read as hexadecimal digits, "
        "the least significant byte first",
        "the number is equal to 31",
    ]


def test_the_atom_is_the_one_of_the_index(tmp_path):
    """What is explained is what is searched for: the index holds the same pattern."""
    from tocsin.database.atoms import body_atoms
    from tocsin.signatures.clamav.body import parse_body

    explanation, _ = words_of(Kind.BODY, "A:0:*:0000000000{4}b8deadbeefcafe*4d5a9000")
    assert explanation.atoms == ["b8 de ad be ef ca fe (commonness 9)"] or (
        explanation.atoms[0].startswith("b8 de ad be ef ca fe")
    )
    (atom,) = body_atoms(parse_body("0000000000{4}b8deadbeefcafe*4d5a9000"))
    assert atom.pattern == rb"\xb8\xde\xad\xbe\xef\xca\xfe"


def test_without_an_atom():
    explanation, _ = words_of(Kind.LOGICAL, "A;Engine:51-255,Target:0;0=0;61626364")
    assert explanation.atoms == ["nothing: every object of its target is looked at"]


@pytest.mark.parametrize(
    ("kind", "text", "summary"),
    [
        (Kind.FILE_DIGEST, f"{MD5}:68:A", "an object of 68 bytes with this MD5"),
        (Kind.FILE_DIGEST, f"{MD5}:*:A:73", "an object of any size with this MD5"),
        (Kind.CONTAINER, "A:CL_TYPE_ZIP:*:x:*:*:*:*:*:*", "a member of a container of type ZIP"),
        (Kind.CONTAINER, "A:*:*:x:*:*:*:*:*:*", "a member of any container"),
        (Kind.IGNORE, "A", "an exception: the signature of this name is not used"),
        (Kind.BODY, "A:5:EOF-9:616263", "these bytes 9 bytes before the end, in pictures"),
        (Kind.BODY, "A:0:*", "malformed: "),
        (Kind.LOGICAL, "A;Engine:1000-2000,Target:0;0;6162", "nothing here: "),
        (Kind.UNEVALUATED, "x", "recognised (bytecode) and kept"),
    ],
)
def test_summaries(kind, text, summary):
    assert explain(entry(kind, text)).summary.startswith(summary)


@pytest.mark.parametrize(
    ("kind", "text", "reason"),
    [
        (Kind.BODY, "A:8:*:616263", "target 8"),
        (Kind.LOGICAL, "A;Engine:51-255,Target:1,IconGroup1:X;0;6162", "icon groups"),
        (Kind.LOGICAL, "A;Engine:51-255,Target:1;0;6162", ""),
        (Kind.UNEVALUATED, "x", "bytecode"),
    ],
)
def test_what_is_not_evaluated_is_named(kind, text, reason):
    assert explain(entry(kind, text)).unevaluated == reason


def test_yara_meta():
    text = (
        'rule A { meta: why = "be\\"cause" level = "test" n = 5 strings: $a = "x" condition: $a }'
    )
    record = Record(Kind.YARA, text, SOURCE)
    facts = dict(explain(Entry("A", record)).facts)
    assert facts == {"why": 'be"cause', "level": "test", "n": "5"}


def test_metadata_become_facts_of_their_signature():
    found = [
        entry(Kind.METADATA, '["A", {"why": "because", "level": "test"}]'),
        entry(Kind.BODY, "A:0:*:616263"),
        entry(Kind.METADATA, '["B", {"why": "alone"}]'),
    ]
    explained = explain_all(found)
    assert [e.name for e, _ in explained] == ["A", "B"]
    assert dict(explained[0][1].facts)["why"] == "because"
    assert dict(explained[1][1].facts) == {"why": "alone"}
