"""Packages that are zip archives: of Android, Java, iOS and Windows' store.

What such a package says of itself stands in several of its members, which come out one after the
other: a `Bundle` is shown each of them and says at the end what the package is.

Source: Android, "AndroidManifest.xml"; "JAR File Specification" (manifest, signature block
files); Apple, "Information Property List"; Microsoft, "App package manifest": Identity.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from tocsin.audit.model import Trace
from tocsin.audit.programs.android_xml import elements, is_compiled
from tocsin.audit.programs.apk_signing import signing_block_traces
from tocsin.audit.programs.facts import Facts, trace
from tocsin.audit.programs.plists import read_plist
from tocsin.audit.programs.signatures import MOST_SIGNATURES, Signature, read_signatures
from tocsin.audit.programs.signers import day_signed, signer_traces
from tocsin.errors import FormatError
from tocsin.jurisdiction.vocabulary import MarkerKind

_ANDROID = "AndroidManifest.xml"
_JAVA = "META-INF/MANIFEST.MF"
_APPX = "AppxManifest.xml"
_APPX_SIGNATURE = "AppxSignature.p7x"
_SIGNATURE = re.compile(r"META-INF/[^/]+\.(?:RSA|DSA|EC)", re.IGNORECASE)
_PLIST = re.compile(r"Payload/[^/]+\.app/Info\.plist|(?:[^/]+/)?[^/]+\.app/Contents/Info\.plist")
_VENDORS = {
    "implementation-vendor": MarkerKind.SUPPLIER_NAME,
    "specification-vendor": MarkerKind.SUPPLIER_NAME,
    "bundle-vendor": MarkerKind.SUPPLIER_NAME,
    "implementation-vendor-id": MarkerKind.TEXT,
    "bundle-symbolicname": MarkerKind.TEXT,
    "automatic-module-name": MarkerKind.TEXT,
    "implementation-url": MarkerKind.HOST,
    "bundle-docurl": MarkerKind.HOST,
}
_CLASSES = frozenset({"application", "activity", "service", "receiver", "provider"})
_MOST_DECLARED = 50
_MOST_TROUBLE = 20
_LONGEST = 4 << 20
_LONGEST_LINES = 1 << 20
_IDENTITY = re.compile(rb"<Identity\b([^>]{0,4096})>")
_ATTRIBUTE = re.compile(rb"\b(Name|Publisher|Version)\s*=\s*(?:\"([^\"]*)\"|'([^']*)')")
_DISPLAYED = re.compile(rb"<PublisherDisplayName>([^<]{1,500})</PublisherDisplayName>")
_PART_OF_NAME = re.compile(r"\b(CN|O)=(?:\"([^\"]*)\"|([^,]*))")


class Bundle:
    """One zip archive while its members come out.

    Args:
        data: the archive.
        packages: what is looked for in names of Android packages.
    """

    def __init__(self, data: bytes, packages: tuple[str, ...]) -> None:
        self._data = data
        self._packages = packages
        self._facts: dict[str, Facts] = {}
        self._signatures: list[Signature] = []
        self._trouble: list[str] = []

    def show(self, name: str, data: bytes) -> None:
        """Look at a member."""
        if len(data) > _LONGEST or len(self._trouble) >= _MOST_TROUBLE:
            return
        try:
            if name == _ANDROID and is_compiled(data):
                self._facts.setdefault("android", self._android(data))
            elif name == _JAVA:
                self._facts.setdefault("java", _manifest(data))
            elif name == _APPX:
                self._facts.setdefault("appx", _appx(data))
            elif len(self._signatures) < MOST_SIGNATURES and _SIGNATURE.fullmatch(name):
                self._signatures += read_signatures(data)
            elif name == _APPX_SIGNATURE and data[:4] == b"PKCX":
                self._signatures += read_signatures(data[4:])
            elif _PLIST.fullmatch(name):
                self._plist(name, data)
        except FormatError as error:
            self._trouble.append(f"{name}: {error}")

    def _plist(self, name: str, data: bytes) -> None:
        kind = "ios" if name.startswith("Payload/") else "program"
        facts = read_plist(data, kind)
        if facts is None:
            self._trouble.append(f"{name}: no list of properties of a bundle")
        else:
            self._facts.setdefault(kind, facts)

    def _android(self, data: bytes) -> Facts:
        package = version = ""
        traces: list[Trace] = []
        declared: dict[str, str] = {}
        for element in elements(data):
            values = element.attributes
            if element.name == "manifest":
                package = values.get("package", "") or package
                version = values.get("versionName") or values.get("versionCode") or version
            elif element.name in _CLASSES and len(declared) < _MOST_DECLARED:
                name = values.get("name", "")
                if any(each in name for each in self._packages):
                    declared[name] = element.name
        traces += trace(MarkerKind.ANDROID_PACKAGE, package, "package in AndroidManifest.xml")
        for name, kind in declared.items():
            traces += trace(
                MarkerKind.ANDROID_PACKAGE, name, f"{kind} that AndroidManifest.xml declares"
            )
        return Facts("android", package, version, tuple(traces))

    def facts(self) -> Iterator[Facts]:
        """What the package is, once all members were shown; nothing where it is none."""
        scheme = "package's" if "appx" in self._facts else "JAR"
        signers = list(signer_traces(self._signatures, scheme))
        if "android" in self._facts:
            try:
                signers += signing_block_traces(self._data)
            except FormatError as error:
                self._trouble.append(str(error))
        for kind in ("android", "appx", "ios", "program", "java"):
            if (found := self._facts.get(kind)) is not None:
                yield found._replace(
                    traces=(*signers, *found.traces),
                    made=day_signed(self._signatures),
                    trouble=tuple(self._trouble),
                )
                return
        if signers or self._trouble:
            yield Facts(
                "package",
                traces=tuple(signers),
                made=day_signed(self._signatures),
                trouble=tuple(self._trouble),
            )


def _manifest(data: bytes) -> Facts:
    """The main section of a JAR's manifest."""
    text = data[:_LONGEST_LINES].decode("utf-8", "replace").replace("\r\n", "\n")
    text = text.replace("\r", "\n").partition("\n\n")[0].replace("\n ", "")
    fields: dict[str, str] = {}
    for line in text.split("\n"):
        key, colon, value = line.partition(":")
        if colon:
            fields.setdefault(key.strip().lower(), value.strip())
    traces: list[Trace] = []
    for key, kind in _VENDORS.items():
        traces += trace(kind, fields.get(key, ""), f"MANIFEST.MF: {key}")
    return Facts(
        "java",
        fields.get("implementation-title") or fields.get("bundle-name") or "",
        fields.get("implementation-version") or fields.get("bundle-version") or "",
        tuple(traces),
    )


def _appx(data: bytes) -> Facts:
    """Identity of a package of Windows' store; by patterns, since nothing else matters here."""
    found = _IDENTITY.search(data)
    fields = {
        match[1].decode(): (match[2] or match[3] or b"").decode("utf-8", "replace")
        for match in _ATTRIBUTE.finditer(found[1] if found else b"")
    }
    traces: list[Trace] = []
    for part in _PART_OF_NAME.finditer(fields.get("Publisher", "")):
        traces += trace(MarkerKind.SIGNER, part[2] or part[3] or "", "AppxManifest.xml: Publisher")
    if shown := _DISPLAYED.search(data):
        name = shown[1].decode("utf-8", "replace")
        traces += trace(MarkerKind.COMPANY, name, "AppxManifest.xml: PublisherDisplayName")
    return Facts("windows", fields.get("Name", ""), fields.get("Version", ""), tuple(traces))
