"""Everything about a file but its content: taken down, and put on another file again.

All of it goes through the open file, never through a path. Access lists are the extended
attributes `system.posix_acl_access`; file capabilities are `security.capability`. What lets a
program run with more rights than its caller's (set-id bits, capabilities) is put back only on
request.

Source: xattr(7), inode(7), acl(5), ioctl_iflags(2).
"""

from __future__ import annotations

import array
import errno
import fcntl
import grp
import os
import pwd
import stat
from contextlib import suppress

import msgspec

CAPABILITY = b"security.capability"
ACCESS_LIST = b"system.posix_acl_access"
IMMUTABLE = 0x10
APPEND_ONLY = 0x20
SET_ID = stat.S_ISUID | stat.S_ISGID
_SETTABLE = 0x08 | 0x40 | 0x80  # written at once, not dumped, access time not kept
_GET_FLAGS = 0x80086601
_SET_FLAGS = 0x40086602
_NO_FLAGS = (errno.ENOTTY, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL)
_REFUSED = frozenset(
    {errno.EPERM, errno.EACCES, errno.EOPNOTSUPP, errno.ENOSYS, errno.ENOTTY, errno.EINVAL}
)
"""What the rights or the file system do not allow: said, but no reason not to go on."""

_NO_ATTRIBUTES = (errno.EOPNOTSUPP, errno.ENOSYS)


