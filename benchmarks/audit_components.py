"""How long it takes to read lists of many components, each format in a process's own time.

python benchmarks/audit_components.py                  50,000 components
python benchmarks/audit_components.py --count 5000     fewer
"""

from __future__ import annotations

import argparse
import io
import json
import resource
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from tocsin.audit.list_format import ListFormat
from tocsin.audit.model import Component
from tocsin.audit.osv.matching import match
from tocsin.audit.packages import interface as packages
from tocsin.audit.recognise import recognise
from tocsin.audit.sbom import interface as bills

SUPPLIERS = ("Example GmbH", "Another, Inc.", "Third Oy")


def cyclonedx_json(count: int) -> bytes:
    """Components as a generator of images writes them, some 700 bytes each."""
    rows = [
        {
            "type": "library",
            "bom-ref": f"pkg:npm/%40scope{number % 100}/name-{number}@1.{number}.0",
            "supplier": {"name": SUPPLIERS[number % 3], "url": ["https://www.example.com/"]},
            "author": f"Somebody {number} <s{number}@example.org>",
            "group": f"@scope{number % 100}",
            "name": f"name-{number}",
            "version": f"1.{number}.0",
            "description": "A package that does one thing, and has a sentence about it.",
            "licenses": [{"license": {"id": "MIT"}}],
            "cpe": f"cpe:2.3:a:vendor{number % 50}:name-{number}:1.{number}.0:*:*:*:*:*:*:*",
            "purl": f"pkg:npm/%40scope{number % 100}/name-{number}@1.{number}.0",
            "hashes": [{"alg": "SHA-256", "content": f"{number:064x}"}],
            "externalReferences": [
                {"type": "website", "url": f"https://example{number % 9}.org/{number}"},
                {"type": "vcs", "url": f"git+https://git.example.net/{number}.git"},
            ],
        }
        for number in range(count)
    ]
    head = {"bomFormat": "CycloneDX", "specVersion": "1.6", "version": 1}
    return json.dumps({**head, "components": rows}).encode()


def cyclonedx_xml(count: int) -> bytes:
    """The same in XML."""
    rows = "".join(
        f'<component type="library" bom-ref="r{number}"><supplier><name>{SUPPLIERS[number % 3]}'
        f"</name><url>https://www.example.com/</url></supplier><group>@s</group>"
        f"<name>name-{number}</name><version>1.{number}.0</version>"
        f"<cpe>cpe:2.3:a:vendor{number % 50}:n:1:*:*:*:*:*:*:*</cpe>"
        f"<purl>pkg:npm/%40s/name-{number}@1.{number}.0</purl><externalReferences>"
        f'<reference type="website"><url>https://example.org/{number}</url></reference>'
        "</externalReferences></component>"
        for number in range(count)
    )
    opening = '<bom xmlns="http://cyclonedx.org/schema/bom/1.6" version="1"><components>'
    return f"{opening}{rows}</components></bom>".encode()


def spdx_rows(count: int) -> list[dict[str, object]]:
    """Packages of SPDX 2."""
    return [
        {
            "SPDXID": f"SPDXRef-{number}",
            "name": f"name-{number}",
            "versionInfo": f"1.{number}",
            "supplier": f"Organization: {SUPPLIERS[number % 3]} (mail@example.com)",
            "downloadLocation": f"https://example.org/{number}.tar.gz",
            "homepage": "https://example.net/",
            "externalRefs": [
                {
                    "referenceCategory": "PACKAGE-MANAGER",
                    "referenceType": "purl",
                    "referenceLocator": f"pkg:pypi/name-{number}@1.{number}",
                }
            ],
        }
        for number in range(count)
    ]


def spdx_json(count: int) -> bytes:
    """A document with a relationship for every package."""
    relations = [
        {
            "spdxElementId": "SPDXRef-0",
            "relationshipType": "CONTAINS",
            "relatedSpdxElement": f"SPDXRef-{number}",
        }
        for number in range(1, count)
    ]
    head = {"spdxVersion": "SPDX-2.3", "SPDXID": "SPDXRef-DOCUMENT"}
    return json.dumps({**head, "packages": spdx_rows(count), "relationships": relations}).encode()


def spdx_yaml(count: int) -> bytes:
    """The same in YAML, for which JSON's flow of lines is written out."""
    lines = ["spdxVersion: SPDX-2.3", "SPDXID: SPDXRef-DOCUMENT", "packages:"]
    for number in range(count):
        lines += [
            f"- SPDXID: SPDXRef-{number}",
            f"  name: name-{number}",
            f"  versionInfo: '1.{number}'",
            f"  supplier: 'Organization: {SUPPLIERS[number % 3]}'",
            "  externalRefs:",
            "  - referenceType: purl",
            f"    referenceLocator: pkg:pypi/name-{number}@1.{number}",
        ]
    return "\n".join(lines).encode()


def spdx_tag_value(count: int) -> bytes:
    """The same as tags with values."""
    return ("SPDXVersion: SPDX-2.3\n" + "".join(
        f"\nPackageName: name-{number}\nSPDXID: SPDXRef-{number}\nPackageVersion: 1.{number}\n"
        f"PackageSupplier: Organization: {SUPPLIERS[number % 3]}\n"
        f"ExternalRef: PACKAGE-MANAGER purl pkg:pypi/name-{number}@1.{number}\n"
        for number in range(count)
    )).encode()  # fmt: skip


