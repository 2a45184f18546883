"""CycloneDX in its three encodings: the same components, with every word of who made them."""

from __future__ import annotations

import base64
import json

import pytest

from tocsin.audit.model import Component, Skipped, Trace
from tocsin.audit.sbom import cyclonedx_json, cyclonedx_protobuf, cyclonedx_xml
from tocsin.jurisdiction.vocabulary import MarkerKind

SWID = (
    '<SoftwareIdentity xmlns="http://standards.iso.org/iso/19770/-2/2015/schema.xsd" name="x">'
    '<Entity name="Tag Maker" regid="tags.example.com" role="tagCreator"/></SoftwareIdentity>'
)
INNER = {"type": "library", "bom-ref": "inner", "name": "inner", "version": "2"}
FULL = {
    "type": "library",
    "bom-ref": "full",
    "supplier": {
        "name": "Supplier AG",
        "url": ["https://supplier.example/about"],
        "contact": [{"name": "Someone", "email": "someone@mail.example"}],
    },
    "manufacturer": {"name": "Manufacturer KK"},
    "authors": [{"name": "Ann Author", "email": "ann@authors.example"}],
    "author": "Old Author",
    "publisher": "Publisher Ltd",
    "group": "@scope",
    "name": "thing",
    "version": "1.2.3",
    "cpe": "cpe:2.3:a:vendor\\:name:thing:1.2.3:*:*:*:*:*:*:*",
    "purl": "pkg:npm/%40scope/thing@1.2.3",
    "copyright": "Copyright Holder",
    "externalReferences": [{"type": "website", "url": "https://user@www.site.example:8080/x"}],
    "swid": {
        "tagId": "t",
        "name": "thing",
        "url": "https://swid.example/",
        "text": {
            "contentType": "text/xml",
            "encoding": "base64",
            "content": base64.b64encode(SWID.encode()).decode(),
        },
    },
    "pedigree": {
        "ancestors": [{"type": "library", "name": "old", "publisher": "Ancestor Inc"}],
    },
    "components": [INNER],
}
SERVICE = {
    "bom-ref": "service",
    "provider": {"name": "Provider SA"},
    "name": "lookup",
    "version": "3",
    "endpoints": ["https://api.service.example/v1"],
}
IMAGE = {"type": "container", "bom-ref": "image", "name": "image", "components": [
    {"type": "library", "name": "installed", "bom-ref": "installed"},
]}  # fmt: skip
BILL = {
    "bomFormat": "CycloneDX",
    "specVersion": "1.6",
    "version": 1,
    "metadata": {
        "tools": {"components": [{"type": "application", "name": "a tool"}]},
        "component": {"type": "application", "bom-ref": "main", "name": "main", "version": "9"},
        "supplier": {"name": "Main Supplier"},
    },
    "components": [FULL, IMAGE],
    "services": [SERVICE],
    "vulnerabilities": [{"bom-ref": "v", "id": "CVE-1", "analysis": {"detail": "x"}}],
}


def found(read, data: bytes) -> list[Component]:
    values = list(read(data, "place"))
    assert not [each for each in values if isinstance(each, Skipped)]
    return values


def in_json() -> list[Component]:
    return found(cyclonedx_json.read, json.dumps(BILL).encode())


def traces_of(component: Component, kind: MarkerKind) -> dict[str, str]:
    return {trace.value: trace.where for trace in component.traces if trace.kind is kind}


def test_the_product_its_components_their_parts_and_services_are_there() -> None:
    assert [(each.name, each.kind, each.embedded, each.reference) for each in in_json()] == [
        ("main", "application", False, "main"),
        ("@scope/thing", "npm", None, "full"),
        ("inner", "library", True, "inner"),
        ("image", "container", None, "image"),
        ("installed", "library", None, "installed"),  # what is installed in an image is no part
        ("lookup", "service", None, "service"),
    ]


def test_who_supplies_the_product_stands_beside_it() -> None:
    main = in_json()[0]
    assert main.traces == (
        Trace(MarkerKind.SUPPLIER_NAME, "Main Supplier", "metadata.supplier.name"),
    )


def test_every_word_of_who_made_it_is_a_trace() -> None:
    full = in_json()[1]
    assert traces_of(full, MarkerKind.SUPPLIER_NAME) == {
        "Supplier AG": "supplier.name",
        "Manufacturer KK": "manufacturer.name",
        "Publisher Ltd": "publisher",
        "Old Author": "author",
        "Ann Author": "authors.name",
        "Tag Maker": "SWID tagCreator",
        "Ancestor Inc": "ancestor, publisher",
    }
    assert traces_of(full, MarkerKind.HOST) == {
        "supplier.example": "supplier.url",
        "mail.example": "supplier.contact, mail address",
        "authors.example": "authors, mail address",
        "www.site.example": "external reference, website",
        "swid.example": "SWID address",
        "tags.example.com": "SWID tagCreator",
    }
    assert traces_of(full, MarkerKind.CPE_VENDOR) == {"vendor:name": "cpe"}
    assert set(traces_of(full, MarkerKind.NPM_SCOPE)) == {"@scope"}
    assert traces_of(full, MarkerKind.PACKAGE) == {"npm:@scope/thing": "package URL"}
    assert traces_of(full, MarkerKind.TEXT) == {"Copyright Holder": "copyright"}


