"""The machine index, opened: what the engine asks while it scans.

Nothing is read before it is asked for. Digest tables and signatures are searched where they
are mapped; the searches for atoms are loaded one target at a time.
"""

from __future__ import annotations

import marshal
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from tocsin.database.digest_table import ALGORITHM_BYTES, DigestTable
from tocsin.database.layout import ANY_TARGET, NAME_HEAD, PUA_FLAG
from tocsin.database.sections import SectionFile
from tocsin.errors import VerificationError
from tocsin.signatures.records import Source

if TYPE_CHECKING:
    import hyperscan
    import yara_x

Use = tuple[Any, int, int, int, tuple[tuple[int, int, int], ...]]
MAX_CACHED = 65_536


class Name(NamedTuple):
    """A digest signature's name and origin."""

    name: str
    source: int
    pua: bool


_FINDING = (
    "file-digest",
    "section-digest",
    "import-digest",
    "body",
    "logical",
    "container",
    "yara",
)


class Index:
    """An opened machine index.

    Args:
        file: its sections.
        identity: what was indexed, as a hexadecimal digest; the verdicts' validity hangs on it.
    """

    def __init__(self, file: SectionFile, identity: str) -> None:
        self.file = file
        self.identity = identity
        self._meta: dict[str, Any] = marshal.loads(file.checked("meta"))
        self.sources = [Source(*fields) for fields in self._meta["sources"]]
        self.always: dict[int, list[int]] = self._meta["always"]
        self.macros: dict[int, list[tuple[int, Any]]] = self._meta["macros"]
        self.containers: list[tuple[Any, ...]] = self._meta["containers"]
        self.file_types: list[tuple[Any, ...]] = self._meta["file_types"]
        self.passwords: list[tuple[str, str, bytes]] = self._meta["passwords"]
        self.stated: dict[str, tuple[str, str, str]] = self._meta["stated"]
        self.ignored: dict[str, list[str]] = self._meta["ignored"]
        self._names = file.section("names")
        self._signatures = file.section("signatures")
        self._signature_offsets = file.section("signatures.offsets").cast("I")
        self._atoms = file.section("atoms")
        self._atom_offsets = file.section("atoms.offsets").cast("I")
        self._signature_cache: dict[int, tuple[Any, ...]] = {}
        self._use_cache: dict[int, tuple[Use, ...]] = {}
        self._searches: dict[int, hyperscan.Database | None] = {}
        self._tables: dict[str, dict[str, DigestTable]] = {}
        self._rules: yara_x.Rules | None = None

    @property
    def counts(self) -> dict[str, int]:
        """Signatures taken, by kind."""
        return dict(self._meta["counts"])

    @property
    def signature_count(self) -> int:
        """Signatures that something can be found by; passwords and file types are none."""
        return sum(self.counts.get(kind, 0) for kind in _FINDING)

    @property
    def unevaluated(self) -> dict[str, int]:
        """Signatures recognised and not evaluated, by what they need."""
        return dict(self._meta["unevaluated"])

    @property
    def problems(self) -> list[str]:
        """What was passed over when it was indexed leniently."""
        return list(self._meta["problems"])

    def digest_tables(self, purpose: str) -> dict[str, DigestTable]:
        """Tables by algorithm for `file`, `section`, `import` or `allow`."""
        tables = self._tables.get(purpose)
        if tables is None:
            tables = {
                algorithm: DigestTable(
                    self.file.section(f"{purpose}.{algorithm}"),
                    self.file.section(f"{purpose}.{algorithm}.sizes"),
                    length,
                )
                for algorithm, length in ALGORITHM_BYTES.items()
                if f"{purpose}.{algorithm}" in self.file
            }
            self._tables[purpose] = tables
        return tables

    def name(self, offset: int) -> Name:
        """The name that stands at an offset which a digest table gave."""
        head = self._names[offset : offset + NAME_HEAD]
        length = int.from_bytes(head[3:5], "little")
        text = self._names[offset + NAME_HEAD : offset + NAME_HEAD + length].tobytes()
        return Name(
            text.decode("utf-8", "surrogateescape"),
            int.from_bytes(head[:2], "little"),
            bool(head[2] & PUA_FLAG),
        )

    def search(self, target: int) -> hyperscan.Database | None:
        """The search for atoms in objects of a target type, or None when there are none."""
        if target not in self._searches:
            section = f"search.{target}"
            if section not in self.file:
                if target != ANY_TARGET:
                    return self.search(ANY_TARGET)
                self._searches[target] = None
            else:
                self._searches[target] = _load_search(self.file.checked(section))
        return self._searches[target]

    def uses(self, atom: int) -> tuple[Use, ...]:
        """Where an atom is used."""
        uses = self._use_cache.get(atom)
        if uses is None:
            start, end = self._atom_offsets[atom], self._atom_offsets[atom + 1]
            uses = _unmarshalled(self._atoms[start:end], self.file.name)
            _bound(self._use_cache)
            self._use_cache[atom] = uses
        return uses

    def signature(self, number: int) -> tuple[Any, ...]:
        """A signature as `database.compiled` lays it out."""
        signature = self._signature_cache.get(number)
        if signature is None:
            start, end = self._signature_offsets[number], self._signature_offsets[number + 1]
            signature = _unmarshalled(self._signatures[start:end], self.file.name)
            _bound(self._signature_cache)
            self._signature_cache[number] = signature
        return signature

    def signatures(self) -> Iterator[tuple[Any, ...]]:
        """Every body and logical signature, in the order of the index."""
        for number in range(len(self._signature_offsets) - 1):
            yield self.signature(number)

    @property
    def has_yara(self) -> bool:
        """Whether there are YARA rules."""
        return "yara" in self.file

    def yara_rules(self) -> yara_x.Rules:
        """The YARA rules, loaded on first need."""
        if self._rules is None:
            import io

            import yara_x

            serialised = io.BytesIO(self.file.checked("yara").tobytes())
            self._rules = yara_x.Rules.deserialize_from(serialised)
        return self._rules

    def yara_sources(self) -> list[int]:
        """For each YARA file its source's number."""
        return list(marshal.loads(self.file.checked("yara.sources")))

    def load_for_sharing(self) -> None:
        """Load what worker processes are to share before they are forked."""
        for name in list(self.file.names()):
            if name.startswith("search."):
                self.search(int(name.partition(".")[2]))
        if self.has_yara:
            self.yara_rules()
        self.file.let_go()  # what was read once, to be loaded


def _unmarshalled(data: memoryview, name: str) -> tuple[Any, ...]:
    """Read one entry; sections too large to hash at every start are checked as they are read.

    Raises:
        VerificationError: it is not what was written.
    """
    try:
        value = marshal.loads(data)
    except (ValueError, EOFError, TypeError) as error:
        raise VerificationError(f"{name}: altered ({error}); delete it") from None
    if not isinstance(value, tuple):
        raise VerificationError(f"{name}: altered; delete it")
    return value


def _load_search(section: memoryview) -> hyperscan.Database:
    import hyperscan

    search = hyperscan.loadb(section.tobytes(), hyperscan.HS_MODE_BLOCK)
    search.scratch = hyperscan.Scratch(search)
    return search


def _bound(cache: dict[int, Any]) -> None:
    if len(cache) >= MAX_CACHED:
        cache.clear()
