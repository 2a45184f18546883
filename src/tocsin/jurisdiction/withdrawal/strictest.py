"""The same rulebook with the strictest reading of each rule, for those who must not be wrong."""

from __future__ import annotations

from datetime import datetime
from functools import lru_cache

import msgspec

from tocsin.jurisdiction.model import Instrument, Rule
from tocsin.jurisdiction.rulebook import Rulebook
from tocsin.jurisdiction.vocabulary import Kind


@lru_cache(8)
def strictest(book: Rulebook) -> Rulebook:
    """A book in which each rule begins when the strictest of its readings has it begin.

    What forbids or warns begins at the earliest reading; an exemption at the latest. So whatever
    is forbidden by the book as it stands is forbidden by this one.
    """
    return Rulebook(
        (_instrument(each) for each in book.instruments.values()),
        book.suppliers.values(),
        book.edition,
    )


def begins(rule: Rule) -> datetime:
    """When the strictest reading has a rule begin."""
    times = [rule.effective, *(reading.effective for reading in rule.readings)]
    return max(times) if rule.kind is Kind.EXEMPTION else min(times)


def _instrument(instrument: Instrument) -> Instrument:
    rules = tuple(
        msgspec.structs.replace(rule, effective=begins(rule)) if rule.readings else rule
        for rule in instrument.rules
    )
    return msgspec.structs.replace(instrument, rule=rules)
