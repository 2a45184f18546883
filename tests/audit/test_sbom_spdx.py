"""SPDX in all its encodings: the same packages, and which are parts of which."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import pytest

from tocsin.audit.model import Component, Skipped
from tocsin.audit.sbom import spdx3, spdx_json, spdx_rdf, spdx_tag_value, spdx_xml
from tocsin.jurisdiction.vocabulary import MarkerKind


def package(name: str, **more: object) -> dict[str, object]:
    return {
        "SPDXID": f"SPDXRef-{name}",
        "name": name,
        "versionInfo": "1.0",
        "downloadLocation": "NOASSERTION",
        "filesAnalyzed": False,
        **more,
    }


def relation(one: str, kind: str, other: str) -> dict[str, str]:
    return {
        "spdxElementId": f"SPDXRef-{one}",
        "relationshipType": kind,
        "relatedSpdxElement": f"SPDXRef-{other}",
    }


DOCUMENT = {
    "spdxVersion": "SPDX-2.3",
    "dataLicense": "CC0-1.0",
    "SPDXID": "SPDXRef-DOCUMENT",
    "name": "sample",
    "documentNamespace": "https://example.org/sample",
    "creationInfo": {"created": "2024-01-01T00:00:00Z", "creators": ["Tool: test"]},
    "packages": [
        package(
            "product",
            supplier="Organization: Supplier AG (mail@supplier.example)",
            originator="Person: Olga Originator",
            homepage="https://www.home.example/",
            downloadLocation="https://download.example/x.zip",
            copyrightText="Copyright Holder",
            builtDate="2023-02-03T04:05:06Z",
            primaryPackagePurpose="APPLICATION",
            externalRefs=[
                {
                    "referenceCategory": "SECURITY",
                    "referenceType": "cpe23Type",
                    "referenceLocator": "cpe:2.3:a:vendor:product:1.0:*:*:*:*:*:*:*",
                },
                {
                    "referenceCategory": "SECURITY",
                    "referenceType": "cpe22Type",
                    "referenceLocator": "cpe:/a:other_vendor:product:1.0",
                },
                {
                    "referenceCategory": "PACKAGE-MANAGER",
                    "referenceType": "purl",
                    "referenceLocator": "pkg:npm/%40scope/product@1.0",
                },
            ],
        ),
        package("held"),
        package("linked"),
        package("holder", primaryPackagePurpose="CONTAINER"),
        package("installed"),
        package("needed"),
    ],
    "relationships": [
        relation("DOCUMENT", "DESCRIBES", "product"),
        relation("DOCUMENT", "CONTAINS", "holder"),
        relation("product", "CONTAINS", "held"),
        relation("linked", "CONTAINED_BY", "held"),
        relation("holder", "CONTAINS", "installed"),
        relation("product", "DEPENDS_ON", "needed"),
    ],
}
PARTS = {
    "@scope/product": False,
    "held": True,
    "linked": True,
    "holder": None,
    "installed": None,
    "needed": None,
}


def found(read, data: bytes) -> list[Component]:
    values = list(read(data, "place"))
    assert not [each for each in values if isinstance(each, Skipped)]
    return values


def in_json() -> list[Component]:
    return found(spdx_json.read, json.dumps(DOCUMENT).encode())


def test_what_contains_what_decides_whether_it_is_a_part() -> None:
    assert {each.name: each.embedded for each in in_json()} == PARTS


def test_every_word_of_who_made_it_is_a_trace() -> None:
    product = in_json()[0]
    assert product.kind == "npm"
    assert product.made == date(2023, 2, 3)
    assert {(trace.kind, trace.value) for trace in product.traces} == {
        (MarkerKind.SUPPLIER_NAME, "Supplier AG (mail@supplier.example)"),
        (MarkerKind.SUPPLIER_NAME, "Olga Originator"),
        (MarkerKind.HOST, "supplier.example"),
        (MarkerKind.HOST, "www.home.example"),
        (MarkerKind.HOST, "download.example"),
        (MarkerKind.CPE_VENDOR, "vendor"),
        (MarkerKind.CPE_VENDOR, "other_vendor"),
        (MarkerKind.NPM_SCOPE, "@scope"),
        (MarkerKind.PACKAGE, "npm:@scope/product"),
        (MarkerKind.TEXT, "Copyright Holder"),
    }


def without_reference(components: list[Component]) -> list[Component]:
    """RDF names things by their whole address, and has no order."""
    return sorted(
        each._replace(
            reference=each.reference.rpartition("#")[2], traces=tuple(sorted(each.traces))
        )
        for each in components
    )


def test_all_encodings_say_the_same(tmp_path: Path) -> None:
    pytest.importorskip("spdx_tools")
    from spdx_tools.spdx.parser.jsonlikedict.json_like_dict_parser import JsonLikeDictParser
    from spdx_tools.spdx.writer.write_anything import write_file

    document = JsonLikeDictParser().parse(DOCUMENT)
    expected = without_reference(in_json())
    readers = {
        "a.spdx.json": spdx_json.read,
        "a.spdx.yaml": spdx_json.read_yaml,
        "a.spdx.xml": spdx_xml.read,
        "a.spdx.rdf": spdx_rdf.read,
        "a.spdx": spdx_tag_value.read,
    }
    for name, read in readers.items():
        write_file(document, str(tmp_path / name), validate=False)
        assert without_reference(found(read, (tmp_path / name).read_bytes())) == expected, name


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
def test_byte_order_marks(encoding: str) -> None:
    assert found(spdx_json.read, json.dumps(DOCUMENT).encode(encoding)) == in_json()


def test_a_text_over_lines_with_tags_in_it_makes_no_package() -> None:
    written = (
        b"SPDXVersion: SPDX-2.3\nPackageName: a\nPackageComment: <text>one\nPackageName: b\n"
        b"</text>\nPackageVersion: 2\n"
    )
    assert [(each.name, each.version) for each in found(spdx_tag_value.read, written)] == [
        ("a", "2")
    ]


GRAPH = {
    "@context": "https://spdx.org/rdf/3.0.1/spdx-context.jsonld",
    "@graph": [
        {"type": "CreationInfo", "@id": "_:c", "specVersion": "3.0.1"},
        {
            "type": "software_Package",
            "spdxId": "urn:product",
            "name": "product",
            "software_packageVersion": "1.0",
            "software_packageUrl": "pkg:deb/debian/product@1.0",
            "suppliedBy": "urn:supplier",
            "originatedBy": ["urn:person"],
            "software_homePage": "https://www.home.example/",
            "builtTime": "2023-02-03T04:05:06Z",
            "externalIdentifier": [
                {
                    "type": "ExternalIdentifier",
                    "externalIdentifierType": "cpe23",
                    "identifier": "cpe:2.3:a:vendor:product:1.0:*:*:*:*:*:*:*",
                }
            ],
            "externalRef": [
                {"externalRefType": "vcs", "locator": ["https://git.example/x.git"]},
            ],
        },
        {"type": "software_Package", "spdxId": "urn:part", "name": "part"},
        {"type": "ai_AIPackage", "spdxId": "urn:model", "name": "model"},
        {
            "type": "Organization",
            "spdxId": "urn:supplier",
            "name": "Supplier AG",
            "externalIdentifier": [
                {"externalIdentifierType": "email", "identifier": "mail@supplier.example"}
            ],
        },
        {"type": "Person", "spdxId": "urn:person", "name": "Olga Originator"},
        {
            "type": "Relationship",
            "from": "urn:product",
            "relationshipType": "contains",
            "to": ["urn:part"],
        },
        {"type": "software_Sbom", "spdxId": "urn:bill", "rootElement": ["urn:product"]},
        {"type": "software_File", "spdxId": "urn:file", "name": "a file"},
    ],
}


def test_version_3_is_a_graph() -> None:
    values = found(spdx3.read, json.dumps(GRAPH).encode())
    assert [(each.name, each.kind, each.embedded) for each in values] == [
        ("product", "deb", False),
        ("part", "package", True),
        ("model", "package", None),
    ]
    assert values[0].made == date(2023, 2, 3)
    assert {(trace.kind, trace.value, trace.where) for trace in values[0].traces} == {
        (MarkerKind.SUPPLIER_NAME, "Supplier AG", "supplier"),
        (MarkerKind.HOST, "supplier.example", "supplier, mail address"),
        (MarkerKind.SUPPLIER_NAME, "Olga Originator", "originator"),
        (MarkerKind.PACKAGE, "deb:product", "package URL"),
        (MarkerKind.CPE_VENDOR, "vendor", "CPE name"),
        (MarkerKind.HOST, "git.example", "external reference, vcs"),
        (MarkerKind.HOST, "www.home.example", "homepage"),
    }
