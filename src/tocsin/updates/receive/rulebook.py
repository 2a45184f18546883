"""Taking the newest edition of the rulebook along: after the database, and failing on its own.

    the editions that are due (`later`), the newest
    its log entry and proof, the log's newest checkpoint, and that the log only grew
    the edition, which has the signed digest; read and tried by the caller
    stored beside the others, and put in use by one write

A number never goes back. Whatever is wrong is said, and the edition in use stays in use; without
one that is the rulebook that comes with the program.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime

from tuf.api.metadata import Targets

from tocsin.errors import TocsinError
from tocsin.updates.errors import LayoutError
from tocsin.updates.layout import RulebookTarget, parse_custom, rulebook_name
from tocsin.updates.receive.download import Progress, digest_of, download_target
from tocsin.updates.receive.errors import (
    ActivationFailed,
    ContentRefused,
    MetadataRefused,
    NotWritten,
    StateDamaged,
)
from tocsin.updates.receive.files import read_bounded
from tocsin.updates.receive.later import LaterChoice, Offered, choose_later
from tocsin.updates.receive.mirrors import MirrorFetcher
from tocsin.updates.receive.outcome import Step
from tocsin.updates.receive.run import Run
from tocsin.updates.receive.state import LastRun, Received, UpdateState
from tocsin.updates.receive.trust import Trust
from tocsin.updates.receive.tuf_client import TufClient
from tocsin.updates.receive.updater import switched
from tocsin.updates.receive.verify import Expected, Vouching
from tocsin.updates.rulebooks import MOST_BYTES, Changes, Facts, Read, changes
from tocsin.updates.statement import RulebookPredicate

EditionOffer = Offered[int, RulebookTarget]


@dataclass(frozen=True)
class EditionWishes:
    """What the user wants of the rulebook.

    Attributes:
        due_at: when an edition is for this device, by channel and ring; None for never.
        packaged: number of the edition that comes with the program; no lower one is of use.
        max_checkpoint_age: seconds that the witnesses' word on the log may be old; 0 for any.
        at: time that everything is judged by; None for now.
        again: try an edition again that could not be used here.
        base: what is in the edition that comes with the program; None if nobody knows.
    """

    due_at: Callable[[RulebookTarget, bytes], datetime | None]
    packaged: int = 0
    max_checkpoint_age: int = 0
    at: datetime | None = None
    again: bool = False
    base: Callable[[], Facts] | None = None


@dataclass
class EditionOutcome:
    """What looking for an edition came to.

    Attributes:
        why: in words.
        before: number of the edition that was in use; 0 for none that came by an update.
        now: of the one that is.
        failed: why a later one is not used; empty where nothing went wrong.
        source: mirror that it came from.
        facts: of a new edition.
        rules: what became of rules by it: an edition that takes some away frees what they forbade.
        vouching: who vouches for it.
        steps: parts, in order.
        failures: mirrors that were left aside, and why.
    """

    why: str
    before: int
    now: int
    failed: str = ""
    source: str = ""
    facts: Facts | None = None
    rules: Changes | None = None
    vouching: Vouching | None = None
    steps: list[Step] = field(default_factory=list)
    failures: dict[str, str] = field(default_factory=dict)

    @property
    def changed(self) -> bool:
        """Whether another edition is in use now."""
        return self.before != self.now


class RulebookUpdate(Run):
    """One look for a later edition.

    Args:
        state: of the device; the run locks it.
        trust: what the user chose.
        mirrors: where everything comes from.
        wishes: what the user wants.
        read: reads an edition and tries it out.
        progress: told how far it is.
    """

    def __init__(
        self,
        state: UpdateState,
        trust: Trust,
        mirrors: MirrorFetcher,
        wishes: EditionWishes,
        read: Read,
        progress: Progress = lambda *_: None,
    ) -> None:
        super().__init__(
            state,
            trust,
            mirrors,
            at=wishes.at,
            moment=(wishes.at or datetime.now(UTC)).astimezone(UTC),
            max_checkpoint_age=wishes.max_checkpoint_age,
            progress=progress,
        )
        self._held = state.rulebooks
        self._wishes = wishes
        self._read = read

    def run(self, seen: Targets | None = None) -> EditionOutcome:
        """Take a later edition into use, or leave everything as it was; either is said.

        Args:
            seen: targets that were verified a moment ago: with nothing later in them nothing is
                asked for.
        """
        before = 0
        try:
            with self._state.locked():
                before = self._held.installed().current
                if seen is not None:
                    choice = self._choose(seen)
                    if not choice.candidates:
                        failed = choice.why if choice.failed else ""
                        last = self._held.last_run()
                        if last is not None and last.outcome == "failed" and not failed:
                            self._remember(choice.why, failed=False)  # it is offered no more
                        return EditionOutcome(choice.why, before, before, failed)
                try:
                    outcome = self._with_any_mirror(self._attempt)
                    self._remember(outcome.why, failed=bool(outcome.failed))
                except (TocsinError, OSError) as error:
                    self._remember(str(error), failed=True)
                    raise
                return outcome
        except (TocsinError, OSError) as error:
            said = str(error)
            return EditionOutcome(said, before, before, said, failures=self._mirrors.failures)

    def _remember(self, text: str, *, failed: bool) -> None:
        with suppress(TocsinError):  # why it failed is not to be hidden by the disk
            self._held.begin()
            now = datetime.now(UTC)
            last = LastRun(now, "failed" if failed else "updated", text[:2000])
            self._held.keep_last_run(last)

    def _stays(self) -> str:
        current = self._held.installed().current
        if current > self._wishes.packaged:
            return f"edition {current} of the rulebook stays in use"
        return "the rulebook that comes with tocsin stays in use"

    def _attempt(self) -> EditionOutcome:
        with self._step("metadata"):
            client = self._refreshed()
        choice = self._choose(client.targets)
        current = self._held.installed().current
        outcome = EditionOutcome(choice.why, current, current, choice.why if choice.failed else "")
        outcome.steps, outcome.failures = self._steps, self._mirrors.failures
        if choice.candidates:
            self._take(client, choice.candidates[0], outcome)
        return outcome

    def _choose(self, targets: Targets) -> LaterChoice[int, RulebookTarget]:
        try:
            offers = editions_of(targets)
        except LayoutError as error:
            raise MetadataRefused(f"the signed metadata cannot be read: {error}") from error
        installed, device = self._held.installed(), self._state.device_id()
        floor = max(installed.highest, installed.current)
        lost = bool(floor) and installed.current == floor and not self._is_whole(floor)
        return choose_later(
            offers,
            max(floor, self._wishes.packaged),
            () if self._wishes.again else self._held.refused(),
            lambda target: self._wishes.due_at(target, device),
            self._moment,
            word="edition",
            with_floor=lost and floor > self._wishes.packaged,
        )

    def _is_whole(self, version: int) -> bool:
        """Whether an edition is here as it came."""
        try:
            sha256, _ = digest_of(self._held.database(version))
            return version in self._held.kept_versions() and (
                sha256 == self._held.received(version).sha256
            )
        except (StateDamaged, OSError):
            return False

    def _take(self, client: TufClient, offered: EditionOffer, outcome: EditionOutcome) -> None:
        version, target = offered
        signed = client.targets.targets[rulebook_name(version)]
        if signed.hashes.get("sha256") != target.sha256 or signed.length > MOST_BYTES:
            raise MetadataRefused(
                f"{signed.path}: its description does not fit it, or it is larger than "
                f"{MOST_BYTES:,} bytes. {self._stays()}"
            )
        with self._step("proof"):
            entry, proof, vouching, root_version = self._prove(client, edition_expected(target))
        with self._step("log"):
            self._news.demand_grown(vouching)
        place = self._state.partial(target.sha256)
        with self._step("rulebook"):
            download_target(self._mirrors, signed, place, self._progress)
        outcome.source, outcome.vouching = self._mirrors.last, vouching
        assert vouching.statement is not None
        predicate = vouching.statement.predicate
        assert isinstance(predicate, RulebookPredicate)
        with self._step("test"):
            outcome.facts = self._tried(read_bounded(place, MOST_BYTES), target, predicate)
        earlier = self._facts_of(outcome.before)
        if earlier is not None:
            outcome.rules = changes(earlier.rules, outcome.facts.rules)
        self._held.begin()
        with self._step("store"):
            how = Received(
                version,
                target.sha256,
                signed.length,
                predicate.created,
                datetime.now(UTC),
                outcome.source,
                "full",
                root_version,
                tuple(sorted(vouching.signed_by)),
            )
            self._held.store_version(place, entry, proof, how)
        with self._step("swap"):
            self._held.keep_installed(switched(self._held.installed(), version))
        outcome.now = version
        outcome.why = f"edition {version} of the rulebook is in use"

    def _facts_of(self, version: int) -> Facts | None:
        """What is in the edition in use; None if nobody can say."""
        if version > self._wishes.packaged:
            with suppress(TocsinError, OSError):  # it is damaged, and that is said elsewhere
                return self._read(read_bounded(self._held.database(version), MOST_BYTES))
        with suppress(TocsinError, OSError):
            return self._wishes.base() if self._wishes.base is not None else None
        return None

    def _tried(self, data: bytes, target: RulebookTarget, predicate: RulebookPredicate) -> Facts:
        self._progress("trying the rulebook", 0, 0)
        try:
            facts = self._read(data)
            if (facts.version, facts.checked) != (target.version, predicate.checked):
                raise ContentRefused(
                    f"it says that it is edition {facts.version}, checked {facts.checked}"
                )
        except TocsinError as error:
            with suppress(NotWritten):
                self._held.begin()
                self._held.refuse(target.sha256, str(error))
            self._state.partial(target.sha256).unlink(missing_ok=True)
            raise ActivationFailed(
                f"edition {target.version} of the rulebook is what the publisher signed, and it "
                f"cannot be used here: {error}. {self._stays()}; 'tocsin update --again' tries it "
                "once more"
            ) from error
        return facts


def editions_of(targets: Targets) -> tuple[EditionOffer, ...]:
    """What signed targets offer, the newest first.

    Raises:
        LayoutError: an edition is described in a way that cannot be read.
    """
    found = []
    for path, target in targets.targets.items():
        custom = parse_custom(target.custom, RulebookTarget)
        if isinstance(custom, RulebookTarget) and path == rulebook_name(custom.version):
            found.append(EditionOffer(custom.version, custom))
    return tuple(sorted(found, key=lambda each: each.version, reverse=True))


def edition_expected(target: RulebookTarget) -> Expected:
    """What the log entry of an edition must be about."""
    return Expected(rulebook_name(target.version), target.sha256, RulebookPredicate, target.version)
