"""The daemon installed on this machine, or taken off it: what is to be made, and systemd told."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import tocsin
from tocsin.app.places import config_dir, state_dir
from tocsin.app.settings import quarantine_folder
from tocsin.app.software_place import launcher
from tocsin.app.unix_socket import connect_unix
from tocsin.errors import InstallError, InvalidSettings, QuarantineError
from tocsin.protect.configuration.describe import template, toml_value
from tocsin.protect.configuration.load import load_file
from tocsin.protect.install.installer import Done, Installer, Outcome
from tocsin.protect.install.service_unit import UNIT
from tocsin.protect.install.steps import CONFIG, STATE, Step, TextFile, system_steps, user_steps
from tocsin.protect.install.uninstaller import Undone, Uninstaller
from tocsin.settings import Settings

_MACHINE = Path("/")
_SYSTEMD_RUNS = "/run/systemd/system"
_SECONDS = 180


class Target(NamedTuple):
    """What is installed or taken off.

    Attributes:
        root: the machine's root, or that of another tree.
        own: a user's own service instead of the machine's.
    """

    root: Path = _MACHINE
    own: bool = False

    @property
    def is_live(self) -> bool:
        """Whether it is this machine, which runs, and not a tree."""
        return self.root == _MACHINE

    @property
    def state(self) -> str:
        """The folder of the record, as the tree sees it."""
        return str(state_dir()) if self.own else STATE

    @property
    def settings(self) -> Path:
        """The settings file."""
        if self.own:
            return config_dir() / "tocsin.toml"
        return self.root / CONFIG.lstrip("/") / "tocsin.toml"


class Installed(NamedTuple):
    """What installing did.

    Attributes:
        done: each step and what became of it.
        notes: what else there is to know, or to do.
        started: whether the daemon was started.
    """

    done: tuple[Done, ...]
    notes: tuple[str, ...]
    started: bool


class Uninstalled(NamedTuple):
    """What uninstalling did.

    Attributes:
        undone: each thing and what became of it.
        notes: what else there is to know, or to do.
    """

    undone: tuple[Undone, ...]
    notes: tuple[str, ...]


# --- installing ---------------------------------------------------------------------------


def install(
    target: Target,
    *,
    dry_run: bool = False,
    start: bool = True,
    executable: Sequence[str] | None = None,
) -> Installed:
    """Install the daemon.

    Args:
        target: where.
        dry_run: only say what would be done.
        start: start the daemon, where systemd runs.
        executable: the program and its first arguments; None for this very one.

    Raises:
        InstallError: it cannot be installed, or not wholly; installing again goes on from there.
    """
    command = list(executable or this_executable())
    _require_rights(target, dry_run=dry_run)
    if target.is_live and not target.own:
        _require_trusted(command)
    installer = Installer(target.root, target.state, dry_run=dry_run)
    done = tuple(installer.install(_steps(target, command)))
    notes = [f"{each.step[0]}: {each.detail}" for each in done if each.detail]
    units = [each for each in done if isinstance(each.step, TextFile) and UNIT in each.step.path]
    if not units:
        notes.append(
            "there is no systemd: have your own service manager start "
            f"'{' '.join(command)} daemon' as root; it stays in the foreground"
        )
    if dry_run or not target.is_live or not units:
        return Installed(done, tuple(notes), started=False)
    if not os.path.isdir(_SYSTEMD_RUNS):
        notes.append("systemd does not run here; the daemon starts with the next start of it")
        return Installed(done, tuple(notes), started=False)
    systemctl(target, "daemon-reload")
    if not start:
        notes.append(f"not started; 'systemctl {_scope(target)}start tocsin' does")
        return Installed(done, tuple(notes), started=False)
    started = _start(target, notes, renewed=any(u.outcome is Outcome.RENEWED for u in units))
    return Installed(done, tuple(notes), started)


def _steps(target: Target, command: list[str]) -> list[Step]:
    if target.own:
        home = os.environ.get("XDG_CONFIG_HOME") or str(Path.home() / ".config")
        return user_steps(
            command,
            _own_settings(),
            config=str(config_dir()),
            state=str(state_dir()),
            unit_folder=f"{home}/systemd/user",
        )
    accounts = target.is_live or (target.root / "etc/passwd").is_file()
    units = not target.is_live or shutil.which("systemctl") is not None
    return system_steps(command, template(), units=units, accounts=accounts)


def _own_settings() -> str:
    """Settings of a user's own service: sockets where that user may make them.

    Raises:
        InstallError: there is no place for sockets.
    """
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    if not runtime:
        raise InstallError(
            "XDG_RUNTIME_DIR is not set, so there is no place for sockets; log in as this user "
            "instead of changing to it (su, sudo)"
        )
    return (
        "# Settings of a tocsin daemon of one user. All keys, explained:\n"
        "#   tocsin config show --template\n"
        "\n"
        "[daemon]\n"
        f"socket = {toml_value(f'{runtime}/tocsin/clamd.sock')}\n"
        f"api_socket = {toml_value(f'{runtime}/tocsin/api.sock')}\n"
        'socket_mode = "0600"\n'
    )


def this_executable() -> tuple[str, ...]:
    """How this very program is started, whatever the working directory and the path.

    Where releases are side by side, that is the command which starts the one in use, so that a
    service follows when another is switched to.
    """
    if (place := launcher()) is not None:
        return (str(place),)
    script = Path(sys.executable).parent / "tocsin"
    if os.access(script, os.X_OK):
        return (str(script),)
    return (sys.executable, "-m", "tocsin.cli.main")


def _require_rights(target: Target, *, dry_run: bool) -> None:
    if target.own and os.geteuid() == 0:
        raise InstallError("root's own service is the machine's: leave --user out")
    if target.is_live and not target.own and os.geteuid() != 0 and not dry_run:
        raise InstallError(
            "needs root: 'sudo tocsin install' for the machine, or 'tocsin install --user' for a "
            "daemon of your own, without the guard and without other users' files"
        )


def _require_trusted(command: list[str]) -> None:
    """Refuse to have root run what others can change.

    Raises:
        InstallError: somebody else can change the program.
    """
    package = str(Path(tocsin.__file__).parent)
    for place in (*(word for word in command if word.startswith("/")), package):
        if found := _changeable_on_the_way(place):
            raise InstallError(
                f"{found}, and root would run what is in it; install tocsin where only root can "
                "write ('pipx install --global', or a virtual environment in /opt), and run that "
                "one's 'tocsin install'"
            )


def demand_only_root_writes(folder: Path) -> None:
    """Refuse to put what root runs where others can change it.

    Args:
        folder: that is there, or is to be made.

    Raises:
        InstallError: somebody else can change it.
    """
    there = next(path for path in (folder, *folder.parents) if path.exists())
    if found := _changeable_on_the_way(str(there)):
        raise InstallError(
            f"{found}, and root would run what is put there; name a folder that only root can "
            "write, as /opt/tocsin"
        )


def _changeable_on_the_way(place: str) -> str:
    """What of a path, links followed, others than root can change; empty for nothing."""
    for name in (place, os.path.realpath(place)):
        for path in (Path(name), *Path(name).parents):
            if why := _changeable(path):
                return f"{path} {why}"
    return ""


def _changeable(path: Path) -> str:
    """Why others than root can change what is at a path; empty when they cannot."""
    try:
        status = path.stat()
    except OSError as error:
        return f"cannot be looked at ({error.strerror})"
    if status.st_uid != 0:
        return "does not belong to root"
    sticky = stat.S_ISDIR(status.st_mode) and status.st_mode & stat.S_ISVTX
    if status.st_mode & stat.S_IWOTH and not sticky:
        return "can be written by everybody"
    if status.st_mode & stat.S_IWGRP and status.st_gid != 0 and not _is_staff(status.st_gid):
        return "can be written by a group"
    return ""


def _is_staff(gid: int) -> bool:
    """Whether a group is Debian's `staff`, whose members may change `/usr/local` anyway."""
    import grp

    try:
        return grp.getgrgid(gid).gr_name == "staff"
    except KeyError:
        return False


