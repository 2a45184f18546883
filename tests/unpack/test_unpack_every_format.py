"""Every row of the table of formats has a sample, which is recognised and gives something."""

from __future__ import annotations

import pytest
from every_sample import builders
from unpack_contract import check_contract

from tocsin.formats.identify import identify
from tocsin.unpack import find_unpackers, load_all
from tocsin.unpack.interface import Limits, Member, View
from tocsin.unpack.registry import FORMATS

BUILDERS = builders()
ROOMY = Limits(timeout=60.0)


@pytest.mark.parametrize("row", FORMATS, ids=lambda row: row.title)
def test_row_has_a_sample(row) -> None:
    assert row.sample in BUILDERS, f"no sample named {row.sample!r} in tests/unpack/*_samples.py"


@pytest.mark.parametrize("row", FORMATS, ids=lambda row: row.title)
def test_sample_is_recognised_and_opened(row) -> None:
    if row.sample not in BUILDERS:
        pytest.fail("no sample")
    data = BUILDERS[row.sample]()
    found = [kind for kind, _ in find_unpackers(data, identify(data))]
    (kind, *_) = [kind for kind in found if kind in row.kinds] or [""]
    assert kind, f"recognised as {found}, expected one of {row.kinds}"
    outcome = check_contract(kind, data, limits=ROOMY)
    assert outcome.error is None
    assert [value for value in outcome.values if isinstance(value, Member | View)]


def test_kinds_are_opened_by_one_module_each() -> None:
    homes: dict[str, set[str]] = {}
    for row in FORMATS:
        for kind in row.kinds:
            homes.setdefault(kind, set()).add(row.module)
    assert [kind for kind, modules in homes.items() if len(modules) > 1] == []


def test_every_module_loads() -> None:
    load_all()
