"""What differs between the database that was published and the one that was rebuilt.

Both are sorted lines, so they are read side by side, in memory that their size does not change.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tocsin.database.portable import read_header
from tocsin.signatures.records import Source

_SHOWN = 10
_LONGEST = 200


@dataclass
class Difference:
    """What differs.

    Attributes:
        only_published: records that only the published database has.
        only_rebuilt: records that only the rebuilt one has.
        kinds: those of both by kind.
        examples: some of them, each with `-` (published) or `+` (rebuilt) before it.
        sources: sources that only one of them names, marked the same way.
    """

    only_published: int = 0
    only_rebuilt: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    examples: list[str] = field(default_factory=list)
    sources: list[str] = field(default_factory=list)


def compare(published: Path, rebuilt: Path) -> Difference:
    """Find what differs between two portable databases.

    Raises:
        DatabaseError: one of them is none.
        OSError: one cannot be read.
    """
    difference = Difference()
    before, after = read_header(published).sources, read_header(rebuilt).sources
    for mark, own, other in (("-", before, after), ("+", after, before)):
        for source in own:
            if source not in other:
                difference.sources.append(f"{mark}{source.name} {source.sha256}")
    # Numbers of sources differ when their lists do; then lines are compared by name instead.
    names = [] if before == after else [_names(before), _names(after)]
    streams = [
        _marked(path, mark, names[number] if names else None)
        for number, (path, mark) in enumerate(((published, b"-"), (rebuilt, b"+")))
    ]
    _gather(heapq.merge(*streams), difference)
    return difference


def _gather(lines: Iterator[tuple[bytes, bytes]], difference: Difference) -> None:
    held: tuple[bytes, bytes] | None = None
    for line, mark in lines:
        if held is not None and held[0] == line and held[1] != mark:
            held = None
            continue
        if held is not None:
            _note(*held, difference)
        held = (line, mark)
    if held is not None:
        _note(*held, difference)


def _note(line: bytes, mark: bytes, difference: Difference) -> None:
    if mark == b"-":
        difference.only_published += 1
    else:
        difference.only_rebuilt += 1
    difference.kinds[line.partition(b"\t")[0].decode("utf-8", "replace")] += 1
    if len(difference.examples) < _SHOWN:
        text = line[:_LONGEST].rstrip(b"\n").decode("utf-8", "replace")
        difference.examples.append(mark.decode() + text)


def _names(sources: list[Source]) -> list[bytes]:
    return [source.name.encode("utf-8", "surrogateescape") for source in sources]


def _marked(path: Path, mark: bytes, names: list[bytes] | None) -> Iterator[tuple[bytes, bytes]]:
    """The records in order; where sources are renamed, sorted anew, which takes memory."""
    with path.open("rb") as file:
        file.readline()
        file.readline()
        if names is None:
            for line in file:
                yield line, mark
            return
        renamed = []
        for line in file:
            kind, number, rest = line.split(b"\t", 2)
            renamed.append(b"\t".join((kind, names[int(number)], rest)))
    for line in sorted(renamed):
        yield line, mark
