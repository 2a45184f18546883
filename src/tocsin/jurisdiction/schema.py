"""The JSON Schemas of a rulebook's files, for editors and for whoever writes rules by program.

They are made from `model`, so that they cannot say anything else. A file of TOML is held against
them as JSON in which dates and instants are texts (RFC 3339).
"""

from __future__ import annotations

from typing import Any

import msgspec

from tocsin.jurisdiction.model import Edition, Instrument, Supplier
from tocsin.jurisdiction.places import GROUPS, countries

KINDS: dict[str, type[msgspec.Struct]] = {
    "instrument": Instrument,
    "supplier": Supplier,
    "edition": Edition,
}
_DIALECT = "https://json-schema.org/draft/2020-12/schema"


def json_schema(kind: str) -> dict[str, Any]:
    """The schema of a kind of file (JSON Schema 2020-12).

    Args:
        kind: one of `KINDS`.
    """
    made = msgspec.json.schema(KINDS[kind], schema_hook=None)
    _forms(KINDS[kind], made)
    return {"$schema": _DIALECT, "title": f"tocsin rulebook: {kind}", **made}


def _forms(kind: type[msgspec.Struct], made: dict[str, Any]) -> None:
    """Put in what texts look like, which the types only name."""
    patterns = {
        "id": {"pattern": "^[a-z0-9][a-z0-9-]{0,63}$"},
        "line": {"maxLength": 2_000},
        "link": {"pattern": r"^(https?://[^\s]+)?$"},
        "place": {"enum": [*sorted(countries()), *sorted(GROUPS)]},
    }
    for info in msgspec.inspect.multi_type_info([*_structs(kind)]):
        assert isinstance(info, msgspec.inspect.StructType)
        described = made["$defs"][info.cls.__name__]["properties"]
        for field in info.fields:
            _fill(field.type, described[field.encode_name], patterns)


def _fill(node: msgspec.inspect.Type, schema: dict[str, Any], patterns: dict[str, Any]) -> None:
    if isinstance(node, msgspec.inspect.Metadata):
        form = (node.extra or {}).get("form")
        if form:
            schema.update(patterns[form])
        _fill(node.type, schema, patterns)
    elif isinstance(node, msgspec.inspect.VarTupleType):
        _fill(node.item_type, schema["items"], patterns)


def _structs(kind: type[msgspec.Struct]) -> list[type[msgspec.Struct]]:
    """A struct and those inside it."""
    found: dict[type[msgspec.Struct], None] = {}

    def walk(node: msgspec.inspect.Type) -> None:
        if isinstance(node, msgspec.inspect.Metadata):
            walk(node.type)
        elif isinstance(node, msgspec.inspect.VarTupleType):
            walk(node.item_type)
        elif isinstance(node, msgspec.inspect.StructType) and node.cls not in found:
            found[node.cls] = None
            for field in node.fields:
                walk(field.type)

    walk(msgspec.inspect.type_info(kind))
    return list(found)
