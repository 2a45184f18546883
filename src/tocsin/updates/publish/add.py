"""A database for all: built from pinned sources, validated, with deltas, logged and shown."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, NamedTuple

from tuf.api.metadata import TargetFile

from tocsin.durable import sync_file
from tocsin.updates.delta import make_delta
from tocsin.updates.errors import DeltaError
from tocsin.updates.layout import (
    DatabaseTarget,
    DeltaTarget,
    Ring,
    database_name,
    database_target,
    delta_target,
    parse_custom,
    parse_withdrawn,
    stored_target,
    withdrawal_entry_path,
    write_field,
)
from tocsin.updates.publish.build import BuiltDatabase, build_from_sources
from tocsin.updates.publish.errors import PublishError, ValidationFailed, WorkspaceError
from tocsin.updates.publish.files import make_folder
from tocsin.updates.publish.metadata import Published, read_published
from tocsin.updates.publish.offering import begin_offer, begins, commit_offer, stage_target
from tocsin.updates.publish.publication import Completed, complete
from tocsin.updates.publish.record_counts import count_changes
from tocsin.updates.publish.session import Session
from tocsin.updates.publish.sources import FetchedSource, fetch_sources, read_sources
from tocsin.updates.statement import DatabasePredicate, Previous, Statement
from tocsin.version import VERSION

ZSTD_LEVEL = 12
_CHUNK = 1 << 20
_SHOWN = 5


class Validation(NamedTuple):
    """What trying a database on known files came to.

    Attributes:
        benign: harmless files looked at.
        malicious: bad files looked at.
        flagged: harmless files that it flags.
        missed: bad files that it does not find.
    """

    benign: int
    malicious: int
    flagged: tuple[str, ...]
    missed: tuple[str, ...]


Validate = Callable[[Path], Validation]
"""Tries the plain database at a path on known files; scanning is not this room's."""


class Added(NamedTuple):
    """A database that was published.

    Attributes:
        version: its number.
        sha256: of the plain database.
        size: of that, in bytes.
        compressed: of what devices fetch in whole, in bytes.
        added: records that the one before did not have.
        removed: records of the one before that are gone.
        deltas: bytes of the delta from each earlier version.
        left_out: malformed records.
        validation: how it stood the test; None when it was not tried.
        completed: what came of publishing; None when nothing had changed.
    """

    version: int
    sha256: str
    size: int
    compressed: int
    added: int
    removed: int
    deltas: dict[int, int]
    left_out: int
    validation: Validation | None
    completed: Completed | None


