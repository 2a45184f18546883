"""From parsed signatures to the sections of a machine index.

Enters: parsed records, in the order in which exceptions (`.ign2`) come before what they
except. Leaves: named sections for `sections.write_sections`. What is recognised and not
evaluated is counted by name.
"""

from __future__ import annotations

import hashlib
import marshal
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

from tocsin.database import atoms as atom_choice
from tocsin.database import compiled
from tocsin.database.coverage import unevaluated_reason
from tocsin.database.digest_sections import DigestSections
from tocsin.database.pattern_sections import PatternSections
from tocsin.database.portable import is_portable, parse_lines, read_portable_lines
from tocsin.database.sections import Section, write_sections
from tocsin.errors import DatabaseError, SignatureError
from tocsin.signatures.clamav.container import ContainerSignature
from tocsin.signatures.clamav.digests import PLAIN_FILE, PLAIN_SECTION, Digest
from tocsin.signatures.clamav.extended import Extended
from tocsin.signatures.clamav.lists import ArchivePassword, FileTypeMagic, Ignored
from tocsin.signatures.clamav.logical import Content, Logical
from tocsin.signatures.clamav.offset import Anchor
from tocsin.signatures.metadata import Metadata
from tocsin.signatures.parse import signature_name
from tocsin.signatures.records import Kind, Record, Source
from tocsin.signatures.sources import Lines, Parsed, SourceReader
from tocsin.signatures.yara import compile_rules

_DIGEST_PURPOSES = {
    Kind.FILE_DIGEST: "file",
    Kind.SECTION_DIGEST: "section",
    Kind.IMPORT_DIGEST: "import",
    Kind.ALLOW_DIGEST: "allow",
}


_PLAIN = {
    Kind.FILE_DIGEST: PLAIN_FILE,
    Kind.ALLOW_DIGEST: PLAIN_FILE,
    Kind.SECTION_DIGEST: PLAIN_SECTION,
}

Read = Callable[[Lines], Iterable[Parsed]]
"""Reads lines, and says in its own way what is wrong with one."""


def build_index(
    files: Sequence[Path],
    output: BinaryIO,
    *,
    lenient: bool = False,
    scratch: Path | None = None,
) -> None:
    """Index signature files and portable databases.

    Args:
        files: in the order in which they are loaded.
        output: a seekable binary file, at its beginning.
        lenient: pass over what is malformed; how much it was is kept in the index.
        scratch: folder for what does not fit into memory; None for the machine's own.

    Raises:
        SignatureError: something is malformed, unless lenient.
        DatabaseError: a file is damaged or cannot be read, or there is no room.
    """
    builder = IndexBuilder(lenient=lenient, scratch=scratch)
    reader = SourceReader(lenient=lenient, scratch=scratch)
    try:
        for file in files:
            if is_portable(file):
                builder.add_all(read_portable_lines(file), partial(parse_lines, name=file.name))
            else:
                builder.add_all(reader.read_lines(file), reader.parsed)
        builder.problems += reader.problems
        write_sections(output, builder.sections())
    except OSError as error:
        raise DatabaseError(f"the index cannot be written: {error.strerror or error}") from error


