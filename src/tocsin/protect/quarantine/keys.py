"""The vault's master key, and the two keys that are made from it.

It is made once, from the system's random numbers, in a file that its owner alone may read; a
vault whose key others may read, or may have written, is not used.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import stat
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from tocsin.protect.quarantine.errors import KeyGone, VaultUnusable
from tocsin.protect.quarantine.safe_open import rename_new

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

FILE_NAME = b"master.key"
_MAGIC = b"tocsin vault key 1\n"
_KEY_BYTES = 32
_CHECK_BYTES = 8


class Keys(NamedTuple):
    """What a vault is opened with.

    Attributes:
        records: seals records.
        objects: wraps the key of each object.
    """

    records: AESGCM
    objects: AESGCM


def open_keys(folder: int, place: str, *, create: bool) -> Keys:
    """The keys of a vault.

    Args:
        folder: the vault's folder.
        place: its path, for messages.
        create: make a master key when there is none.

    Raises:
        KeyGone: there is none.
        VaultUnusable: it is damaged, or others may know it.
        OSError: it cannot be read or written.
    """
    try:
        master = _read(folder, place)
    except FileNotFoundError:
        if not create:
            raise KeyGone(
                f"{place}: the file {FILE_NAME.decode()} is gone, and without it nothing in this "
                "vault can be read; put it back from a copy, or move the vault away to begin anew"
            ) from None
        _make(folder)
        master = _read(folder, place)
    return _derived(master)


def _derived(master: bytes) -> Keys:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    return Keys(
        *(
            AESGCM(hmac.digest(master, purpose, "sha256"))
            for purpose in (b"tocsin quarantine records 1", b"tocsin quarantine objects 1")
        )
    )


def _read(folder: int, place: str) -> bytes:
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    descriptor = os.open(FILE_NAME, flags, dir_fd=folder)
    try:
        status = os.fstat(descriptor)
        told = f"{place}/{FILE_NAME.decode()}"
        if not stat.S_ISREG(status.st_mode) or status.st_nlink != 1:
            raise VaultUnusable(f"{told}: not a file with one name; somebody tampered with it")
        if status.st_uid != os.geteuid():
            raise VaultUnusable(f"{told}: belongs to user {status.st_uid}, not to you")
        if status.st_mode & 0o077:
            raise VaultUnusable(
                f"{told}: others may read it (mode {stat.S_IMODE(status.st_mode):04o}); if nobody "
                "did, make it private: chmod 600"
            )
        content = os.read(descriptor, 4096)
    finally:
        os.close(descriptor)
    key = content[len(_MAGIC) : len(_MAGIC) + _KEY_BYTES]
    if content != _MAGIC + key + _check(key):
        raise VaultUnusable(f"{told}: damaged; put it back from a copy")
    return key


def _check(key: bytes) -> bytes:
    return hashlib.sha256(_MAGIC + key).digest()[:_CHECK_BYTES]


def _make(folder: int) -> None:
    """Write a new key; of two processes that do so at once, one's key is both's."""
    key = os.urandom(_KEY_BYTES)
    temporary = b".%s-%s" % (FILE_NAME, os.urandom(8).hex().encode())
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(temporary, flags, 0o600, dir_fd=folder)
    try:
        try:
            os.fchmod(descriptor, 0o600)
            os.write(descriptor, _MAGIC + key + _check(key))
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        rename_new(folder, temporary, FILE_NAME)
    except FileExistsError:
        os.unlink(temporary, dir_fd=folder)
    except BaseException:
        with suppress(FileNotFoundError):
            os.unlink(temporary, dir_fd=folder)
        raise
    os.fsync(folder)
