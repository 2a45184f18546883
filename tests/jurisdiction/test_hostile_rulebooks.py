"""A rulebook that others made is held against everything that a file is held against."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rules_for_tests import the_book

from tocsin.app.law_editions import try_edition
from tocsin.errors import InvalidRules, LawError
from tocsin.jurisdiction.model import Edition
from tocsin.jurisdiction.reading import read_instrument
from tocsin.jurisdiction.rulebook import Rulebook, read_portable

FIRST = "de-bsi-2022"


def small() -> dict[str, Any]:
    """A portable rulebook with one instrument, as plain values."""
    book = the_book()
    edition = Edition(number=2, checked=book.edition.checked)
    made = Rulebook([book.instruments[FIRST]], book.suppliers.values(), edition)
    return json.loads(made.to_bytes())  # type: ignore[no-any-return]


def portable(values: Any) -> bytes:
    return msgspec.json.encode(values, order="sorted")


def changed(key: str, value: object, *, of_rule: bool = False) -> bytes:
    values = small()
    place = values["instruments"][0]
    (place["rule"][0] if of_rule else place)[key] = value
    return portable(values)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (lambda: changed("title", "two\nlines"), "title: expected one line of printable text"),
        (lambda: changed("title", "x" * 2001), "title: longer than 2,000 characters"),
        (lambda: changed("link", "javascript:alert(1)"), "link: expected an address"),
        (lambda: changed("id", "../../etc"), "id: expected lower-case letters"),
        (lambda: changed("jurisdiction", "XX"), "jurisdiction: 'XX' is no country"),
        (lambda: changed("suppliers", []), "needs at least one supplier"),
        (lambda: changed("operations", ["delete-data"], of_rule=True), "it is always allowed"),
        (lambda: changed("products", [], of_rule=True), "could never apply"),
        (lambda: changed("binds", ["everyone"], of_rule=True), "obliges nobody"),
        (lambda: changed("effective", "2999-01-01T00:00:00Z", of_rule=True), "from 1900 to 2200"),
        (lambda: changed("ends", "1899-01-01T00:00:00Z", of_rule=True), "from 1900 to 2200"),
        (lambda: changed("ends", "2000-01-01T00:00:00Z", of_rule=True), "not after effective"),
    ],
)
def test_a_mistake_that_a_file_is_refused_for_is_one(data: Callable[[], bytes], said: str) -> None:
    with pytest.raises(LawError, match="has a mistake in it") as caught:
        read_portable(data())
    assert said in str(caught.value)


def test_what_is_said_of_many_mistakes_is_bounded() -> None:
    values = small()
    rule = values["instruments"][0]["rule"][0]
    values["instruments"][0]["rule"] = [{**rule, "summary": "\x07" * 100}] * 2_000
    with pytest.raises(LawError) as caught:
        read_portable(portable(values))
    assert len(str(caught.value)) < 1_000


def test_years_without_sense_are_mistakes_in_files_as_well() -> None:
    from tocsin.jurisdiction.folder import packaged

    text = packaged().joinpath("rules", f"{FIRST}.toml").read_text("utf-8")
    wrong = text.replace("effective = 2022-", "effective = 9999-")
    assert wrong != text
    with pytest.raises(InvalidRules, match="the year is not from 1900 to 2200"):
        read_instrument(wrong.encode(), "x.toml")


def leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Paths to everything in plain values."""
    yield path
    items: Any = value.items() if isinstance(value, dict) else ()
    for key, each in enumerate(value) if isinstance(value, list) else items:
        yield from leaves(each, (*path, key))


SMALL = small()
PATHS = [path for path in leaves(SMALL) if path]
ANYTHING = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=30), st.just([]), st.just({}), st.just([[]]),
    st.datetimes(timezones=st.timezones()).map(lambda time: time.isoformat()),
    st.sampled_from(PATHS).map(lambda path: at(SMALL, path)),
)  # fmt: skip


def at(value: Any, path: tuple[Any, ...]) -> Any:
    for key in path:
        value = value[key]
    return value


@settings(max_examples=250)
@given(st.lists(st.tuples(st.sampled_from(PATHS), ANYTHING), min_size=1, max_size=3))
def test_whatever_is_put_into_one_it_is_refused_or_usable(
    changes: list[tuple[tuple[Any, ...], Any]],
) -> None:
    values = copy.deepcopy(SMALL)
    for path, new in changes:
        try:
            place = at(values, path[:-1])
            if isinstance(place, dict) and not isinstance(path[-1], str):
                continue  # another change has put an object where a list was: keys are texts
            place[path[-1]] = copy.deepcopy(new)
        except (KeyError, IndexError, TypeError):
            continue  # another change took its place away
    data = portable(values)
    try:
        facts = try_edition(data)
    except LawError:
        return
    assert read_portable(data).to_bytes() == data
    assert facts.version == values["edition"]["number"]
