"""Joins receiving with this device: its settings, its places, and a test of what came."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from tuf.api.exceptions import DownloadError

from tocsin.app.installed import updates_folder
from tocsin.app.places import config_dir
from tocsin.app.update_test import try_out
from tocsin.errors import TocsinError, UsageError
from tocsin.settings import Settings
from tocsin.updates.layout import DatabaseTarget, Offered
from tocsin.updates.receive.bundle import URL as BUNDLE_URL
from tocsin.updates.receive.bundle import BundleFetcher
from tocsin.updates.receive.download import Progress
from tocsin.updates.receive.fetch import Fetcher, FolderFetcher, SchemeFetcher
from tocsin.updates.receive.former import is_another
from tocsin.updates.receive.http import HttpFetcher
from tocsin.updates.receive.mirrors import MirrorFetcher, mirror_folders
from tocsin.updates.receive.rulebook import EditionOutcome, EditionWishes, RulebookUpdate
from tocsin.updates.receive.state import UpdateState
from tocsin.updates.receive.trust import REBUILDERS, Trust, read_trust
from tocsin.updates.receive.updater import Activate, Outcome, Update, Wishes
from tocsin.updates.rings import due_at, is_due
from tocsin.updates.throttle import Throttle
from tocsin.version import VERSION

MIRRORS = "mirrors"
"""File in the trust folder with the mirrors that `tocsin update trust` was given, one a line."""


class Asked(NamedTuple):
    """What the user asks of one command, where it differs from the settings.

    Attributes:
        trust: folder with root and policy.
        mirrors: instead of the settings'.
        bundle: a file that everything comes from.
        channel: instead of the settings'.
        at: time that everything is judged by.
        again: try versions again that did not pass their test.
    """

    trust: Path | None = None
    mirrors: Sequence[str] = ()
    bundle: Path | None = None
    channel: str = ""
    at: datetime | None = None
    again: bool = False


def trust_folder(settings: Settings, named: Path | None = None) -> Path:
    """Where whom to trust is written."""
    return named or Path(settings.updates.trust or config_dir() / "trust")


def device_trust(settings: Settings, named: Path | None = None) -> Trust:
    """Whom the user trusts.

    Raises:
        NoTrust: nothing says so.
    """
    policy = settings.updates.policy
    return read_trust(trust_folder(settings, named), Path(policy) if policy else None)


def is_trust_stated(settings: Settings, asked: Asked) -> bool:
    """Whether anybody said whom to trust, be it that it cannot be read."""
    return asked.trust is not None or os.path.lexists(trust_folder(settings) / "root.json")


def device_mirrors(settings: Settings, asked: Asked) -> list[str]:
    """Where the repository is: as asked, as in the settings, else as chosen with the trust."""
    if asked.mirrors or settings.updates.mirrors:
        return list(asked.mirrors or settings.updates.mirrors)
    try:
        text = (trust_folder(settings, asked.trust) / MIRRORS).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return []
    return [line.strip() for line in text.splitlines() if line.strip()]


def state_of(settings: Settings) -> UpdateState:
    """What this device remembers of its updates.

    Raises:
        StateDamaged: the folder cannot be used.
    """
    return UpdateState(updates_folder(settings))


@contextmanager
def fetcher_of(settings: Settings, asked: Asked) -> Iterator[MirrorFetcher]:
    """Fetches from where the user wants it.

    Raises:
        UsageError: nothing says where the repository is.
        BundleDamaged: the bundle is none.
    """
    if asked.bundle is not None:
        bundle = BundleFetcher(asked.bundle)
        try:
            yield MirrorFetcher([BUNDLE_URL], SchemeFetcher({"bundle": bundle}))
        finally:
            bundle.close()
        return
    mirrors = device_mirrors(settings, asked)
    if not mirrors:
        raise UsageError(
            "nothing says where updates come from; name a mirror: 'tocsin update trust --mirror "
            "URL', or [updates] mirrors in the settings"
        )
    yield MirrorFetcher(mirrors, network(settings, mirrors))


def network(settings: Settings, mirrors: Iterable[str]) -> Fetcher:
    """Fetches from the network and from those of the mirrors that are folders.

    Raises:
        UsageError: a mirror names no folder of this machine.
    """
    try:
        folders = mirror_folders(mirrors)
    except DownloadError as error:
        raise UsageError(str(error)) from error
    updates = settings.updates
    proxies = {"http": updates.proxy, "https": updates.proxy} if updates.proxy else None
    http = HttpFetcher(proxies=proxies, throttle=Throttle(updates.bandwidth))
    return SchemeFetcher({"http": http, "https": http, "file": FolderFetcher(folders)})


def demand_its_publisher(state: UpdateState, trust: Trust) -> None:
    """Insist that a root is of the publisher whose metadata this device has.

    With another one's, what the first said last would be forgotten, and could be said anew.

    Raises:
        UsageError: it is another's.
    """
    if is_another(state, trust.root):
        raise UsageError(
            "the root that is to be trusted is another publisher's than this device has: 'tocsin "
            "update trust --root FILE --policy FILE' begins with it, or name a folder of its own "
            "in TOCSIN_STATE_DIR"
        )


def update_device(
    settings: Settings,
    asked: Asked,
    progress: Progress = lambda *_: None,
    say: Callable[[str], None] = lambda _: None,
    trial: Activate | None = None,
    told: Callable[[EditionOutcome], None] = lambda _: None,
) -> Outcome:
    """Bring this device up to date, or leave it as it was.

    The rulebook is looked after as well, whatever came of the database, and it keeps nothing else
    from being updated.

    Args:
        settings: of the device.
        asked: what differs from them.
        progress: told how far it is.
        say: told in a few words what takes a while.
        trial: tries a database out; None to do so here.
        told: told what came of the rulebook, if the publisher's metadata could be had.

    Raises:
        TocsinError: why it was left as it was.
    """
    trust = device_trust(settings, asked.trust)
    state = state_of(settings)
    demand_its_publisher(state, trust)
    wishes = Wishes(
        _due,
        asked.channel or settings.updates.channel,
        int(settings.updates.max_checkpoint_age),
        asked.at,
        asked.again,
        settings.updates.rebuilders,
        _due_at,
        VERSION,
    )
    if settings.updates.rebuilders > len(trust.rebuilders):
        raise UsageError(
            f"[updates] rebuilders asks for {settings.updates.rebuilders}, and "
            f"{trust_folder(settings, asked.trust) / REBUILDERS} names {len(trust.rebuilders)}; "
            "write the verifier keys of those you trust into it, one a line"
        )

    def activate(database: Path) -> None:
        try_out(settings, database, say)

    with fetcher_of(settings, asked) as mirrors:
        update = Update(state, trust, mirrors, wishes, trial or activate, progress)
        try:
            outcome = update.run()
        except (TocsinError, OSError):
            _take_edition(settings, asked, update, state, trust, progress, told)
            raise
    _take_edition(settings, asked, update, state, trust, progress, told)
    return outcome


def _take_edition(
    settings: Settings,
    asked: Asked,
    update: Update,
    state: UpdateState,
    trust: Trust,
    progress: Progress,
    told: Callable[[EditionOutcome], None],
) -> None:
    """Take a later edition of the rulebook, if the metadata that the database's run saw has one."""
    from tocsin.app.law_editions import packaged_facts, packaged_number, try_edition

    if update.client is None:
        return
    channel = asked.channel or settings.updates.channel
    wishes = EditionWishes(
        lambda target, device: _due_at(target, channel, device),
        packaged_number(),
        int(settings.updates.max_checkpoint_age),
        asked.at,
        asked.again,
        packaged_facts,
    )
    # Anew: which mirrors the database's run left aside says nothing of the rulebook.
    with fetcher_of(settings, asked) as mirrors:
        run = RulebookUpdate(state, trust, mirrors, wishes, try_edition, progress)
        told(run.run(update.client.targets))


def _due(target: DatabaseTarget, channel: str, device: bytes, now: datetime) -> bool:
    return is_due(
        target.channels,
        target.rings,
        version=target.version,
        device=device,
        channel=channel,
        now=now,
    )


def _due_at(target: Offered, channel: str, device: bytes) -> datetime | None:
    return due_at(
        target.channels, target.rings, version=target.version, device=device, channel=channel
    )


def stated_moment(text: str | None) -> datetime | None:
    """The time that `--at` states; local unless it names a zone.

    Raises:
        UsageError: it is none.
    """
    if text is None:
        return None
    try:
        return datetime.fromisoformat(text.strip()).astimezone(UTC)
    except (ValueError, OverflowError):
        raise UsageError(f"{text!r} is no time; write 2026-12-31 or 2026-12-31T08:00Z") from None
