r"""The portable database: records in canonical order, the same bytes on every machine.

It is text, so that anybody can read, compare and rebuild it:

    tocsin-database 1
    {"body_bytes": …, "counts": {…}, "sha256": …, "sources": [{…}, …]}
    kind <tab> number of the source <tab> flags <tab> text
    …

Sources are ordered by name and digest, records by their bytes; neither time nor place nor
any library's version goes in. The digest covers the header too, as it is without the digest.
In a text a backslash, tab, newline and carriage return are
written `\\`, `\t`, `\n` and `\r`. Characters are UTF-8; bytes that are none are kept by
surrogate escapes.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from tocsin.errors import DatabaseError, SignatureError
from tocsin.signatures.clamav.numbers import natural
from tocsin.signatures.languages import Language
from tocsin.signatures.parse import PARSERS
from tocsin.signatures.records import Kind, Record, Source
from tocsin.signatures.sources import Lines, Parsed

MAGIC = b"tocsin-database 1\n"
_ESCAPES = {"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"}
_ESCAPED = re.compile(r"[\\\t\n\r]")
_UNESCAPES = {"\\\\": "\\", "\\t": "\t", "\\n": "\n", "\\r": "\r"}
_UNESCAPED = re.compile(r"\\.")
_PUA = "u"
_DIGESTS = frozenset({Kind.FILE_DIGEST, Kind.SECTION_DIGEST, Kind.ALLOW_DIGEST})
_BLOCK = 1 << 20
_MADE_UP = (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError)
"""What a header that nobody wrote in good faith may raise while it is read."""


class Header(NamedTuple):
    """What the header of a portable database states.

    Attributes:
        sources: where the records came from.
        counts: records by kind.
        body_bytes: bytes after the header.
        sha256: SHA-256 of the header without this field, a newline and the body.
    """

    sources: list[Source]
    counts: dict[str, int]
    body_bytes: int
    sha256: str


def build_portable(records: Iterable[Record]) -> bytes:
    """Lay records out canonically.

    The result depends on the records alone, not on their order, and a record that comes
    twice from one source stands once.
    """
    held = list(records)
    sources = sorted({record.source for record in held})
    numbers = {source: number for number, source in enumerate(sources)}
    lines = sorted({_line(record, numbers[record.source]) for record in held})
    body = b"".join(lines)
    counts = Counter(line.partition(b"\t")[0].decode() for line in lines)
    header = {
        "body_bytes": len(body),
        "counts": dict(counts),
        "sources": [source._asdict() for source in sources],
    }
    header["sha256"] = _digest(header, body)
    return MAGIC + packed_header(header) + b"\n" + body


def packed_header(header: dict[str, Any]) -> bytes:
    """A header's line without its newline."""
    return json.dumps(header, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode()


def _digest(header: dict[str, Any], body: bytes) -> str:
    """Digest of a whole database, from its header (with or without the digest) and body."""
    undigested = {key: value for key, value in header.items() if key != "sha256"}
    state = hashlib.sha256(packed_header(undigested))
    state.update(b"\n")
    state.update(body)
    return state.hexdigest()


def is_portable(path: Path) -> bool:
    """Whether a file begins like a portable database."""
    try:
        with path.open("rb") as file:
            return file.read(len(MAGIC)) == MAGIC
    except OSError:
        return False


def read_header(path: Path) -> Header:
    """Read and check the header and the file's length.

    Raises:
        DatabaseError: not a portable database, or truncated.
    """
    with path.open("rb") as file:
        return _header(file.readline(), file.readline(), path.stat().st_size, str(path))


def read_portable(path: Path) -> Iterator[Parsed]:
    """Read every record, exceptions first, after hashing the whole body.

    Raises:
        DatabaseError: truncated or altered.
        SignatureError: a record is malformed.
    """
    for found in read_portable_lines(path):
        yield from parse_lines(found, path.name) if isinstance(found, Lines) else (found,)


def read_portable_lines(path: Path) -> Iterator[Parsed | Lines]:
    """The same, leaving to the caller what becomes of texts of digests.

    Raises:
        DatabaseError: truncated or altered.
        SignatureError: a record is malformed.
    """
    try:
        with path.open("rb") as file:
            yield from _read(file, path)
    except OSError as error:
        raise DatabaseError(f"{path}: {error.strerror}") from error


def parse_lines(lines: Lines, name: str) -> Iterator[Parsed]:
    """Read texts of digests.

    Raises:
        SignatureError: one is malformed.
    """
    language = lines.language
    for text in lines.texts:
        record = Record(language.kind, text, lines.source, language.pua)
        try:
            yield Parsed(record, PARSERS[record.kind](text))
        except SignatureError as error:
            raise SignatureError(error.reason, name) from None


def _read(file: BinaryIO, path: Path) -> Iterator[Parsed | Lines]:
    """Read a file twice: before anything of it counts its digest is checked.

    What comes the second time is hashed again, so that a file that is changed meanwhile is
    refused at the latest at its end.
    """
    stated = file.readline()
    second = file.readline()
    header = _header(stated, second, os.fstat(file.fileno()).st_size, str(path))
    begin = file.tell()
    first = f"{Kind.IGNORE}\t".encode()
    state = hashlib.sha256(packed_header(_undigested(second)) + b"\n")
    excepted: list[bytes] = []
    while lines := file.readlines(_BLOCK):
        block = b"".join(lines)
        state.update(block)
        if block.startswith(first) or b"\n" + first in block:
            excepted += [line for line in lines if line.startswith(first)]
    if state.hexdigest() != header.sha256:
        raise _altered(path)
    for line in excepted:
        yield _parsed(line.rstrip(b"\n"), header.sources, path.name)
    file.seek(begin)
    state = hashlib.sha256(packed_header(_undigested(second)) + b"\n")
    while lines := file.readlines(_BLOCK):
        state.update(b"".join(lines))
        others = [line for line in lines if not line.startswith(first)]
        yield from _grouped(others, header.sources, path.name)
    if state.hexdigest() != header.sha256:
        raise _altered(path)


def _grouped(lines: list[bytes], sources: list[Source], name: str) -> Iterator[Parsed | Lines]:
    """Lines of digests of one kind and source together, everything else as it is read."""
    known: dict[bytes, Lines | None] = {}
    for head, group in groupby(lines, lambda line: line.rpartition(b"\t")[0]):
        if head not in known:
            known[head] = _digests(head, sources)
        held = known[head]
        if held is None:
            yield from (_parsed(line.rstrip(b"\n"), sources, name) for line in group)
            continue
        skip = len(head) + 1
        text = b"".join(line[skip:] for line in group).decode("utf-8", "surrogateescape")
        texts = text.removesuffix("\n").split("\n")
        if "\\" in text:
            texts = list(map(_plain, texts))
        yield held._replace(texts=texts)


def _digests(head: bytes, sources: list[Source]) -> Lines | None:
    """What lines that begin so have in common; None where it is not that they are digests."""
    try:
        record = split_line(head + b"\t", sources)
    except SignatureError:
        return None  # and so says whoever reads the line
    if record.kind not in _DIGESTS or record.detail:
        return None
    return Lines(Language(record.kind, "", record.pua), record.source, 0, [])


def _undigested(line: bytes) -> dict[str, Any]:
    """A header as its digest covers it."""
    return {key: value for key, value in json.loads(line).items() if key != "sha256"}


def _altered(name: object) -> DatabaseError:
    return DatabaseError(f"{name}: the content does not have the digest in the header; altered")


def verified_body(data: bytes, name: str) -> tuple[Header, bytes]:
    """Header and body of a portable database whose body has the digest it states.

    Raises:
        DatabaseError: truncated or altered.
    """
    first, _, rest = data.partition(b"\n")
    second, _, body = rest.partition(b"\n")
    header = _header(first + b"\n", second, len(data), name)
    if _digest(json.loads(second), body) != header.sha256:
        raise _altered(name)
    return header, body


def _header(first: bytes, second: bytes, size: int, name: str) -> Header:
    if first != MAGIC:
        raise DatabaseError(f"{name}: not a tocsin database")
    try:
        stated: dict[str, Any] = json.loads(second)
        header = Header(
            [_source(fields) for fields in stated["sources"]],
            {str(kind): int(count) for kind, count in stated["counts"].items()},
            int(stated["body_bytes"]),
            str(stated["sha256"]),
        )
        if packed_header(stated) != second.rstrip(b"\n"):
            raise ValueError("it is not written canonically")
    except _MADE_UP as error:
        raise DatabaseError(f"{name}: the header is damaged: {error}") from None
    actual = size - len(first) - len(second.rstrip(b"\n")) - 1
    if actual != header.body_bytes:
        raise DatabaseError(
            f"{name}: {actual} bytes of content instead of {header.body_bytes}; "
            "the file is truncated or altered"
        )
    return header


def _source(fields: dict[str, Any]) -> Source:
    source = Source(**fields)
    texts = (source.name, source.sha256, source.author, source.licence, source.version)
    if not all(isinstance(text, str) for text in texts) or not isinstance(source.signed, bool):
        raise TypeError("a source's fields are not of their types")
    return source


def _line(record: Record, source: int) -> bytes:
    return f"{record.kind.value}\t{source}\t".encode() + record_line(record)


def record_line(record: Record) -> bytes:
    """A record's line behind its kind and the number of its source."""
    flags = (_PUA if record.pua else "") + (f"={record.detail}" if record.detail else "")
    text = _ESCAPED.sub(lambda match: _ESCAPES[match[0]], record.text)
    return f"{flags}\t{text}\n".encode("utf-8", "surrogateescape")


def split_line(line: bytes, sources: list[Source]) -> Record:
    """Read one record's line.

    Raises:
        SignatureError: it is malformed.
    """
    fields = line.decode("utf-8", "surrogateescape").split("\t")
    try:
        kind_text, source_text, flags, text = fields
        kind, source = Kind(kind_text), sources[natural(source_text)]
    except SignatureError:
        raise
    except (ValueError, IndexError):
        raise SignatureError(f"not a record: {line[:60]!r}") from None
    pua, _, detail = flags.partition("=")
    return Record(kind, _plain(text), source, pua == _PUA, 0, detail)


def _plain(text: str) -> str:
    return _UNESCAPED.sub(lambda match: _UNESCAPES.get(match[0], match[0]), text)


def _parsed(line: bytes, sources: list[Source], name: str) -> Parsed:
    try:
        record = split_line(line, sources)
        return Parsed(record, PARSERS[record.kind](record.text))
    except SignatureError as error:
        raise SignatureError(error.reason, name) from None
