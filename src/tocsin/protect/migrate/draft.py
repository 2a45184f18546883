"""The settings as they come together: each value with the line it is from."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from tocsin.protect.configuration.describe import Key, tables, toml_value, written
from tocsin.protect.migrate.clamav_file import ClamavFile, Stated
from tocsin.protect.migrate.options import Fate

_KEYS: dict[tuple[str, str], Key] = {
    (table.name, key.name): key for table in tables() for key in table.keys
}


class Machine(NamedTuple):
    """What the plan depends on besides ClamAV's files.

    Attributes:
        processors: how many there are.
        take_over_socket: whether the daemon listens where clamd does.
        clamonacc_enabled: whether on-access scanning is switched on; None when that is unknown.
        find_program: the path of a program, or None.
        is_signature_file: whether a file of this name is read as signatures.
        list_folder: names in a folder; empty when there is none.
        read_lines: lines of a text file; None when it cannot be read.
    """

    processors: int
    take_over_socket: bool
    clamonacc_enabled: bool | None
    find_program: Callable[[str], str | None]
    is_signature_file: Callable[[str], bool]
    list_folder: Callable[[str], list[str]]
    read_lines: Callable[[str], list[str] | None]


class Row(NamedTuple):
    """What becomes of one line.

    Attributes:
        stated: the line.
        fate: what becomes of it.
        becomes: the settings, as they are written; empty when there are none.
        remark: what differs, or what to do; empty when there is nothing to say.
        attention: whether somebody should read the remark before relying on the result.
    """

    stated: Stated
    fate: Fate
    becomes: str = ""
    remark: str = ""
    attention: bool = False


class Value(NamedTuple):
    """One setting of the draft.

    Attributes:
        value: as the settings hold it.
        origins: where it is from: `clamd.conf:4 LocalSocket`.
        remark: said beside it in the file.
    """

    value: Any
    origins: tuple[str, ...]
    remark: str = ""


class Draft:
    """Settings that come together.

    Args:
        files: what ClamAV's files state.
        machine: what else matters.

    Attributes:
        values: the settings, by table and key.
        forwards: the `[[forward]]` tables, each key with its value.
        machine: what else matters.
    """

    def __init__(self, files: list[ClamavFile], machine: Machine) -> None:
        self.machine = machine
        self.values: dict[tuple[str, str], Value] = {}
        self.forwards: list[dict[str, Value]] = []
        self._files = files

    def all(self, option: str, file: str = "") -> list[Stated]:
        """The lines that state an option and hold.

        Args:
            option: its name.
            file: only of the file with this name; empty for all.
        """
        return [
            stated
            for each in self._files
            if not file or each.name == file
            for stated in each.stated
            if stated.option == option and not stated.repeated
        ]

    def first(self, option: str) -> Stated | None:
        """The line that states an option, or None."""
        return next(iter(self.all(option)), None)

    def put(self, table: str, key: str, value: Any, stated: Stated, remark: str = "") -> str:
        """Set a value.

        Returns:
            The setting as it is written.
        """
        self.values[table, key] = Value(value, (_origin(stated),), remark)
        return self.said(table, key, value)

    def add(self, table: str, key: str, values: list[str], stated: Stated) -> str:
        """Add values to a list, each once.

        Returns:
            The setting as it is written, with what was added.
        """
        held = self.values.get((table, key), Value((), ()))
        new = [value for value in values if value not in held.value]
        origins = (*held.origins, _origin(stated)) if new else held.origins
        self.values[table, key] = Value((*held.value, *new), origins)
        return self.said(table, key, values)

    def get(self, table: str, key: str) -> Any:
        """A value that was set, or None."""
        held = self.values.get((table, key))
        return None if held is None else held.value

    @staticmethod
    def said(table: str, key: str, value: Any) -> str:
        """A setting as it is written: `[daemon] socket = "/run/x"`."""
        known = _KEYS.get((table, key))
        text = written(known, value) if known is not None else toml_value(value)
        return f"[{table}] {key} = {text}"


def key_of(table: str, key: str) -> Key:
    """What the settings say of a key."""
    return _KEYS[table, key]


def _origin(stated: Stated) -> str:
    return f"{stated.origin} {stated.option}"
