"""Files to be taken away and put back, and all that can be seen of a file."""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path
from typing import Any

from tocsin.protect.quarantine.file_metadata import read_flags
from tocsin.protect.quarantine.record import Detected, Finding
from tocsin.protect.quarantine.sparse import stretches

ROOT = os.geteuid() == 0
FINDING = Finding(
    origin="test",
    verdict="infected",
    detections=(Detected(name="Test.Needle", source="a.ndb", object="x!/y"),),
    database="d" * 40,
)


def seen(path: Path | bytes, *, times: bool = True) -> dict[str, Any]:
    """Everything about a file that putting it back must bring back."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | (os.O_NOATIME if ROOT else 0))
    try:
        status = os.fstat(descriptor)
        assert stat.S_ISREG(status.st_mode)
        with open(descriptor, "rb", closefd=False) as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        held = {
            "digest": digest,
            "size": status.st_size,
            "mode": stat.S_IMODE(status.st_mode),
            "owner": (status.st_uid, status.st_gid),
            "attributes": {
                name: os.getxattr(descriptor, name) for name in os.listxattr(descriptor)
            },
            "flags": (read_flags(descriptor) or 0) & 0xF8,
            "stretches": list(stretches(descriptor, status.st_size)),
        }
        if times:
            held["times"] = (status.st_atime_ns, status.st_mtime_ns)
        return held
    finally:
        os.close(descriptor)


def left_in(vault: Path) -> dict[str, list[str]]:
    """The files in a vault's folders."""
    return {name: sorted(os.listdir(vault / name)) for name in ("work", "objects", "records")}


EMPTY: dict[str, list[str]] = {"work": [], "objects": [], "records": []}


def make_sample(path: Path) -> None:
    """A small file with holes, attributes and old times."""
    with open(path, "wb") as file:
        file.write(b"head" * 500)
        file.seek(200_000)
        file.write(b"tail")
        file.truncate(300_000)
    os.chmod(path, 0o640)
    os.setxattr(path, "user.origin", b"\0test\xff")
    os.utime(path, ns=(1_000_000_000_123_456_789, 1_100_000_000_987_654_321))
