"""YARA rules, run by YARA-X on one object at a time."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from tocsin.database.index import Index
from tocsin.errors import LimitReached, ScanError
from tocsin.signatures.yara import source_place

if TYPE_CHECKING:
    import yara_x


class YaraMatch(NamedTuple):
    """A rule that matched.

    Attributes:
        name: the rule's identifier.
        source: number of its source.
        offset: where the first of its patterns matched, or None.
        level: what its metadata say in `level`, or empty.
        author: what its metadata say.
        licence: what its metadata say.
    """

    name: str
    source: int
    offset: int | None
    level: str
    author: str
    licence: str


class YaraScanner:
    """Holds the rules of one database ready."""

    def __init__(self, index: Index) -> None:
        import yara_x

        self._scanner = yara_x.Scanner(index.yara_rules())
        self._sources = index.yara_sources()

    def matches(self, data: bytes, name: str, seconds: float) -> Iterator[YaraMatch]:
        """Rules that match an object.

        Args:
            data: the object.
            name: its name, for rules that ask for `filename` and the like.
            seconds: time it may take; 0 for any.

        Raises:
            LimitReached: it took longer.
            ScanError: YARA-X gave up for another reason.
        """
        import yara_x

        base = os.path.basename(name).encode("utf-8", "replace").decode()
        self._scanner.set_global("filename", base)
        self._scanner.set_global("filepath", name.encode("utf-8", "replace").decode())
        self._scanner.set_global("extension", os.path.splitext(base)[1])
        if seconds:
            self._scanner.set_timeout(max(1, round(seconds)))
        try:
            results = self._scanner.scan(data)
        except yara_x.TimeoutError:
            raise LimitReached("the YARA rules took too long (--timeout)") from None
        except yara_x.ScanError as error:
            raise ScanError(f"YARA-X: {error}") from None
        for rule in results.matching_rules:
            yield self._match(rule)

    def _match(self, rule: yara_x.Rule) -> YaraMatch:
        offsets = [match.offset for pattern in rule.patterns for match in pattern.matches]
        stated = {key.lower(): str(value) for key, value in rule.metadata}
        return YaraMatch(
            name=rule.identifier,
            source=self._sources[source_place(rule.namespace)],
            offset=min(offsets, default=None),
            level=stated.get("level", "").lower(),
            author=stated.get("author", ""),
            licence=stated.get("license", stated.get("licence", "")),
        )
