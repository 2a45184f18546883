"""Builds a published database again from what its log entry names, and compares the bytes.

Nothing is believed on the way: the log's checkpoint is judged by the user's policy, the entry by
the publisher's keys, every source by its digest.
"""

from __future__ import annotations

import hashlib
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from tuf.api.exceptions import RepositoryError

from tocsin.app.installed import updates_folder
from tocsin.app.updates import Asked, device_trust, fetcher_of
from tocsin.durable import write_file
from tocsin.errors import TocsinError, UsageError
from tocsin.settings import Settings
from tocsin.transparency.errors import TransparencyError
from tocsin.transparency.note import MAX_NOTE_BYTES, VerifierKey
from tocsin.transparency.reader import LogReader
from tocsin.transparency.verdict import Verdict, check
from tocsin.updates.attestation import MOST_BYTES, attest, with_line
from tocsin.updates.layout import LOG, root_name, source_path
from tocsin.updates.publish.build import build_from_sources
from tocsin.updates.publish.errors import SourceRefused
from tocsin.updates.publish.sources import PinnedSource, fetch_sources, is_source_name
from tocsin.updates.rebuild.compare import Difference, compare
from tocsin.updates.rebuild.entry import DatabaseEntry, FoundEntry, Keys, find_entry
from tocsin.updates.rebuild.errors import RebuildError
from tocsin.updates.rebuild.published import published_database
from tocsin.updates.receive.download import Progress, fetch_file, fetch_small
from tocsin.updates.receive.mirrors import MirrorFetcher
from tocsin.updates.receive.roots import agreed_logs, target_keys
from tocsin.updates.receive.state import UpdateState
from tocsin.updates.receive.trust import Trust
from tocsin.updates.receive.tuf_client import MAX_ROOT, read_root
from tocsin.updates.statement import DatabasePredicate, RulebookPredicate
from tocsin.version import VERSION

if TYPE_CHECKING:
    from tocsin.transparency.keys import SigningKey

SOFTWARE = f"tocsin {VERSION}"
_MOST_ROOTS = 256
_Made = TypeVar("_Made", DatabasePredicate, RulebookPredicate)


@dataclass(frozen=True)
class Rebuilt:
    """What rebuilding came to.

    Attributes:
        entry: the log entry that names the sources.
        verdict: what the user's policy makes of the log.
        sha256: of the database that was built here.
        size: of that, in bytes.
        left_out: malformed records.
        difference: what differs; None when the bytes are the same, or the published ones are
            not to be had.
        why_unknown: why nothing more is known of the difference, in words.
    """

    entry: DatabaseEntry
    verdict: Verdict
    sha256: str
    size: int
    left_out: int
    difference: Difference | None = None
    why_unknown: str = ""

    @property
    def same(self) -> bool:
        """Whether the same bytes came out."""
        return self.sha256 == self.entry.statement.sha256

    @property
    def software_note(self) -> str:
        """What to know about the programs with which the two were built, or nothing."""
        named = self.entry.predicate.software
        if named == SOFTWARE:
            return ""
        if not named:
            return "the log does not say with which tocsin it was built"
        return (
            f"it was published with {named} and rebuilt with {SOFTWARE}; take the same to be sure"
        )


def rebuild(
    settings: Settings,
    asked: Asked,
    version: int,
    *,
    sha256: str = "",
    copies: Path | None = None,
    keep: Path | None = None,
    progress: Progress = lambda *_: None,
    say: Callable[[str], None] = lambda _: None,
) -> Rebuilt:
    """Build a version again and compare.

    Args:
        settings: of the device.
        asked: what differs from them.
        version: of the database.
        sha256: which of several databases with this number is meant; empty when there is one.
        copies: folder with copies of sources, by name or digest.
        keep: where to put what was built; None to remove it.
        progress: told how far a download is.
        say: told in a few words what takes a while.

    Raises:
        RebuildError: it could not be built again.
        TocsinError: the log does not stand, or the repository cannot be reached.
    """
    trust = device_trust(settings, asked.trust)
    with (
        fetcher_of(settings, asked) as mirrors,
        tempfile.TemporaryDirectory(prefix="tocsin-rebuild-") as work,
    ):
        folder = Path(work)
        entry, verdict = logged(
            settings, trust, mirrors, version, DatabasePredicate, sha256=sha256, say=say
        )
        sources = _sources(mirrors, entry, copies, folder / "sources", progress, say)
        output = folder / "rebuilt.tdb" if keep is None else keep
        built = build_from_sources(sources, output, progress=say)
        difference, why = None, ""
        if built.sha256 != entry.statement.sha256:
            say("looking for what differs")
            try:
                published = published_database(mirrors, entry, folder, progress)
                difference = compare(published, built.path)
            except TocsinError as error:
                why = str(error)
        return Rebuilt(entry, verdict, built.sha256, built.size, built.left_out, difference, why)


def sign_rebuilt(rebuilt: Rebuilt, key: SigningKey, place: Path) -> None:
    """Write an attestation; a file of attestations that is there already gets one more line.

    Raises:
        UsageError: the bytes are not the same, or the file cannot be written.
        StatementError: the key is none for this, or the file is full.
    """
    if not rebuilt.same:
        raise UsageError("nothing is signed: what was built here is not what was published")
    line = attest(
        key,
        rebuilt.entry.predicate.version,
        rebuilt.sha256,
        rebuilt.entry.sha256,
        SOFTWARE,
        datetime.now(UTC).replace(microsecond=0),
    )
    try:
        held = b""
        if place.exists():
            with place.open("rb") as file:
                held = file.read(MOST_BYTES)
        write_file(place, with_line(held, line), mode=0o644)
    except OSError as error:
        raise UsageError(f"{place}: {error.strerror or error}") from error


