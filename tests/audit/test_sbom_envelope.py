"""Bills in attestations and answers, and words of a supplier in every place that can have one."""

from __future__ import annotations

import base64
import json

import pytest

from tocsin.audit.model import Component, Skipped
from tocsin.audit.recognise import recognise
from tocsin.audit.sbom import cyclonedx_json, cyclonedx_xml
from tocsin.jurisdiction.vocabulary import MarkerKind

BILL = {"bomFormat": "CycloneDX", "components": [{"type": "library", "name": "a"}]}
SPDX = {"spdxVersion": "SPDX-2.3", "packages": [{"SPDXID": "SPDXRef-a", "name": "a"}]}
STATEMENT = {"predicateType": "https://cyclonedx.org/bom", "predicate": BILL}
DSSE = {
    "payloadType": "application/vnd.in-toto+json",
    "payload": base64.b64encode(json.dumps(STATEMENT).encode()).decode(),
}
FILL = ["x" * 100] * 2_000


def names(data: bytes, name: str = "x.json") -> list[str]:
    form = recognise(data, name)
    assert form is not None
    return [each.name for each in form.read(data, "p") if isinstance(each, Component)]


@pytest.mark.parametrize(
    "document",
    [
        STATEMENT,
        DSSE,
        {"sbom": SPDX},
        {"predicateType": "x", "predicate": {"Data": json.dumps(SPDX)}},
        {"predicate": {**BILL, "fill": FILL}, "subject": FILL, "predicateType": "x"},
        {**BILL, "declarations": {"predicateType": "x"}},
        {**SPDX, "comment": {"predicateType": "x"}},
    ],
)
def test_a_bill_in_an_envelope_is_read(document: object) -> None:
    assert names(json.dumps(document).encode()) == ["a"]


def test_one_a_line() -> None:
    lines = f"{json.dumps(STATEMENT)}\n{json.dumps(DSSE)}\n"
    assert names(lines.encode()) == ["a", "a"]


def test_envelopes_end_somewhere() -> None:
    inner: object = STATEMENT
    for _ in range(10):
        inner = {"predicateType": "x", "predicate": inner}
    data = json.dumps(inner).encode()
    found = list(recognise(data).read(data, "p"))  # type: ignore[union-attr]
    assert len(found) == 1
    assert isinstance(found[0], Skipped)


def test_what_follows_a_document_is_said() -> None:
    data = (json.dumps(BILL) + "\n" + json.dumps(BILL)).encode()
    *_, last = cyclonedx_json.read(data, "p")
    assert isinstance(last, Skipped)


@pytest.mark.parametrize(
    ("data", "name"),
    [
        ({"$schema": "http://cyclonedx.org/schema/bom-1.5.schema.json", **BILL}, "x"),
        ({"components": BILL["components"]}, "app.cdx.json"),
        ({"packages": SPDX["packages"]}, "app.spdx.json"),
    ],
)
def test_a_bill_without_the_member_that_tells(data: dict[str, object], name: str) -> None:
    data.pop("bomFormat", None)
    assert names(json.dumps(data).encode(), name) == ["a"]


@pytest.mark.parametrize("encoding", ["utf-32-le", "utf-32-be", "utf-32", "utf-16-le"])
def test_any_encoding_of_unicode(encoding: str) -> None:
    assert names(json.dumps(BILL).encode(encoding)) == ["a"]


WORDS = {
    "evidence": {"identity": [{"field": "cpe", "concludedValue": "cpe:/a:maker:x"}]},
    "properties": [{"name": "syft:cpe23", "value": "cpe:2.3:a:maker:x:1:*:*:*:*:*:*:*"}],
    "licenses": [{"license": {"licensing": {"licensor": {"organization": {"name": "maker"}}}}}],
}
XML = {
    "evidence": "<identity><concludedValue>cpe:/a:maker:x</concludedValue></identity>",
    "properties": '<property name="p">cpe:/a:maker:x</property>',
    "licenses": "<license><licensing><licensor><organization><name>maker</name></organization>"
    "</licensor></licensing></license>",
}


@pytest.mark.parametrize("key", WORDS)
def test_who_made_it_may_stand_in(key: str) -> None:
    bill = {"components": [{"name": "a", key: WORDS[key]}]}
    in_xml = (
        '<bom xmlns="http://cyclonedx.org/schema/bom/1.6"><components><component type="library">'
        f"<name>a</name><{key}>{XML[key]}</{key}></component></components></bom>"
    )
    for found in (
        *cyclonedx_json.read(json.dumps(bill).encode(), "p"),
        *cyclonedx_xml.read(in_xml.encode(), "p"),
    ):
        assert isinstance(found, Component)
        assert "maker" in [trace.value for trace in found.traces], found


def test_a_supplier_without_a_product_is_one() -> None:
    bill = {**BILL, "components": [], "metadata": {"supplier": {"name": "maker"}}}
    (found,) = cyclonedx_json.read(json.dumps(bill).encode(), "p")
    assert isinstance(found, Component)
    assert [(each.kind, each.value) for each in found.traces] == [
        (MarkerKind.SUPPLIER_NAME, "maker")
    ]


def test_lines_may_end_as_they_did_once() -> None:
    data = b"SPDXVersion: SPDX-2.3\rSPDXID: SPDXRef-DOCUMENT\rPackageName: a\rSPDXID: SPDXRef-a\r"
    assert names(data, "x") == ["a"]
