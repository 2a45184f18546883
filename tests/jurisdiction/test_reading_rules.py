"""Files of rules are read whole, or refused with the line and key of everything that is wrong."""

from __future__ import annotations

import copy
import json
import os
import tomllib
from datetime import date, datetime
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rules_for_tests import book, instrument, rule, the_book

from tocsin.errors import InvalidRules, LawError
from tocsin.jurisdiction.folder import BrokenRulebook, packaged, read_folder, read_own
from tocsin.jurisdiction.reading import read_edition, read_instrument, read_supplier
from tocsin.jurisdiction.rulebook import Rulebook, read_portable
from tocsin.jurisdiction.schema import json_schema

RULES = Path(str(packaged())) / "rules"
GOOD = (RULES / "de-bsi-2022.toml").read_text("utf-8")
WIDE = (RULES / "us-bis-icts-2021-002.toml").read_text("utf-8")


def wrong_with(text: str) -> list[tuple[int, str, str]]:
    with pytest.raises(InvalidRules) as caught:
        read_instrument(text.encode(), "x.toml")
    return [(each.line, each.key, each.reason) for each in caught.value.problems]


def line_of(text: str, beginning: str) -> int:
    return next(n for n, line in enumerate(text.splitlines(), 1) if line.startswith(beginning))


@pytest.mark.parametrize(
    ("old", "new", "beginning", "key", "reason"),
    [
        ('kind = "warning"', 'kind = "warnung"', "kind", "[[rule]] 1 'antivirus': kind",
         "did you mean warning?"),
        ("effective = 2022-03-15T00:00:00+01:00", "effective = 2022-03-15T00:00:00",
         "effective", "[[rule]] 1 'antivirus': effective", "an instant with its zone"),
        ("effective = 2022-03-15T00:00:00+01:00", "effective = 2022-03-15",
         "effective", "[[rule]] 1 'antivirus': effective", "not 2022-03-15"),
        ("announced = 2022-03-15", 'announced = "2022-03-15"', "announced", "announced",
         "a date without quotes"),
        ('jurisdiction = "DE"', 'jurisdiction = "XX"', "jurisdiction", "jurisdiction",
         "is no country"),
        ('jurisdiction = "DE"', 'jurisdiction = "de"', "jurisdiction", "jurisdiction", "write DE"),
        ('status = "in-force"', 'status = "in force"', "status", "status",
         "did you mean in-force?"),
        ('products = ["antivirus"]', 'product = ["antivirus"]', "product",
         "[[rule]] 1 'antivirus': product", "did you mean products?"),
        ('products = ["antivirus"]', "products = []", "products",
         "[[rule]] 1 'antivirus': products", "could never apply"),
        ('binds = ["nobody"]', 'binds = ["everyone"]', "binds", "[[rule]] 1 'antivirus': binds",
         "a warning obliges nobody"),
        ('nexus = { places = ["DE"] }', "nexus = { }", "nexus", "[[rule]] 1 'antivirus': nexus",
         "could never apply"),
        ('"install", "use"]', '"install", "scan"]', "operations",
         "[[rule]] 1 'antivirus': operations", "always allowed"),
        ('suppliers = ["kaspersky"]', "suppliers = []", "suppliers", "suppliers",
         "at least one supplier"),
        ('link = "https://www.bsi.bund.de/"', 'link = "javascript:1"', "link", "link",
         "expected an address"),
        ('id = "de-bsi-2022"', 'id = "DE BSI"', "id", "id", "lower-case letters"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_with_line_and_key(
    old: str, new: str, beginning: str, key: str, reason: str
) -> None:
    assert old in GOOD
    text = GOOD.replace(old, new)
    ((line, told, said), *others) = [each for each in wrong_with(text) if each[1] == key]
    assert (line, told) == (line_of(text, beginning), key)
    assert reason in said
    assert not others


def test_all_mistakes_of_a_file_are_told_at_once() -> None:
    text = GOOD.replace("warning", "warnung").replace('"DE"', '"QQ"').replace("title", "titel")
    assert len(wrong_with(text)) >= 4


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"id = ", "not TOML"),
        (b"\xff\xfe", "not UTF-8"),
        (b"", "is missing"),
        (b"id = 1\n", "expected text in quotes"),
        (b"#" * (1 << 20) + b"\n", "larger than"),
        (b"a = " + b"[" * 5000, "nested too deeply"),
        (GOOD.replace("Warning", "Warn\\u001bing").encode(), "printable"),
    ],
)
def test_what_is_no_file_of_rules(content: bytes, reason: str) -> None:
    with pytest.raises(InvalidRules, match=reason):
        read_instrument(content, "x.toml")


