"""Makes mirrors and bundles, and updates from a bundle."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

from tocsin.app.updates import Asked, device_trust, fetcher_of, update_device
from tocsin.errors import UsageError
from tocsin.settings import Settings
from tocsin.updates.receive.bundle import write_bundle
from tocsin.updates.receive.copies import Copied, copy_repository
from tocsin.updates.receive.download import Progress
from tocsin.updates.receive.rulebook import EditionOutcome
from tocsin.updates.receive.updater import Outcome


def make_mirror(settings: Settings, asked: Asked, folder: Path, progress: Progress) -> Copied:
    """Make a folder a complete mirror, or bring it up to date.

    Raises:
        TocsinError: what is wrong; what was there stays.
    """
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder}: not a folder")
    with fetcher_of(settings, asked) as mirrors:
        return copy_repository(
            mirrors, folder, device_trust(settings, asked.trust), at=asked.at, progress=progress
        )


def export_bundle(
    settings: Settings, asked: Asked, place: Path, version: int | None, progress: Progress
) -> tuple[Copied, int]:
    """Write a bundle with one database.

    Returns:
        What is in it, and its size in bytes.

    Raises:
        TocsinError: what is wrong; there is no bundle then.
    """
    trust = device_trust(settings, asked.trust)
    place = Path(place).absolute()
    with (
        tempfile.TemporaryDirectory(prefix=".tocsin-bundle-", dir=place.parent) as gathered,
        fetcher_of(settings, asked) as mirrors,
    ):
        folder = Path(gathered)
        copied = copy_repository(
            mirrors, folder, trust, only=version, complete=False, at=asked.at, progress=progress
        )
        names = dict.fromkeys(copied.files)
        return copied, write_bundle(place, ((name, folder / name) for name in names))


def import_bundle(
    settings: Settings,
    asked: Asked,
    progress: Progress,
    say: Callable[[str], None],
    told: Callable[[EditionOutcome], None] = lambda _: None,
) -> Outcome:
    """Update this device from a bundle, with the same checks as from the network.

    Args:
        settings: of the device.
        asked: names the bundle.
        progress: told how far it is.
        say: told in a few words what takes a while.
        told: told what came of the rulebook in it.

    Raises:
        TocsinError: why the device was left as it was.
    """
    assert asked.bundle is not None
    return update_device(settings, asked, progress, say, told=told)
