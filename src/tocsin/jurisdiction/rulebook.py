"""A rulebook: instruments and suppliers that fit together, ready to be asked."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from functools import cached_property
from typing import NamedTuple, TypeVar

import msgspec

from tocsin.errors import InvalidRules, LawError
from tocsin.jurisdiction.model import Edition, Instrument, Rule, Supplier
from tocsin.jurisdiction.places import members
from tocsin.jurisdiction.reading import demand_sound
from tocsin.jurisdiction.vocabulary import (
    CLASSES_OF,
    FORBIDDING,
    WARNING,
    Addressee,
    Kind,
    Operation,
    PersonTie,
    Product,
)

PORTABLE_FORMAT = 1
MOST_PORTABLE_BYTES = 16 << 20
_MOST_SAID = 500
_Item = TypeVar("_Item", Instrument, Supplier)


class BoundRule(NamedTuple):
    """A rule with the instrument that says it, and its words worked out for deciding.

    Attributes:
        id: `<instrument>/<rule>`.
        instrument: that says it.
        rule: what it says.
        products: every class that it is about, one by one.
        places: every place where a system ties a supply to it, groups with their members.
        persons: the same of persons.
        ties: by what a person is tied.
        addressees: whom it is about; empty: everybody.
    """

    id: str
    instrument: Instrument
    rule: Rule
    products: frozenset[Product]
    places: frozenset[str]
    persons: frozenset[str]
    ties: frozenset[PersonTie]
    addressees: frozenset[Addressee]

    @property
    def forbids(self) -> bool:
        """Whether it forbids its operations."""
        return self.rule.kind in FORBIDDING

    @property
    def warns(self) -> bool:
        """Whether its operations stay allowed, with a word about them."""
        return self.rule.kind in WARNING

    def boundaries(self) -> tuple[datetime, ...]:
        """Instants at which it begins, becomes certain or ends."""
        times = (self.rule.effective, self.rule.certain_from, self.rule.ends)
        return tuple(time for time in times if time is not None)

    def is_exempted_by(self, exemption: BoundRule) -> bool:
        """Whether an exemption is about it."""
        if exemption.rule.kind is not Kind.EXEMPTION or self.rule.kind is Kind.EXEMPTION:
            return False
        named = exemption.rule.exempts or (exemption.instrument.id,)
        return self.instrument.id in named or self.id in named


class Rulebook:
    """Instruments and suppliers, each known by its identifier.

    Args:
        instruments: no two with one identifier.
        suppliers: the same.
        edition: which state of the rules this is.

    Attributes:
        edition: the same.
        instruments: by identifier, sorted.
        suppliers: the same.

    Raises:
        LawError: two have one identifier, or a rule names what is not in the book.
    """

    def __init__(
        self,
        instruments: Iterable[Instrument],
        suppliers: Iterable[Supplier],
        edition: Edition,
    ) -> None:
        self.edition = edition
        self.instruments = _by_id(instruments)
        self.suppliers = _by_id(suppliers)
        self._demand_whole()

    @cached_property
    def rules(self) -> tuple[BoundRule, ...]:
        """All rules, by identifier."""
        return tuple(
            _bind(instrument, rule)
            for instrument in self.instruments.values()
            for rule in instrument.rules
        )

    def rules_about(
        self, supplier: str, operation: Operation | None = None
    ) -> tuple[BoundRule, ...]:
        """The rules about a supplier's products, and about an operation if one is given."""
        return self._index.get((supplier, operation), ())

    @cached_property
    def _index(self) -> Mapping[tuple[str, Operation | None], tuple[BoundRule, ...]]:
        found: dict[tuple[str, Operation | None], list[BoundRule]] = {}
        for rule in self.rules:
            for supplier in rule.instrument.suppliers:
                for operation in (None, *rule.rule.operations):
                    found.setdefault((supplier, operation), []).append(rule)
        return {key: tuple(rules) for key, rules in found.items()}

    def supplier(self, name: str) -> Supplier:
        """A supplier by its short name, or any name it or an affiliate has.

        Raises:
            LawError: there is none; with those there are.
        """
        if found := self.suppliers.get(name.strip().casefold()):
            return found
        if found := self._by_name.get(_folded(name)):
            return found
        known = ", ".join(self.suppliers) or "none"
        raise LawError(
            f"the rulebook knows no supplier {name[:60]!r}; it knows: {known}. Add a file of your "
            "own for another (docs/jurisdiction.md)"
        )

    @cached_property
    def _by_name(self) -> Mapping[str, Supplier]:
        return {
            _folded(name): supplier
            for supplier in self.suppliers.values()
            for name in (
                supplier.name,
                *supplier.names,
                *(affiliate.name for affiliate in supplier.affiliate),
            )
        }

    def find(self, identifier: str) -> tuple[BoundRule, ...]:
        """The rules of an instrument, or one rule by `<instrument>/<rule>`.

        Raises:
            LawError: there is no such.
        """
        found = tuple(rule for rule in self.rules if identifier in (rule.id, rule.instrument.id))
        if not found:
            raise LawError(f"there is no rule {identifier[:80]!r}; 'tocsin law list' shows them")
        return found

    def to_bytes(self) -> bytes:
        """The whole book in one form: JSON with sorted keys, times in UTC, no spaces.

        Two books with the same content have the same bytes, however their files are laid out.
        """
        portable = _Portable(
            PORTABLE_FORMAT,
            self.edition,
            tuple(self.instruments.values()),
            tuple(self.suppliers.values()),
        )
        return msgspec.json.encode(
            _in_utc(msgspec.to_builtins(portable, builtin_types=(datetime,))), order="sorted"
        )

    @cached_property
    def sha256(self) -> str:
        """Of its portable form."""
        return hashlib.sha256(self.to_bytes()).hexdigest()

    def joined(self, other: Rulebook) -> Rulebook:
        """This book with the rules and suppliers of another besides.

        Raises:
            LawError: they have something under the same identifier.
        """
        return Rulebook(
            [*self.instruments.values(), *other.instruments.values()],
            [*self.suppliers.values(), *other.suppliers.values()],
            self.edition,
        )

    def _demand_whole(self) -> None:
        known = set(self.instruments) | {rule.id for rule in self.rules}
        for rule in self.rules:
            for supplier in rule.instrument.suppliers:
                if supplier not in self.suppliers:
                    raise LawError(
                        f"{rule.instrument.id} is about a supplier {supplier!r}, of whom there is "
                        "no file in suppliers/"
                    )
            for named in rule.rule.exempts:
                if named not in known:
                    raise LawError(f"{rule.id} exempts from {named!r}, which is not in the book")


