"""Bringing in ClamAV's databases as its CDN serves them: `.cvd`, `.cdiff` and their `.sign`.

The order for one database: what is here, what is announced (TXT record, else the head of the
file on the server), the differences one after the other, else the whole; each is checked by its
signature, the result by the signature inside it, tried by the caller's test, and only then put
in the place of the old one.
"""

from __future__ import annotations

import errno
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, NamedTuple

from cryptography import x509

from tocsin.errors import VerificationError
from tocsin.signatures.clamav import cvd
from tocsin.updates.sources.cdiff import apply_script, is_member_name, read_cdiff
from tocsin.updates.sources.clamav_headers import (
    Here,
    find_database,
    read_header,
    require_signed_version,
)
from tocsin.updates.sources.clamav_plan import MOST_VERSION, Announced, Step, plan_step
from tocsin.updates.sources.clamav_root import official_roots
from tocsin.updates.sources.clamsign import LARGEST as LARGEST_SIGN
from tocsin.updates.sources.clamsign import verify_sign
from tocsin.updates.sources.cld import write_cld
from tocsin.updates.sources.errors import (
    CoolDown,
    DifferenceError,
    SourceError,
    SourceMissing,
    SourceOlder,
    SourceRefused,
    SourceStorage,
    SourceUnreachable,
    SourceUntested,
)
from tocsin.updates.sources.files import copy_bytes, file_digest
from tocsin.updates.sources.http import Http, http_date
from tocsin.updates.sources.notices import Event, Notice, Say, silent
from tocsin.updates.sources.partial import storage_error
from tocsin.updates.sources.state import Entry, SourceFolder

Test = Callable[[Path], int]
"""Tries whether a file loads, and says how many signatures it has; raises `SourceUntested`."""

LARGEST_CVD = 1 << 30
LARGEST_CDIFF = 1 << 26
_MOST_LICENCE = 200


class Trust(NamedTuple):
    """Whose signatures count.

    Attributes:
        header: key of a CVD's header.
        info: key of the `.info` inside.
        cdiff: key of differences.
        roots: certificates for `.sign` files; empty for ClamAV's own.
        require_sign: refuse a CVD that has no `.sign` beside it.
    """

    header: cvd.PublicKey = cvd.HEADER_KEY
    info: cvd.PublicKey = cvd.INFO_KEY
    cdiff: cvd.PublicKey = cvd.CDIFF_KEY
    roots: tuple[x509.Certificate, ...] = ()
    require_sign: bool = False


class Options(NamedTuple):
    """How databases are brought in.

    Attributes:
        servers: where they lie, as `https://host` with an optional folder, tried in order.
        private: they are a mirror of one's own, which may have `.cld` files; no differences.
        scripted: fetch differences.
        attempts: how often each server is asked.
        wait: seconds between two attempts.
        compress: gzip a local database.
        trust: whose signatures count.
    """

    servers: tuple[str, ...]
    private: bool = False
    scripted: bool = True
    attempts: int = 3
    wait: float = 5.0
    compress: bool = False
    trust: Trust = Trust()


class Updated(NamedTuple):
    """How a database stands after it was looked after.

    Attributes:
        file: its name in the folder.
        version: of it.
        changed: whether it is newer than before.
    """

    file: str
    version: int
    changed: bool


