"""What of the daemon is installed, and whether it is as it should be: files, accounts, folders.

Nothing is changed here. Where nothing is installed, that is said in one line and not taken for
a fault: files can be scanned without a daemon.
"""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from tocsin.app.as_owner import by_owner
from tocsin.app.doctor import Check, State
from tocsin.app.install import this_executable
from tocsin.app.ownership import closed_journal
from tocsin.app.settings import journal_file, quarantine_folder, settings_file, state_folder
from tocsin.errors import InstallError, InvalidSettings, JournalError, TocsinError
from tocsin.protect.configuration.load import Loaded, load_file
from tocsin.protect.install.accounts import Accounts
from tocsin.protect.install.manifest import FILE_NAME, Manifest
from tocsin.protect.install.service_unit import UNIT, WANTED_BY, system_unit
from tocsin.protect.install.steps import CONFIG, STATE, UNIT_FOLDER
from tocsin.settings import Settings

GROUP = "installation"
MACHINE_SETTINGS = Path(CONFIG, "tocsin.toml")
_VENDOR_UNITS = ("/usr/lib/systemd/system", "/lib/systemd/system")
_DAY = 86_400


class Situation(NamedTuple):
    """What there is to be examined.

    Attributes:
        loaded: the settings; None when they are wrong.
        installed: whether a daemon is installed, or at least meant to be.
        machine: whether it is the machine's, not a user's own.
        unit: the systemd unit; None when there is none.
    """

    loaded: Loaded | None
    installed: bool
    machine: bool
    unit: Path | None

    @property
    def settings(self) -> Settings:
        """The settings that hold; the defaults when they are wrong."""
        return self.loaded.settings if self.loaded is not None else Settings()


def examine_settings(named: Path | None) -> tuple[Situation, Check]:
    """Read the settings, and find out what there is to be examined.

    Args:
        named: the file that `--config` names.
    """
    path, needed = settings_file(named)
    if not needed and not path.exists() and os.access(MACHINE_SETTINGS, os.R_OK):
        path = MACHINE_SETTINGS
    folders = [UNIT_FOLDER, *_VENDOR_UNITS]
    unit = next((u for u in (Path(f, UNIT) for f in folders) if u.is_file()), None)
    recorded = Path(STATE, FILE_NAME).exists()
    loaded: Loaded | None = None
    try:
        loaded = load_file(path, needed=needed)
    except InvalidSettings as error:
        lines = error.lines()
        more = f" and {len(lines) - 1} more" if len(lines) > 1 else ""
        check = Check(
            GROUP, "settings", State.FAILED, lines[0] + more,
            "set right what 'tocsin config check' names; until then the daemon does not start, "
            "and one that runs goes on with what it read before",
        )  # fmt: skip
    else:
        check = _settings_check(loaded)
    machine = os.geteuid() == 0 or path == MACHINE_SETTINGS
    installed = unit is not None or recorded or loaded is None or loaded.found
    return Situation(loaded, installed, machine, unit), check


def _settings_check(loaded: Loaded) -> Check:
    if not loaded.found:
        return Check(GROUP, "settings", State.OK, f"{loaded.source} is not there; defaults hold")
    if loaded.refused:
        first = loaded.refused[0]
        return Check(
            GROUP, "settings", State.FAILED, f"{loaded.source}: {first.key}: {first.reason}",
            "set right what 'tocsin config check' names",
        )  # fmt: skip
    if loaded.warnings:
        first = loaded.warnings[0]
        detail = f"{loaded.source}: {first.key}: {first.reason}".replace(": : ", ": ")
        return Check(
            GROUP, "settings", State.WARNING, detail, "'tocsin config check' names all warnings"
        )
    return Check(GROUP, "settings", State.OK, str(loaded.source))


def examine_installation(situation: Situation) -> Iterator[Check]:
    """Accounts, folders, journal, database and unit of what is installed."""
    if not situation.installed:
        yield Check(
            GROUP, "daemon", State.WARNING, "not installed: files are scanned when somebody asks",
            "'sudo tocsin install' has the machine guarded and serves clamd's clients",
        )  # fmt: skip
        return
    if situation.machine:
        yield from _record()
        yield from _accounts(situation.settings)
        yield from _unit(situation)
    if not situation.machine or os.geteuid() == 0:
        yield _state(situation)
        yield from _vault(situation)
        yield _journal(situation)
    else:
        yield Check(
            GROUP, "folders", State.WARNING, "not looked at: that takes root",
            "run 'sudo tocsin doctor'",
        )  # fmt: skip
    yield _database(situation.settings)


