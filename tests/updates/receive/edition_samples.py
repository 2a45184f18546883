"""Editions of the rulebook in a repository of `receive_samples`, and devices that take them."""

from __future__ import annotations

import hashlib
from datetime import date, datetime
from pathlib import Path
from typing import Any

from receive_samples import NOW, Device, Repository
from securesystemslib.signer import CryptoSigner
from tuf.api.metadata import Targets

from tocsin.app.law_editions import packaged_facts, try_edition
from tocsin.updates.layout import RulebookTarget, rulebook_name, write_field
from tocsin.updates.receive.fetch import SchemeFetcher
from tocsin.updates.receive.mirrors import MirrorFetcher
from tocsin.updates.receive.rulebook import EditionOutcome, EditionWishes, RulebookUpdate
from tocsin.updates.statement import RulebookPredicate

CHECKED = date(2026, 11, 29)


def add_edition(
    repository: Repository,
    version: int,
    data: bytes,
    *,
    logged: bool = True,
    offered: bool = True,
    witnesses: slice = slice(0, 3),
    signer: CryptoSigner | None = None,
    checked: date = CHECKED,
    **custom: Any,
) -> None:
    """Publish an edition, as a publisher would; `publish_metadata` shows it.

    Args:
        repository: the publisher's.
        version: the edition's number, whatever the bytes say.
        data: of the edition.
        logged: whether there is a log entry.
        offered: whether it is a target.
        witnesses: that cosign it.
        signer: of the log entry, the targets role by itself.
        checked: the day that the log entry says.
        custom: what the target's description has otherwise.
    """
    name, sha256 = rulebook_name(version), hashlib.sha256(data).hexdigest()
    if offered:
        fields = {"sha256": sha256, "channels": {"stable": NOW, "fast": NOW}, **custom}
        repository.put_target(name, data, write_field(RulebookTarget(version, **fields)))
    if logged:
        predicate = RulebookPredicate(
            version, NOW, checked, None, len(data), 1, 0, 0, {"rules": 1}, {}
        )
        repository.vouch(name, data, predicate, witnesses=witnesses, signer=signer)


def take(
    device: Device,
    *,
    at: datetime | None = None,
    again: bool = False,
    packaged: int = 1,
    seen: Targets | None = None,
) -> EditionOutcome:
    """Look for a later edition, as `tocsin update` does after the database."""
    fetcher = MirrorFetcher(device.mirrors, SchemeFetcher(device.schemes))
    wishes = EditionWishes(
        lambda target, _: target.channels.get(device.channel),
        packaged,
        device.max_age,
        at,
        again,
        packaged_facts,
    )
    run = RulebookUpdate(device.state, device.trust, fetcher, wishes, try_edition)
    return run.run(seen)


def held(device: Device) -> dict[str, bytes]:
    """Everything that decides which edition is in use."""
    folder = device.folder / "rulebook"
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name not in ("last.json", "refused.json")
    }


def edition_of(device: Device) -> int:
    """Number of the edition in use."""
    return device.state.rulebooks.installed().current


def file_of(device: Device, version: int) -> Path:
    """Where an edition is."""
    return device.state.rulebooks.database(version)