@pytest.mark.parametrize(
    ("cpe", "vendor"),
    [
        ("cpe:/a:kaspersky:anti-virus:6.0", "kaspersky"),
        ("cpe:/a:some%7evendor:x", "some~vendor"),
        ("cpe:2.3:a:Kaspersky_Lab:x:1:*:*:*:*:*:*:*", "kaspersky_lab"),
        ("cpe:2.3:a:*:x:1:*:*:*:*:*:*:*", None),
        ("cpe:/a", None),
        ("no name", None),
    ],
)
def test_vendors_of_both_forms_of_cpe_names(cpe: str, vendor: str | None) -> None:
    bill = {"bomFormat": "CycloneDX", "components": [{"name": "x", "cpe": cpe}]}
    (one,) = found(cyclonedx_json.read, json.dumps(bill).encode())
    assert list(traces_of(one, MarkerKind.CPE_VENDOR)) == ([vendor] if vendor else [])


def test_xml_says_the_same() -> None:
    cyclonedx = pytest.importorskip("cyclonedx.model.bom")
    from cyclonedx.output import OutputFormat, make_outputter
    from cyclonedx.schema import SchemaVersion

    bom = cyclonedx.Bom.from_json(BILL)
    written = {
        form: make_outputter(bom, form, SchemaVersion.V1_6).output_as_string().encode()
        for form in (OutputFormat.JSON, OutputFormat.XML)
    }
    by_json = found(cyclonedx_json.read, written[OutputFormat.JSON])
    by_xml = found(cyclonedx_xml.read, written[OutputFormat.XML])
    assert len(by_xml) == 6
    assert sorted(by_xml) == sorted(by_json)


def test_xml_without_the_library() -> None:
    document = b"""<?xml version="1.0"?>
    <bom xmlns="http://cyclonedx.org/schema/bom/1.0" version="1"><components>
      <component type="library"><publisher>A</publisher><name>a</name><version>1</version>
        <components><component type="library"><name>b</name><version>2</version></component>
      </components></component>
    </components><vulnerabilities><component><name>not one</name></component></vulnerabilities>
    </bom>"""
    values = found(cyclonedx_xml.read, document)
    assert [(each.name, each.embedded) for each in values] == [("a", None), ("b", True)]


def varint(value: int) -> bytes:
    out = b""
    while value > 0x7F:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])


def message(*fields: tuple[int, object]) -> bytes:
    """Fields as protobuf has them; integers, texts and messages."""
    out = b""
    for number, value in fields:
        if isinstance(value, int):
            out += varint(number << 3) + varint(value)
        else:
            held = value.encode() if isinstance(value, str) else value
            out += varint(number << 3 | 2) + varint(len(held)) + held
    return out


def in_protobuf() -> bytes:
    """`BILL`, with the numbers of bom-1.6.proto."""
    inner = message((1, 3), (3, "inner"), (8, "inner"), (9, "2"))
    supplier = message(
        (1, "Supplier AG"),
        (2, "https://supplier.example/about"),
        (3, message((1, "Someone"), (2, "someone@mail.example"))),
    )
    text = message((1, "text/xml"), (2, "base64"), (3, base64.b64encode(SWID.encode()).decode()))
    full = message(
        (1, 3), (3, "full"), (4, supplier), (5, "Old Author"), (6, "Publisher Ltd"),
        (7, "@scope"), (8, "thing"), (9, "1.2.3"), (14, "Copyright Holder"), (15, FULL["cpe"]),
        (16, FULL["purl"]),
        (17, message((1, "t"), (2, "thing"), (6, text), (7, "https://swid.example/"))),
        (19, message((1, message((1, 3), (6, "Ancestor Inc"), (8, "old"))))),
        (20, message((1, 3), (2, FULL["externalReferences"][0]["url"]))),
        (21, inner),
        (28, message((1, "Manufacturer KK"))),
        (29, message((1, "Ann Author"), (2, "ann@authors.example"))),
    )  # fmt: skip
    installed = message((1, 3), (3, "installed"), (8, "installed"))
    image = message((1, 7), (3, "image"), (8, "image"), (21, installed))
    main = message((1, 1), (3, "main"), (8, "main"), (9, "9"))
    service = message(
        (1, "service"), (2, message((1, "Provider SA"))), (4, "lookup"), (5, "3"),
        (7, "https://api.service.example/v1"),
    )  # fmt: skip
    return message(
        (1, "1.6"), (2, 1), (4, message((4, main), (6, message((1, "Main Supplier"))))),
        (5, full), (5, image), (6, service), (10, message((2, "CVE-1"))),
    )  # fmt: skip


def test_protobuf_says_the_same() -> None:
    assert found(cyclonedx_protobuf.read, in_protobuf()) == in_json()


def test_a_broken_component_hides_no_other() -> None:
    bill = {"bomFormat": "CycloneDX", "components": [{"name": "a"}, 7, {"name": ["x"]}]}
    values = list(cyclonedx_json.read(json.dumps(bill).encode(), "place"))
    assert [each.name for each in values if isinstance(each, Component)] == ["a", ""]
    assert [each.place for each in values if isinstance(each, Skipped)] == ["place"]


def test_a_member_that_stands_twice_hides_nothing() -> None:
    twice = b'{"bomFormat":"CycloneDX","components":[{"name":"a"}],"components":[{"name":"b"}]}'
    assert [each.name for each in found(cyclonedx_json.read, twice)] == ["a", "b"]
