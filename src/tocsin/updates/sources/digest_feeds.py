"""Lists of digests as feeds serve them: abuse.ch's CSV, and plain ones with a digest a line.

The CSV begins with comments, the last of which names the columns; values are quoted and parted
by a comma and a blank. Of a row the strongest digest is taken (SHA-256, then SHA-1, then MD5),
and the family it names becomes part of the detection's name. Rows without a digest are passed
over and counted; a file of mostly such rows is no feed, but perhaps a page that says why not.

Source: the exports of MalwareBazaar and URLhaus, as their pages describe them.
"""

from __future__ import annotations

import csv
import hashlib
import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from tocsin.errors import SignatureError
from tocsin.signatures.clamav.digests import ALGORITHMS, ANY_SIZE_LEVEL
from tocsin.signatures.digest_lists import looks_like_digest_list, parse_list_line
from tocsin.signatures.records import Kind, Record, Source
from tocsin.updates.sources.errors import SourceRefused, SourceTooLarge

MOST_ROWS = 20_000_000
_LONGEST_LINE = 100_000
_DIGEST = re.compile(r"[0-9A-Fa-f]{32}(?:[0-9A-Fa-f]{8}(?:[0-9A-Fa-f]{24})?)?\Z")
_UNFIT = re.compile(r"[^A-Za-z0-9._-]+")
_DIGEST_COLUMNS = ("sha256_hash", "sha256", "sha1_hash", "sha1", "md5_hash", "md5")
_FAMILY_COLUMNS = ("signature", "malware", "malware_printable", "family", "threat")
_NOTHING = frozenset({"", "none", "n/a", "na", "null", "-", "unknown"})
_VERSION = re.compile(r"(?:last updated?|generated|version|date)\s*:\s*(.{4,60})", re.I)
_LICENCE = re.compile(
    r"(?:licen[cs]e|spdx-license-identifier|terms of use)\s*[:=]\s*(.{2,120})", re.I
)
_HEAD_BYTES = 16_384


class Feed(NamedTuple):
    """What a feed says.

    Attributes:
        records: one a digest, each digest once.
        skipped: rows without one.
        source: where they came from, with what the feed states of itself.
    """

    records: list[Record]
    skipped: int
    source: Source


class _Columns(NamedTuple):
    """Which columns of a row are read; by position."""

    digests: tuple[int, ...]
    families: tuple[int, ...]


def read_feed(data: bytes, name: str, *, author: str = "", licence: str = "") -> Feed:
    """Read a feed.

    Args:
        data: the whole file, not packed.
        name: of the feed; detections without a family are called after it.
        author: who makes it, where the feed does not say.
        licence: its licence, where the feed does not say.

    Raises:
        SourceTooLarge: more rows than any feed has.
        SourceRefused: no digest in it, or mostly something else.
    """
    text = data.decode("utf-8-sig", "replace")
    stated_version, stated_licence = _stated(text[:_HEAD_BYTES])
    source = Source(
        name,
        hashlib.sha256(data).hexdigest(),
        author,
        stated_licence or licence,
        version=stated_version,
    )
    plain = looks_like_digest_list(text[: 1 << 16]) and "," not in _first_row(text)
    rows = _plain_rows(text, name) if plain else _csv_rows(text, name)
    found: dict[str, str] = {}
    skipped = 0
    for number, (digest, signature) in enumerate(rows):
        if number >= MOST_ROWS:
            raise SourceTooLarge(f"{name}: more than {MOST_ROWS:,} rows")
        if digest:
            found.setdefault(digest, signature)
        else:
            skipped += 1
    if not found or skipped > len(found):
        raise SourceRefused(
            f"{name}: {len(found):,} digests and {skipped:,} rows without one; this is no feed of "
            "digests"
        )
    records = [Record(Kind.FILE_DIGEST, text, source) for text in found.values()]
    return Feed(records, skipped, source)


def _plain_rows(text: str, name: str) -> Iterator[tuple[str, str]]:
    """Digest and signature of each line; both empty where there is none."""
    for line in _lines(text):
        if line and not line.startswith(("#", "//", ";")):
            try:
                signature = parse_list_line(line, name)
            except SignatureError:
                yield "", ""
            else:
                yield signature.partition(":")[0], signature


def _csv_rows(text: str, name: str) -> Iterator[tuple[str, str]]:
    columns: _Columns | None = None
    for line in _lines(text):
        if not line:
            continue
        if line.startswith("#"):
            columns = _named_columns(_fields(line.lstrip("# "))) or columns
            continue
        fields = _fields(line)
        named = _named_columns(fields)
        if named is not None and not any(map(_DIGEST.match, fields)):
            columns = named
            continue
        digest = _digest(fields, columns)
        yield digest, _signature(digest, _family(fields, columns), name) if digest else ""


def _fields(line: str) -> list[str]:
    if len(line) > _LONGEST_LINE:
        return []
    try:
        return [field.strip() for field in next(csv.reader([line], skipinitialspace=True), [])]
    except csv.Error:
        return []


def _named_columns(fields: Sequence[str]) -> _Columns | None:
    names = [field.lower() for field in fields]
    digests = tuple(names.index(name) for name in _DIGEST_COLUMNS if name in names)
    families = tuple(names.index(name) for name in _FAMILY_COLUMNS if name in names)
    return _Columns(digests, families) if digests else None


def _digest(fields: Sequence[str], columns: _Columns | None) -> str:
    places = columns.digests if columns else range(len(fields))
    found = [fields[p] for p in places if p < len(fields) and _DIGEST.match(fields[p])]
    return max(found, key=len).lower() if found else ""


def _family(fields: Sequence[str], columns: _Columns | None) -> str:
    for place in columns.families if columns else ():
        if place < len(fields) and fields[place].lower() not in _NOTHING:
            return fields[place]
    return ""


def _signature(digest: str, family: str, name: str) -> str:
    assert len(digest) in ALGORITHMS
    called = _UNFIT.sub("_", family[:80]).strip("_") or digest[:12]
    return f"{digest}:*:{_UNFIT.sub('_', name)}.{called}:{ANY_SIZE_LEVEL}"


def _lines(text: str) -> Iterator[str]:
    """Lines one after the other, without the blanks around them."""
    place = 0
    while place < len(text):
        end = text.find("\n", place)
        end = len(text) if end < 0 else end
        yield text[place:end].strip()
        place = end + 1


def _first_row(text: str) -> str:
    return next((line for line in _lines(text) if line and not line.startswith("#")), "")


def _stated(head: str) -> tuple[str, str]:
    """Version and licence that comments at the beginning state."""
    version = licence = ""
    for line in _lines(head):
        if line and not line.startswith("#"):
            break
        plain = line.strip("# \t")
        if not version and (stated := _VERSION.search(plain)):
            version = stated[1].strip()
        if not licence and (stated := _LICENCE.search(plain)):
            licence = stated[1].strip()
    return version, licence
