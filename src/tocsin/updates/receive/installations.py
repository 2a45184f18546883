"""Releases of the software side by side in one folder, of which one is in use.

    versions/<version>-<first digits of its manifest's SHA-256>/
                     a Python environment; in it release.json, entry and tlog-proof
    current          link to the one in use; replaced in one step, which is the switch
    bin/<command>    links to `current/bin/<command>`: what belongs into a search path
    wheels/<SHA-256> what releases here were installed from, for those of the next that are the same
    software.json    which were in use before, and which did not pass their test here
    lock

Whatever is not whole has a name that begins with a dot, and is removed by whoever comes next.
After a loss of power anywhere, `current` leads to a whole environment, if it did before.
"""

from __future__ import annotations

import fcntl
import os
import re
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Annotated

import msgspec
from packaging.version import Version

from tocsin.durable import sync_folder, write_file
from tocsin.updates.receive.errors import StateBusy, StateDamaged
from tocsin.updates.receive.files import changing, raise_if_full, read_bounded

KEPT = 2
"""Releases kept besides the one in use."""

CURRENT = "current"
VERSIONS = "versions"
LAUNCHERS = "bin"
WHEELS = "wheels"
ENTRY = "entry"
PROOF = "tlog-proof"
RELEASE = "release.json"
_RECORD = "software.json"
_LOCK = "lock"
_HALF = re.compile(r"\.[a-z][a-z.-]{0,40}\.[0-9a-f]{12}(\.part)?\Z")
"""What was begun: `.half.…`, `.room.…`, `.current.…`, `.tocsin.…`, `.software.json.….part`."""

_NAME = re.compile(r"[0-9][0-9A-Za-z.!+]{0,100}-[0-9a-f]{12}\Z")
_COMMAND = re.compile(r"tocsin[a-z-]{0,40}\Z")
_SMALL = 2 << 20
_PATIENCE = 5.0
_MOST_REFUSED = 50


