"""A disk that loses what was not synced: what a folder may look like after power was lost.

While a folder is watched, every call that changes names or syncs is a moment at which power may
be lost. What is on the disk then is at least what was synced, and at most all names there are: a
journal keeps names in order and bytes only when a file was synced (fsync(2); ext4(5),
`data=ordered` promises no more for a file that grew in place). So each moment gives two folders:

- `synced`: names and bytes that were synced, each for itself, and nothing later;
- `named`: all names there are, and of each file the bytes it had at its last sync, be it none.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

_NAMES = ("mkdir", "rename", "replace", "symlink", "link", "unlink", "rmdir")
Content = bytes | str | dict[str, Any]
"""Of a file, a link (where it leads), a folder."""


class LossyDisk:
    """Watches one folder.

    Args:
        folder: what is in it when watching begins counts as synced.

    Attributes:
        states: every folder that a loss of power may leave, each once, with what came next.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.states: list[tuple[str, dict[str, Any]]] = []
        self._bytes: dict[int, bytes] = {}
        self._names: dict[int, dict[str, tuple[str, int | str]]] = {}
        self._held: dict[int, int] = {}
        self._seen: set[str] = set()
        self._sync_all(folder)

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Watch what this process does in the folder."""
        with mock.patch.multiple(
            os,
            fsync=self._synced(os.fsync),
            **{name: self._named(name, getattr(os, name)) for name in _NAMES},
        ):
            yield
        self._moment("the end")
        for descriptor in self._held.values():
            os.close(descriptor)
        self._held.clear()

    # --- calls ------------------------------------------------------------------------------

    def _named(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **named: Any) -> Any:
            self._moment(f"before {name} {os.path.basename(str(args[-1]))}")
            done = real(*args, **named)
            self._moment(f"after {name} {os.path.basename(str(args[-1]))}")
            return done

        return call

    def _synced(self, real: Callable[[int], None]) -> Callable[[int], None]:
        def call(descriptor: int) -> None:
            self._moment("before fsync")
            real(descriptor)
            place = Path(os.readlink(f"/proc/self/fd/{descriptor}"))
            if place == self.folder or self.folder in place.parents:
                self._keep(place)
            self._moment("after fsync")

        return call

    # --- what is on the disk ----------------------------------------------------------------

    def _sync_all(self, place: Path) -> None:
        self._keep(place)
        if place.is_dir() and not place.is_symlink():
            for each in place.iterdir():
                self._sync_all(each)

    def _number(self, place: Path) -> int:
        """The inode of a file or folder; it is held, so that no other gets its number."""
        number = place.lstat().st_ino
        if number not in self._held:
            self._held[number] = os.open(place, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        return number

    def _keep(self, place: Path) -> None:
        if place.is_symlink():
            return
        if place.is_dir():
            self._names[self._number(place)] = self._entries(place)
        else:
            self._bytes[self._number(place)] = place.read_bytes()

    def _entries(self, folder: Path) -> dict[str, tuple[str, int | str]]:
        found: dict[str, tuple[str, int | str]] = {}
        for each in folder.iterdir():
            mode = each.lstat().st_mode
            if stat.S_ISLNK(mode):
                found[each.name] = ("link", os.readlink(each))
            else:
                kind = "folder" if stat.S_ISDIR(mode) else "file"
                found[each.name] = (kind, self._number(each))
        return found

    def _moment(self, what: str) -> None:
        for name, state in (
            ("synced", self._as_synced(self._number(self.folder))),
            ("named", self._as_named(self.folder)),
        ):
            mark = repr(sorted(state.items())) if state else ""
            if mark not in self._seen:
                self._seen.add(mark)
                self.states.append((f"{name}, {what}", state))

    def _as_synced(self, folder: int) -> dict[str, Any]:
        made: dict[str, Any] = {}
        for name, (kind, aim) in sorted(self._names.get(folder, {}).items()):
            if isinstance(aim, str):
                made[name] = aim
            else:
                made[name] = self._as_synced(aim) if kind == "folder" else self._bytes.get(aim, b"")
        return made

    def _as_named(self, folder: Path) -> dict[str, Any]:
        made: dict[str, Any] = {}
        for name, (kind, aim) in sorted(self._entries(folder).items()):
            if isinstance(aim, str):
                made[name] = aim
            elif kind == "folder":
                made[name] = self._as_named(folder / name)
            else:
                made[name] = self._bytes.get(aim, b"")
        return made


def write_out(state: dict[str, Content], folder: Path) -> None:
    """Make a folder that looks like one after a loss of power."""
    folder.mkdir()
    for name, content in state.items():
        place = folder / name
        if isinstance(content, dict):
            write_out(content, place)
        elif isinstance(content, str):
            place.symlink_to(content)
        else:
            place.write_bytes(content)
