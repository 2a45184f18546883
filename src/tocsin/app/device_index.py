"""The index that a device scans with, from its settings: what of, how new, made, tried and kept.

`tocsin daemon` has it made by a process of its own, and falls back on what was good last.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path

from tocsin.app.installed import installed_database
from tocsin.database.cache import (
    default_sources,
    index_identity,
    open_database,
    open_index,
    source_files,
)
from tocsin.database.index import Index
from tocsin.engine.exceptions import NONE
from tocsin.engine.options import Options, Sandboxing
from tocsin.errors import SettingsError, TocsinError
from tocsin.protect.daemon.built import Built
from tocsin.protect.daemon.control_messages import DatabaseFacts
from tocsin.settings import Settings
from tocsin.signatures.clamav.cvd import made_at
from tocsin.unpack.interface import Limits

_LAST_GOOD = "last-good-index"


def scan_options(settings: Settings, *, excepted: bool = True) -> Options:
    """How everything on this device is scanned.

    Args:
        settings: the settings.
        excepted: with the user's exceptions.

    Raises:
        SettingsError: the exceptions cannot be read.
    """
    from tocsin.app.allow import current_exceptions

    scan = settings.scan
    return Options(
        limits=Limits(
            scan.max_file_size, scan.max_scan_size, scan.max_files, scan.max_depth, scan.timeout
        ),
        all_matches=False,
        detect_pua=scan.detect_pua,
        exceptions=current_exceptions() if excepted else NONE,
        passwords=tuple(password.encode() for password in scan.passwords),
        alert_encrypted_archives=scan.alert_encrypted,
        alert_encrypted_documents=scan.alert_encrypted,
        alert_macros=scan.alert_macros,
        objects_per_worker=scan.objects_per_worker,
        sandbox=Sandboxing.REQUIRED if scan.require_sandbox else Sandboxing.ON,
    )


def database_sources(settings: Settings) -> list[Path]:
    """What the settings name as sources of signatures, and the database that updates installed."""
    stated = [*map(Path, settings.database.sources), *installed_database(settings)]
    return [*stated, *([default_sources()] if settings.database.with_default or not stated else [])]


def build(settings: Settings, state: Path, in_use: str, *, fall_back: bool) -> Built:
    """Make the index of what the settings name, load it and try it.

    Args:
        settings: the settings.
        state: where the last good index is remembered.
        in_use: identity of the index in use.
        fall_back: when that fails, take the last good one, or tocsin's own signatures.
    """
    trouble = ""
    try:
        index = open_database(database_sources(settings), lenient=settings.database.lenient)
        if index.identity == in_use:
            return Built(DatabaseFacts(), unchanged=True)
        _try(index)
        newest = newest_source(settings)
        _remember(state, index.identity, newest)
        return Built(_facts(index, newest))
    except (TocsinError, OSError) as error:
        trouble = str(error)
    if not fall_back:
        return Built(DatabaseFacts(), trouble=f"{trouble}; the one in use stays")
    last, newest = _last_good(state)
    for opened, age, name in (
        (partial(open_index, last), newest, "the last one that could be read is used"),
        (open_database, 0.0, "tocsin's own signatures are used alone"),
    ):
        with suppress(TocsinError, OSError):
            index = opened()
            _try(index)
            return Built(_facts(index, age, f"{trouble}; {name}"))
    return Built(DatabaseFacts(), trouble=trouble)


def opener_of(settings: Settings, identity: str) -> Callable[[], Index]:
    """Opens the index that a builder made, told by its identity."""

    def opened() -> Index:
        with suppress(OSError, TocsinError):  # it is made anew
            return open_index(identity)
        return open_database(database_sources(settings), lenient=settings.database.lenient)

    return opened


def newest_source(settings: Settings) -> float:
    """Time of the newest source of signatures, seconds since 1970; 0 when there is none.

    Where the settings name sources, those that come with this program do not count: how new it
    is says nothing of them. Where there are ClamAV's own archives, which say when they were made,
    they alone count: a local list that was edited today makes them no newer.
    """
    stated = [*map(Path, settings.database.sources), *installed_database(settings)]
    times: list[float] = []
    published: list[float] = []
    with suppress(TocsinError):
        for file in source_files(stated or [default_sources()]):
            with suppress(OSError):
                times.append(file.stat().st_mtime)
                if (made := made_at(file)) is not None:
                    published.append(made)
    return max(published or times, default=0.0)


def sources_changed(settings: Settings, identity: str) -> bool:
    """Whether the sources are others than those that an index was made of."""
    try:
        files = source_files(database_sources(settings))
        return index_identity(files, lenient=settings.database.lenient) != identity
    except TocsinError:
        return True


def _facts(index: Index, newest: float, trouble: str = "") -> DatabaseFacts:
    return DatabaseFacts(
        identity=index.identity, signatures=index.signature_count, newest=newest, trouble=trouble
    )


def _try(index: Index) -> None:
    """Load everything, and scan the field's test file with it.

    Raises:
        TocsinError: it cannot be used.
    """
    from tocsin.engine.object_scan import ObjectScanner

    index.load_for_sharing()
    report = ObjectScanner(index, Options()).scan_bytes(b"a text that is nothing", "trial")
    if report.errors:
        raise SettingsError(f"the database cannot be scanned with: {report.errors[0]}")


def _remember(state: Path, identity: str, newest: float) -> None:
    temporary = state / f".{_LAST_GOOD}.new"
    with suppress(OSError):
        temporary.write_text(f"{identity} {newest}", encoding="ascii")
        os.replace(temporary, state / _LAST_GOOD)


def _last_good(state: Path) -> tuple[str, float]:
    """The last index that could be made, and the time of its newest source."""
    try:
        identity, newest = (state / _LAST_GOOD).read_text(encoding="ascii").split()
        return identity, float(newest)
    except (OSError, ValueError):
        return "none", 0.0