def _start(target: Target, notes: list[str], *, renewed: bool) -> bool:
    try:
        settings = load_file(target.settings, needed=True).settings
    except InvalidSettings as error:
        notes += [*error.lines(), "not started: set the settings right, then start it"]
        return False
    holder = settings.daemon.socket
    active = systemctl(target, "is-active", UNIT, may_fail=True) == 0
    if not active and holder and is_answered(holder):
        notes.append(
            f"another program serves {holder}: end it ('tocsin doctor' says more), then "
            f"'systemctl {_scope(target)}start tocsin'"
        )
        return False
    try:
        systemctl(target, "restart" if renewed or not active else "reload", UNIT)
    except InstallError as error:
        notes.append(f"{error}; 'journalctl {_scope(target)}-u tocsin' says why")
        return False
    return True


# --- uninstalling -------------------------------------------------------------------------


def uninstall(
    target: Target, *, purge: bool, purge_quarantine: bool, dry_run: bool = False
) -> Uninstalled:
    """Take the daemon off: exactly what installing made.

    Args:
        target: from where.
        purge: remove the journal, what is remembered, and settings that were changed, as well.
        purge_quarantine: remove even what is in quarantine.
        dry_run: only say what would be done.

    Raises:
        InstallError: it cannot be taken off, or not wholly; doing it again goes on from there.
    """
    if target.is_live and not target.own and os.geteuid() != 0 and not dry_run:
        raise InstallError("needs root: 'sudo tocsin uninstall', or --user for one of your own")
    uninstaller = Uninstaller(target.root, target.state, purge=purge, dry_run=dry_run)
    settings = _settings_or_defaults(target)
    notes = _quarantine_notes(target, settings, purge=purge, anyway=purge_quarantine)
    if target.is_live and not dry_run:
        _stop(target, settings)
    undone = tuple(uninstaller.uninstall())
    if target.is_live and not dry_run and os.path.isdir(_SYSTEMD_RUNS):
        with suppress(InstallError):
            systemctl(target, "daemon-reload")
    if purge:
        notes += _elsewhere(settings)
    elif any(each.fate.value == "kept" for each in undone):
        notes.append("what was kept is still recorded: 'tocsin uninstall --purge' removes it")
    return Uninstalled(undone, tuple(notes))


