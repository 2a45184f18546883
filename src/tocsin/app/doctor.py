"""Whether this machine can do what tocsin promises: each thing tried, not looked up.

One check is one promise. A failing check never stops the others, and says what to do.
"""

from __future__ import annotations

import gzip
import os
from collections.abc import Callable, Iterator
from enum import StrEnum
from functools import partial
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import NamedTuple

from tocsin.errors import TocsinError

LIBRARIES = {
    "hyperscan": ("hyperscan", "searches for signatures"),
    "yara-x": ("yara_x", "YARA rules"),
    "pcre2": ("pcre2", "regular expressions in signatures"),
    "pybit7z": ("pybit7z", "archives and disk images"),
    "pikepdf": ("pikepdf", "PDF"),
    "cryptography": ("cryptography", "encrypted archives and documents"),
    "zstandard": ("zstandard", "zstd"),
    "lz4": ("lz4.frame", "lz4"),
    "brotli": ("brotli", "brotli"),
    "icicle-emu": ("icicle", "packed programs"),
}
"""Packages to the module that shows that they work, and what they are for."""


class State(StrEnum):
    """How a check went."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"


class Check(NamedTuple):
    """One promise that was tried.

    Attributes:
        group: `sandbox`, `library`, `database`, `scan`, `installation`, `daemon`, `guard` or
            `machine`.
        name: what was tried.
        state: how it went.
        detail: what was seen.
        advice: what to do about it; empty when nothing is amiss.
    """

    group: str
    name: str
    state: State
    detail: str
    advice: str = ""


def examine(named: Path | None = None) -> Iterator[Check]:
    """Every check, one after the other; takes about a second.

    Args:
        named: the settings file that somebody named; None for the usual one.
    """
    yield from _sandbox()
    yield from _libraries()
    yield _guarded("database", "signatures", _database)
    yield _guarded("scan", "a file in an archive", _scan)
    yield from _installation(named)


def _installation(named: Path | None) -> Iterator[Check]:
    """The daemon: what of it is installed, whether it serves, and on what machine."""
    from tocsin.app.doctor_daemon import examine_daemon
    from tocsin.app.doctor_installation import examine_installation, examine_settings
    from tocsin.app.doctor_machine import examine_machine
    from tocsin.app.doctor_updates import examine_updates

    situation, check = examine_settings(named)
    yield check
    yield from examine_installation(situation)
    yield from examine_daemon(situation)
    yield from examine_updates(situation.settings)
    yield from examine_machine(situation.settings)


def _sandbox() -> Iterator[Check]:
    from tocsin.sandbox.mechanisms import probe
    from tocsin.sandbox.policy import Mechanism

    support = probe()
    for row in support.describe():
        state = State.OK if row.available and not row.without else State.WARNING
        detail = "; ".join(part for part in (row.detail, f"for {row.protects}") if part)
        yield Check("sandbox", row.name, state, detail, row.without)
    strong = {Mechanism.LANDLOCK, Mechanism.SECCOMP} & support.mechanisms
    if not strong:
        yield Check(
            "sandbox",
            "confinement",
            State.FAILED,
            "this kernel has neither Landlock nor seccomp filters",
            "files are scanned all the same, by workers that are hardly confined; use a kernel "
            "with CONFIG_SECCOMP_FILTER and CONFIG_SECURITY_LANDLOCK (5.13 or newer), or refuse "
            "to scan without by --require-sandbox",
        )


def _libraries() -> Iterator[Check]:
    for package, (module, purpose) in LIBRARIES.items():
        yield _guarded("library", package, partial(_library, package, module, purpose))


def _library(package: str, module: str, purpose: str) -> tuple[State, str, str]:
    try:
        found = version(package)
        import_module(module)
    except (PackageNotFoundError, ImportError, OSError) as error:
        return State.FAILED, f"{purpose}: {error}", "install tocsin anew: pipx reinstall tocsin"
    return State.OK, f"{found}, for {purpose}", ""


def _database() -> tuple[State, str, str]:
    from tocsin.database.cache import open_database

    count = open_database().signature_count
    return State.OK, f"{count:,} of tocsin's own, indexed for this processor", ""


def _scan() -> tuple[State, str, str]:
    """Scan the field's harmless test file, wrapped, the way every file is scanned."""
    from tocsin.database.cache import open_database
    from tocsin.engine.report import Verdict
    from tocsin.engine.scanner import Scanner

    sample = gzip.compress(_test_file())
    with Scanner(open_database()) as scanner:
        report = scanner.scan_bytes(sample, "test file")
        confined = ", ".join(scanner.confined_by) or "nothing"
    if report.verdict is not Verdict.INFECTED:
        said = "; ".join([*report.errors, *(skip.detail for skip in report.skipped)])
        return State.FAILED, f"verdict {report.verdict.value}: {said}", "please report this"
    state = State.OK if confined != "nothing" else State.WARNING
    return state, f"found; the worker was confined by {confined}", ""


def _test_file() -> bytes:
    """The EICAR test file, put together here so that no scanner takes this module for it."""
    parts = ("X5O!P%@AP[4", "PZX54(P^)7CC)7}$", "EICAR-STANDARD-", "ANTIVIRUS-TEST-FILE!$H+H*")
    return (parts[0] + chr(92) + "".join(parts[1:])).encode()


def _guarded(group: str, name: str, attempt: Callable[[], tuple[State, str, str]]) -> Check:
    try:
        state, detail, advice = attempt()
    except (TocsinError, OSError) as error:
        return Check(group, name, State.FAILED, str(error), "")
    return Check(group, name, state, detail, advice)


def exit_status(checks: list[Check]) -> int:
    """0 when every promise is kept or a weaker one stands in, 1 when one is not kept."""
    return os.EX_OK if all(check.state is not State.FAILED for check in checks) else 1