@pytest.mark.parametrize(
    ("key", "value", "reason"),
    [
        ("ends", "2020-01-01T00:00:00Z", "not after effective"),
        ("certain_from", "2022-03-14T23:00:00Z", "not after effective"),
        ("comply_by", "2020-01-01T00:00:00Z", "before effective"),
        ("exempts", '["us-bis-icts-2021-002"]', "only an exemption"),
    ],
)
def test_times_and_words_that_contradict_each_other(key: str, value: str, reason: str) -> None:
    text = GOOD.replace("effective =", f"{key} = {value}\neffective =")
    ((line, told, said),) = wrong_with(text)
    assert line == line_of(text, key)
    assert told.endswith(key)
    assert reason in said


def test_two_rules_of_one_name() -> None:
    text = WIDE.replace('name = "renewals"', 'name = "new-agreements"')
    ((_, key, said),) = wrong_with(text)
    assert key == "[[rule]] 2 'new-agreements': name"
    assert "another rule" in said


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_any_bytes_are_read_or_refused(content: bytes) -> None:
    for read in (read_instrument, read_supplier, read_edition):
        with pytest.raises(InvalidRules):
            read(content, "x.toml")


@given(st.integers(0, len(WIDE) - 1), st.characters())
def test_a_file_with_one_character_changed_is_read_or_refused(place: int, other: str) -> None:
    text = WIDE[:place] + other + WIDE[place + 1 :]
    try:
        read_instrument(text.encode("utf-8", "replace"), "x.toml")
    except InvalidRules as error:
        assert error.problems  # noqa: PT017


# --- a book ---------------------------------------------------------------------------------


def test_a_folder_tells_the_mistakes_of_all_its_files(tmp_path: Path) -> None:
    (tmp_path / "rules").mkdir()
    for name in ("one", "two"):
        (tmp_path / "rules" / f"{name}.toml").write_text(GOOD.replace("warning", name))
    (tmp_path / "rules" / "three.toml").write_text(GOOD)
    with pytest.raises(BrokenRulebook) as caught:
        read_own(tmp_path, the_book())
    said = "\n".join(caught.value.lines())
    assert "one.toml:" in said
    assert "two.toml:" in said
    assert "must be called de-bsi-2022.toml" in said


def test_ones_own_rule_about_a_supplier_of_the_book(tmp_path: Path) -> None:
    (tmp_path / "rules").mkdir()
    text = GOOD.replace('id = "de-bsi-2022"', 'id = "our-policy"')
    (tmp_path / "rules" / "our-policy.toml").write_text(text)
    assert "our-policy" in read_own(tmp_path, the_book()).instruments
    (tmp_path / "rules" / "our-policy.toml").write_text(
        text.replace('["kaspersky"]', '["nobody-knows"]')
    )
    with pytest.raises(LawError, match="nobody-knows"):
        read_own(tmp_path, the_book())


def test_a_pipe_among_the_files_is_not_waited_for(tmp_path: Path) -> None:
    (tmp_path / "rules").mkdir()
    os.mkfifo(tmp_path / "rules" / "pipe.toml")
    with pytest.raises(BrokenRulebook, match="not a file"):
        read_own(tmp_path, the_book())


def test_an_empty_folder_is_no_rulebook(tmp_path: Path) -> None:
    with pytest.raises(LawError, match=r"rules/\*\.toml"):
        read_folder(tmp_path)


def test_an_exemption_from_what_is_not_there() -> None:
    from tocsin.jurisdiction.vocabulary import Kind

    with pytest.raises(LawError, match="not in the book"):
        book(instrument(rule("free", kind=Kind.EXEMPTION, exempts=("nothing",))))


def test_two_of_one_identifier() -> None:
    with pytest.raises(LawError, match="two files describe 'xx-act'"):
        book(instrument(rule()), instrument(rule()))


def test_a_supplier_is_found_by_any_of_its_names() -> None:
    for name in ("kaspersky", "Kaspersky", "AO Kaspersky Lab", "kaspersky lab, inc."):
        assert the_book().supplier(name).id == "kaspersky"
    with pytest.raises(LawError, match="it knows: kaspersky"):
        the_book().supplier("kasperski")


