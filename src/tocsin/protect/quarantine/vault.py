"""The quarantine: what was taken away, kept encrypted, and put back exactly.

    with Vault(folder) as vault:
        record = vault.take(path, expected=identity, finding=finding)
        vault.restore(record.id)

A vault may stay open for as long as a process runs, and several processes may have it open:
whoever changes something holds its lock, and finishes first what an interruption left behind.
It keeps the vault's key in memory, so it does not belong into a process that parses anything.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec

from tocsin.protect.quarantine.discard import discard
from tocsin.protect.quarantine.errors import (
    DamagedItem,
    NotRestored,
    NotTaken,
    UnknownRecord,
    VaultBusy,
    VaultUnusable,
)
from tocsin.protect.quarantine.identity import FileIdentity
from tocsin.protect.quarantine.record import (
    DamagedRecord,
    Examination,
    Finding,
    Record,
    unseal,
)
from tocsin.protect.quarantine.recovery import Recovered, recover
from tocsin.protect.quarantine.restore import Restored, restore, write_content
from tocsin.protect.quarantine.store import PATIENCE, TAKING, Store, raise_if_full
from tocsin.protect.quarantine.take import Opened, take

MOST_IN_MEMORY = 1 << 30
"""A larger object is not opened in memory."""

_DAY = 86_400
_SEALS = (1033, 0x1 | 0x2 | 0x4 | 0x8)  # F_ADD_SEALS: no seal more, no size less or more, no write


class Vault:
    """A quarantine folder.

    Args:
        folder: where it is.
        max_size: most bytes in it; what does not fit is refused. 0: no limit.
        create: make it when it is not there.
        patience: seconds to wait for another process that changes something.

    Attributes:
        folder: where it is.
        recovered: what was found unfinished, and what was done about it; may be emptied.

    Raises:
        VaultUnusable: it is not there, is damaged, or is not its user's alone.
    """

    def __init__(
        self,
        folder: Path,
        *,
        max_size: int = 0,
        create: bool = True,
        patience: float = PATIENCE,
    ) -> None:
        self.folder = folder
        self.recovered: list[Recovered] = []
        self._max_size = max_size
        self._patience = patience
        self._store = Store(folder, create=create)
        if self._store.unfinished():
            with suppress(VaultUnusable, VaultBusy), self._changing(patience=0):
                pass

    def __enter__(self) -> Vault:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the folder and the keys."""
        self._store.close()

    @contextmanager
    def _changing(self, patience: float | None = None) -> Iterator[Store]:
        """Be the only one who changes the vault, with nothing left unfinished.

        Raises:
            VaultBusy: another process did not finish in time.
            VaultUnusable: the vault cannot be written to.
        """
        try:
            with self._store.locked(self._patience if patience is None else patience):
                if self._store.unfinished():
                    self.recovered += recover(self._store)
                yield self._store
        except OSError as error:
            raise_if_full(error, self.folder)
            raise VaultUnusable(f"{self.folder}: {error.strerror or error}") from error

    # --- in and out -------------------------------------------------------------------------

    def take(
        self,
        path: str | bytes | os.PathLike[str],
        *,
        expected: FileIdentity | None = None,
        finding: Finding,
        descriptor: int | None = None,
    ) -> Record:
        """Take a file away from its place.

        Args:
            path: where it is; absolute, and without links in it.
            expected: what was scanned; anything else is left alone. None takes what is there.
            finding: why; a digest in it must be that of the file.
            descriptor: of the file that was scanned; stays the caller's.

        Returns:
            Its record. `links_left` says under how many other names its content still stands.

        Raises:
            IdentityChanged: what stands there is not what was scanned.
            MailboxRefused: it is a mailbox; the messages concerned are named.
            NotTaken: it cannot be taken for another reason.
            VaultFull: there is no room.
            VaultUnusable, VaultBusy: the vault cannot be used now.
        """
        digest = (expected.sha256 if expected is not None else "") or finding.sha256
        if descriptor is not None:
            expected = FileIdentity.of_descriptor(descriptor, digest)
        with self._changing() as store, Opened(os.fsencode(path), expected, digest) as opened:
            if store.holds(opened.folder):
                raise NotTaken(f"{opened.place}: this is in the quarantine already")
            return take(store, opened, finding, self._max_size)

    def restore(
        self,
        number: str,
        to: str | bytes | os.PathLike[str] | None = None,
        *,
        keep_setid: bool = False,
    ) -> Path:
        """Put a file back; see `put_back`, which also says what is not as it was."""
        return Path(os.fsdecode(self.put_back(number, to, keep_setid=keep_setid).path))

    def put_back(
        self,
        number: str,
        to: str | bytes | os.PathLike[str] | None = None,
        *,
        keep_setid: bool = False,
    ) -> Restored:
        """Put a file back, after which it is no longer in the vault.

        Args:
            number: its number, or as many of the first digits as tell it from others.
            to: where else than where it stood: a path, or a folder that is there. Without links.
            keep_setid: with set-user-ID and set-group-ID bits and file capabilities.

        Raises:
            UnknownRecord: there is no such record.
            DamagedItem: its record or its content is damaged.
            NotRestored: it cannot be put there; it is still in the vault.
            VaultUnusable, VaultBusy: the vault cannot be used now.
        """
        with self._changing() as store:
            record = self.record(number)
            path = record.path if to is None else os.path.abspath(os.fsencode(to))
            if to is not None and os.path.isdir(path):
                path = os.path.join(path, os.path.basename(record.path))
            if _leads_into(path, self.folder):
                raise NotRestored(f"{os.fsdecode(path)}: this is in the vault itself")
            return restore(store, record, path, keep_setid=keep_setid)

    def delete(self, number: str) -> str:
        """Delete an object for good, its key first; a damaged one too.

        Returns:
            Its whole number.

        Raises:
            UnknownRecord: there is no such record.
            VaultUnusable, VaultBusy: the vault cannot be used now.
        """
        with self._changing() as store:
            whole = self._whole(number)
            discard(store, whole)
        return whole

    def expire(self, keep_days: float) -> list[Record]:
        """Delete what was taken longer ago than a number of days; 0 deletes nothing.

        Returns:
            The records of what was deleted.
        """
        if not keep_days:
            return []
        before = time.time() - keep_days * _DAY
        old = [record for record in self.records() if record.taken < before]
        for record in old:
            with suppress(UnknownRecord):  # another process was faster
                self.delete(record.id)
        return old

    def export(self, number: str, target: str | bytes | os.PathLike[str]) -> Path:
        """Write an object into a zip archive with the password `infected`, for analysis.

        Args:
            number: its number.
            target: the archive; must not be there yet. Only its owner may read it.

        Raises:
            UnknownRecord: there is no such record.
            DamagedItem: its record or its content is damaged.
            NotRestored: the archive cannot be written.
        """
        from tocsin.protect.quarantine.export import export

        return export(self._store, self.record(number), Path(os.fsdecode(target)))

    # --- looking ----------------------------------------------------------------------------

    def items(self) -> Iterator[Record | DamagedRecord]:
        """Everything in the vault, in no order; a damaged record does not hide the others."""
        for number in self._store.numbers():
            try:
                yield self._read(number)
            except FileNotFoundError:
                continue  # taken out meanwhile
            except (DamagedItem, OSError) as error:
                yield DamagedRecord(id=number, reason=str(error))
        for number, kind in self._store.unfinished():
            if kind == TAKING and not self._store.exists(self._store.records, number):
                yield DamagedRecord(id=number, reason="its taking has not been finished yet")

    def records(self) -> list[Record]:
        """What is in the vault and whole, the oldest first."""
        found = [item for item in self.items() if isinstance(item, Record)]
        return sorted(found, key=lambda record: (record.taken, record.id))

    def record(self, number: str) -> Record:
        """The record of a number, or of as many of its first digits as tell it from others.

        Raises:
            UnknownRecord: there is none, or there are several.
            DamagedItem: it is damaged.
        """
        whole = self._whole(number)
        try:
            return self._read(whole)
        except FileNotFoundError:
            raise UnknownRecord(f"{number}: no longer in the quarantine") from None

    def open_content(self, number: str, most: int = MOST_IN_MEMORY) -> int:
        """An object's plain bytes in memory, which cannot be written to.

        Args:
            number: its number.
            most: bytes that may be held in memory.

        Returns:
            A descriptor, which is the caller's to close.

        Raises:
            UnknownRecord: there is no such record.
            DamagedItem: its record or its content is damaged.
            VaultUnusable: it is too large, or cannot be read.
        """
        record = self.record(number)
        if record.size > most:
            raise VaultUnusable(
                f"{record.id}: {record.size:,} bytes are too many to hold in memory ({most:,})"
            )
        descriptor = os.memfd_create("tocsin-quarantine", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        try:
            write_content(self._store, record, descriptor)
            os.lseek(descriptor, 0, os.SEEK_SET)
            import fcntl

            fcntl.fcntl(descriptor, *_SEALS)
        except BaseException as error:
            os.close(descriptor)
            if isinstance(error, OSError):
                raise VaultUnusable(f"{record.id}: {error.strerror}") from error
            raise
        return descriptor

    def remember(self, number: str, examination: Examination) -> Record:
        """Keep with an object what the last look at it said.

        Raises:
            UnknownRecord: it is no longer there.
            DamagedItem: its record is damaged.
            VaultUnusable, VaultBusy: the vault cannot be used now.
        """
        with self._changing() as store:
            record = msgspec.structs.replace(self.record(number), examined=examination)
            store.write_sealed(store.records, record.id, record, record.id)
        return record

    def _whole(self, number: str) -> str:
        found = [whole for whole in self._store.numbers() if whole.startswith(number.lower())]
        if not number or not found:
            raise UnknownRecord(
                f"{number or 'an empty number'}: no such object; 'tocsin quarantine list' shows all"
            )
        if len(found) > 1:
            raise UnknownRecord(f"{number}: {len(found)} objects begin so; give more of the number")
        return found[0]

    def _read(self, number: str) -> Record:
        data = self._store.read(self._store.records, number)
        return unseal(data, Record, self._store.keys.records, number)


def _leads_into(path: bytes, folder: Path) -> bool:
    """Whether a path lies in a folder, once its links are followed.

    Raises:
        NotRestored: the path was changed while it was followed.
    """
    try:
        return os.path.realpath(path).startswith(os.fsencode(folder.resolve()) + b"/")
    except OSError as error:  # a link was there when it was looked at, and gone when it was read
        raise NotRestored(f"{os.fsdecode(path)}: {error.strerror}; try again") from error
