"""What each option of `clamd.conf` becomes: one small function a setting.

A handler puts its setting into the draft and says what became of the line. Which options there
are, and what is said of those that need no handler, is in the tables of options.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

from tocsin.protect.configuration import forms
from tocsin.protect.migrate.clamav_file import Stated
from tocsin.protect.migrate.draft import Draft, Value
from tocsin.protect.migrate.options import Fate
from tocsin.protect.migrate.path_patterns import globs_of
from tocsin.protect.migrate.virus_event import command_of

CLAMD_PORT = 3310
ECS_FILE = "/var/log/tocsin/events.json"
_OFFICIAL = ("main", "daily", "bytecode", "safebrowsing")
_DEFAULT_QUEUE = 2000


class Said(NamedTuple):
    """What became of a line; the fields are those of `draft.Row`."""

    fate: Fate
    becomes: str = ""
    remark: str = ""
    attention: bool = False


Handler = Callable[[Draft, Stated], Said]


def is_official(name: str) -> bool:
    """Whether a file is one of those that ClamAV's own mirrors hand out."""
    stem, _, ending = name.rpartition(".")
    return stem in _OFFICIAL and ending in ("cvd", "cld")


def _becomes(text: str, remark: str = "", *, attention: bool = False) -> Said:
    return Said(Fate.BECOMES, text, remark, attention)


def _number(table: str, key: str, low: float, high: float, factor: float = 1) -> Handler:
    """A number, held within what the setting takes."""

    def handle(draft: Draft, stated: Stated) -> Said:
        assert isinstance(stated.value, int)
        wanted = stated.value * factor
        value = min(max(wanted, low), high)
        remark = "" if value == wanted else f"{stated.text} is beyond what the setting takes"
        return _becomes(
            draft.put(table, key, value if factor != 1 else int(value), stated), remark,
            attention=bool(remark),
        )  # fmt: skip

    return handle


def _switch(table: str, key: str) -> Handler:
    def handle(draft: Draft, stated: Stated) -> Said:
        return _becomes(draft.put(table, key, stated.value, stated))

    return handle


def _either(table: str, key: str, remark: str) -> Handler:
    """One of several switches for one setting: any `yes` sets it."""

    def handle(draft: Draft, stated: Stated) -> Said:
        if not stated.value:
            return Said(Fate.SAME)
        if draft.get(table, key):
            return _becomes(draft.said(table, key, True))
        return _becomes(draft.put(table, key, True, stated), remark)

    return handle


def _local_socket(draft: Draft, stated: Stated) -> Said:
    place = normal_path(stated.text)
    if draft.machine.take_over_socket:
        wrong = forms.CHECKS["needed-path"](place)
        if wrong or len(place.encode()) > forms.LONGEST_SOCKET:
            return Said(
                Fate.NO_COUNTERPART, "", wrong or "longer than a socket's path can be", True
            )
        return _becomes(
            draft.put("daemon", "socket", place, stated),
            "clamd must be switched off, its systemd socket too, before the daemon starts",
        )
    return _becomes(
        draft.put("daemon", "socket", NEW_SOCKET, stated, f"in place of {place}"),
        "clients must be told the new socket; with --take-over-socket they need no change",
    )


NEW_SOCKET = "/run/tocsin/clamd.sock"


def normal_path(place: str) -> str:
    """A path as it is named today: `/var/run` has been a link to `/run` for long."""
    return place.removeprefix("/var") if place.startswith("/var/run/") else place


def _socket_group(draft: Draft, stated: Stated) -> Said:
    wrong = forms.CHECKS["account"](stated.text)
    if wrong:
        return Said(Fate.NO_COUNTERPART, "", wrong, True)
    return _becomes(
        draft.put("daemon", "socket_group", stated.text, stated),
        "the group must stay when ClamAV's packages are removed",
    )


def _socket_mode(draft: Draft, stated: Stated) -> Said:
    digits = stated.text.lstrip("0")
    if not re.fullmatch(r"[0-7]{1,3}", digits, re.A):
        return Said(Fate.NO_COUNTERPART, "", f"{stated.text!r} is no mode of a socket", True)
    return _becomes(draft.put("daemon", "socket_mode", digits.zfill(4), stated))


def _tcp_port(draft: Draft, stated: Stated) -> Said:
    assert isinstance(stated.value, int)
    if not 0 < stated.value <= 0xFFFF:
        return Said(Fate.NO_COUNTERPART, "", f"there is no port {stated.value}", True)
    addresses = draft.all("TCPAddr")
    host = addresses[0].text if addresses else "127.0.0.1"
    where = f"[{host}]:{stated.value}" if ":" in host else f"{host}:{stated.value}"
    if forms.read_host_port(where) is None:
        return Said(Fate.NO_COUNTERPART, "", f"{host!r} is no address", True)
    setting = draft.put("daemon", "tcp", where, stated)
    remark = "path scans, RELOAD and SHUTDOWN are refused over TCP: tcp_scan_paths, tcp_shutdown"
    if not addresses:
        remark = (
            "clamd listens at every address here; to let other machines in, write "
            f'tcp = "0.0.0.0:{stated.value}" and tcp_anywhere = true; ' + remark
        )
    return _becomes(setting, remark, attention=True)


