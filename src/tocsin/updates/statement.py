"""What is written into the log: one in-toto Statement in one signed DSSE envelope.

Publisher and device share this module, so that both mean the same bytes. An entry has exactly
one form: JSON with sorted keys and without spaces, in the envelope and in its payload, every field
of a predicate written out, times in UTC, and signatures in the order of their key ids. A reader
writes what it read anew and refuses every other form, so that nobody can log the same statement
twice under two digests.

Formats: in-toto attestation Statement v1 (spec/v1/statement.md); DSSE v1 (envelope.md,
protocol.md: the signature is over the pre-authentication encoding of type and payload).
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from typing import Annotated, Any, Protocol

import msgspec

from tocsin.updates.errors import StatementError

PAYLOAD_TYPE = "application/vnd.in-toto+json"
STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
MOST_ENTRY_BYTES = 65_535
"""Largest entry of a tiled log (C2SP tlog-tiles, entry bundles: a length of two bytes)."""

MOST_SIGNATURES = 16

Sha256 = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$", max_length=64)]
_Text = Annotated[str, msgspec.Meta(max_length=1_024)]
_Name = Annotated[str, msgspec.Meta(min_length=1, max_length=512)]
_Count = Annotated[int, msgspec.Meta(ge=0, le=(1 << 53) - 1)]  # what every JSON reader holds
Version = Annotated[int, msgspec.Meta(ge=1, le=(1 << 31) - 1)]
Instant = Annotated[datetime, msgspec.Meta(tz=True)]


class _Predicate(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A predicate; what it says is bounded and nothing else may stand in it."""