class Metadata(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a file besides its content.

    Attributes:
        mode: permission bits, set-id and sticky bits included.
        uid: owner.
        gid: group.
        user: the owner's name then, or empty.
        group: the group's name then, or empty.
        atime_ns: last read.
        mtime_ns: last written.
        ctime_ns: last changed in any way; no system lets this be set.
        attributes: names and values of extended attributes, access lists among them.
        flags: inode flags of the file system, or None where it has none.
        links: names it had.
    """

    mode: int
    uid: int
    gid: int
    user: str
    group: str
    atime_ns: int
    mtime_ns: int
    ctime_ns: int
    attributes: tuple[tuple[bytes, bytes], ...]
    flags: int | None
    links: int


def read_metadata(descriptor: int, status: os.stat_result) -> Metadata:
    """Take down what is known of a file.

    Args:
        descriptor: the open file.
        status: from before its content was read.

    Raises:
        OSError: its attributes cannot be read.
    """
    return Metadata(
        mode=stat.S_IMODE(status.st_mode),
        uid=status.st_uid,
        gid=status.st_gid,
        user=user_name(status.st_uid),
        group=_group_name(status.st_gid),
        atime_ns=status.st_atime_ns,
        mtime_ns=status.st_mtime_ns,
        ctime_ns=status.st_ctime_ns,
        attributes=tuple(_attributes(descriptor)),
        flags=read_flags(descriptor),
        links=status.st_nlink,
    )


def user_name(uid: int) -> str:
    """A user's name, or empty."""
    with suppress(KeyError):
        return pwd.getpwuid(uid).pw_name
    return ""


def _group_name(gid: int) -> str:
    with suppress(KeyError):
        return grp.getgrgid(gid).gr_name
    return ""


def _attributes(descriptor: int) -> list[tuple[bytes, bytes]]:
    try:
        names = sorted(os.listxattr(descriptor))
    except OSError as error:
        if error.errno in _NO_ATTRIBUTES:
            return []
        raise
    return [(os.fsencode(name), os.getxattr(descriptor, name)) for name in names]


def read_flags(descriptor: int) -> int | None:
    """The inode's flags, or None where the file system has none."""
    held = array.array("L", [0])
    try:
        fcntl.ioctl(descriptor, _GET_FLAGS, held)
    except OSError as error:
        if error.errno in _NO_FLAGS:
            return None
        raise
    return held[0] & 0xFFFFFFFF


def write_flags(descriptor: int, flags: int) -> None:
    """Set the inode's flags.

    Raises:
        OSError: the file system or the rights do not allow it.
    """
    fcntl.ioctl(descriptor, _SET_FLAGS, array.array("L", [flags]))


def apply_metadata(descriptor: int, metadata: Metadata, *, keep_setid: bool) -> list[str]:
    """Put what was taken down on a new file that nobody else can reach yet.

    The owner comes first, because a change of it clears set-id bits; then the mode, the
    attributes and the times. Immutability is not among it: see `protect_again`.

    Args:
        descriptor: the file, open for writing.
        metadata: what was taken down.
        keep_setid: set-id bits and capabilities too.

    Returns:
        What could not be put back, in words.

    Raises:
        OSError: something cannot be put back for another reason than that it is not allowed.
    """
    remarks: list[str] = []
    owned = _give(descriptor, metadata, remarks)
    mode = metadata.mode
    if mode & SET_ID and not (keep_setid and owned):
        mode &= ~SET_ID
        remarks.append("its set-user-ID or set-group-ID bit was left off")
    _forget_inherited(descriptor, metadata)
    os.fchmod(descriptor, mode)
    _put_attributes(descriptor, metadata, keep_setid and owned, remarks)
    _put_flags(descriptor, metadata, remarks)
    os.utime(descriptor, ns=(metadata.atime_ns, metadata.mtime_ns))
    return remarks


def _give(descriptor: int, metadata: Metadata, remarks: list[str]) -> bool:
    status = os.fstat(descriptor)
    if (status.st_uid, status.st_gid) == (metadata.uid, metadata.gid):
        return True
    try:
        os.fchown(descriptor, metadata.uid, metadata.gid)
    except OSError as error:
        if error.errno not in _REFUSED:
            raise
        owner = f"{metadata.user or metadata.uid}:{metadata.group or metadata.gid}"
        remarks.append(f"it could not be given back to {owner}: {error.strerror}")
        return False
    return True


def _forget_inherited(descriptor: int, metadata: Metadata) -> None:
    """Take off an access list that the new file has from its folder and the old one had not."""
    if all(name != ACCESS_LIST for name, _ in metadata.attributes):
        with suppress(OSError):
            os.removexattr(descriptor, ACCESS_LIST)


def _put_attributes(
    descriptor: int, metadata: Metadata, with_rights: bool, remarks: list[str]
) -> None:
    wanted = dict(metadata.attributes)
    if CAPABILITY in wanted and not with_rights:
        del wanted[CAPABILITY]
        remarks.append("its file capabilities were left off")
    for key, value in wanted.items():
        with suppress(OSError):
            if os.getxattr(descriptor, key) == value:
                continue
        try:
            os.setxattr(descriptor, key, value)
        except OSError as error:
            if error.errno not in _REFUSED:
                raise
            remarks.append(f"its attribute {os.fsdecode(key)} was not set: {error.strerror}")


def _put_flags(descriptor: int, metadata: Metadata, remarks: list[str]) -> None:
    if metadata.flags is None:
        return
    wanted = metadata.flags & _SETTABLE
    try:
        now = read_flags(descriptor)
        if now is not None and now & _SETTABLE != wanted:
            write_flags(descriptor, now & ~_SETTABLE | wanted)
        elif now is None and wanted:
            remarks.append("the file system has no inode flags")
    except OSError as error:
        if error.errno not in _REFUSED:
            raise
        remarks.append(f"its inode flags were not set: {error.strerror}")


def protect_again(descriptor: int, metadata: Metadata) -> list[str]:
    """Make a file immutable or append-only again, once it has its name.

    Returns:
        What could not be done, in words.
    """
    wanted = (metadata.flags or 0) & (IMMUTABLE | APPEND_ONLY)
    if not wanted:
        return []
    try:
        now = read_flags(descriptor)
        if now is None:
            return ["the file system does not know immutable files"]
        write_flags(descriptor, now | wanted)
    except OSError as error:
        return [f"it was not made immutable or append-only again: {error.strerror}"]
    return []


def lift_protection(descriptor: int, flags: int | None) -> bool:
    """Make an immutable or append-only file one that can be removed.

    Returns:
        Whether anything was lifted.

    Raises:
        OSError: the rights do not allow it.
    """
    if flags is None or not flags & (IMMUTABLE | APPEND_ONLY):
        return False
    write_flags(descriptor, flags & ~(IMMUTABLE | APPEND_ONLY))
    return True
