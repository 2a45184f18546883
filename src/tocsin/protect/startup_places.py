"""Every file by which something is started without being asked for, and the programs they name."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence

from tocsin.protect.processes import PROC, program_of, running
from tocsin.protect.startup import browsers, logins, machine, timed, units
from tocsin.protect.startup.commands import (
    SEARCHED,
    Named,
    interpreter_of,
    named_in_command,
    named_in_script,
)
from tocsin.protect.startup.place import Kind, Place, User, read_users
from tocsin.protect.startup.tree import Tree

_FAMILIES: tuple[Callable[[Tree, Sequence[User]], Iterator[Place]], ...] = (
    machine.loader_places,
    machine.kernel_places,
    units.unit_places,
    units.init_places,
    timed.timed_places,
    logins.login_places,
    logins.shell_places,
    logins.desktop_places,
    machine.device_places,
    machine.package_places,
    browsers.browser_places,
)
_DELETED = " (deleted)"
_SCRIPT = re.compile(r"#!\s*/")
_NO_SCRIPTS = frozenset({Kind.BROWSER, Kind.PYTHON, Kind.LOADER, Kind.PAM})


class StartupPlaces:
    """Start-up places below a root.

    Args:
        tree: the file system.
        uid: who looks: root sees everybody's places, others see the system's and their own.

    Attributes:
        tree: the same, with what could not be read.
        users: whose places are looked at.
        others: accounts whose places are not.
    """

    def __init__(self, tree: Tree, uid: int | None = None) -> None:
        self.tree = tree
        uid = os.geteuid() if uid is None else uid
        everybody = read_users(tree.text("/etc/passwd"))
        self.users = [user for user in everybody if uid in (0, user.uid)]
        self.others = len(everybody) - len(self.users)
        self._named: set[tuple[str, str]] = set()
        self._led: dict[tuple[Named, str], tuple[str, ...]] = {}

    def places(self) -> Iterator[Place]:
        """Every place that there is, those that it names right behind it; some come twice."""
        for family in _FAMILIES:
            for place in family(self.tree, self.users):
                if place.path.startswith("/") and not self.tree.is_file(place.path):
                    continue
                yield place
                yield from self._programs(place)

    def processes(self) -> Iterator[Place]:
        """Running programs whose file was deleted, replaced, or never was."""
        for process in running():
            program = program_of(process.pid)
            if program.endswith(_DELETED):
                path = f"{PROC}/{process.pid}/exe"
                note = f"process {process.pid} ({process.name}) runs {program[: -len(_DELETED)]}"
                yield Place(path, Kind.PROCESS, process.uid, note=note)

    def _programs(self, place: Place) -> Iterator[Place]:
        """Files that a place names and that would be run or loaded."""
        home = next((user.home for user in self.users if user.uid == place.uid), "")
        for path, kind in self._files_named(place, home):
            if (place.path, path) in self._named or path == place.path:
                continue
            self._named.add((place.path, path))
            yield Place(path, kind, place.uid, named_by=place.path)

    def _files_named(self, place: Place, home: str) -> Iterator[tuple[str, Kind]]:
        text = place.text
        for path in self._existing(logins.preloaded_libraries(text)):
            yield path, Kind.LOADER
        if place.kind is Kind.PAM:
            for path in self._existing(logins.pam_files(self.tree, text)):
                yield path, Kind.PAM
        if place.kind is Kind.BROWSER:
            for path in self._existing(browsers.host_programs(text)):
                yield path, Kind.PROGRAM
        for path in self._programs_in(place, home):
            yield path, Kind.PROGRAM

    def _programs_in(self, place: Place, home: str) -> Iterator[str]:
        text = place.text
        if not text or place.kind in _NO_SCRIPTS:
            return
        if _SCRIPT.match(text):
            yield from self._found(named_in_command(interpreter_of(text)), home)
        commands = self._commands(place, home)
        if commands is None:
            yield from self._found(named_in_script(text), home)
            return
        for command in commands:
            yield from self._found(named_in_command(command), home)

    def _commands(self, place: Place, home: str) -> Iterable[str] | None:
        """Commands in a place; None for one that is a script or free text."""
        text = place.text
        if place.kind is Kind.CRON and not text.startswith("#!"):
            return timed.cron_commands(place.path, text)
        if place.kind in (Kind.UNIT, Kind.BUS, Kind.AUTOSTART) and "Exec" in text:
            return units.exec_commands(text, home)
        if place.kind is Kind.SSH:
            return logins.ssh_commands(text)
        if place.kind is Kind.UDEV:
            return machine.rule_commands(text)
        if place.kind is Kind.MODULE:
            return machine.modprobe_commands(text)
        if place.kind is Kind.PACKAGES:
            return machine.apt_commands(text)
        if place.kind is Kind.GIT:
            return machine.git_commands(text)
        return None

    def _found(self, words: Iterable[Named], home: str) -> Iterator[str]:
        """Files that words lead to."""
        for named in words:
            if (named, home) not in self._led:
                self._led[named, home] = tuple(self._led_to(named, home))
            yield from self._led[named, home]

    def _led_to(self, named: Named, home: str) -> Iterator[str]:
        word = named.word
        if word.startswith(("~/", "$HOME/", "${HOME}/")) and home:
            word = home + word[word.index("/") :]
        if word.endswith("/"):
            yield from self.tree.files(word.rstrip("/"))
        elif word.startswith("/"):
            fits = self.tree.is_file if named.script or named.searched else self.tree.is_program
            if fits(word):
                yield word
        elif named.searched and "/" not in word:
            places = (f"{folder}/{word}" for folder in SEARCHED)
            path = next(filter(self.tree.is_program, places), None)
            if path is not None:
                yield path

    def _existing(self, paths: Iterable[str]) -> Iterator[str]:
        return filter(self.tree.is_file, paths)
