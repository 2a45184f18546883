"""Has the daemon run the release that was just put in use.

A process goes on with the program it was started with, whatever the link leads to now. The
machine's service is restarted, if it is started through that link: systemd ends it in order and
waits until the new one says that it is ready. Whatever else runs is left alone, and said.
"""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import NamedTuple

from tocsin.app.install import Target, is_answered, systemctl
from tocsin.errors import InstallError
from tocsin.protect.install.service_unit import UNIT
from tocsin.protect.install.steps import UNIT_FOLDER
from tocsin.settings import Settings

_SYSTEMD_RUNS = "/run/systemd/system"


class Restarted(NamedTuple):
    """What became of the daemon.

    Attributes:
        restarted: whether it runs the release now.
        failed: whether it was to run it and does not come up.
        text: in words; empty where there is nothing to say.
    """

    restarted: bool
    failed: bool
    text: str


def restart_daemon(folder: Path, settings: Settings) -> Restarted:
    """Restart the daemon, where it is started through the link in a folder of releases.

    Args:
        folder: of the releases.
        settings: of the device.
    """
    command = folder / "bin" / "tocsin"
    target = Target(own=os.geteuid() != 0)
    started = started_by(_unit(target))
    if not started:
        return _without_unit(settings)
    if started[0] != str(command):
        return Restarted(
            restarted=False,
            failed=False,
            text=f"the daemon's unit runs {started[0]}, another installation; "
            f"'{command} install{' --user' if target.own else ''}' makes it run this one",
        )
    if not os.path.isdir(_SYSTEMD_RUNS):
        return _without_unit(settings)
    try:
        if systemctl(target, "is-active", UNIT, may_fail=True):
            return Restarted(restarted=False, failed=False, text="the daemon does not run")
        systemctl(target, "restart", UNIT)
    except InstallError as error:
        return Restarted(restarted=False, failed=True, text=str(error))
    return Restarted(restarted=True, failed=False, text="the daemon was restarted")


def started_by(unit: Path) -> list[str]:
    """The words of the command that a unit starts; none where there is no unit.

    Args:
        unit: its file.
    """
    try:
        text = unit.read_text("utf-8", "replace")
    except OSError:
        return []
    for line in text.splitlines():
        name, _, words = line.partition("=")
        if name.strip() == "ExecStart":
            try:
                return shlex.split(words)
            except ValueError:
                return words.split()
    return []


def _unit(target: Target) -> Path:
    if not target.own:
        return Path(UNIT_FOLDER) / UNIT
    home = os.environ.get("XDG_CONFIG_HOME") or str(Path.home() / ".config")
    return Path(home) / "systemd" / "user" / UNIT


def _without_unit(settings: Settings) -> Restarted:
    place = settings.daemon.api_socket
    if place and is_answered(place):
        return Restarted(
            restarted=False,
            failed=False,
            text="a daemon runs that systemd did not start; restart it to have it run the release",
        )
    return Restarted(restarted=False, failed=False, text="")
