"""Moving over from ClamAV: its files found and read, the plan made, tried, and written."""

from __future__ import annotations

import glob
import os
import re
import shlex
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from tocsin.errors import InvalidSettings, SettingsError, UsageError
from tocsin.protect.configuration.load import Loaded, load_text
from tocsin.protect.migrate.clamav_file import LARGEST, ClamavFile, Stated, read_clamav
from tocsin.protect.migrate.clients import Place, places
from tocsin.protect.migrate.draft import Machine
from tocsin.protect.migrate.handlers import normal_path
from tocsin.protect.migrate.plan import Plan, make_plan
from tocsin.protect.migrate.programs import CLAMD, CLAMONACC, FRESHCLAM, MILTER, Program
from tocsin.protect.migrate.settings_text import settings_text
from tocsin.signatures.languages import is_source_name

FOLDERS = ("/etc/clamav", "/etc/clamd.d", "/usr/local/etc/clamav", "/usr/local/etc", "/etc")
"""Where distributions keep ClamAV's settings; for each program the first that has them holds."""

_UNITS = ("/etc/systemd/system", "/run/systemd/system", "/usr/lib/systemd/system",
          "/lib/systemd/system")  # fmt: skip
_MOST_LINES = 100_000


class Tree:
    """The file system that ClamAV's paths are looked up in.

    Args:
        root: its root; another one for a backup or a container.
    """

    def __init__(self, root: Path) -> None:
        self._root = root

    def at(self, place: str) -> Path:
        """Where an absolute path is."""
        return self._root / place.lstrip("/")

    def find(self, pattern: str) -> list[str]:
        """The files that a glob of absolute paths stands for."""
        base = glob.escape(os.fspath(self._root)).rstrip("/")
        found = sorted(glob.glob(base + pattern))
        skip = len(os.fspath(self._root).rstrip("/"))
        return [path[skip:] for path in found if os.path.isfile(path)]

    def names(self, folder: str) -> list[str]:
        """Names in a folder; none where it cannot be looked into."""
        try:
            return sorted(os.listdir(self.at(folder)))
        except OSError:
            return []

    def lines(self, place: str) -> list[str] | None:
        """Lines of a text file; None when it cannot be read."""
        content = self.content(place)
        if content is None:
            return None
        return content.decode("utf-8", "replace").splitlines()[:_MOST_LINES]

    def content(self, place: str) -> bytes | None:
        """The bytes of a file that somebody writes by hand; None when it cannot be read."""
        try:
            return _content(self.at(place))
        except OSError:
            return None


def _content(path: Path) -> bytes:
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with open(descriptor, "rb") as file:
        if not os.path.isfile(f"/proc/self/fd/{descriptor}"):
            raise IsADirectoryError(21, "not a file", str(path))
        return file.read(LARGEST + 1)


class Migration(NamedTuple):
    """What moving over would do, and what it would write.

    Attributes:
        files: ClamAV's files that were read.
        plan: what becomes of each option.
        text: the settings file.
        loaded: that text as it would be read; None while there are problems.
        folders: where signatures are.
        old_socket: clamd's socket; empty when it has none.
        clients: lines of other programs' settings that must name the new socket.
        variables: what `/etc/default` sets for ClamAV's own start scripts.
    """

    files: tuple[str, ...]
    plan: Plan
    text: str
    loaded: Loaded | None
    folders: tuple[str, ...]
    old_socket: str
    clients: tuple[Place, ...]
    variables: tuple[Stated, ...]


def plan_migration(
    folder: str | None, *, take_over_socket: bool, root: Path = Path("/")
) -> Migration:
    """Read ClamAV's settings and say what becomes of them; nothing is written.

    Args:
        folder: where its settings are; None for where they usually are.
        take_over_socket: let the daemon listen where clamd does.
        root: the tree that all paths are looked up in.

    Raises:
        UsageError: there are no settings of ClamAV.
        SettingsError: a file cannot be read.
    """
    tree = Tree(root)
    found = list(_files(tree, folder))
    if not found:
        where = folder or ", ".join(FOLDERS)
        raise UsageError(f"no clamd.conf or freshclam.conf in {where}; name the folder with --from")
    read = [(program, _read(tree, place, program)) for program, place in found]
    unit = _on_access_unit(tree)
    if unit is not None:
        read.append((CLAMONACC, unit))
    machine = Machine(
        processors=len(os.sched_getaffinity(0)),
        take_over_socket=take_over_socket,
        clamonacc_enabled=_is_enabled(tree) if folder is None or unit is not None else None,
        find_program=shutil.which,
        is_signature_file=is_source_name,
        list_folder=tree.names,
        read_lines=tree.lines,
    )
    plan = make_plan(read, machine)
    names = tuple(place for _, place in found)
    text = settings_text(plan, f"made by 'tocsin migrate clamav' from {', '.join(names)}")
    loaded = None if plan.problems else _tried(text)
    old = next((row.stated.text for row in plan.rows if row.stated.option == "LocalSocket"), "")
    new = str(plan.values["daemon", "socket"].value) if ("daemon", "socket") in plan.values else ""
    needs_change = old and normal_path(old) != new
    clients = tuple(places(old, new, tree.find, tree.lines)) if needs_change else ()
    sources = plan.values.get(("database", "sources"))
    folders = {
        place if tree.at(place).is_dir() else place.rpartition("/")[0]
        for place in (sources.value if sources else ())
    }
    return Migration(
        names, plan, text, loaded, tuple(sorted(folders)), old, clients, tuple(_variables(tree))
    )


