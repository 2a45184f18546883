"""Which file was scanned, so that it can be told from whatever stands in its place later."""

from __future__ import annotations

import os

import msgspec


class FileIdentity(msgspec.Struct, frozen=True, kw_only=True):
    """A file at a point in time.

    The digest decides where it is known: who owns a file can set its times, and may add a
    name to it (which changes its time of change) to slip away.

    Attributes:
        device: number of its file system.
        inode: number in that.
        size: in bytes.
        mtime_ns: when it was last written to, by what its owner says.
        ctime_ns: when anything about it last changed.
        sha256: digest of what was scanned, lower-case hex, or empty.
    """

    device: int
    inode: int
    size: int
    mtime_ns: int
    ctime_ns: int
    sha256: str = ""

    @classmethod
    def of(cls, status: os.stat_result, sha256: str = "") -> FileIdentity:
        """The identity that a status shows."""
        return cls(
            device=status.st_dev,
            inode=status.st_ino,
            size=status.st_size,
            mtime_ns=status.st_mtime_ns,
            ctime_ns=status.st_ctime_ns,
            sha256=sha256,
        )

    @classmethod
    def of_descriptor(cls, descriptor: int, sha256: str = "") -> FileIdentity:
        """The identity of an open file.

        Raises:
            OSError: there is no such descriptor.
        """
        return cls.of(os.fstat(descriptor), sha256)

    def with_digest(self, sha256: str) -> FileIdentity:
        """The same, with the digest of what was scanned."""
        return msgspec.structs.replace(self, sha256=sha256)

    def is_same_file(self, status: os.stat_result) -> bool:
        """Whether a status is that of the same file, whatever happened to its content."""
        return (status.st_dev, status.st_ino) == (self.device, self.inode)

    def difference(self, status: os.stat_result) -> str:
        """How a file differs by its status, in words; empty when it does not.

        Times are compared only where no digest is known, which then must be compared.
        """
        if not self.is_same_file(status):
            return "another file stands in its place now"
        if status.st_size != self.size:
            return "its size changed"
        if self.sha256:
            return ""
        if status.st_mtime_ns != self.mtime_ns:
            return "it was written to"
        if status.st_ctime_ns != self.ctime_ns:
            return "it was changed"
        return ""
