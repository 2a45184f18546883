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
    evidence/           pairs of checkpoints that convict a log
    refused.json        databases that did not pass their test here
    last.json           what the last run did
    seen.json           how far logs were read, what they say was pulled back, who was asked when
    rulebook/           editions of the rulebook, kept as databases are (`state_rulebook`)

A version is in use when `installed.json` says so, and that file is replaced whole. Here is what
makes the folder, lets one process at a time change it, and puts it in order after a loss of
power; its parts are in `state_versions`, `state_trusted` and `state_looks`.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tocsin.updates.receive.errors import StateBusy, StateDamaged
from tocsin.updates.receive.files import raise_if_full
from tocsin.updates.receive.state_folder import CURRENT, DATABASE, FORMER
from tocsin.updates.receive.state_looks import LooksState
from tocsin.updates.receive.state_records import (
    Agreed,
    Consent,
    Installed,
    LastRun,
    Received,
    Refused,
)
from tocsin.updates.receive.state_rulebook import RULEBOOK, RulebookState
from tocsin.updates.receive.state_trusted import TrustedState
from tocsin.updates.receive.state_versions import ENTRY, PROOF, REBUILDS, VersionsState

_PATIENCE = 5.0


class UpdateState(VersionsState, TrustedState, LooksState):
    """The folder, opened.

    Args:
        folder: where it is; made when it is not there.

    Raises:
        StateDamaged: it cannot be made or read.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        try:
            for name in ("metadata", "versions", "partial"):
                (folder / name).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise_if_full(error, folder)
            raise StateDamaged(
                f"{folder}: {error.strerror}; root updates the device ('sudo tocsin update'), or "
                "name a folder of your own in TOCSIN_STATE_DIR"
            ) from error

    @contextmanager
    def locked(self, patience: float = _PATIENCE) -> Iterator[None]:
        """Be the only one who changes anything; what a loss of power left is put in order.

        Args:
            patience: seconds to wait for another.

        Raises:
            StateBusy: another process updates.
            NoRoom: the disk is full.
            NotWritten: the folder cannot be written.
        """
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        place = self.folder / "lock"
        with self.changing(place):
            lock = os.open(place, flags, 0o600)
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
        self.remove_halves()
        self.follow_installed()
        self.rulebooks.recover()

    @property
    def rulebooks(self) -> RulebookState:
        """The editions of the rulebook that came here."""
        return RulebookState(self.folder / RULEBOOK)


__all__ = [
    "CURRENT",
    "DATABASE",
    "ENTRY",
    "FORMER",
    "PROOF",
    "REBUILDS",
    "Agreed",
    "Consent",
    "Installed",
    "LastRun",
    "Received",
    "Refused",
    "UpdateState",
]
