"""`VirusEvent` as a command that is run without a shell, or with one that is handed no names.

clamd writes the signature's name into the text of a shell command. Here names are handed over
as arguments, so that none can be taken for a part of the command.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable

_SHELL_ONLY = frozenset("|&;<>()$`\\\"'*?[]#~=%{}!\n")
_ARGUMENTS = {"v": ("1", "%v"), "f": ("2", "%f")}


def command_of(
    text: str, find_program: Callable[[str], str | None]
) -> tuple[list[str] | None, str]:
    """A command for `[on_finding] command`.

    Args:
        text: as clamd has it, with `%v` and `%f`.
        find_program: the path of a program, or None.

    Returns:
        The command, or None when there is none; and what to say of it.
    """
    try:
        words = shlex.split(text)
    except ValueError:
        return None, "its quotation marks do not match"
    if not words:
        return None, "names no program"
    bare = text.replace("%v", "").replace("%f", "")
    if not _SHELL_ONLY & set(bare):
        program = words[0] if words[0].startswith("/") else find_program(words[0])
        if program is None:
            return None, f"there is no program {words[0]!r} on this machine's path"
        remark = "" if words[0] == program else f"{words[0]} is {program}"
        if "%f" in text:
            remark = _FILE
        return [program, *words[1:]], remark
    script = _with_parameters(text)
    return (
        ["/bin/sh", "-c", script, "sh", "%v", "%f"],
        _FILE if "%f" in text else "run by a shell, as clamd does; names are its arguments 1 and 2",
    )


_FILE = "%f is the path again: clamd has stopped filling it in"


def _with_parameters(text: str) -> str:
    """A shell's text with `%v` and `%f` as its parameters, quoted as their place needs it."""
    written = []
    quote = ""
    at = 0
    while at < len(text):
        character, following = text[at], text[at + 1 : at + 2]
        if character == "%" and following in _ARGUMENTS:
            number = _ARGUMENTS[following][0]
            around = {"": f'"${number}"', '"': f"${{{number}}}", "'": f"'\"${number}\"'"}
            written.append(around[quote])
            at += 2
            continue
        if character == "\\" and quote != "'":
            written.append(text[at : at + 2])
            at += 2
            continue
        if character in "\"'" and quote in ("", character):
            quote = "" if quote else character
        written.append(character)
        at += 1
    return "".join(written)
