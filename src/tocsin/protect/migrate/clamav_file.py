"""A settings file of ClamAV as its own programs read it.

Lines of an option and its value, parted by blanks; `#` begins a comment at the start of a line
only; a value may stand in double quotes. Of an option that can stand once, the first line holds
(measured with `clamconf` 1.4.6). What those programs would refuse is a problem here, with its
line; an option that nobody knows is handed on as it is.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from tocsin.errors import Problem
from tocsin.protect.migrate.options import Option, Takes

LARGEST = 1 << 20
"""Bytes of a file that are read; ClamAV's own are of some ten thousand."""

LONGEST_LINE = 8192
"""ClamAV reads lines up to this length."""

_LINE = re.compile(r"(\S+)(?:[ \t]+(.*))?\Z", re.S)
_SIZE = re.compile(r"(\d{1,15})([KMGkmg]?)\Z", re.A)
_UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}
_YES, _NO = ("yes", "true", "1"), ("no", "false", "0")
_MOST_PROBLEMS = 20


class Stated(NamedTuple):
    """One line that states an option.

    Attributes:
        option: its name.
        text: its value as it is written.
        value: the value as what the option takes; the text for an option nobody knows.
        file: name of the file.
        line: where, counted from 1; 0 for what is not a line of a file.
        repeated: an earlier line states it already, and that one holds.
    """

    option: str
    text: str
    value: bool | int | str
    file: str
    line: int
    repeated: bool = False

    @property
    def origin(self) -> str:
        """Where it is from, in one word and a number."""
        return f"{self.file}:{self.line}" if self.line else self.file


class ClamavFile(NamedTuple):
    """What a file states.

    Attributes:
        name: of the file.
        stated: its options in order.
        problems: what ClamAV's programs would refuse it for.
    """

    name: str
    stated: tuple[Stated, ...]
    problems: tuple[Problem, ...] = ()


def read_clamav(content: bytes, name: str, known: Mapping[str, Option]) -> ClamavFile:
    """What a settings file states.

    Args:
        content: its bytes.
        name: its name in messages.
        known: the options there are.
    """
    if len(content) > LARGEST:
        reason = f"larger than {LARGEST:,} bytes: no settings file of ClamAV"
        return ClamavFile(name, (), (Problem(0, "", reason),))
    if b"\0" in content:
        line = content[: content.index(b"\0")].count(b"\n") + 1
        reason = "holds binary data: no settings file of ClamAV"
        return ClamavFile(name, (), (Problem(line, "", reason),))
    stated: list[Stated] = []
    problems: list[Problem] = []
    lines = content.split(b"\n")
    windows = sum(line.endswith(b"\r") for line in lines)
    if windows:
        reason = f"{windows} lines end as on Windows; ClamAV takes the mark for part of the value"
        problems.append(Problem(0, "", f"{reason}: convert the file (dos2unix)"))
    for number, raw in enumerate(lines, 1):
        if len(raw) > LONGEST_LINE:
            problems.append(Problem(number, "", f"a line of {len(raw):,} bytes; none is that long"))
            continue
        found = _read_line(raw, number, name, known)
        if isinstance(found, Problem):
            problems.append(found)
        elif found is not None:
            option = known.get(found.option)
            single = option is not None and not option.several
            repeated = single and any(each.option == found.option for each in stated)
            stated.append(found._replace(repeated=repeated))
    if len(problems) > _MOST_PROBLEMS:
        more = len(problems) - _MOST_PROBLEMS
        problems[_MOST_PROBLEMS:] = [Problem(0, "", f"and {more:,} lines more are wrong")]
    return ClamavFile(name, tuple(stated), tuple(problems))


def _read_line(
    raw: bytes, number: int, name: str, known: Mapping[str, Option]
) -> Stated | Problem | None:
    """The option of a line, what is wrong with it, or None where it states nothing."""
    try:
        line = raw.decode("utf-8").strip(" \t\r")
    except UnicodeDecodeError:
        return Problem(number, "", "not UTF-8 text")
    if not line or line.startswith("#"):
        return None
    form = _LINE.match(line)
    assert form is not None
    word, text = form[1], (form[2] or "").strip(" \t")
    if word == "Example":
        reason = "the sample as it was delivered: ClamAV runs only once this line is taken out"
        return Problem(number, word, reason)
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9]{0,63}", word):
        return Problem(number, "", f"{word[:40]!r} is not the name of an option")
    if text.startswith('"'):
        text, closed, _ = text[1:].partition('"')
        if not closed:
            return Problem(number, word, "the value's quotation mark is not closed")
    option = known.get(word)
    if not text:
        return Problem(number, word, "has no value")
    if option is None:
        return Stated(word, text, text, name, number)
    value = read_value(option.takes, text)
    if value is None:
        return Problem(number, word, f"expected {option.takes.value}, not {text[:60]!r}")
    return Stated(word, text, value, name, number)


def read_value(takes: Takes, text: str) -> bool | int | str | None:
    """A value as what an option takes; None when it is none."""
    if takes is Takes.TEXT:
        return text
    if takes is Takes.SWITCH:
        lower = text.lower()
        return True if lower in _YES else False if lower in _NO else None
    if takes is Takes.NUMBER:
        return int(text) if re.fullmatch(r"-1|\d{1,15}", text, re.A) else None
    form = _SIZE.match(text)
    return int(form[1]) * _UNITS[form[2].lower()] if form else None
