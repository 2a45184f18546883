"""What an interruption left behind, finished or undone; always the one that loses nothing.

Run by whoever holds the vault's lock, before anything else is changed. What is under way by
somebody else cannot be met here, because they would hold the lock.
"""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from typing import NamedTuple

from tocsin.errors import QuarantineError
from tocsin.protect.quarantine.discard import discard, finish_discarding
from tocsin.protect.quarantine.errors import DamagedItem, NotTaken
from tocsin.protect.quarantine.file_metadata import protect_again
from tocsin.protect.quarantine.record import Record, Restoring, unseal
from tocsin.protect.quarantine.removal import private_name, remove_name
from tocsin.protect.quarantine.restore import forget_intent
from tocsin.protect.quarantine.safe_open import (
    open_anchor,
    open_anchored,
    open_folder,
    rename_new,
    split_path,
    sync_folder,
)
from tocsin.protect.quarantine.sparse import Digests, pack_file
from tocsin.protect.quarantine.store import DELETING, HALF, OBJECT, RESTORING, TAKING, Store
from tocsin.protect.quarantine.take import drop, settle


class Recovered(NamedTuple):
    """One thing that was found unfinished.

    Attributes:
        id: number of the object.
        what: what was done about it, in words.
    """

    id: str
    what: str


def recover(store: Store) -> list[Recovered]:
    """Finish or undo whatever was interrupted; the caller holds the vault's lock.

    Raises:
        OSError: the vault cannot be changed.
    """
    done: list[Recovered] = []
    left: dict[str, set[str]] = {}
    for number, kind in store.unfinished():
        left.setdefault(number, set()).add(kind)
    for number, kinds in left.items():
        try:
            what = _recover(store, number, kinds)
        except QuarantineError as error:
            what = str(error)
        if what:
            done.append(Recovered(number, what))
    store.remove_left_over_keys()
    return done


def _recover(store: Store, number: str, kinds: set[str]) -> str:
    if HALF in kinds:
        with suppress(FileNotFoundError):
            os.unlink(f"{number}.{HALF}", dir_fd=store.work)
    if TAKING in kinds:
        return _finish_taking(store, number)
    if DELETING in kinds:
        finish_discarding(store, number)
        forget_intent(store, number)
        return "its deletion was interrupted, and was finished"
    if RESTORING in kinds:
        return _finish_restoring(store, number)
    if OBJECT in kinds:
        os.unlink(f"{number}.{OBJECT}", dir_fd=store.work)
        sync_folder(store.work)
        return "a file was being taken, and stands in its place; what was copied was dropped"
    return ""


# --- taking -------------------------------------------------------------------------------


def _finish_taking(store: Store, number: str) -> str:
    data = store.read(store.work, f"{number}.{TAKING}")
    try:
        record = unseal(data, Record, store.keys.records, number)
    except DamagedItem:
        settle(store, number)  # where it is listed as what it is, and may be deleted
        raise
    held = store.exists(store.work, f"{number}.{OBJECT}") or store.exists(store.objects, number)
    folder_path, name = split_path(record.path)
    try:
        folder = open_folder(folder_path)
    except OSError as error:
        settle(store, number)
        return (
            f"it was taken from {record.place}, where it could not be looked whether it is gone: "
            f"{error.strerror}"
        )
    try:
        return _finish_in_folder(store, record, folder, name, held=held)
    finally:
        os.close(folder)


def _finish_in_folder(store: Store, record: Record, folder: int, name: bytes, *, held: bool) -> str:
    number, private = record.id, private_name(record.id)
    _give_back_name(record, folder, name, private, held=held)
    try:
        removed = held and _remove_original(record, folder, name, private)
    except NotTaken as error:
        drop(store, number)
        return f"it was being taken, and stays in its place: {error}"
    if not held:
        drop(store, number)
        return f"it was being taken; {record.place} stands as it stood"
    sync_folder(folder)
    settle(store, number)
    if removed:
        return f"its taking was interrupted, and was finished: {record.place} was removed"
    return f"its taking was interrupted, and was finished; {record.place} was not there any more"


