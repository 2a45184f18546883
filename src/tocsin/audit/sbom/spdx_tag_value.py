"""SPDX 2.2 and 2.3 as lines `Tag: value` (SPDX 2.3, clause 6 and annex "tag-value")."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tocsin.audit.sbom.spdx import Document
from tocsin.audit.source import Found, Source, Unreadable, content, reader, text

MOST_TEXT = 10 << 20
"""Characters of one `<text>`."""

_FIELDS = {
    "SPDXID": "SPDXID",
    "PackageVersion": "versionInfo",
    "PackageSupplier": "supplier",
    "PackageOriginator": "originator",
    "PackageDownloadLocation": "downloadLocation",
    "PackageHomePage": "homepage",
    "PackageCopyrightText": "copyrightText",
    "PrimaryPackagePurpose": "primaryPackagePurpose",
    "BuiltDate": "builtDate",
    "ReleaseDate": "releaseDate",
}
_OTHERS = frozenset({"FileName", "SnippetSPDXID", "LicenseID", "Annotator", "Reviewer"})
"""Tags with which something begins that is no package."""


@reader
def read(source: Source, place: str) -> Iterator[Found]:
    """Read a document; files, snippets and licences are passed over."""
    document = Document(place)
    broken = None
    try:
        written = text(content(source))
        _read_into(document, written if "\n" in written else written.replace("\r", "\n"))
    except Unreadable as error:
        broken = error
    yield from document.finish()
    if broken is not None:
        raise broken


def _read_into(document: Document, written: str) -> None:
    current: dict[str, Any] | None = None
    try:
        for tag, value in _tags(written):
            if tag == "PackageName":
                if current is not None:
                    document.package(current)
                current = {"name": value, "externalRefs": []}
            elif tag == "Relationship":
                parts = value.split()
                if len(parts) >= 3:
                    document.relationship(*parts[:3])
            elif tag in _OTHERS:
                if current is not None:
                    document.package(current)
                current = None
            elif current is not None and tag == "ExternalRef":
                category, _, rest = value.partition(" ")
                kind, _, locator = rest.strip().partition(" ")
                reference = {"referenceCategory": category, "referenceType": kind}
                current["externalRefs"].append({**reference, "referenceLocator": locator.strip()})
            elif current is not None and tag in _FIELDS:
                current.setdefault(_FIELDS[tag], value)
    finally:
        if current is not None:
            document.package(current)


def _tags(written: str) -> Iterator[tuple[str, str]]:
    """Tags with their values; `<text>` goes over lines."""
    at, end = 0, len(written)
    while at < end:
        line_end = written.find("\n", at)
        line_end = end if line_end < 0 else line_end
        line = written[at:line_end].strip()
        at = line_end + 1
        if not line or line.startswith("#"):
            continue
        tag, colon, value = line.partition(":")
        if not colon:
            continue  # what is no tag is of no package
        value = value.strip()
        if value.startswith("<text>"):
            if "</text>" not in value:
                close = written.find("</text>", at, at + MOST_TEXT)
                if close < 0:
                    raise Unreadable(f"the text of {tag[:50]!r} does not end; have it whole")
                value += "\n" + written[at:close]
                line_end = written.find("\n", close)
                at = end if line_end < 0 else line_end + 1
            value = value.removeprefix("<text>").partition("</text>")[0].strip()
        yield tag.strip(), value
