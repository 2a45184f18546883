"""docs/update-formats.md names what the program writes, so that others can write one too."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from tocsin.updates.delta_format import MAGIC
from tocsin.updates.layout import (
    MOST_WITHDRAWN,
    PUBLISHER_FIELD,
    WITHDRAWN_FIELD,
    Custodians,
    DatabaseTarget,
    DeltaTarget,
    Publisher,
    ReleaseTarget,
    RulebookTarget,
    WheelTarget,
    Withdrawn,
)
from tocsin.updates.statement import (
    MOST_ENTRY_BYTES,
    PREDICATES,
    Previous,
    SourceEntry,
    WheelEntry,
)

TEXT = (Path(__file__).resolve().parents[2] / "docs" / "update-formats.md").read_text()
STRUCTS = [
    *PREDICATES.values(),
    Previous,
    SourceEntry,
    WheelEntry,
    DatabaseTarget,
    DeltaTarget,
    ReleaseTarget,
    RulebookTarget,
    WheelTarget,
    Withdrawn,
    Publisher,
    Custodians,
]


@pytest.mark.parametrize("kind", PREDICATES)
def test_every_predicate_has_a_row_with_its_fields(kind: str) -> None:
    (row,) = (line for line in TEXT.splitlines() if line.startswith(f"| `{kind}` |"))
    for field in msgspec.structs.fields(PREDICATES[kind]):
        assert f"`{field.encode_name}`" in row


@pytest.mark.parametrize("struct", STRUCTS, ids=lambda struct: struct.__name__)
def test_every_field_is_described(struct: type[msgspec.Struct]) -> None:
    for field in msgspec.structs.fields(struct):
        assert f"`{field.encode_name}`" in TEXT or f'"{field.encode_name}"' in TEXT


def test_names_and_bounds_are_those_of_the_program() -> None:
    for name in (*PREDICATES, WITHDRAWN_FIELD, PUBLISHER_FIELD, MAGIC.decode().strip()):
        assert f"`{name}`" in TEXT
    for bound in (MOST_ENTRY_BYTES, MOST_WITHDRAWN):
        assert f"{bound:,}" in TEXT
