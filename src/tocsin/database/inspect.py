"""What is in a database: reading any source, counting, finding by name.

A source is a portable database, a signature file, a ClamAV archive or a folder of them. What
is read here is what `db build` writes and `db info` counts, so both say the same.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from tocsin.database.cache import source_files
from tocsin.database.coverage import unevaluated_reason
from tocsin.database.portable import is_portable, read_portable, split_line, verified_body
from tocsin.database.yara_rules import split_rules, without_rule_at, without_rules
from tocsin.errors import DatabaseError, SignatureError
from tocsin.signatures.clamav.extended import Extended
from tocsin.signatures.clamav.lists import Ignored
from tocsin.signatures.clamav.logical import Logical
from tocsin.signatures.parse import signature_name
from tocsin.signatures.records import Kind, Record, Source
from tocsin.signatures.sources import Parsed, SourceReader
from tocsin.signatures.yara import CompiledRules, compile_rules

Progress = Callable[[str], None]

_REPORT_EVERY = 5_000
_CLAMSCAN_SUFFIX = ".UNOFFICIAL"


# --- counting -----------------------------------------------------------------------------


class Census:
    """Counts signatures as they pass.

    Attributes:
        kinds: by kind; a YARA file counts with the number of its rules.
        targets: body and logical signatures by number of their target.
        sources: by source.
        unevaluated: recognised and not evaluated, by what they need.
        other_engine: meant for an engine of another functionality level, or with a condition
            that only a later one knows.
        excepted: switched off by an exception (`.ign2`).
        unwanted: naming something merely unwanted, used on request only.
    """

    def __init__(self) -> None:
        self.kinds: Counter[str] = Counter()
        self.targets: Counter[int] = Counter()
        self.sources: Counter[Source] = Counter()
        self.unevaluated: Counter[str] = Counter()
        self.other_engine = 0
        self.excepted = 0
        self.unwanted = 0
        self._exceptions: dict[str, set[str]] = {}

    @property
    def total(self) -> int:
        """All signatures counted."""
        return sum(self.kinds.values())

    def add(self, record: Record, value: object) -> None:
        """Count one signature."""
        number = 1
        if record.kind is Kind.YARA:
            number = sum(1 for _ in split_rules(record.text))
        self.kinds[record.kind.value] += number
        self.sources[record.source] += number
        self.unwanted += record.pua
        if isinstance(value, Logical):
            self.targets[value.conditions.target] += 1
        elif isinstance(value, Extended):
            self.targets[value.target] += 1
        elif isinstance(value, Ignored):
            self._exceptions.setdefault(value.name, set()).add(value.line_md5)
        if value is None:
            self.other_engine += 1
        elif reason := unevaluated_reason(record, value):
            self.unevaluated[reason] += 1
        elif self._exceptions and self._is_excepted(record):
            self.excepted += 1

    def _is_excepted(self, record: Record) -> bool:
        if record.kind is Kind.IGNORE or record.kind is Kind.METADATA:
            return False
        md5s = self._exceptions.get(signature_name(record.kind, record.text))
        if md5s is None:
            return False
        line = hashlib.md5(record.text.encode("latin-1", "replace"), usedforsecurity=False)
        return "" in md5s or line.hexdigest() in md5s


# --- gathering ----------------------------------------------------------------------------


class Gathered(NamedTuple):
    """Everything that sources hold.

    Attributes:
        files: the files read.
        records: their signatures, each once.
        census: how many of what.
        problems: what was malformed and left out, when lenient.
    """

    files: list[Path]
    records: list[Record]
    census: Census
    problems: list[SignatureError]


def gather(
    paths: Iterable[Path], *, lenient: bool = False, progress: Progress | None = None
) -> Gathered:
    """Read and check every signature of some sources.

    Args:
        paths: files and folders.
        lenient: leave out what is malformed and remember it instead of raising.
        progress: told in a few words how far it is.

    Raises:
        DatabaseError: a source is missing, damaged or altered.
        SignatureError: something is malformed, unless lenient.
    """
    files = _each_once(source_files(paths))
    records: dict[Record, None] = {}
    yara: dict[Record, None] = {}
    census = Census()
    problems: list[SignatureError] = []
    for parsed in _parsed(files, problems, lenient, progress):
        record = parsed.record._replace(line=0)
        if record.kind is Kind.YARA:
            yara[record] = None
        elif record not in records:
            records[record] = None
            census.add(record, parsed.value)
    if yara and progress:
        progress(f"compiling {len(yara):,} YARA files")
    for record in _compilable(list(yara), problems, lenient):
        records[record] = None
        census.add(record, record.text)
    return Gathered(files, list(records), census, problems)


def each_record(
    paths: Iterable[Path],
    problems: list[SignatureError],
    *,
    lenient: bool = False,
    progress: Progress | None = None,
) -> Iterator[Record]:
    """Read and check every signature as `gather` does, one after the other.

    Args:
        paths: files and folders.
        problems: gets what was malformed and left out, when lenient.
        lenient: leave out what is malformed instead of raising.
        progress: told in a few words how far it is.

    Yields:
        Records without their line's number, some maybe twice.

    Raises:
        DatabaseError: a source is missing, damaged or altered.
        SignatureError: something is malformed, unless lenient.
    """
    yara: dict[Record, None] = {}
    for parsed in _parsed(_each_once(source_files(paths)), problems, lenient, progress):
        record = parsed.record._replace(line=0)
        if record.kind is Kind.YARA:
            yara[record] = None
        else:
            yield record
    if yara and progress:
        progress(f"compiling {len(yara):,} YARA files")
    yield from _compilable(list(yara), problems, lenient)


def _parsed(
    files: Iterable[Path],
    problems: list[SignatureError],
    lenient: bool,
    progress: Progress | None,
) -> Iterator[Parsed]:
    number = 0
    for file in files:
        reader = SourceReader(lenient=lenient)
        try:
            for parsed in read_portable(file) if is_portable(file) else reader.read(file):
                yield parsed
                number += 1
                if progress and number % _REPORT_EVERY == 0:
                    progress(f"reading {file.name}: {number:,} signatures")
        except OSError as error:
            raise DatabaseError(f"{file}: {error.strerror}") from error
        problems += reader.problems


def _each_once(files: Sequence[Path]) -> list[Path]:
    return list({file.resolve(): file for file in files}.values())


def _compilable(
    records: list[Record], problems: list[SignatureError], lenient: bool
) -> list[Record]:
    """The YARA files, when lenient without the rules that YARA-X does not compile.

    Raises:
        SignatureError: a rule does not compile, unless lenient.
    """
    if not records:
        return []
    if not lenient:
        _compile(records)
        return records
    records = _without_refused(records, problems)
    try:
        _compile(records)
    except SignatureError:
        mended = (_without_malformed(record, problems) for record in records)
        return [record for record in mended if record is not None]
    return records


def _compile(records: Sequence[Record], *, lenient: bool = False) -> CompiledRules:
    names = [record.source.name for record in records]
    return compile_rules([record.text for record in records], names, lenient=lenient)


def _without_refused(records: list[Record], problems: list[SignatureError]) -> list[Record]:
    """Cut out what YARA-X names as ignored, until it names nothing more."""
    while True:
        refused: dict[int, set[str]] = {}
        for place, rule, reason in _compile(records, lenient=True).ignored:
            if rule:
                refused.setdefault(place, set()).add(rule)
                name = records[place].source.name
                problems.append(SignatureError(f"rule {rule}: {reason}", name))
        texts = [
            without_rules(record.text, refused.get(place, ()))
            for place, record in enumerate(records)
        ]
        if texts == [record.text for record in records]:
            return records
        records = [
            record._replace(text=text)
            for record, text in zip(records, texts, strict=True)
            if next(split_rules(text), None) is not None
        ]


def _without_malformed(record: Record, problems: list[SignatureError]) -> Record | None:
    """Cut out rules that break YARA's grammar, which YARA-X drops without naming them."""
    while True:
        try:
            _compile([record])
            return record
        except SignatureError as error:
            problems.append(error)
            text = without_rule_at(record.text, error.line)
        if text == record.text or next(split_rules(text), None) is None:
            return None
        record = record._replace(text=text)


