"""Taking a file away: copied into the vault, recorded, and only then removed from its place.

The order, in which each line is on the disk before the next begins:

1. `work/ID.object`: the encrypted content.
2. `work/ID.taking`: the record, with the names of both in the folder synchronised.
3. The original loses its name (see `removal`), and its folder is synchronised.
4. Object and record move to where they stay.

Until 2 the file stands in its place and whatever is in the vault is dropped. From then on the
vault holds everything; `recovery` finishes 3 and 4 after an interruption. At no instant is
neither whole, and never are there two records.

What was scanned is what is taken: the opened file is compared with the identity of what was
scanned, its content with the digest, and its status once more when all of it was read.
"""

from __future__ import annotations

import errno
import os
import stat
from contextlib import suppress
from typing import NamedTuple

from tocsin.errors import QuarantineError
from tocsin.protect.quarantine.content_cipher import SealedWriter
from tocsin.protect.quarantine.errors import (
    IdentityChanged,
    MailboxRefused,
    NotTaken,
    VaultFull,
)
from tocsin.protect.quarantine.file_metadata import Metadata, read_metadata
from tocsin.protect.quarantine.identity import FileIdentity
from tocsin.protect.quarantine.mailboxes import mailbox_kind, message_objects
from tocsin.protect.quarantine.record import Finding, Record, now_and_here
from tocsin.protect.quarantine.removal import check_removable, private_name, remove_name
from tocsin.protect.quarantine.safe_open import (
    open_anchor,
    open_anchored,
    open_folder,
    split_path,
    sync_folder,
)
from tocsin.protect.quarantine.sparse import Digests, pack_file
from tocsin.protect.quarantine.store import OBJECT, TAKING, Store, raise_if_full

_MOST_NAMES_LOOKED_AT = 10_000
_KINDS = {
    stat.S_ISLNK: "a link",
    stat.S_ISDIR: "a folder",
    stat.S_ISFIFO: "a pipe",
    stat.S_ISSOCK: "a socket",
    stat.S_ISBLK: "a device",
    stat.S_ISCHR: "a device",
}