def _files(tree: Tree, folder: str | None) -> Iterator[tuple[Program, str]]:
    """The settings files there are, one a program."""
    folders = FOLDERS if folder is None else (folder.rstrip("/") or "/",)
    for program in (CLAMD, FRESHCLAM, MILTER):
        for place in (f"{where}/{name}" for where in folders for name in program.names):
            if tree.at(place).is_file():
                yield program, place
                break


def _read(tree: Tree, place: str, program: Program) -> ClamavFile:
    try:
        content = _content(tree.at(place))
    except OSError as error:
        raise SettingsError(f"{place}: {error.strerror}") from error
    return read_clamav(content, place.rpartition("/")[2], program.by_name)


def _on_access_unit(tree: Tree) -> ClamavFile | None:
    """The options that the systemd unit of clamonacc gives it; None when there is no unit."""
    for name in CLAMONACC.names:
        for folder in _UNITS:
            lines = tree.lines(f"{folder}/{name}")
            if lines is None:
                continue
            stated = _exec_start(lines, name)
            for drop_in in tree.find(f"/etc/systemd/system/{name}.d/*.conf"):
                label = f"{name}.d/{drop_in.rpartition('/')[2]}"
                stated = _exec_start(tree.lines(drop_in) or [], label) or stated
            return ClamavFile(name, tuple(stated))
    return None


def _exec_start(lines: list[str], name: str) -> list[Stated]:
    """The options of the last `ExecStart=` of a unit file."""
    joined = re.sub(r"\\\n\s*", " ", "\n".join(lines)).split("\n")
    stated: list[Stated] = []
    for line in joined:
        key, _, command = line.partition("=")
        if key.strip() != "ExecStart" or not command.strip():
            continue
        number = next((n for n, raw in enumerate(lines, 1) if raw.startswith("ExecStart")), 0)
        try:
            words = shlex.split(command)[1:]
        except ValueError:
            continue
        stated = [
            Stated(option, text, text or True, name, number) for option, text in _options(words)
        ]
    return stated


def _options(words: list[str]) -> Iterator[tuple[str, str]]:
    """Options of a command line with their values, the short ones by their long names."""
    short = {"-v": "--verbose", "-l": "--log", "-F": "--foreground", "-W": "--watch-list",
             "-e": "--exclude-list", "-p": "--ping", "-w": "--wait", "-c": "--config-file",
             "-z": "--allmatch", "-h": "--help", "-V": "--version"}  # fmt: skip
    known = CLAMONACC.by_name
    rest = iter(words)
    for word in rest:
        option, given, text = word.partition("=")
        option = short.get(option, option)
        if option in known and known[option].takes.name == "TEXT" and not given:
            text = next(rest, "")
        if option.startswith("-"):
            yield option, text


def _is_enabled(tree: Tree) -> bool:
    """Whether systemd starts clamonacc."""
    return any(
        os.path.lexists(tree.at(f"/etc/systemd/system/{wants}/{name}"))
        for wants in tree.names("/etc/systemd/system")
        if wants.endswith((".wants", ".requires"))
        for name in CLAMONACC.names
    )


def _variables(tree: Tree) -> Iterator[Stated]:
    for place in tree.find("/etc/default/clam*"):
        for number, line in enumerate(tree.lines(place) or (), 1):
            form = re.match(r"\s*(?:export\s+)?([A-Za-z_]\w*)=(.*)", line)
            if form:
                name = place.rpartition("/")[2]
                yield Stated(form[1], form[2].strip(), form[2].strip(), name, number)


def _tried(text: str) -> Loaded:
    """The text as the daemon would read it.

    Raises:
        SettingsError: it would not; a defect of this program, as every value was checked.
    """
    try:
        return load_text(text, Path("the new settings"))
    except InvalidSettings as error:
        raise SettingsError(
            "what ClamAV's settings become cannot be read back, please report this: "
            + "; ".join(error.lines())
        ) from error


class Written(NamedTuple):
    """What was written.

    Attributes:
        file: the settings file.
        backup: where the one before it was kept; None when there was none.
    """

    file: Path
    backup: Path | None


def write_settings(
    migration: Migration, target: Path, now: Callable[[], float] = time.time
) -> Written:
    """Write the settings file, whole or not at all; an earlier one is kept beside it.

    Raises:
        SettingsError: it cannot be written, or there are problems in ClamAV's files.
    """
    if migration.loaded is None:
        raise SettingsError("nothing was written: set right what is wrong in ClamAV's files first")
    target = Path(os.path.realpath(target))
    try:
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o755)
        backup = _back_up(target, now())
        mode = os.stat(target).st_mode & 0o777 if backup else 0o640
        handle, temporary = tempfile.mkstemp(prefix=".tocsin-", dir=target.parent)
        try:
            with open(handle, "w", encoding="utf-8") as file:
                file.write(migration.text)
                os.fchmod(file.fileno(), mode)
                if backup:
                    status = os.stat(target)
                    os.fchown(file.fileno(), status.st_uid, status.st_gid)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, target)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise SettingsError(f"{error.filename or target}: {error.strerror}") from error
    return Written(target, backup)


def _back_up(target: Path, now: float) -> Path | None:
    """Keep a settings file beside itself, under a name that is free."""
    if not target.exists():
        return None
    stamp = time.strftime("%Y%m%d-%H%M%S", time.localtime(now))
    for number in range(100):
        more = f".{number}" if number else ""
        backup = target.with_name(f"{target.name}.before-{stamp}{more}")
        try:
            os.link(target, backup)
        except FileExistsError:
            continue
        return backup
    raise SettingsError(f"{target}: there are too many backups of this second")