def _settings_or_defaults(target: Target) -> Settings:
    try:
        return load_file(target.settings, needed=False).settings
    except InvalidSettings:
        return Settings()


def _quarantine_notes(
    target: Target, settings: Settings, *, purge: bool, anyway: bool
) -> list[str]:
    """What to say of the quarantine.

    Raises:
        InstallError: there is something in it that would be lost.
    """
    vault = _vault(target, settings)
    if not vault.is_dir():
        return []
    count = _count(vault)
    if count == 0:
        return []
    objects = "objects that cannot be counted" if count is None else f"{count:,} objects"
    inside = (target.root / target.state.lstrip("/")) in (vault, *vault.parents)
    if not purge or not inside:
        return [f"{objects} stay in quarantine in {vault}; 'tocsin quarantine' puts them back"]
    if not anyway:
        raise InstallError(
            f"there are {objects} in quarantine ({vault}), which --purge would remove for good; "
            "'tocsin quarantine list' shows them, 'tocsin quarantine restore' puts them back, "
            "--purge-quarantine removes them with all else"
        )
    return [f"{objects} in quarantine are removed for good"]


def _vault(target: Target, settings: Settings) -> Path:
    if target.own:
        return quarantine_folder(settings)
    stated = settings.quarantine.folder or f"{settings.daemon.state or STATE}/quarantine"
    return target.root / stated.lstrip("/")


def _count(vault: Path) -> int | None:
    """Objects in a vault; None when that cannot be told."""
    from tocsin.protect.quarantine.vault import Vault

    try:
        with Vault(vault, create=False) as opened:
            return sum(1 for _ in opened.records())
    except (QuarantineError, OSError):
        return 0 if not any(vault.iterdir()) else None


def _elsewhere(settings: Settings) -> list[str]:
    """Places that the settings name outside of what installing made."""
    named = {
        "[daemon] state": settings.daemon.state,
        "[quarantine] folder": settings.quarantine.folder,
        "[journal] file": settings.journal.file,
    }
    return [f"{key} names {place}, which is not touched" for key, place in named.items() if place]


def _stop(target: Target, settings: Settings) -> None:
    """End the daemon.

    Raises:
        InstallError: it goes on.
    """
    if os.path.isdir(_SYSTEMD_RUNS):
        systemctl(target, "stop", UNIT, may_fail=True)
        systemctl(target, "reset-failed", UNIT, may_fail=True)
    if is_answered(settings.daemon.api_socket):
        raise InstallError(
            f"a daemon still serves {settings.daemon.api_socket}, though not as a service; end "
            "it first"
        )


# --- systemd ------------------------------------------------------------------------------


def _scope(target: Target) -> str:
    return "--user " if target.own else ""


def systemctl(target: Target, *arguments: str, may_fail: bool = False) -> int:
    """Tell systemd something.

    Returns:
        Its exit status.

    Raises:
        InstallError: it could not be done.
    """
    program = shutil.which("systemctl", path="/usr/bin:/bin")
    if program is None:
        return 0
    scope = ["--user"] if target.own else []
    try:
        done = subprocess.run(  # noqa: S603
            [program, *scope, *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise InstallError(f"systemctl {' '.join(arguments)}: {error}") from error
    if done.returncode and not may_fail:
        said = " ".join(done.stderr.split())[:500]
        raise InstallError(f"systemctl {' '.join(arguments)}: {said}")
    return done.returncode


def is_answered(place: str) -> bool:
    """Whether some program accepts connections at a UNIX socket."""
    try:
        connect_unix(place, 2).close()
    except TimeoutError:  # somebody listens, with more clients than there is room for
        return True
    except OSError:
        return False
    return True
