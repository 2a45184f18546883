"""What must hold between several keys of the settings, and what is worth a warning."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from tocsin.protect.account import account_named, is_group, may_write
from tocsin.protect.configuration import forms
from tocsin.protect.journal.event import Kind
from tocsin.settings import DaemonSettings, Settings
from tocsin.toml_files.lines import KeyPath

Found = tuple[KeyPath, str]
"""A key and what is wrong with it."""


def broken_rules(values: dict[str, Any]) -> Iterator[Found]:
    """What several keys say together and cannot mean.

    Args:
        values: the keys that are right each by itself, tables by name.
    """
    yield from _daemon(_table(values, "daemon"))
    yield from _database(_table(values, "database"))
    yield from _twice(("updates", "mirrors"), _table(values, "updates").get("mirrors", []))
    yield from _guard(_table(values, "guard"))
    yield from _forwards(values.get("forward", []))
    yield from _finding(_table(values, "on_finding"))
    yield from _tasks(values.get("task", []))


def warnings(settings: Settings) -> Iterator[Found]:
    """What is allowed and probably not meant."""
    for number, place in enumerate(settings.database.sources):
        if not os.path.exists(place):
            yield ("database", "sources", number), f"there is no {place}"
    guard = settings.guard
    for key, folders in (
        ("folders", guard.folders),
        ("mounts", guard.mounts),
        ("file_systems", guard.file_systems),
    ):
        for number, place in enumerate(folders):
            if not os.path.isdir(place):
                yield ("guard", key, number), f"there is no folder {place}"
    if guard.enabled and guard.fallback == "deny" and guard.on_incomplete == "deny":
        yield (
            ("guard", "fallback"),
            "with fallback and on_incomplete both 'deny', a file that cannot be looked at in "
            "time cannot be opened by anybody; keep a way to log in open",
        )
    for number, target in enumerate(settings.forward):
        parts = urlsplit(target.target) if target.kind == "webhook" else None
        if parts and parts.scheme == "http" and not forms.is_loopback(parts.hostname or ""):
            yield ("forward", number, "target"), "events travel in the clear; use https://"
    for number, task in enumerate(settings.task):
        if task.kind != "custom" or task.action != "delete":
            continue
        yield (
            ("task", number, "action"),
            "what is found by mistake cannot be put back; 'quarantine' can",
        )
    if settings.on_finding.command and not os.access(settings.on_finding.command[0], os.X_OK):
        yield ("on_finding", "command"), f"{settings.on_finding.command[0]} cannot be run"

    yield from _of_this_machine(settings)


def refusals(settings: Settings) -> Iterator[Found]:
    """What the daemon does not start with on this machine, right as it is by itself.

    The account that `tocsin install` makes is not missed here.
    """
    daemon = settings.daemon
    if os.geteuid() == 0 and daemon.user != _DEFAULT.user and not account_named(daemon.user):
        said = f"there is no account {daemon.user!r}" if daemon.user else "root needs an account"
        yield ("daemon", "user"), f"{said}; the daemon does not start"
    if daemon.socket_group and not is_group(daemon.socket_group):
        yield (
            ("daemon", "socket_group"),
            f"there is no group {daemon.socket_group!r}; the daemon does not start",
        )


_DEFAULT = DaemonSettings()


def _of_this_machine(settings: Settings) -> Iterator[Found]:
    """Names that nobody and nothing bears here."""
    group = settings.daemon.admin_group
    if group and group != _DEFAULT.admin_group and not is_group(group):
        yield ("daemon", "admin_group"), f"there is no group {group!r}: root alone may do things"
    for number, user in enumerate(settings.guard.exclude_users):
        if not user.isdecimal() and not account_named(user):
            yield ("guard", "exclude_users", number), f"there is no account {user!r}"
    for number, program in enumerate(settings.guard.exclude_processes):
        if not os.path.isfile(program):
            yield ("guard", "exclude_processes", number), f"there is no program {program}"
    for number, task in enumerate(settings.task):
        for place, path in enumerate(task.paths):
            if not os.path.lexists(path):
                yield ("task", number, "paths", place), f"there is no {path}"
    for number, address in enumerate(settings.on_finding.mail_to):
        if "@" not in address:
            yield (
                ("on_finding", "mail_to", number),
                f"{address!r} has no @: only this machine's own mail server may know who that is",
            )
    for number, target in enumerate(settings.forward):
        if target.kind == "ecs" and (wrong := _unwritable(target.target, settings.daemon.user)):
            yield ("forward", number, "target"), wrong


def _unwritable(file: str, user: str) -> str:
    """Why the daemon cannot write a file, or an empty text."""
    folder = os.path.dirname(file)
    try:
        status = os.stat(folder)
    except OSError as error:
        return f"{folder}: {error.strerror}"
    if os.geteuid() != 0 and os.access(folder, os.W_OK | os.X_OK):
        return ""  # the daemon is this user's own
    account = account_named(user)
    if account is None or may_write(status, account):
        return ""
    return f"{folder} cannot be written to by {user}, as whom the daemon writes it"


def _table(values: dict[str, Any], name: str) -> dict[str, Any]:
    table = values.get(name, {})
    assert isinstance(table, dict)
    return table


def _daemon(daemon: dict[str, Any]) -> Iterator[Found]:
    for key in ("tcp", "metrics"):
        where = forms.read_host_port(daemon.get(key, ""))
        if where and not forms.is_loopback(where[0]) and not daemon.get("tcp_anywhere"):
            yield (
                ("daemon", key),
                f"{where[0]} can be reached from other machines, which may then use this one "
                "without being asked who they are; if that is meant, set tcp_anywhere = true",
            )
    for key in ("tcp_scan_paths", "tcp_shutdown"):
        if daemon.get(key) and not daemon.get("tcp"):
            yield ("daemon", key), "does nothing without tcp"
    if daemon.get("tcp") and daemon.get("tcp") == daemon.get("metrics"):
        yield ("daemon", "metrics"), "tcp listens there already"
    sockets: dict[str, str] = {}
    for key in ("socket", "api_socket"):
        place = daemon.get(key, "")
        if len(os.fsencode(place)) > forms.LONGEST_SOCKET:
            yield ("daemon", key), f"a socket's path has at most {forms.LONGEST_SOCKET} bytes"
        if place and os.path.normpath(place) in sockets:
            other = sockets[os.path.normpath(place)]
            yield ("daemon", key), f"{other} is made there already; give each its own path"
        sockets[os.path.normpath(place)] = key


def _database(database: dict[str, Any]) -> Iterator[Found]:
    defaults = Settings().database
    warn = database.get("warn_after_days", defaults.warn_after_days)
    alarm = database.get("alarm_after_days", defaults.alarm_after_days)
    if warn > alarm:
        key = "warn_after_days" if "warn_after_days" in database else "alarm_after_days"
        yield ("database", key), f"the warning ({warn:g} days) comes after the alarm ({alarm:g})"
    if database.get("with_default") is False and not database.get("sources"):
        yield ("database", "with_default"), "without sources there is nothing else to look for"


def _guard(guard: dict[str, Any]) -> Iterator[Found]:
    targets = [guard.get(key) for key in ("folders", "mounts", "file_systems")]
    if guard.get("enabled") and not any(targets):
        yield (
            ("guard", "enabled"),
            "there is nothing to guard: name folders, mounts or file_systems",
        )
    for key in ("folders", "mounts", "file_systems"):
        yield from _twice(("guard", key), guard.get(key, []))


def _forwards(targets: list[dict[str, Any]]) -> Iterator[Found]:
    yield from _same_names("forward", targets)
    for number, target in enumerate(targets):
        kind, place = target.get("kind"), target.get("target", "")
        at: KeyPath = ("forward", number)
        if kind == "syslog":
            wrong = forms.wrong_with_syslog_target(place)
        elif kind == "webhook":
            wrong = forms.wrong_with_web_address(place)
        elif kind == "ecs":
            wrong = forms.CHECKS["needed-path"](place)
        else:
            wrong = forms.CHECKS["path"](place)
        if wrong and kind:
            yield (*at, "target"), wrong
        if target.get("headers") and kind not in ("webhook", None):
            yield (*at, "headers"), f"only webhooks have headers, and this is {kind}"
        for name, value in target.get("headers", {}).items():
            if wrong := forms.wrong_with_header(name, value):
                yield (*at, "headers", name), wrong
        if target.get("max_file_size") and kind not in ("ecs", None):
            yield (*at, "max_file_size"), f"only ecs writes a file, and this is {kind}"
        for place_, name in enumerate(target.get("kinds", [])):
            if name not in list(Kind):
                choices = ", ".join(f'"{choice}"' for choice in Kind)
                yield (*at, "kinds", place_), f"expected some of {choices}, not {name[:60]!r}"


def _finding(finding: dict[str, Any]) -> Iterator[Found]:
    command = finding.get("command", [])
    if command and (wrong := forms.CHECKS["needed-path"](command[0])):
        yield ("on_finding", "command"), f"the program is run without a shell: {wrong}"
    yield from _twice(("on_finding", "mail_to"), finding.get("mail_to", []))


def _tasks(tasks: list[dict[str, Any]]) -> Iterator[Found]:
    yield from _same_names("task", tasks)
    for number, task in enumerate(tasks):
        kind, paths = task.get("kind"), task.get("paths", [])
        if kind == "custom" and not paths:
            yield ("task", number), "a custom task needs paths"
        if paths and kind not in ("custom", None):
            yield ("task", number, "paths"), f"only custom tasks have paths, and this is {kind}"
        if task.get("random_delay") and not task.get("at"):
            yield ("task", number, "random_delay"), "does nothing without at"


def _same_names(table: str, entries: list[dict[str, Any]]) -> Iterator[Found]:
    seen: dict[str, int] = {}
    for number, entry in enumerate(entries):
        name = entry.get("name")
        if name is None:
            continue
        if name in seen:
            yield (table, number, "name"), f"[[{table}]] {seen[name] + 1} has that name already"
        seen.setdefault(name, number)


def _twice(path: KeyPath, values: list[str]) -> Iterator[Found]:
    for number, value in enumerate(values):
        if value in values[:number]:
            yield (*path, number), f"{value!r} is listed twice"
