"""Those who rebuild databases from their sources, and whether enough of them got the same bytes.

A user names rebuilders by their verifier keys (C2SP signed-note, Ed25519), one a line, in the
file `rebuilders` of the trust folder. What they say lies in the repository beside the proof, as
`proofs/<sha256>.rebuilds`: DSSE envelopes with a statement `urn:tocsin:rebuild:1`, one a line.
The key id in an envelope is the verifier key's name and hash, `name+1a2b3c4d`. Anybody may add a
line; a line counts when one of the user's rebuilders signed it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from tocsin.transparency.errors import MalformedKey
from tocsin.transparency.note import KeyType, VerifierKey
from tocsin.updates.errors import StatementError
from tocsin.updates.layout import PROOFS, database_name
from tocsin.updates.receive.errors import NoTrust
from tocsin.updates.receive.verify import Finding
from tocsin.updates.statement import (
    MOST_ENTRY_BYTES,
    RebuildPredicate,
    parse_envelope,
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
    """Read the user's list of rebuilders; empty lines and those that begin with `#` are left out.

    Raises:
        NoTrust: a line is no Ed25519 verifier key, or there are too many.
    """
    found: dict[bytes, VerifierKey] = {}
    for number, line in enumerate(data.decode("utf-8", "replace").splitlines(), 1):
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        try:
            key = VerifierKey.parse(text)
        except MalformedKey as error:
            raise NoTrust(f"{place}, line {number}: {error}") from None
        if key.kind is not KeyType.ED25519:
            raise NoTrust(f"{place}, line {number}: a rebuilder's key is Ed25519 (type 0x01)")
        found[key.public] = key  # one key under two names is one rebuilder
    if len(found) > MOST_LINES:
        raise NoTrust(f"{place}: more than {MOST_LINES} rebuilders")
    return tuple(found.values())


def who_rebuilt(
    data: bytes | None, sha256: str, version: int, rebuilders: Iterable[VerifierKey]
) -> tuple[str, ...]:
    """Names of the rebuilders who got the same bytes.

    Args:
        data: the `.rebuilds` file; None when there is none.
        sha256: of the plain database.
        version: of it.
        rebuilders: those whose word counts.
    """
    keys = {key_id(key): _Key(key) for key in rebuilders}
    said: set[str] = set()
    for line in (data or b"").split(b"\n")[:MOST_LINES]:
        try:
            envelope = parse_envelope(line)
        except StatementError:
            continue  # somebody else's line is no reason to believe less of the others
        statement = envelope.statement
        if (
            isinstance(statement.predicate, RebuildPredicate)
            and statement.predicate.version == version
            and statement.sha256 == sha256
            and statement.name == database_name(version)
        ):
            said |= verified_by(envelope, keys)
    return tuple(sorted(keys[each].name for each in said))


def rebuilt_finding(names: tuple[str, ...], needed: int) -> Finding:
    """What rebuilders say, as a point."""
    named = f": {', '.join(names)}" if names else ""
    detail = f"{len(names)} of your rebuilders got the same bytes, {needed} needed{named}"
    return Finding("rebuilders", len(names) >= needed, detail)


class _Key:
    """A rebuilder's key as `verified_by` asks for it."""

    def __init__(self, key: VerifierKey) -> None:
        self.name = key.name
        self._key = Ed25519PublicKey.from_public_bytes(key.public)

    def verify_signature(self, signature: Any, data: bytes) -> None:
        """Raise ValueError unless the signature is this key's."""
        try:
            self._key.verify(bytes.fromhex(signature.signature), data)
        except InvalidSignature:
            raise ValueError("the signature does not verify") from None
