"""Bringing one source in: fetch it if it changed, read it, make a local database, put it in place.

Lists of digests and archives of rules become `NAME.tdb`, a portable database whose records say
where they came from; ClamAV's archives are kept as they are, since they prove themselves.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, NamedTuple
from urllib.parse import urlsplit

from tocsin.database.portable_write import Identity, write_portable
from tocsin.errors import DatabaseError
from tocsin.signatures.records import Record
from tocsin.updates.sources.catalogue import Kind, SourceSpec
from tocsin.updates.sources.clamav import ClamavSource, Options, Test
from tocsin.updates.sources.clamav_plan import STANDARD, Announced, read_record
from tocsin.updates.sources.digest_feeds import Feed, digest_of
from tocsin.updates.sources.dns import Address, query_txt
from tocsin.updates.sources.errors import (
    CoolDown,
    SourceError,
    SourceShrunk,
    SourceStorage,
    SourceUnreachable,
)
from tocsin.updates.sources.files import file_digest
from tocsin.updates.sources.http import USER_AGENT, Fetched, Http, Limits, Progress, Proxy
from tocsin.updates.sources.notices import Event, Notice, Say, silent
from tocsin.updates.sources.partial import storage_error
from tocsin.updates.sources.server_key import ServerKey
from tocsin.updates.sources.state import AllPauses, Entry, SourceFolder
from tocsin.updates.sources.yara_archive import read_archive
from tocsin.updates.sources.zip_members import is_zip, unpack_one
from tocsin.updates.throttle import Throttle

DNS_RECORD = "current.cvd.clamav.net"
LARGEST_SOURCE = 1 << 29


class Wishes(NamedTuple):
    """How sources are fetched.

    Attributes:
        limits: bounds of each fetch; None for the usual ones.
        proxy: for all requests; None for what the environment names.
        agent: what to call ourselves; empty for the usual name.
        local_address: to connect from; None for any.
        allow_shrink: take a source that has lost more than half of its signatures.
        databases: of ClamAV, which.
        dns_record: where ClamAV's versions are announced; empty to ask the servers themselves,
            None for ClamAV's record where it is ClamAV's servers that are asked.
        resolvers: whom to ask for it; None for the system's.
        clamav: how ClamAV's databases are brought in; None for the usual way.
        bandwidth: most bytes a second; 0 for no bound.
        key: what a server knows its users by.
        siblings: other folders of sources, whose hosts that want a pause get it here too.
    """

    limits: Limits | None = None
    proxy: Proxy | None = None
    agent: str = ""
    local_address: str | None = None
    allow_shrink: bool = False
    databases: tuple[str, ...] = STANDARD
    dns_record: str | None = None
    resolvers: Sequence[Address] | None = None
    clamav: Options | None = None
    bandwidth: int = 0
    key: ServerKey | None = None
    siblings: tuple[Path, ...] = ()


class Brought(NamedTuple):
    """How a source stands afterwards.

    Attributes:
        name: of the source, or of the database of ClamAV's.
        file: in the folder.
        version: as the source states it, or empty.
        signatures: how many.
        changed: whether it is newer than before.
        skipped: rows or rules that were left out.
    """

    name: str
    file: Path
    version: str
    signatures: int
    changed: bool
    skipped: int = 0


def fetch_source(
    spec: SourceSpec,
    folder: Path,
    wishes: Wishes | None = None,
    *,
    test: Test | None = None,
    progress: Progress | None = None,
    say: Say = silent,
) -> list[Brought]:
    """Bring a source into a folder, whole or not at all.

    Args:
        spec: which; `catalogue.parse_source` reads it from what a user writes.
        folder: of signature files; it is made when it is missing.
        wishes: how; None for the usual way.
        test: tries a new file before it takes the old one's place.
        progress: told the file, the bytes there are, and how many there will be, when known.
        say: told what happens.

    Returns:
        One row a file: of ClamAV several, of others one.

    Raises:
        SourceError: it could not be brought in; the files of before are as they were. Of several
            files those that could be are newer then.
    """
    wishes = wishes or Wishes()
    with SourceFolder(folder) as held:
        http = make_http(held, wishes, progress)
        if spec.kind is Kind.CLAMAV:
            return _clamav(spec, held, http, wishes, test, say)
        return [_one_file(spec, held, http, wishes, test, say)]


def make_http(held: SourceFolder, wishes: Wishes, progress: Progress | None) -> Http:
    """What fetches into a folder as wished."""
    return Http(
        held.work,
        AllPauses(held, wishes.siblings) if wishes.siblings else held,
        limits=wishes.limits,
        proxy=wishes.proxy,
        agent=wishes.agent or USER_AGENT,
        local_address=wishes.local_address,
        progress=progress,
        throttle=Throttle(wishes.bandwidth),
        key=wishes.key,
    )


def announced_versions(
    record: str, resolvers: Sequence[Address] | None, say: Say
) -> Announced | None:
    """What the TXT record says; None when there is none to go by."""
    if not record:
        return None
    try:
        texts = query_txt(record, resolvers)
        return read_record(texts[0], datetime.now(UTC))
    except SourceUnreachable as error:
        say(Notice(Event.NO_RECORD, record, reason=str(error)))
        return None


def _clamav(
    spec: SourceSpec,
    held: SourceFolder,
    http: Http,
    wishes: Wishes,
    test: Test | None,
    say: Say,
) -> list[Brought]:
    options = wishes.clamav or Options((spec.url,))
    record = wishes.dns_record
    if record is None:
        host = urlsplit(options.servers[0]).hostname or ""
        record = DNS_RECORD if host.endswith(".clamav.net") else ""
    announced = announced_versions(record, wishes.resolvers, say)
    source = ClamavSource(held, http, options, announced=announced, test=test, say=say)
    rows: list[Brought] = []
    errors: list[SourceError] = []
    for name in wishes.databases:
        try:
            done = source.update(name)
        except SourceError as error:
            errors.append(error)
            if isinstance(error, (CoolDown, SourceStorage)):
                break
            continue
        entry = held.entry(name)
        count = entry.signatures if entry else 0
        rows.append(Brought(name, held.folder / done.file, str(done.version), count, done.changed))
    if errors:
        raise errors[0]
    return rows


def _one_file(
    spec: SourceSpec,
    held: SourceFolder,
    http: Http,
    wishes: Wishes,
    test: Test | None,
    say: Say,
) -> Brought:
    before = held.entry(spec.name)
    known = before.validators if before and before.url == spec.url else None
    fetched = http.fetch(spec.url, spec.name, validators=known, largest=LARGEST_SOURCE)
    if fetched is None:
        assert before is not None
        return _unchanged(spec, held, before, say)
    try:
        digest, size = file_digest(fetched.path)
        if before is not None and known is not None and before.sha256 == digest:
            entry = _stamped(before, fetched)
            held.record(spec.name, entry)
            return _unchanged(spec, held, entry, say)
        with held.scratch() as scratch:
            made = _made(spec, fetched.path, scratch)
            if before and not wishes.allow_shrink and made.signatures < before.signatures / 2:
                raise SourceShrunk(
                    f"{spec.name}: {made.signatures:,} signatures where there were "
                    f"{before.signatures:,}; look why, and say --allow-shrink if it is right"
                )
            candidate = held.taken(made.path, f"{spec.name}.tdb")
    finally:
        with suppress(OSError):
            fetched.path.unlink()
    try:
        if test is not None:
            say(Notice(Event.TESTING, spec.name, str(candidate)))
            test(candidate)
            say(Notice(Event.TESTED, spec.name, str(candidate)))
        path = held.install(candidate)
    finally:
        with suppress(OSError):
            candidate.unlink(missing_ok=True)
    held.record(
        spec.name,
        Entry(
            kind=spec.kind.value,
            url=spec.url,
            file=path.name,
            sha256=digest,
            size=size,
            signatures=made.signatures,
            fetched=datetime.now(UTC),
            version=made.version,
            author=spec.author,
            licence=made.licence,
            etag=fetched.validators.etag,
            modified=fetched.validators.modified,
        ),
    )
    say(Notice(Event.UPDATED, spec.name, path.name, signatures=made.signatures))
    count, left_out = made.signatures, made.skipped
    return Brought(spec.name, path, made.version, count, changed=True, skipped=left_out)


class _Made(NamedTuple):
    """A local database that was made of what came.

    Attributes:
        path: of it.
        signatures: how many are in it.
        skipped: what was left out.
        version: as the source states it, or empty.
        licence: as the source states it, or as it was given.
    """

    path: Path
    signatures: int
    skipped: int
    version: str
    licence: str


def _made(spec: SourceSpec, came: Path, scratch: Path) -> _Made:
    """Make a local database.

    Args:
        spec: the source.
        came: the file that was fetched.
        scratch: an empty folder to write into.
    """
    path = scratch / "made.tdb"
    with came.open("rb") as file:
        if spec.kind is Kind.YARA:
            rules = read_archive(file, spec.name, author=spec.author, licence=spec.licence)
            _written(rules.records, path)
            return _Made(path, rules.rules, rules.left_out, rules.version, rules.licence)
        if not is_zip(file):
            return _made_of_feed(spec, file, path)
        with (scratch / "list").open("w+b") as member:
            unpack_one(file, spec.name, lambda name: name.endswith((".csv", ".txt")), member)
            return _made_of_feed(spec, member, path)


def _made_of_feed(spec: SourceSpec, file: BinaryIO, path: Path) -> _Made:
    feed = Feed(file, spec.name, author=spec.author, licence=spec.licence)
    count = _written(feed.records(), path, digest_of)
    feed.require_digests(count)
    return _Made(path, count, feed.skipped, feed.source.version, feed.source.licence)


def _written(records: Iterable[Record], path: Path, identity: Identity | None = None) -> int:
    """Write a database; gives how many records are in it."""
    try:
        return sum(write_portable(records, path, identity=identity).counts.values())
    except DatabaseError as error:
        if isinstance(error.__cause__, OSError):
            raise storage_error(error.__cause__, path) from error
        raise


def _stamped(entry: Entry, fetched: Fetched) -> Entry:
    """The same, with what to ask with next time."""
    import msgspec

    return msgspec.structs.replace(
        entry, etag=fetched.validators.etag, modified=fetched.validators.modified
    )


def _unchanged(spec: SourceSpec, held: SourceFolder, entry: Entry, say: Say) -> Brought:
    say(Notice(Event.UP_TO_DATE, spec.name, entry.file, signatures=entry.signatures))
    path = held.folder / entry.file
    return Brought(spec.name, path, entry.version, entry.signatures, changed=False)
