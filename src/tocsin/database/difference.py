"""What one database has that another has not: signatures compared by kind and name.

Several signatures may have one name (digests often do), so what is compared is, for each kind
and name, the set of texts. Where a signature came from and in which order plays no part.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from tocsin.database.inspect import Progress, entries

_Key = tuple[str, str]


class Changed(NamedTuple):
    """A name whose signatures differ.

    Attributes:
        kind: their kind.
        name: their name.
        before: texts that only the first database has.
        after: texts that only the second has.
    """

    kind: str
    name: str
    before: tuple[str, ...]
    after: tuple[str, ...]


class Difference(NamedTuple):
    """Two databases compared.

    Attributes:
        added: names that only the second has.
        removed: names that only the first has.
        changed: names that both have, with different signatures.
        same: names that both have alike, by kind.
    """

    added: list[Changed]
    removed: list[Changed]
    changed: list[Changed]
    same: Counter[str]

    @property
    def equal(self) -> bool:
        """Whether both hold the same signatures."""
        return not (self.added or self.removed or self.changed)

    def counts(self) -> dict[str, dict[str, int]]:
        """By kind how many names were added, removed, changed and left as they are."""
        tallies = {
            "added": Counter(item.kind for item in self.added),
            "removed": Counter(item.kind for item in self.removed),
            "changed": Counter(item.kind for item in self.changed),
            "same": self.same,
        }
        kinds = sorted(set().union(*tallies.values()))
        return {kind: {what: tally[kind] for what, tally in tallies.items()} for kind in kinds}


def compare(
    first: Iterable[Path], second: Iterable[Path], *, progress: Progress | None = None
) -> Difference:
    """Compare two databases, each given as files and folders.

    Raises:
        DatabaseError: a source is missing, damaged or altered.
    """
    before = _texts(first, progress)
    after = _texts(second, progress)
    difference = Difference([], [], [], Counter())
    for key in sorted(before.keys() | after.keys()):
        old, new = before.get(key, frozenset()), after.get(key, frozenset())
        if old == new:
            difference.same[key[0]] += 1
            continue
        change = Changed(*key, tuple(sorted(old - new)), tuple(sorted(new - old)))
        if not old:
            difference.added.append(change)
        elif not new:
            difference.removed.append(change)
        else:
            difference.changed.append(change)
    return difference


def _texts(paths: Iterable[Path], progress: Progress | None) -> dict[_Key, frozenset[str]]:
    texts: dict[_Key, frozenset[str]] = {}
    for name, record in entries(paths, progress=progress):
        text = f"{record.text} (on request only)" if record.pua else record.text
        key = (record.kind.value, name or record.detail)
        known = texts.get(key)
        texts[key] = frozenset((text,)) if known is None else known | {text}
    return texts
