"""Putting a file back: whole, verified and with all its metadata before it has a name.

The order, in which each line is on the disk before the next begins:

1. `work/ID.restoring`: where the file is going to be.
2. The new file, without a name (`O_TMPFILE`), or under one that nobody can guess where the file
   system has no such files: content, digest, owner, mode, attributes, times.
3. Its name, never over another file's; its folder is synchronised.
4. The vault's copy is deleted (see `discard`), then the note of step 1.

Who owns the folder gains nothing: no part of its path may be a link, the new file belongs to
this process alone until it is given to the owner it had, everything is done to the opened file
and nothing by name, and set-id bits and capabilities are left off unless they are asked for. A
folder replaced by another is one of the owner's own. Whatever they do to the temporary name is
seen at the end, when the name must be that of the file that was written.
"""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from typing import NamedTuple

from tocsin.protect.quarantine.content_cipher import open_pieces
from tocsin.protect.quarantine.discard import discard
from tocsin.protect.quarantine.errors import DamagedItem, NotRestored
from tocsin.protect.quarantine.file_metadata import apply_metadata, protect_again
from tocsin.protect.quarantine.record import Record, Restoring
from tocsin.protect.quarantine.safe_open import open_folder, rename_new, split_path, sync_folder
from tocsin.protect.quarantine.sparse import Digests, unpack_file
from tocsin.protect.quarantine.store import RESTORING, Store, raise_if_full

_NEW = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class Restored(NamedTuple):
    """A file that was put back.

    Attributes:
        path: where.
        remarks: what about it is not as it was, in words.
    """

    path: bytes
    remarks: tuple[str, ...]


def restore(store: Store, record: Record, path: bytes, *, keep_setid: bool) -> Restored:
    """Put a file back; the caller holds the vault's lock.

    Args:
        store: the vault.
        record: the file's.
        path: where it is to be.
        keep_setid: with set-id bits and capabilities.

    Raises:
        NotRestored: it was not; it is still in the vault.
        DamagedItem: the object is not what was taken.
    """
    place = os.fsdecode(path)
    try:
        folder_path, name = split_path(path)
        folder = open_folder(folder_path)
    except (ValueError, OSError) as error:
        raise NotRestored(f"{place}: {_reason(error)}") from error
    try:
        return _restore_into(store, record, folder, name, place, keep_setid=keep_setid)
    except OSError as error:
        raise_if_full(error, place)
        raise NotRestored(f"{place}: {_reason(error)}; it is still in the vault") from error
    finally:
        os.close(folder)


def _restore_into(
    store: Store, record: Record, folder: int, name: bytes, place: str, *, keep_setid: bool
) -> Restored:
    if _stands(folder, name):
        raise exists_error(place)
    intent = Restoring(path=os.fsencode(place), temporary=temporary_name(record.id))
    store.write_sealed(store.work, f"{record.id}.{RESTORING}", intent, record.id)
    descriptor, temporary = -1, b""
    try:
        descriptor, temporary = new_file(folder, intent.temporary)
        write_content(store, record, descriptor)
        remarks = apply_metadata(descriptor, record.metadata, keep_setid=keep_setid)
        os.fsync(descriptor)
    except BaseException:
        _give_up(store, record.id, folder, temporary)
        if descriptor >= 0:
            os.close(descriptor)
        raise
    try:
        try:
            give_name(folder, descriptor, temporary, name)
        except FileExistsError:
            _give_up(store, record.id, folder, temporary)
            raise exists_error(place) from None
        # Whatever goes wrong from here on: the note stays, and recovery looks at what there is.
        check_name(folder, descriptor, name, place)
        sync_folder(folder)
        remarks += protect_again(descriptor, record.metadata)
    finally:
        os.close(descriptor)
    discard(store, record.id)
    forget_intent(store, record.id)
    return Restored(os.fsencode(place), tuple(remarks))


def new_file(folder: int, temporary: bytes) -> tuple[int, bytes]:
    """An empty file that nobody else may open, and its name, if it needs one."""
    if os.path.exists("/proc/self/fd"):
        with suppress(OSError):
            flags = os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC
            return os.open(b".", flags, 0o600, dir_fd=folder), b""
    return os.open(temporary, _NEW, 0o600, dir_fd=folder), temporary


def write_content(store: Store, record: Record, descriptor: int) -> None:
    """Write an object's content into an empty file, and verify it.

    Raises:
        DamagedItem: it is not what was taken.
        OSError: it cannot be read or written.
    """
    try:
        source = os.open(
            record.id, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=store.objects
        )
    except FileNotFoundError:
        raise DamagedItem(f"{record.id}: its content is gone from the vault") from None
    try:
        digests = Digests("sha256")
        pieces = open_pieces(source, store.keys.objects, record.id)
        size = unpack_file(pieces, descriptor, digests)
    finally:
        os.close(source)
    if size != record.size or digests.hex() != (record.sha256,):
        raise DamagedItem(f"{record.id}: its content does not have the digest it was taken with")


def give_name(folder: int, descriptor: int, temporary: bytes, name: bytes) -> None:
    """Give a finished file its name, if nothing has it.

    Raises:
        FileExistsError: something has it.
        OSError: it cannot be named.
    """
    if temporary:
        rename_new(folder, temporary, name)
    else:
        os.link(f"/proc/self/fd/{descriptor}", name, dst_dir_fd=folder, follow_symlinks=True)


def check_name(folder: int, descriptor: int, name: bytes, place: str) -> None:
    """Look whether a name is that of the file that was written.

    Raises:
        NotRestored: another file was put under the temporary name.
        OSError: it cannot be looked at.
    """
    if not os.path.samestat(
        os.stat(name, dir_fd=folder, follow_symlinks=False), os.fstat(descriptor)
    ):
        raise NotRestored(
            f"{place}: somebody put another file in its place while it was written; it is still "
            "in the vault: restore it to a folder of your own by --to"
        )


def _give_up(store: Store, number: str, folder: int, temporary: bytes) -> None:
    if temporary:
        with suppress(OSError):
            os.unlink(temporary, dir_fd=folder)
    with suppress(OSError):  # it is removed when the vault is next opened
        forget_intent(store, number)


def forget_intent(store: Store, number: str) -> None:
    """Remove the note that a file is being put back."""
    with suppress(FileNotFoundError):
        os.unlink(f"{number}.{RESTORING}", dir_fd=store.work)
        sync_folder(store.work)


def temporary_name(number: str) -> bytes:
    """The name under which a file is written where it needs one."""
    return f".tocsin-restore-{number}".encode("ascii")


def exists_error(place: str) -> NotRestored:
    """What is said when something has the name already."""
    return NotRestored(
        f"{place}: something stands there already, and is not overwritten; move it away, or "
        "restore elsewhere by --to"
    )


def _stands(folder: int, name: bytes) -> bool:
    try:
        os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True


def _reason(error: Exception) -> str:
    if isinstance(error, FileNotFoundError):
        return "its folder is no longer there; make it, or restore elsewhere by --to"
    if isinstance(error, OSError) and error.errno == errno.ELOOP:
        return "a folder in its path is a link now; restore elsewhere by --to"
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
