"""Writing what was taken out of a container to a folder, for analysts, without being tricked.

Names come from whoever made the container. They are cut into parts, none of which can be
`..`, absolute, a device or a control character, and every folder on the way is opened by the
one before it without following links. A file that exists is never written over. Everything
is readable by the owner only and nothing is executable.
"""

from __future__ import annotations

import json
import os
import unicodedata
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from tocsin.errors import UsageError

INDEX_NAME = "tocsin-members.jsonl"
"""In the folder: one line a member, its name as stored and where it was written."""

_LONGEST_PART = 120
_LONGEST_ENDING = 8
_MOST_PARTS = 32
_SUFFIX = ".d"
"""Ends the folder that holds the members of a member."""

_RESERVED = frozenset(
    {"con", "prn", "aux", "nul", *(f"com{n}" for n in range(10)), *(f"lpt{n}" for n in range(10))}
)
_FOLDER_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


def safe_parts(way: Sequence[bytes]) -> tuple[str, ...]:
    """Names of folders and at last of a file, from the names down through containers.

    Args:
        way: names as stored, the outermost container's member first.

    Returns:
        At least one part; each is a plain file name on every system.
    """
    parts: list[str] = []
    for depth, name in enumerate(way):
        pieces = [_safe(piece) for piece in _pieces(name.decode("utf-8", "replace"))]
        pieces = [piece for piece in pieces if piece] or ["unnamed"]
        if depth < len(way) - 1:
            pieces[-1] += _SUFFIX
        parts += pieces
    if len(parts) > _MOST_PARTS:
        parts = [*parts[: _MOST_PARTS - 1], parts[-1]]
    return tuple(parts)


def _pieces(name: str) -> list[str]:
    """A stored name cut at what separates folders on any system; `.` and `..` go."""
    pieces = name.replace("\\", "/").split("/")
    return [piece for piece in pieces if piece.strip(". ") or piece.strip() not in ("", ".", "..")]


def _safe(piece: str) -> str:
    """One part of a name with nothing in it that a file system or terminal obeys."""
    stem, dot, ending = piece.rpartition(".")
    if not dot or not 0 < len(ending) <= _LONGEST_ENDING:
        stem, ending = piece, ""
    stem = _shortened(_plain(stem[:_LONGEST_PART]), _LONGEST_PART)
    plain = f"{stem}.{_plain(ending)}" if ending else stem
    plain = plain.strip(" .")
    reserved = plain.partition(".")[0].lower() in _RESERVED or plain == INDEX_NAME
    if reserved or plain.startswith(("-", "~")):  # which programs and shells obey
        plain = f"_{plain}"
    return plain


def _plain(text: str) -> str:
    return "".join(character if _is_plain(character) else "_" for character in text)


def _shortened(text: str, most: int) -> str:
    """As many whole characters as fit into a number of bytes."""
    return text.encode()[:most].decode("utf-8", "ignore")


def _is_plain(character: str) -> bool:
    if character in '<>:"|?*\ufffd':
        return False
    return unicodedata.category(character)[0] not in "CZ" or character == " "


class Extraction:
    """A folder being filled; use it in a `with` block.

    Args:
        folder: a folder that is empty or does not exist yet.

    Raises:
        UsageError: it has something in it, or cannot be made.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._root = os.open(folder, _FOLDER_FLAGS)
        except OSError as error:
            why = "a link, which is not followed" if folder.is_symlink() else error.strerror
            raise UsageError(f"{folder}: {why}; name an empty or new folder") from None
        if os.listdir(self._root):
            os.close(self._root)
            raise UsageError(f"{folder} is not empty; name an empty or new folder")
        self._index = os.open(INDEX_NAME, _FILE_FLAGS, 0o600, dir_fd=self._root)
        self.written = 0
        self._next: dict[tuple[str, ...], int] = {}  # to be tried behind a name, by its place

    def __enter__(self) -> Extraction:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        os.close(self._index)
        os.close(self._root)

    def write(self, way: Sequence[bytes], data: bytes) -> str:
        """Write one member.

        Args:
            way: names from the container down to it, as stored.
            data: its bytes.

        Returns:
            Where it was written, below the folder.

        Raises:
            OSError: it could not be written.
        """
        *folders, name = safe_parts(way)
        descriptor, entered = self._enter(folders)
        try:
            name, file = self._create(name, descriptor, tuple(entered))
        finally:
            if descriptor != self._root:
                os.close(descriptor)
        with open(file, "wb", buffering=0) as target:
            view = memoryview(data)
            while view:
                view = view[target.write(view) :]
        place = "/".join([*entered, name])
        stored = [part.decode("utf-8", "backslashreplace") for part in way]
        line = json.dumps({"member": stored, "file": place, "size": len(data)})
        os.write(self._index, line.encode() + b"\n")
        self.written += 1
        return place

    def _enter(self, folders: Sequence[str]) -> tuple[int, list[str]]:
        """Make and open folders one below the other.

        Returns:
            Descriptor of the last, and the names they have in the end.
        """
        at = self._root
        entered: list[str] = []
        for folder in folders:
            name, below = self._folder(folder, at, tuple(entered))
            if at != self._root:
                os.close(at)
            at = below
            entered.append(name)
        return at, entered

    def _folder(self, name: str, parent: int, place: tuple[str, ...]) -> tuple[str, int]:
        """Open a folder, made if need be; beside a file of that name it gets another."""
        for candidate in self._candidates(name, (*place, name, "")):
            with suppress(FileExistsError):
                os.mkdir(candidate, 0o700, dir_fd=parent)
            try:
                return candidate, os.open(candidate, _FOLDER_FLAGS, dir_fd=parent)
            except NotADirectoryError:
                self._taken((*place, name, ""))
        raise AssertionError("candidates never end")

    def _create(self, name: str, parent: int, place: tuple[str, ...]) -> tuple[str, int]:
        for candidate in self._candidates(name, (*place, name)):
            try:
                return candidate, os.open(candidate, _FILE_FLAGS, 0o600, dir_fd=parent)
            except FileExistsError:
                self._taken((*place, name))
        raise AssertionError("candidates never end")

    def _candidates(self, name: str, key: tuple[str, ...]) -> Iterator[str]:
        """The name, then others like it, from where the last search for one ended."""
        while True:
            number = self._next.get(key, 1)
            yield name if number == 1 else f"{name}~{number}"

    def _taken(self, key: tuple[str, ...]) -> None:
        self._next[key] = self._next.get(key, 1) + 1
