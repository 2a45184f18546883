"""Calling this program as a user who is not root, on a machine that has a daemon."""

from __future__ import annotations

import grp
import os
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

from protect.running_daemon import TOCSIN, RunningDaemon

UID = 12345
GROUP = "daemon"

_ON_A_MACHINE = """
import sys
from pathlib import Path
from tocsin.app import device
device.SYSTEM_FILE = Path(sys.argv.pop(1))
from tocsin.cli.main import run
run()
"""


@cache
def why_not() -> str:
    """Why another user cannot be had here; empty when it can."""
    if os.geteuid() != 0 or shutil.which("setpriv") is None:
        return "only root may become another user, by setpriv"
    tried = subprocess.run(
        [*become([]), sys.executable, "-c", "import tocsin.cli.main"],
        capture_output=True,
        check=False,
        cwd="/",
    )
    return "another user cannot read this checkout or its Python" if tried.returncode else ""


def member() -> list[int]:
    """The groups of a user who may act."""
    return [grp.getgrnam(GROUP).gr_gid]


def become(groups: list[int] | None) -> list[str]:
    """What stands before a command that root is to run as another; nothing for root itself.

    Not `user=` of a `Popen`: Python may lie where only root may look for it.
    """
    if groups is None:
        return []
    alone = f"--groups={','.join(map(str, groups))}" if groups else "--clear-groups"
    return ["setpriv", f"--reuid={UID}", f"--regid={UID}", alone]


def call(
    daemon: RunningDaemon,
    groups: list[int] | None,
    *arguments: str | Path,
    config: Path | None = None,
) -> subprocess.CompletedProcess[str]:
    """Call a verb with the daemon's settings, as root or as a user with these groups."""
    command = [*TOCSIN, "--config", str(config or daemon.config), *arguments]
    return _run([*become(groups), *command], Path("/nonexistent"))


def call_at_home(
    daemon: RunningDaemon, groups: list[int], home: Path, *arguments: str | Path
) -> subprocess.CompletedProcess[str]:
    """Call a verb without settings of one's own, where the machine's are the daemon's."""
    command = [sys.executable, "-c", _ON_A_MACHINE, str(daemon.config), *arguments]
    return _run([*become(groups), *command], home)


def _run(command: list[str | Path], home: Path) -> subprocess.CompletedProcess[str]:
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("TOCSIN", "XDG"))
    }
    return subprocess.run(
        command,
        capture_output=True,
        text=True,
        errors="surrogateescape",
        check=False,
        env={**environment, "COLUMNS": "400", "HOME": str(home)},
        cwd="/",
    )
