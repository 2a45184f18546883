"""Looks at the files of sources again, off line: are they what came, and who signed them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO, NamedTuple

from cryptography import x509

from tocsin.errors import VerificationError
from tocsin.signatures.clamav import cvd
from tocsin.updates.sources.clamav import Trust
from tocsin.updates.sources.clamav_root import official_roots
from tocsin.updates.sources.clamsign import LARGEST as LARGEST_SIGN
from tocsin.updates.sources.clamsign import verify_sign
from tocsin.updates.sources.errors import SourceError
from tocsin.updates.sources.in_use import SourcePlace, UsedFile


class Point(NamedTuple):
    """What was looked at, whether it is as it must be, and that in words."""

    point: str
    stands: bool
    detail: str


def recheck_source(place: SourcePlace, trust: Trust = Trust()) -> list[Point]:  # noqa: B008
    """Look at every file of a source that is in use.

    Args:
        place: of the source.
        trust: whose signatures count.
    """
    try:
        held = place.in_use()
    except SourceError as error:
        return [Point("record", False, str(error))]
    if held is None:
        return [Point("record", False, "nothing of it is in use")]
    return [_one(place, each, trust) for each in held.files]


def _one(place: SourcePlace, used: UsedFile, trust: Trust) -> Point:
    try:
        with place.path(used).open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            size = file.tell()
            if (digest[:32], size) != (used.digest, used.size):
                return Point(used.file, False, f"changed since it came; SHA-256 is {digest} now")
            if used.source.kind != "clamav":
                came = f"as it came from {used.source.url}; nobody signs it"
                return Point(used.file, True, f"{size:,} bytes {came}")
            return _of_clamav(place, used, file, trust)
    except OSError as error:
        return Point(used.file, False, f"{error.strerror}; fetch it again")


def _of_clamav(place: SourcePlace, used: UsedFile, file: BinaryIO, trust: Trust) -> Point:
    try:
        archive = cvd.verify(file, used.file, header_key=trust.header, info_key=trust.info)
        version = archive.header.version
        signed = "signed by ClamAV" + _detached(place, used, file, str(version), trust)
    except (VerificationError, SourceError) as error:
        return Point(used.file, False, str(error))
    return Point(used.file, True, f"version {version}, {signed}")


def _detached(
    place: SourcePlace, used: UsedFile, file: BinaryIO, version: str, trust: Trust
) -> str:
    """What the detached signature says, where it was fetched with the file.

    Raises:
        SourceRefused: it is not of this file.
    """
    if not used.file.endswith(".cvd"):
        return ""
    name = f"{Path(used.file).stem}-{version}.cvd"
    try:
        with (place.fetched / f"{name}.sign").open("rb") as held:
            sign = held.read(LARGEST_SIGN + 1)
    except FileNotFoundError:
        return ""
    roots: Sequence[x509.Certificate] = trust.roots or official_roots()
    # By the time when it came: a certificate that has expired since was good then.
    file.seek(0)
    signer = verify_sign(file, sign, name, roots, now=used.source.fetched)
    return f", and by {signer.name} (.sign)"
