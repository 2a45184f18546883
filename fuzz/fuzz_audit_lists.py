"""Bills, lists of packages and OSV records: hostile bytes give components, reasons, or nothing."""

from __future__ import annotations

import fuzz_support

from tocsin.audit.model import Component, Skipped
from tocsin.audit.osv.affected import is_affected
from tocsin.audit.osv.record import decode
from tocsin.audit.osv.versions import interface
from tocsin.audit.packages import interface as packages
from tocsin.audit.recognise import recognise
from tocsin.audit.sbom import interface as bills
from tocsin.audit.source import Unreadable

FORMATS = (*bills.BILLS, *packages.PACKAGE_LISTS)
ECOSYSTEMS = (
    "PyPI",
    "npm",
    "Maven",
    "Debian",
    "Red Hat",
    "Alpine",
    "NuGet",
    "RubyGems",
    "Packagist",
)
_SAMPLES = {
    bills.CYCLONEDX_JSON: b'{"bomFormat":"CycloneDX","components":[{"name":"a","cpe":"cpe:/a:b"}]}',
    bills.ENVELOPE: b'{"predicateType":"x","predicate":{"bomFormat":"CycloneDX","components":['
    b'{"name":"a"}]}}',
    bills.CYCLONEDX_XML: b'<bom xmlns="http://cyclonedx.org/schema/bom/1.4"><components><component>'
    b"<name>a</name></component></components></bom>",
    bills.CYCLONEDX_PROTOBUF: b"\x0a\x031.6\x2a\x05\x42\x01a\x4a\x00",
    bills.SPDX_JSON: b'{"spdxVersion":"SPDX-2.3","packages":[{"SPDXID":"a","name":"b"}],'
    b'"relationships":[]}',
    bills.SPDX_YAML: b"spdxVersion: SPDX-2.3\npackages:\n- name: a\n",
    bills.SPDX_TAG_VALUE: b"SPDXVersion: SPDX-2.3\nPackageName: a\n"
    b"ExternalRef: X purl pkg:npm/a@1\n",
    bills.SPDX_RDF: b'<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns:s='
    b'"http://spdx.org/rdf/terms#"><s:Package rdf:about="x"><s:name>a</s:name>'
    b"</s:Package></rdf:RDF>",
    bills.SPDX_3: b'{"@context":"https://spdx.org/rdf/3.0.1/x","@graph":[{"type":"software_Package",'
    b'"spdxId":"a","name":"b"}]}',
    packages.DPKG: b"Package: a\nStatus: install ok installed\nVersion: 1\n\n",
    packages.APK: b"P:a\nV:1\nA:x\n\n",
    packages.RPM_EXPORT: b"bash-5.1.8-6.el9.x86_64\n",
    packages.PYTHON_METADATA: b"Metadata-Version: 2.1\nName: a\nAuthor-email: b <c@d.e>\n",
    packages.PYTHON_LOCK: b'[[package]]\nname = "a"\nversion = "1"\n',
    packages.REQUIREMENTS: b"a==1\nb[c]>=2; python_version>'3'\n-r x\n",
    packages.NPM_LOCK: b'{"lockfileVersion":3,"packages":{"node_modules/a":{"version":"1"}}}',
    packages.YARN_LOCK: b'# yarn lockfile v1\na@^1:\n  version "1.0"\n',
    packages.PNPM_LOCK: b"lockfileVersion: '9.0'\npackages:\n  a@1.0.0: {}\n",
    packages.WINGET_LIST: b"Name Id Version\n--------------------\na    A.B 1\n",
    packages.WINDOWS_REGISTRY: b"REGEDIT4\n[HKEY_LOCAL_MACHINE\\X\\CurrentVersion\\Uninstall\\a]\n"
    b'"DisplayName"="b"\n"Publisher"=hex(2):41,00\n',
}
_RECORD = (
    b'{"id":"X-1","modified":"2024-01-01T00:00:00Z","affected":[{"package":{"ecosystem":"npm",'
    b'"name":"a"},"ranges":[{"type":"SEMVER","events":[{"introduced":"0"},{"fixed":"1.0"}]}]}]}'
)
SEEDS = [
    *(bytes([FORMATS.index(form)]) + data for form, data in _SAMPLES.items()),
    b"\xfe" + _RECORD,
    b"\xfd1.0-rc1",
]


def check(data: bytes) -> None:
    """Read by what the first byte says."""
    kind, rest = data[:1], data[1:]
    if kind == b"\xfe":
        _record(rest)
        return
    if kind == b"\xfd":
        _version(rest.decode("utf-8", "replace"))
        return
    recognise(rest, "list.txt")
    form = FORMATS[(kind or b"\0")[0] % len(FORMATS)]
    for one in form.read(rest, "place"):
        if isinstance(one, Skipped):
            fuzz_support.require_words(Unreadable(one.reason))
        elif not isinstance(one, Component):
            raise AssertionError(  # noqa: TRY004
                f"{form.name} gives {type(one)}"
            )


def _record(data: bytes) -> None:
    try:
        record = decode(data)
    except Unreadable as error:
        fuzz_support.require_words(error)
        return
    for stated in record.affected or ():
        for ecosystem in ECOSYSTEMS:
            is_affected(stated, ecosystem, "1.0")


def _version(word: str) -> None:
    for ecosystem in ECOSYSTEMS:
        rule = interface.rule(ecosystem)
        if rule is None:
            raise AssertionError(f"no rule for {ecosystem}")
        try:
            key = interface.key(rule, word)
        except ValueError:
            continue
        if key < key or not key <= key:
            raise AssertionError(f"{word!r} comes before itself in {ecosystem}")


if __name__ == "__main__":
    fuzz_support.fuzz(check, SEEDS)
