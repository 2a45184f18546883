"""The portable database: any bytes are a database or this package's error says why not.

The first byte decides whether the header's length and digest are put right first, so that
the records behind them are reached.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from pathlib import Path

import fuzz_support

from tocsin.database.portable import MAGIC, build_portable, read_header, read_portable
from tocsin.errors import TocsinError
from tocsin.signatures.records import Kind, Record, Source

_SOURCE = Source("x.ndb", "0" * 64, "somebody", "MIT")
_RECORDS = [
    Record(Kind.BODY, "A:0:*:61626364", _SOURCE),
    Record(Kind.FILE_DIGEST, "44d88612fea8a8f36de82e1278abb02f:68:B", _SOURCE, pua=True),
    Record(Kind.UNEVALUATED, "C\ta\\b\n", _SOURCE, detail="icon hashes"),
    Record(Kind.IGNORE, "A", _SOURCE),
    Record(Kind.METADATA, '["A", {"level": "test"}]', _SOURCE),
    Record(Kind.LOGICAL, "D;Engine:51-255,Target:0;0&1;61626364;65666768", _SOURCE),
]
_WHOLE = build_portable(_RECORDS)
SEEDS = [b"\0" + _WHOLE, b"\1" + _WHOLE, b"\0" + MAGIC + b"{}\n", b"\1" + MAGIC + b"{}\nx"]


def _mended(data: bytes) -> bytes:
    first, _, rest = data.partition(b"\n")
    second, _, body = rest.partition(b"\n")
    try:
        header = dict(json.loads(second))
        header.pop("sha256", None)
        header["body_bytes"] = len(body)
        packed = json.dumps(header, sort_keys=True, separators=(",", ":")).encode()
        header["sha256"] = hashlib.sha256(packed + b"\n" + body).hexdigest()
        mended = json.dumps(header, sort_keys=True, separators=(",", ":")).encode()
    except (ValueError, TypeError, RecursionError):
        return data
    return first + b"\n" + mended + b"\n" + body


def check(data: bytes) -> None:
    """Read header and records; what was read is what is built from it again."""
    content = _mended(data[1:]) if data[:1] == b"\1" else data[1:]
    handle, place = tempfile.mkstemp(prefix="fuzz-", suffix=".tdb")
    path = Path(place)
    try:
        with open(handle, "wb") as file:
            file.write(content)
        read_header(path)
        records = [parsed.record for parsed in read_portable(path)]
    except TocsinError as error:
        fuzz_support.require_words(error)
        return
    finally:
        os.unlink(place)
    built = build_portable(records)
    path.write_bytes(built)
    try:
        again = [parsed.record for parsed in read_portable(path)]
    finally:
        os.unlink(place)
    assert build_portable(again) == built


if __name__ == "__main__":
    fuzz_support.fuzz(check, SEEDS)
