"""What somebody should look at in start-up places, whatever signatures say. Pure.

None of it is a detection: each has honest uses. It is what malware does to stay, and rare enough
on an honest machine to be read by a person.
"""

from __future__ import annotations

import re
import stat
from collections.abc import Iterator
from typing import NamedTuple

from tocsin.protect.startup.logins import forced_commands, preloaded_libraries, stated_lines
from tocsin.protect.startup.place import Kind, Place

_LONGEST_QUOTE = 120
_SHELL = re.compile(
    r"\s*(?:(?:sudo|doas|exec|nohup|env|/usr/bin/env)\s+)*(?:/[\w./-]*/)?"
    r"(?:(?:ba|da|z|k|a)?sh|python[\d.]*|perl|ruby|php|node)\b"
)
_FETCHER = re.compile(
    r"\b(?:curl|wget|fetch|lwp-request|lwp-download|lynx|aria2c|ncat|netcat|nc|socat|tftp)\b"
)
_RUNS_WHAT_FOLLOWS = re.compile(r"\b(?:eval|source|exec|(?:ba|da|z|k|a)?sh|python[\d.]*|perl)\b")
_INSERTED = re.compile(rf"(?:<\(|\$\(|`)\s*(?:{_FETCHER.pattern})")
_FROM_FOLDER = re.compile(r"\s*(?:\./|/tmp/|/var/tmp/|/dev/shm/)")
_TO_THE_NET = re.compile(r"/dev/(?:tcp|udp)/|\b(?:nc|ncat|netcat)\s(?:[^\n]*\s)?-[a-z]*[ec]\b")
_BASE64 = re.compile(r"\bbase64\s+(?:-d|-D|--decode)\b")
_FOR_ALL = ("/tmp/", "/var/tmp/", "/dev/shm/", "/run/shm/")  # noqa: S108 - looked for, not used
_NO_COMMANDS = frozenset({Kind.BROWSER, Kind.PYTHON, Kind.PAM})


class Standing(NamedTuple):
    """Who may change a file.

    Attributes:
        mode: of the file.
        uid: its owner.
        folder_mode: of the folder it is in.
        folder_uid: that folder's owner.
    """

    mode: int
    uid: int
    folder_mode: int = 0o755
    folder_uid: int = 0


def remarks(place: Place, standing: Standing | None) -> Iterator[str]:
    """What is remarkable about a place.

    Args:
        place: the place, with the text of it that was read.
        standing: who may change it; None when that is not known.
    """
    yield from _of_kind(place)
    if place.kind not in _NO_COMMANDS:
        yield from _of_text(place)
    if place.path.startswith(_FOR_ALL) and place.kind is not Kind.PROCESS:
        yield "it is started from a folder in which everybody may put files"
    if standing is not None and place.kind is not Kind.PROCESS:
        yield from _of_standing(place, standing)


def _of_kind(place: Place) -> Iterator[str]:
    if place.path == "/etc/ld.so.preload" and _stated(place.text):
        yield f"every program is made to load {_quoted(_stated(place.text))}"
    if place.kind is Kind.SSH:
        for command in forced_commands(place.text):
            yield f"a key that is bound to a command: {_quoted(command)}"
    if place.kind is Kind.PROCESS:
        hidden = "/memfd:" in place.note
        what = "it never had a file" if hidden else "its file was deleted or replaced"
        yield f"{place.note}, and {what}"
    elif place.note.endswith("no file is known"):
        yield place.note


def _of_text(place: Place) -> Iterator[str]:
    for line in stated_lines(place.text):
        what = _doing(line)
        if what:
            yield f"{what}: {_quoted(line.strip())}"
            break
    libraries = preloaded_libraries(place.text)
    if libraries:
        yield f"programs are made to load {_quoted(' '.join(libraries))}"


def _doing(line: str) -> str:
    """What a line of shell does that few honest ones do; empty for all others."""
    fetched = unpacked = False
    for part in line.split("|"):
        if _SHELL.match(part):
            if fetched:
                return "what is fetched from the net is run"
            if unpacked:
                return "what is hidden in base64 is run"
        fetched = fetched or bool(_FETCHER.search(part))
        unpacked = unpacked or bool(_BASE64.search(part))
    inserted = _INSERTED.search(line)
    if inserted and _RUNS_WHAT_FOLLOWS.search(line, 0, inserted.start()):
        return "what is fetched from the net is run"
    fetched = False
    for part in re.split(r"[;&]+", line):
        if fetched and (_SHELL.match(part) or _FROM_FOLDER.match(part)):
            return "what is fetched from the net is run"
        fetched = fetched or bool(_FETCHER.search(part))
    return "a connection that a shell is given" if _TO_THE_NET.search(line) else ""


def _of_standing(place: Place, standing: Standing) -> Iterator[str]:
    if standing.mode & stat.S_IWOTH:
        yield "everybody may write to it"
    elif standing.folder_mode & stat.S_IWOTH and not standing.folder_mode & stat.S_ISVTX:
        yield "everybody may put another file in its place: its folder is open to all"
    if place.uid == 0 and standing.uid != 0:
        yield f"root runs it, and user {standing.uid} owns it"
    elif place.uid == 0 and standing.folder_uid != 0:
        yield f"root runs it, and user {standing.folder_uid} owns its folder"
    elif place.uid and standing.uid not in (0, place.uid):
        yield f"user {place.uid} runs it, and user {standing.uid} owns it"


def _stated(text: str) -> str:
    return " ".join(re.sub(r"#.*", "", text).split())


def _quoted(text: str) -> str:
    return text if len(text) <= _LONGEST_QUOTE else f"{text[: _LONGEST_QUOTE - 1]}…"