def _record() -> Iterator[Check]:
    try:
        manifest = Manifest(Path(STATE, FILE_NAME))
    except InstallError as error:
        yield Check(GROUP, "record", State.FAILED, str(error), "then run 'tocsin install' again")
        return
    if not manifest.found:
        return
    gone = [
        made.name
        for made in manifest.made
        if made.kind in ("folder", "file", "link") and not os.path.lexists(made.name)
    ]
    if gone:
        yield Check(
            GROUP, "record", State.FAILED, f"{', '.join(gone[:3])} was installed and is gone",
            "run 'tocsin install' again",
        )  # fmt: skip
    else:
        count = len(manifest.made)
        yield Check(GROUP, "record", State.OK, f"all {count} things that were installed are there")


def _accounts(settings: Settings) -> Iterator[Check]:
    accounts = Accounts(Path("/"))
    daemon = settings.daemon
    missing = []
    if daemon.user and not accounts.has_user(daemon.user):
        missing.append(f"user {daemon.user}")
    missing += [
        f"group {group}"
        for group in (daemon.admin_group, daemon.socket_group)
        if group and not accounts.has_group(group)
    ]
    if missing:
        yield Check(
            GROUP, "accounts", State.FAILED, f"there is no {', no '.join(missing)}",
            "'tocsin install' makes tocsin's own; another one is named in [daemon] user, "
            "admin_group and socket_group",
        )  # fmt: skip
    else:
        names = [name for name in (daemon.user, daemon.admin_group) if name]
        said = ", ".join(names) or "none is needed"
        if not daemon.admin_group:
            said += "; no [daemon] admin_group: only root may restore, delete and stop the daemon"
        yield Check(GROUP, "accounts", State.OK, said)


# --- systemd ------------------------------------------------------------------------------


def _unit(situation: Situation) -> Iterator[Check]:
    if situation.unit is None:
        if os.path.isdir("/run/systemd/system"):
            yield Check(
                GROUP, "systemd unit", State.WARNING, "there is none: nothing starts the daemon",
                "'tocsin install' makes it",
            )  # fmt: skip
        return
    try:
        text = situation.unit.read_text("utf-8", "replace")
    except OSError as error:
        yield Check(GROUP, "systemd unit", State.FAILED, f"{situation.unit}: {error.strerror}")
        return
    state, detail, advice = unit_state(text, this_executable())
    if state is State.OK and not _is_enabled():
        state, detail = State.WARNING, f"{detail}, but not enabled: it does not start by itself"
        advice = "systemctl enable tocsin"
    yield Check(GROUP, "systemd unit", state, f"{situation.unit}: {detail}", advice)


def unit_state(text: str, executable: tuple[str, ...]) -> tuple[State, str, str]:
    """What is to be said of a unit's text: state, detail and advice.

    Args:
        text: of the unit.
        executable: this program.
    """
    if text == system_unit(executable):
        return State.OK, "runs this program", ""
    starts = [row.partition("=")[2] for row in text.splitlines() if row.startswith("ExecStart=")]
    wanted = system_unit(executable)
    mine = next(r.partition("=")[2] for r in wanted.splitlines() if r.startswith("ExecStart="))
    if mine not in starts:
        return (
            State.WARNING,
            f"runs {starts[0] if starts else 'nothing'}, not this program",
            "if this program is to be the daemon: run its 'tocsin install'",
        )
    return (
        State.WARNING,
        "is not as this version writes it",
        "'tocsin install' renews it, unless somebody changed it: changes belong into a drop-in "
        "('systemctl edit tocsin')",
    )


def _is_enabled() -> bool:
    return os.path.lexists(f"{UNIT_FOLDER}/{WANTED_BY}.wants/{UNIT}") or any(
        Path(UNIT_FOLDER).glob(f"*.wants/{UNIT}")
    )


# --- folders ------------------------------------------------------------------------------


def _state(situation: Situation) -> Check:
    folder = state_folder(situation.settings)
    if not folder.exists():
        return Check(GROUP, "state folder", State.OK, f"{folder} is made at the first start")
    wrong = _unsafe(folder)
    if wrong:
        return Check(GROUP, "state folder", State.FAILED, f"{folder} {wrong}", _mend(folder))
    return Check(GROUP, "state folder", State.OK, str(folder))