def _bind(instrument: Instrument, rule: Rule) -> BoundRule:
    wanted = frozenset(rule.products)
    return BoundRule(
        f"{instrument.id}/{rule.name}",
        instrument,
        rule,
        frozenset(each for each in Product if CLASSES_OF[each] & wanted),
        members(rule.nexus.places),
        members(rule.nexus.persons),
        frozenset(rule.nexus.ties),
        frozenset(rule.addressees),
    )


class _Portable(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    format: int
    edition: Edition
    instruments: tuple[Instrument, ...]
    suppliers: tuple[Supplier, ...]


def read_portable(data: bytes) -> Rulebook:
    """A rulebook from its portable form.

    Raises:
        LawError: malformed, of another format, not in the one form, or with a mistake that a
            file with it would be refused for.
    """
    if len(data) > MOST_PORTABLE_BYTES:
        raise LawError(f"a rulebook of more than {MOST_PORTABLE_BYTES:,} bytes")
    try:
        read = msgspec.json.decode(data, type=_Portable)
    except (msgspec.MsgspecError, RecursionError, UnicodeError, OverflowError) as error:
        raise LawError(f"this is no rulebook: {error}") from None
    if read.format != PORTABLE_FORMAT:
        raise LawError(f"a rulebook of format {read.format}; this tocsin reads {PORTABLE_FORMAT}")
    try:
        for item in (read.edition, *read.instruments, *read.suppliers):
            demand_sound(item, getattr(item, "id", "edition"))
        book = Rulebook(read.instruments, read.suppliers, read.edition)
        same = book.to_bytes() == data
    except InvalidRules as error:
        raise LawError(f"the rulebook has a mistake in it: {str(error)[:_MOST_SAID]}") from None
    except (OverflowError, UnicodeError) as error:
        raise LawError(f"this is no rulebook: {error}") from None
    if not same:
        raise LawError("the rulebook is not in canonical form")
    return book


def _in_utc(value: object) -> object:
    if isinstance(value, datetime):
        return value.astimezone(UTC)
    if isinstance(value, dict):
        return {key: _in_utc(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_in_utc(each) for each in value]
    return value


def _by_id(items: Iterable[_Item]) -> dict[str, _Item]:
    found: dict[str, _Item] = {}
    for item in items:
        if item.id in found:
            raise LawError(f"two files describe {item.id!r}")
        found[item.id] = item
    return dict(sorted(found.items()))


def _folded(name: str) -> str:
    return " ".join(name.casefold().replace(",", " ").replace(".", " ").split())
