"""CycloneDX as Protocol Buffers, versions 1.3 to 1.7: brought into the shape of JSON.

Numbers of fields are those of bom-1.7.proto; older versions have the same, and fewer.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from tocsin.audit.protobuf import fields
from tocsin.audit.sbom.cyclonedx import MOST_DEPTH, components, in_metadata, services
from tocsin.audit.source import Found, Source, Unreadable, content, reader


class _Field(NamedTuple):
    """How a field stands in JSON.

    Attributes:
        key: its name there.
        message: what it holds; None: a text.
        is_list: whether it may stand more than once.
    """

    key: str
    message: Mapping[int, _Field] | None = None
    is_list: bool = False


_CONTACT = {1: _Field("name"), 2: _Field("email")}
_ENTITY = {1: _Field("name"), 2: _Field("url", None, True), 3: _Field("contact", _CONTACT, True)}
_TYPE = _Field("type")  # an enumeration; named below
_REFERENCE = {1: _TYPE, 2: _Field("url")}
_ATTACHED = {2: _Field("encoding"), 3: _Field("content")}
_SWID = {6: _Field("text", _ATTACHED), 7: _Field("url")}
_PROPERTY = {1: _Field("name"), 2: _Field("value")}
_COMPONENT: dict[int, _Field] = {
    1: _TYPE,
    3: _Field("bom-ref"),
    4: _Field("supplier", _ENTITY),
    5: _Field("author"),
    6: _Field("publisher"),
    7: _Field("group"),
    8: _Field("name"),
    9: _Field("version"),
    14: _Field("copyright"),
    15: _Field("cpe"),
    16: _Field("purl"),
    17: _Field("swid", _SWID),
    20: _Field("externalReferences", _REFERENCE, True),
    22: _Field("properties", _PROPERTY, True),
    28: _Field("manufacturer", _ENTITY),
    29: _Field("authors", _CONTACT, True),
}
_COMPONENT[19] = _Field("pedigree", {1: _Field("ancestors", _COMPONENT, True)})
_COMPONENT[21] = _Field("components", _COMPONENT, True)
_FLOW = {5: _Field("source", None, True), 6: _Field("destination", None, True)}
_SERVICE: dict[int, _Field] = {
    1: _Field("bom-ref"),
    2: _Field("provider", _ENTITY),
    3: _Field("group"),
    4: _Field("name"),
    5: _Field("version"),
    7: _Field("endpoints", None, True),
    10: _Field("data", _FLOW, True),
    12: _Field("externalReferences", _REFERENCE, True),
}
_SERVICE[13] = _Field("services", _SERVICE, True)
_METADATA = {
    4: _Field("component", _COMPONENT),
    5: _Field("manufacture", _ENTITY),
    6: _Field("supplier", _ENTITY),
}
_BOM = {4: _METADATA, 5: _COMPONENT, 6: _SERVICE}

_CLASSIFICATIONS = (
    "", "application", "framework", "library", "operating-system", "device", "file", "container",
    "firmware", "device-driver", "platform", "machine-learning-model", "data",
    "cryptographic-asset",
)  # fmt: skip
_REFERENCE_KINDS = ("other", "vcs", "issue-tracker", "website", "advisories", "bom")


@reader
def read(source: Source, place: str) -> Iterator[Found]:
    """Read a bill of materials."""
    for number, value in fields(memoryview(content(source))):
        if number not in _BOM or isinstance(value, int):
            continue
        shaped = _shaped(value, _BOM[number])
        if number == 4:
            yield from in_metadata(shaped, place)
        elif number == 5:
            yield from components(shaped, place)
        else:
            yield from services(shaped, place)


def _shaped(data: memoryview, message: Mapping[int, _Field], depth: int = 0) -> dict[str, Any]:
    if depth > 2 * MOST_DEPTH:
        raise Unreadable(f"messages are nested more than {2 * MOST_DEPTH} deep")
    shaped: dict[str, Any] = {}
    for number, value in fields(data):
        field = message.get(number)
        if field is None:
            continue
        if field is _TYPE:
            names = _CLASSIFICATIONS if message is _COMPONENT else _REFERENCE_KINDS
            if isinstance(value, int) and value < len(names):
                shaped[field.key] = names[value]
            continue
        if isinstance(value, int):
            continue
        made: Any
        if field.message is None:
            made = bytes(value).decode("utf-8", "replace")
        else:
            made = _shaped(value, field.message, depth + 1)
        if field.is_list:
            shaped.setdefault(field.key, []).append(made)
        else:
            shaped[field.key] = made
    return shaped
