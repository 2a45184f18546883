"""Hashing everything in a file that states digests of itself.

A portable database states one digest and has one canonical form; an index in the cache states
one digest a section; ClamAV's archives carry a digital signature.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from tocsin.database import sections
from tocsin.database.cache import open_index_file
from tocsin.database.portable import MAGIC, build_portable, split_line, verified_body
from tocsin.errors import DatabaseError, SignatureError
from tocsin.signatures.clamav import cvd
from tocsin.signatures.languages import ARCHIVES

_HEAD_BYTES = 16


class Verified(NamedTuple):
    """A file whose content is what it states.

    Attributes:
        kind: what it is, in words.
        detail: what was checked, in words.
    """

    kind: str
    detail: str


def verify_file(path: Path) -> Verified:
    """Check every byte of a database against what the file states of itself.

    Raises:
        DatabaseError: missing, truncated or altered, or a file that states nothing of itself.
    """
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD_BYTES)
        if head.startswith(sections.MAGIC):
            return _verify_index(path)
        if head.startswith(cvd.MAGIC) or path.suffix.lower() in ARCHIVES:
            return _verify_archive(path)
        if MAGIC.startswith(head[: len(MAGIC)]) or path.suffix.lower() == ".tdb":
            return _verify_portable(path)
    except OSError as error:
        raise DatabaseError(f"{path}: {error.strerror}") from error
    raise DatabaseError(
        f"{path}: neither a database built by 'tocsin db build', an index, nor a ClamAV archive; "
        "other signature files state no digest to verify"
    )


def _verify_portable(path: Path) -> Verified:
    data = path.read_bytes()
    header, body = verified_body(data, str(path))
    try:
        records = [split_line(line, header.sources) for line in body.split(b"\n")[:-1]]
    except SignatureError as error:
        raise DatabaseError(f"{path}: {error.reason}") from None
    if build_portable(records) != data:
        raise DatabaseError(f"{path}: not in canonical form; not written by 'tocsin db build'")
    return Verified(
        "portable database",
        f"{len(records):,} records, canonical; the content has the SHA-256 {header.sha256}",
    )


def _verify_index(path: Path) -> Verified:
    file = open_index_file(path)
    file.verify()
    return Verified("index", f"{len(file.names())} sections have the SHA-256 the index states")


def _verify_archive(path: Path) -> Verified:
    with path.open("rb") as file:
        header, members, _, _ = cvd.verify(file, path.name)
    return Verified(
        "ClamAV archive",
        f"version {header.version} of {header.built.strip()}, {len(members)} files, "
        "the digital signature is ClamAV's",
    )
