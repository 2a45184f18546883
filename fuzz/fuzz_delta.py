"""A delta for the update of a database: any bytes lead where they should, or are refused.

The first byte decides what is fed: 0 the delta as it is, 1 what comes behind the digest of the
old header, 2 two databases' records between which a delta is made.
"""

from __future__ import annotations

import hashlib
import tempfile
from pathlib import Path

import fuzz_support

from tocsin.database.portable import build_portable
from tocsin.errors import TocsinError
from tocsin.signatures.records import Kind, Record, Source
from tocsin.updates.delta import Digest, apply_delta, make_delta
from tocsin.updates.delta_apply import rebuilt
from tocsin.updates.delta_format import MAGIC
from tocsin.updates.record_file import RecordFile

_A, _B = Source("a.hsb", "0" * 64), Source("b.yar", "1" * 64)
_TEXTS = [f"{number:064x}:{number * 7 + 1}:Win.Test.A-{number}-0:73" for number in range(12)]
_RULES = [Record(Kind.YARA, f"rule r{number} {{}}", _B, bool(number % 2)) for number in range(6)]
_OLD = build_portable([Record(Kind.FILE_DIGEST, text, _A) for text in _TEXTS[:9]] + _RULES[:4])
_NEW = build_portable([Record(Kind.FILE_DIGEST, text, _A) for text in _TEXTS[2:]] + _RULES[1:])
_KNOWN = MAGIC + hashlib.sha256(_OLD.split(b"\n")[1] + b"\n").digest()
_MOST = 256 << 20
"""Bytes that come out of a few at most: nothing in the format multiplies much further."""


def _made() -> bytes:
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        old, new, delta = (Path(folder, name) for name in ("old", "new", "delta"))
        old.write_bytes(_OLD)
        new.write_bytes(_NEW)
        make_delta(old, new, delta)
        return delta.read_bytes()


_DELTA = _made()
SEEDS = [
    b"\0" + _DELTA,
    b"\1" + _DELTA[len(_KNOWN) :],
    b"\2a\nb\nc\0b\nd",
    b"\2" + b"00" * 32 + b":1:a-1\n" + b"01" * 32 + b":2:b\0" + b"02" * 32 + b":*:0202020202:1",
]


def check(data: bytes) -> None:
    """Feed one input."""
    with tempfile.TemporaryDirectory(prefix="fuzz-") as place:
        if data[:1] == b"\2":
            _there(Path(place), *data[1:].partition(b"\0")[::2])
        else:
            _from_anybody(Path(place), (_KNOWN if data[:1] == b"\1" else b"") + data[1:])


def _from_anybody(folder: Path, delta: bytes) -> None:
    """What it leads to is the new database, or nothing was written."""
    old, out = folder / "old", folder / "out"
    old.write_bytes(_OLD)
    (folder / "delta").write_bytes(delta)
    want = Digest(hashlib.sha256(_NEW).hexdigest(), len(_NEW))
    try:
        apply_delta(old, folder / "delta", out, expected=want)
    except TocsinError as error:
        fuzz_support.require_words(error)
        assert sorted(path.name for path in folder.iterdir()) == ["delta", "old"]
    else:
        assert out.read_bytes() == _NEW
    try:
        with RecordFile(old) as base:
            assert sum(map(len, rebuilt(base, delta))) < _MOST
    except TocsinError as error:
        fuzz_support.require_words(error)


def _there(folder: Path, first: bytes, second: bytes) -> None:
    """A delta leads from any database to any other."""
    old, new, delta, out = (folder / name for name in ("old", "new", "delta", "out"))
    for path, texts in ((old, first), (new, second)):
        records = [
            Record(Kind.FILE_DIGEST, line.decode("utf-8", "surrogateescape"), _A)
            for line in texts.split(b"\n")
        ]
        path.write_bytes(build_portable(records + _RULES[: len(texts) % 6]))
    make_delta(old, new, delta)
    whole = new.read_bytes()
    want = Digest(hashlib.sha256(whole).hexdigest(), len(whole))
    apply_delta(old, delta, out, expected=want)


if __name__ == "__main__":
    fuzz_support.fuzz(check, SEEDS)
