"""From the paths of a command line to the files to scan, met in clamscan's order and manner.

What clamscan passes over and in which words was measured with 1.4.6; see `docs/clamscan.md`.
Folders are walked depth first in the order in which the file system lists them, with a stack of
our own, so that no depth of folders can exhaust Python's.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Iterator, Sequence
from enum import Enum, auto
from functools import lru_cache
from typing import NamedTuple

NEVER, DIRECT, ALWAYS = range(3)
"""Policies for symbolic links."""

Matcher = Callable[[str], bool]


class Event(Enum):
    """What is told of a path."""

    FILE = auto()  # to be scanned
    FOLDER = auto()  # entered
    NOTE = auto()  # passed over, as the text says
    DENIED = auto()  # there, and may not be read
    MISSING = auto()  # not there, or not to be reached
    SPECIAL = auto()  # neither file nor folder, given as a path
    TOO_DEEP = auto()  # a folder beyond the bound


class Item(NamedTuple):
    """One path that was met.

    Attributes:
        event: what is told of it.
        path: as given, or joined to what was given.
        text: in words.
    """

    event: Event
    path: str
    text: str = ""


class Rules(NamedTuple):
    """What to walk.

    Attributes:
        recursive: enter folders in folders.
        file_links: policy for links to files.
        folder_links: policy for links to folders.
        cross_fs: enter other file systems.
        max_depth: layers of folders.
        exclude: the absolute path of a file to pass over.
        include: the absolute path of a file to scan, or None for all.
        exclude_folder: the path, as walked, of a folder to pass over.
        include_folder: the path, as walked, of a folder to enter, or None for all.
    """

    recursive: bool = False
    file_links: int = DIRECT
    folder_links: int = DIRECT
    cross_fs: bool = True
    max_depth: int = 15
    exclude: Matcher | None = None
    include: Matcher | None = None
    exclude_folder: Matcher | None = None
    include_folder: Matcher | None = None


class _Folder(NamedTuple):
    names: Iterator[str]
    path: str
    device: int


class Walker:
    """Meets files.

    Args:
        rules: what to walk.
    """

    def __init__(self, rules: Rules) -> None:
        self._rules = rules

    def visit(self, path: str) -> Iterator[Item]:
        """Everything that a path of the command line stands for."""
        try:
            status = os.lstat(path)
        except (OSError, ValueError) as error:
            yield Item(Event.MISSING, path, _strerror(error))
            return
        if stat.S_ISLNK(status.st_mode):
            target = _stat(path)
            if target is None:
                return
            folder = stat.S_ISDIR(target.st_mode)
            policy = self._rules.folder_links if folder else self._rules.file_links
            if policy == NEVER:
                yield Item(Event.NOTE, path, "Symbolic link")
                return
            status = target
        if stat.S_ISDIR(status.st_mode):
            yield from self._walk(path.rstrip("/") or "/")
        elif stat.S_ISREG(status.st_mode):
            yield self._file(path, status)
        else:
            yield Item(Event.SPECIAL, path, "Not supported file type")

    def _walk(self, start: str) -> Iterator[Item]:
        device: int | None = None
        stack: list[_Folder] = []
        pending: str | None = start
        while True:
            if pending is not None:
                items, entered = self._enter(pending, len(stack) + 1, device)
                yield from items
                if entered is not None:
                    stack.append(entered)
                    device = entered.device if device is None else device
            if not stack:
                return
            pending = None
            name = next(stack[-1].names, None)
            if name is None:
                stack.pop()
                continue
            path = os.path.join(stack[-1].path, name)
            item, pending = self._entry(path, device)
            if item is not None:
                yield item

    def _enter(
        self, path: str, depth: int, device: int | None
    ) -> tuple[list[Item], _Folder | None]:
        rules = self._rules
        slashed = path + "/"
        if (
            rules.exclude_folder is not None
            and (rules.exclude_folder(path) or rules.exclude_folder(slashed))
        ) or (
            rules.include_folder is not None
            and not (rules.include_folder(path) or rules.include_folder(slashed))
        ):
            return [Item(Event.NOTE, path, "Excluded")], None
        if depth > rules.max_depth:
            text = f"deeper than {rules.max_depth} folders (--max-dir-recursion)"
            return [Item(Event.TOO_DEEP, path, text)], None
        try:
            found = os.stat(path).st_dev
            if device is not None and found != device and not rules.cross_fs:
                return [Item(Event.NOTE, path, "Excluded")], None
            names = os.listdir(path)
        except OSError:
            return [Item(Event.DENIED, path, "Can't open directory.")], None
        return [Item(Event.FOLDER, path)], _Folder(iter(names), path, found)

    def _entry(self, path: str, device: int | None) -> tuple[Item | None, str | None]:
        """What to tell of an entry of a folder, and the folder to enter if it is one."""
        rules = self._rules
        try:
            status = os.lstat(path)
        except OSError as error:
            return Item(Event.MISSING, path, _strerror(error)), None
        if stat.S_ISLNK(status.st_mode):
            if ALWAYS not in (rules.file_links, rules.folder_links):
                return Item(Event.NOTE, path, "Symbolic link"), None
            target = _stat(path)
            if target is None:
                return None, None
            folder = stat.S_ISDIR(target.st_mode)
            if (rules.folder_links if folder else rules.file_links) != ALWAYS:
                return Item(Event.NOTE, path, "Symbolic link"), None
            status = target
        if stat.S_ISDIR(status.st_mode):
            return None, path if rules.recursive else None
        if not stat.S_ISREG(status.st_mode):
            return None, None
        if not rules.cross_fs and device is not None and status.st_dev != device:
            return Item(Event.NOTE, path, "Excluded"), None
        return self._file(path, status), None

    def _file(self, path: str, status: os.stat_result) -> Item:
        rules = self._rules
        if rules.exclude is not None or rules.include is not None:
            try:
                real = os.path.realpath(path)
            except OSError as error:  # a link in it was changed while it was followed
                return Item(Event.MISSING, path, _strerror(error))
            if (rules.exclude is not None and rules.exclude(real)) or (
                rules.include is not None and not rules.include(real)
            ):
                return Item(Event.NOTE, path, "Excluded")
        if status.st_dev == _proc_device():
            return Item(Event.NOTE, path, "Excluded (/proc)")
        if not status.st_size:
            return Item(Event.NOTE, path, "Empty file")
        if os.geteuid() != 0 and not os.access(path, os.R_OK):
            return Item(Event.DENIED, path, "Access denied")
        return Item(Event.FILE, path)


def _stat(path: str) -> os.stat_result | None:
    try:
        return os.stat(path)
    except OSError:
        return None


def _strerror(error: OSError | ValueError) -> str:
    if isinstance(error, OSError):
        return error.strerror or str(error)
    return "No such file or directory"


@lru_cache(maxsize=1)
def _proc_device() -> int:
    status = _stat("/proc")
    root = _stat("/")
    if status is None or root is None or status.st_dev == root.st_dev:
        return -1
    return status.st_dev


_BRACKET = re.compile(r"\[\^?\]?(?:\[[:.=].*?[:.=]\]|[^\]])*\]", re.S)
_DOLLAR_END_ONLY, _DOT_ALL = 0x10, 0x20
_LIMITS = b"(*LIMIT_MATCH=1000000)(*LIMIT_DEPTH=20000)"


def matcher(expressions: Sequence[str], *, undecided: bool) -> Matcher | None:
    """A test whether any of some POSIX extended expressions is found in a path.

    Args:
        expressions: POSIX extended regular expressions.
        undecided: the answer when an expression takes too long.

    Raises:
        ValueError: an expression that cannot be read; the message names it.
    """
    if not expressions:
        return None
    import pcre2

    compiled = []
    for expression in expressions:
        try:
            source = _LIMITS + os.fsencode(_as_perl(expression))
            compiled.append(pcre2.compile(source, _DOLLAR_END_ONLY | _DOT_ALL))
        except pcre2.PatternError as error:
            raise ValueError(f"{expression}: {error}") from error

    def matches(path: str) -> bool:
        subject = os.fsencode(path)
        try:
            return any(pattern.search(subject) is not None for pattern in compiled)
        except pcre2.LibraryError:
            return undecided

    return matches


def _as_perl(expression: str) -> str:
    """The same expression for PCRE2: a backslash is plain in brackets, and makes letters plain."""
    parts = []
    place = 0
    while place < len(expression):
        bracket = _BRACKET.match(expression, place)
        if bracket is not None:
            parts.append(bracket[0].replace("\\", "\\\\"))
            place = bracket.end()
        elif expression[place] == "\\" and place + 1 < len(expression):
            escaped = expression[place + 1]
            parts.append(escaped if escaped.isalnum() else "\\" + escaped)
            place += 2
        else:
            parts.append(expression[place])
            place += 1
    return "".join(parts)
