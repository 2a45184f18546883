"""Beginning with another publisher, whom the user chose by another root.

Versions are each publisher's own count: what the one before gave is no measure for the new one's.
So metadata, versions and pins are begun anew, and the database in use goes on protecting, in a
folder of its own, until the first one of the new publisher is in use. The last checkpoints of logs
stay: a log must have grown whoever publishes in it.
"""

from __future__ import annotations

import os
import secrets
import shutil
from datetime import UTC, datetime

from tocsin.durable import sync_file, sync_folder
from tocsin.updates.errors import LayoutError
from tocsin.updates.receive.consent import same_publisher
from tocsin.updates.receive.seen import Seen
from tocsin.updates.receive.state import DATABASE, FORMER, Installed, UpdateState
from tocsin.updates.receive.tuf_client import read_root


def is_another(state: UpdateState, root: bytes) -> bool:
    """Whether a root that the user names is another publisher's than the one this device has.

    Args:
        state: of the device.
        root: bytes of the root.

    Raises:
        MetadataRefused: it is none.
    """
    held = state.newest_root()
    if held is None:
        return False
    named = read_root(root)
    begun = state.root_bytes(named.signed.version)
    if begun is not None and read_root(begun).signed_bytes == named.signed_bytes:
        return False  # what is held now followed from it, by routine or by consent
    try:
        return not same_publisher(held, root)
    except LayoutError:
        return True


def begin_with_another(state: UpdateState) -> None:
    """Begin anew; whoever holds the state's lock may call it, and again after a loss of power.

    Raises:
        NoRoom: the disk is full.
        NotWritten: the folder cannot be written.
        StateDamaged: what is in use cannot be read.
    """
    current = state.installed().current
    if current:
        _keep_database(state, current)
        state.link_current(f"{FORMER}/{DATABASE}")
        state.keep_installed(Installed())
    _set_metadata_aside(state)
    state.drop_pending()
    state.remove_folder(state.rulebooks.folder)  # the one that comes with the program is used
    seen = state.seen()
    state.keep_seen(Seen(read=seen.read, withdrawn=seen.withdrawn))


def former_in_use(state: UpdateState) -> bool:
    """Whether what protects is of a publisher before."""
    return not state.installed().current and (state.folder / FORMER / DATABASE).is_file()


def _keep_database(state: UpdateState, version: int) -> None:
    half = state.folder / f".{FORMER}.{secrets.token_hex(4)}"
    with state.changing(half):
        half.mkdir()
        try:
            os.link(state.database(version), half / DATABASE)
        except OSError:  # a file system without hard links
            shutil.copy2(state.database(version), half / DATABASE)
            sync_file(half / DATABASE)
        sync_folder(half)
        state.remove_folder(state.folder / FORMER)
        os.rename(half, state.folder / FORMER)
        sync_folder(state.folder)


def _set_metadata_aside(state: UpdateState) -> None:
    if any(state.metadata.iterdir()):
        name = f"metadata-{datetime.now(UTC):%Y%m%dT%H%M%S}-{secrets.token_hex(2)}"
        with state.changing(state.metadata):
            os.rename(state.metadata, state.folder / name)
            state.metadata.mkdir()
            sync_folder(state.folder)
