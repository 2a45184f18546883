"""A file that is looked at because something is started by it, and who there is to start for."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class Kind(StrEnum):
    """What family of start-up places a file is of, in words for people."""

    CRON = "cron"
    AT = "at"
    UNIT = "systemd"
    BUS = "D-Bus activation"
    INIT = "init script"
    SHELL = "shell start-up"
    ENVIRONMENT = "environment"
    LOADER = "dynamic loader"
    PAM = "PAM"
    SSH = "SSH"
    MODULE = "kernel module"
    BROWSER = "browser extension"
    AUTOSTART = "desktop autostart"
    UDEV = "udev rule"
    MOTD = "login message"
    PACKAGES = "package manager hook"
    NETWORK = "network hook"
    GIT = "git settings"
    PYTHON = "Python start-up"
    PROGRAM = "program"
    PROCESS = "process"


class Place(NamedTuple):
    """A file, and why it is looked at.

    Attributes:
        path: as it is called in the tree.
        kind: what family it is of.
        uid: the user as whom what it starts is run; 0 for the system's own.
        named_by: the file that names it; empty for a place of its own.
        text: what is in it, as far as it was read to find programs.
        note: what else is to be said of it.
    """

    path: str
    kind: Kind
    uid: int = 0
    named_by: str = ""
    text: str = ""
    note: str = ""

    @property
    def why(self) -> str:
        """Why it is looked at, in words."""
        whose = "" if self.uid == 0 else f" of user {self.uid}"
        by = f", named by {self.named_by}" if self.named_by else ""
        return f"{self.kind.value}{whose}{by}"


class User(NamedTuple):
    """One line of `passwd`.

    Attributes:
        name: of the account.
        uid: its number.
        home: its home folder.
    """

    name: str
    uid: int
    home: str


def read_users(text: str) -> list[User]:
    """Every account with a home folder, each folder once."""
    users: dict[str, User] = {}
    for line in text.splitlines():
        fields = line.split(":")
        if len(fields) < 6 or not fields[2].isdigit() or not fields[5].startswith("/"):
            continue
        users.setdefault(fields[5].rstrip("/") or "/", User(fields[0], int(fields[2]), fields[5]))
    return list(users.values())
