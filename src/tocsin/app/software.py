"""Joins updates of the software with this device: its settings, its places, its daemon."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from packaging.version import Version

from tocsin.app.install import demand_only_root_writes
from tocsin.app.settings import settings_file
from tocsin.app.software_daemon import Restarted, restart_daemon
from tocsin.app.software_place import software_folder
from tocsin.app.software_test import try_out_software
from tocsin.app.updates import Asked, device_trust, fetcher_of, state_of
from tocsin.errors import UsageError
from tocsin.settings import Settings
from tocsin.updates.layout import ReleaseTarget
from tocsin.updates.receive.download import Progress
from tocsin.updates.receive.errors import ActivationFailed
from tocsin.updates.receive.installations import Installations
from tocsin.updates.receive.software import SoftwareOutcome, SoftwareUpdate, SoftwareWishes
from tocsin.updates.rings import due_at
from tocsin.updates.wheels import this_machine
from tocsin.version import VERSION


class Done(NamedTuple):
    """What an update of the software came to here.

    Attributes:
        outcome: of the update.
        folder: where releases are.
        daemon: what became of the daemon; None where nothing changed.
        running: releases that stay only because a process runs them.
    """

    outcome: SoftwareOutcome
    folder: Path
    daemon: Restarted | None
    running: tuple[str, ...] = ()


def update_software(
    settings: Settings,
    asked: Asked,
    prefix: Path | None,
    *,
    check_only: bool = False,
    config: Path | None = None,
    progress: Progress = lambda *_: None,
    say: Callable[[str], None] = lambda _: None,
) -> Done:
    """Bring the software up to date, or leave it as it was.

    Args:
        settings: of the device.
        asked: what differs from them.
        prefix: folder of the releases, None for the usual one.
        check_only: say what is there, and install nothing.
        config: the settings file that was named, None for the usual one.
        progress: told how far it is.
        say: told in a few words what takes a while.

    Raises:
        TocsinError: why it was left as it was.
    """
    folder = software_folder(prefix)
    if os.geteuid() == 0 and not check_only:
        demand_only_root_writes(folder)
    trust = device_trust(settings, asked.trust)
    channel = asked.channel or settings.updates.channel

    def when(target: ReleaseTarget, device: bytes) -> datetime | None:
        return due_at(
            target.channels, target.rings, version=target.version, device=device, channel=channel
        )

    def try_out(environment: Path, version: str) -> None:
        try_out_software(environment, version, _existing(config), say)

    wishes = SoftwareWishes(
        when,
        VERSION,
        this_machine(),
        int(settings.updates.max_checkpoint_age),
        asked.at,
        asked.again,
        check_only,
    )
    store = Installations(folder)
    with fetcher_of(settings, asked) as mirrors:
        update = SoftwareUpdate(
            state_of(settings), trust, mirrors, store, wishes, try_out, progress
        )
        outcome = update.run()
    if not outcome.changed:
        return Done(outcome, folder, None)
    say("restarting the daemon")
    daemon = restart_daemon(folder, settings)
    if daemon.failed:
        _go_back(store, outcome, settings, daemon)
    with store.locked():
        running = store.prune()
    return Done(outcome, folder, daemon, tuple(running))


def _go_back(
    store: Installations, outcome: SoftwareOutcome, settings: Settings, daemon: Restarted
) -> None:
    """Use the release before again, since the daemon does not come up with the new one.

    Raises:
        ActivationFailed: always; what was in use is in use again.
    """
    with store.locked():
        release = store.release(outcome.now)
        store.refuse(release, f"the daemon did not come up: {daemon.text}")
        if outcome.before:
            store.switch(outcome.before)
        else:
            store.leave(outcome.now)
    again = restart_daemon(store.folder, settings) if outcome.before else None
    stands = "" if again is None else f"; {again.text}"
    raise ActivationFailed(
        f"the daemon did not come up with tocsin {release.version}: {daemon.text}. "
        f"{outcome.before or 'what was there before'} is in use again{stands}"
    )


def software_values(prefix: Path | None) -> dict[str, Any]:
    """Which releases are here, as JSON has it.

    Raises:
        StateDamaged: what is remembered is damaged.
    """
    store = Installations(software_folder(prefix))
    current, record = store.current(), store.record()
    previous = store.previous()
    releases = []
    for name in store.kept():
        release = store.release(name)
        releases.append(
            {
                "name": name,
                "version": release.version,
                "sha256": release.sha256,
                "in_use": name == current,
                "received": release.received.timestamp(),
                "source": release.source,
                "python": release.python,
                "wheels": len(release.wheels),
            }
        )
    return {
        "running": VERSION,
        "folder": str(store.folder),
        "current": current,
        "previous": previous,
        "releases": releases,
        "refused": record.refused,
    }


def roll_back_software(
    settings: Settings,
    prefix: Path | None,
    wanted: str | None,
    *,
    config: Path | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> tuple[str, str, Restarted]:
    """Go back to a release that is kept, after trying it out.

    Args:
        settings: of the device.
        prefix: folder of the releases, None for the usual one.
        wanted: its version or folder name; None for the latest before the one in use.
        config: the settings file that was named.
        say: told what takes a while.

    Returns:
        The folder name of what was in use, of what is, and what became of the daemon.

    Raises:
        UsageError: there is none.
        SelfTestFailed: it does not pass its test; what is in use stays.
    """
    store = Installations(software_folder(prefix))
    if not store.kept():
        raise UsageError(f"there is no release in {store.folder}; 'tocsin update software' first")
    with store.locked():
        current = store.current()
        aim = _aim(store, current, wanted)
        try_out_software(store.place(aim), store.release(aim).version, _existing(config), say)
        store.switch(aim)
    return current, aim, restart_daemon(store.folder, settings)


def _aim(store: Installations, current: str, wanted: str | None) -> str:
    kept = store.kept()
    if wanted is None:
        earlier = [each for each in store.previous() if _version(each) < _version(current)]
        if not earlier:
            raise UsageError("no earlier release is kept; 'tocsin update software status' lists")
        return earlier[0]
    found = [each for each in kept if wanted in (each, each.rpartition("-")[0])]
    if len(found) != 1:
        raise UsageError(f"{wanted!r} is none of the releases that are kept: {', '.join(kept)}")
    if found[0] == current:
        raise UsageError(f"{wanted} is in use already")
    return found[0]


def _version(name: str) -> Version:
    return Version(name.rpartition("-")[0])


def _existing(config: Path | None) -> Path | None:
    """The settings file of this device, if there is one."""
    with suppress(OSError):
        place, _ = settings_file(config)
        if place.is_file():
            return place
    return None
