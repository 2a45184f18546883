"""One signature file from an address of the user's own, as `DatabaseCustomURL` names it.

Nobody signs it, save where it is one of ClamAV's archives; what protects here is that it must
load, and that it must not have lost most of what was in it.
"""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import unquote, urlsplit

from tocsin.errors import UsageError, VerificationError
from tocsin.signatures.clamav import cvd
from tocsin.signatures.languages import ARCHIVES, is_source_name
from tocsin.updates.sources.clamav import Test, Trust
from tocsin.updates.sources.errors import (
    SourceMissing,
    SourceRefused,
    SourceShrunk,
    SourceStorage,
    SourceTooLarge,
)
from tocsin.updates.sources.files import bounded_lines, copy_within, file_digest
from tocsin.updates.sources.http import Http
from tocsin.updates.sources.notices import Event, Notice, Say, silent
from tocsin.updates.sources.partial import Validators, storage_error
from tocsin.updates.sources.state import Entry, SourceFolder, require_file_name

LARGEST = 1 << 29
_LINE_HEAD = 1 << 16
"""Bytes of a line that are looked at when lines are counted."""
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
    local = url.startswith("file:")
    came = _copied(url, held, name, known) if local else _downloaded(url, name, http, known)
    digest, size = file_digest(came[0]) if came else ("", 0)
    if came is None or (before and known and before.sha256 == digest):
        if came is not None:
            _dropped(came[0])
        say(Notice(Event.UP_TO_DATE, name, name))
        return False
    path, validators = came
    try:
        count = _counted(path, name, trust or Trust())
        _require_most(name, before, count, allow_shrink)
        candidate = held.taken(path, name)
        if test is not None:
            say(Notice(Event.TESTING, name, str(candidate)))
            test(candidate)
            say(Notice(Event.TESTED, name, str(candidate)))
        held.install(candidate)
    finally:
        _dropped(path)
        _dropped(held.work / name)
    held.record(
        name,
        Entry(
            kind="file",
            url=url,
            file=name,
            sha256=digest,
            size=size,
            signatures=count,
            fetched=datetime.now(UTC),
            etag=validators.etag,
            modified=validators.modified,
        ),
    )
    say(Notice(Event.UPDATED, name, name, signatures=count))
    return True


def _require_most(name: str, before: Entry | None, count: int, allow_shrink: bool) -> None:
    many = before is not None and before.signatures >= _MANY
    if before and many and not allow_shrink and count < before.signatures / 2:
        raise SourceShrunk(
            f"{name}: {count:,} signatures where there were {before.signatures:,}; look why, and "
            "say --allow-shrink if it is right"
        )


def _dropped(path: Path) -> None:
    with suppress(OSError):
        path.unlink(missing_ok=True)


def _downloaded(
    url: str, name: str, http: Http, known: Validators | None
) -> tuple[Path, Validators] | None:
    fetched = http.fetch(url, name, validators=known, largest=LARGEST)
    return None if fetched is None else (fetched.path, fetched.validators)


def _copied(
    url: str, held: SourceFolder, name: str, known: Validators | None
) -> tuple[Path, Validators] | None:
    """A file of this machine; its time and size say whether it has changed."""
    path = Path(unquote(urlsplit(url).path))
    copy = held.work / f"{name}.copy"
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        file = open(descriptor, "rb")  # noqa: SIM115
    except OSError as error:
        raise SourceMissing(f"{path}: {error.strerror}") from error
    with file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise SourceMissing(f"{path}: not a file")
        validators = Validators("", f"{status.st_mtime_ns}:{status.st_size}")
        if validators == known:
            return None
        try:
            with copy.open("wb") as target:
                copy_within(file, target, LARGEST, str(path))
        except OSError as error:
            _dropped(copy)
            raise storage_error(error, copy) from error
        except SourceTooLarge:
            _dropped(copy)
            raise
    return copy, validators


def _counted(path: Path, name: str, trust: Trust) -> int:
    """How many signatures a file has; of an archive as its header says, once it is verified."""
    ending = Path(name).suffix.lower()
    try:
        with path.open("rb") as file:
            if not file.read(1):
                raise SourceRefused(f"{name}: it is empty")
            if ending not in ARCHIVES:
                lines = bounded_lines(file, _LINE_HEAD)
                return sum(1 for line in lines if line.strip() and not line.startswith(b"#"))
            if ending == ".cud":
                return cvd.read_unsigned(file, name).header.signatures
            keys = trust.header, trust.info
            return cvd.verify(file, name, header_key=keys[0], info_key=keys[1]).header.signatures
    except VerificationError as error:
        raise SourceRefused(str(error)) from error
    except OSError as error:
        raise storage_error(error, path) from error
