"""Removing a file's name, and none but that file's, from a folder that others may own.

The name is first renamed, within its folder, to one that nobody can guess; what was renamed is
then compared with the file that was opened before, and only then removed. Why each step is safe:

- *Between the comparison and the removal* nobody but the folder's owner (or, in a folder like
  `/tmp`, the file's owner) can put something else under the new name, and they could remove
  whatever they put there themselves. A program that goes on replacing the file at its old name
  (an editor, a package manager) loses nothing, because the old name is no longer touched.
- *If something else was renamed*, because it was put there in the instant before, it is renamed
  back, unless the name has been taken again; then it stays under the new name, which is said.
- *A crash after renaming* leaves the file under the new name. Of a file that is in the vault the
  name is made from the record's number, so that `recovery` finds it and goes on.
- Links are not followed: a link's own name would be renamed, found to be no such file, and
  renamed back.
"""

from __future__ import annotations

import errno
import os
import stat
from contextlib import suppress

from tocsin.protect.quarantine.errors import IdentityChanged, NotTaken
from tocsin.protect.quarantine.file_metadata import lift_protection, read_flags, write_flags
from tocsin.protect.quarantine.safe_open import rename_new

_READ_ONLY = 1  # ST_RDONLY


def private_name(number: str) -> bytes:
    """The name that a file has for a moment before it is removed."""
    return f".tocsin-{number}".encode("ascii")


def check_removable(folder: int, place: str) -> None:
    """Refuse early what could not be removed at the end.

    Args:
        folder: the folder the file is in.
        place: the file's path, for messages.

    Raises:
        NotTaken: its folder may not be changed.
    """
    if os.statvfs(folder).f_flag & _READ_ONLY:
        raise NotTaken(f"{place}: its file system is mounted read-only; it cannot be removed")
    if not os.access(".", os.W_OK | os.X_OK, dir_fd=folder, effective_ids=True):
        raise NotTaken(f"{place}: you may not remove files from its folder")


def remove_name(
    folder: int, name: bytes, opened: os.stat_result, descriptor: int, place: str, private: bytes
) -> None:
    """Remove a name, if it is that of an opened file; the caller synchronises the folder.

    Args:
        folder: the folder.
        name: the name in it.
        opened: the file's status, since which its content must not have changed.
        descriptor: the opened file.
        place: its path, for messages.
        private: what it is called before it is removed.

    Raises:
        IdentityChanged: the name stands for another file now, or the file was written to.
        NotTaken: it cannot be removed; it still has its name.
    """
    try:
        if not _is_same(folder, name, opened):
            raise IdentityChanged(f"{place}: another file stands in its place now; scan it again")
        flags = read_flags(descriptor)
        lifted = lift_protection(descriptor, flags)
    except OSError as error:
        raise NotTaken(
            f"{place}: it is immutable or append-only, and that cannot be lifted: {error.strerror}"
        ) from error
    try:
        _rename_and_remove(folder, name, opened, place, private)
    except BaseException:
        if lifted and flags is not None:
            with suppress(OSError):
                write_flags(descriptor, flags)
        raise


def _rename_and_remove(
    folder: int, name: bytes, opened: os.stat_result, place: str, private: bytes
) -> None:
    try:
        rename_new(folder, name, private)
    except FileNotFoundError:
        raise IdentityChanged(f"{place}: it is no longer there") from None
    except OSError as error:
        raise NotTaken(f"{place}: {_why_not(error)}") from error
    try:
        if _is_same(folder, private, opened):
            os.unlink(private, dir_fd=folder)
            return
    except OSError as error:
        _rename_back(folder, name, place, private)
        raise NotTaken(f"{place}: {_why_not(error)}") from error
    _rename_back(folder, name, place, private)
    raise IdentityChanged(f"{place}: another file was put in its place; scan it again")


def _rename_back(folder: int, name: bytes, place: str, private: bytes) -> None:
    try:
        rename_new(folder, private, name)
    except FileNotFoundError:
        return  # whoever put it there took it away again
    except OSError as error:
        raise NotTaken(
            f"{place}: what stood there is now called {os.fsdecode(private)} in the same folder, "
            f"and could not be given its name back: {error.strerror}"
        ) from error


def _is_same(folder: int, name: bytes, opened: os.stat_result) -> bool:
    """Whether a name is that of a file as it was: its time of change may differ, for renaming."""
    try:
        now = os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return (
        stat.S_ISREG(now.st_mode)
        and os.path.samestat(now, opened)
        and (now.st_size, now.st_mtime_ns) == (opened.st_size, opened.st_mtime_ns)
    )


def _why_not(error: OSError) -> str:
    if error.errno in (errno.EPERM, errno.EACCES):
        return (
            f"it cannot be removed: {error.strerror} (its folder may be immutable: lsattr -d, or "
            "its file in use as swap)"
        )
    return f"it cannot be removed: {error.strerror}"
