"""Reads a command line as clamscan does, against the table of options.

It follows getopt_long as clamscan was measured to use it: options may follow paths, unambiguous
beginnings of long names will do, `--opt value` and `--opt=value` are the same, short ones can be
bundled, and of an option given twice the first counts. argparse does not read so, and costs more
to import than this whole command.
"""

from __future__ import annotations

import os

from tocsin.cli.clamscan_options import (
    BY_LETTER,
    BY_NAME,
    DEPRECATED,
    PROGRAM,
    Kind,
    Option,
    Status,
)

_UNITS = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}
_YES = frozenset({"yes", "true", "1"})
_NO = frozenset({"no", "false", "0"})
_DEPRECATED_SHORT = {"t": "bytecode-trust-all"}
_DEPRECATED_WITH_VALUE = frozenset({"max-ratio", "max-space"})


class OptionError(Exception):
    """A command line that cannot be followed; its lines are ready to print."""

    def __init__(self, *lines: str) -> None:
        super().__init__("\n".join(lines))


class Arguments:
    """A command line that was read.

    Attributes:
        paths: what is not an option.
        warnings: what is to be said before anything else.
    """

    def __init__(self) -> None:
        self.paths: list[str] = []
        self.warnings: list[str] = []
        self._values: dict[str, list[str]] = {}

    def add(self, option: Option, value: str | None) -> None:
        """Take an option with its value as written, or None when none was.

        Raises:
            OptionError: the value does not fit, or is one that is refused.
        """
        normal = _normalise(option, value)
        if option.status is Status.REFUSED or (option.only and normal not in option.only):
            raise OptionError(_refusal(option, value))
        self._values.setdefault(option.stands_for or option.name, []).append(normal)

    def is_on(self, name: str, *, default: bool = False) -> bool:
        """Whether a switch is on; of several the first counts."""
        values = self._values.get(name)
        return values[0] == "yes" if values else default

    def number(self, name: str, default: int) -> int:
        """A number or a size in bytes; of several the first counts."""
        values = self._values.get(name)
        return int(values[0]) if values else default

    def text(self, name: str) -> str:
        """A text, or empty; of several the first counts."""
        return self._values.get(name, [""])[0]

    def texts(self, name: str) -> list[str]:
        """All texts given."""
        return self._values.get(name, [])


def _normalise(option: Option, value: str | None) -> str:
    """The value in one form: `yes` or `no`, decimal digits, or the text.

    Raises:
        OptionError: it is not of the option's kind.
    """
    kind = option.kind
    if kind is Kind.SWITCH:
        word = "yes" if value is None else value.lower()
        if word in _YES or word in _NO:
            return "yes" if word in _YES else "no"
    elif kind in (Kind.TEXT, Kind.TEXTS):
        if value:
            return value
        raise _unreadable(f"ERROR: Option --{option.name} requires a non-empty string argument")
    else:
        digits, unit = value or "", 1
        if kind is Kind.SIZE and digits[-1:].upper() in _UNITS:
            digits, unit = digits[:-1], _UNITS[digits[-1].upper()]
        if digits.isascii() and digits.isdigit():
            return str(int(digits[:32]) * unit)
    raise _unreadable(f"ERROR: Incorrect argument format for option {option.title}")


def _refusal(option: Option, value: str | None) -> str:
    written = f"--{option.name}" if value is None else f"--{option.name}={value}"
    real = BY_NAME.get(option.stands_for, option)
    allowed = f" (only {' or '.join(option.only)})" if option.only else ""
    return f"ERROR: {PROGRAM} does not honour {written}{allowed}: {real.text}"


def _unreadable(*lines: str) -> OptionError:
    return OptionError(*lines, "ERROR: Can't parse command line options")


def _unknown(line: str) -> OptionError:
    return _unreadable(f"{PROGRAM}: {line}", "ERROR: Unknown option passed")


def _incomplete(line: str) -> OptionError:
    return _unreadable(f"{PROGRAM}: {line}", "ERROR: Incomplete option passed (missing argument)")


class _Reader:
    """Reads one command line."""

    def __init__(self, words: list[str]) -> None:
        self._words = iter(words)
        self.arguments = Arguments()

    def read(self) -> Arguments:
        posix = "POSIXLY_CORRECT" in os.environ
        for word in self._words:
            if word == "--":
                break
            if word.startswith("--"):
                self._long(word)
            elif word.startswith("-") and word != "-":
                self._letters(word[1:])
            else:
                self.arguments.paths.append(word)
                if posix:
                    break
        self.arguments.paths += self._words
        return self.arguments

    def _long(self, word: str) -> None:
        written, has_value, value = word[2:].partition("=")
        name = _complete(written, word)
        if name in DEPRECATED:
            if name in _DEPRECATED_WITH_VALUE and not has_value:
                self._next_word(f"option `{word}' requires an argument")
            self._deprecated(name)
            return
        option = BY_NAME[name]
        if has_value:
            self.arguments.add(option, value)
        elif option.kind is Kind.SWITCH:
            self.arguments.add(option, None)
        else:
            value = self._next_word(f"option `{word}' requires an argument")
            self.arguments.add(option, value)

    def _letters(self, letters: str) -> None:
        for place, letter in enumerate(letters, 1):
            if letter in _DEPRECATED_SHORT:
                self._deprecated(_DEPRECATED_SHORT[letter])
                continue
            option = BY_LETTER.get(letter)
            if option is None:
                raise _unknown(f"illegal option -- {letter}")
            if option.kind is Kind.SWITCH:
                self.arguments.add(option, None)
                continue
            rest = letters[place:] or self._next_word(f"option requires an argument -- {letter}")
            self.arguments.add(option, rest)
            return

    def _next_word(self, complaint: str) -> str:
        word = next(self._words, None)
        if word is None:
            raise _incomplete(complaint)
        return word

    def _deprecated(self, name: str) -> None:
        letter = next((k for k, v in _DEPRECATED_SHORT.items() if v == name), "")
        title = f"--{name} (-{letter})" if letter else f"--{name}"
        self.arguments.warnings.append(f"Ignoring deprecated option {title}")


def _complete(written: str, word: str) -> str:
    """The long name that a beginning stands for.

    Raises:
        OptionError: none, or more than one.
    """
    names = [*BY_NAME, *DEPRECATED]
    if written in names:
        return written
    fitting = [name for name in names if name.startswith(written)]
    if not fitting:
        raise _unknown(f"unrecognized option `{word}'")
    if len(fitting) > 1:
        raise _unknown(f"option `{word}' is ambiguous")
    return fitting[0]


def read_arguments(words: list[str]) -> Arguments:
    """Read a command line.

    Raises:
        OptionError: an option is unknown, incomplete, malformed or refused.
    """
    return _Reader(words).read()