def _tcp_address(draft: Draft, stated: Stated) -> Said:
    if draft.first("TCPSocket") is None:
        return Said(Fate.NOT_NEEDED, "", "without TCPSocket nothing listens there")
    if draft.get("daemon", "tcp") is None:
        return Said(Fate.NOT_NEEDED, "", "nothing listens there")
    if stated != draft.all("TCPAddr")[0]:
        return Said(
            Fate.NO_COUNTERPART, "",
            "there is one address; to listen at all of them, write 0.0.0.0 or [::]", True,
        )  # fmt: skip
    if forms.is_loopback(stated.text):
        return _becomes("[daemon] tcp")
    return _becomes(
        draft.put("daemon", "tcp_anywhere", True, stated),
        "other machines can have scans made without being asked who they are",
        attention=True,
    )


def _threads(draft: Draft, stated: Stated) -> Said:
    assert isinstance(stated.value, int)
    if 0 < stated.value < draft.machine.processors:
        return _becomes(draft.put("scan", "jobs", min(stated.value, 256), stated))
    return Said(Fate.NOT_NEEDED, "", "one worker a processor, each used in full")


def _patience(draft: Draft, stated: Stated) -> Said:
    """The longer of the time for a command and the time for data."""
    times = [*draft.all("ReadTimeout", stated.file), *draft.all("CommandReadTimeout", stated.file)]
    longest = max(each.value for each in times if isinstance(each.value, int))
    seconds = float(min(max(longest, 1), 86400))
    source = next(each for each in times if each.value == longest)
    if draft.get("daemon", "command_timeout") is None:
        draft.put("daemon", "command_timeout", seconds, source)
    remark = "" if stated.value == longest else f"{source.option} is the longer of the two"
    return _becomes(draft.said("daemon", "command_timeout", seconds), remark)


def _queue(draft: Draft, stated: Stated) -> Said:
    assert isinstance(stated.value, int)
    if stated.value > _DEFAULT_QUEUE:
        return _becomes(draft.put("daemon", "max_queue", min(stated.value, 1_000_000), stated))
    return Said(Fate.NOT_NEEDED, "", f"{_DEFAULT_QUEUE:,} may wait; a small queue saves nothing")


def _no_cache(draft: Draft, stated: Stated) -> Said:
    if not stated.value:
        return Said(Fate.SAME)
    return _becomes(draft.put("daemon", "cache_size", 0, stated))


def _cache(draft: Draft, stated: Stated) -> Said:
    if draft.get("daemon", "cache_size") == 0:
        return Said(Fate.NOT_NEEDED, "", "DisableCache says that nothing is remembered")
    return _number("daemon", "cache_size", 0, 10_000_000)(draft, stated)


def _links(draft: Draft, stated: Stated) -> Said:
    if not stated.value:
        return Said(Fate.SAME)
    return _becomes(
        draft.put("daemon", "follow_links", True, stated), "for files and for folders alike"
    )


def _exclude(draft: Draft, stated: Stated) -> Said:
    globs = globs_of(stated.text)
    if not globs:
        return Said(
            Fate.NO_COUNTERPART, "",
            "no glob says the same; write [scan] exclude by hand", True,
        )  # fmt: skip
    return _becomes(draft.add("scan", "exclude", globs, stated))


def database_folder(draft: Draft, stated: Stated) -> Said:
    """The folder that freshclam fills: of `clamd.conf` first, else of `freshclam.conf`."""
    earlier = draft.first("DatabaseDirectory")
    if earlier is not None and earlier is not stated:
        same = normal_path(earlier.text) == normal_path(stated.text)
        return Said(
            Fate.SAME if same else Fate.NO_COUNTERPART, "",
            "" if same else f"{earlier.origin} names another folder, and that one is read",
            not same,
        )  # fmt: skip
    wrong = forms.CHECKS["needed-path"](stated.text)
    if wrong:
        return Said(Fate.NO_COUNTERPART, "", wrong, True)
    folder = stated.text.rstrip("/") or "/"
    names = [n for n in draft.machine.list_folder(folder) if draft.machine.is_signature_file(n)]
    official = draft.first("OfficialDatabaseOnly")
    if official is not None and official.value:
        places = [f"{folder}/{name}" for name in sorted(names) if is_official(name)]
        if not places:
            return Said(Fate.NO_COUNTERPART, "", f"there is no official file in {folder}", True)
        return _becomes(
            draft.add("database", "sources", places, stated),
            "a file that freshclam renames (.cvd, .cld) must be renamed here too",
            attention=True,
        )
    remark = "" if names else "there are no signatures in it yet: run freshclam"
    return _becomes(draft.add("database", "sources", [folder], stated), remark, attention=not names)


def _official_only(draft: Draft, stated: Stated) -> Said:
    if not stated.value:
        return Said(Fate.SAME)
    draft.put("database", "with_default", False, stated)
    return _becomes("[database] sources", "tocsin's own signatures are left out as well")


