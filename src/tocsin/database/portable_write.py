"""A portable database written to disk in memory that its size does not change.

What comes out is what `portable.build_portable` lays out, byte for byte. Lines of one kind and
source stand together whatever number the source gets, so they are gathered apart, sorted in runs
that fit into memory, and merged once all sources are known.
"""

from __future__ import annotations

import hashlib
import heapq
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import BinaryIO, NamedTuple

from tocsin.database.portable import MAGIC, packed_header, record_line
from tocsin.errors import DatabaseError
from tocsin.signatures.records import Record, Source

HELD_BYTES = 48 << 20
"""Text that is sorted at a time; Python's own part of each line comes on top."""

_LINE_COST = 80
_CHUNK = 1 << 20
_LINES = 4_096

_Key = tuple[str, Source]

Identity = Callable[[bytes], bytes]
"""From a line behind its kind and source to what tells it from others."""


class Written(NamedTuple):
    """A database that was written.

    Attributes:
        sha256: of the file.
        size: in bytes.
        counts: records by kind.
    """

    sha256: str
    size: int
    counts: dict[str, int]


def write_portable(
    records: Iterable[Record],
    output: Path,
    *,
    held_bytes: int = HELD_BYTES,
    identity: Identity | None = None,
) -> Written:
    """Lay records out canonically in a file, and have it on the disk.

    Args:
        records: in any order; one that comes twice from one source stands once.
        output: replaced in one step; files beside it are used meanwhile.
        held_bytes: memory for lines that are being sorted.
        identity: what makes two lines of one kind and source the same, of which the first in
            their order stands; a beginning of them. None for the whole line.

    Raises:
        DatabaseError: it cannot be written; what was there before still is.
    """
    try:
        with TemporaryDirectory(prefix=".sorting-", dir=output.parent) as place:
            folder = Path(place)
            runs = _sorted_runs(records, folder / "runs", held_bytes)
            return _merged(runs, folder, output, identity or bytes)
    except OSError as error:
        raise DatabaseError(f"{output}: {error.strerror or error}") from error


def _sorted_runs(
    records: Iterable[Record], place: Path, held_bytes: int
) -> dict[_Key, list[tuple[int, int]]]:
    """Sort what fits into memory at a time; gives where in the file each run is."""
    runs: dict[_Key, list[tuple[int, int]]] = {}
    held: dict[_Key, list[bytes]] = {}
    size = 0
    with place.open("wb") as file:
        for record in records:
            line = record_line(record)
            held.setdefault((record.kind.value, record.source), []).append(line)
            size += len(line) + _LINE_COST
            if size >= held_bytes:
                _spill(held, runs, file)
                size = 0
        _spill(held, runs, file)
    return runs


def _spill(
    held: dict[_Key, list[bytes]], runs: dict[_Key, list[tuple[int, int]]], file: BinaryIO
) -> None:
    for key, lines in held.items():
        lines.sort()
        start = file.tell()
        file.writelines(lines)
        runs.setdefault(key, []).append((start, file.tell()))
    held.clear()


def _merged(
    runs: dict[_Key, list[tuple[int, int]]], folder: Path, output: Path, identity: Identity
) -> Written:
    sources = sorted({source for _, source in runs})
    numbers = {source: number for number, source in enumerate(sources)}
    prefixes = {key: f"{key[0]}\t{numbers[key[1]]}\t".encode() for key in runs}
    counts: Counter[str] = Counter()
    with (folder / "body").open("wb") as body:
        for key in sorted(runs, key=prefixes.__getitem__):
            lines = _lines_of(folder / "runs", runs[key])
            counts[key[0]] += _write_group(lines, prefixes[key], body, identity)
        body_bytes = body.tell()
    header = {
        "body_bytes": body_bytes,
        "counts": dict(counts),
        "sources": [source._asdict() for source in sources],
    }
    stated = hashlib.sha256(packed_header(header) + b"\n")
    for chunk in _chunks(folder / "body"):
        stated.update(chunk)
    head = MAGIC + packed_header({**header, "sha256": stated.hexdigest()}) + b"\n"
    whole = hashlib.sha256(head)
    with (folder / "whole").open("wb") as file:
        file.write(head)
        for chunk in _chunks(folder / "body"):
            whole.update(chunk)
            file.write(chunk)
        file.flush()
        os.fchmod(file.fileno(), 0o644)
        os.fsync(file.fileno())
    os.replace(folder / "whole", output)
    return Written(whole.hexdigest(), len(head) + body_bytes, dict(sorted(counts.items())))


def _lines_of(place: Path, runs: list[tuple[int, int]]) -> Iterable[bytes]:
    streams = [_lines(place, start, end) for start, end in runs]
    return streams[0] if len(streams) == 1 else heapq.merge(*streams)


def _write_group(lines: Iterable[bytes], prefix: bytes, body: BinaryIO, identity: Identity) -> int:
    """Write the lines of one kind and source, each once; gives how many."""
    count, before = 0, b""
    out: list[bytes] = []
    for line in lines:
        if (same := identity(line)) == before:
            continue
        before = same
        out.append(prefix + line)
        count += 1
        if len(out) == _LINES:
            body.writelines(out)
            out.clear()
    body.writelines(out)
    return count


def _lines(place: Path, start: int, end: int) -> Iterator[bytes]:
    with place.open("rb") as file:
        file.seek(start)
        left = end - start
        while left > 0:
            line = file.readline()
            left -= len(line)
            yield line


def _chunks(place: Path) -> Iterator[bytes]:
    with place.open("rb") as file:
        while chunk := file.read(_CHUNK):
            yield chunk
