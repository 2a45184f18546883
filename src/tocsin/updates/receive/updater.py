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
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from tuf.api.exceptions import DownloadError, ExpiredMetadataError, RepositoryError
from tuf.api.metadata import Root, Targets

from tocsin.errors import TocsinError
from tocsin.transparency.proof import MAX_PROOF_BYTES
from tocsin.updates.errors import LayoutError
from tocsin.updates.layout import DatabaseTarget, database_name, entry_path, proof_path
from tocsin.updates.receive.choose import Act, Choice, Offer, choose, offer_of
from tocsin.updates.receive.download import Progress, digest_of, fetch_small
from tocsin.updates.receive.errors import (
    ActivationFailed,
    ConsentNeeded,
    ContentRefused,
    MetadataExpired,
    MetadataRefused,
    NotVouchedFor,
    UpdateError,
)
from tocsin.updates.receive.fetch import is_absent
from tocsin.updates.receive.gate import ConsentGate
from tocsin.updates.receive.logview import check_log
from tocsin.updates.receive.mirrors import REPOSITORY, MirrorFetcher
from tocsin.updates.receive.obtain import obtain
from tocsin.updates.receive.rebuilders import (
    MOST_BYTES,
    rebuilds_path,
    rebuilt_finding,
    who_rebuilt,
)
from tocsin.updates.receive.roots import RootKeeper, Waiting, target_keys
from tocsin.updates.receive.state import Installed, LastRun, Received, UpdateState
from tocsin.updates.receive.trust import Trust
from tocsin.updates.receive.tuf_client import MAX_ROOT, TufClient, read_root
from tocsin.updates.receive.verify import Expected, Vouching, examine
from tocsin.updates.statement import MOST_ENTRY_BYTES, DatabasePredicate

Activate = Callable[[Path], None]
"""Tries a database out on this device, so that it can be used; raises `TocsinError` if not."""

_LIES = (MetadataRefused, NotVouchedFor, ContentRefused)
"""What another mirror may have right."""


@dataclass(frozen=True)
class Wishes:
    """What the user wants of an update.

    Attributes:
        channel: `stable` or `fast`.
        max_checkpoint_age: seconds that the witnesses' word on the log's newest checkpoint may
            be old; 0 for any.
        at: time that everything is judged by; None for now.
        is_due: whether a version is for this device by then, by channel and ring.
        again: try versions again that did not pass their test here.
        rebuilders: of the user's, how many must have rebuilt a version and got the same bytes.
    """

    is_due: Callable[[DatabaseTarget, str, bytes, datetime], bool]
    channel: str = "stable"
    max_checkpoint_age: int = 0
    at: datetime | None = None
    again: bool = False
    rebuilders: int = 0

    def moment(self) -> datetime:
        """The time that counts."""
        return (self.at or datetime.now(UTC)).astimezone(UTC)


@dataclass
class Step:
    """One part of an update: how long it took, and what it asked for."""

    name: str
    milliseconds: float
    bytes: int
    requests: int


@dataclass
class Outcome:
    """What an update came to.

    Attributes:
        choice: what was decided.
        before: version that was in use.
        now: version that is.
        way: `delta`, `full`, `kept`, or empty when nothing changed.
        source: mirror that the database came from.
        vouching: who vouches for a new version.
        steps: parts, in order.
        failures: mirrors that were left aside, and why.
        waiting: roots that wait for consent.
    """

    choice: Choice
    before: int
    now: int
    way: str = ""
    source: str = ""
    vouching: Vouching | None = None
    steps: list[Step] = field(default_factory=list)
    failures: dict[str, str] = field(default_factory=dict)
    waiting: list[Waiting] = field(default_factory=list)

    @property
    def changed(self) -> bool:
        """Whether another version is in use now."""
        return self.before != self.now


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
        with self._step("metadata"):
            client = self._refresh()
        offer = _offer(client.targets)
        installed = self._state.installed()
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
        return outcome

    def _choose(self, offer: Offer, installed: Installed) -> Choice:
        device = self._state.device_id()

        def is_due(target: DatabaseTarget) -> bool:
            return self._wishes.is_due(target, self._wishes.channel, device, self._moment)

        refused = [] if self._wishes.again else self._state.refused()
        return choose(offer, installed, self._state.kept_versions(), refused, is_due)

    # --- metadata ---------------------------------------------------------------------------

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
            checkpoint = check_log(
                self._get,
                self._trust.policy,
                vouching,
                self._state,
                now=self._now,
                max_age=self._wishes.max_checkpoint_age or None,
                log_keys=self._keeper.agreed_logs(),
            )
            self._state.keep_checkpoint(checkpoint)  # from now on nothing else is believed
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
        # The entry was signed when the database was made; the keys may have been changed since.
        for version in range(client.root.version, self._trust.root_version - 1, -1):
            root = client.root if version == client.root.version else self._old_root(version)
            if root is None:
                continue
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