def _oldest(draft: Draft, stated: Stated) -> Said:
    assert isinstance(stated.value, int)
    if stated.value < 1:
        return Said(Fate.SAME)
    days = float(min(stated.value, 36500))
    if days < 3:
        draft.put("database", "warn_after_days", days, stated)
    return _becomes(
        draft.put("database", "alarm_after_days", days, stated),
        "an alarm; the daemon goes on with what it has",
    )


def _exceeds(draft: Draft, stated: Stated) -> Said:
    if draft.get("daemon", "on_incomplete") == "found":
        return _becomes(draft.said("daemon", "on_incomplete", "found"))
    choice = "found" if stated.value else "ok"
    remark = "" if stated.value else OK_REMARK
    return _becomes(
        draft.put("daemon", "on_incomplete", choice, stated, remark), remark,
        attention=not stated.value,
    )  # fmt: skip


OK_REMARK = (
    "as clamd does: what was not wholly looked at passes as clean; 'error' has clients "
    "decide, which for mail usually means to try again later"
)


def _log_file(draft: Draft, stated: Stated) -> Said:
    origin = (f"{stated.origin} {stated.option}",)
    forward = {
        "name": Value("clamav-log", ()),
        "kind": Value("ecs", ()),
        "target": Value(ECS_FILE, origin),
    }
    size = next(iter(draft.all("LogFileMaxSize", stated.file)), None)
    if size is not None and isinstance(size.value, int) and size.value:
        forward["max_file_size"] = Value(size.value, (f"{size.origin} {size.option}",))
    draft.forwards.append(forward)
    return _becomes(
        f'[[forward]] kind = "ecs", target = "{ECS_FILE}"',
        "JSON lines, not clamd's text: change what reads the log",
        attention=True,
    )


def _log_size(draft: Draft, stated: Stated) -> Said:
    if not draft.all("LogFile", stated.file) or not stated.value:
        return Said(Fate.SAME if not stated.value else Fate.NOT_NEEDED, "", "")
    return _becomes("[[forward]] max_file_size")


def _syslog(draft: Draft, stated: Stated) -> Said:
    if not stated.value:
        return Said(Fate.SAME)
    draft.forwards.append(
        {
            "name": Value("syslog", ()),
            "kind": Value("syslog", ()),
            "target": Value("/dev/log", (f"{stated.origin} {stated.option}",)),
        }
    )
    return _becomes('[[forward]] kind = "syslog", target = "/dev/log"')


def _virus_event(draft: Draft, stated: Stated) -> Said:
    command, remark = command_of(stated.text, draft.machine.find_program)
    if command is None:
        return Said(Fate.NO_COUNTERPART, "", remark, True)
    return _becomes(
        draft.put("on_finding", "command", tuple(command), stated), remark, attention=bool(remark)
    )


_BOTH = "for archives and documents alike"

CLAMD_HANDLERS: dict[str, Handler] = {
    "LocalSocket": _local_socket,
    "LocalSocketGroup": _socket_group,
    "LocalSocketMode": _socket_mode,
    "TCPSocket": _tcp_port,
    "TCPAddr": _tcp_address,
    "StreamMaxLength": _number("daemon", "stream_max_length", 1, 1 << 50),
    "MaxThreads": _threads,
    "ReadTimeout": _patience,
    "CommandReadTimeout": _patience,
    "MaxQueue": _queue,
    "DisableCache": _no_cache,
    "CacheSize": _cache,
    "IdleTimeout": _number("daemon", "idle_timeout", 1, 86400),
    "ExcludePath": _exclude,
    "FollowDirectorySymlinks": _links,
    "FollowFileSymlinks": _links,
    "CrossFilesystems": _switch("daemon", "cross_file_systems"),
    "DatabaseDirectory": database_folder,
    "OfficialDatabaseOnly": _official_only,
    "FailIfCvdOlderThan": _oldest,
    "SelfCheck": _number("database", "check_every", 0, 366 * 86400),
    "DetectPUA": _switch("scan", "detect_pua"),
    "AlertEncrypted": _either("scan", "alert_encrypted", ""),
    "AlertEncryptedArchive": _either("scan", "alert_encrypted", _BOTH),
    "AlertEncryptedDoc": _either("scan", "alert_encrypted", _BOTH),
    "AlertOLE2Macros": _either("scan", "alert_macros", ""),
    "AlertExceedsMax": _exceeds,
    "MaxScanTime": _number("scan", "timeout", 0, 366 * 86400, 0.001),
    "MaxScanSize": _number("scan", "max_scan_size", 0, 1 << 50),
    "MaxFileSize": _number("scan", "max_file_size", 0, 1 << 50),
    "MaxRecursion": _number("scan", "max_depth", 1, 1000),
    "MaxFiles": _number("scan", "max_files", 0, 1_000_000_000),
    "LogFile": _log_file,
    "LogFileMaxSize": _log_size,
    "LogSyslog": _syslog,
    "VirusEvent": _virus_event,
}