class Release(msgspec.Struct, frozen=True):
    """A release that is here, and how it came.

    Attributes:
        version: of the software.
        sha256: of the manifest.
        received: when it came.
        source: mirror that the last part of it came from.
        python: version of Python that it was installed for.
        wheels: that are installed: SHA-256 by name.
        root_version: of the root in force then.
        keyids: of the publisher's that signed the log entry.
    """

    version: str
    sha256: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]
    received: datetime
    source: str
    python: str
    wheels: dict[str, str]
    root_version: int
    keyids: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Of its folder."""
        return f"{self.version}-{self.sha256[:12]}"


class Record(msgspec.Struct, frozen=True):
    """What is remembered besides what is here.

    Attributes:
        previous: folders of releases that were in use before, the latest first; one of them may
            be the one in use again, or still: this is written before the link is replaced.
        highest: the highest version that was in use before the one that is.
        refused: SHA-256 of manifests whose release did not pass its test here, and why.
        failed: SHA-256 by version of those.
    """

    previous: tuple[str, ...] = ()
    highest: str = ""
    refused: dict[str, str] = {}
    failed: dict[str, str] = {}


class Installations:
    """The folder, opened; nothing is made by that.

    Args:
        folder: where it is.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    # --- one at a time ----------------------------------------------------------------------

    @contextmanager
    def locked(self, patience: float = _PATIENCE) -> Iterator[None]:
        """Be the only one who changes anything; what a loss of power left is put in order.

        Args:
            patience: seconds to wait for another.

        Raises:
            StateBusy: another process does.
            StateDamaged: the folder cannot be made.
        """
        umask = os.umask(0o022)  # everybody starts the commands
        try:
            self._demand_own()
            for place in (self.folder, self.versions, self.wheels, self.folder / LAUNCHERS):
                place.mkdir(parents=True, exist_ok=True)
            flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
            lock = os.open(self.folder / _LOCK, flags, 0o600)
        except OSError as error:
            raise_if_full(error, self.folder)
            raise StateDamaged(
                f"{error.filename or self.folder}: {error.strerror}; root updates the machine's "
                "software ('sudo tocsin update software'), or name a folder with --prefix"
            ) from error
        finally:
            os.umask(umask)
        try:
            deadline = time.monotonic() + patience
            while True:
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() >= deadline:
                        raise StateBusy(
                            f"{self.folder}: another process updates the software; try again later"
                        ) from None
                    time.sleep(0.05)
            self._recover()
            yield
        finally:
            os.close(lock)

    def _demand_own(self) -> None:
        """Refuse a folder that is used for something else.

        Raises:
            StateDamaged: it is.
        """
        with suppress(FileNotFoundError):
            strange = {each.name for each in self.folder.iterdir() if not _HALF.match(each.name)}
            strange -= {CURRENT, VERSIONS, WHEELS, LAUNCHERS, _RECORD, _LOCK}
            if strange:
                raise StateDamaged(
                    f"{self.folder} is used for something else ({min(strange)!r} is in it); name "
                    "a folder that is new or empty"
                )

    def _recover(self) -> None:
        for folder in (self.versions, self.folder, self.wheels, self.folder / LAUNCHERS):
            for place in folder.iterdir():
                if _HALF.match(place.name):
                    _remove(place)
        if self.current():
            with self._changing(self.folder):
                self._link_launchers()

    # --- what is here -----------------------------------------------------------------------

    @property
    def versions(self) -> Path:
        """Where releases are."""
        return self.folder / VERSIONS

    @property
    def wheels(self) -> Path:
        """Where wheels are, by their SHA-256; whoever takes one checks it again."""
        return self.folder / WHEELS

    def place(self, name: str) -> Path:
        """Where a release is."""
        return self.versions / name

    def current(self) -> str:
        """Folder name of the release in use; empty for none.

        Raises:
            StateDamaged: the link leads to something else.
        """
        place = self.folder / CURRENT
        try:
            aim = os.readlink(place)
        except FileNotFoundError:
            return ""
        except OSError as error:
            raise StateDamaged(
                f"{place}: this is not the link that it should be ({error.strerror}); move it away"
            ) from None
        folder, _, name = aim.partition("/")
        if folder != VERSIONS or not _NAME.match(name) or not self.place(name).is_dir():
            raise StateDamaged(
                f"{place} leads to {aim!r}, which is no release here; let it lead to one that "
                f"'ls {self.versions}' shows: ln -sfn {VERSIONS}/NAME {place}"
            )
        return name

    def kept(self) -> list[str]:
        """Folder names of releases that are here, the latest version first."""
        with suppress(FileNotFoundError):
            found = [place.name for place in self.versions.iterdir() if _NAME.match(place.name)]
            return sorted(found, key=_version, reverse=True)
        return []

    def release(self, name: str) -> Release:
        """How a release came.

        Raises:
            StateDamaged: that is missing, or damaged.
        """
        place = self.place(name) / RELEASE
        try:
            return msgspec.json.decode(read_bounded(place, _SMALL), type=Release)
        except OSError as error:
            raise StateDamaged(f"{place}: {error.strerror}") from error
        except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
            raise StateDamaged(f"{place}: damaged: {error}") from None

    def record(self) -> Record:
        """What is remembered."""
        place = self.folder / _RECORD
        try:
            return msgspec.json.decode(read_bounded(place, _SMALL), type=Record)
        except FileNotFoundError:
            return Record()
        except OSError as error:
            raise StateDamaged(f"{place}: {error.strerror}") from error
        except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
            raise StateDamaged(f"{place}: damaged: {error}; remove it") from None

    def previous(self) -> list[str]:
        """Folder names of releases that were in use before and are still here, the latest first."""
        current, here = self.current(), set(self.kept())
        found = [name for name in self.record().previous if name != current and name in here]
        return found[:KEPT]

    def highest(self) -> Version | None:
        """The highest version that is or was in use here; None for none."""
        current, record = self.current(), self.record()
        stated = [_version(current)] if current else []
        if record.highest:
            with suppress(ValueError):
                stated.append(Version(record.highest))
        return max(stated, default=None)

    # --- changing it ------------------------------------------------------------------------

    def half(self) -> Path:
        """A name for what is not whole yet."""
        return passing(self.versions, "half")

    def put(self, half: Path, release: Release, entry: bytes, proof: bytes) -> str:
        """Put an environment that was built beside the others; it is not in use by that.

        Returns:
            Its folder name.

        Raises:
            NoRoom: the disk is full.
            NotWritten: it cannot be written.
        """
        with self._changing(half):
            write_file(half / ENTRY, entry)
            write_file(half / PROOF, proof)
            write_file(half / RELEASE, msgspec.json.format(msgspec.json.encode(release)))
            os.sync()  # thousands of files: all of them are on the disk before the name is
            final = self.place(release.name)
            if final.exists():
                os.rename(final, self.half())
            os.rename(half, final)
            sync_folder(self.versions)
        return release.name

    def switch(self, name: str) -> None:
        """Put a release in use; replacing the link is the one step that does it.

        Raises:
            NoRoom: the disk is full.
            NotWritten: the disk did not take it; the error says what is in use then.
        """
        current, record = self.current(), self.record()
        before = [current, *record.previous] if current else list(record.previous)
        previous = list(dict.fromkeys(before))
        highest = self.highest()
        kept = msgspec.structs.replace(
            record,
            previous=tuple(previous[: KEPT + 1]),
            highest="" if highest is None else str(highest),
        )
        half = self.folder / f".{CURRENT}.{secrets.token_hex(6)}"
        with self._changing(self.folder):
            self._keep(kept)
            half.symlink_to(f"{VERSIONS}/{name}")
            os.replace(half, self.folder / CURRENT)
            sync_folder(self.folder)
            self._link_launchers()

    def leave(self, name: str) -> None:
        """Have no release in use again, where the first one turned out not to do.

        Args:
            name: of the one that is not to be used.
        """
        if self.current() == name:
            with self._changing(self.folder):
                (self.folder / CURRENT).unlink()
                sync_folder(self.folder)
        _remove(self.place(name))

    def failed(self, version: str) -> str:
        """Why the last release of a version did not pass its test here; empty for none."""
        record = self.record()
        return record.refused.get(record.failed.get(version, ""), "")

    def refuse(self, release: Release, reason: str) -> None:
        """Remember that a release did not pass its test; the last 50 are."""
        record = self.record()
        held = {**record.refused, release.sha256: reason[:1000]}
        kept = dict(list(held.items())[-_MOST_REFUSED:])
        failed = {**record.failed, release.version: release.sha256}
        failed = {version: sha256 for version, sha256 in failed.items() if sha256 in kept}
        with self._changing(self.folder):
            self._keep(msgspec.structs.replace(record, refused=kept, failed=failed))

    def prune(self) -> list[str]:
        """Remove releases that are neither in use, nor one of the two before, nor running.

        Returns:
            Those that stay only because a process runs them.
        """
        wanted = {self.current(), *self.previous()}
        running = []
        for name in self.kept():
            if name in wanted:
                continue
            if _is_mapped(self.place(name)):
                running.append(name)
                continue
            gone = self.half()
            with self._changing(gone):
                os.rename(self.place(name), gone)
            _remove(gone)
        self._prune_wheels()
        return running

    def keep_wheel(self, wheel: Path, sha256: str) -> None:
        """Keep a wheel for the next release; that it cannot be kept is no failure."""
        with suppress(OSError):
            half = self.wheels / f".wheel.{secrets.token_hex(6)}"
            shutil.move(wheel, half)
            os.replace(half, self.wheels / sha256)

    def _prune_wheels(self) -> None:
        wanted: set[str] = set()
        with suppress(StateDamaged):
            for name in self.kept():
                wanted.update(self.release(name).wheels.values())
        for place in self.wheels.iterdir():
            if place.name not in wanted:
                _remove(place)

    def _keep(self, record: Record) -> None:
        data = msgspec.json.format(msgspec.json.encode(record)) + b"\n"
        write_file(self.folder / _RECORD, data)

    @contextmanager
    def _changing(self, place: Path) -> Iterator[None]:
        """Have whatever the disk refuses said with what is in use; see `changing`."""
        with changing(place, self._in_use_words, again="tocsin update software"):
            yield

    def _in_use_words(self) -> str:
        try:
            return f"{self.current() or 'no release of this folder'} is in use"
        except StateDamaged as error:
            return str(error)

    def _link_launchers(self) -> None:
        """Links for the commands that the release in use has; older ones go."""
        folder = self.folder / LAUNCHERS
        scripts = self.folder / CURRENT / "bin"
        wanted = {each.name for each in scripts.iterdir() if _COMMAND.match(each.name)}
        for place in folder.iterdir():
            if place.name not in wanted and _is_launcher(place):
                place.unlink()
        for name in sorted(wanted):
            aim, place = f"../{CURRENT}/bin/{name}", folder / name
            if place.is_symlink() and os.readlink(place) == aim:
                continue
            half = folder / f".{name}.{secrets.token_hex(6)}"
            half.symlink_to(aim)
            os.replace(half, place)
        sync_folder(folder)


def passing(folder: Path, what: str) -> Path:
    """A name for what is to be gone soon; if it is not, whoever comes next removes it.

    Args:
        folder: in which it will be.
        what: it is, in small letters.
    """
    return folder / f".{what}.{secrets.token_hex(6)}"


def _is_launcher(place: Path) -> bool:
    """Whether this is a link of ours."""
    return place.is_symlink() and os.readlink(place) == f"../{CURRENT}/bin/{place.name}"


def _version(name: str) -> Version:
    return Version(name.rpartition("-")[0])


def _is_mapped(place: Path) -> bool:
    """Whether a process that can be looked at has a library of a release in its memory."""
    wanted = f"{os.path.realpath(place)}/".encode()
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if wanted in (process / "maps").read_bytes():
                return True
    return False


def _remove(place: Path) -> None:
    if place.is_dir() and not place.is_symlink():
        shutil.rmtree(place, ignore_errors=True)
    else:
        place.unlink(missing_ok=True)
