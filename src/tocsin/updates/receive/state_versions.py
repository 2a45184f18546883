"""Versions on a device, each in a folder of its own, and the swap from one to the next.

What is in use is said by `installed.json`, which is replaced whole, and followed by a link
(`current.tdb`). All that takes room is written before the first of the two is replaced. Written for
databases; editions of the rulebook are kept the same way (`state_rulebook`).
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
from contextlib import suppress
from pathlib import Path

import msgspec

from tocsin.durable import sync_file, sync_folder, write_file
from tocsin.updates.receive.errors import StateDamaged
from tocsin.updates.receive.state_folder import (
    FORMER,
    INSTALLED,
    VERSIONS,
    StateFolder,
)
from tocsin.updates.receive.state_records import Installed, Received

ENTRY = "entry"
PROOF = "tlog-proof"
REBUILDS = "rebuilds"
_MOST_REBUILDS = 8 << 20
_NUMBER = re.compile(r"[1-9]\d{0,9}\Z")


class VersionsState(StateFolder):
    """That part of the state."""

    # --- what is in use ---------------------------------------------------------------------

    def installed(self) -> Installed:
        """Which database is in use."""
        return self.read_struct(INSTALLED, Installed, Installed())

    def keep_installed(self, installed: Installed) -> None:
        """Put a database in use; replacing `installed.json` is the swap.

        Raises:
            StateDamaged: it is not here. Earlier ones that are gone are no longer named.
            NoRoom: the disk is full.
            NotWritten: the disk did not take it; the error says what is in use then.
        """
        if installed.current and not self.database(installed.current).is_file():
            raise StateDamaged(f"version {installed.current} is not here; it cannot be used")
        here = tuple(each for each in installed.previous if self.database(each).is_file())
        installed = msgspec.structs.replace(installed, previous=here)
        half = self._half_link(self._aim(installed.current)) if installed.current else None
        self.write_struct(INSTALLED, installed)
        if half is not None:
            self._put_link(half)
        self._remove_unused(installed)
        if installed.current:
            self.remove_folder(self.folder / FORMER)

    def follow_installed(self) -> None:
        """Let the link point to what `installed.json` says; a power loss may come in between.

        Raises:
            NoRoom: the disk is full.
            NotWritten: the disk did not take it.
        """
        current = self.installed().current
        if current:
            self.link_current(self._aim(current))

    def link_current(self, aim: str) -> None:
        """Let the link that scanners follow point to a database in this folder.

        Raises:
            NoRoom: the disk is full.
            NotWritten: the disk did not take it.
        """
        half = self._half_link(aim)
        if half is not None:
            self._put_link(half)

    def _half_link(self, aim: str) -> Path | None:
        """The link as it is to be, beside the one that is; None when that is the same."""
        place = self.folder / self.link
        if place.is_symlink() and os.readlink(place) == aim:
            return None
        half = self.folder / f".{self.link}"
        with self.changing(place):
            half.unlink(missing_ok=True)
            half.symlink_to(aim)
        return half

    def _put_link(self, half: Path) -> None:
        with self.changing(self.folder / self.link):
            os.replace(half, self.folder / self.link)
            sync_folder(self.folder)

    # --- what is here -----------------------------------------------------------------------

    def version_folder(self, version: int) -> Path:
        """Where a version is."""
        return self.folder / VERSIONS / str(version)

    def database(self, version: int) -> Path:
        """A version's database."""
        return self.version_folder(version) / self.content

    def numbered(self) -> list[int]:
        """Versions that have a folder here, be it damaged; the latest first."""
        with suppress(FileNotFoundError):  # nothing came yet
            names = [entry.name for entry in (self.folder / VERSIONS).iterdir()]
            return sorted((int(name) for name in names if _NUMBER.match(name)), reverse=True)
        return []

    def kept_versions(self) -> list[int]:
        """Versions that are here with all that belongs to them, the latest first."""
        return [version for version in self.numbered() if self._is_whole(version)]

    def _is_whole(self, version: int) -> bool:
        folder = self.version_folder(version)
        try:
            self.received(version)
        except StateDamaged:
            return False
        return all((folder / name).is_file() for name in (self.content, ENTRY, PROOF))

    def received(self, version: int) -> Received:
        """How a version came.

        Raises:
            StateDamaged: it is not here.
        """
        place = f"{VERSIONS}/{version}/received.json"
        held = self.read_struct(place, Received, None)
        if held is None:
            raise StateDamaged(f"{self.folder}/{place}: missing; run 'tocsin update'")
        return held

    def evidence_of(self, version: int) -> tuple[bytes, bytes]:
        """A version's log entry and proof.

        Raises:
            StateDamaged: they are not here.
        """
        folder = self.version_folder(version)
        entry, proof = self.read_bytes(folder / ENTRY), self.read_bytes(folder / PROOF)
        if entry is None or proof is None:
            raise StateDamaged(f"{folder}: the log entry or its proof is missing")
        return entry, proof

    def rebuilds_of(self, version: int) -> bytes | None:
        """What rebuilders said of a version when it came, if that was asked for."""
        return self.read_bytes(self.version_folder(version) / REBUILDS, _MOST_REBUILDS)

    # --- stored and removed -----------------------------------------------------------------

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

        Raises:
            NoRoom: the disk is full.
            NotWritten: the disk did not take it.
        """
        versions = self.folder / VERSIONS
        half = versions / f".{how.version}.{secrets.token_hex(4)}"
        final = self.version_folder(how.version)
        with self.changing(half):
            half.mkdir()
            write_file(half / ENTRY, entry)
            write_file(half / PROOF, proof)
            if rebuilds is not None:
                write_file(half / REBUILDS, rebuilds)
            write_file(half / "received.json", msgspec.json.encode(how))
            os.replace(database, half / self.content)
            made = how.created.timestamp()  # so that its age is that of what is in it
            os.utime(half / self.content, (made, made))
            sync_file(half / self.content)
            sync_folder(half)
            if final.exists():
                os.rename(final, versions / f".old.{secrets.token_hex(4)}")
            os.rename(half, final)
            sync_folder(versions)
        return final / self.content

    def remove_version(self, version: int) -> None:
        """Remove a version that is not in use."""
        held = self.installed()
        if version not in (held.current, *held.previous):
            self.remove_folder(self.version_folder(version))

    def _remove_unused(self, installed: Installed) -> None:
        used = {installed.current, installed.pinned, *installed.previous}
        for version in self.numbered():
            if version not in used:
                self.remove_folder(self.version_folder(version))

    def remove_halves(self) -> None:
        """Remove what a loss of power left half made or half removed."""
        for folder in (self.folder / VERSIONS, self.folder):
            for entry in folder.iterdir():
                if entry.name.startswith(".") and entry.is_dir() and not entry.is_symlink():
                    shutil.rmtree(entry, ignore_errors=True)

    def _aim(self, version: int) -> str:
        return f"{VERSIONS}/{version}/{self.content}"
