"""One signature file from an address of the user's own, as `DatabaseCustomURL` names it.

Nobody signs it, save where it is one of ClamAV's archives; what protects here is that it must
load, and that it must not have lost most of what was in it.
"""

from __future__ import annotations

import hashlib
import os
import stat
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import unquote, urlsplit

from tocsin.errors import UsageError, VerificationError
from tocsin.signatures.clamav import cvd
from tocsin.signatures.languages import is_source_name
from tocsin.updates.sources.clamav import Test, Trust
from tocsin.updates.sources.errors import (
    SourceMissing,
    SourceRefused,
    SourceShrunk,
    SourceStorage,
    SourceTooLarge,
)
from tocsin.updates.sources.http import Http
from tocsin.updates.sources.notices import Event, Notice, Say, silent
from tocsin.updates.sources.partial import Validators
from tocsin.updates.sources.state import Entry, SourceFolder, require_file_name

LARGEST = 1 << 29
_MANY = 100
"""Signatures from which losing more than half of them is suspicious."""


def file_name(url: str) -> str:
    """The name that a file gets: the last part of its address.

    Raises:
        UsageError: no file of signatures has such a name, or the address is none.
    """
    try:
        parts = urlsplit(url)
        name = require_file_name(unquote(parts.path.rpartition("/")[2]))
    except (ValueError, SourceStorage):
        raise UsageError(f"{url}: it does not end in the name of a file") from None
    if parts.scheme not in ("http", "https", "file"):
        raise UsageError(f"{url}: begins neither with http:// or https:// nor with file://")
    if not is_source_name(name):
        raise UsageError(f"{url}: {name} has not the ending of a file of signatures")
    return name


def fetch_file(
    url: str,
    held: SourceFolder,
    http: Http,
    *,
    test: Test | None = None,
    trust: Trust | None = None,
    allow_shrink: bool = False,
    say: Say = silent,
) -> bool:
    """Bring a file in under its own name.

    Args:
        url: http, https or file.
        held: the folder.
        http: to fetch with.
        test: tries it before it takes the old one's place.
        trust: whose signatures count, where it is an archive.
        allow_shrink: take it though most of what was in it is gone.
        say: told what happens.

    Returns:
        Whether it is newer than before.

    Raises:
        SourceError: it could not be brought in; the one of before is as it was.
        UsageError: the address is of no use.
    """
    name = file_name(url)
    before = held.entry(name)
    known = before.validators if before and before.url == url else None
    came = _copied(url, known) if url.startswith("file:") else _downloaded(url, name, http, known)
    digest = hashlib.sha256(came[0]).hexdigest() if came else ""
    if came is None or (before and known and before.sha256 == digest):
        say(Notice(Event.UP_TO_DATE, name, name))
        return False
    data, validators = came
    count = _counted(data, name, trust or Trust())
    many = before is not None and before.signatures >= _MANY
    if before and many and not allow_shrink and count < before.signatures / 2:
        raise SourceShrunk(
            f"{name}: {count:,} signatures where there were {before.signatures:,}; look why, and "
            "say --allow-shrink if it is right"
        )
    candidate = held.candidate(name, data)
    try:
        if test is not None:
            say(Notice(Event.TESTING, name, str(candidate)))
            test(candidate)
            say(Notice(Event.TESTED, name, str(candidate)))
        held.install(candidate)
    finally:
        with suppress(OSError):
            candidate.unlink(missing_ok=True)
    held.record(
        name,
        Entry(
            kind="file",
            url=url,
            file=name,
            sha256=digest,
            size=len(data),
            signatures=count,
            fetched=datetime.now(UTC),
            etag=validators.etag,
            modified=validators.modified,
        ),
    )
    say(Notice(Event.UPDATED, name, name, signatures=count))
    return True


def _downloaded(
    url: str, name: str, http: Http, known: Validators | None
) -> tuple[bytes, Validators] | None:
    fetched = http.fetch(url, name, validators=known, largest=LARGEST)
    if fetched is None:
        return None
    try:
        return fetched.path.read_bytes(), fetched.validators
    except OSError as error:
        raise SourceStorage(f"{fetched.path}: cannot be read: {error.strerror}") from error
    finally:
        with suppress(OSError):
            fetched.path.unlink()


def _copied(url: str, known: Validators | None) -> tuple[bytes, Validators] | None:
    """A file of this machine; its time and size say whether it has changed."""
    path = Path(unquote(urlsplit(url).path))
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with open(descriptor, "rb") as file:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise SourceMissing(f"{path}: not a file")
            validators = Validators("", f"{status.st_mtime_ns}:{status.st_size}")
            if validators == known:
                return None
            data = file.read(LARGEST + 1)
    except OSError as error:
        raise SourceMissing(f"{path}: {error.strerror}") from error
    if len(data) > LARGEST:
        raise SourceTooLarge(f"{path}: more than the {LARGEST:,} bytes that are taken")
    return data, validators


def _counted(data: bytes, name: str, trust: Trust) -> int:
    """How many signatures a file has; of an archive as its header says, once it is verified."""
    if not data:
        raise SourceRefused(f"{name}: it is empty")
    if not name.lower().endswith((".cvd", ".cld", ".cud")):
        return sum(1 for line in data.splitlines() if line.strip() and not line.startswith(b"#"))
    try:
        if name.lower().endswith(".cud"):
            return cvd.read_unsigned(data, name)[0].signatures
        return cvd.verify(data, name, header_key=trust.header, info_key=trust.info)[0].signatures
    except VerificationError as error:
        raise SourceRefused(str(error)) from error
