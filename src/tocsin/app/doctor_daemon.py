"""Whether the daemon serves, as itself and as the version that it should be, and guards."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from typing import Any

from tocsin.app.api_client import ApiClient
from tocsin.app.doctor import Check, State
from tocsin.app.doctor_installation import Situation
from tocsin.app.doctor_machine import fanotify_users, processes_named
from tocsin.app.ownership import closed_journal
from tocsin.app.unix_socket import connect_unix
from tocsin.errors import TocsinError
from tocsin.settings import Settings
from tocsin.version import VERSION

GROUP = "daemon"
_PATIENCE = 10.0
_MOST_REPLY = 4096
_START = "start it: 'systemctl start tocsin', or 'tocsin daemon' in a terminal to see what it says"


def examine_daemon(situation: Situation) -> Iterator[Check]:
    """The daemon's sockets, its state, its guard, and who else scans here."""
    settings = situation.settings
    if not situation.installed and not os.path.exists(settings.daemon.api_socket):
        yield _kernel_support()
        return
    status = None
    try:
        status = ApiClient.of(settings, timeout=_PATIENCE).get("/v1/status")
    except TocsinError as error:
        yield Check(GROUP, "API", State.FAILED, str(error), _START)
    else:
        yield from _status(status, settings)
    yield from _clamd_socket(settings)
    yield _kernel_support()
    yield from _guard(settings, status)
    yield from _others(settings, status)


def ask_clamd(place: str, command: bytes) -> str:
    """What a clamd answers to a command.

    Args:
        place: its UNIX socket.
        command: without its line end.

    Raises:
        OSError: it does not answer.
    """
    with connect_unix(place, _PATIENCE) as end:
        end.sendall(b"z" + command + b"\0")
        answer = b""
        while not answer.endswith(b"\0") and len(answer) < _MOST_REPLY:
            part = end.recv(_MOST_REPLY)
            if not part:
                break
            answer += part
    return answer.rstrip(b"\0").decode("utf-8", "replace")


def _clamd_socket(settings: Settings) -> Iterator[Check]:
    place = settings.daemon.socket
    if not place:
        yield Check(GROUP, "clamd socket", State.OK, "the settings want none")
        return
    name = "clamd socket"
    try:
        status = os.stat(place)
        pong, version = ask_clamd(place, b"PING"), ask_clamd(place, b"VERSION")
    except FileNotFoundError:
        yield Check(GROUP, name, State.FAILED, f"{place} is not there", _START)
        return
    except OSError as error:
        yield Check(GROUP, name, State.FAILED, f"{place}: {error.strerror or error}", _START)
        return
    owner = f"mode {stat.S_IMODE(status.st_mode):04o}, of user {status.st_uid}"
    if not version.startswith("tocsin "):
        yield Check(
            GROUP, name, State.FAILED, f"{place}: {version[:80]!r} answers there, not tocsin",
            "end that program and its systemd socket ('systemctl disable --now "
            "clamav-daemon.socket clamav-daemon'), or name another socket in [daemon] socket",
        )  # fmt: skip
    elif pong != "PONG":
        yield Check(GROUP, name, State.FAILED, f"{place}: {pong[:80]!r}, not PONG", _START)
    elif stat.S_IMODE(status.st_mode) != int(settings.daemon.socket_mode, 8):
        yield Check(
            GROUP, name, State.WARNING, f"{place}: {owner}; the settings say "
            f"{settings.daemon.socket_mode}", "restart the daemon: 'systemctl restart tocsin'",
        )  # fmt: skip
    else:
        yield Check(GROUP, name, State.OK, f"{place} answers; {owner}")


