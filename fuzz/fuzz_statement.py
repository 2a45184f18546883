"""Log entries and metadata fields: any bytes are one, or this package's error says why not.

What is read is written again as the same bytes, for an entry has one form only.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime

import fuzz_support

from tocsin.errors import TocsinError
from tocsin.transparency.keys import SigningKey
from tocsin.updates.attestation import attest, attested_by, lines_of, rebuild_of, with_line
from tocsin.updates.layout import (
    DatabaseTarget,
    parse_custom,
    parse_publisher,
    parse_withdrawn,
    write_field,
)
from tocsin.updates.statement import (
    DatabasePredicate,
    Envelope,
    EnvelopeSignature,
    Previous,
    ReleasePredicate,
    RootPredicate,
    SourceEntry,
    Statement,
    WheelEntry,
    WithdrawalPredicate,
    parse_envelope,
    parse_statement,
)

_NOW = datetime(2026, 11, 28, tzinfo=UTC)
_HASH = "0" * 64
_PREDICATES = [
    DatabasePredicate(
        2, _NOW, Previous(1, _HASH), 5, (SourceEntry("a.ndb", _HASH, 3),), 1, 0, {"body": 1}
    ),
    RootPredicate(1, "Guild"),
    WithdrawalPredicate(2, "flags ls", _NOW),
    ReleasePredicate("1.0", (WheelEntry("a.whl", _HASH, 1),)),
]
_STATEMENTS = [Statement("databases/2.tdb", _HASH, one).to_bytes() for one in _PREDICATES]
_ENVELOPE = Envelope(
    parse_statement(_STATEMENTS[0]), _STATEMENTS[0], (EnvelopeSignature("aa", b"123"),)
).to_bytes()
_FIELDS = write_field(DatabaseTarget(2, _HASH, 5, {"fast": _NOW}, ((100, 0),)))
_REBUILDER = SigningKey.generate("rebuilder.example")
_ATTESTATION = attest(_REBUILDER, 2, _HASH, _HASH, "tocsin", _NOW)
SEEDS = [
    b"\3" + _ATTESTATION + _ATTESTATION,
    b"\0" + _ENVELOPE,
    *(b"\1" + one for one in _STATEMENTS),
    b"\2" + json.dumps(_FIELDS).encode(),
]


def _attestations(data: bytes) -> None:
    """What anybody put into a file of attestations takes no word from the others."""
    for line in lines_of(data):
        read = rebuild_of(line)
        if read is not None and attested_by(read[0], [_REBUILDER.verifier]):
            assert read[0].payload == rebuild_of(_ATTESTATION.rstrip())[0].payload
    assert _ATTESTATION.rstrip() in lines_of(with_line(data, _ATTESTATION))


def check(data: bytes) -> None:
    """Read by what the first byte says."""
    kind, rest = data[:1], data[1:]
    try:
        if kind == b"\0":
            assert parse_envelope(rest).to_bytes() == rest
        elif kind == b"\1":
            assert parse_statement(rest).to_bytes() == rest
        elif kind == b"\3":
            _attestations(rest)
        else:
            _fields(rest)
    except TocsinError as error:
        fuzz_support.require_words(error)


def _fields(data: bytes) -> None:
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        return
    if isinstance(value, dict):
        parse_withdrawn(value)
        parse_publisher(value)
        custom = parse_custom(value)
        if custom is not None:
            assert parse_custom(write_field(custom)) == custom


if __name__ == "__main__":
    fuzz_support.fuzz(check, SEEDS)