class Opened:
    """A file that is to be taken or removed, opened in its folder without following links.

    Args:
        path: where it is, absolute.
        expected: what was scanned; None takes whatever is there.
        digest: of what was scanned; empty for what `expected` says.

    Attributes:
        place: its path, for messages.
        folder: descriptor of its folder.
        name: its name in it.
        descriptor: of the file.
        status: what the system said of it when it was opened.

    Raises:
        NotTaken: it cannot be opened, or is no regular file.
        IdentityChanged: it is not what was scanned.
    """

    def __init__(self, path: bytes, expected: FileIdentity | None, digest: str = "") -> None:
        self.place = os.fsdecode(path)
        self._digest = digest or (expected.sha256 if expected is not None else "")
        self.expected = expected.with_digest(self._digest) if expected is not None else None
        self._held: list[int] = []
        try:
            folder, self.name = split_path(path)
            self.folder = self._hold(open_folder(folder))
            anchor = self._hold(open_anchor(self.folder, self.name))
            self.status = os.fstat(anchor)
            self._check(self.status)
            self.descriptor = self._hold(open_anchored(anchor, self.folder, self.name))
        except (ValueError, OSError) as error:
            self.close()
            raise NotTaken(f"{self.place}: {_reason(error)}") from error
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Opened:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Close it and its folder."""
        while self._held:
            os.close(self._held.pop())

    def _hold(self, descriptor: int) -> int:
        self._held.append(descriptor)
        return descriptor

    def _check(self, status: os.stat_result) -> None:
        for is_kind, kind in _KINDS.items():
            if is_kind(status.st_mode):
                raise NotTaken(f"{self.place}: this is {kind}, no regular file")
        difference = self.expected.difference(status) if self.expected is not None else ""
        if difference:
            raise IdentityChanged(f"{self.place}: {difference} since it was scanned; scan it again")

    def check_digest(self, sha256: str) -> None:
        """Refuse content that is not what was scanned.

        Raises:
            IdentityChanged: it is not.
        """
        if self._digest not in ("", sha256):
            raise IdentityChanged(
                f"{self.place}: its content changed since it was scanned; scan it again"
            )

    def check_unchanged(self) -> None:
        """Refuse a file that was written to since it was opened.

        Raises:
            IdentityChanged: it was.
        """
        now = os.fstat(self.descriptor)
        before = self.status
        if (now.st_size, now.st_mtime_ns) != (before.st_size, before.st_mtime_ns):
            raise IdentityChanged(f"{self.place}: it was written to while it was read")

    def check_no_mailbox(self, finding: Finding) -> None:
        """Refuse a store of many messages.

        Raises:
            MailboxRefused: it is one.
            OSError: it cannot be read.
        """
        kind = mailbox_kind(self.descriptor)
        if kind:
            objects = message_objects(found.object for found in finding.detections)
            raise MailboxRefused(self.place, kind, objects)

    def other_names(self) -> tuple[bytes, ...]:
        """Further names of the file in the same folder, where there are not too many to look."""
        if self.status.st_nlink < 2:
            return ()
        found: list[bytes] = []
        with suppress(OSError), os.scandir(self.folder) as entries:
            for count, entry in enumerate(entries):
                name = os.fsencode(entry.name)
                if count >= _MOST_NAMES_LOOKED_AT:
                    break
                if entry.inode() == self.status.st_ino and name != self.name:
                    found.append(name)
        return tuple(sorted(found))


class _Content(NamedTuple):
    """What was written into the vault, and the digests of what was read."""

    sha256: str
    md5: str
    stored: int
    metadata: Metadata


def take(store: Store, opened: Opened, finding: Finding, max_size: int) -> Record:
    """Take a file away; the caller holds the vault's lock.

    Args:
        store: the vault.
        opened: the file.
        finding: why.
        max_size: most bytes in the vault; 0: no limit.

    Returns:
        Its record.

    Raises:
        QuarantineError: it was not taken, and stands where it stood.
    """
    number = store.new_number()
    try:
        check_removable(opened.folder, opened.place)
        opened.check_no_mailbox(finding)
        content = _store_content(store, opened, number, max_size)
        record = _record(opened, number, content, finding)
        store.write_sealed(store.work, f"{number}.{TAKING}", record, number)
    except BaseException as error:
        drop(store, number)
        if isinstance(error, OSError):
            raise_if_full(error, store.folder)
            raise NotTaken(f"{opened.place}: {_reason(error)}") from error
        raise
    try:
        _remove(opened, number)
    except NotTaken:
        drop(store, number)
        raise
    # From here on the vault alone holds the file: whatever goes wrong, nothing is dropped.
    try:
        sync_folder(opened.folder)
        settle(store, number)
    except OSError as error:
        raise QuarantineError(
            f"{opened.place}: it is in the vault as {number} and no longer in its place, but that "
            f"could not be completed: {error.strerror}; the vault does so when it is next opened"
        ) from error
    return record


def _remove(opened: Opened, number: str) -> None:
    remove_name(
        opened.folder,
        opened.name,
        opened.status,
        opened.descriptor,
        opened.place,
        private_name(number),
    )


def _store_content(store: Store, opened: Opened, number: str, max_size: int) -> _Content:
    room = max_size - store.size() if max_size else None
    if room is not None and min(opened.status.st_size, opened.status.st_blocks * 512) > room:
        raise _no_room(opened.place, max_size)
    metadata = read_metadata(opened.descriptor, opened.status)
    digests = Digests("sha256", "md5")
    target = store.new_file(f"{number}.{OBJECT}")
    try:
        writer = SealedWriter(target, store.keys.objects, number)

        def write(data: bytes) -> None:
            writer.write(data)
            if room is not None and writer.written > room:
                raise _no_room(opened.place, max_size)

        pack_file(opened.descriptor, opened.status.st_size, write, digests)
        writer.finish()
        sha256, md5 = digests.hex()
        opened.check_digest(sha256)
        opened.check_unchanged()
        os.fsync(target)
    finally:
        os.close(target)
    return _Content(sha256, md5, writer.written, metadata)


def _no_room(place: str, max_size: int) -> VaultFull:
    return VaultFull(
        f"{place}: not taken, because the vault would hold more than {max_size:,} bytes "
        "(quarantine.max_size); delete what is no longer needed: tocsin quarantine delete"
    )


def _record(opened: Opened, number: str, content: _Content, finding: Finding) -> Record:
    when, user, host = now_and_here()
    folder = os.fstat(opened.folder)
    return Record(
        id=number,
        path=os.fsencode(opened.place),
        folder=(folder.st_dev, folder.st_ino),
        inode=(opened.status.st_dev, opened.status.st_ino),
        size=opened.status.st_size,
        sha256=content.sha256,
        md5=content.md5,
        metadata=content.metadata,
        other_names=opened.other_names(),
        finding=finding,
        taken=when,
        taken_by=user,
        host=host,
        stored=content.stored,
    )


def settle(store: Store, number: str) -> None:
    """Move a taken object and its record to where they stay; the object comes first."""
    with suppress(FileNotFoundError):  # an interruption may have come between the two
        os.rename(f"{number}.{OBJECT}", number, src_dir_fd=store.work, dst_dir_fd=store.objects)
    sync_folder(store.objects)
    os.rename(f"{number}.{TAKING}", number, src_dir_fd=store.work, dst_dir_fd=store.records)
    sync_folder(store.records)


def drop(store: Store, number: str) -> None:
    """Forget a file that was not removed from its place; the record goes first."""
    for kind in (TAKING, OBJECT):
        with suppress(OSError):  # whatever stays is dropped when the vault is next opened
            os.unlink(f"{number}.{kind}", dir_fd=store.work)
            sync_folder(store.work)


def _reason(error: Exception) -> str:
    if isinstance(error, OSError):
        if error.errno == errno.ELOOP:
            return "a folder in its path is a link; name it by its real path"
        return error.strerror or str(error)
    return str(error)