def _give_back_name(
    record: Record, folder: int, name: bytes, private: bytes, *, held: bool
) -> None:
    """What was renamed but is not the file that was taken gets its name again."""
    try:
        descriptor = _open_if_same(record, folder, private) if held else -1
    except FileNotFoundError:
        return
    if descriptor >= 0:
        os.close(descriptor)
        os.unlink(private, dir_fd=folder)  # it is what is in the vault
        return
    with suppress(FileNotFoundError, FileExistsError):
        rename_new(folder, private, name)
        sync_folder(folder)


def _remove_original(record: Record, folder: int, name: bytes, private: bytes) -> bool:
    try:
        descriptor = _open_if_same(record, folder, name)
    except FileNotFoundError:
        return False
    if descriptor < 0:
        return False  # another file, which nobody asked to take
    try:
        opened = os.fstat(descriptor)
        remove_name(folder, name, opened, descriptor, record.place, private)
    finally:
        os.close(descriptor)
    return True


def _open_if_same(record: Record, folder: int, name: bytes) -> int:
    """Open what has a name if it is the file of a record, by all that outlives a restart.

    Returns:
        Its descriptor, or -1 when it is another file.

    Raises:
        FileNotFoundError: nothing has that name.
    """
    anchor = open_anchor(folder, name)
    try:
        status = os.fstat(anchor)
        if (
            not stat.S_ISREG(status.st_mode)
            or status.st_ino != record.inode[1]
            or not _looks_like(record, status)
        ):
            return -1
        return _open_if_content(record, anchor, folder, name)
    finally:
        os.close(anchor)


def _looks_like(record: Record, status: os.stat_result) -> bool:
    return (status.st_size, status.st_mtime_ns) == (record.size, record.metadata.mtime_ns)


def _open_if_content(record: Record, anchor: int, folder: int, name: bytes) -> int:
    try:
        descriptor = open_anchored(anchor, folder, name)
    except OSError:
        return -1
    digests = Digests("sha256")
    try:
        pack_file(descriptor, record.size, lambda _: None, digests)
    except (OSError, NotTaken):
        os.close(descriptor)
        return -1
    if digests.hex() != (record.sha256,):
        os.close(descriptor)
        return -1
    return descriptor


# --- restoring ----------------------------------------------------------------------------


def _finish_restoring(store: Store, number: str) -> str:
    if not store.exists(store.records, number):
        forget_intent(store, number)  # the deletion behind it was finished already
        return "it was put back, and its deletion from the vault was finished"
    data = store.read(store.work, f"{number}.{RESTORING}")
    try:
        intent = unseal(data, Restoring, store.keys.records, number)
        record = unseal(store.read(store.records, number), Record, store.keys.records, number)
    except DamagedItem:
        forget_intent(store, number)
        raise
    place = os.fsdecode(intent.path)
    folder_path, name = split_path(intent.path)
    try:
        folder = open_folder(folder_path)
    except OSError:
        forget_intent(store, number)
        return f"it was being put back to {place}; it is still in the vault"
    try:
        if _was_put_back(record, folder, name):
            sync_folder(folder)
            discard(store, number)
            forget_intent(store, number)
            return f"it was put back to {place}, and its deletion from the vault was finished"
        _remove_half_restored(folder, intent.temporary)
    finally:
        os.close(folder)
    forget_intent(store, number)
    return f"it was being put back to {place}; it is still in the vault"


def _was_put_back(record: Record, folder: int, name: bytes) -> bool:
    try:
        anchor = open_anchor(folder, name)
    except OSError:
        return False
    try:
        status = os.fstat(anchor)
        if not stat.S_ISREG(status.st_mode) or not _looks_like(record, status):
            return False
        descriptor = _open_if_content(record, anchor, folder, name)
    finally:
        os.close(anchor)
    if descriptor < 0:
        return False
    protect_again(descriptor, record.metadata)
    os.close(descriptor)
    return True


def _remove_half_restored(folder: int, temporary: bytes) -> None:
    with suppress(FileNotFoundError, IsADirectoryError, PermissionError):
        os.unlink(temporary, dir_fd=folder)
        sync_folder(folder)
