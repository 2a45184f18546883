"""What another edition of a rulebook changes: in its rules, and in its answers."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any, NamedTuple

import msgspec

from tocsin.jurisdiction.decide import decide
from tocsin.jurisdiction.question import Question, ask
from tocsin.jurisdiction.rulebook import Rulebook
from tocsin.jurisdiction.vocabulary import Addressee, Operation, Outcome, Product

_FIRST = datetime.fromisoformat("1990-01-01T00:00:00+00:00")
_ADDRESSEES: tuple[tuple[Addressee, ...], ...] = (
    (),
    (Addressee.GOVERNMENT, Addressee.FEDERAL_CIVILIAN_AGENCY),
    (Addressee.CRITICAL_SECTOR, Addressee.CYBERSECURITY_SYSTEM),
    (Addressee.CONTRACTOR,),
)


class Field(NamedTuple):
    """A value that is another one: its path, and both in words; empty: it is not there."""

    path: str
    before: str
    after: str


class Changed(NamedTuple):
    """Something that is in both editions and not the same."""

    id: str
    fields: tuple[Field, ...]


class Answer(NamedTuple):
    """A question that the editions answer differently from an instant on.

    Attributes:
        supplier: whose product.
        place: where the person lives and the system stands.
        addressees: what the person is, besides private.
        operation: what is to be done.
        product: class of product.
        at: the first instant at which the answers differ.
        before: the old edition's answer.
        after: the new edition's.
    """

    supplier: str
    place: str
    addressees: tuple[Addressee, ...]
    operation: Operation
    product: Product
    at: datetime
    before: Outcome
    after: Outcome


class Difference(NamedTuple):
    """Two editions compared; identifiers of instruments, rules (`instrument/rule`), suppliers."""

    added: tuple[str, ...]
    removed: tuple[str, ...]
    changed: tuple[Changed, ...]
    answers: tuple[Answer, ...]


def difference(old: Rulebook, new: Rulebook) -> Difference:
    """Compare two editions.

    Answers are compared for every supplier in both, every place and operation that a rule about
    its products names in either, and every class of product; for private persons, public bodies,
    critical sectors and contractors.
    """
    before, after = items_of(old), items_of(new)
    changed = []
    for name in sorted(before.keys() & after.keys()):
        fields = tuple(_fields("", before[name], after[name]))
        if fields:
            changed.append(Changed(name, fields))
    return Difference(
        tuple(sorted(after.keys() - before.keys())),
        tuple(sorted(before.keys() - after.keys())),
        tuple(changed),
        tuple(_answers(old, new)),
    )


def items_of(book: Rulebook) -> dict[str, Any]:
    """Everything that has an identifier, as plain values; rules apart from their instruments."""
    found: dict[str, Any] = {}
    for instrument in book.instruments.values():
        plain = msgspec.to_builtins(instrument)
        for rule in plain.pop("rule"):
            found[f"{instrument.id}/{rule['name']}"] = rule
        found[instrument.id] = plain
    for supplier in book.suppliers.values():
        found[f"supplier {supplier.id}"] = msgspec.to_builtins(supplier)
    return found


def _fields(path: str, before: Any, after: Any) -> Iterator[Field]:
    if isinstance(before, dict) and isinstance(after, dict):
        for key in sorted(before.keys() | after.keys()):
            inner = f"{path}.{key}" if path else str(key)
            yield from _fields(inner, before.get(key), after.get(key))
    elif before != after:
        yield Field(path, _words(before), _words(after))


def _words(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, list | tuple):
        return ", ".join(map(_words, value))
    return str(value)


def _answers(old: Rulebook, new: Rulebook) -> Iterator[Answer]:
    for supplier in sorted(old.suppliers.keys() & new.suppliers.keys()):
        rules = [rule.rule for book in (old, new) for rule in book.rules_about(supplier)]
        places = {place for rule in rules for place in (*rule.nexus.places, *rule.nexus.persons)}
        named = {operation for rule in rules for operation in rule.operations}
        for place in sorted(places):
            for addressees in _ADDRESSEES:
                for operation in (each for each in Operation if each in named):
                    for product in Product:
                        question = ask(
                            operation, product, supplier, _FIRST,
                            places=(place,), addressees=addressees,
                        )  # fmt: skip
                        if found := _first_difference(old, new, question):
                            yield Answer(supplier, place, addressees, operation, product, *found)


def _first_difference(
    old: Rulebook, new: Rulebook, question: Question
) -> tuple[datetime, Outcome, Outcome] | None:
    times = {_FIRST}
    for book in (old, new):
        times |= set(decide(book, question).changes_after(_FIRST))
    for time in sorted(times):
        asked = question._replace(at=time)
        before, after = decide(old, asked).outcome, decide(new, asked).outcome
        if before is not after:
            return time, before, after
    return None
