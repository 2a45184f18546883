"""Opening and naming files without following a link, in folders that others may own.

A path is taken apart into its folder and its name. The folder is opened once, without links in
any part of the path (`openat2` with `RESOLVE_NO_SYMLINKS`, and component by component where the
kernel has no such call), and all that follows is done relative to that descriptor: whatever
somebody puts in the folder's place afterwards is never looked at.

Source: openat2(2), rename(2), open(2), proc(5).
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct

from tocsin.sandbox import syscalls

_RESOLVE_NO_MAGICLINKS = 0x02
_RESOLVE_NO_SYMLINKS = 0x04
_AT_FDCWD = -100
_RENAME_NOREPLACE = 1
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_UNSUPPORTED = frozenset({errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP})


def split_path(path: bytes) -> tuple[bytes, bytes]:
    """Folder and name of an absolute path.

    Raises:
        ValueError: it is not absolute, goes upwards, or names no file.
    """
    if not path.startswith(b"/"):
        raise ValueError("it is not an absolute path")
    if b"\0" in path:
        raise ValueError("it has a NUL byte in it")
    parts = path.split(b"/")
    if b".." in parts or parts[-1] in (b"", b"."):
        raise ValueError("it does not end in the name of a file, or goes upwards by '..'")
    return b"/".join(parts[:-1]) or b"/", parts[-1]


def open_folder(path: bytes) -> int:
    """Open a folder; no part of its path may be a link.

    A folder that may be entered but not listed is opened all the same, as a mere place.

    Returns:
        Its descriptor.

    Raises:
        OSError: it cannot be opened; `ELOOP` when there is a link.
    """
    try:
        return _open_folder(path, _FOLDER)
    except PermissionError:
        return _open_folder(path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)


def _open_folder(path: bytes, flags: int) -> int:
    how = struct.pack("QQQ", flags, 0, _RESOLVE_NO_SYMLINKS | _RESOLVE_NO_MAGICLINKS)
    try:
        return syscalls.call(
            "openat2",
            _AT_FDCWD,
            ctypes.create_string_buffer(path),
            ctypes.create_string_buffer(how, len(how)),
            len(how),
        )
    except OSError as error:
        if error.errno != errno.ENOSYS:
            raise OSError(error.errno, error.strerror, path) from None
    return walk_to_folder(path, flags)


def walk_to_folder(path: bytes, flags: int = _FOLDER) -> int:
    """Open a folder one component after the other, for kernels before 5.6.

    Raises:
        OSError: it cannot be opened; `ELOOP` or `ENOTDIR` when there is a link.
    """
    parts = [part for part in path.split(b"/") if part not in (b"", b".")]
    passing = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    at = os.open(b"/", passing if parts else flags)
    for place, part in enumerate(parts):
        last = place == len(parts) - 1
        try:
            deeper = os.open(part, flags | os.O_NOFOLLOW if last else passing, dir_fd=at)
        finally:
            os.close(at)
        at = deeper
    return at


def open_anchor(folder: int, name: bytes) -> int:
    """A descriptor that stands for a file without opening it: nothing can happen by it.

    A link is not followed but stood for itself, so its type must be looked at.

    Raises:
        OSError: there is no such name.
    """
    return os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)


def open_anchored(anchor: int, folder: int, name: bytes) -> int:
    """Open the very file that an anchor stands for, for reading; its access time stays.

    Args:
        anchor: from `open_anchor`, known to be a regular file.
        folder: where it was found, for systems without `/proc`.
        name: its name there.

    Raises:
        OSError: it may not be read, or is not there any more.
    """
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
    for extra in (os.O_NOATIME, 0):
        try:
            return os.open(f"/proc/self/fd/{anchor}", flags | extra)
        except FileNotFoundError:
            return _open_same(anchor, folder, name, flags)
        except PermissionError:  # O_NOATIME is its owner's right
            if not extra:
                raise
    raise AssertionError("one of both returns or raises")


def _open_same(anchor: int, folder: int, name: bytes, flags: int) -> int:
    descriptor = os.open(name, flags | os.O_NOFOLLOW, dir_fd=folder)
    if not os.path.samestat(os.fstat(descriptor), os.fstat(anchor)):
        os.close(descriptor)
        raise FileNotFoundError(errno.ENOENT, "another file stands in its place now")
    return descriptor


def rename_new(folder: int, old: bytes, new: bytes, new_folder: int = -1) -> None:
    """Rename, but never over anything.

    Args:
        folder: where the old name is.
        old: the name.
        new: the new name.
        new_folder: where the new name is to be; -1 for the same folder.

    Raises:
        FileExistsError: the new name is taken.
        OSError: it cannot be renamed.
    """
    target = folder if new_folder < 0 else new_folder
    try:
        syscalls.call(
            "renameat2",
            folder,
            ctypes.create_string_buffer(old),
            target,
            ctypes.create_string_buffer(new),
            _RENAME_NOREPLACE,
        )
    except OSError as error:
        if error.errno not in _UNSUPPORTED:
            raise
    else:
        return
    # A file system without that form, as NFS: a second name is never made over another.
    os.link(old, new, src_dir_fd=folder, dst_dir_fd=target, follow_symlinks=False)
    os.unlink(old, dir_fd=folder)


def sync_folder(folder: int) -> None:
    """Have the names in a folder outlive a loss of power."""
    try:
        os.fsync(folder)
    except OSError as error:
        if error.errno not in (errno.EBADF, errno.EINVAL, errno.EOPNOTSUPP):
            raise
        os.sync()  # one that may be entered but not listed, or a file system that has no such call
