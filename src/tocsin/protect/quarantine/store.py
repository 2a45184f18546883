"""The vault's folder: which files are in it, how they get there, and who may work on it.

    master.key       see `keys`
    lock             held by whoever changes something
    objects/ID       encrypted content, see `content_cipher`
    records/ID       sealed record, see `record`
    work/ID.KIND     what is under way; empty when nothing is

Everything that is not finished is in `work`, so that what an interruption left behind is found
without looking through the rest: see `recovery`. All is done relative to descriptors of these
folders, which must belong to who runs this, and to nobody else.
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
import stat
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec

from tocsin.protect.quarantine.content_cipher import write_all
from tocsin.protect.quarantine.errors import KeyGone, VaultBusy, VaultFull, VaultUnusable
from tocsin.protect.quarantine.keys import FILE_NAME, Keys, open_keys
from tocsin.protect.quarantine.record import seal
from tocsin.protect.quarantine.safe_open import sync_folder

OBJECT = "object"
TAKING = "taking"
RESTORING = "restoring"
DELETING = "deleting"
HALF = "half"
"""Kinds of files in `work`; one that is `HALF` was never finished and holds nothing."""

PATIENCE = 60.0
_FOLDERS = ("objects", "records", "work")
_NUMBER = re.compile(r"[0-9a-f]{16}\Z")
_NUMBER_BYTES = 8
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_POLL = 0.05


class Store:
    """The vault's folder, opened.

    Args:
        folder: where it is.
        create: make it when it is not there.

    Attributes:
        folder: where it is.
        keys: what it is opened with.
        root: descriptor of the folder.
        objects: of the objects' folder.
        records: of the records' folder.
        work: of the folder of what is under way.

    Raises:
        VaultUnusable: it is not there, is somebody else's, or is open to others.
    """

    def __init__(self, folder: Path, *, create: bool) -> None:
        self.folder = folder
        self._held: list[int] = []
        self._locks = 0
        self._turn = threading.RLock()
        try:
            self.root = self._open_root(create=create)
            self.objects, self.records, self.work = (
                self._open_inner(name, create=create) for name in _FOLDERS
            )
            self.keys = self._open_keys(create=create)
        except OSError as error:
            self.close()
            raise VaultUnusable(f"{folder}: {error.strerror}") from error
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close every descriptor."""
        while self._held:
            os.close(self._held.pop())

    # --- opening ----------------------------------------------------------------------------

    def _open_root(self, *, create: bool) -> int:
        if create:
            with suppress(FileExistsError):
                self.folder.mkdir(mode=0o700, parents=True)
        try:
            descriptor = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except FileNotFoundError:
            raise VaultUnusable(f"{self.folder}: there is no quarantine yet") from None
        self._held.append(descriptor)
        self._check_private(descriptor, str(self.folder))
        return descriptor

    def _open_inner(self, name: str, *, create: bool) -> int:
        if create:
            with suppress(FileExistsError):
                os.mkdir(name, 0o700, dir_fd=self.root)
                sync_folder(self.root)
        descriptor = os.open(name, _FOLDER, dir_fd=self.root)
        self._held.append(descriptor)
        self._check_private(descriptor, f"{self.folder}/{name}")
        return descriptor

    @staticmethod
    def _check_private(descriptor: int, place: str) -> None:
        status = os.fstat(descriptor)
        if status.st_uid != os.geteuid():
            raise VaultUnusable(f"{place}: belongs to user {status.st_uid}; only they may use it")
        if status.st_mode & 0o077:
            raise VaultUnusable(
                f"{place}: others may enter it (mode {stat.S_IMODE(status.st_mode):04o}); look "
                "whether anything in it was changed, then make it private: chmod 700"
            )

    def _open_keys(self, *, create: bool) -> Keys:
        place = str(self.folder)
        try:
            return open_keys(self.root, place, create=False)
        except KeyGone:
            if not create or os.listdir(self.records) or os.listdir(self.objects):
                raise
        with self.locked(PATIENCE):
            return open_keys(self.root, place, create=True)

    # --- one at a time ----------------------------------------------------------------------

    @contextmanager
    def locked(self, patience: float) -> Iterator[None]:
        """Be the only process and thread that changes anything; may be entered again by who is.

        Args:
            patience: seconds to wait for another process.

        Raises:
            VaultBusy: another process did not finish in that time.
            OSError: the lock cannot be made.
        """
        with self._turn:
            if self._locks:
                yield  # this thread has it already
                return
            with self._locked(patience):
                yield

    @contextmanager
    def _locked(self, patience: float) -> Iterator[None]:
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open("lock", flags, 0o600, dir_fd=self.root)
        try:
            self._wait_for(descriptor, patience)
            self._locks = 1
            try:
                yield
            finally:
                self._locks = 0
                fcntl.flock(descriptor, fcntl.LOCK_UN)
        finally:
            os.close(descriptor)

    def _wait_for(self, descriptor: int, patience: float) -> None:
        deadline = time.monotonic() + patience
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    raise VaultBusy(
                        f"{self.folder}: another process works on it; try again when it is done"
                    ) from None
                time.sleep(_POLL)
            else:
                return

    # --- numbers and files ------------------------------------------------------------------

    def numbers(self) -> list[str]:
        """Numbers of all objects whose records stand, in no order that means anything."""
        return sorted(name for name in os.listdir(self.records) if _NUMBER.match(name))

    def new_number(self) -> str:
        """A number that nothing here has."""
        while True:
            number = os.urandom(_NUMBER_BYTES).hex()
            if not self.exists(self.records, number) and not self.exists(self.objects, number):
                return number

    def unfinished(self) -> list[tuple[str, str]]:
        """Numbers and kinds of what is under way or was interrupted."""
        found = []
        for name in sorted(os.listdir(self.work)):
            number, _, kind = name.partition(".")
            if _NUMBER.match(number):
                found.append((number, kind))
        return found

    def holds(self, folder: int) -> bool:
        """Whether an opened folder is one of the vault's own."""
        status = os.fstat(folder)
        return any(os.path.samestat(status, os.fstat(own)) for own in self._held)

    @staticmethod
    def exists(folder: int, name: str) -> bool:
        """Whether there is such a file."""
        try:
            os.stat(name, dir_fd=folder, follow_symlinks=False)
        except FileNotFoundError:
            return False
        return True

    def write_sealed(self, folder: int, name: str, value: msgspec.Struct, number: str) -> None:
        """Write a sealed file, durably and all at once, in place of an earlier one.

        Raises:
            VaultFull: the disk is full.
            OSError: it cannot be written.
        """
        half = f"{number}.{HALF}"
        with suppress(FileNotFoundError):
            os.unlink(half, dir_fd=self.work)
        descriptor = os.open(half, _NEW, 0o600, dir_fd=self.work)
        try:
            write_all(descriptor, seal(value, self.keys.records, number))
            os.fsync(descriptor)
            os.rename(half, name, src_dir_fd=self.work, dst_dir_fd=folder)
        except BaseException as error:
            with suppress(OSError):
                os.unlink(half, dir_fd=self.work)
            if isinstance(error, OSError):
                raise_if_full(error, self.folder)
            raise
        finally:
            os.close(descriptor)
        sync_folder(folder)

    def new_file(self, name: str) -> int:
        """A new file in `work`, open for writing."""
        return os.open(name, _NEW, 0o600, dir_fd=self.work)

    def read(self, folder: int, name: str) -> bytes:
        """What is in a small file.

        Raises:
            FileNotFoundError: there is none.
        """
        descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
        with open(descriptor, "rb") as file:
            return file.read()

    def size(self) -> int:
        """Bytes of all objects, those under way included."""
        total = 0
        for folder in (self.objects, self.work):
            for name in os.listdir(folder):
                with suppress(FileNotFoundError):
                    total += os.stat(name, dir_fd=folder, follow_symlinks=False).st_size
        return total

    def remove_left_over_keys(self) -> None:
        """Remove a key that was being made when its process ended."""
        for name in os.listdir(self.root):
            if name.startswith(f".{FILE_NAME.decode()}-"):
                os.unlink(name, dir_fd=self.root)


def raise_if_full(error: OSError, place: object) -> None:
    """Say clearly that a disk is full, when that is what an error says.

    Raises:
        VaultFull: it is.
    """
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        raise VaultFull(
            f"{place}: {error.strerror}; nothing was changed. Make room, or delete what is no "
            "longer needed: tocsin quarantine delete"
        ) from error
