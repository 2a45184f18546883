"""From files and folders to records: which reader a file's ending asks for.

Enters: paths. Leaves: one `Parsed` a signature, each with its source. A malformed line
raises with file and line, or, when lenient, is skipped and remembered in the reader.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from tocsin.errors import DatabaseError, SignatureError
from tocsin.signatures import metadata
from tocsin.signatures.clamav import cvd
from tocsin.signatures.clamav.extended import from_plain
from tocsin.signatures.digest_lists import looks_like_digest_list, parse_list_line
from tocsin.signatures.languages import (
    ARCHIVES,
    DETACHED_SIGNATURE,
    LANGUAGES,
    LIST_ENDINGS,
    METADATA_FILE,
    Language,
    loading_order,
    skipped,
)
from tocsin.signatures.parse import parse_text
from tocsin.signatures.records import Kind, Record, Source

WHOLE_FILE = frozenset({Kind.YARA})

_STATED = re.compile(
    r"#+\s*(?P<key>author|licen[cs]e|spdx-license-identifier)\s*[:=]\s*(?P<value>.+)", re.I
)
_HEAD_LINES = 40
_PIECE = 1 << 18


Rewrite = Callable[[str], str]
"""Turns a line into its kind's canonical text."""


Parse = Callable[[Kind, str], object]
"""What a reader does with a line besides keeping it."""


class Parsed(NamedTuple):
    """A record and what its text says; `value` None is meant for another engine."""

    record: Record
    value: object | None


class SourceReader:
    """Reads signature files.

    Args:
        lenient: skip malformed lines and remember them in `problems`.
        parse: what to do with each line; by default it is parsed, and so checked, in full.

    Attributes:
        problems: what was skipped, as errors with file and line.
        sources: every source read, in the order of reading.
    """

    def __init__(self, *, lenient: bool = False, parse: Parse = parse_text) -> None:
        self.lenient = lenient
        self._parse = parse
        self.problems: list[SignatureError] = []
        self.sources: list[Source] = []

    def read(self, path: Path) -> Iterator[Parsed]:
        """Read one file.

        Raises:
            SignatureError: a malformed line, unless lenient.
            DatabaseError: the file cannot be read, or is a damaged archive.
        """
        try:
            data = path.read_bytes()
        except OSError as error:
            raise DatabaseError(f"{path}: {error.strerror}") from error
        yield from self.read_bytes(data, path.name)

    def read_bytes(self, data: bytes, name: str) -> Iterator[Parsed]:
        """Read the bytes of one file; `name` decides the language."""
        ending = Path(name).suffix.lower()
        if name.lower().endswith(DETACHED_SIGNATURE):
            self.sources.append(Source(name, hashlib.sha256(data).hexdigest()))
            record = Record(
                Kind.UNEVALUATED,
                data.decode("latin-1").strip(),
                self.sources[-1],
                detail="detached CVD signatures",
            )
            yield Parsed(record, record.text)
        elif ending in ARCHIVES:
            yield from self._read_archive(data, name)
        elif Path(name).name == METADATA_FILE:
            source = Source(name, hashlib.sha256(data).hexdigest())
            self.sources.append(source)
            for line in metadata.read_metadata_lines(_text(data)):
                yield Parsed(Record(Kind.METADATA, line, source), metadata.parse_metadata(line))
        elif ending in LANGUAGES:
            rewrite = from_plain if ending == ".db" else None
            yield from self._read_member(data, name, LANGUAGES[ending], Source(name, ""), rewrite)
        elif ending in LIST_ENDINGS and looks_like_digest_list(_text(data[:65536])):
            stem = Path(name).stem
            yield from self._read_member(
                data,
                name,
                Language(Kind.FILE_DIGEST),
                Source(name, ""),
                lambda line: parse_list_line(line.strip(), stem),
            )
        else:
            known = " ".join(sorted((*LANGUAGES, *ARCHIVES)))
            raise DatabaseError(
                f"{name}: not a signature file this program knows (a plain list of digests, a "
                f"database built by 'tocsin db build', or one of {known})"
            )

    def _read_archive(self, data: bytes, name: str) -> Iterator[Parsed]:
        signed = Path(name).suffix.lower() != ".cud"  # the unsigned kind, made by users
        header, members = cvd.verify(data, name) if signed else cvd.read_unsigned(data, name)
        copying = next((m for m in members if m.name == "COPYING"), None)
        origin = Source(
            name,
            "",
            author=header.builder,
            licence=_licence_title(copying.data) if copying else "",
            signed=signed,
            version=str(header.version),
        )
        for member in sorted(members, key=lambda m: loading_order(Path(m.name))):
            if member is copying:
                continue
            language = LANGUAGES.get(Path(member.name).suffix.lower())
            if language is None:
                language = skipped(f"{Path(member.name).suffix or 'unnamed'} files")
            source = origin._replace(name=f"{name}/{member.name}")
            yield from self._read_member(member.data, member.name, language, source)

    def _read_member(
        self,
        data: bytes,
        name: str,
        language: Language,
        origin: Source,
        rewrite: Rewrite | None = None,
    ) -> Iterator[Parsed]:
        text = _text(data)
        author, licence = _stated(text)
        source = origin._replace(
            sha256=hashlib.sha256(data).hexdigest(),
            author=origin.author or author,
            licence=origin.licence or licence,
        )
        self.sources.append(source)
        if language.kind in WHOLE_FILE:
            yield Parsed(Record(language.kind, text, source, language.pua), text)
            return
        if language.detail and Path(name).suffix.lower() in (".cbc", ".cat", ".ioc", ".info"):
            record = Record(language.kind, text.strip(), source, detail=language.detail)
            yield Parsed(record, text)
            return
        yield from self._read_lines(text, language, source, rewrite)

    def _read_lines(
        self, text: str, language: Language, source: Source, rewrite: Rewrite | None
    ) -> Iterator[Parsed]:
        for number, raw in enumerate(_lines(text), 1):
            line = raw.rstrip("\r\n")
            if not line or line.startswith("#"):
                continue
            try:
                if rewrite is not None:
                    line = rewrite(line)
                value = self._parse(language.kind, line)
            except SignatureError as error:
                placed = SignatureError(error.reason, source.name, number)
                if not self.lenient:
                    raise placed from None
                self.problems.append(placed)
                continue
            record = Record(language.kind, line, source, language.pua, number, language.detail)
            yield Parsed(record, value)


def _lines(text: str) -> Iterator[str]:
    """Lines between newlines, a piece at a time: a list of all takes as much as the text."""
    at = 0
    while (end := text.find("\n", at + _PIECE)) >= 0:
        yield from text[at:end].split("\n")
        at = end + 1
    yield from text[at:].split("\n")


def _text(data: bytes) -> str:
    """Signature files are bytes; Latin-1 keeps each. YARA rules written in UTF-8 stay so."""
    if data.startswith(b"\xef\xbb\xbf"):
        data = data[3:]
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def _stated(text: str) -> tuple[str, str]:
    """Author and licence that a file states in comments near its beginning."""
    author = licence = ""
    for line in text.split("\n", _HEAD_LINES)[:_HEAD_LINES]:
        stated = _STATED.match(line.strip())
        if stated is None:
            continue
        if stated["key"].lower() == "author":
            author = author or stated["value"].strip()
        else:
            licence = licence or stated["value"].strip()
    return author, licence


def _licence_title(copying: bytes) -> str:
    """The first line of a licence text that is not blank."""
    for line in copying[:4096].decode("latin-1").splitlines():
        if line.strip():
            return line.strip()[:120]
    return ""
