"""Which events are asked for, and the question to SQLite."""

from __future__ import annotations

import re
import sqlite3
from fnmatch import translate
from functools import lru_cache
from typing import NamedTuple

from tocsin.protect.journal.content import to_bytes, unpack
from tocsin.protect.journal.event import Kind, Severity

_WILD = re.compile(r"[*?\[]")


class Filter(NamedTuple):
    """Which events; what is left at its default does not narrow.

    Attributes:
        kinds: of these families.
        severity: at least this severe.
        since: not before, seconds since 1970.
        until: before.
        path: glob of the path; without wildcards the path and all beneath it.
        signature: glob of a signature's name, upper and lower case alike.
        action: what was done.
        text: part of the message, the path, the program or a name, in any case.
        after: only numbers above this.
        limit: at most so many; 0: all.
        newest: when there are more than the limit, the last ones instead of the first.
    """

    kinds: tuple[Kind, ...] = ()
    severity: Severity = Severity.INFO
    since: float | None = None
    until: float | None = None
    path: str = ""
    signature: str = ""
    action: str = ""
    text: str = ""
    after: int = 0
    limit: int = 0
    newest: bool = False


class Question(NamedTuple):
    """A condition and its values."""

    where: str
    values: tuple[object, ...]


def question(wanted: Filter) -> Question:
    """The condition that picks the events, its place in the journal left out."""
    conditions: list[str] = []
    values: list[object] = []

    def add(condition: str, *given: object) -> None:
        conditions.append(condition)
        values.extend(given)

    if wanted.kinds:
        marks = ",".join("?" * len(wanted.kinds))
        add(f"kind IN ({marks})", *(kind.value for kind in wanted.kinds))
    if wanted.severity.rank:
        add("severity >= ?", wanted.severity.rank)
    if wanted.since is not None:
        add("time >= ?", wanted.since)
    if wanted.until is not None:
        add("time < ?", wanted.until)
    if wanted.action:
        add("action = ?", to_bytes(wanted.action))
    if wanted.path:
        add("path_matches(path, ?)", to_bytes(wanted.path))
    if wanted.signature:
        add("signature_matches(signatures, ?)", to_bytes(wanted.signature))
    if wanted.text:
        add("text_matches(content, ?)", to_bytes(wanted.text))
    return Question(" AND ".join(conditions) or "1", tuple(values))


def add_functions(connection: sqlite3.Connection) -> None:
    """Give SQLite the functions that `question` uses."""
    connection.create_function("path_matches", 2, _path_matches, deterministic=True)
    connection.create_function("signature_matches", 2, _signature_matches, deterministic=True)
    connection.create_function("text_matches", 2, _text_matches, deterministic=True)


def _path_matches(path: bytes, pattern: bytes) -> bool:
    if not _WILD.search(pattern.decode("utf-8", "replace")):
        folder = pattern.rstrip(b"/") + b"/"
        return path == pattern or path.startswith(folder)
    return _compiled(pattern, fold=False).match(path.decode("utf-8", "surrogateescape")) is not None


def _signature_matches(names: bytes, pattern: bytes) -> bool:
    compiled = _compiled(pattern, fold=True)
    text = names.decode("utf-8", "surrogateescape")
    return any(compiled.match(name) is not None for name in text.split("\n") if name)


def _text_matches(content: bytes, needle: bytes) -> bool:
    event = unpack(content, 0)
    wanted = needle.decode("utf-8", "surrogateescape").casefold()
    held = (event.message, event.path, event.object, event.program, event.origin, event.record)
    return any(wanted in text.casefold() for text in (*held, *event.signatures))


@lru_cache(maxsize=16)
def _compiled(pattern: bytes, *, fold: bool) -> re.Pattern[str]:
    text = pattern.decode("utf-8", "surrogateescape")
    return re.compile(translate(text), re.I if fold else 0)