class Previous(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What was published before of the same kind: its version and the SHA-256 of its plain form."""

    version: Version
    sha256: Sha256


class SourceEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One source of a database, so that others can fetch it and build the same.

    Attributes:
        name: file name under which it was read; its ending decides the language.
        sha256: of the file's bytes.
        size: in bytes.
        uri: where the publisher got it; empty when it came by no address.
        version: as its maker states it, else empty.
        licence: as stated, else empty.
        author: as stated, else empty.
    """

    name: _Name
    sha256: Sha256
    size: _Count
    uri: _Text = ""
    version: _Text = ""
    licence: _Text = ""
    author: _Text = ""


class DatabasePredicate(_Predicate, frozen=True):
    """A database was published.

    Attributes:
        version: counted up by the publisher.
        created: when it was built; not in the database itself.
        previous: the database before, or None for the first.
        size: of the plain database, in bytes.
        sources: what it was built from.
        added: records that the one before did not have.
        removed: records of the one before that are gone.
        counts: records by kind.
        software: what it was built with, for whoever rebuilds it; empty when not said.
    """

    version: Version
    created: Instant
    previous: Previous | None
    size: _Count
    sources: Annotated[tuple[SourceEntry, ...], msgspec.Meta(max_length=1_024)]
    added: _Count
    removed: _Count
    counts: Annotated[dict[_Name, _Count], msgspec.Meta(max_length=256)]
    software: _Text = ""


class RootPredicate(_Predicate, frozen=True):
    """A root metadata file: which keys speak for the repository from now on."""

    version: Version
    publisher: _Text


class WithdrawalPredicate(_Predicate, frozen=True):
    """A version that was published is pulled back."""

    version: Version
    reason: _Text
    since: Instant


class WheelEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One wheel of a release; `size` in bytes."""

    name: _Name
    sha256: Sha256
    size: _Count


class ReleasePredicate(_Predicate, frozen=True):
    """A release of the software with every wheel that it needs.

    The manifest, whose digest is the statement's subject, is this in canonical JSON.
    """

    version: _Name
    wheels: Annotated[tuple[WheelEntry, ...], msgspec.Meta(min_length=1, max_length=512)]


class RulebookPredicate(_Predicate, frozen=True):
    """An edition of the rulebook was published.

    Attributes:
        version: the edition's number.
        created: when it was published; not in the rulebook itself.
        checked: the day on which its rules were last held against their sources.
        previous: the edition before, or None for the first.
        size: of the portable rulebook, in bytes.
        added: rules that the edition before did not have.
        removed: rules of the edition before that are gone.
        changed: rules that say something else than in the edition before.
        counts: what is in it, by kind.
        files: SHA-256 of the files that it was made of, by their path in the folder.
        software: what it was made with; empty when not said.
    """

    version: Version
    created: Instant
    checked: date
    previous: Previous | None
    size: _Count
    added: _Count
    removed: _Count
    changed: _Count
    counts: Annotated[dict[_Name, _Count], msgspec.Meta(max_length=16)]
    files: Annotated[dict[_Name, Sha256], msgspec.Meta(max_length=1_024)]
    software: _Text = ""


class RebuildPredicate(_Predicate, frozen=True):
    """Somebody rebuilt a database from its sources and got the bytes of the subject.

    Attributes:
        version: of the database.
        rebuilder: who, in their own words; the signature counts.
        created: when.
        software: what it was rebuilt with.
        entry: SHA-256 of the log entry that named the sources.
    """

    version: Version
    rebuilder: _Text
    created: Instant
    software: _Text
    entry: Sha256


Offering = DatabasePredicate | ReleasePredicate | RulebookPredicate
"""Predicates by which something is offered to devices."""

Predicate = Offering | RootPredicate | WithdrawalPredicate | RebuildPredicate

PREDICATES: dict[str, type[Predicate]] = {
    "urn:tocsin:database:1": DatabasePredicate,
    "urn:tocsin:root:1": RootPredicate,
    "urn:tocsin:withdrawal:1": WithdrawalPredicate,
    "urn:tocsin:release:1": ReleasePredicate,
    "urn:tocsin:rulebook:1": RulebookPredicate,
    "urn:tocsin:rebuild:1": RebuildPredicate,
}
_TYPES = {kind: name for name, kind in PREDICATES.items()}


class Statement(msgspec.Struct, frozen=True):
    """What somebody says about one file.

    Attributes:
        name: of the file, as `databases/12.tdb`.
        sha256: of its bytes.
        predicate: what is said.
    """

    name: _Name
    sha256: Sha256
    predicate: Predicate

    def to_bytes(self) -> bytes:
        """The payload: an in-toto Statement v1 in its canonical form.

        Raises:
            StatementError: it holds what a reader would refuse.
        """
        data = _encoded(self)
        parse_statement(data)
        return data


def _encoded(statement: Statement) -> bytes:
    said = statement.predicate
    times = {
        name: value.astimezone(UTC)
        for name in said.__struct_fields__
        if isinstance(value := getattr(said, name), datetime)
    }
    return canonical_json(
        {
            "_type": STATEMENT_TYPE,
            "subject": [{"name": statement.name, "digest": {"sha256": statement.sha256}}],
            "predicateType": _TYPES[type(said)],
            "predicate": msgspec.to_builtins(msgspec.structs.replace(said, **times)),
        }
    )


class _Digest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    sha256: Sha256


class _Subject(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: _Name
    digest: _Digest


class _WireStatement(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    type: str = msgspec.field(name="_type")
    subject: Annotated[tuple[_Subject, ...], msgspec.Meta(min_length=1, max_length=1)]
    predicate_type: str = msgspec.field(name="predicateType")
    predicate: msgspec.Raw


class _WireSignature(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    keyid: Annotated[str, msgspec.Meta(min_length=1, max_length=128)]
    sig: Annotated[str, msgspec.Meta(min_length=4, max_length=8_192)]


class _WireEnvelope(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    payload: str
    payload_type: str = msgspec.field(name="payloadType")
    signatures: Annotated[
        tuple[_WireSignature, ...], msgspec.Meta(min_length=1, max_length=MOST_SIGNATURES)
    ]


class EnvelopeSignature(msgspec.Struct, frozen=True):
    """A signature over the payload: by which key (its TUF key id), and the bytes."""

    keyid: str
    signature: bytes


class Envelope(msgspec.Struct, frozen=True):
    """A log entry as it was read; the signatures are not verified by reading.

    Attributes:
        statement: what it says.
        payload: the statement's bytes, as they were signed.
        signatures: in the order of key ids, one a key.
    """

    statement: Statement
    payload: bytes
    signatures: tuple[EnvelopeSignature, ...]

    def to_bytes(self) -> bytes:
        """The entry's bytes.

        Raises:
            StatementError: it is larger than a log takes.
        """
        data = canonical_json(
            {
                "payload": base64.b64encode(self.payload).decode("ascii"),
                "payloadType": PAYLOAD_TYPE,
                "signatures": [
                    {
                        "keyid": one.keyid,
                        "sig": base64.b64encode(one.signature).decode("ascii"),
                    }
                    for one in sorted(self.signatures, key=lambda one: one.keyid)
                ],
            }
        )
        if len(data) > MOST_ENTRY_BYTES:
            raise StatementError(
                f"the log entry has {len(data):,} bytes and a log takes {MOST_ENTRY_BYTES:,}; "
                "gather what it is made of into fewer files"
            )
        return data


class StatementSigner(Protocol):
    """Whoever can sign: securesystemslib's `Signer` of any kind."""

    def sign(self, payload: bytes) -> Any:
        """Sign bytes; the result has `keyid` and `signature` (hexadecimal)."""


class StatementKey(Protocol):
    """Whoever can verify: securesystemslib's `Key` of any kind."""

    def verify_signature(self, signature: Any, data: bytes) -> None:
        """Raise unless the signature is this key's over the data."""


def canonical_json(value: Any) -> bytes:
    """JSON in UTF-8 with sorted keys and no spaces.

    Raises:
        StatementError: the value holds what JSON has no words for.
    """
    try:
        return msgspec.json.encode(value, order="sorted")
    except (TypeError, ValueError, UnicodeEncodeError, RecursionError) as error:
        raise StatementError(f"this cannot be written as JSON: {error}") from None


def pre_authentication_encoding(payload: bytes) -> bytes:
    """What is signed for a payload (DSSE v1, protocol.md, "PAE")."""
    kind = PAYLOAD_TYPE.encode("ascii")
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def sign_statement(statement: Statement, signers: Iterable[StatementSigner]) -> Envelope:
    """Sign a statement with every one of the signers.

    Raises:
        StatementError: no signer, two with one key, or a statement nobody could read.
    """
    payload = statement.to_bytes()
    signed = pre_authentication_encoding(payload)
    signatures: dict[str, bytes] = {}
    for signer in signers:
        signature = signer.sign(signed)
        if signature.keyid in signatures:
            raise StatementError(f"the key {signature.keyid} was given twice")
        signatures[signature.keyid] = bytes.fromhex(signature.signature)
    if not 0 < len(signatures) <= MOST_SIGNATURES:
        raise StatementError(f"a statement takes 1 to {MOST_SIGNATURES} signatures")
    envelope = Envelope(
        statement,
        payload,
        tuple(EnvelopeSignature(keyid, signatures[keyid]) for keyid in sorted(signatures)),
    )
    envelope.to_bytes()  # says now when it is too large
    return envelope


def parse_statement(payload: bytes) -> Statement:
    """Read an in-toto Statement.

    Raises:
        StatementError: malformed, of another kind, or not in canonical form.
    """
    if len(payload) > MOST_ENTRY_BYTES:
        raise StatementError(f"a statement of {len(payload):,} bytes is too large")
    try:
        wire = msgspec.json.decode(payload, type=_WireStatement)
        if wire.type != STATEMENT_TYPE:
            raise StatementError(f"a statement of an unknown type {wire.type[:80]!r}")
        kind = PREDICATES.get(wire.predicate_type)
        if kind is None:
            raise StatementError(
                f"a predicate of an unknown type {wire.predicate_type[:80]!r}; "
                "a newer tocsin may know it"
            )
        predicate = msgspec.json.decode(wire.predicate, type=kind)
        subject = wire.subject[0]
        statement = Statement(subject.name, subject.digest.sha256, predicate)
        one_form = _encoded(statement)
    except (msgspec.MsgspecError, UnicodeError, RecursionError, OverflowError) as error:
        # OverflowError: a time at the end of the calendar, which has none in UTC.
        raise StatementError(f"the statement is malformed: {error}") from None
    if one_form != payload:
        raise StatementError("the statement is not in canonical form")
    return statement


def parse_envelope(data: bytes) -> Envelope:
    """Read a log entry; the signatures are for `verified_by` to check.

    Raises:
        StatementError: malformed, too large, of another kind, or not in canonical form.
    """
    if len(data) > MOST_ENTRY_BYTES:
        raise StatementError(
            f"a log entry of {len(data):,} bytes; the largest has {MOST_ENTRY_BYTES:,}"
        )
    try:
        wire = msgspec.json.decode(data, type=_WireEnvelope)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise StatementError(f"the log entry is malformed: {error}") from None
    if wire.payload_type != PAYLOAD_TYPE:
        raise StatementError(f"a payload of an unknown type {wire.payload_type[:80]!r}")
    keyids = [one.keyid for one in wire.signatures]
    if keyids != sorted(set(keyids)):
        raise StatementError("the signatures are not in the order of their keys, one a key")
    payload = _base64(wire.payload, "payload")
    signatures = tuple(
        EnvelopeSignature(one.keyid, _base64(one.sig, "signature")) for one in wire.signatures
    )
    envelope = Envelope(parse_statement(payload), payload, signatures)
    if envelope.to_bytes() != data:
        raise StatementError("the envelope is not in canonical form")
    return envelope


def verified_by(envelope: Envelope, keys: Mapping[str, StatementKey]) -> frozenset[str]:
    """Which of the given keys signed; a bad signature counts as none.

    Args:
        envelope: as it was read.
        keys: by TUF key id, those whose word counts: the targets role's.
    """
    from securesystemslib.exceptions import Error
    from tuf.api.metadata import Signature

    signed = pre_authentication_encoding(envelope.payload)
    found = set()
    for one in envelope.signatures:
        key = keys.get(one.keyid)
        if key is None:
            continue
        try:
            key.verify_signature(Signature(one.keyid, one.signature.hex()), signed)
        except (Error, ValueError):
            continue
        found.add(one.keyid)
    return frozenset(found)


def _base64(text: str, what: str) -> bytes:
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise StatementError(f"the {what} is not base64: {error}") from None
    if base64.b64encode(data).decode("ascii") != text:  # bits that mean nothing, padding
        raise StatementError(f"the {what} is not in canonical base64")
    return data
