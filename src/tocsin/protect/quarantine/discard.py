"""Letting an object go for good: its key first, then its bytes, then its record.

The record is moved to `work` before anything is destroyed, so that a deletion that was begun is
known and finished after an interruption. The key is overwritten where it stands. On disks that
write elsewhere (SSDs, copy-on-write file systems) old bytes may stay until they are used again;
what is then left is useless without the vault's key.
"""

from __future__ import annotations

import os
from contextlib import suppress

from tocsin.protect.quarantine.content_cipher import destroy_key
from tocsin.protect.quarantine.safe_open import sync_folder
from tocsin.protect.quarantine.store import DELETING, Store


def discard(store: Store, number: str) -> None:
    """Delete an object and its record; the caller holds the vault's lock.

    Raises:
        FileNotFoundError: there is no such record.
        OSError: it could not be done wholly; what was begun is finished at the next opening.
    """
    os.rename(number, f"{number}.{DELETING}", src_dir_fd=store.records, dst_dir_fd=store.work)
    sync_folder(store.work)
    sync_folder(store.records)
    finish_discarding(store, number)


def finish_discarding(store: Store, number: str) -> None:
    """Destroy what is left of an object whose deletion was begun.

    Raises:
        OSError: it could not be done wholly.
    """
    with suppress(FileNotFoundError):
        descriptor = os.open(
            number, os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=store.objects
        )
        try:
            destroy_key(descriptor)
        finally:
            os.close(descriptor)
        os.unlink(number, dir_fd=store.objects)
        sync_folder(store.objects)
    with suppress(FileNotFoundError):
        os.unlink(f"{number}.{DELETING}", dir_fd=store.work)
        sync_folder(store.work)