def _status(status: dict[str, Any], settings: Settings) -> Iterator[Check]:
    version = str(status.get("version", ""))
    detail = f"version {version}, process {status.get('pid', '?')}"
    if version != VERSION:
        yield Check(
            GROUP, "version", State.WARNING, f"{detail}; this program is {VERSION}",
            "restart the daemon ('systemctl restart tocsin'), or install this version",
        )  # fmt: skip
    else:
        yield Check(GROUP, "version", State.OK, detail)
    database = status.get("database") or {}
    trouble = str(database.get("trouble", ""))
    if not status.get("ready"):
        yield Check(
            GROUP, "database in use", State.WARNING, "it is being prepared; requests wait",
            "with many signatures the first start takes a while",
        )  # fmt: skip
    elif trouble:
        yield Check(
            GROUP, "database in use", State.FAILED, trouble,
            "set [database] sources right, then 'systemctl reload tocsin'",
        )  # fmt: skip
    else:
        count = int(database.get("signatures", 0))
        yield Check(GROUP, "database in use", State.OK, f"{count:,} signatures")
    restarts = {name: count for name, count in (status.get("restarts") or {}).items() if count}
    if restarts:
        said = ", ".join(f"{name} {count} times" for name, count in restarts.items())
        yield Check(
            GROUP, "processes", State.WARNING, f"started anew: {said}",
            "'tocsin events --kind failure' says why",
        )  # fmt: skip
    journal = status.get("journal") or {}
    if journal.get("trouble"):
        closed = closed_journal(settings)
        yield Check(
            GROUP, "journal", State.FAILED,
            str(journal["trouble"]) + (f": {closed.detail}" if closed is not None else ""),
            "events are kept in memory until it can be written; "
            + (closed.advice if closed is not None else "see to the disk or its rights"),
        )  # fmt: skip


# --- the guard ----------------------------------------------------------------------------


def _kernel_support() -> Check:
    from tocsin.protect.guard.fanotify import Group

    name = "kernel support"
    if os.geteuid() != 0:
        return Check("guard", name, State.OK, "not tried: that takes root")
    try:
        Group(permission=True).close()
    except OSError as error:
        return Check(
            "guard", name, State.WARNING, f"no permission events: {error.strerror}",
            "files can be scanned after they were opened, not before; use a kernel with "
            "CONFIG_FANOTIFY_ACCESS_PERMISSIONS, and in a container the right CAP_SYS_ADMIN",
        )  # fmt: skip
    return Check("guard", name, State.OK, "files can be refused before they are opened")


def _guard(settings: Settings, status: dict[str, Any] | None) -> Iterator[Check]:
    if not settings.guard.enabled:
        yield Check("guard", "guard", State.OK, "the settings want none")
        return
    if status is None:
        return
    yield guard_check(status.get("guard") or {})


def guard_check(guard: dict[str, Any]) -> Check:
    """What is to be said of a guard that the settings want.

    Args:
        guard: what the daemon's status says of it; empty when its process does not run.
    """
    if not guard.get("active"):
        why = guard.get("reason") or "its process does not run"
        return Check(
            "guard", "guard", State.FAILED, f"not active: {why}",
            "'tocsin status' and 'tocsin events --kind guard' say more",
        )  # fmt: skip
    troubled = [
        f"{target.get('path')}: {target['trouble']}"
        for target in guard.get("targets") or []
        if target.get("trouble")
    ]
    if troubled:
        return Check(
            "guard", "guard", State.WARNING, f"not guarded: {'; '.join(troubled[:3])}",
            "see [guard] folders, mounts and file_systems",
        )  # fmt: skip
    if guard.get("mode") != "permission":
        return Check(
            "guard", "guard", State.WARNING, "files are scanned after they were opened",
            str(guard.get("reason") or "[guard] mode = \"notify\" says so"),
        )  # fmt: skip
    return Check("guard", "guard", State.OK, "files are scanned before they are opened")


def _others(settings: Settings, status: dict[str, Any] | None) -> Iterator[Check]:
    """Other scanners that run at the same time."""
    own = {int(pid) for pid in ((status or {}).get("processes") or {}).values()}
    clamd = processes_named("clamd")
    if clamd:
        yield Check(
            GROUP, "another scanner", State.WARNING, f"clamd runs as process {clamd[0]}",
            "once clients ask tocsin, switch it off: 'systemctl disable --now "
            "clamav-daemon.socket clamav-daemon'; it holds a gigabyte of memory",
        )  # fmt: skip
    others = [(pid, name) for pid, name in fanotify_users() if pid not in own]
    asking = [f"{name} ({pid})" for pid, name in others if not name.startswith("tocsin")]
    if asking and settings.guard.enabled:
        yield Check(
            "guard", "another guard", State.FAILED, f"{', '.join(asking[:4])} is asked as well",
            "two that wait for each other's reads can stop the machine: end the other one (for "
            "clamonacc 'systemctl disable --now clamav-clamonacc'), or name its program in "
            "[guard] exclude_processes and tocsin's in its own exclusions",
        )  # fmt: skip
