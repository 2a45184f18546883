"""Tries a new database out before it is used: it is compiled, and files that are known are scanned.

A database can be what its publisher signed and still be wrong: it may end the workers, or find
something in the system's own programs. Whoever would use such a one stops the machine (July
2024). So its index is made beside the one in use, a worker scans with it, and nothing that every
machine has may be found, nor may the scan end early.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from tocsin.errors import HostGone, TocsinError
from tocsin.settings import Settings
from tocsin.updates.receive.errors import NotTriedOut

if TYPE_CHECKING:
    from tocsin.app.apart import Scan

KNOWN_GOOD = ("/bin/ls", "/bin/sh", "/bin/cat", "/usr/bin/env", "/etc/passwd", "/bin/mount")
_MOST_BYTES = 32 << 20


class SelfTestFailed(TocsinError):
    """A database that finds what is not there, or with which no scan comes to its end."""


def known_good() -> list[Path]:
    """Files of this machine in which nothing may be found."""
    files = [Path(name) for name in (*KNOWN_GOOD, sys.executable)]
    usable = []
    for file in dict.fromkeys(Path(os.path.realpath(file)) for file in files):
        with suppress(OSError):
            if file.is_file() and file.stat().st_size <= _MOST_BYTES and os.access(file, os.R_OK):
                usable.append(file)
    return usable


def try_out(
    settings: Settings, database: Path, say: Callable[[str], None] = lambda _: None
) -> None:
    """Compile a database with the others that this device uses, and scan known files with it.

    The index that is made is the one that is used afterwards.

    Raises:
        SelfTestFailed: it found something, a worker ended, or it cannot be compiled.
        NotTriedOut: this device's own settings or disk are in the way.
    """
    from tocsin.app.installed import fetched_sources

    _try_with(settings, [database, *fetched_sources(settings)], {database}, say)


def try_out_source(
    settings: Settings,
    name: str,
    files: Sequence[Path],
    say: Callable[[str], None] = lambda _: None,
) -> None:
    """The same for the files of a source that others publish, in the place of those before.

    Args:
        settings: of the device.
        name: of the source.
        files: that are to be used.
        say: told what is being done.

    Raises:
        SelfTestFailed: it found something, a worker ended, or it cannot be compiled.
        NotTriedOut: this device's own settings or disk are in the way.
    """
    from tocsin.app.installed import fetched_places, installed_update

    by_source = dict(fetched_places(settings))
    by_source[name] = list(files)
    fetched = [file for each in sorted(by_source) for file in by_source[each]]
    _try_with(settings, [*installed_update(settings), *fetched], set(files), say)


def _try_with(
    settings: Settings, installed: list[Path], new: set[Path], say: Callable[[str], None]
) -> None:
    from tocsin.app.apart import scanner_apart
    from tocsin.app.device_index import database_sources, scan_options
    from tocsin.database.cache import default_sources, open_database

    # In the order that `database_sources` has, so that the index is found again afterwards.
    own = [default_sources()] if settings.database.with_default else []
    sources = [*map(Path, settings.database.sources), *installed, *own]
    options = scan_options(settings, excepted=False)
    say("indexing the new signatures")
    try:
        index = open_database(sources, lenient=settings.database.lenient)
    except (TocsinError, OSError) as error:
        others = [each for each in sources if each not in new]
        raise _whose_fault(error, others, lenient=settings.database.lenient) from error
    say("scanning what is known to be good")
    with scanner_apart(index, options) as scan:
        found = _found(known_good(), scan)
        if doubtful := [file for file, seen in found.items() if seen.gaps]:
            # Once more, so that a device that was short of memory or time for a moment is not it.
            again = _found(doubtful, scan)
            found = {**{each: found[each] for each in found if each not in doubtful}, **again}
    if not found:
        return
    # What is found with the database in use as well is nothing that this one brought.
    before = open_database(database_sources(settings), lenient=settings.database.lenient)
    with scanner_apart(before, options) as scan:
        known = _found(list(found), scan)
    for file, seen in found.items():
        before_it = known.get(file, _Seen())
        if more := [name for name in seen.names if name not in before_it.names]:
            raise SelfTestFailed(f"it finds {', '.join(more[:3])} in {file}")
        if gaps := [seen.gaps[gap] for gap in seen.gaps if gap not in before_it.gaps]:
            raise SelfTestFailed(f"with it, {file} is not wholly looked at: {gaps[0]}")


def _whose_fault(error: Exception, others: list[Path], *, lenient: bool) -> TocsinError:
    """Whether what is new cannot be compiled, or this device cannot compile even without it."""
    from tocsin.database.cache import open_database

    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError):
            return NotTriedOut(str(error))
        cause = cause.__cause__
    try:
        if others:
            open_database(others, lenient=lenient)
    except (TocsinError, OSError) as also:
        return NotTriedOut(str(also))
    return SelfTestFailed(str(error))


class _Seen(NamedTuple):
    """What a scan of a file said: names of what is found, and what was not looked at.

    A worker that ended, by a signature that crashes or hangs it, is such a gap and no more: its
    host goes on with another one.
    """

    names: Sequence[str] = ()
    gaps: Mapping[tuple[str, str], str] = MappingProxyType({})


def _found(files: list[Path], scan: Scan) -> dict[Path, _Seen]:
    """Files in which something is found, or that are not wholly looked at."""
    found = {}
    for file in files:
        descriptor = os.open(file, os.O_RDONLY | os.O_CLOEXEC)
        try:
            report = scan(str(file), descriptor)
        except HostGone as error:
            raise SelfTestFailed(f"the scanner ended while it looked at {file}: {error}") from error
        finally:
            os.close(descriptor)
        if report.errors:
            raise SelfTestFailed(f"{file} could not be looked at: {report.errors[0]}")
        gaps = {(gap.object, gap.reason): gap.detail for gap in report.skipped}
        if report.detections or gaps:
            found[file] = _Seen([detection.name for detection in report.detections], gaps)
    return found