# --- the log ------------------------------------------------------------------------------


def logged(
    settings: Settings,
    trust: Trust,
    mirrors: MirrorFetcher,
    version: int,
    kind: type[_Made],
    *,
    sha256: str = "",
    say: Callable[[str], None] = lambda _: None,
) -> tuple[FoundEntry[_Made], Verdict]:
    """The log entry about a version, and what the user's policy makes of the log.

    Args:
        settings: of the device.
        trust: what the user chose.
        mirrors: where the log is.
        version: its number.
        kind: what the entry says.
        sha256: which of several with this number is meant; empty when there is one.
        say: told in a few words what takes a while.

    Raises:
        RebuildError: there is none, or the log does not stand.
    """
    say("reading the log")
    reader, verdict = _log(mirrors, trust, _consented(settings))
    entry = find_entry(
        reader,
        version,
        list(_root_keys(mirrors, trust)),
        kind,
        sha256=sha256,
        told=lambda left: say(f"reading the log: {left:,} entries left"),
    )
    return entry, verdict


def _consented(settings: Settings) -> tuple[VerifierKey, ...]:
    """Logs of successors that this device's user agreed to."""
    folder = updates_folder(settings)
    with suppress(TocsinError, OSError):
        if folder.is_dir():
            return agreed_logs(UpdateState(folder))
    return ()


def _log(
    mirrors: MirrorFetcher, trust: Trust, logs: tuple[VerifierKey, ...]
) -> tuple[LogReader, Verdict]:
    checkpoint = fetch_small(mirrors, f"{LOG}/checkpoint", MAX_NOTE_BYTES)
    if checkpoint is None:
        raise RebuildError("the repository shows no checkpoint of its log; name another mirror")
    try:
        verdict = check(trust.policy, checkpoint, now=int(time.time()), log_keys=logs)
        verdict.require()

        def fetch(path: str, limit: int) -> bytes:
            data = fetch_small(mirrors, f"{LOG}/{path}", limit)
            if data is None:
                raise FileNotFoundError(path)
            return data

        return LogReader(fetch, verdict.head), verdict
    except TransparencyError as error:
        raise RebuildError(f"the log: {error}") from error


def _root_keys(mirrors: MirrorFetcher, trust: Trust) -> Iterator[Keys]:
    """Keys of the targets role under every root from the trusted one on."""
    root = trust.signed_root
    yield target_keys(root)
    for number in range(root.version + 1, root.version + _MOST_ROOTS):
        data = fetch_small(mirrors, root_name(number), MAX_ROOT)
        if data is None:
            return
        following = read_root(data)
        try:
            root.verify_delegate("root", following.signed_bytes, following.signatures)
        except RepositoryError as error:
            raise RebuildError(f"{root_name(number)}: {error}") from error
        root = following.signed
        yield target_keys(root)


# --- the sources --------------------------------------------------------------------------


def _sources(
    mirrors: MirrorFetcher,
    entry: DatabaseEntry,
    copies: Path | None,
    folder: Path,
    progress: Progress,
    say: Callable[[str], None],
) -> list[tuple[str, Path]]:
    """Every source that the entry names: a copy that is here, the repository's, or by address."""
    pinned = []
    names = [source.name for source in entry.predicate.sources]
    for source in entry.predicate.sources:
        if not is_source_name(source.name) or names.count(source.name) > 1:
            raise RebuildError(f"the log entry names a source {source.name!r}, which cannot be")
        copy = _copy(copies, source.name, source.sha256)
        if copy is None:
            copy = folder / source.sha256
            if not fetch_file(
                mirrors, source_path(source.sha256), source.sha256, source.size, copy, progress
            ):
                copy = None
        if copy is None and not source.uri.startswith(("https://", "http://")):
            raise RebuildError(
                f"the source {source.name} has no address{_not_in(copies)}; get it from the "
                f"publisher by its SHA-256, {source.sha256}, and name its folder with --sources"
            )
        path = "" if copy is None else str(copy.absolute())
        pinned.append(PinnedSource(source.name, source.sha256, source.uri, path))
    try:
        fetched = fetch_sources(pinned, Path(), folder / "fetched", say)
    except SourceRefused as error:
        raise RebuildError(
            f"{error}{_not_in(copies)}. A copy that has it will do as well: name its folder with "
            "--sources"
        ) from error
    return [(one.entry.name, one.path) for one in fetched]


def _not_in(copies: Path | None) -> str:
    return "" if copies is None else f", and no file in {copies} has its digest"


def _copy(copies: Path | None, name: str, sha256: str) -> Path | None:
    """A copy of a source in a folder, by digest or by name, if its digest is right."""
    if copies is None:
        return None
    for place in (copies / sha256, copies / name):
        with suppress(OSError):
            if place.is_file():
                with place.open("rb") as file:
                    if hashlib.file_digest(file, "sha256").hexdigest() == sha256:
                        return place
    return None
