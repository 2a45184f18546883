"""Which source is meant by what a user writes: a name from the list, or `KIND:URL`."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import NamedTuple
from urllib.parse import urlsplit

from tocsin.errors import UsageError


class Kind(StrEnum):
    """What a source serves."""

    CLAMAV = "clamav"
    DIGESTS = "digests"
    YARA = "yara"


class SourceSpec(NamedTuple):
    """One source.

    Attributes:
        name: of its file in the folder, and in `sources.json`.
        kind: what it serves.
        url: where; of ClamAV the server with a folder, of others the file.
        author: who makes it.
        licence: under which it is given, where it does not say so itself.
    """

    name: str
    kind: Kind
    url: str
    author: str = ""
    licence: str = ""


_FORGE = "https://github.com/YARAHQ/yara-forge/releases/latest/download/yara-forge-rules-"
_LICENCES_WITHIN = "each rule's own, stated in it"
KNOWN = {
    spec.name: spec
    for spec in (
        SourceSpec("clamav", Kind.CLAMAV, "https://database.clamav.net", "Cisco Talos", "GPL-2.0"),
        *(
            SourceSpec(
                f"yara-forge-{size}",
                Kind.YARA,
                f"{_FORGE}{size}.zip",
                "YARA-Forge",
                _LICENCES_WITHIN,
            )
            for size in ("core", "extended", "full")
        ),
        SourceSpec(
            "malwarebazaar",
            Kind.DIGESTS,
            "https://bazaar.abuse.ch/export/csv/recent/",
            "abuse.ch",
            "CC0-1.0",
        ),
        SourceSpec(
            "urlhaus",
            Kind.DIGESTS,
            "https://urlhaus.abuse.ch/downloads/payloads/",
            "abuse.ch",
            "CC0-1.0",
        ),
    )
}
"""Sources that have a name."""

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,59}\Z")
_UNFIT = re.compile(r"[^a-z0-9._-]+")


def parse_source(text: str) -> SourceSpec:
    """The source that is meant: `NAME`, `KIND:URL` or `NAME=KIND:URL`.

    Raises:
        UsageError: none is.
    """
    if text in KNOWN:
        return KNOWN[text]
    stated, found, rest = text.partition("=")
    name, where = (stated, rest) if found and _NAME.match(stated) else ("", text)
    kind_text, _, url = where.partition(":")
    try:
        kind = Kind(kind_text)
    except ValueError:
        raise UsageError(
            f"{text!r} is no source; name one of {', '.join(KNOWN)}, or write KIND:URL or "
            f"NAME=KIND:URL with a kind of {', '.join(Kind)}"
        ) from None
    try:
        parts = urlsplit(url)
    except ValueError:
        parts = urlsplit("")
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise UsageError(
            f"{text!r}: {url!r} is not an address that begins with https:// or http://"
        )
    if not name:
        last = parts.path.rstrip("/").rpartition("/")[2].partition(".")[0].lower()
        name = _UNFIT.sub("-", last).strip("-.")[:60] or _UNFIT.sub("-", parts.hostname.lower())
        name = "clamav" if kind is Kind.CLAMAV else name
    return SourceSpec(name, kind, url)


def is_named(text: str) -> bool:
    """Whether a user gave the source its name: `NAME=KIND:URL`, or a name from the list."""
    stated, found, _ = text.partition("=")
    return text in KNOWN or bool(found and _NAME.match(stated))


def source_text(spec: SourceSpec) -> str:
    """The same source as a user writes it."""
    known = KNOWN.get(spec.name)
    if known is not None and (known.kind, known.url) == (spec.kind, spec.url):
        return spec.name
    return f"{spec.name}={spec.kind}:{spec.url}"
