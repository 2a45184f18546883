"""An object's digests, each computed at most once and only when something asks for it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from tocsin.database.index import Index, Name


class Digests:
    """Digests of some bytes."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._known: dict[str, bytes] = {}

    def get(self, algorithm: str) -> bytes:
        """The raw digest: `md5`, `sha1` or `sha256`."""
        digest = self._known.get(algorithm)
        if digest is None:
            digest = hashlib.new(algorithm, self._data, usedforsecurity=False).digest()
            self._known[algorithm] = digest
        return digest

    def set(self, algorithm: str, digest: bytes) -> None:
        """Note a digest that is known already."""
        self._known[algorithm] = digest


def digest_names(index: Index, purpose: str, digests: Digests, size: int) -> Iterator[Name]:
    """Names of the digest signatures that an object or a part of one has.

    Args:
        index: the database.
        purpose: `file`, `section`, `import` or `allow`.
        digests: the digests of the bytes.
        size: their number.
    """
    for algorithm, table in index.digest_tables(purpose).items():
        if table.wants(size):
            for offset in table.find(digests.get(algorithm), size):
                yield index.name(offset)


def executable_names(index: Index, data: bytes) -> Iterator[Name]:
    """Names of section and import-table signatures that a PE file has."""
    from tocsin.formats.pe import hashed_sections, import_string

    if index.digest_tables("section"):
        for section in hashed_sections(data):
            part = Digests(data[section.offset : section.offset + section.size])
            yield from digest_names(index, "section", part, section.size)
    if index.digest_tables("import"):
        imports = import_string(data)
        if imports is not None:
            encoded = imports.encode("latin-1", "replace")
            yield from digest_names(index, "import", Digests(encoded), len(encoded))
