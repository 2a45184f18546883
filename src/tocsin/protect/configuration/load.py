"""Read the settings file: whole and right, or refused with everything that is wrong with it."""

from __future__ import annotations

import os
import re
import stat
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from tocsin.errors import InvalidSettings, Problem
from tocsin.protect.configuration.check import Checker, path_name
from tocsin.protect.configuration.rules import Found, broken_rules, refusals, warnings
from tocsin.protect.configuration.toml_lines import KeyPath, key_lines, line_of
from tocsin.settings import Settings

LARGEST = 1 << 20
"""Bytes of a settings file that are read."""

_ROOT_TYPE = msgspec.inspect.type_info(Settings)
_PLACE = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)\Z")


class Loaded(NamedTuple):
    """Settings, and where they are from.

    Attributes:
        settings: every key, stated or not.
        source: the file; it need not exist when nothing named it.
        lines: where each key that the file states stands.
        found: whether there is such a file; without, everything is a default.
        warnings: what is allowed and probably not meant.
        refused: what the daemon does not start with on this machine.
    """

    settings: Settings
    source: Path
    lines: dict[KeyPath, int]
    found: bool
    warnings: tuple[Problem, ...] = ()
    refused: tuple[Problem, ...] = ()


def load_file(path: Path, *, needed: bool) -> Loaded:
    """Read and check a settings file.

    Args:
        path: the file.
        needed: whether it is a mistake that there is none.

    Raises:
        InvalidSettings: with everything that is wrong, each with its line and key.
    """
    try:
        content, mode = _content(path)
    except FileNotFoundError:
        if not needed:
            return Loaded(Settings(), path, {}, found=False)
        raise _whole(
            path, "there is no such file; 'tocsin config show --template' writes one"
        ) from None
    except OSError as error:
        raise _whole(path, error.strerror or str(error)) from error
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise InvalidSettings(str(path), (Problem(line, "", "not UTF-8 text"),)) from None
    loaded = load_text(text, path)
    secret = any(target.headers for target in loaded.settings.forward)
    if mode & stat.S_IROTH and secret:
        said = Problem(0, "", "holds secrets and can be read by everybody: chmod o-r")
        loaded = loaded._replace(warnings=(said, *loaded.warnings))
    return loaded


def load_text(text: str, source: Path) -> Loaded:
    """Check the text of a settings file.

    Args:
        text: TOML.
        source: its name in messages.

    Raises:
        InvalidSettings: with everything that is wrong, each with its line and key.
    """
    values = _parse(text, source)
    lines = key_lines(text)
    checker = Checker(lines, values)
    assert isinstance(_ROOT_TYPE, msgspec.inspect.StructType)
    good = checker.table((), _ROOT_TYPE, values)
    for path, reason in broken_rules(good):
        checker.blame(path, reason)
    if checker.problems:
        raise InvalidSettings(str(source), tuple(sorted(set(checker.problems))))
    settings = msgspec.convert(good, Settings)

    def noted(found: Iterable[Found]) -> tuple[Problem, ...]:
        return tuple(Problem(line_of(lines, p), path_name(p, values), why) for p, why in found)

    return Loaded(
        settings, source, lines, True, noted(warnings(settings)), noted(refusals(settings))
    )


def _parse(text: str, source: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        found = _PLACE.search(str(error))
        reason = _PLACE.sub("", str(error))
        line = text.count("\n") + 1
        where = "at the end of the file"
        if found and found[1]:
            line, where = int(found[1]), f"at column {found[2]}"
        raise InvalidSettings(
            str(source), (Problem(line, _key_before(text, line), f"not TOML {where}: {reason}"),)
        ) from None
    except (ValueError, RecursionError) as error:
        reason = "nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise _whole(source, f"not TOML: {reason}") from None


def _key_before(text: str, line: int) -> str:
    """The table and key that a broken line is in, as far as they can be told from the text."""
    table = key = ""
    for row in text.split("\n")[:line]:
        if header := re.match(r"\s*(\[\[?[A-Za-z0-9_.\"' -]{1,64}\]?\]?)\s*(?:#|$)", row):
            table, key = header[1], ""
        elif pair := re.match(r"\s*([A-Za-z0-9_-]{1,64})\s*=", row):
            key = pair[1]
    return " ".join(part for part in (table, key) if part)


def _content(path: Path) -> tuple[bytes, int]:
    """What is in the file, and its mode.

    Raises:
        InvalidSettings: root would obey a file that others can write.
        OSError: it cannot be read.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise _whole(path, "not a file")
        if os.geteuid() == 0 and (status.st_uid != 0 or status.st_mode & stat.S_IWOTH):
            raise _whole(
                path,
                "root does not obey a file that others can write: chown root and chmod o-w it",
            )
        with open(descriptor, "rb", closefd=False) as file:
            content = file.read(LARGEST + 1)
    finally:
        os.close(descriptor)
    if len(content) > LARGEST:
        raise _whole(path, f"larger than {LARGEST:,} bytes")
    return content, status.st_mode


def _whole(path: Path, reason: str) -> InvalidSettings:
    return InvalidSettings(str(path), (Problem(0, "", reason),))
