"""From parsed signatures to the sections of a machine index.

Enters: parsed records, in the order in which exceptions (`.ign2`) come before what they
except. Leaves: named sections for `sections.write_sections`. What is recognised and not
evaluated is counted by name.
"""

from __future__ import annotations

import hashlib
import marshal
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from tocsin.database import atoms as atom_choice
from tocsin.database import compiled
from tocsin.database.coverage import unevaluated_reason
from tocsin.database.digest_table import ALGORITHM_BYTES, pack_row, pack_table
from tocsin.database.layout import ANY_TARGET, PUA_FLAG
from tocsin.database.portable import is_portable, read_portable
from tocsin.database.sections import write_sections
from tocsin.errors import SignatureError
from tocsin.signatures.clamav.container import ContainerSignature
from tocsin.signatures.clamav.digests import Digest
from tocsin.signatures.clamav.extended import Extended
from tocsin.signatures.clamav.lists import ArchivePassword, FileTypeMagic, Ignored
from tocsin.signatures.clamav.logical import Content, Logical
from tocsin.signatures.clamav.offset import Anchor
from tocsin.signatures.metadata import Metadata
from tocsin.signatures.parse import signature_name
from tocsin.signatures.records import Kind, Record, Source
from tocsin.signatures.sources import Parsed, SourceReader
from tocsin.signatures.yara import compile_rules

_DIGEST_PURPOSES = {
    Kind.FILE_DIGEST: "file",
    Kind.SECTION_DIGEST: "section",
    Kind.IMPORT_DIGEST: "import",
    Kind.ALLOW_DIGEST: "allow",
}


def build_index(files: Sequence[Path], output: BinaryIO, *, lenient: bool = False) -> None:
    """Index signature files and portable databases.

    Args:
        files: in the order in which they are loaded.
        output: a seekable binary file, at its beginning.
        lenient: pass over what is malformed; how much it was is kept in the index.

    Raises:
        SignatureError: something is malformed, unless lenient.
        DatabaseError: a file is damaged or cannot be read.
    """
    builder = IndexBuilder(lenient=lenient)
    reader = SourceReader(lenient=lenient)
    for file in files:
        builder.add_all(read_portable(file) if is_portable(file) else reader.read(file))
    builder.problems += reader.problems
    write_sections(output, builder.sections())