def add_database(
    session: Session,
    sources: Path,
    validate: Validate | None,
    *,
    channels: dict[str, int] | None = None,
    rings: tuple[Ring, ...] | None = None,
    lenient: bool = True,
) -> Added:
    """Build, try, log and publish a database.

    Args:
        session: of the publisher.
        sources: file that pins them.
        validate: tries the database; None to publish without.
        channels: seconds from now at which a channel may begin; None for the settings'.
        rings: how it spreads; None for the settings'.
        lenient: leave out malformed records.

    Raises:
        SourceRefused: a source cannot be had or is another.
        ValidationFailed: the database flags what is harmless or misses what is bad.
        QuorumNotMet: too few witnesses cosigned; it is staged, and readers see nothing of it.
        PublishError: anything else; readers see nothing of it.
    """
    complete(session)
    folder = session.workspace.work / "building"
    shutil.rmtree(folder, ignore_errors=True)
    try:
        make_folder(folder)
    except OSError as error:
        raise WorkspaceError(f"{folder}: {error.strerror or error}") from error
    try:
        return _add(session, sources, validate, channels, rings, lenient, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _add(
    session: Session,
    sources: Path,
    validate: Validate | None,
    channels: dict[str, int] | None,
    rings: tuple[Ring, ...] | None,
    lenient: bool,
    folder: Path,
) -> Added:
    published = read_published(session.workspace.repository)
    held = databases(published)
    fetched = fetch_sources(
        read_sources(sources),
        sources.parent,
        session.workspace.work / "sources",
        session.progress,
    )
    built = build_from_sources(
        [(one.entry.name, one.path) for one in fetched],
        folder / "new.tdb",
        lenient=lenient,
        progress=session.progress,
    )
    before = max(held, default=0)
    if before and held[before].sha256 == built.sha256:
        return Added(before, built.sha256, built.size, 0, 0, 0, {}, built.left_out, None, None)
    if (session.workspace.repository / withdrawal_entry_path(built.sha256)).exists():
        raise PublishError(
            "nothing was published: these sources give a database that was withdrawn; pin others"
        )
    validation = _validated(session, validate, built.path)
    version = next_version(published)
    compressed = compress(built.path, folder / "new.tdb.zst")
    olds = sorted(held, reverse=True)[: session.settings.deltas]
    deltas: dict[int, Path] = {}
    changes = (sum(built.counts.values()), 0)
    for old in olds:
        session.progress(f"delta from version {old}")
        plain = plain_database(session, published, old, folder / f"{old}.tdb")
        delta = folder / f"{old}.delta"
        counted = None
        with suppress(DeltaError):  # they differ too much: devices fetch it in whole
            counted = make_delta(plain, built.path, delta)
            if counted.bytes < compressed:
                deltas[old] = delta
        if old == before:
            changes = (
                (counted.added, counted.removed)
                if counted is not None
                else count_changes(plain, built.path)
            )
        plain.unlink()
    predicate = DatabasePredicate(
        version,
        session.now,
        Previous(before, held[before].sha256) if before else None,
        built.size,
        tuple(sorted((one.entry for one in fetched), key=lambda entry: entry.name)),
        *changes,
        built.counts,
        f"tocsin {VERSION}",
    )
    target = DatabaseTarget(
        version,
        built.sha256,
        built.size,
        begins(session, channels),
        session.settings.rings if rings is None else rings,
    )
    sizes = {old: path.stat().st_size for old, path in deltas.items()}
    _stage(session, published, built, target, predicate, folder / "new.tdb.zst", deltas)
    completed = complete(session)
    _forget_sources(session, fetched)
    return Added(
        version,
        built.sha256,
        built.size,
        compressed,
        *changes,
        sizes,
        built.left_out,
        validation,
        completed,
    )


def _validated(session: Session, validate: Validate | None, path: Path) -> Validation | None:
    if validate is None:
        return None
    session.progress("trying the database on known files")
    found = validate(path)
    if not found.flagged and not found.missed:
        return found
    parts = []
    if found.flagged:
        parts.append(f"flags {len(found.flagged)} harmless files ({_some(found.flagged)})")
    if found.missed:
        parts.append(f"misses {len(found.missed)} bad files ({_some(found.missed)})")
    raise ValidationFailed(
        f"nothing was published: the database {' and '.join(parts)}", found.flagged, found.missed
    )


def _some(paths: tuple[str, ...]) -> str:
    more = len(paths) - _SHOWN
    return ", ".join(paths[:_SHOWN]) + (f" and {more} more" if more > 0 else "")


def _stage(
    session: Session,
    published: Published,
    built: BuiltDatabase,
    target: DatabaseTarget,
    predicate: DatabasePredicate,
    compressed: Path,
    deltas: dict[int, Path],
) -> None:
    statement = Statement(database_name(target.version), built.sha256, predicate)
    staged = begin_offer(session, published, statement, f"database {target.version}")
    files = kept_targets(published, session.settings.keep - 1)
    held = databases(published)
    for name, path, custom in (
        (database_target(target.version), compressed, write_field(target)),
        *(
            (
                delta_target(old, target.version),
                path,
                write_field(DeltaTarget(held[old].sha256, built.sha256, old, target.version)),
            )
            for old, path in deltas.items()
        ),
    ):
        files[name] = stage_target(staged, name, path, custom)
    commit_offer(session, published, staged, files)


def databases(published: Published) -> dict[int, DatabaseTarget]:
    """The databases that readers are offered, by version."""
    found = {}
    for target in published.target_files.values():
        custom = parse_custom(target.custom)
        if isinstance(custom, DatabaseTarget):
            found[custom.version] = custom
    return found


def next_version(published: Published) -> int:
    """A number that no database ever had, withdrawn ones included."""
    had = set(databases(published))
    if published.targets is not None:
        fields = published.targets.signed.unrecognized_fields
        had |= {one.version for one in parse_withdrawn(fields)}
    return max(had, default=0) + 1


def kept_targets(published: Published, keep: int) -> dict[str, TargetFile]:
    """The targets without databases older than the newest few, and deltas that lead to those."""
    newest = set(sorted(databases(published), reverse=True)[:keep] if keep else ())
    kept = {}
    for name, target in published.target_files.items():
        custom = parse_custom(target.custom)
        if isinstance(custom, DatabaseTarget) and custom.version not in newest:
            continue
        if isinstance(custom, DeltaTarget) and custom.to_version not in newest:
            continue
        kept[name] = target
    return kept


def compress(path: Path, output: Path) -> int:
    """Write a file's compressed form.

    Returns:
        Its bytes.
    """
    import zstandard

    with path.open("rb") as plain, output.open("wb") as packed:
        compressor = zstandard.ZstdCompressor(level=ZSTD_LEVEL, write_checksum=True)
        compressor.copy_stream(plain, packed, size=path.stat().st_size)
    sync_file(output)
    return output.stat().st_size


def plain_database(session: Session, published: Published, version: int, output: Path) -> Path:
    """The plain form of a database that is published, checked against its digest.

    Raises:
        WorkspaceError: the file in the repository is damaged.
    """
    import zstandard

    custom = databases(published)[version]
    target = published.target_files[database_target(version)]
    stored = session.workspace.repository / stored_target(target.path, target.hashes["sha256"])
    state = hashlib.sha256()
    try:
        with (
            stored.open("rb") as packed,
            output.open("wb") as plain,
            zstandard.ZstdDecompressor().stream_reader(packed) as reader,
        ):
            _copy(reader, plain, custom.length, state.update)
    except (OSError, zstandard.ZstdError) as error:
        raise WorkspaceError(f"{stored}: {error}; restore it from a mirror") from error
    if state.hexdigest() != custom.sha256:
        raise WorkspaceError(f"{stored}: it is not the database that was published; restore it")
    return output


def _copy(reader: BinaryIO, output: BinaryIO, length: int, also: Callable[[bytes], None]) -> None:
    left = length + 1
    while left > 0 and (chunk := reader.read(min(_CHUNK, left))):
        also(chunk)
        output.write(chunk)
        left -= len(chunk)


def _forget_sources(session: Session, fetched: list[FetchedSource]) -> None:
    """Remove what was fetched for earlier databases."""
    folder = session.workspace.work / "sources"
    wanted = {one.entry.sha256 for one in fetched}
    for path in folder.iterdir() if folder.is_dir() else ():
        if path.name not in wanted:
            shutil.rmtree(path, ignore_errors=True)


__all__ = ["Added", "PublishError", "Validate", "Validation", "add_database"]