def _unsafe(folder: Path) -> str:
    try:
        status = folder.stat()
    except OSError as error:
        return f"cannot be looked at: {error.strerror}"
    if not stat.S_ISDIR(status.st_mode):
        return "is not a folder"
    if status.st_uid != os.geteuid():
        return f"belongs to user {status.st_uid}"
    if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        return "can be written by others"
    return ""


def _mend(folder: Path) -> str:
    """What makes a state folder safe again, by who asks."""
    if os.geteuid() == 0:
        return f"chown root {folder}; chmod go-w {folder}; look what was put in it"
    if folder.is_dir() and folder.stat().st_uid == os.geteuid():
        return f"chmod go-w {folder}; look what was put in it"
    return "name a folder of your own in [daemon] state, or run the daemon as who owns this one"


def _vault(situation: Situation) -> Iterator[Check]:
    from tocsin.protect.quarantine.vault import Vault

    folder = quarantine_folder(situation.settings)
    if not folder.exists():
        yield Check(GROUP, "quarantine", State.OK, f"{folder} is made when something is taken")
        return
    try:
        with Vault(folder, create=False) as vault:
            count = sum(1 for _ in vault.records())
    except (TocsinError, OSError) as error:
        yield Check(
            GROUP, "quarantine", State.FAILED, str(error),
            "until this is set right nothing can be taken away or put back",
        )  # fmt: skip
        return
    yield Check(GROUP, "quarantine", State.OK, f"{folder}, {count:,} objects")


def _journal(situation: Situation) -> Check:
    from tocsin.protect.journal.store import Journal

    file = journal_file(situation.settings)
    if not file.exists():
        closed = closed_journal(situation.settings)
        if closed is not None:
            return Check(GROUP, "journal", State.FAILED, closed.detail, closed.advice)
        return Check(GROUP, "journal", State.OK, f"{file} is made at the first start")
    status = file.stat()
    if status.st_mode & 0o022:
        return Check(
            GROUP, "journal", State.FAILED, f"{file} can be written by others",
            f"chmod go-w {file}; what is in it may have been changed",
        )  # fmt: skip

    def verify() -> tuple[int, list[str]]:
        journal = Journal(file, read_only=True)
        try:
            found = journal.verify()
        finally:
            journal.close()
        return found.events, list(found.problems)

    try:
        count, problems = by_owner(file.parent, verify)
    except JournalError as error:
        return Check(GROUP, "journal", State.FAILED, str(error), "")
    if problems:
        return Check(
            GROUP, "journal", State.FAILED, f"{file}: {problems[0]}",
            "compare it with what was forwarded; keep a copy before anything else is done",
        )  # fmt: skip
    said = f"{file}, {count:,} events, unaltered"
    closed = closed_journal(situation.settings)
    if closed is not None:
        return Check(GROUP, "journal", State.FAILED, f"{said}, but {closed.detail}", closed.advice)
    return Check(GROUP, "journal", State.OK, said)


# --- signatures ---------------------------------------------------------------------------


def _database(settings: Settings) -> Check:
    if not settings.database.sources:
        return Check(
            GROUP, "signatures", State.WARNING, "tocsin's own alone",
            "name others in [database] sources, for example the folder that freshclam fills: "
            "/var/lib/clamav",
        )  # fmt: skip
    from tocsin.database.cache import source_files

    newest = 0.0
    try:
        for file in source_files([Path(source) for source in settings.database.sources]):
            with suppress(OSError):
                newest = max(newest, file.stat().st_mtime)
    except TocsinError as error:
        return Check(
            GROUP, "signatures", State.FAILED, str(error),
            "fill the folder (freshclam), or name another in [database] sources",
        )  # fmt: skip
    return age_check(newest, time.time(), settings)


def age_check(newest: float, now: float, settings: Settings) -> Check:
    """What is to be said of the age of signatures.

    Args:
        newest: time of the newest source.
        now: seconds since 1970.
        settings: when a warning is due, and when an alarm.
    """
    days = (now - newest) / _DAY
    detail = f"the newest are {max(days, 0):.1f} days old"
    database = settings.database
    advice = "find out why there are no newer ones: 'systemctl status clamav-freshclam', freshclam"
    if days > database.alarm_after_days:
        return Check(GROUP, "signatures", State.FAILED, detail, advice)
    if days > database.warn_after_days:
        return Check(GROUP, "signatures", State.WARNING, detail, advice)
    return Check(GROUP, "signatures", State.OK, detail)
