"""Which programs a line of shell, or something like it, would run. Pure: text in, words out.

A shell's language cannot be understood without running it. What is told here is what stands in
plain sight, which is how nearly everything is started: the first word of each command, what an
interpreter is given, what wrappers are given, and every absolute path.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from typing import NamedTuple

SEARCHED = (
    *("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"),
    *("/usr/games", "/snap/bin"),
)
"""Folders in which a program without a folder is looked for."""

_INTERPRETER = re.compile(
    r"(?:(?:ba|da|z|k|mk|c|tc|fi|a)?sh|python[\d.]*|perl[\d.]*|ruby[\d.]*|node(?:js)?|php[\d.]*"
    r"|lua[\d.]*|tclsh[\d.]*|wish|osascript|pwsh|deno|bun|java|mono|wine(?:64)?)\Z"
)
_WRAPPERS = frozenset(
    {
        *(
            "env",
            "nice",
            "ionice",
            "nohup",
            "setsid",
            "timeout",
            "sudo",
            "doas",
            "exec",
        ),
        *(
            "command",
            "time",
            "chronic",
            "flock",
            "runuser",
            "su",
            "chroot",
            "stdbuf",
        ),
        *(
            "systemd-run",
            "systemd-inhibit",
            "systemd-cat",
            "run-parts",
            "eval",
            "source",
        ),
        *(
            ".",
            "if",
            "then",
            "else",
            "elif",
            "do",
            "while",
            "until",
            "!",
            "test",
            "[",
        ),
        *(
            "[[",
            "start-stop-daemon",
            "daemon",
            "unshare",
            "nsenter",
            "taskset",
            "chrt",
        ),
        *(
            "xargs",
            "dbus-run-session",
            "dbus-launch",
            "ssh-agent",
            "gpg-agent",
            "sg",
        ),
        *(
            "setpriv",
            "prlimit",
            "cgexec",
        ),
    }
)
_SEPARATOR = re.compile(r"[;|&()\n]+\Z")
_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*\+?=")
_ABSOLUTE = re.compile(r"(?<![\w.$~{}/-])/(?:[\w.+@:,%-]+/)*[\w.+@:,%-]+")
_DEEPEST = 3


class Named(NamedTuple):
    """A word that may be a program.

    Attributes:
        word: as it stands there, without quotes.
        script: whether it counts without the right to be executed: an interpreter reads it.
        searched: whether it is looked for in the usual folders when it names none.
    """

    word: str
    script: bool = False
    searched: bool = False


def named_in_command(text: str, depth: int = 0) -> Iterator[Named]:
    """Words of a command line that may be programs."""
    for words in _simple_commands(text):
        yield from _named(words, depth)


def named_in_script(text: str) -> Iterator[Named]:
    """Absolute paths in a shell script or a file of settings."""
    for line in text.splitlines():
        if not line.lstrip().startswith("#"):
            for match in _ABSOLUTE.finditer(line):
                yield Named(match[0])


def interpreter_of(text: str) -> str:
    """What `#!` in the first line of a script names, arguments too; empty without."""
    if not text.startswith("#!"):
        return ""
    return text[2:].split("\n", 1)[0].strip()


def _simple_commands(text: str) -> Iterator[list[str]]:
    """The words of each command in a line, quotes taken off."""
    reader = shlex.shlex(text, posix=True, punctuation_chars=";|&()\n")
    reader.whitespace = " \t\r"
    reader.whitespace_split = True
    reader.commenters = ""
    words: list[str] = []
    try:
        for token in reader:
            if _SEPARATOR.match(token):
                if words:
                    yield words
                words = []
            else:
                words.append(token)
    except ValueError:  # a quote that is not closed
        words = re.split(r"[\s;|&()]+", text)
    if words:
        yield words


def _named(words: list[str], depth: int) -> Iterator[Named]:
    expects_command = True
    interpreter = False
    code_follows = False
    after_option = False
    for word in words:
        if not word or word in ("{", "}"):
            continue
        if code_follows:
            code_follows = False
            if depth < _DEEPEST:
                yield from named_in_command(word, depth + 1)
            continue
        if expects_command:
            if _ASSIGNMENT.match(word):
                continue
            if word.startswith("-") or word[0].isdigit() or word in _WRAPPERS:
                after_option = len(word) == 2 and word.startswith("-")
                if word in _WRAPPERS:
                    yield Named(word, searched=True)
                continue
            if after_option:  # what the option is given, or else the command
                after_option = False
                yield Named(word, searched=True)
                continue
            expects_command = False
            name = word.rpartition("/")[2]
            if name in _WRAPPERS:
                expects_command = True
            interpreter = bool(_INTERPRETER.match(name))
            yield Named(word, searched=True)
            continue
        if interpreter and word in ("-c", "-e", "-ec", "-lc", "-ic", "-cl"):
            code_follows = True
            interpreter = False
            continue
        plain = word.rpartition("=")[2] if "=/" in word else word
        if interpreter and not word.startswith("-"):
            interpreter = False
            yield Named(plain, script=True)
        elif plain.startswith("/"):
            yield Named(plain)
