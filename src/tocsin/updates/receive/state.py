"""What a device remembers of its updates, in one folder that survives a loss of power anywhere.

    metadata/           TUF's trusted metadata, names without version, every root in root_history/
    checkpoint          the last checkpoint that was accepted, with its cosignatures
    versions/<N>/       database.tdb, entry, tlog-proof, received.json
    current.tdb         link to the database in use; made anew from installed.json when it is not
    installed.json      which version is in use, the two before it, and what is pinned
    former/             the database of the publisher before, until there is one of the new
    pending-root/       roots that wait for the user's consent
    consent.json        the roots that the user agreed to, by SHA-256
    device              a random number that decides when this device takes a new version
    partial/            downloads that were cut off
    evidence/           what convicts a log, a folder each; see `transparency/evidence.py`
    refused.json        databases that did not pass their test here
    last.json           what the last run did
    seen.json           how far logs were read, what they say was pulled back, who was asked when

A version is in use when `installed.json` says so, and that file is replaced whole.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import secrets
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Annotated, TypeVar

import msgspec

from tocsin.durable import sync_file, sync_folder
from tocsin.updates.receive.errors import StateBusy, StateDamaged
from tocsin.updates.receive.files import raise_if_full, read_bounded, write_durably
from tocsin.updates.receive.seen import Seen
from tocsin.updates.receive.tuf_client import MAX_ROOT

KEPT = 2
"""Versions kept besides the one in use."""

DATABASE = "database.tdb"
ENTRY = "entry"
PROOF = "tlog-proof"
REBUILDS = "rebuilds"
CURRENT = "current.tdb"
FORMER = "former"
EVIDENCE = "evidence"
_SMALL = 2 << 20
_PATIENCE = 5.0
_NUMBER = re.compile(r"[1-9]\d{0,9}\Z")
_Version = Annotated[int, msgspec.Meta(ge=1)]
_Struct = TypeVar("_Struct", bound=msgspec.Struct)


class Installed(msgspec.Struct, frozen=True):
    """Which database is in use.

    Attributes:
        current: its version; 0 for none.
        previous: up to two that were in use before, the latest first.
        pinned: the version that is to stay; 0 for none.
        highest: the highest version that was ever in use.
    """

    current: Annotated[int, msgspec.Meta(ge=0)] = 0
    previous: tuple[_Version, ...] = ()
    pinned: Annotated[int, msgspec.Meta(ge=0)] = 0
    highest: Annotated[int, msgspec.Meta(ge=0)] = 0


class Received(msgspec.Struct, frozen=True):
    """How a version came.

    Attributes:
        version: of the database.
        sha256: of the plain database.
        length: in bytes.
        created: when the publisher built it, as the log entry says.
        received: when it came.
        source: mirror that the last part of it came from.
        way: `full` or `delta`.
        keyids: of the publisher's targets role when it came, with the threshold; see `verify`.
        root_version: of the root in force then.
    """

    version: _Version
    sha256: str
    length: int
    created: datetime
    received: datetime
    source: str
    way: str
    root_version: int
    keyids: tuple[str, ...] = ()


class Refused(msgspec.Struct, frozen=True):
    """Databases that did not pass their test on this device: SHA-256 and why."""

    databases: dict[str, str] = {}


class Agreed(msgspec.Struct, frozen=True):
    """A root that the user agreed to."""

    version: _Version
    sha256: str
    at: datetime


class Consent(msgspec.Struct, frozen=True):
    """Every root that the user agreed to."""

    roots: tuple[Agreed, ...] = ()


class LastRun(msgspec.Struct, frozen=True):
    """What the last run did.

    Attributes:
        at: when it ended.
        outcome: `updated`, `unchanged`, `waiting` or `failed`.
        text: what happened.
        confirmed: when the metadata was last found fresh; None for never.
        software: later version of the software that it had for this device then; empty for none.
    """

    at: datetime
    outcome: str
    text: str
    confirmed: datetime | None = None
    software: str = ""


class UpdateState:
    """The folder, opened.

    Args:
        folder: where it is; made when it is not there.

    Raises:
        StateDamaged: it cannot be made or read.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        try:
            for name in ("metadata", "versions", "partial"):
                (folder / name).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise_if_full(error, folder)
            raise StateDamaged(
                f"{folder}: {error.strerror}; root updates the device ('sudo tocsin update'), or "
                "name a folder of your own in TOCSIN_STATE_DIR"
            ) from error

    # --- one at a time ----------------------------------------------------------------------

    @contextmanager
    def locked(self, patience: float = _PATIENCE) -> Iterator[None]:
        """Be the only one who changes anything.

        Args:
            patience: seconds to wait for another.

        Raises:
            StateBusy: another process updates.
        """
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        lock = os.open(self.folder / "lock", flags, 0o600)
        try:
            deadline = time.monotonic() + patience
            while True:
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() >= deadline:
                        raise StateBusy(
                            f"{self.folder}: another process is updating; try again when it is done"
                        ) from None
                    time.sleep(0.05)
            self.recover()
            yield
        finally:
            os.close(lock)

    def recover(self) -> None:
        """Finish or remove what a loss of power left; whoever holds the lock may call it."""
        for entry in (self.folder / "versions").iterdir():
            if entry.name.startswith("."):
                shutil.rmtree(entry, ignore_errors=True)
        self._link_current()

    # --- trusted metadata -------------------------------------------------------------------

    @property
    def metadata(self) -> Path:
        """TUF's folder."""
        return self.folder / "metadata"

    def timestamp_bytes(self) -> bytes | None:
        """The timestamp that was trusted last, or None."""
        return self._bytes(self.metadata / "timestamp.json", _SMALL)

    def newest_root(self) -> bytes | None:
        """The root in force, or None."""
        return self._bytes(self.metadata / "root.json", MAX_ROOT)

    def root_bytes(self, version: int) -> bytes | None:
        """A root that was in force, or None."""
        place = self.metadata / "root_history" / f"{version}.root.json"
        return self._bytes(place, MAX_ROOT)

    # --- the log ----------------------------------------------------------------------------

    def checkpoint(self, origin: str) -> bytes | None:
        """The last checkpoint of a log that was accepted, or None."""
        for place in (self.folder / "checkpoint", self._other_checkpoint(origin)):
            held = self._bytes(place, _SMALL)
            if held is not None and _origin(held) == origin:
                return held
        return None

    def last_checkpoint(self) -> bytes | None:
        """The last checkpoint of any log that was accepted, or None."""
        return self._bytes(self.folder / "checkpoint", _SMALL)

    def keep_checkpoint(self, checkpoint: bytes) -> None:
        """Remember a checkpoint; that of another log is kept beside it."""
        place = self.folder / "checkpoint"
        held = self._bytes(place, _SMALL)
        if held is not None and _origin(held) != _origin(checkpoint):
            write_durably(self._other_checkpoint(_origin(held)), held)
        write_durably(place, checkpoint)

    def evidence(self) -> list[Path]:
        """Folders with what convicts a log."""
        with suppress(FileNotFoundError):
            return sorted((self.folder / EVIDENCE).iterdir())
        return []

    def _other_checkpoint(self, origin: str) -> Path:
        return self.folder / f"checkpoint-{hashlib.sha256(origin.encode()).hexdigest()[:32]}"

    # --- versions ---------------------------------------------------------------------------

    def installed(self) -> Installed:
        """Which database is in use."""
        return self._read("installed.json", Installed, Installed())

    def keep_installed(self, installed: Installed) -> None:
        """Put a database in use; this one write is the swap."""
        for version in (installed.current, *installed.previous):
            if version and not self.database(version).is_file():
                raise StateDamaged(f"version {version} is not here; it cannot be used")
        self._write("installed.json", installed)
        self._link_current()
        self._remove_unused(installed)
        if installed.current:
            shutil.rmtree(self.folder / FORMER, ignore_errors=True)

    def version_folder(self, version: int) -> Path:
        """Where a version is."""
        return self.folder / "versions" / str(version)

    def database(self, version: int) -> Path:
        """A version's database."""
        return self.version_folder(version) / DATABASE

    def kept_versions(self) -> list[int]:
        """Versions that are here, the latest first."""
        names = [entry.name for entry in (self.folder / "versions").iterdir()]
        return sorted((int(name) for name in names if _NUMBER.match(name)), reverse=True)

    def received(self, version: int) -> Received:
        """How a version came.

        Raises:
            StateDamaged: it is not here.
        """
        place = f"versions/{version}/received.json"
        held = self._read(place, Received, None)
        if held is None:
            raise StateDamaged(f"{self.folder}/{place}: missing; run 'tocsin update'")
        return held

    def evidence_of(self, version: int) -> tuple[bytes, bytes]:
        """A version's log entry and proof.

        Raises:
            StateDamaged: they are not here.
        """
        folder = self.version_folder(version)
        entry, proof = self._bytes(folder / ENTRY, _SMALL), self._bytes(folder / PROOF, _SMALL)
        if entry is None or proof is None:
            raise StateDamaged(f"{folder}: the log entry or its proof is missing")
        return entry, proof

    def rebuilds_of(self, version: int) -> bytes | None:
        """What rebuilders said of a version when it came, if that was asked for."""
        return self._bytes(self.version_folder(version) / REBUILDS, 8 << 20)

    def store_version(
        self,
        database: Path,
        entry: bytes,
        proof: bytes,
        how: Received,
        rebuilds: bytes | None = None,
    ) -> Path:
        """Put a verified version beside the others; it is not in use by that.

        Args:
            database: the plain database, in this state's folder; it is moved.
            entry: the log entry.
            proof: that it is in the log.
            how: it came.
            rebuilds: what rebuilders say of it, if that was asked for.

        Returns:
            Where its database is now.
        """
        versions = self.folder / "versions"
        half = versions / f".{how.version}.{secrets.token_hex(4)}"
        half.mkdir()
        write_durably(half / ENTRY, entry)
        write_durably(half / PROOF, proof)
        if rebuilds is not None:
            write_durably(half / REBUILDS, rebuilds)
        write_durably(half / "received.json", msgspec.json.encode(how))
        os.replace(database, half / DATABASE)
        made = how.created.timestamp()  # so that its age is that of what is in it
        os.utime(half / DATABASE, (made, made))
        sync_file(half / DATABASE)
        sync_folder(half)
        final = self.version_folder(how.version)
        if final.exists():
            os.rename(final, versions / f".old.{secrets.token_hex(4)}")
        os.rename(half, final)
        sync_folder(versions)
        return final / DATABASE

    def remove_version(self, version: int) -> None:
        """Remove a version that is not in use."""
        held = self.installed()
        if version not in (held.current, *held.previous):
            shutil.rmtree(self.version_folder(version), ignore_errors=True)

    def _remove_unused(self, installed: Installed) -> None:
        used = {installed.current, installed.pinned, *installed.previous}
        for version in self.kept_versions():
            if version not in used:
                shutil.rmtree(self.version_folder(version), ignore_errors=True)

    def _link_current(self) -> None:
        """Let the link point to what `installed.json` says; a power loss may come in between."""
        current = self.installed().current
        if current:
            self.link_current(f"versions/{current}/{DATABASE}")

    def link_current(self, aim: str) -> None:
        """Let the link that scanners follow point to a database in this folder."""
        place = self.folder / CURRENT
        if place.is_symlink() and os.readlink(place) == aim:
            return
        half = self.folder / f".{CURRENT}"
        half.unlink(missing_ok=True)
        half.symlink_to(aim)
        os.replace(half, place)
        sync_folder(self.folder)

    # --- consent ----------------------------------------------------------------------------

    def consent(self) -> Consent:
        """What the user agreed to."""
        return self._read("consent.json", Consent, Consent())

    def keep_consent(self, consent: Consent) -> None:
        """Remember what the user agreed to."""
        self._write("consent.json", consent)

    def pending(self) -> dict[int, bytes]:
        """Roots that wait, by version, in order."""
        folder = self.folder / "pending-root"
        if not folder.is_dir():
            return {}
        held = {}
        for entry in folder.iterdir():
            number = entry.name.removesuffix(".root.json")
            if _NUMBER.match(number) and entry.name.endswith(".root.json"):
                held[int(number)] = read_bounded(entry, MAX_ROOT)
        return dict(sorted(held.items()))

    def pending_proof(self, path: str) -> bytes | None:
        """What was fetched with a root that waits: its log entry or proof, or None."""
        return self._bytes(self.folder / "pending-root" / path.rpartition("/")[2], _SMALL)

    def keep_pending(self, version: int, root: bytes, proofs: Mapping[str, bytes | None]) -> None:
        """Keep a root that waits, and the log entry and proof that came with it."""
        folder = self.folder / "pending-root"
        folder.mkdir(exist_ok=True)
        place = folder / f"{version}.root.json"
        for path, data in proofs.items():
            if data is not None:
                write_durably(folder / path.rpartition("/")[2], data)
        if self._bytes(place, MAX_ROOT) != root:
            write_durably(place, root)

    def drop_pending(self) -> None:
        """Nothing waits any more."""
        shutil.rmtree(self.folder / "pending-root", ignore_errors=True)

    # --- what did not pass its test ---------------------------------------------------------

    def refused(self) -> dict[str, str]:
        """SHA-256 of databases that did not pass their test here, and why."""
        return self._read("refused.json", Refused, Refused()).databases

    def refuse(self, sha256: str, reason: str) -> None:
        """Remember that a database did not pass; the last 50 are."""
        held = {**self.refused(), sha256: reason[:1000]}
        self._write("refused.json", Refused(dict(list(held.items())[-50:])))

    # --- the rest ---------------------------------------------------------------------------

    def device_id(self) -> bytes:
        """A number that is this device's own, told to nobody."""
        place = self.folder / "device"
        held = self._bytes(place, 64)
        if held is None or len(held) != 32:
            held = secrets.token_hex(16).encode()
            write_durably(place, held, mode=0o600)
        return held

    def last_run(self) -> LastRun | None:
        """What the last run did."""
        return self._read("last.json", LastRun, None)

    def keep_last_run(self, last: LastRun) -> None:
        """Remember what this run did."""
        self._write("last.json", last)

    def seen(self) -> Seen:
        """What was looked at besides the metadata."""
        return self._read("seen.json", Seen, Seen())

    def keep_seen(self, seen: Seen) -> None:
        """Remember what was looked at."""
        self._write("seen.json", seen)

    def partial(self, sha256: str) -> Path:
        """Where a download is gathered; what is not finished for long is removed."""
        folder = self.folder / "partial"
        for entry in folder.iterdir():
            with suppress(OSError):
                if time.time() - entry.stat().st_mtime > 7 * 86400:
                    entry.unlink()
        return folder / sha256

    @staticmethod
    def _bytes(place: Path, most: int) -> bytes | None:
        try:
            return read_bounded(place, most)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise StateDamaged(f"{place}: {error.strerror}") from error

    def _read(self, name: str, kind: type[_Struct], default: _Struct | None) -> _Struct:
        data = self._bytes(self.folder / name, _SMALL)
        if data is None:
            return default  # type: ignore[return-value]
        try:
            return msgspec.json.decode(data, type=kind)
        except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
            raise StateDamaged(
                f"{self.folder / name}: damaged: {error}; remove it and run 'tocsin update'"
            ) from None

    def _write(self, name: str, value: msgspec.Struct) -> None:
        try:
            write_durably(self.folder / name, msgspec.json.format(msgspec.json.encode(value)))
        except OSError as error:
            raise StateDamaged(f"{self.folder / name}: {error.strerror}") from error


def _origin(checkpoint: bytes) -> str:
    return checkpoint.partition(b"\n")[0].decode("utf-8", "replace")
