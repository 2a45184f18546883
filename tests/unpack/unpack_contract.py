"""What every unpacker promises, whatever it is given: the oracle of tests and fuzzers.

`check_contract(type_name, data)` is the one function a fuzz target needs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from tocsin.errors import FormatError, LimitReached
from tocsin.unpack import unpacker_of
from tocsin.unpack.interface import Budget, Item, Limits, Member, Skipped, View

SMALL = Limits(
    max_file_size=1_000_000, max_scan_size=4_000_000, max_files=200, max_depth=5, timeout=5.0
)
"""Limits that keep an attempt short."""


class Outcome(NamedTuple):
    """What an unpacker gave, and the error that ended it, if one did."""

    values: list[Item]
    error: FormatError | LimitReached | None

    @property
    def members(self) -> list[Member]:
        return [value for value in self.values if isinstance(value, Member)]

    @property
    def skipped(self) -> list[Skipped]:
        return [value for value in self.values if isinstance(value, Skipped)]


def check_contract(
    type_name: str,
    data: bytes,
    limits: Limits = SMALL,
    passwords: Sequence[bytes] = (b"infected",),
) -> Outcome:
    """Unpack bytes and check all that is promised for any input.

    Args:
        type_name: file type without `CL_TYPE_`.
        data: any bytes.
        limits: bounds that must be kept.
        passwords: passwords to hand in.

    Raises:
        AssertionError: a promise was broken. Any other error is a broken promise too.
    """
    unpacker = unpacker_of(type_name)
    assert unpacker is not None, type_name
    assert type_name in unpacker.types
    budget = Budget(limits)
    values: list[Item] = []
    error: FormatError | LimitReached | None = None
    try:
        for value in unpacker.members(data, budget, passwords):
            values.append(value)
            _check_value(value, limits)
    except (FormatError, LimitReached) as caught:
        error = caught
    assert error is None or str(error)
    outcome = Outcome(values, error)
    taken = sum(member.size for member in outcome.members)
    assert taken <= budget.bytes_used
    assert not limits.max_scan_size or taken <= limits.max_scan_size
    assert not limits.max_files or len(outcome.members) <= limits.max_files
    return outcome


def _check_value(value: Item, limits: Limits) -> None:
    if not isinstance(value, Member | Skipped):
        assert not isinstance(value, View) or value.type_name
        return
    value.name.encode("utf-8", "surrogateescape")
    assert value.position >= 0
    assert value.packed_size >= 0
    if isinstance(value, Skipped):
        assert value.detail
        return
    assert value.position >= 1
    assert value.size == len(value.data)
    assert not limits.max_file_size or value.size <= limits.max_file_size
    assert value.complete or value.note
