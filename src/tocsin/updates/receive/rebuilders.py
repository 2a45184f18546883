"""Those who rebuild databases from their sources, and whether enough of them got the same bytes.

A user names rebuilders by their verifier keys (C2SP signed-note, Ed25519), one a line, in the
file `rebuilders` of the trust folder. What they say lies in the repository beside the proof, as
`proofs/<sha256>.rebuilds` (`updates/attestation.py`). Anybody may add a line; a line counts when
one of the user's rebuilders signed it.
"""

from __future__ import annotations

from collections.abc import Iterable

from tocsin.transparency.note import VerifierKey
from tocsin.updates import attestation
from tocsin.updates.attestation import MOST_BYTES, attested_by, key_id, rebuild_of, rebuilds_path
from tocsin.updates.errors import StatementError
from tocsin.updates.receive.errors import NoTrust
from tocsin.updates.receive.verify import Finding


def parse_rebuilders(data: bytes, place: object) -> tuple[VerifierKey, ...]:
    """Read the user's list of rebuilders.

    Raises:
        NoTrust: a line is no Ed25519 verifier key, or there are too many.
    """
    try:
        return attestation.parse_rebuilders(data, place)
    except StatementError as error:
        raise NoTrust(str(error)) from None


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
    keys = tuple(rebuilders)
    said: set[VerifierKey] = set()
    for line in attestation.lines_of(data or b""):
        read = rebuild_of(line)
        if read is None:
            continue
        envelope, predicate = read
        if predicate.version == version and envelope.statement.sha256 == sha256:
            said.update(attested_by(envelope, keys))
    return tuple(sorted(key.name for key in said))


def rebuilt_finding(names: tuple[str, ...], needed: int) -> Finding:
    """What rebuilders say, as a point."""
    named = f": {', '.join(names)}" if names else ""
    detail = f"{len(names)} of your rebuilders got the same bytes, {needed} needed{named}"
    return Finding("rebuilders", len(names) >= needed, detail)


__all__ = [
    "MOST_BYTES",
    "key_id",
    "parse_rebuilders",
    "rebuilds_path",
    "rebuilt_finding",
    "who_rebuilt",
]