def spdx_rdf(count: int) -> bytes:
    """The same as RDF."""
    rows = "".join(
        f'<s:Package rdf:about="http://x#SPDXRef-{number}"><s:name>name-{number}</s:name>'
        f"<s:versionInfo>1.{number}</s:versionInfo><s:supplier>Organization: "
        f"{SUPPLIERS[number % 3]}</s:supplier><s:externalRef><s:ExternalRef><s:referenceLocator>"
        f"pkg:pypi/name-{number}@1.{number}</s:referenceLocator></s:ExternalRef></s:externalRef>"
        "</s:Package>"
        for number in range(count)
    )
    return (
        '<rdf:RDF xmlns:s="http://spdx.org/rdf/terms#" '
        f'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">{rows}</rdf:RDF>'
    ).encode()


def spdx_3(count: int) -> bytes:
    """Elements of a graph."""
    rows: list[dict[str, object]] = [
        {
            "type": "software_Package",
            "spdxId": f"urn:p{number}",
            "name": f"name-{number}",
            "software_packageVersion": f"1.{number}",
            "software_packageUrl": f"pkg:pypi/name-{number}@1.{number}",
            "suppliedBy": "urn:organization",
            "creationInfo": "_:c",
        }
        for number in range(count)
    ]
    rows.append({"type": "Organization", "spdxId": "urn:organization", "name": SUPPLIERS[0]})
    context = "https://spdx.org/rdf/3.0.1/spdx-context.jsonld"
    return json.dumps({"@context": context, "@graph": rows}).encode()


def dpkg(count: int) -> bytes:
    """A status file."""
    return "".join(
        f"Package: name-{number}\nStatus: install ok installed\nMaintainer: Somebody "
        f"<s@example.org>\nArchitecture: amd64\nVersion: 1.{number}-1\nDescription: one line\n"
        f" and more\nHomepage: https://example.org/{number}\n\n"
        for number in range(count)
    ).encode()


def package_lock(count: int) -> bytes:
    """A lock of npm, version 3."""
    held = {
        f"node_modules/name-{number}": {
            "version": f"1.{number}.0",
            "resolved": f"https://mirror.example.org/name-{number}.tgz",
            "integrity": "sha512-x",
        }
        for number in range(count)
    }
    return json.dumps({"lockfileVersion": 3, "packages": {"": {}, **held}}).encode()


def registry(count: int) -> bytes:
    """An export of the Windows registry."""
    key = r"[HKEY_LOCAL_MACHINE\SOFTWARE\Microsoft\Windows\CurrentVersion\Uninstall"
    rows = "".join(
        f'\r\n{key}\\{number}]\r\n"DisplayName"="Name {number}"\r\n"Publisher"='
        f'"{SUPPLIERS[number % 3]}"\r\n"DisplayVersion"="1.{number}"\r\n'
        for number in range(count)
    )
    return ("\ufeffWindows Registry Editor Version 5.00\r\n" + rows).encode("utf-16-le")


LISTS: tuple[tuple[ListFormat, Callable[[int], bytes]], ...] = (
    (bills.CYCLONEDX_JSON, cyclonedx_json),
    (bills.CYCLONEDX_XML, cyclonedx_xml),
    (bills.SPDX_JSON, spdx_json),
    (bills.SPDX_YAML, spdx_yaml),
    (bills.SPDX_TAG_VALUE, spdx_tag_value),
    (bills.SPDX_RDF, spdx_rdf),
    (bills.SPDX_3, spdx_3),
    (packages.DPKG, dpkg),
    (packages.NPM_LOCK, package_lock),
    (packages.WINDOWS_REGISTRY, registry),
)


def osv_export(records: int) -> bytes:
    """A database of malicious npm packages; every hundredth is one of the components."""
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(records):
            name = f"@scope{number % 100}/name-{number}" if not number % 100 else f"bad-{number}"
            record = {
                "id": f"MAL-2024-{number}",
                "modified": "2024-01-01T00:00:00Z",
                "summary": "Malicious code",
                "details": "It does harm. " * 60,
                "affected": [
                    {
                        "package": {"ecosystem": "npm", "name": name},
                        "ranges": [{"type": "SEMVER", "events": [{"introduced": "0"}]}],
                    }
                ],
            }
            archive.writestr(f"MAL-2024-{number}.json", json.dumps(record))
    return held.getvalue()


def rows_of(count: int) -> Iterator[str]:
    """Measure each list."""
    for form, make in LISTS:
        data = make(count)
        found = recognise(data)
        if found is not form:
            raise AssertionError(f"{form.name} is taken for {found and found.name}")
        started = time.process_time()
        read = sum(isinstance(one, Component) for one in form.read(data, "list"))
        taken = time.process_time() - started
        if read != count:
            raise AssertionError(f"{form.name}: {read:,} of {count:,} components")
        yield f"{form.name:<32} {len(data) / 1e6:>7.1f} {taken:>8.2f} {read / taken:>11,.0f}"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--count", type=int, default=50_000)
    parser.add_argument("--records", type=int, default=50_000, help="in the OSV database")
    stated = parser.parse_args()
    print(f"{stated.count:,} components          {'MB':>12} {'CPU s':>8} {'components/s':>11}")
    for row in rows_of(stated.count):
        print(row, flush=True)
    components = [
        one
        for one in bills.CYCLONEDX_JSON.read(cyclonedx_json(stated.count), "list")
        if isinstance(one, Component)
    ]
    with TemporaryDirectory() as folder:
        place = Path(folder, "all.zip")
        place.write_bytes(osv_export(stated.records))
        started = time.process_time()
        found = sum(1 for _ in match(components, place))
        taken = time.process_time() - started
    print(f"{stated.records:,} OSV records from a zip: {taken:.2f} s, {found:,} findings")
    print(f"most memory: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:,.0f} MB")


if __name__ == "__main__":
    main()