class IndexBuilder:
    """Collects signatures and lays them out.

    Args:
        lenient: leave out YARA rules that do not compile instead of raising.
        scratch: folder for what does not fit into memory; None for the machine's own.

    Attributes:
        counts: signatures taken, by kind.
        unevaluated: signatures recognised and not evaluated, by what they need.
        problems: YARA rules left out, when lenient.
        stated: level, author and licence by name, for languages that cannot say it themselves.
    """

    def __init__(self, *, lenient: bool = False, scratch: Path | None = None) -> None:
        self.lenient = lenient
        self.counts: Counter[str] = Counter()
        self.unevaluated: Counter[str] = Counter()
        self.problems: list[SignatureError] = []
        self.stated: dict[str, tuple[str, str, str]] = {}
        self._sources: dict[Source, int] = {}
        self._digests = DigestSections(scratch)
        self._ignored: dict[str, set[str]] = {}
        self._numbers = compiled.PatternNumbers()
        self._patterns = PatternSections(scratch)
        self._macros: dict[int, list[tuple[int, Any]]] = {}
        self._containers: list[tuple[Any, ...]] = []
        self._file_types: list[tuple[Any, ...]] = []
        self._passwords: list[tuple[str, str, bytes]] = []
        self._yara: list[Record] = []

    def add_all(self, found: Iterable[Parsed | Lines], read: Read) -> None:
        """Add every signature.

        Args:
            found: signatures, and lines of them.
            read: what reads lines.
        """
        for each in found:
            if isinstance(each, Parsed):
                self.add(each.record, each.value)
            elif each.rewrite is None and (form := _PLAIN.get(each.language.kind)):
                self._add_digests(each, form, read)
            else:
                for parsed in read(each):
                    self.add(parsed.record, parsed.value)

    def add(self, record: Record, value: object | None) -> None:
        """Add one signature with what its text says."""
        if value is None:
            self.counts["for another engine"] += 1
            return
        self.counts[record.kind.value] += record.kind is not Kind.YARA
        reason = unevaluated_reason(record, value)
        if reason:
            self.unevaluated[reason] += 1
        elif isinstance(value, Ignored):
            self._ignored.setdefault(value.name, set()).add(value.line_md5)
        elif isinstance(value, FileTypeMagic):
            self._add_file_type(value)
        elif isinstance(value, ArchivePassword):
            self._passwords.append((value.name, value.container, value.password))
        elif isinstance(value, Metadata):
            fields = value.fields
            licence = fields.get("license", fields.get("licence", ""))
            self.stated[value.name] = (fields.get("level", ""), fields.get("author", ""), licence)
        elif record.kind is Kind.YARA:
            self._yara.append(record)
        elif not self._is_ignored(signature_name(record.kind, record.text), record):
            self._add_signature(record, value)

    def _add_signature(self, record: Record, value: object) -> None:
        if isinstance(value, Digest):
            self._add_digest(record, value)
        elif isinstance(value, Logical):
            self._add_logical(record, value)
        elif isinstance(value, Extended):
            self._add_extended(record, value)
        elif isinstance(value, ContainerSignature):
            self._containers.append((*value, self._source(record.source), record.pua))
        else:
            raise TypeError(f"no place in the index for {value!r}")

    def sections(self) -> Iterator[tuple[str, Section]]:
        """Lay everything out; the builder is used up afterwards."""
        yield from self._digests.sections()
        yield from self._patterns.sections()
        yield from self._yara_sections()  # last, since compiling them takes the most memory
        meta = {
            "sources": [tuple(source) for source in self._sources],
            "counts": dict(self.counts),
            "unevaluated": dict(self.unevaluated),
            "ignored": {name: sorted(md5s) for name, md5s in self._ignored.items()},
            "always": self._patterns.always,
            "macros": self._macros,
            "containers": self._containers,
            "file_types": self._file_types,
            "passwords": self._passwords,
            "stated": self.stated,
            "problems": [str(problem) for problem in self.problems],
        }
        yield "meta", marshal.dumps(meta, 4)

    # --- digests --------------------------------------------------------------------------

    def _add_digest(self, record: Record, value: Digest) -> None:
        purpose = _DIGEST_PURPOSES[record.kind]
        found = (value.digest.hex(), "*" if value.size is None else str(value.size), value.name)
        self._digests.extend(purpose, [found], self._source(record.source), record.pua)

    def _add_digests(self, lines: Lines, form: re.Pattern[str], read: Read) -> None:
        """Add lines, of which those that have a plain form need no object each."""
        texts = lines.texts
        joined = "\n".join(texts)
        # A text that holds a line's end itself would be two lines here, and hide one that is none.
        found = form.findall(joined) if joined.count("\n") == len(texts) - 1 else []
        if len(found) != len(texts) or any(name in self._ignored for *_, name in found):
            found = []
            for number, text in enumerate(texts):
                plain = form.fullmatch(text)
                if plain is not None and plain[3] not in self._ignored:
                    found.append(plain.groups())
                    continue
                first = lines.first + number if lines.first else 0
                for parsed in read(lines._replace(first=first, texts=[text])):
                    self.add(parsed.record, parsed.value)
        if found:
            kind, source = lines.language.kind, self._source(lines.source)
            self.counts[kind.value] += len(found)
            if kind is Kind.SECTION_DIGEST:
                found = [(digest, size, name) for size, digest, name in found]
            self._digests.extend(_DIGEST_PURPOSES[kind], found, source, lines.language.pua)

    # --- body and logical signatures ------------------------------------------------------

    def _add_extended(self, record: Record, value: Extended) -> None:
        content = compiled.compile_content(value.offset, value.body, self._numbers)
        if value.offset.anchor is Anchor.MACRO:
            self._macros.setdefault(value.offset.number, []).append((value.target, content))
            return
        levels = [atom_choice.level_of(Content(value.offset, value.body))]
        signature = (
            value.name,
            self._source(record.source),
            record.pua,
            (None, None, None, "", ()),
            (0, "", 0),
            (content,),
        )
        indexed = [0] if levels[0] is not None else []
        self._patterns.add(signature, value.target, indexed, {0: value.body}, counted=False)

    def _add_logical(self, record: Record, value: Logical) -> None:
        conditions = value.conditions
        subs = value.subsignatures
        levels, indexed = atom_choice.indexed_subsignatures(value.expression, subs)
        signature = (
            value.name,
            self._source(record.source),
            record.pua,
            compiled.compile_conditions(conditions),
            compiled.compile_expression(value.expression, _costs(subs, levels, indexed)),
            tuple(compiled.compile_subsignature(sub, self._numbers) for sub in subs),
        )
        bodies = {i: sub.body for i in indexed if isinstance(sub := subs[i], Content)}
        counted = compiled.counts_matter(value.expression)
        self._patterns.add(signature, conditions.target, indexed, bodies, counted=counted)

    # --- the rest -------------------------------------------------------------------------

    def _add_file_type(self, value: FileTypeMagic) -> None:
        content = compiled.compile_content(value.offset, value.magic, self._numbers)
        self._file_types.append((value.fixed, content, value.required, value.result))

    def _yara_sections(self) -> Iterator[tuple[str, bytes]]:
        if not self._yara:
            return
        texts = [record.text for record in self._yara]
        names = [record.source.name for record in self._yara]
        result = compile_rules(texts, names, lenient=self.lenient)
        for place, rule, reason in result.ignored:
            self.problems.append(SignatureError(f"rule {rule}: {reason}", names[place]))
        from io import BytesIO

        buffer = BytesIO()
        result.rules.serialize_into(buffer)
        self.counts[Kind.YARA.value] += sum(1 for _ in result.rules)
        yield "yara", buffer.getvalue()
        sources = [self._source(record.source) for record in self._yara]
        yield "yara.sources", marshal.dumps(sources, 4)

    def _source(self, source: Source) -> int:
        return self._sources.setdefault(source, len(self._sources))

    def _is_ignored(self, name: str, record: Record) -> bool:
        md5s = self._ignored.get(name)
        if md5s is None:
            return False
        line = hashlib.md5(record.text.encode("latin-1", "replace"), usedforsecurity=False)
        if "" in md5s or line.hexdigest() in md5s:
            self.counts["excepted by .ign2"] += 1
            return True
        return False


_COST_OF_SEARCH = 1_000
_COST_OF_GAP = 10_000
_COST_OF_OTHERS = 1_000_000


def _costs(subs: tuple[Any, ...], levels: list[int | None], indexed: list[int]) -> list[int]:
    """What looking up each sub-signature costs: nothing when an atom has answered already."""
    costs = []
    for index, (sub, level) in enumerate(zip(subs, levels, strict=True)):
        if index in indexed:
            costs.append(0)
        elif isinstance(sub, Content):
            anchored = sub.offset.anchor is not Anchor.ANY
            gaps = max(len(form.gaps) for form in sub.body.forms)
            search = 0 if anchored else _COST_OF_SEARCH + (level or 0)
            costs.append(1 + search + _COST_OF_GAP * gaps)
        else:
            costs.append(_COST_OF_OTHERS)
    return costs
