"""What "every local file system" and "downloads and temporary folders" mean. Pure."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple

from tocsin.protect.mounts import PSEUDO_FILE_SYSTEMS, Mount

_ELSEWHERE = frozenset(
    {
        *("nfs", "nfs4", "cifs", "smb3", "smbfs", "ncpfs", "afs", "ceph", "coda", "9p"),
        *("glusterfs", "lustre", "gpfs", "ocfs2", "gfs", "gfs2", "orangefs", "pvfs2", "beegfs"),
        *("virtiofs", "vboxsf", "prl_fs", "davfs", "sshfs", "acfs", "moosefs", "quobyte"),
    }
)
_LAYERED = frozenset({"overlay", "aufs", "ecryptfs", "shiftfs", "unionfs"})
"""What is in them lies in another file system, which is looked at."""

_TEMPORARY = ("/tmp", "/var/tmp", "/dev/shm")  # noqa: S108 - looked into
_DOWNLOADS = re.compile(r'^XDG_(?:DOWNLOAD|DESKTOP)_DIR="([^"\n]+)"', re.M)


class LocalFileSystems(NamedTuple):
    """Where to begin, and where not to go.

    Attributes:
        tops: mount points, each walked without entering another.
        leave: every mount point.
        passed_over: mount points of what is not local, with their types.
    """

    tops: tuple[str, ...]
    leave: frozenset[str]
    passed_over: tuple[tuple[str, str], ...]


def local_file_systems(mounts: Sequence[Mount]) -> LocalFileSystems:
    """The local file systems of a machine, each part of them once.

    A part that is mounted twice is walked where it is mounted by its uppermost folder. What lies
    hidden below another mount cannot be reached.

    Args:
        mounts: every mount, in the order in which they were made.
    """
    visible: dict[str, Mount] = {mount.place: mount for mount in mounts}
    chosen: dict[int, list[Mount]] = {}
    passed_over = []
    for mount in sorted(visible.values(), key=lambda m: (len(m.root), m.number)):
        if not _is_local(mount):
            if mount.kind not in PSEUDO_FILE_SYSTEMS:
                passed_over.append((mount.place, mount.kind))
            continue
        same = chosen.setdefault(mount.device, [])
        if not any(_contains(other.root, mount.root) for other in same):
            same.append(mount)
    tops = sorted(mount.place for group in chosen.values() for mount in group)
    return LocalFileSystems(tuple(tops), frozenset(visible), tuple(sorted(passed_over)))


def _is_local(mount: Mount) -> bool:
    if mount.place == "/":
        return True
    if mount.kind.startswith("fuse"):
        return False
    return mount.kind not in PSEUDO_FILE_SYSTEMS | _ELSEWHERE | _LAYERED


def _contains(folder: str, other: str) -> bool:
    return folder in ("/", other) or other.startswith(folder.rstrip("/") + "/")


def quick_folders(homes: Iterable[str], settings_of: dict[str, str]) -> list[str]:
    """Folders where new files arrive.

    Args:
        homes: home folders.
        settings_of: the text of each home's `.config/user-dirs.dirs`, where there is one.
    """
    folders = [*_TEMPORARY]
    for home in homes:
        folders.append(f"{home}/Downloads")
        stated = _DOWNLOADS.findall(settings_of.get(home, ""))
        folders += [folder.replace("$HOME", home, 1).rstrip("/") for folder in stated]
    return [folder for folder in dict.fromkeys(folders) if folder not in homes]


def outermost(folders: Collection[str]) -> list[str]:
    """Folders without those that lie in another of them, sorted."""
    kept: list[str] = []
    for folder in sorted({os.path.normpath(each) for each in folders}):
        if not any(_contains(above, folder) for above in kept):
            kept.append(folder)
    return kept
