"""One update from the first request to the swap: orders what is read and written, decides nothing.

    metadata (TUF, through the consent gate)   at most two small requests when nothing is new
    the version that is due (`choose`)
    its log entry and proof, the log's newest checkpoint, and that the log only grew
    deltas, else the whole database; its digest is the signed one
    stored beside the others, tried out by the caller, and put in use by one write

Whatever is wrong on the way is said, and what was in use before stays in use. A mirror whose
files do not verify is left aside and the next one is asked.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import msgspec
from tuf.api.exceptions import DownloadError, ExpiredMetadataError, RepositoryError
from tuf.api.metadata import Root, Targets

from tocsin.errors import TocsinError
from tocsin.transparency.errors import TransparencyError
from tocsin.transparency.proof import MAX_PROOF_BYTES, TlogProof
from tocsin.updates.errors import LayoutError
from tocsin.updates.layout import DatabaseTarget, database_name, entry_path, proof_path
from tocsin.updates.receive.choose import Act, Choice, Offer, Timing, choose, offer_of
from tocsin.updates.receive.download import Progress, digest_of, fetch_small
from tocsin.updates.receive.errors import (
    ActivationFailed,
    ConsentNeeded,
    ContentRefused,
    MetadataExpired,
    MetadataRefused,
    NotVouchedFor,
    StateDamaged,
    UpdateError,
)
from tocsin.updates.receive.fetch import is_absent
from tocsin.updates.receive.gate import ConsentGate
from tocsin.updates.receive.mirrors import REPOSITORY, MirrorFetcher
from tocsin.updates.receive.news import News
from tocsin.updates.receive.obtain import obtain
from tocsin.updates.receive.outcome import Outcome, Step, Wishes
from tocsin.updates.receive.rebuilders import (
    MOST_BYTES,
    rebuilds_path,
    rebuilt_finding,
    who_rebuilt,
)
from tocsin.updates.receive.roots import RootKeeper, target_keys
from tocsin.updates.receive.state import Installed, LastRun, Received, UpdateState
from tocsin.updates.receive.trust import Trust
from tocsin.updates.receive.tuf_client import MAX_ROOT, TufClient, read_root
from tocsin.updates.receive.verify import Expected, Vouching, examine
from tocsin.updates.receive.withdrawals import Keys, with_logged
from tocsin.updates.statement import MOST_ENTRY_BYTES, DatabasePredicate

Activate = Callable[[Path], None]
"""Tries a database out on this device, so that it can be used; raises `TocsinError` if not."""

_LIES = (MetadataRefused, NotVouchedFor, ContentRefused)
"""What another mirror may have right."""


class _PulledBack(Exception):
    """The version that was chosen turned out to be withdrawn."""


class Update:
    """One run.

    Args:
        state: of the device; the run locks it.
        trust: what the user chose.
        mirrors: where everything comes from.
        wishes: what the user wants.
        activate: tries a database out.
        progress: told how far it is.
    """

    def __init__(
        self,
        state: UpdateState,
        trust: Trust,
        mirrors: MirrorFetcher,
        wishes: Wishes,
        activate: Activate,
        progress: Progress = lambda *_: None,
    ) -> None:
        self._state = state
        self._trust = trust
        self._mirrors = mirrors
        self._wishes = wishes
        self._activate = activate
        self._progress = progress
        self._moment = wishes.moment()
        self._now = int(self._moment.timestamp())
        self._keeper = RootKeeper(state, trust, self._get, self._now)
        self._news = News(
            state, trust, mirrors, self._keeper, self._moment, wishes.max_checkpoint_age
        )
        self._steps: list[Step] = []

    def run(self) -> Outcome:
        """Bring the device up to date, or leave it as it was.

        Raises:
            UpdateError: why it was left as it was.
        """
        with self._state.locked():
            try:
                outcome = self._with_any_mirror()
            except ConsentNeeded as error:
                self._remember("waiting", str(error))
                raise
            except (TocsinError, OSError) as error:
                self._remember("failed", str(error))
                raise
            said = f"version {outcome.now}" if outcome.changed else outcome.choice.why
            self._remember("updated" if outcome.changed else "unchanged", said, fresh=True)
            return outcome

    def _remember(self, outcome: str, text: str, *, fresh: bool = False) -> None:
        at = datetime.now(UTC)
        last = self._state.last_run()
        confirmed = at if fresh else (last.confirmed if last else None)
        self._state.keep_last_run(LastRun(at, outcome, text[:2000], confirmed))

    def _with_any_mirror(self) -> Outcome:
        first: UpdateError | None = None
        while True:
            try:
                return self._attempt()
            except _LIES as error:
                first = first or error
                self._mirrors.set_aside(self._mirrors.last, str(error))
                if self._keeper.waiting:
                    raise self._consent_needed() from error
                if not self._mirrors.standing():
                    raise first from None

    def _attempt(self) -> Outcome:
        self._keeper.waiting.clear()
        self._news.begin()
        with self._step("metadata"):
            client = self._refreshed()
        installed = self._state.installed()
        if installed.current and self._news.log_is_due(client.timestamp.version):
            with self._step("withdrawals"):
                self._news.look(client, self._roots(client), self._place_of(installed.current))
        while True:
            try:
                return self._carried_out(client, installed)
            except _PulledBack:
                continue  # the log says so, and the choice is another now

    def _carried_out(self, client: TufClient, installed: Installed) -> Outcome:
        """Decide, and do what was decided.

        Raises:
            _PulledBack: the log says so of what was chosen.
        """
        held = {each: self._state.received(each).sha256 for each in self._state.kept_versions()}
        offer = with_logged(_offer(client.targets), self._state.seen().withdrawn, held)
        pulled = offer.withdrawn.get(installed.current)
        self._say_in_use(pulled.reason if pulled else "")
        choice = self._choose(offer, installed)
        outcome = Outcome(choice, installed.current, installed.current)
        outcome.waiting = list(self._keeper.waiting)
        outcome.steps, outcome.failures = self._steps, self._mirrors.failures
        if not self._keeper.waiting:
            self._state.drop_pending()
        if choice.act is Act.INSTALL:
            self._install(client, offer, choice.version, outcome)
        elif choice.act is Act.USE_KEPT:
            with self._step("test"):
                self._try_out(choice.version, self._state.database(choice.version))
            outcome.way = "kept"
        if choice.version and choice.act is not Act.KEEP:
            with self._step("swap"):
                self._state.keep_installed(switched(installed, choice.version))
            outcome.now = choice.version
            self._say_in_use("")
        return outcome

    def _say_in_use(self, reason: str) -> None:
        """Remember why what is in use is pulled back, so that the status says it."""
        seen = self._state.seen()
        if seen.in_use != reason:
            self._state.keep_seen(msgspec.structs.replace(seen, in_use=reason))

    def _choose(self, offer: Offer, installed: Installed) -> Choice:
        device = self._state.device_id()

        def is_due(target: DatabaseTarget) -> bool:
            return self._wishes.is_due(target, self._wishes.channel, device, self._moment)

        def due_at(target: DatabaseTarget) -> datetime | None:
            return self._wishes.due_at(target, self._wishes.channel, device)

        def has_begun(target: DatabaseTarget) -> bool:
            start = target.channels.get(self._wishes.channel)
            return start is not None and start <= self._moment

        refused = [] if self._wishes.again else self._state.refused()
        timing = Timing(is_due, has_begun, due_at)
        return choose(offer, installed, self._state.kept_versions(), refused, timing)

    # --- metadata ---------------------------------------------------------------------------

    def _refreshed(self) -> TufClient:
        """The metadata, of another mirror if the first turns out to be behind."""
        before = self._state.timestamp_bytes()
        client = self._refresh()
        if before != self._state.timestamp_bytes():
            self._news.heard()
        elif self._news.mirror_is_behind(client):
            client = self._refresh()
        return client

    def _refresh(self) -> TufClient:
        gate = ConsentGate(self._mirrors, self._keeper.lets_pass)
        try:
            client = TufClient(
                self._state.metadata,
                f"{REPOSITORY}metadata/",
                gate,
                trusted_root=self._trust.root,
                at=self._wishes.at,
            )
            client.refresh()
        except ExpiredMetadataError as error:
            raise self._refused(MetadataExpired(self._expired(str(error)))) from error
        except RepositoryError as error:
            raise self._refused(
                MetadataRefused(f"{self._mirrors.last or 'the metadata'}: {error}")
            ) from error
        except DownloadError as error:
            if self._mirrors.standing():  # one that answers has not what is needed, or too much
                raise self._refused(
                    MetadataRefused(f"{self._mirrors.last}: the metadata is not whole: {error}")
                ) from error
            raise self._refused(self._mirrors.nothing_reached(str(error))) from error
        self._follow_up()
        return client

    def _refused(self, error: UpdateError) -> UpdateError:
        """The error itself, or that consent is what is missing."""
        if not self._keeper.waiting:
            return error
        self._follow_up()
        return self._consent_needed()

    def _expired(self, said: str) -> str:
        installed = self._state.installed().current
        kept = f"version {installed} stays in use" if installed else "there is no database yet"
        return (
            f"{said} (judged at {self._moment:%Y-%m-%d %H:%M} UTC). Either the publisher has "
            f"stopped, or every mirror is behind, or this machine's clock is wrong; {kept}, and "
            "scanning goes on"
        )

    def _consent_needed(self) -> ConsentNeeded:
        last = self._keeper.waiting[-1].step
        name = repr(last.publisher.name) if last.publisher else "nobody by name"
        return ConsentNeeded(
            f"root {last.version} would make {name} the publisher and waits for you: 'tocsin "
            "update consent' shows who signed it. What is in use stays in use, and scanning goes "
            "on",
            last.version,
            last.sha256,
        )

    def _follow_up(self) -> None:
        def fetch_root(version: int) -> bytes | None:
            try:
                url = f"{REPOSITORY}metadata/{version}.root.json"
                return self._mirrors.download_bytes(url, MAX_ROOT)
            except DownloadError as error:
                if is_absent(error):
                    return None
                raise

        self._keeper.follow_up(fetch_root)

    # --- one version ------------------------------------------------------------------------

    def _install(self, client: TufClient, offer: Offer, version: int, outcome: Outcome) -> None:
        target = offer.databases[version]
        with self._step("proof"):
            entry, proof, vouching, root_version = self._prove(client, target)
        outcome.vouching = vouching
        with self._step("log"):
            assert vouching.proof is not None
            pulled = self._news.look(client, self._roots(client), vouching.proof.index, vouching)
        if any(one.sha256 == target.sha256 for one in pulled):
            raise _PulledBack
        rebuilds = self._demand_rebuilt(target)
        with self._step("database"):
            database, outcome.way = self._database(client, offer, target)
        outcome.source = self._mirrors.last
        assert vouching.statement is not None
        assert isinstance(vouching.statement.predicate, DatabasePredicate)
        how = Received(
            version,
            target.sha256,
            target.length,
            vouching.statement.predicate.created,
            datetime.now(UTC),
            outcome.source,
            outcome.way,
            root_version,
            tuple(sorted(vouching.signed_by)),
        )
        with self._step("store"):
            stored = database
            if database != self._state.database(version):
                stored = self._state.store_version(database, entry, proof, how, rebuilds)
        with self._step("test"):
            self._try_out(version, stored)

    def _database(
        self, client: TufClient, offer: Offer, target: DatabaseTarget
    ) -> tuple[Path, str]:
        """The plain database; one that a loss of power left stored is not fetched again."""
        place = self._state.database(target.version)
        if place.is_file() and digest_of(place) == (target.sha256, target.length):
            return place, "kept"
        return obtain(
            self._state, self._mirrors, offer, target, client.targets.targets, self._progress
        )

    def _prove(
        self, client: TufClient, target: DatabaseTarget
    ) -> tuple[bytes, bytes, Vouching, int]:
        entry = self._get(entry_path(target.sha256), MOST_ENTRY_BYTES)
        proof = self._get(proof_path(target.sha256), MAX_PROOF_BYTES)
        expected = database_expected(target)
        first: Vouching | None = None
        for version, root in self._signing_roots(client):
            vouching = examine(
                expected,
                entry,
                proof,
                *target_keys(root),
                self._trust.policy,
                now=self._now,
                log_keys=self._keeper.agreed_logs(),
            )
            if vouching.stands:
                assert entry is not None
                assert proof is not None
                return entry, proof, vouching, version
            first = first or vouching
        assert first is not None
        first.require()
        raise AssertionError

    def _demand_rebuilt(self, target: DatabaseTarget) -> bytes | None:
        """What rebuilders say of a version, where the user asks for it."""
        if not self._wishes.rebuilders:
            return None
        with self._step("rebuilders"):
            said = self._get(rebuilds_path(target.sha256), MOST_BYTES)
        names = who_rebuilt(said, target.sha256, target.version, self._trust.rebuilders)
        finding = rebuilt_finding(names, self._wishes.rebuilders)
        if not finding.stands:
            raise NotVouchedFor(f"{database_name(target.version)} is not used: {finding.detail}")
        return said

    def _signing_roots(self, client: TufClient) -> Iterator[tuple[int, Root]]:
        """Roots by version, the newest first: keys may have changed since an entry was signed."""
        for version in range(client.root.version, self._trust.root_version - 1, -1):
            root = client.root if version == client.root.version else self._old_root(version)
            if root is not None:
                yield version, root

    def _roots(self, client: TufClient) -> Iterator[Keys]:
        for _, root in self._signing_roots(client):
            yield target_keys(root)

    def _place_of(self, version: int) -> int:
        """Place in the log of a version that is here; 0 where that cannot be read."""
        try:
            return TlogProof.parse(self._state.evidence_of(version)[1]).index
        except (TransparencyError, StateDamaged):
            return 0

    def _old_root(self, version: int) -> Root | None:
        held = self._state.root_bytes(version)
        return None if held is None else read_root(held).signed

    def _try_out(self, version: int, database: Path) -> None:
        self._progress("testing on this device", 0, 0)
        try:
            self._activate(database)
        except TocsinError as error:
            digest, _ = digest_of(database)
            self._state.refuse(digest, str(error))
            self._state.remove_version(version)
            raise ActivationFailed(
                f"version {version} is what the publisher signed, and it did not pass its test on "
                f"this device: {error}. It is not used; 'tocsin update --again' tries it once more"
            ) from error

    def _get(self, path: str, most: int) -> bytes | None:
        return fetch_small(self._mirrors, path, most)

    @contextmanager
    def _step(self, name: str) -> Iterator[None]:
        started = time.perf_counter()
        received, requests = self._mirrors.received, self._mirrors.requests
        try:
            yield
        finally:
            self._steps.append(
                Step(
                    name,
                    (time.perf_counter() - started) * 1000,
                    self._mirrors.received - received,
                    self._mirrors.requests - requests,
                )
            )


def database_expected(target: DatabaseTarget) -> Expected:
    """What the log entry of a database must be about."""
    return Expected(database_name(target.version), target.sha256, DatabasePredicate, target.version)


def switched(installed: Installed, version: int) -> Installed:
    """What is installed once another version is in use."""
    if version == installed.current:
        return installed
    before = (installed.current, *installed.previous) if installed.current else installed.previous
    previous = tuple(dict.fromkeys(each for each in before if each != version))
    return Installed(version, previous[:2], installed.pinned, max(installed.highest, version))


def _offer(targets: Targets) -> Offer:
    try:
        return offer_of(targets)
    except LayoutError as error:
        raise MetadataRefused(f"the signed metadata cannot be read: {error}") from error


__all__ = ["Activate", "Outcome", "Step", "Update", "Wishes", "database_expected", "switched"]
