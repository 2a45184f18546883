"""What is mounted where, as far as scanning must know it."""

from __future__ import annotations

import os
import re
import select
from typing import NamedTuple

PSEUDO_FILE_SYSTEMS = frozenset(
    {
        "autofs",
        "binfmt_misc",
        "bpf",
        "cgroup",
        "cgroup2",
        "configfs",
        "debugfs",
        "devpts",
        "devtmpfs",
        "efivarfs",
        "fusectl",
        "hugetlbfs",
        "mqueue",
        "nsfs",
        "proc",
        "pstore",
        "rpc_pipefs",
        "securityfs",
        "selinuxfs",
        "sysfs",
        "tracefs",
    }
)


_ESCAPE = re.compile(rb"\\([0-3][0-7][0-7])")


class Mount(NamedTuple):
    """One line of `/proc/self/mountinfo` (proc(5)).

    Attributes:
        number: of the mount.
        device: major and minor number of the file system.
        place: where it is mounted.
        kind: the file system's type.
        source: what is mounted.
        options: of the mount.
        root: which part of the file system is seen there.
    """

    number: int
    device: int
    place: str
    kind: str
    source: str
    options: str
    root: str = "/"


def read_mounts(text: bytes | None = None) -> list[Mount]:
    """Every mount that this process sees; none where `/proc` is not to be had.

    Args:
        text: what stands in `mountinfo`; None to read it.
    """
    if text is None:
        try:
            with open("/proc/self/mountinfo", "rb") as file:
                text = file.read()
        except OSError:
            return []
    mounts = []
    for line in text.splitlines():
        fields = line.split()
        try:
            rest = fields.index(b"-", 6)
            major, minor = fields[2].split(b":")
            mounts.append(
                Mount(
                    number=int(fields[0]),
                    device=os.makedev(int(major), int(minor)),
                    place=_unescaped(fields[4]),
                    kind=fields[rest + 1].decode("ascii", "replace"),
                    source=_unescaped(fields[rest + 2]),
                    options=fields[5].decode("ascii", "replace"),
                    root=_unescaped(fields[3]),
                )
            )
        except (ValueError, IndexError):
            continue
    return mounts


class MountWatch:
    """Tells when something was mounted or unmounted (proc(5) on `mountinfo`)."""

    def __init__(self) -> None:
        self._descriptor = os.open("/proc/self/mountinfo", os.O_RDONLY | os.O_CLOEXEC)
        self._poll = select.poll()
        self._poll.register(self._descriptor, select.POLLPRI)

    def changed(self) -> bool:
        """Whether that was so since this was last asked."""
        return bool(self._poll.poll(0))


def pseudo_devices() -> frozenset[int]:
    """Device numbers of the file systems that hold no files of anybody's."""
    return frozenset(m.device for m in read_mounts() if m.kind in PSEUDO_FILE_SYSTEMS)


def pseudo_mounts() -> frozenset[str]:
    """Where the file systems that hold no files of anybody's are mounted."""
    mounts = read_mounts()
    if not mounts:
        return frozenset({"/proc", "/sys", "/dev"})
    return frozenset(m.place for m in mounts if m.kind in PSEUDO_FILE_SYSTEMS)


def _unescaped(field: bytes) -> str:
    return os.fsdecode(_ESCAPE.sub(lambda match: bytes([int(match[1], 8)]), field))