class ClamavSource:
    """Brings ClamAV's databases into a folder.

    Args:
        folder: taken already.
        http: to fetch with.
        options: how.
        announced: what the TXT record says; None to ask the servers themselves.
        test: tries a new database before it takes the old one's place; None for no trial.
        say: told what happens.
    """

    def __init__(
        self,
        folder: SourceFolder,
        http: Http,
        options: Options,
        *,
        announced: Announced | None = None,
        test: Test | None = None,
        say: Say = silent,
    ) -> None:
        self._folder = folder
        self._http = http
        self._options = options
        self._announced = announced
        self._test = test
        self._say = say
        self._signs_published = True  # until a server has none

    def update(self, name: str) -> Updated:
        """Look after one database.

        Raises:
            CoolDown: the server is not to be asked.
            SourceError: none of the servers could serve it; what was here is as it was.
        """
        last: SourceError = SourceUnreachable(f"{name}: there is no server to ask")
        for server in self._options.servers:
            for attempt in range(1, self._options.attempts + 1):
                try:
                    return self._update(name, server.rstrip("/"))
                except (CoolDown, SourceStorage, SourceUntested):
                    raise
                except SourceError as error:
                    last = error
                again = attempt < self._options.attempts
                event = Event.RETRY if again else Event.GIVEN_UP
                self._say(Notice(event, name, file=server, reason=str(last)))
                if again:
                    time.sleep(self._options.wait)
        raise last

    def _update(self, name: str, server: str) -> Updated:
        here = find_database(self._folder.folder, name)
        version = here.header.version if here else 0
        found = self._newest(name, server, here)
        step = plan_step(
            version or None,
            found.version,
            scripted=self._options.scripted and not self._options.private,
        )
        if step is Step.NOTHING:
            assert here is not None
            self._fetch_missing_sign(name, server, here)
            self._tell(Event.UP_TO_DATE, name, here.path.name, here.header)
            return Updated(here.path.name, version, changed=False)
        self._say(Notice(Event.AVAILABLE, name, version=found.version, before=version))
        if step is Step.PATCHES:
            assert here is not None
            patched = self._patch(name, server, here, found.version)
            if patched is not None:
                return patched
        return self._whole(name, server, found, version)

    # --- what there is ----------------------------------------------------------------

    def _newest(self, name: str, server: str, here: Here | None) -> _Found:
        if self._announced is not None and name in self._announced.versions:
            return _Found(self._announced.versions[name], f"{name}.cvd")
        made = cvd.made_at(here.path) if here else None
        since = http_date(made) if made is not None else ""
        endings = ("cvd", "cld") if self._options.private else ("cvd",)
        best: _Found | None = None
        missing: SourceMissing | None = None
        for ending in endings:
            file = f"{name}.{ending}"
            try:
                head = self._http.head(f"{server}/{file}", cvd.HEADER_BYTES, modified_since=since)
            except SourceMissing as error:
                missing = error
                continue
            if head is None:
                assert here is not None
                found = _Found(here.header.version, file)
            else:
                found = _Found(read_header(head, file).version, file)
            if best is None or found.version > best.version:
                best = found
        if best is None:
            raise missing or SourceMissing(f"{server}/{name}.cvd: not there")
        return best

    # --- differences ------------------------------------------------------------------

    def _patch(self, name: str, server: str, here: Here, target: int) -> Updated | None:
        """Go from version to version; None when the whole must be fetched instead."""
        with self._folder.scratch() as scratch:
            folder = scratch / "members"
            folder.mkdir()
            if not self._unpack(here, folder):
                return None
            return self._patched(name, server, here, target, folder)

    def _patched(
        self, name: str, server: str, here: Here, target: int, folder: Path
    ) -> Updated | None:
        """The same on the members of the database, which are in a folder."""
        reached = here.header.version
        for version in range(reached + 1, target + 1):
            self._say(Notice(Event.PATCHING, name, version=version))
            try:
                if not self._apply(name, server, version, folder):
                    return None  # empty: the publisher wants the whole to be fetched
            except SourceRefused as error:
                self._say(Notice(Event.PATCH_FAILED, name, f"{name}.cvd", reason=str(error)))
                return None
            except (SourceMissing, SourceUnreachable) as error:
                if reached == here.header.version and reached < target - 1:
                    self._say(Notice(Event.PATCH_FAILED, name, f"{name}.cvd", reason=str(error)))
                    return None
                if isinstance(error, SourceUnreachable) and reached == here.header.version:
                    raise
                break
            reached = version
        if reached == here.header.version:
            self._say(Notice(Event.PATCH_MISSING, name, version=target))
            return Updated(here.path.name, reached, changed=False)
        if reached < target:
            self._say(Notice(Event.PARTIAL, name, version=target, before=reached))
        file = f"{name}.cld"
        made = folder.with_name(file)
        try:
            with made.open("w+b") as output:
                write_cld(folder, name, output, compress=self._options.compress)
                archive = cvd.verify(output, file, info_key=self._options.trust.info)
            if archive.header.version != reached:
                raise SourceRefused(f"{file}: version {archive.header.version}, not {reached}")
        except (VerificationError, SourceRefused) as error:
            self._say(Notice(Event.PATCH_FAILED, name, f"{name}.cvd", reason=str(error)))
            return None
        return self._install(name, file, made, archive, ("info", "cdiff"), server)

    def _unpack(self, here: Here, folder: Path) -> bool:
        """Put what is in a database into a folder; False when it cannot be relied on."""
        trust = self._options.trust
        with tempfile.TemporaryFile(dir=folder.parent) as kept:
            try:
                with here.path.open("rb") as file:
                    archive = cvd.verify(
                        file, here.path.name, header_key=trust.header, info_key=trust.info,
                        kept=kept,
                    )  # fmt: skip
            except (VerificationError, OSError) as error:
                if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
                    raise
                return False  # whole then, in its place
            for member in archive.members:
                if not is_member_name(member.name):
                    return False
                kept.seek(member.start)
                with (folder / member.name).open("wb") as output:
                    copy_bytes(kept, output, member.size)
        return True

    def _apply(self, name: str, server: str, version: int, folder: Path) -> bool:
        """Carry out the difference that leads to a version; False when it is empty."""
        file = f"{name}-{version}.cdiff"
        path = self._fetched(f"{server}/{file}", file, LARGEST_CDIFF)
        try:
            with path.open("rb") as data, tempfile.TemporaryFile(dir=folder.parent) as script:
                if not path.stat().st_size:
                    return False
                signed = self._check_sign(data, server, file) is not None
                key = None if signed else self._options.trust.cdiff
                reached = read_cdiff(data, script, file, key=key)
                if reached != version:
                    raise DifferenceError(f"{file}: leads to version {reached}")
                apply_script(folder, script, file)
                return True
        finally:
            with suppress(OSError):
                path.unlink()

    # --- the whole --------------------------------------------------------------------

    def _whole(self, name: str, server: str, found: _Found, before: int) -> Updated:
        path = self._fetched(f"{server}/{found.file}", found.file, LARGEST_CVD)
        try:
            with path.open("rb") as data:
                archive, verified, sign = self._checked(name, server, found, before, data)
            done = self._install(name, found.file, path, archive, verified, server, sign)
        except OSError as error:
            raise storage_error(error, path) from error
        finally:
            with suppress(OSError):
                path.unlink()
        if archive.header.version >= found.version or not self._options.scripted:
            return done
        here = find_database(self._folder.folder, name)  # the CDN's copy lags behind the record
        assert here is not None
        with suppress(SourceMissing, SourceUnreachable):
            return self._patch(name, server, here, found.version) or done
        return done

    def _checked(
        self, name: str, server: str, found: _Found, before: int, data: BinaryIO
    ) -> tuple[cvd.Archive, tuple[str, ...], bytes | None]:
        """What is in a database that came whole, what signs it, and its `.sign`."""
        trust = self._options.trust
        try:
            archive = cvd.verify(data, found.file, header_key=trust.header, info_key=trust.info)
        except VerificationError as error:
            raise SourceRefused(str(error)) from error
        version = archive.header.version
        if version > MOST_VERSION:
            raise SourceRefused(f"{found.file}: there is no version {version}")
        if version <= before:
            raise SourceOlder(
                f"{found.file}: the server's copy has version {version} and {before} is "
                f"here, where {found.version} was announced",
                version,
            )
        require_signed_version(archive, found.file)
        if not found.file.endswith(".cvd"):
            return archive, ("info",), None
        file = f"{name}-{version}.cvd"
        sign = self._check_sign(data, server, file)
        if sign is None and trust.require_sign:
            raise SourceRefused(f"{found.file}: the server has no {file}.sign for it")
        return archive, ("header", "info") + (("sign",) if sign is not None else ()), sign

    def _fetched(self, url: str, name: str, largest: int) -> Path:
        """A file that came, in the working folder; the caller removes it."""
        fetched = self._http.fetch(url, name, largest=largest)
        assert fetched is not None  # nothing was said that it could be unchanged from
        return fetched.path

    def _bytes(self, url: str, name: str, largest: int) -> bytes:
        path = self._fetched(url, name, largest)
        try:
            return path.read_bytes()
        except OSError as error:
            raise SourceStorage(f"{path}: cannot be read: {error.strerror}") from error
        finally:
            with suppress(OSError):
                path.unlink()

    # --- detached signatures ----------------------------------------------------------

    def _check_sign(self, data: BinaryIO, server: str, file: str) -> bytes | None:
        """The detached signature of a file, checked; None when none is published."""
        if not self._signs_published and file.endswith(".cdiff"):
            return None
        try:
            sign = self._bytes(f"{server}/{file}.sign", f"{file}.sign", LARGEST_SIGN)
        except SourceMissing:
            self._signs_published = False
            return None
        verify_sign(data, sign, file, self._roots())
        return sign

    def _roots(self) -> Sequence[x509.Certificate]:
        return self._options.trust.roots or official_roots()

    def _keep_sign(self, name: str, file: str, sign: bytes | None) -> None:
        """Have this detached signature beside the database, and none of an earlier version."""
        if sign is not None:
            self._folder.install(self._folder.candidate(file, sign))
        for other in self._folder.folder.glob(f"{name}-*.cvd.sign"):
            if sign is None or other.name != file:
                with suppress(OSError):
                    other.unlink()

    def _fetch_missing_sign(self, name: str, server: str, here: Here) -> None:
        """A `.sign` that was published after its database; only asked for where one is demanded."""
        file = f"{name}-{here.header.version}.cvd"
        demanded = self._options.trust.require_sign and here.path.suffix == ".cvd"
        if not demanded or (self._folder.folder / f"{file}.sign").exists():
            return
        with suppress(SourceMissing, SourceUnreachable), here.path.open("rb") as data:
            sign = self._check_sign(data, server, file)
            if sign is not None:
                self._keep_sign(name, f"{file}.sign", sign)

    # --- putting it in place ----------------------------------------------------------

    def _install(
        self,
        name: str,
        file: str,
        made: Path,
        archive: cvd.Archive,
        verified: tuple[str, ...],
        server: str,
        sign: bytes | None = None,
    ) -> Updated:
        header = archive.header
        candidate = self._folder.taken(made, file)
        try:
            sha256, size = file_digest(candidate)
            if self._test is not None:
                self._say(Notice(Event.TESTING, name, str(candidate)))
                self._test(candidate)
                self._say(Notice(Event.TESTED, name, str(candidate)))
            path = self._folder.install(candidate)
        finally:
            with suppress(OSError):
                candidate.unlink(missing_ok=True)
        self._folder.record(
            name,
            Entry(
                kind="clamav",
                url=f"{server}/{name}.cvd",
                file=file,
                sha256=sha256,
                size=size,
                signatures=header.signatures,
                fetched=datetime.now(UTC),
                version=str(header.version),
                author=header.builder,
                licence=_licence(archive.copying),
                verified=verified,
            ),
        )
        for ending in ("cvd", "cld"):
            other = path.with_name(f"{name}.{ending}")
            if other != path:
                with suppress(OSError):
                    other.unlink(missing_ok=True)
        self._keep_sign(name, f"{name}-{header.version}.cvd.sign", sign)
        self._tell(Event.UPDATED, name, file, header)
        return Updated(file, header.version, changed=True)

    def _tell(self, event: Event, name: str, file: str, header: cvd.Header) -> None:
        self._say(
            Notice(
                event,
                name,
                file,
                version=header.version,
                signatures=header.signatures,
                level=header.level,
                builder=header.builder,
            )
        )


class _Found(NamedTuple):
    """The newest version on a server and the file that it lies in."""

    version: int
    file: str


def _licence(copying: bytes) -> str:
    lines = (line.strip() for line in copying[:4096].decode("latin-1").splitlines())
    return next((line for line in lines if line), "")[:_MOST_LICENCE]