# --- finding ------------------------------------------------------------------------------


class Entry(NamedTuple):
    """A signature by name; of a YARA file one entry a rule.

    Attributes:
        name: its name; empty for what has none.
        record: the record it stands in, with the rule's own text when it is a YARA rule.
    """

    name: str
    record: Record


def entries(paths: Iterable[Path], *, progress: Progress | None = None) -> Iterator[Entry]:
    """Every signature of some sources with its name; malformed ones as they are.

    Raises:
        DatabaseError: a source is missing, damaged or altered.
    """
    number = 0
    for file in _each_once(source_files(paths)):
        for record in _records(file):
            yield from _entries_of(record)
            number += 1
            if progress and number % _REPORT_EVERY == 0:
                progress(f"reading {file.name}: {number:,} signatures")


def find(
    paths: Iterable[Path], pattern: str, *, progress: Progress | None = None
) -> Iterator[Entry]:
    """Signatures whose name is `pattern`, in which `*` and `?` stand for any characters.

    `.UNOFFICIAL`, which clamscan puts behind names, may stand behind a name here as well.

    Raises:
        DatabaseError: a source is missing, damaged or altered.
    """
    fits = name_pattern(pattern)
    shorter = pattern.removesuffix(_CLAMSCAN_SUFFIX)
    fits_shorter = name_pattern(shorter) if shorter != pattern else fits
    for entry in entries(paths, progress=progress):
        if fits.fullmatch(entry.name) or fits_shorter.fullmatch(entry.name):
            yield entry


def name_pattern(pattern: str) -> re.Pattern[str]:
    """A name in which `*` is any text and `?` any character, as a regular expression.

    What stands between two `*` is taken where it comes first and not tried elsewhere: another
    place would leave less for the rest, and trying them all takes exponential time.
    """
    first, *pieces = (
        "".join("." if char == "?" else re.escape(char) for char in piece)
        for piece in pattern.split("*")
    )
    if not pieces:
        return re.compile(first, re.DOTALL)
    middle = "".join(f"(?>.*?{piece})" for piece in pieces[:-1] if piece)
    return re.compile(f"{first}{middle}.*{pieces[-1]}", re.DOTALL)


def _records(file: Path) -> Iterator[Record]:
    try:
        if not is_portable(file):
            for parsed in SourceReader(lenient=True, parse=_unparsed).read(file):
                yield parsed.record
            return
        header, body = verified_body(file.read_bytes(), str(file))
    except OSError as error:
        raise DatabaseError(f"{file}: {error.strerror}") from error
    for line in body.split(b"\n")[:-1]:
        yield split_line(line, header.sources)


def _unparsed(kind: Kind, text: str) -> object:
    """Stands in for parsing where only names and texts are wanted."""
    del kind
    return text


def _entries_of(record: Record) -> Iterator[Entry]:
    if record.kind is not Kind.YARA:
        yield Entry(signature_name(record.kind, record.text), record)
        return
    for rule in split_rules(record.text):
        line = 1 + record.text.count("\n", 0, rule.start)
        text = record.text[rule.start : rule.end]
        yield Entry(rule.name, record._replace(text=text, line=line))
