"""What headers of ClamAV's databases say: which version is here, and whether that is signed."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from tocsin.errors import VerificationError
from tocsin.signatures.clamav import cvd
from tocsin.updates.sources.errors import SourceRefused


class Here(NamedTuple):
    """A database that is in the folder."""

    path: Path
    header: cvd.Header


def find_database(folder: Path, name: str) -> Here | None:
    """The newer of `NAME.cvd` and `NAME.cld` in a folder, by what their headers say."""
    best: Here | None = None
    for ending in ("cld", "cvd"):
        path = folder / f"{name}.{ending}"
        try:
            with path.open("rb") as file:
                header = cvd.parse_header(file.read(cvd.HEADER_BYTES), path.name)
        except (OSError, VerificationError):
            continue
        if best is None or header.version > best.header.version:
            best = Here(path, header)
    return best


def read_header(data: bytes, file: str) -> cvd.Header:
    """Read a header that a server gave.

    Raises:
        SourceRefused: it is none.
    """
    try:
        return cvd.parse_header(data, file)
    except VerificationError as error:
        raise SourceRefused(str(error)) from error


def require_signed_version(archive: cvd.Archive, file: str) -> None:
    """The signature of a CVD does not cover its header, so a mirror could call an old one new.

    The `.info` inside is signed with the version, and must agree.

    Raises:
        SourceRefused: it does not.
    """
    header = archive.header
    stated = read_header(archive.info.partition(b"\n")[0].ljust(cvd.HEADER_BYTES), f"{file}: .info")
    if stated._replace(md5="", signature="") != header._replace(md5="", signature=""):
        raise SourceRefused(
            f"{file}: the header says version {header.version} of {header.built}, and the signed "
            f".info inside {stated.version} of {stated.built}"
        )
