"""Databases for the tests of deltas, and what is done to them in a day."""

from __future__ import annotations

import hashlib
import random
from pathlib import Path

from tocsin.database.portable import build_portable
from tocsin.signatures.records import Kind, Record, Source
from tocsin.updates.delta import DeltaSummary, Digest, apply_delta, make_delta

FEED = Source("feed.txt", "11" * 32)
RULES = Source("rules.yar", "22" * 32, "somebody", "MIT")


def tomorrow(source: Source) -> Source:
    """The same source with other content."""
    return source._replace(sha256=hashlib.sha256(source.sha256.encode()).hexdigest())


def digest_records(count: int, source: Source = FEED, seed: int = 1) -> list[Record]:
    """SHA-256 with a size and a name with a serial number."""
    rng = random.Random(seed)
    return [
        Record(
            Kind.FILE_DIGEST,
            f"{rng.randbytes(32).hex()}:{rng.randrange(1, 1 << 22)}:"
            f"Win.{rng.choice(['Trojan', 'Malware'])}.Agent-{7_000_000 + number}-0:73",
            source,
        )
        for number in range(count)
    ]


def expected(data: bytes) -> Digest:
    """What a file of these bytes has to be."""
    return Digest(hashlib.sha256(data).hexdigest(), len(data))


def there_and_back(folder: Path, old: bytes, new: bytes) -> DeltaSummary:
    """Make a delta, apply it, and hold the result against the new database."""
    (folder / "old").write_bytes(old)
    (folder / "new").write_bytes(new)
    summary = make_delta(folder / "old", folder / "new", folder / "delta")
    apply_delta(folder / "old", folder / "delta", folder / "out", expected=expected(new))
    assert (folder / "out").read_bytes() == new
    assert summary.bytes == (folder / "delta").stat().st_size
    return summary


def built(*records: list[Record]) -> bytes:
    """One database from lists of records."""
    return build_portable([record for held in records for record in held])
