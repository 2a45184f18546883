"""Lists of digests as feeds serve them: abuse.ch's CSV, and plain ones with a digest a line.

The CSV begins with comments, the last of which names the columns; values are quoted and parted
by a comma and a blank. Of a row the strongest digest is taken (SHA-256, then SHA-1, then MD5),
and the family it names becomes part of the detection's name. Rows without a digest are passed
over and counted; a file of mostly such rows is no feed, but perhaps a page that says why not.

Source: the exports of MalwareBazaar and URLhaus, as their pages describe them.
"""

from __future__ import annotations

import codecs
import csv
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import BinaryIO, NamedTuple

from tocsin.errors import SignatureError
from tocsin.signatures.clamav.digests import ALGORITHMS, ANY_SIZE_LEVEL
from tocsin.signatures.digest_lists import looks_like_digest_list, parse_list_line
from tocsin.signatures.records import Kind, Record, Source
from tocsin.updates.sources.errors import SourceRefused, SourceTooLarge
from tocsin.updates.sources.files import bounded_lines, stream_digest

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
_HEAD_CHARACTERS = 16_384
_LIST_HEAD = 1 << 16


class _Columns(NamedTuple):
    """Which columns of a row are read; by position."""

    digests: tuple[int, ...]
    families: tuple[int, ...]


class Feed:
    """A feed that is read row by row.

    Args:
        file: the whole of it, not packed.
        name: of the feed; detections without a family are called after it.
        author: who makes it, where the feed does not say.
        licence: its licence, where the feed does not say.

    Attributes:
        source: where the records came from, with what the feed states of itself.
        skipped: rows without a digest, of those that were read.

    Raises:
        OSError: it cannot be read.
    """

    def __init__(self, file: BinaryIO, name: str, *, author: str = "", licence: str = "") -> None:
        self._file = file
        sha256 = stream_digest(file)
        file.seek(0)
        head = file.read(_LIST_HEAD).decode("utf-8-sig", "replace")
        version, stated = _stated(head[:_HEAD_CHARACTERS])
        self.source = Source(name, sha256, author, stated or licence, version=version)
        self.skipped = 0
        self._plain = looks_like_digest_list(head) and "," not in _first_row(head)

    def records(self) -> Iterator[Record]:
        """One a row with a digest, in their order; a digest may come again.

        Raises:
            SourceTooLarge: more rows than any feed has.
        """
        name = self.source.name
        lines = self._lines()
        rows = _plain_rows(lines, name) if self._plain else _csv_rows(lines, name)
        self.skipped = 0
        for number, signature in enumerate(rows):
            if number >= MOST_ROWS:
                raise SourceTooLarge(f"{name}: more than {MOST_ROWS:,} rows")
            if signature:
                yield Record(Kind.FILE_DIGEST, signature, self.source)
            else:
                self.skipped += 1

    def require_digests(self, found: int) -> None:
        """Whether it is a feed, once all of it was read.

        Args:
            found: how many digests are in it.

        Raises:
            SourceRefused: no digest in it, or mostly something else.
        """
        if not found or self.skipped > found:
            raise SourceRefused(
                f"{self.source.name}: {found:,} digests and {self.skipped:,} rows without one; "
                "this is no feed of digests"
            )

    def _lines(self) -> Iterator[str]:
        """Lines without the blanks around them; of one that is too long nothing is a digest."""
        lines = bounded_lines(self._file, _LONGEST_LINE + 1)
        for number, line in enumerate(lines):
            text = line if number else line.removeprefix(codecs.BOM_UTF8)
            yield text.decode("utf-8", "replace").strip()


def digest_of(line: bytes) -> bytes:
    """What makes two lines of a database the same signature in a feed: their digest."""
    return line.partition(b":")[0]


def _plain_rows(lines: Iterable[str], name: str) -> Iterator[str]:
    """The signature of each line; empty where there is none."""
    for line in lines:
        if line and not line.startswith(("#", "//", ";")):
            try:
                yield parse_list_line(line, name) if len(line) <= _LONGEST_LINE else ""
            except SignatureError:
                yield ""


def _csv_rows(lines: Iterable[str], name: str) -> Iterator[str]:
    columns: _Columns | None = None
    called = _UNFIT.sub("_", name)
    for line in lines:
        if not line:
            continue
        if line.startswith("#"):
            columns = _named_columns(_fields(line.lstrip("# "))) or columns
            continue
        fields = _fields(line)
        digest = _digest(fields, columns)
        if digest:
            yield _signature(digest, _family(fields, columns), called)
            continue
        named = _named_columns(fields)
        if named is not None and not any(map(_DIGEST.match, fields)):
            columns = named
        else:
            yield ""


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


def _signature(digest: str, family: str, feed: str) -> str:
    assert len(digest) in ALGORITHMS
    called = _UNFIT.sub("_", family[:80]).strip("_") or digest[:12]
    return f"{digest}:*:{feed}.{called}:{ANY_SIZE_LEVEL}"


def _first_row(text: str) -> str:
    lines = map(str.strip, text.split("\n"))
    return next((line for line in lines if line and not line.startswith("#")), "")


def _stated(head: str) -> tuple[str, str]:
    """Version and licence that comments at the beginning state."""
    version = licence = ""
    for line in map(str.strip, head.split("\n")):
        if line and not line.startswith("#"):
            break
        plain = line.strip("# \t")
        if not version and (stated := _VERSION.search(plain)):
            version = stated[1].strip()
        if not licence and (stated := _LICENCE.search(plain)):
            licence = stated[1].strip()
    return version, licence
