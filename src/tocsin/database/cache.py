"""From what `--db` was given to an opened index, made at most once.

An index is keyed by everything it depends on: each source file's path, size, times and
identity, the processor's features, and the versions of Python, Hyperscan, YARA-X and this
package. It is written beside its final name and renamed when it is complete. It is native
code in effect, so root uses none that somebody else owns or could write to.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import stat
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path

from tocsin.database.index import Index
from tocsin.database.sections import FORMAT, SectionFile
from tocsin.errors import DatabaseError, VerificationError
from tocsin.signatures.languages import list_files

KEPT_INDEXES = 8
"""Older ones are removed when a new one is written."""

_HALF = ".building-"
_GIVEN_UP = 86_400
"""Seconds after which nobody goes on with an index that is not whole."""

LAYOUT = 6
"""Counts up when what is in the sections changes."""

Progress = Callable[[str], None]


def default_sources() -> Path:
    """Folder of the signatures that come with this package."""
    return Path(__file__).resolve().parent.parent / "data"


def default_cache_dir() -> Path:
    """Where indexes are kept: `/var/cache/tocsin` for root, else the user's cache."""
    stated = os.environ.get("TOCSIN_CACHE_DIR")
    if stated:
        return Path(stated)
    if os.geteuid() == 0:
        return Path("/var/cache/tocsin")
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "tocsin"


def source_files(paths: Iterable[Path]) -> list[Path]:
    """Every file that the given files and folders stand for.

    Raises:
        DatabaseError: a path does not exist, or a folder holds no signatures.
    """
    files = [file for path in paths for file in list_files(path)]
    exceptions = [file for file in files if file.suffix.lower() in (".ign", ".ign2")]
    return exceptions + [file for file in files if file not in exceptions]


def open_database(
    sources: Path | str | Sequence[Path | str] | None = None,
    *,
    lenient: bool = False,
    cache_dir: Path | None = None,
    progress: Progress | None = None,
) -> Index:
    """Open a database, indexing it first if that was not done yet.

    Args:
        sources: files built by `tocsin db build`, signature files, and folders of them;
            None for the signatures that come with the package.
        lenient: pass over malformed lines instead of raising.
        cache_dir: where indexes are kept; None for the user's own place.
        progress: told in a few words what is being done when it takes a while.

    Raises:
        DatabaseError: a source is missing or damaged, or the index must not be trusted.
        SignatureError: a malformed line, unless lenient.
    """
    given = [sources] if isinstance(sources, (str, Path)) else sources
    paths = [default_sources()] if given is None else [Path(path) for path in given]
    files = source_files(paths)
    identity = index_identity(files, lenient=lenient)
    folder = cache_dir or default_cache_dir()
    usable = _prepare(folder)
    place = folder / f"{identity}.index"
    if usable:
        with suppress(FileNotFoundError, VerificationError):  # a damaged one is made anew
            return _open(place, identity)
    if progress is not None:
        progress("indexing the signatures (once)")
    if not usable:
        return _build_privately(files, identity, lenient)
    with (folder / f"{identity}.lock").open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            with suppress(FileNotFoundError, VerificationError):
                return _open(place, identity)  # somebody else was faster
            _build(files, place, lenient)
            _remove_old(folder, keep=place)
            return _open(place, identity)
        finally:
            Path(lock.name).unlink(missing_ok=True)


def open_index(identity: str, cache_dir: Path | None = None) -> Index:
    """Open an index that was made before.

    Args:
        identity: of the index.
        cache_dir: where indexes are kept; None for the user's own place.

    Raises:
        DatabaseError: it must not be trusted, or is damaged.
        FileNotFoundError: there is none.
    """
    if not identity.isalnum():
        raise DatabaseError(f"{identity!r} names no index")
    return _open((cache_dir or default_cache_dir()) / f"{identity}.index", identity)


