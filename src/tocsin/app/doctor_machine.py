"""Whether the machine gives the daemon what it needs: room, memory, a clock, and no walls."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import tocsin
from tocsin.app.doctor import Check, State
from tocsin.app.settings import journal_file, quarantine_folder, state_folder
from tocsin.database.cache import default_cache_dir
from tocsin.settings import Settings

GROUP = "machine"
_MIB = 1 << 20
_LITTLE_ROOM = 1024 * _MIB
_NO_ROOM = 64 * _MIB
_BASE_MEMORY = 256 * _MIB
_WORKER_MEMORY = 64 * _MIB
_DAY = 86_400
_LATEST = 4_102_444_800  # the year 2100


def examine_machine(settings: Settings) -> Iterator[Check]:
    """Disk, memory, clock and confinement by others."""
    yield from _disks(settings)
    yield memory_check(_memory_limit(), settings.scan.jobs or len(os.sched_getaffinity(0)))
    yield clock_check(time.time(), _known_time())
    yield from _confined_by_others()


# --- room ---------------------------------------------------------------------------------


def _disks(settings: Settings) -> Iterator[Check]:
    """Free room where the daemon writes, once a file system."""
    places = {
        "state": state_folder(settings),
        "journal": journal_file(settings).parent,
        "quarantine": quarantine_folder(settings),
        "index": default_cache_dir(),
    }
    seen: dict[int, list[str]] = {}
    at: dict[int, Path] = {}
    for name, place in places.items():
        there = place
        while not there.exists() and there != there.parent:
            there = there.parent
        with suppress(OSError):
            device = there.stat().st_dev
            seen.setdefault(device, []).append(name)
            at.setdefault(device, there)
    for device, names in seen.items():
        try:
            room = os.statvfs(at[device])
        except OSError:
            continue
        yield room_check(", ".join(names), str(at[device]), room)


def room_check(names: str, place: str, room: os.statvfs_result) -> Check:
    """What is to be said of the room on a file system.

    Args:
        names: what is kept there.
        place: a folder on it.
        room: of it.
    """
    free = room.f_bavail * room.f_frsize
    detail = f"{free / _MIB:,.0f} MiB free for {names} ({place})"
    advice = "make room, or name folders elsewhere in [daemon] state and [quarantine] folder"
    if room.f_files and not room.f_favail:
        return Check(GROUP, "disk", State.FAILED, f"no inode is free for {names} ({place})", advice)
    if free < _NO_ROOM:
        return Check(GROUP, "disk", State.FAILED, detail, advice)
    if free < _LITTLE_ROOM:
        return Check(GROUP, "disk", State.WARNING, detail, advice)
    return Check(GROUP, "disk", State.OK, detail)


# --- memory -------------------------------------------------------------------------------


def _memory_limit() -> int:
    """Bytes of memory that processes like this one may have."""
    limits = []
    with suppress(OSError, ValueError, IndexError):
        for line in Path("/proc/meminfo").read_text("ascii").splitlines():
            if line.startswith("MemTotal:"):
                limits.append(int(line.split()[1]) << 10)
    with suppress(OSError, ValueError):
        own = Path("/proc/self/cgroup").read_text("utf-8", "replace")
        limits += cgroup_limits(own, Path("/sys/fs/cgroup"))
    return min(limits, default=0)


def cgroup_limits(own: str, root: Path) -> list[int]:
    """The limits of memory on a process and on what it is part of.

    Args:
        own: text of `/proc/self/cgroup`.
        root: where control groups are mounted.
    """
    limits = []
    for line in own.splitlines():
        number, controllers, path = [*line.split(":", 2), "", ""][:3]
        if number == "0":
            top, name = root, "memory.max"
        elif "memory" in controllers.split(","):
            top, name = root / "memory", "memory.limit_in_bytes"
        else:
            continue
        place = top / path.lstrip("/")
        for group in (place, *place.parents):
            with suppress(OSError, ValueError):
                limits.append(int((group / name).read_text("ascii")))
            if group == top:
                break
    return limits


def memory_check(limit: int, jobs: int) -> Check:
    """What is to be said of the memory there may be.

    Args:
        limit: bytes; 0 when that cannot be told.
        jobs: worker processes.
    """
    needed = _BASE_MEMORY + jobs * _WORKER_MEMORY
    detail = f"{limit / _MIB:,.0f} MiB for {jobs} workers"
    if limit and limit < needed:
        return Check(
            GROUP, "memory", State.WARNING, f"{detail}; {needed / _MIB:,.0f} would be safe",
            "allow more (the service's MemoryMax, the container's limit), or set [scan] jobs lower",
        )  # fmt: skip
    return Check(GROUP, "memory", State.OK, detail if limit else "no limit known")


# --- the clock ----------------------------------------------------------------------------


def _known_time() -> float:
    """A time that has passed for certain: that of this program's own files."""
    with suppress(OSError):
        return Path(tocsin.__file__).stat().st_mtime
    return 0.0


def clock_check(now: float, known: float) -> Check:
    """What is to be said of the clock.

    Args:
        now: what it says, seconds since 1970.
        known: a time that has passed.
    """
    said = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(now))
    if now < known - _DAY or now > _LATEST:
        return Check(
            GROUP, "clock", State.FAILED, f"it says {said}, which cannot be",
            "set it (timedatectl set-ntp true): the age of signatures, tasks and the journal go "
            "by it",
        )  # fmt: skip
    return Check(GROUP, "clock", State.OK, said)


# --- others on this machine ---------------------------------------------------------------


def _confined_by_others() -> Iterator[Check]:
    """AppArmor and SELinux: whether a profile confines this program."""
    label = ""
    with suppress(OSError):
        label = Path("/proc/self/attr/current").read_text("utf-8", "replace").strip("\0\n ")
    profiles = Path("/sys/module/apparmor/parameters/enabled")
    with suppress(OSError):
        if profiles.read_text("ascii").strip() == "Y":
            if label and not label.startswith("unconfined"):
                yield Check(
                    GROUP, "AppArmor", State.WARNING, f"this program is confined by {label}",
                    "allow that profile to read what is to be scanned, or scanning it fails",
                )  # fmt: skip
            else:
                yield Check(GROUP, "AppArmor", State.OK, "active; no profile confines this program")


def processes_named(name: str) -> list[int]:
    """Processes whose executable has a name, as far as they can be seen."""
    found = []
    for pid in _processes():
        with suppress(OSError):
            command = Path(f"/proc/{pid}/comm").read_text("utf-8", "replace").rstrip("\n")
            if command == name[:15]:
                found.append(pid)
    return found


def fanotify_users() -> list[tuple[int, str]]:
    """Processes that are asked before files are opened, or told of it, with their names."""
    found = []
    for pid in _processes():
        with suppress(OSError):
            for descriptor in os.listdir(f"/proc/{pid}/fd"):
                with suppress(OSError):
                    if os.readlink(f"/proc/{pid}/fd/{descriptor}") == "anon_inode:[fanotify]":
                        name = Path(f"/proc/{pid}/comm").read_text("utf-8", "replace")
                        found.append((pid, name.rstrip("\n")))
                        break
    return found


def _processes() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]
