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
from tocsin.signatures.parse import PARSERS
from tocsin.signatures.records import Kind, Record, Source


class Language(NamedTuple):
    """What a file ending stands for.

    Attributes:
        kind: kind of its records.
        detail: for what is not evaluated, its name for people.
        pua: whether its signatures are used on request only.
        rewrite: turns a line into the kind's canonical text.
    """

    kind: Kind
    detail: str = ""
    pua: bool = False
    rewrite: Callable[[str], str] | None = None


def _skipped(detail: str) -> Language:
    return Language(Kind.UNEVALUATED, detail)


LANGUAGES: dict[str, Language] = {
    ".hdb": Language(Kind.FILE_DIGEST),
    ".hsb": Language(Kind.FILE_DIGEST),
    ".hdu": Language(Kind.FILE_DIGEST, pua=True),
    ".hsu": Language(Kind.FILE_DIGEST, pua=True),
    ".mdb": Language(Kind.SECTION_DIGEST),
    ".msb": Language(Kind.SECTION_DIGEST),
    ".mdu": Language(Kind.SECTION_DIGEST, pua=True),
    ".msu": Language(Kind.SECTION_DIGEST, pua=True),
    ".imp": Language(Kind.IMPORT_DIGEST),
    ".fp": Language(Kind.ALLOW_DIGEST),
    ".sfp": Language(Kind.ALLOW_DIGEST),
    ".ndb": Language(Kind.BODY),
    ".ndu": Language(Kind.BODY, pua=True),
    ".sdb": Language(Kind.BODY),
    ".db": Language(Kind.BODY, rewrite=from_plain),
    ".ldb": Language(Kind.LOGICAL),
    ".ldu": Language(Kind.LOGICAL, pua=True),
    ".cdb": Language(Kind.CONTAINER),
    ".ign": Language(Kind.IGNORE),
    ".ign2": Language(Kind.IGNORE),
    ".ftm": Language(Kind.FILE_TYPE),
    ".pwdb": Language(Kind.PASSWORD),
    ".cfg": Language(Kind.SETTING),
    ".info": _skipped("archive information"),
    ".cbc": _skipped("bytecode"),
    ".idb": _skipped("icon hashes"),
    ".pdb": _skipped("phishing lists"),
    ".wdb": _skipped("phishing lists"),
    ".gdb": _skipped("phishing lists"),
    ".crb": _skipped("Authenticode rules"),
    ".cat": _skipped("Authenticode rules"),
    ".ioc": _skipped("OpenIOC documents"),
    ".yar": Language(Kind.YARA),
    ".yara": Language(Kind.YARA),
}
"""Signature languages by file ending."""

ARCHIVES = frozenset({".cvd", ".cld", ".cud"})
LIST_ENDINGS = frozenset({".txt", ".md5", ".sha1", ".sha256", ".hash", ".hashes", ".csv", ""})
WHOLE_FILE = frozenset({Kind.YARA})
_DETACHED_SIGNATURE = ".cvd.sign"

_STATED = re.compile(
    r"#+\s*(?P<key>author|licen[cs]e|spdx-license-identifier)\s*[:=]\s*(?P<value>.+)", re.I
)
_HEAD_LINES = 40


class Parsed(NamedTuple):
    """A record and what its text says; `value` None is meant for another engine."""

    record: Record
    value: object | None


def is_source_name(name: str) -> bool:
    """Whether a file of this name in a folder is read as signatures."""
    ending = Path(name).suffix.lower()
    return ending in LANGUAGES or ending in ARCHIVES or name == metadata.FILE_NAME


def list_files(path: Path) -> list[Path]:
    """The signature files a path stands for: itself, or those directly in the folder.

    Raises:
        DatabaseError: the path does not exist or the folder holds no signature file.
    """
    if path.is_dir():
        files = sorted(
            (p for p in path.iterdir() if is_source_name(p.name) and p.is_file()),
            key=_loading_order,
        )
        if not files:
            raise DatabaseError(f"{path}: no signature files in this folder")
        return files
    if not path.exists():
        raise DatabaseError(f"{path}: no such file or folder")
    return [path]


def _loading_order(path: Path) -> tuple[bool, bool, str]:
    """Exceptions first, then `daily`, as ClamAV loads them, then by name."""
    exceptions = path.suffix.lower() in (".ign", ".ign2")
    return not exceptions, path.stem != "daily", path.name


class SourceReader:
    """Reads signature files.

    Args:
        lenient: skip malformed lines and remember them in `problems`.

    Attributes:
        problems: what was skipped, as errors with file and line.
        sources: every source read, in the order of reading.
    """

    def __init__(self, *, lenient: bool = False) -> None:
        self.lenient = lenient
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
        if name.lower().endswith(_DETACHED_SIGNATURE):
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
        elif Path(name).name == metadata.FILE_NAME:
            source = Source(name, hashlib.sha256(data).hexdigest())
            self.sources.append(source)
            for line in metadata.read_metadata_lines(_text(data)):
                yield Parsed(Record(Kind.METADATA, line, source), metadata.parse_metadata(line))
        elif ending in LANGUAGES:
            yield from self._read_member(data, name, LANGUAGES[ending], Source(name, ""))
        elif ending in LIST_ENDINGS and looks_like_digest_list(_text(data[:65536])):
            stem = Path(name).stem
            language = Language(
                Kind.FILE_DIGEST, rewrite=lambda line: parse_list_line(line, stem)
            )
            yield from self._read_member(data, name, language, Source(name, ""))
        else:
            known = " ".join(sorted((*LANGUAGES, *ARCHIVES)))
            raise DatabaseError(
                f"{name}: not a signature file this program knows (a plain list of digests, a "
                f"database built by 'tocsin db build', or one of {known})"
            )

    def _read_archive(self, data: bytes, name: str) -> Iterator[Parsed]:
        header, members = cvd.verify(data, name)
        copying = next((m for m in members if m.name == "COPYING"), None)
        origin = Source(
            name,
            "",
            author=header.builder,
            licence=_licence_title(copying.data) if copying else "",
            signed=True,
            version=str(header.version),
        )
        for member in sorted(members, key=lambda m: _loading_order(Path(m.name))):
            if member is copying:
                continue
            language = LANGUAGES.get(Path(member.name).suffix.lower())
            if language is None:
                language = _skipped(f"{Path(member.name).suffix or 'unnamed'} files")
            source = origin._replace(name=f"{name}/{member.name}")
            yield from self._read_member(member.data, member.name, language, source)

    def _read_member(
        self, data: bytes, name: str, language: Language, origin: Source
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
        yield from self._read_lines(text, language, source)

    def _read_lines(self, text: str, language: Language, source: Source) -> Iterator[Parsed]:
        parse = PARSERS[language.kind]
        for number, raw in enumerate(text.split("\n"), 1):
            line = raw.rstrip("\r\n")
            if not line or line.startswith("#"):
                continue
            try:
                if language.rewrite is not None:
                    line = language.rewrite(line.strip())
                value = parse(line)
            except SignatureError as error:
                placed = SignatureError(error.reason, source.name, number)
                if not self.lenient:
                    raise placed from None
                self.problems.append(placed)
                continue
            record = Record(language.kind, line, source, language.pua, number, language.detail)
            yield Parsed(record, value)


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
