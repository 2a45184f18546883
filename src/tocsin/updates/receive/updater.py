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

import shutil
from collections.abc import Callable, Iterable
from contextlib import nullcontext, suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import msgspec
from tuf.api.metadata import Targets

from tocsin.errors import TocsinError
from tocsin.transparency.errors import TransparencyError
from tocsin.transparency.proof import TlogProof
from tocsin.updates.errors import LayoutError
from tocsin.updates.layout import DatabaseTarget, ReleaseTarget, database_name
from tocsin.updates.receive.choose import Act, Choice, Offer, Timing, choose, offer_of
from tocsin.updates.receive.download import Progress, digest_of
from tocsin.updates.receive.errors import (
    ActivationFailed,
    ConsentNeeded,
    MetadataRefused,
    NotTriedOut,
    NotVouchedFor,
    NotWritten,
    StateDamaged,
)
from tocsin.updates.receive.former import former_in_use
from tocsin.updates.receive.mirrors import MirrorFetcher
from tocsin.updates.receive.obtain import obtain
from tocsin.updates.receive.outcome import Outcome, Step, Wishes
from tocsin.updates.receive.rebuilders import (
    MOST_BYTES,
    rebuilds_path,
    rebuilt_finding,
    who_rebuilt,
)
from tocsin.updates.receive.releases import newest_due
from tocsin.updates.receive.run import Run
from tocsin.updates.receive.state import Installed, LastRun, Received, UpdateState
from tocsin.updates.receive.trust import Trust
from tocsin.updates.receive.tuf_client import TufClient
from tocsin.updates.receive.verify import Expected
from tocsin.updates.receive.withdrawals import Word, is_about, with_logged
from tocsin.updates.statement import DatabasePredicate

Activate = Callable[[Path], None]
"""Tries a database out on this device, so that it can be used; raises `TocsinError` if not."""


class _PulledBack(Exception):
    """The version that was chosen turned out to be withdrawn."""