# --- the portable form ----------------------------------------------------------------------


def test_the_portable_form_is_one_whatever_the_files_look_like() -> None:
    text = WIDE.replace("2024-09-29T00:00:00-04:00", "2024-09-29T04:00:00Z")
    other = read_instrument(text.encode(), "x.toml")
    rest = [each for each in the_book().instruments.values() if each.id != other.id]
    made = Rulebook([*reversed(rest), other], the_book().suppliers.values(), the_book().edition)
    assert made.to_bytes() == the_book().to_bytes()


def test_the_portable_form_is_read_back() -> None:
    data = the_book().to_bytes()
    read = read_portable(data)
    assert read.to_bytes() == data
    assert read.edition.checked == date(2026, 11, 29)
    assert len(read.rules) == len(the_book().rules)


@pytest.mark.parametrize(
    "change",
    [
        lambda data: b" " + data,
        lambda data: data.replace(b'"format":1', b'"format":2'),
        lambda data: data.replace(b'"format":1', b'"format":1,"more":1'),
        lambda data: data[:-1],
        lambda data: data.replace(b"2024-09-29T04:00:00Z", b"2024-09-29T00:00:00-04:00"),
        lambda _: b"[" * 100_000,
        lambda _: b"\xff",
        lambda _: b" " * ((16 << 20) + 1),
    ],
)
def test_every_other_form_is_refused(change: Any) -> None:
    with pytest.raises(LawError):
        read_portable(change(the_book().to_bytes()))


# --- the schema -----------------------------------------------------------------------------


def as_json(value: Any) -> Any:
    return json.loads(
        json.dumps(value, default=lambda each: each.isoformat())
        if not isinstance(value, date)
        else json.dumps(value.isoformat())
    )


@pytest.mark.parametrize("path", sorted(RULES.glob("*.toml")), ids=lambda path: path.stem)
def test_every_file_of_the_book_fits_the_published_schema(path: Path) -> None:
    schema = json_schema("instrument")
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(as_json(tomllib.loads(path.read_text("utf-8"))), schema)


@pytest.mark.parametrize(
    "change",
    [
        lambda values: values.pop("citation"),
        lambda values: values.update(more=1),
        lambda values: values.update(jurisdiction="XX"),
        lambda values: values["rule"][0].update(kind="warnung"),
        lambda values: values["rule"][0].update(nexus={"place": ["DE"]}),
        lambda values: values.update(id="A B"),
    ],
)
def test_schema_and_reader_refuse_the_same(change: Any) -> None:
    values = tomllib.loads(GOOD)
    change(values)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(as_json(copy.deepcopy(values)), json_schema("instrument"))
    with pytest.raises(InvalidRules):
        read_instrument(as_toml(values).encode(), "x.toml")


def as_toml(values: dict[str, Any]) -> str:
    lines = [f"{key} = {one(value)}" for key, value in values.items() if key != "rule"]
    for table in values["rule"]:
        lines += ["[[rule]]", *(f"{key} = {one(value)}" for key, value in table.items())]
    return "\n".join(lines)


def one(value: Any) -> str:
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {one(each)}" for key, each in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(map(one, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


def test_the_example_in_the_documentation_is_a_rule() -> None:
    page = (Path(__file__).parents[2] / "docs" / "jurisdiction.md").read_text("utf-8")
    example = page.partition("```toml\n")[2].partition("```")[0]
    read = read_instrument(example.encode(), "our-policy.toml")
    assert read.id == "our-policy"
    assert read.rules[0].kind == "use-ban"


def test_every_word_of_the_vocabulary_is_explained() -> None:
    from tocsin.jurisdiction import vocabulary as words

    for enum, explained in (
        (words.Operation, words.OPERATIONS),
        (words.Product, words.PRODUCTS),
        (words.Kind, words.KINDS),
        (words.Addressee, words.ADDRESSEES),
        (words.Circumstance, words.CIRCUMSTANCES),
        (words.PersonTie, words.PERSON_TIES),
        (words.Basis, words.BASES),
        (words.MarkerKind, words.MARKER_KINDS),
        (words.Outcome, words.OUTCOMES),
    ):
        assert list(explained) == list(enum)
    assert words.FORBIDDING | words.WARNING | {words.Kind.EXEMPTION} == set(words.Kind)
