"""From files and folders to records: which reader a file's ending asks for.

Enters: paths. Leaves: one `Parsed` a signature, each with its source. A malformed line
raises with file and line, or, when lenient, is skipped and remembered in the reader.
"""

from __future__ import annotations

import codecs
import hashlib
import io
import os
import re
import tempfile
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import BinaryIO, NamedTuple, cast

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
_LIST_HEAD = 1 << 16
_BOM = b"\xef\xbb\xbf"
_DISK = Path("/var/tmp")  # noqa: S108  (files without names; /tmp is often in memory)


Rewrite = Callable[[str], str]
"""Turns a line into its kind's canonical text."""


Parse = Callable[[Kind, str], object]
"""What a reader does with a line besides keeping it."""


class Parsed(NamedTuple):
    """A record and what its text says; `value` None is meant for another engine."""

    record: Record
    value: object | None


class Lines(NamedTuple):
    """Lines of one source as they stand, not read yet.

    Attributes:
        language: what they are written in.
        source: where they are from.
        first: number of the first of them; 0 when they have none.
        texts: the lines, without their ends.
        rewrite: what makes signatures of them; None when they are such.
    """

    language: Language
    source: Source
    first: int
    texts: list[str]
    rewrite: Rewrite | None = None


class SourceReader:
    """Reads signature files, a piece at a time.

    Args:
        lenient: skip malformed lines and remember them in `problems`.
        parse: what to do with each line; by default it is parsed, and so checked, in full.
        scratch: folder for what is in archives while it is read; None for the machine's own.

    Attributes:
        problems: what was skipped, as errors with file and line.
        sources: every source read, in the order of reading.
    """

    def __init__(
        self, *, lenient: bool = False, parse: Parse = parse_text, scratch: Path | None = None
    ) -> None:
        self.lenient = lenient
        self._parse = parse
        self._scratch = scratch
        self.problems: list[SignatureError] = []
        self.sources: list[Source] = []

    def read(self, path: Path) -> Iterator[Parsed]:
        """Read one file.

        Raises:
            SignatureError: a malformed line, unless lenient.
            DatabaseError: the file cannot be read, or is a damaged archive.
        """
        for found in self.read_lines(path):
            yield from self.parsed(found) if isinstance(found, Lines) else (found,)

    def read_bytes(self, data: bytes, name: str) -> Iterator[Parsed]:
        """Read the bytes of one file; `name` decides the language."""
        for found in self._read_file(io.BytesIO(data), name):
            yield from self.parsed(found) if isinstance(found, Lines) else (found,)

    def read_lines(self, path: Path) -> Iterator[Parsed | Lines]:
        """Read one file, and leave to the caller what becomes of its lines.

        Raises:
            SignatureError: what is no line is malformed.
            DatabaseError: the file cannot be read, or is a damaged archive.
        """
        try:
            with path.open("rb") as file:
                yield from self._read_file(file, path.name)
        except OSError as error:
            raise DatabaseError(f"{path}: {error.strerror or error}") from error
        except UnicodeDecodeError as error:
            raise DatabaseError(f"{path}: it changed while it was read; try again") from error

    def parsed(self, lines: Lines) -> Iterator[Parsed]:
        """Read lines.

        Raises:
            SignatureError: one is malformed, unless lenient.
        """
        language, source = lines.language, lines.source
        for number, raw in enumerate(lines.texts, lines.first):
            line = raw.rstrip("\r\n")
            if not line or line.startswith("#"):
                continue
            try:
                if lines.rewrite is not None:
                    line = lines.rewrite(line)
                value = self._parse(language.kind, line)
            except SignatureError as error:
                placed = SignatureError(error.reason, source.name, number)
                if not self.lenient:
                    raise placed from None
                self.problems.append(placed)
                continue
            record = Record(language.kind, line, source, language.pua, number, language.detail)
            yield Parsed(record, value)

    def _read_file(self, file: BinaryIO, name: str) -> Iterator[Parsed | Lines]:
        ending = Path(name).suffix.lower()
        part = _Part(file)
        if name.lower().endswith(DETACHED_SIGNATURE):
            data = part.whole()
            self.sources.append(Source(name, hashlib.sha256(data).hexdigest()))
            record = Record(
                Kind.UNEVALUATED,
                data.decode("latin-1").strip(),
                self.sources[-1],
                detail="detached CVD signatures",
            )
            yield Parsed(record, record.text)
        elif ending in ARCHIVES:
            yield from self._read_archive(file, name)
        elif Path(name).name == METADATA_FILE:
            data = part.whole()
            source = Source(name, hashlib.sha256(data).hexdigest())
            self.sources.append(source)
            for line in metadata.read_metadata_lines(_text(data)):
                yield Parsed(Record(Kind.METADATA, line, source), metadata.parse_metadata(line))
        elif ending in LANGUAGES:
            rewrite = from_plain if ending == ".db" else None
            yield from self._read_member(part, name, LANGUAGES[ending], Source(name, ""), rewrite)
        elif ending in LIST_ENDINGS and looks_like_digest_list(_text(part.head(_LIST_HEAD))):
            stem = Path(name).stem
            yield from self._read_member(
                part,
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

    def _read_archive(self, file: BinaryIO, name: str) -> Iterator[Parsed | Lines]:
        signed = Path(name).suffix.lower() != ".cud"  # the unsigned kind, made by users
        with open_scratch(self._scratch) as kept:
            unpack = cvd.verify if signed else cvd.read_unsigned
            archive = unpack(file, name, kept=kept)
            header = archive.header
            origin = Source(
                name,
                "",
                author=header.builder,
                licence=_licence_title(archive.copying),
                signed=signed,
                version=str(header.version),
            )
            copying = next((m for m in archive.members if m.name == cvd.COPYING), None)
            for member in sorted(archive.members, key=lambda m: loading_order(Path(m.name))):
                if member is copying:
                    continue
                language = LANGUAGES.get(Path(member.name).suffix.lower())
                if language is None:
                    language = skipped(f"{Path(member.name).suffix or 'unnamed'} files")
                source = origin._replace(name=f"{name}/{member.name}")
                part = _Part(kept, member.start, member.size)
                yield from self._read_member(part, member.name, language, source)

    def _read_member(
        self,
        part: _Part,
        name: str,
        language: Language,
        origin: Source,
        rewrite: Rewrite | None = None,
    ) -> Iterator[Parsed | Lines]:
        sha256, encoding = part.examined()
        head = (line for block in part.lines(encoding) for line in block)
        author, licence = _stated(islice(head, _HEAD_LINES))
        source = origin._replace(
            sha256=sha256, author=origin.author or author, licence=origin.licence or licence
        )
        self.sources.append(source)
        if language.kind in WHOLE_FILE:
            text = _text(part.whole())
            yield Parsed(Record(language.kind, text, source, language.pua), text)
            return
        if language.detail and Path(name).suffix.lower() in (".cbc", ".cat", ".ioc", ".info"):
            text = _text(part.whole())
            record = Record(language.kind, text.strip(), source, detail=language.detail)
            yield Parsed(record, text)
            return
        number = 1
        for texts in part.lines(encoding):
            yield Lines(language, source, number, texts, rewrite)
            number += len(texts)


def open_scratch(folder: Path | None) -> BinaryIO:
    """A file without a name, for what does not fit into memory.

    Args:
        folder: on whose disk; None for one that is not in memory, where there is such.

    Raises:
        OSError: it cannot be made.
    """
    if folder is None and os.access(_DISK, os.W_OK | os.X_OK):
        folder = _DISK
    return cast(BinaryIO, tempfile.TemporaryFile(dir=folder, prefix=".tocsin-"))


class _Part:
    """Bytes of a file from one place to another.

    Args:
        file: which can be read at any place.
        start: where they begin.
        size: how many; None for all that follow.
    """

    def __init__(self, file: BinaryIO, start: int = 0, size: int | None = None) -> None:
        self._file, self._start, self._size = file, start, size

    def head(self, most: int) -> bytes:
        """The first of them."""
        self._file.seek(self._start)
        return self._file.read(most if self._size is None else min(most, self._size))

    def whole(self) -> bytes:
        """All of them."""
        return self.head(-1) if self._size is None else self.head(self._size)

    def pieces(self) -> Iterator[bytes]:
        """All of them, some at a time."""
        place, left = self._start, self._size
        while left is None or left > 0:
            self._file.seek(place)  # others read it too
            piece = self._file.read(_PIECE if left is None else min(_PIECE, left))
            if not piece:
                return
            yield piece
            place += len(piece)
            left = None if left is None else left - len(piece)

    def examined(self) -> tuple[str, str]:
        """Their SHA-256, and the encoding that they are text in.

        Signature files are bytes; Latin-1 keeps each. What is written in UTF-8 stays so.
        """
        state = hashlib.sha256()
        decoder = codecs.getincrementaldecoder("utf-8")()  # a mark at the beginning is UTF-8 too
        encoding = "utf-8"
        for piece in self.pieces():
            state.update(piece)
            if encoding == "utf-8":
                try:
                    decoder.decode(piece)
                except UnicodeDecodeError:
                    encoding = "latin-1"
        if encoding == "utf-8":
            try:
                decoder.decode(b"", final=True)
            except UnicodeDecodeError:
                encoding = "latin-1"
        return state.hexdigest(), encoding

    def lines(self, encoding: str) -> Iterator[list[str]]:
        """The text between newlines, many lines at a time, without a mark at its beginning."""
        held: list[bytes] = []  # of a line that has not ended
        first = True
        for piece in self.pieces():
            if first:
                piece, first = piece.removeprefix(_BOM), False
            end = piece.rfind(b"\n")
            if end < 0:
                held.append(piece)
                continue
            yield b"".join((*held, piece[:end])).decode(encoding).split("\n")
            held = [piece[end + 1 :]]
        yield b"".join(held).decode(encoding).split("\n")


def _text(data: bytes) -> str:
    """Signature files are bytes; Latin-1 keeps each. YARA rules written in UTF-8 stay so."""
    data = data.removeprefix(_BOM)
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def _stated(lines: Iterable[str]) -> tuple[str, str]:
    """Author and licence that a file states in comments near its beginning."""
    author = licence = ""
    for line in lines:
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