class Update(Run):
    """One run.

    Args:
        state: of the device; the run locks it.
        trust: what the user chose.
        mirrors: where everything comes from.
        wishes: what the user wants.
        activate: tries a database out.
        progress: told how far it is.

    Attributes:
        client: has the metadata once they were verified, whatever came of the rest.
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
        super().__init__(
            state,
            trust,
            mirrors,
            at=wishes.at,
            moment=wishes.moment(),
            max_checkpoint_age=wishes.max_checkpoint_age,
            progress=progress,
        )
        self._wishes = wishes
        self._activate = activate
        self._software: str | None = None
        self.client: TufClient | None = None

    def run(self) -> Outcome:
        """Bring the device up to date, or leave it as it was.

        Raises:
            UpdateError: why it was left as it was.
        """
        with self._state.locked():
            try:
                outcome = self._with_any_mirror(self._attempt)
            except ConsentNeeded as error:
                self._remember("waiting", str(error))
                raise
            except (TocsinError, OSError) as error:
                self._remember("failed", str(error))
                raise
            said = f"version {outcome.now}" if outcome.changed else outcome.choice.why
            said = "; ".join((said, *outcome.remarks))
            self._remember("updated" if outcome.changed else "unchanged", said, fresh=True)
            return outcome

    def _remember(self, outcome: str, text: str, *, fresh: bool = False) -> None:
        # Why a run failed is not to be hidden by a disk that does not take even that.
        with nullcontext() if fresh else suppress(NotWritten):
            self._keep_last_run(outcome, text, fresh=fresh)

    def _keep_last_run(self, outcome: str, text: str, *, fresh: bool) -> None:
        at = datetime.now(UTC)
        last = self._state.last_run()
        confirmed = at if fresh else (last.confirmed if last else None)
        software = self._software
        if software is None:  # the metadata was not reached: what it had before is still so
            software = last.software if last else ""
        self._state.keep_last_run(LastRun(at, outcome, text[:2000], confirmed, software))

    def _stays(self) -> str:
        if former_in_use(self._state):
            return "the database of the publisher before stays in use"
        installed = self._state.installed().current
        return f"version {installed} stays in use" if installed else "there is no database yet"

    def _attempt(self) -> Outcome:
        with self._step("metadata"):
            client = self.client = self._refreshed()
        installed = self._state.installed()
        if installed.current and self._news.log_is_due(client.timestamp.version):
            with self._step("withdrawals"):
                self._news.look(client, self._words_of(client), self._place_of(installed.current))
        for _ in range(len(client.targets.targets) + 1):
            with suppress(_PulledBack):  # the log says so, and the choice is another now
                return self._carried_out(client, installed)
        raise NotVouchedFor(
            "the log pulls back what the metadata offers, again and again, so nothing of it is "
            f"used. {self._stays()}"
        )

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
        outcome.waiting = list(self._keeper.held)
        outcome.steps, outcome.failures = self._steps, self._mirrors.failures
        outcome.software = self._software = self._later_software(client)
        if not self._keeper.held:
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

    def _later_software(self, client: TufClient) -> str:
        """A later release of the software that the metadata has for this device."""
        if not self._wishes.running:
            return ""
        device, channel = self._state.device_id(), self._wishes.channel

        def due_at(target: ReleaseTarget) -> datetime | None:
            return self._wishes.due_at(target, channel, device)

        return newest_due(client.targets, self._wishes.running, due_at, self._moment)

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

    # --- one version ------------------------------------------------------------------------

    def _install(self, client: TufClient, offer: Offer, version: int, outcome: Outcome) -> None:
        target = offer.databases[version]
        with self._step("proof"):
            entry, proof, vouching, root_version = self._prove(client, database_expected(target))
        outcome.vouching = vouching
        with self._step("log"):
            assert vouching.proof is not None
            pulled = self._news.look(client, self._words_of(client), vouching.proof.index, vouching)
        if any(is_about(one, version, target.sha256) for one in pulled):
            raise _PulledBack
        rebuilds = self._demand_rebuilt(target)
        with self._step("database"):
            database, outcome.way = self._database(client, offer, target, outcome.remarks)
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
            stored, in_place = database, database == self._state.database(version)
            if in_place and version not in self._state.kept_versions():
                database = self._beside(database, target.sha256)  # what belongs to it is lost
                in_place = False
            if not in_place:
                stored = self._state.store_version(database, entry, proof, how, rebuilds)
        with self._step("test"):
            self._try_out(version, stored)

    def _database(
        self, client: TufClient, offer: Offer, target: DatabaseTarget, remarks: list[str]
    ) -> tuple[Path, str]:
        """The plain database; one that a loss of power left stored is not fetched again."""
        place = self._state.database(target.version)
        if place.is_file() and digest_of(place) == (target.sha256, target.length):
            return place, "kept"
        targets = client.targets.targets
        return obtain(self._state, self._mirrors, offer, target, targets, self._progress, remarks)

    def _beside(self, database: Path, sha256: str) -> Path:
        """A copy of a database that is in its place already, which stays until there is another."""
        place = self._state.partial(sha256)
        with self._state.changing(place):
            shutil.copyfile(database, place)
        return place

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

    def _words_of(self, client: TufClient) -> Callable[[str], Iterable[Word]]:
        return partial(self._words, client)

    def _place_of(self, version: int) -> int:
        """Place in the log of a version that is here; 0 where that cannot be read."""
        try:
            return TlogProof.parse(self._state.evidence_of(version)[1]).index
        except (TransparencyError, StateDamaged):
            return 0

    def _try_out(self, version: int, database: Path) -> None:
        self._progress("testing on this device", 0, 0)
        try:
            self._activate(database)
        except NotTriedOut as error:
            raise NotTriedOut(
                f"version {version} is here and could not be tried out: {error}. "
                f"{self._stays()}; the next update tries it again"
            ) from error
        except TocsinError as error:
            digest, _ = digest_of(database)
            self._state.refuse(digest, str(error))
            self._state.remove_version(version)
            raise ActivationFailed(
                f"version {version} is what the publisher signed, and it did not pass its test on "
                f"this device: {error}. It is not used; 'tocsin update --again' tries it once more"
            ) from error


def database_expected(target: DatabaseTarget) -> Expected:
    """What the log entry of a database must be about."""
    return Expected(database_name(target.version), target.sha256, DatabasePredicate, target.version)


def switched(installed: Installed, version: int) -> Installed:
    """What is installed once another version is in use."""
    if version == installed.current:
        return installed
    before = (installed.current, *installed.previous) if installed.current else installed.previous
    previous = tuple(dict.fromkeys(each for each in before if each != version))
    left = tuple(each for each in installed.left if each != version)
    highest = max(installed.highest, version)
    return Installed(version, previous[:2], installed.pinned, highest, left)


def _offer(targets: Targets) -> Offer:
    try:
        return offer_of(targets)
    except LayoutError as error:
        raise MetadataRefused(f"the signed metadata cannot be read: {error}") from error


__all__ = ["Activate", "Outcome", "Step", "Update", "Wishes", "database_expected", "switched"]
