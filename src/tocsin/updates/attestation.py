"""What rebuilders say: that they built a database from its sources and got the same bytes.

Rebuilder, publisher and device share this module. An attestation is one DSSE envelope with a
statement `urn:tocsin:rebuild:1`, on one line; those about one database are together in
`proofs/<sha256>.rebuilds` of the repository. The key id in an envelope is the verifier key's name
and hash (C2SP signed-note), `name+1a2b3c4d`. Pure: no file is read or written here.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from tocsin.transparency.errors import MalformedKey
from tocsin.transparency.keys import SigningKey
from tocsin.transparency.note import KeyType, VerifierKey
from tocsin.updates.errors import StatementError
from tocsin.updates.layout import PROOFS, database_name
from tocsin.updates.statement import (
    MOST_ENTRY_BYTES,
    Envelope,
    RebuildPredicate,
    Statement,
    parse_envelope,
    sign_statement,
    verified_by,
)

MOST_LINES = 64
MOST_BYTES = MOST_LINES * (MOST_ENTRY_BYTES + 1)


def rebuilds_path(sha256: str) -> str:
    """Path in the repository of what rebuilders say of a database."""
    return f"{PROOFS}/{sha256}.rebuilds"


def key_id(key: VerifierKey) -> str:
    """What a rebuilder's key is called in an envelope."""
    return f"{key.name}+{key.key_id.hex()}"


def parse_rebuilders(data: bytes, place: object) -> tuple[VerifierKey, ...]:
    """Read a list of rebuilders; empty lines and those that begin with `#` are left out.

    Raises:
        StatementError: a line is no Ed25519 verifier key, or there are too many.
    """
    found: dict[bytes, VerifierKey] = {}
    for number, line in enumerate(data.decode("utf-8", "replace").splitlines(), 1):
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        try:
            key = VerifierKey.parse(text)
        except MalformedKey as error:
            raise StatementError(f"{place}, line {number}: {error}") from None
        if key.kind is not KeyType.ED25519:
            raise StatementError(f"{place}, line {number}: a rebuilder's key is Ed25519 (type 1)")
        found[key.public] = key  # one key under two names is one rebuilder
    if len(found) > MOST_LINES:
        raise StatementError(f"{place}: more than {MOST_LINES} rebuilders")
    return tuple(found.values())


def attest(
    key: SigningKey, version: int, sha256: str, entry: str, software: str, created: datetime
) -> bytes:
    """Say under a key that a database was rebuilt with the same bytes.

    Args:
        key: the rebuilder's, Ed25519.
        version: of the database.
        sha256: of the plain database, published and rebuilt.
        entry: SHA-256 of the log entry that named the sources.
        software: what it was rebuilt with.
        created: when.

    Returns:
        One line, with its newline.

    Raises:
        StatementError: the key is a cosigner's, or something cannot be said in a statement.
    """
    if key.verifier.kind is not KeyType.ED25519:
        raise StatementError(
            f"{key.verifier.name}: a rebuilder's key is Ed25519; make one: 'tocsin rebuilder key'"
        )
    predicate = RebuildPredicate(version, key.verifier.name, created, software, entry)
    statement = Statement(database_name(version), sha256, predicate)
    return sign_statement(statement, [_Signer(key)]).to_bytes() + b"\n"


def lines_of(data: bytes) -> list[bytes]:
    """The lines of a file of attestations, as many as count."""
    return [line for line in data.split(b"\n") if line.strip()][:MOST_LINES]


def rebuild_of(line: bytes) -> tuple[Envelope, RebuildPredicate] | None:
    """What a line says; None when it is no attestation of the database that it names."""
    try:
        envelope = parse_envelope(line)
    except StatementError:
        return None  # somebody else's line is no reason to believe less of the others
    predicate = envelope.statement.predicate
    if not isinstance(predicate, RebuildPredicate):
        return None
    if envelope.statement.name != database_name(predicate.version):
        return None
    return envelope, predicate


def attested_by(envelope: Envelope, rebuilders: Iterable[VerifierKey]) -> tuple[VerifierKey, ...]:
    """Those of some rebuilders who signed."""
    keys = {key_id(key): key for key in rebuilders}
    signed = verified_by(envelope, {each: _Key(key) for each, key in keys.items()})
    return tuple(keys[each] for each in sorted(signed))


def with_line(data: bytes, line: bytes) -> bytes:
    """A file of attestations with one more; an earlier one by the same keys gives way to it.

    Raises:
        StatementError: the line is no attestation, or there is no room for another.
    """
    new = rebuild_of(line.rstrip(b"\n"))
    if new is None:
        raise StatementError("this is no attestation of a rebuilt database")
    signers = {one.keyid for one in new[0].signatures}
    kept = []
    for held in lines_of(data):
        said = rebuild_of(held)
        if said is None or {one.keyid for one in said[0].signatures} != signers:
            kept.append(held)
    if len(kept) >= MOST_LINES:
        raise StatementError(f"there are {MOST_LINES} attestations already; no more are read")
    return b"".join(each + b"\n" for each in (*kept, line.rstrip(b"\n")))


class _Signer:
    """A rebuilder's key as `sign_statement` asks for it."""

    def __init__(self, key: SigningKey) -> None:
        self._key = key

    def sign(self, payload: bytes) -> Any:
        """Sign bytes."""
        from securesystemslib.signer import Signature

        return Signature(key_id(self._key.verifier), self._key.sign(payload).hex())


class _Key:
    """A rebuilder's public key as `verified_by` asks for it."""

    def __init__(self, key: VerifierKey) -> None:
        self._key = Ed25519PublicKey.from_public_bytes(key.public)

    def verify_signature(self, signature: Any, data: bytes) -> None:
        """Raise ValueError unless the signature is this key's."""
        try:
            self._key.verify(bytes.fromhex(signature.signature), data)
        except InvalidSignature:
            raise ValueError("the signature does not verify") from None
