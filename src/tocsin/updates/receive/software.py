"""One update of the software from the first request to the switch: orders what is read and written.

    metadata (TUF, through the consent gate)
    the releases that are due (`releases`), the best that fits this machine
    its log entry and proof, the log's newest checkpoint, and that the log only grew
    its wheels, each of which has the signed digest; what they need is among them (`wheels`)
    built into an environment of its own beside the one in use (`environment`); nothing fetched
    tried out by the caller, and put in use by replacing one link (`installations`)

Whatever is wrong on the way is said, and what was in use before stays in use.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from packaging.version import Version

from tocsin.errors import TocsinError
from tocsin.updates.errors import LayoutError, WheelError
from tocsin.updates.layout import ReleaseTarget, wheel_target
from tocsin.updates.receive.download import Progress, download_target
from tocsin.updates.receive.environment import Wheel, build_environment, facts_of
from tocsin.updates.receive.errors import (
    ActivationFailed,
    ContentRefused,
    MetadataRefused,
    NothingFits,
)
from tocsin.updates.receive.installations import Installations, Release
from tocsin.updates.receive.later import choose_later
from tocsin.updates.receive.mirrors import MirrorFetcher
from tocsin.updates.receive.outcome import Step
from tocsin.updates.receive.releases import (
    SOFTWARE,
    Picked,
    ReleaseChoice,
    demand_manifest,
    pick_wheels,
    release_expected,
    releases_of,
)
from tocsin.updates.receive.releases import (
    Release as Offer,
)
from tocsin.updates.receive.roots import Waiting
from tocsin.updates.receive.run import Run
from tocsin.updates.receive.state import UpdateState
from tocsin.updates.receive.trust import Trust
from tocsin.updates.receive.tuf_client import TufClient
from tocsin.updates.receive.verify import Vouching
from tocsin.updates.statement import ReleasePredicate
from tocsin.updates.wheels import Machine, demand_whole

TryOut = Callable[[Path, str], None]
"""Tries an environment of a version out on this device; raises `TocsinError` if it does not do."""


@dataclass(frozen=True)
class SoftwareWishes:
    """What the user wants of an update of the software.

    Attributes:
        due_at: when a release is for this device, by channel and ring; None for never.
        running: version of the software that runs this.
        machine: what wheels are chosen for.
        max_checkpoint_age: seconds that the witnesses' word on the log may be old; 0 for any.
        at: time that everything is judged by; None for now.
        again: try a release again that did not pass its test here.
        check_only: say what is there, and install nothing.
    """

    due_at: Callable[[ReleaseTarget, bytes], datetime | None]
    running: str
    machine: Machine
    max_checkpoint_age: int = 0
    at: datetime | None = None
    again: bool = False
    check_only: bool = False


@dataclass
class SoftwareOutcome:
    """What an update of the software came to.

    Attributes:
        why: in words.
        before: folder name of the release that was in use; empty for none.
        now: of the one that is.
        available: version that could be installed; empty for none.
        waiting: a later version that is not due here yet; empty for none.
        vouching: who vouches for a release that was looked at.
        wheels: how many were installed.
        steps: parts, in order.
        failures: mirrors that were left aside, and why.
        waiting_roots: roots that wait for consent.
        passed_over: releases that do not fit this machine, and why.
    """

    why: str
    before: str
    now: str
    available: str = ""
    waiting: str = ""
    vouching: Vouching | None = None
    wheels: int = 0
    steps: list[Step] = field(default_factory=list)
    failures: dict[str, str] = field(default_factory=dict)
    waiting_roots: list[Waiting] = field(default_factory=list)
    passed_over: dict[str, str] = field(default_factory=dict)

    @property
    def changed(self) -> bool:
        """Whether another release is in use now."""
        return self.before != self.now


class SoftwareUpdate(Run):
    """One run.

    Args:
        state: of the device; the run locks it.
        trust: what the user chose.
        mirrors: where everything comes from.
        installations: where releases are.
        wishes: what the user wants.
        try_out: tries a release out.
        progress: told how far it is.
    """

    def __init__(
        self,
        state: UpdateState,
        trust: Trust,
        mirrors: MirrorFetcher,
        installations: Installations,
        wishes: SoftwareWishes,
        try_out: TryOut,
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
        self._installations = installations
        self._wishes = wishes
        self._try_out = try_out

    def run(self) -> SoftwareOutcome:
        """Bring the software up to date, or leave it as it was.

        Raises:
            UpdateError: why it was left as it was.
        """
        with self._state.locked():
            if self._wishes.check_only:
                return self._with_any_mirror(self._attempt)
            with self._installations.locked():
                return self._with_any_mirror(self._attempt)

    def _stays(self) -> str:
        return f"{SOFTWARE} {self._in_use()} stays in use"

    def _in_use(self) -> str:
        current = self._installations.current()
        return current.rpartition("-")[0] or self._wishes.running

    def _attempt(self) -> SoftwareOutcome:
        with self._step("metadata"):
            client = self._refreshed()
        choice = self._choose(client)
        current = self._installations.current()
        outcome = SoftwareOutcome(choice.why, current, current, waiting=choice.waiting)
        outcome.waiting_roots = list(self._keeper.held)
        outcome.steps, outcome.failures = self._steps, self._mirrors.failures
        if not choice.candidates:
            return outcome
        offered, picked = self._first_that_fits(client, choice, outcome)
        outcome.available = str(offered.version)
        if self._wishes.check_only:
            outcome.why = f"version {offered.version} can be installed"
            if str(offered.version) == str(Version(self._wishes.running)):
                outcome.why += f" in {self._installations.folder}, where there is no release yet"
            return outcome
        self._carry_out(client, offered, picked, outcome)
        return outcome

    def _choose(self, client: TufClient) -> ReleaseChoice:
        try:
            offers = releases_of(client.targets)
        except LayoutError as error:
            raise MetadataRefused(f"the signed metadata cannot be read: {error}") from error
        highest = self._installations.highest()
        device = self._state.device_id()
        return choose_later(
            offers,
            highest or Version(self._wishes.running),
            () if self._wishes.again else self._installations.record().refused,
            lambda target: self._wishes.due_at(target, device),
            self._moment,
            in_use=Version(self._in_use()),
            with_floor=highest is None,
        )

    def _first_that_fits(
        self, client: TufClient, choice: ReleaseChoice, outcome: SoftwareOutcome
    ) -> tuple[Offer, list[Picked]]:
        """The best release of which this machine has wheels, with its log entry looked at.

        Raises:
            NothingFits: none has.
        """
        for offered in choice.candidates:
            with self._step("proof"):
                entry, proof, vouching, root_version = self._prove(
                    client, release_expected(offered.target)
                )
            assert vouching.statement is not None
            predicate = vouching.statement.predicate
            assert isinstance(predicate, ReleasePredicate)
            demand_manifest(predicate, offered.target.sha256)
            try:
                picked = pick_wheels(predicate, self._wishes.machine)
            except WheelError as error:
                outcome.passed_over[str(offered.version)] = str(error)
                continue
            with self._step("log"):
                self._news.demand_grown(vouching)
            outcome.vouching = vouching
            self._evidence = entry, proof, root_version
            return offered, list(picked.values())
        reasons = "; ".join(outcome.passed_over.values())
        raise NothingFits(f"{reasons}. {self._stays()}")

    def _carry_out(
        self,
        client: TufClient,
        offered: Offer,
        picked: Sequence[Picked],
        outcome: SoftwareOutcome,
    ) -> None:
        entry, proof, root_version = self._evidence
        assert outcome.vouching is not None
        version = offered.target.version
        with self._step("wheels"):
            wheels = self._needed(self._fetched(client, version, picked))
        release = Release(
            str(offered.version),
            offered.target.sha256,
            datetime.now(UTC),
            self._mirrors.last,
            self._wishes.machine.markers["python_full_version"],
            {wheel.name.file: wheel.entry.sha256 for wheel in wheels},
            root_version,
            tuple(sorted(outcome.vouching.signed_by)),
        )
        store, half = self._installations, self._installations.half()
        try:
            with self._step("environment"):
                build_environment(half, store.place(release.name), wheels, self._progress)
            with self._step("test"):
                self._test(half, release)
            with self._step("store"):
                self._progress("writing to the disk", 0, 0)
                name = store.put(half, release, entry, proof)
        except BaseException:
            shutil.rmtree(half, ignore_errors=True)
            raise
        with self._step("switch"):
            store.switch(name)
        outcome.now, outcome.wheels = name, len(wheels)
        outcome.why = f"version {release.version} is in use"
        for wheel in wheels:
            store.keep_wheel(wheel.place, wheel.entry.sha256)

    def _fetched(self, client: TufClient, version: str, picked: Sequence[Picked]) -> list[Wheel]:
        """The wheels on this device, each with the signed digest.

        Raises:
            ContentRefused: metadata and log entry mean different files.
        """
        found = []
        for each in sorted(picked, key=lambda one: one.name.file):
            target = client.targets.targets.get(wheel_target(version, each.entry.name))
            if target is None:
                raise ContentRefused(
                    f"{each.entry.name}: the log entry of release {version} names it, and the "
                    "metadata does not offer it"
                )
            signed = target.hashes.get("sha256"), target.length
            if signed != (each.entry.sha256, each.entry.size):
                raise ContentRefused(
                    f"{each.entry.name}: metadata and log entry of release {version} mean "
                    "different files"
                )
            place = self._state.partial(each.entry.sha256)
            held = self._installations.wheels / each.entry.sha256
            if held.is_file() and not place.exists():  # as in the release before; checked below
                with suppress(OSError):
                    shutil.copyfile(held, place)
            download_target(self._mirrors, target, place, self._progress)
            found.append(Wheel(each.name, each.entry, place))
        return found

    def _needed(self, wheels: Sequence[Wheel]) -> list[Wheel]:
        """Those that are needed here; all that is needed must be among them.

        Raises:
            WheelError: it is not.
        """
        facts = {wheel.name.project: facts_of(wheel) for wheel in wheels}
        whole = demand_whole(facts, SOFTWARE, self._wishes.machine)
        needed = {each.name.project for each in whole}
        return [wheel for wheel in wheels if wheel.name.project in needed]

    def _test(self, half: Path, release: Release) -> None:
        self._progress("testing on this device", 0, 0)
        try:
            self._try_out(half, release.version)
        except TocsinError as error:
            self._installations.refuse(release, str(error))
            raise ActivationFailed(
                f"{SOFTWARE} {release.version} is what the publisher signed, and it did not pass "
                f"its test on this device: {error}. {self._stays()}; 'tocsin update software "
                "--again' tries it once more"
            ) from error
