"""Taking in what rebuilders say, so that it is served beside the proof.

Whom a publisher takes attestations from stands in the file `rebuilders` of the publisher's
folder; whom a device believes is the device's matter. There is room for 64 lines a database, so
not everybody's are taken.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from tocsin.transparency.note import VerifierKey
from tocsin.updates.attestation import (
    MOST_BYTES,
    attested_by,
    lines_of,
    parse_rebuilders,
    rebuild_of,
    rebuilds_path,
    with_line,
)
from tocsin.updates.errors import StatementError
from tocsin.updates.layout import entry_path
from tocsin.updates.publish.errors import PublishError
from tocsin.updates.publish.files import read_bounded, write_file
from tocsin.updates.publish.workspace import Workspace
from tocsin.updates.statement import MOST_ENTRY_BYTES, DatabasePredicate, parse_envelope

_MOST_LIST = 1 << 20


class TakenIn(NamedTuple):
    """An attestation that is served from now on.

    Attributes:
        version: of the database.
        sha256: of the plain database.
        rebuilders: names of who signed.
    """

    version: int
    sha256: str
    rebuilders: tuple[str, ...]


def known_rebuilders(workspace: Workspace) -> tuple[VerifierKey, ...]:
    """Whose attestations this publisher takes in.

    Raises:
        PublishError: the list is malformed.
    """
    place = workspace.folder / "rebuilders"
    if not place.exists():
        return ()
    try:
        return parse_rebuilders(read_bounded(place, _MOST_LIST), place)
    except StatementError as error:
        raise PublishError(str(error)) from error


def remember_rebuilders(workspace: Workspace, keys: tuple[VerifierKey, ...]) -> None:
    """Take in attestations of these as well from now on.

    Raises:
        PublishError: a key is none of a rebuilder's, or there are too many.
    """
    place = workspace.folder / "rebuilders"
    held = read_bounded(place, _MOST_LIST) if place.exists() else b""
    have = {key.public for key in known_rebuilders(workspace)}
    if held and not held.endswith(b"\n"):
        held += b"\n"
    held += b"".join(f"{key.vkey}\n".encode() for key in keys if key.public not in have)
    try:
        parse_rebuilders(held, place)
    except StatementError as error:
        raise PublishError(str(error)) from error
    write_file(place, held)


def take_in(workspace: Workspace, file: Path) -> list[TakenIn]:
    """Put the attestations in a file beside the databases that they are about.

    Args:
        workspace: the publisher's folder.
        file: one attestation a line.

    Raises:
        PublishError: a line is no attestation of a database that is offered, nobody who is known
            signed it, or there is no room. Lines before it are served already.
    """
    lines = lines_of(read_bounded(file, MOST_BYTES))
    if not lines:
        raise PublishError(f"{file}: there is no attestation in it")
    return [_take_in(workspace, line, f"{file}, line {n}") for n, line in enumerate(lines, 1)]


def _take_in(workspace: Workspace, line: bytes, where: str) -> TakenIn:
    read = rebuild_of(line)
    if read is None:
        raise PublishError(f"{where}: this is no attestation of a rebuilt database")
    envelope, predicate = read
    sha256 = envelope.statement.sha256
    signers = attested_by(envelope, known_rebuilders(workspace))
    if not signers:
        claimed = ", ".join(one.keyid for one in envelope.signatures)
        raise PublishError(
            f"{where}: it is signed by {claimed}, and by nobody of those you know; name the "
            "rebuilder's public key with --rebuilder, if you do"
        )
    place = workspace.repository / entry_path(sha256)
    if not place.is_file():
        raise PublishError(
            f"{where}: it is about a database with the SHA-256 {sha256}, which is not offered"
        )
    held = parse_envelope(read_bounded(place, MOST_ENTRY_BYTES)).statement
    if (
        not isinstance(held.predicate, DatabasePredicate)
        or held.predicate.version != predicate.version
    ):
        raise PublishError(
            f"{where}: {held.name} has this SHA-256, not version {predicate.version}"
        )
    target = workspace.repository / rebuilds_path(sha256)
    before = read_bounded(target, MOST_BYTES) if target.exists() else b""
    try:
        write_file(target, with_line(before, line))
    except StatementError as error:
        raise PublishError(f"{where}: {error}") from error
    return TakenIn(predicate.version, sha256, tuple(key.name for key in signers))
