"""The user's own exceptions on disk: added with a reason, listed, revoked, expiring.

One JSON file, replaced whole and atomically under a lock. A revoked or expired exception
stays in it, so that it can be seen later what was allowed and why.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from tocsin.app.places import config_dir
from tocsin.engine.exceptions import NONE, Exceptions
from tocsin.errors import SettingsError, UsageError

FILE_NAME = "allow.json"
VERSION = 1
_DIGEST = re.compile(r"(?:[0-9a-fA-F]{32}|[0-9a-fA-F]{40}|[0-9a-fA-F]{64})\Z")


class Allowed(NamedTuple):
    """One exception.

    Attributes:
        number: by which it is revoked.
        kind: `digest`, `name` or `path`.
        value: the digest, the signature's name or the absolute path.
        reason: why, in the user's words.
        added: when, ISO 8601 with a time zone.
        expires: until when it holds, or empty.
        revoked: since when it no longer holds, or empty.
    """

    number: int
    kind: str
    value: str
    reason: str
    added: str
    expires: str = ""
    revoked: str = ""

    def holds(self, now: datetime) -> bool:
        """Whether it holds at a point in time."""
        if self.revoked:
            return False
        return not self.expires or now < datetime.fromisoformat(self.expires)


def kind_of(value: str) -> str:
    """What a value given by a user is: a digest, an existing path, or a signature's name."""
    if _DIGEST.match(value):
        return "digest"
    if "/" in value or os.path.lexists(value):
        return "path"
    return "name"


def allow_file() -> Path:
    """The file in which exceptions are kept."""
    return config_dir() / FILE_NAME


def read_allowed(path: Path | None = None) -> list[Allowed]:
    """Every exception, those that no longer hold included.

    Raises:
        SettingsError: the file is damaged.
    """
    place = path or allow_file()
    try:
        stated = json.loads(place.read_bytes())
        if stated["version"] != VERSION:
            raise SettingsError(f"{place}: version {stated['version']}, not {VERSION}")
        return [_checked(Allowed(**entry)) for entry in stated["allowed"]]
    except FileNotFoundError:
        return []
    except OSError as error:
        raise SettingsError(f"{place}: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise SettingsError(
            f"{place}: not a list of exceptions ({error}); move it away to begin anew"
        ) from None


def _checked(entry: Allowed) -> Allowed:
    """Refuse an entry whose fields are not what they must be.

    Raises:
        TypeError, ValueError: one is not.
    """
    if not isinstance(entry.number, int) or not all(isinstance(f, str) for f in entry[1:]):
        raise TypeError("an entry's fields are not of their types")
    if entry.expires and datetime.fromisoformat(entry.expires).tzinfo is None:
        raise ValueError(f"{entry.expires!r} has no time zone")
    return entry


def current_exceptions(path: Path | None = None) -> Exceptions:
    """The exceptions that hold now.

    Raises:
        SettingsError: the file is damaged.
    """
    entries = read_allowed(path)
    if not entries:
        return NONE
    now = datetime.now(UTC)
    holding = [entry for entry in entries if entry.holds(now)]
    return Exceptions.of(
        digests=(e.value for e in holding if e.kind == "digest"),
        names=(e.value for e in holding if e.kind == "name"),
        paths=(e.value for e in holding if e.kind == "path"),
    )


def add_allowed(
    value: str, reason: str, expires: datetime | None, path: Path | None = None
) -> Allowed:
    """Add an exception.

    Args:
        value: a digest, a signature's name or a path.
        reason: why; it must not be empty.
        expires: until when it holds, with a time zone, or None.
        path: the file; None for the user's own.

    Raises:
        UsageError: no reason, or an end that has passed.
        SettingsError: the file is damaged or cannot be written.
    """
    if not reason.strip():
        raise UsageError("an exception needs a reason: --reason 'why this is known to be good'")
    now = datetime.now(UTC)
    if expires is not None and expires <= now:
        raise UsageError(f"{expires.isoformat()} has passed")
    kind = kind_of(value)
    stored = (
        value.lower() if kind == "digest" else os.path.abspath(value) if kind == "path" else value
    )
    with _locked(path or allow_file()) as place:
        entries = read_allowed(place)
        entry = Allowed(
            number=max((e.number for e in entries), default=0) + 1,
            kind=kind,
            value=stored,
            reason=reason.strip(),
            added=now.isoformat(timespec="seconds"),
            expires=expires.isoformat(timespec="seconds") if expires else "",
        )
        _write(place, [*entries, entry])
    return entry


def revoke_allowed(number: int, path: Path | None = None) -> Allowed:
    """Revoke an exception.

    Raises:
        UsageError: there is none of that number, or it was revoked before.
        SettingsError: the file is damaged or cannot be written.
    """
    with _locked(path or allow_file()) as place:
        entries = read_allowed(place)
        for index, entry in enumerate(entries):
            if entry.number == number and not entry.revoked:
                now = datetime.now(UTC).isoformat(timespec="seconds")
                entries[index] = entry._replace(revoked=now)
                _write(place, entries)
                return entries[index]
    raise UsageError(f"no exception number {number} holds; 'tocsin allow --list' shows them")


@contextmanager
def _locked(place: Path) -> Iterator[Path]:
    try:
        place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with open(place.with_suffix(".lock"), "w", encoding="ascii") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield place
    except OSError as error:
        raise SettingsError(f"{place}: {error.strerror}") from error


def _write(place: Path, entries: list[Allowed]) -> None:
    stated: dict[str, Any] = {"version": VERSION, "allowed": [e._asdict() for e in entries]}
    import tempfile

    handle, temporary = tempfile.mkstemp(prefix=".allow-", dir=place.parent)
    try:
        with open(handle, "w", encoding="utf-8") as file:
            json.dump(stated, file, indent=1)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, place)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
