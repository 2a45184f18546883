"""Read the settings file: whole and right, or refused with everything that is wrong with it."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import msgspec

from tocsin.errors import InvalidSettings, Problem
from tocsin.protect.configuration.forms import FORMS
from tocsin.protect.configuration.rules import Found, broken_rules, refusals, warnings
from tocsin.settings import Settings
from tocsin.toml_files.check import Checker, path_name
from tocsin.toml_files.lines import KeyPath, key_lines, line_of
from tocsin.toml_files.text import parse_toml

LARGEST = 1 << 20
"""Bytes of a settings file that are read."""

_ROOT_TYPE = msgspec.inspect.type_info(Settings)


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
    values = parse_toml(text, str(source), InvalidSettings)
    lines = key_lines(text)
    checker = Checker(lines, values, FORMS)
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