class IndexBuilder:
    """Collects signatures and lays them out.

    Args:
        lenient: leave out YARA rules that do not compile instead of raising.

    Attributes:
        counts: signatures taken, by kind.
        unevaluated: signatures recognised and not evaluated, by what they need.
        problems: YARA rules left out, when lenient.
        stated: level, author and licence by name, for languages that cannot say it themselves.
    """

    def __init__(self, *, lenient: bool = False) -> None:
        self.lenient = lenient
        self.counts: Counter[str] = Counter()
        self.unevaluated: Counter[str] = Counter()
        self.problems: list[SignatureError] = []
        self.stated: dict[str, tuple[str, str, str]] = {}
        self._sources: dict[Source, int] = {}
        self._names = bytearray()
        self._rows: dict[tuple[str, str], list[bytes]] = {}
        self._ignored: dict[str, set[str]] = {}
        self._numbers = compiled.PatternNumbers()
        self._signatures: list[bytes] = []
        self._uses: dict[tuple[bytes, bool], dict[Any, list[tuple[int, int, int]]]] = {}
        self._targets: dict[tuple[bytes, bool], set[int]] = {}
        self._always: dict[int, list[int]] = {}
        self._macros: dict[int, list[tuple[int, Any]]] = {}
        self._containers: list[tuple[Any, ...]] = []
        self._file_types: list[tuple[Any, ...]] = []
        self._passwords: list[tuple[str, str, bytes]] = []
        self._yara: list[Record] = []

    def add_all(self, signatures: Iterable[Parsed]) -> None:
        """Add every signature."""
        for parsed in signatures:
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
            self._containers.append((*value, self._source(record), record.pua))
        else:
            raise TypeError(f"no place in the index for {value!r}")

    def sections(self) -> Iterator[tuple[str, bytes | bytearray]]:
        """Lay everything out; the builder is used up afterwards."""
        yield from self._yara_sections()
        for (purpose, algorithm), rows in sorted(self._rows.items()):
            table, sizes = pack_table(rows, ALGORITHM_BYTES[algorithm])
            yield f"{purpose}.{algorithm}", table
            yield f"{purpose}.{algorithm}.sizes", sizes
            rows.clear()
        yield "names", self._names
        yield from self._pattern_sections()
        meta = {
            "sources": [tuple(source) for source in self._sources],
            "counts": dict(self.counts),
            "unevaluated": dict(self.unevaluated),
            "ignored": {name: sorted(md5s) for name, md5s in self._ignored.items()},
            "always": self._always,
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
        name = len(self._names)
        encoded = value.name.encode("utf-8", "surrogateescape")[:0xFFFF]
        self._names += self._source(record).to_bytes(2, "little")
        self._names += bytes([PUA_FLAG if record.pua else 0])
        self._names += len(encoded).to_bytes(2, "little") + encoded
        key = (_DIGEST_PURPOSES[record.kind], value.algorithm)
        self._rows.setdefault(key, []).append(pack_row(value.digest, value.size, name))

    # --- body and logical signatures ------------------------------------------------------

    def _add_extended(self, record: Record, value: Extended) -> None:
        content = compiled.compile_content(value.offset, value.body, self._numbers)
        if value.offset.anchor is Anchor.MACRO:
            self._macros.setdefault(value.offset.number, []).append((value.target, content))
            return
        levels = [atom_choice.level_of(Content(value.offset, value.body))]
        signature = (
            value.name,
            self._source(record),
            record.pua,
            (None, None, None, "", ()),
            (0, "", 0),
            (content,),
        )
        indexed = [0] if levels[0] is not None else []
        self._store(signature, value.target, indexed, {0: value.body}, counted=False)

    def _add_logical(self, record: Record, value: Logical) -> None:
        conditions = value.conditions
        subs = value.subsignatures
        levels, indexed = atom_choice.indexed_subsignatures(value.expression, subs)
        signature = (
            value.name,
            self._source(record),
            record.pua,
            compiled.compile_conditions(conditions),
            compiled.compile_expression(value.expression, _costs(subs, levels, indexed)),
            tuple(compiled.compile_subsignature(sub, self._numbers) for sub in subs),
        )
        bodies = {i: sub.body for i in indexed if isinstance(sub := subs[i], Content)}
        counted = compiled.counts_matter(value.expression)
        self._store(signature, conditions.target, indexed, bodies, counted=counted)

    def _store(
        self,
        signature: tuple[Any, ...],
        target: int,
        indexed: list[int],
        bodies: dict[int, Any],
        *,
        counted: bool,
    ) -> None:
        number = len(self._signatures)
        self._signatures.append(marshal.dumps((*signature, frozenset(indexed), counted), 4))
        if not indexed:
            self._always.setdefault(target, []).append(number)
        for sub, body in bodies.items():
            for form, atom in enumerate(atom_choice.body_atoms(body)):
                key = (atom.pattern, atom.nocase)
                use = (signature[5][sub], form, atom.part, atom.distance)
                self._uses.setdefault(key, {}).setdefault(use, []).append((number, sub, target))
                self._targets.setdefault(key, set()).add(target)

    def _pattern_sections(self) -> Iterator[tuple[str, bytes | bytearray]]:
        offsets, blobs = _blobs(self._signatures)
        yield "signatures.offsets", offsets
        yield "signatures", blobs
        keys = sorted(self._uses)
        offsets, blobs = _blobs(
            [
                marshal.dumps(tuple((*use, tuple(at)) for use, at in self._uses[key].items()), 4)
                for key in keys
            ]
        )
        yield "atoms.offsets", offsets
        yield "atoms", blobs
        targets = {target for key in keys for target in self._targets[key]}
        for target in sorted(targets | {ANY_TARGET}):
            wanted = [
                (number, key)
                for number, key in enumerate(keys)
                if not self._targets[key].isdisjoint((target, ANY_TARGET))
            ]
            if wanted:
                yield f"search.{target}", _compile_search(wanted)

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
        sources = [self._source(record) for record in self._yara]
        yield "yara.sources", marshal.dumps(sources, 4)

    def _source(self, record: Record) -> int:
        return self._sources.setdefault(record.source, len(self._sources))

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


def _blobs(items: list[bytes]) -> tuple[bytes, bytes]:
    offsets = array("I", [0])
    position = 0
    for item in items:
        position += len(item)
        offsets.append(position)
    return offsets.tobytes(), b"".join(items)


def _compile_search(wanted: list[tuple[int, tuple[bytes, bool]]]) -> bytes:
    import hyperscan

    search = hyperscan.Database(mode=hyperscan.HS_MODE_BLOCK)
    search.compile(
        expressions=[pattern for _, (pattern, _) in wanted],
        ids=[number for number, _ in wanted],
        elements=len(wanted),
        flags=[
            hyperscan.HS_FLAG_DOTALL | (hyperscan.HS_FLAG_CASELESS if nocase else 0)
            for _, (_, nocase) in wanted
        ],
    )
    return bytes(hyperscan.dumpb(search))