def index_identity(files: Sequence[Path], *, lenient: bool) -> str:
    """A digest of everything an index of these files depends on.

    Raises:
        DatabaseError: a file cannot be looked at.
    """
    parts = [f"{FORMAT}.{LAYOUT}", sys.version, str(lenient), *_library_versions(), _processor()]
    for file in files:
        try:
            status = file.stat()
        except OSError as error:
            raise DatabaseError(f"{file}: {error.strerror}") from error
        parts.append(
            f"{file.resolve()}\0{status.st_size}\0{status.st_mtime_ns}\0{status.st_ctime_ns}"
            f"\0{status.st_ino}\0{status.st_dev}"
        )
    return hashlib.sha256("\n".join(parts).encode("utf-8", "surrogateescape")).hexdigest()[:40]


def _library_versions() -> list[str]:
    """Versions of what the index is tied to, read without importing it."""
    from tocsin.version import VERSION

    versions = [VERSION]
    for folder in sys.path:
        with suppress(OSError):
            versions += sorted(
                name
                for name in os.listdir(folder or ".")
                if name.startswith(("hyperscan-", "yara_x-")) and name.endswith(".dist-info")
            )
    return versions


def _processor() -> str:
    with suppress(OSError), open("/proc/cpuinfo", encoding="utf-8", errors="replace") as file:
        for line in file:
            if line.startswith(("flags", "Features")):
                return line
    import platform

    return platform.machine() + platform.processor()


def _prepare(folder: Path) -> bool:
    """Make the folder; False when indexes cannot be kept there.

    Raises:
        DatabaseError: others could put an index there for root to load.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        status = folder.stat()
    except OSError:
        return False
    _require_own(status, folder)
    return os.access(folder, os.W_OK | os.X_OK)


def _require_own(status: os.stat_result, place: Path) -> None:
    if status.st_uid not in (os.geteuid(), 0) or status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise DatabaseError(
            f"{place}: others own it or may write to it, and an index is code in effect; "
            f"remove it, or name another folder in TOCSIN_CACHE_DIR"
        )


def open_index_file(place: Path) -> SectionFile:
    """Open an index that is this user's own.

    Raises:
        DatabaseError: others could have written it, or it is damaged.
        FileNotFoundError: there is none.
    """
    descriptor = os.open(place, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        _require_own(os.fstat(descriptor), place)
        return SectionFile(descriptor, str(place))
    finally:
        os.close(descriptor)


def _open(place: Path, identity: str) -> Index:
    return Index(open_index_file(place), identity)


def _build(files: Sequence[Path], place: Path, lenient: bool) -> None:
    import tempfile

    from tocsin.database.index_build import build_index

    handle, temporary = tempfile.mkstemp(prefix=_HALF, dir=place.parent)
    try:
        with open(handle, "w+b") as file:
            build_index(files, file, lenient=lenient, scratch=place.parent)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, place)
    except BaseException as error:
        Path(temporary).unlink(missing_ok=True)
        full = error if isinstance(error, OSError) else error.__cause__
        if isinstance(full, OSError) and full.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DatabaseError(
                f"{place.parent}: {full.strerror}: the index cannot be kept; make room, or name "
                "another folder in TOCSIN_CACHE_DIR"
            ) from error
        raise


def _build_privately(files: Sequence[Path], identity: str, lenient: bool) -> Index:
    """Build an index that lasts as long as this process, where none can be kept."""
    import tempfile

    from tocsin.database.index_build import build_index

    with tempfile.TemporaryFile() as file:
        build_index(files, file, lenient=lenient)
        file.flush()
        return Index(SectionFile(file.fileno(), "index in memory"), identity)


def _remove_old(folder: Path, keep: Path) -> None:
    with suppress(OSError):
        indexes = sorted(folder.glob("*.index"), key=lambda p: p.stat().st_mtime, reverse=True)
        for old in indexes[KEPT_INDEXES:]:
            if old != keep:
                old.unlink(missing_ok=True)
        for half in folder.glob(f"{_HALF}*"):
            if time.time() - half.stat().st_mtime > _GIVEN_UP:  # who made it was ended
                half.unlink(missing_ok=True)
