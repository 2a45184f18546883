"""Editions of the rulebook on a device: kept, swapped and remembered as databases are.

    versions/<N>/       rulebook.json, entry, tlog-proof, received.json
    current.json        link to the edition in use
    installed.json      which edition is in use, the two before it, and the highest there was
    refused.json        editions that could not be used here
    last.json           what the last look for one came to

Whoever asks about the law reads `installed.json` and the edition that it names; nothing is made
by reading. Who changes something here holds the lock of the state that it is in.
"""

from __future__ import annotations

from contextlib import suppress

from tocsin.durable import sync_folder
from tocsin.updates.receive.errors import NotWritten, StateDamaged
from tocsin.updates.receive.state_folder import VERSIONS
from tocsin.updates.receive.state_looks import LooksState
from tocsin.updates.receive.state_versions import VersionsState

RULEBOOK = "rulebook"
"""Folder in that of a device's updates."""


class RulebookState(VersionsState, LooksState):
    """The folder, opened; it may not be there yet."""

    content = "rulebook.json"
    link = "current.json"
    noun = "rulebook"

    def begin(self) -> None:
        """Have the folder there.

        Raises:
            NoRoom: the disk is full.
            NotWritten: it cannot be made.
        """
        place = self.folder / VERSIONS
        if not place.is_dir():
            with self.changing(place):
                place.mkdir(parents=True, exist_ok=True)
                sync_folder(self.folder)
                sync_folder(self.folder.parent)

    def recover(self) -> None:
        """Finish or remove what a loss of power left; what is wrong here stops no database."""
        if (self.folder / VERSIONS).is_dir():
            with suppress(StateDamaged, NotWritten, OSError):
                self.remove_halves()
                self.follow_installed()
