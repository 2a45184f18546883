"""Everything that updates brought to this device, looked at again without a network."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tocsin.app.installed import sources_folder
from tocsin.app.law_editions import try_edition
from tocsin.app.software_place import software_folder
from tocsin.app.updates import Asked, device_trust, is_trust_stated, state_of
from tocsin.settings import Settings
from tocsin.updates.receive.installations import Installations
from tocsin.updates.receive.recheck import Rechecked, recheck
from tocsin.updates.receive.recheck_metadata import recheck_log, recheck_metadata
from tocsin.updates.receive.recheck_rulebook import recheck_rulebooks
from tocsin.updates.receive.recheck_software import recheck_software
from tocsin.updates.sources.in_use import source_places
from tocsin.updates.sources.recheck import recheck_source

_INSTALLED = ("database", "release", "rulebook")


def verified_values(
    settings: Settings,
    named: Path | None,
    prefix: Path | None = None,
    told: Callable[[str], None] = lambda _: None,
) -> dict[str, Any]:
    """Everything that is installed, looked at again, as JSON has it.

    Args:
        settings: of the device.
        named: folder of root and policy, None for the usual one.
        prefix: folder of the releases, None for the usual one.
        told: told what is being looked at.

    Returns:
        `stands`: whether there is something, and all of it is as it must be; and what was looked
        at by kind: `versions`, `software`, `rulebooks`, `sources`, `metadata`,
        `log`.

    Raises:
        UpdateError: it cannot be looked at; nothing says whom to trust.
    """
    found: list[Rechecked] = []
    state, store = state_of(settings), Installations(software_folder(prefix))
    sources = _sources(settings, told)
    if is_trust_stated(settings, Asked(named)) or state.numbered() or not sources:
        trust, now = device_trust(settings, named), datetime.now(UTC)
        found += recheck(state, trust, rebuilders=settings.updates.rebuilders, told=told)
        found += recheck_software(store, state, trust, told)
        found += recheck_rulebooks(state, trust, try_edition, told)
        installed = list(found)
        found += recheck_metadata(state, trust, now)
        found += recheck_log(state, trust, installed, now)
    installed_at_all = bool(sources) or any(e.kind in _INSTALLED for e in found)
    return {
        "stands": installed_at_all
        and all(each.stands for each in found)
        and all(each["stands"] for each in sources),
        "versions": [{**_values(e), "version": _version(e)} for e in _of(found, "database")],
        "software": [_values(each) for each in _of(found, "release")],
        "rulebooks": [{**_values(e), "edition": _version(e)} for e in _of(found, "rulebook")],
        "sources": sources,
        "metadata": [_values(each) for each in _of(found, "metadata")],
        "log": [_values(each) for each in _of(found, "log")],
    }


def _sources(settings: Settings, told: Callable[[str], None]) -> list[dict[str, Any]]:
    values = []
    for place in source_places(sources_folder(settings)):
        told(f"source {place.name}")
        points = recheck_source(place)
        values.append(
            {
                "name": place.name,
                "in_use": True,
                "stands": all(point.stands for point in points),
                "points": [point._asdict() for point in points],
            }
        )
    return values


def _of(found: Iterable[Rechecked], kind: str) -> list[Rechecked]:
    return [each for each in found if each.kind == kind]


def _version(each: Rechecked) -> int:
    """A number of a database or of a rulebook; 0 for that of a publisher before."""
    return int(each.name) if each.name.isdigit() else 0


def _values(each: Rechecked) -> dict[str, Any]:
    verdict = each.vouching.verdict if each.vouching else None
    return {
        "name": each.name,
        "in_use": each.in_use,
        "stands": each.stands,
        "points": [
            {"point": p.point, "stands": p.stands, "detail": p.detail} for p in each.findings
        ],
        "signed_by": sorted(each.vouching.signed_by) if each.vouching else [],
        "witnesses": [
            {
                "name": standing.witness.name,
                "standing": standing.standing.value,
                "timestamp": standing.timestamp,
            }
            for standing in (verdict.witnesses if verdict else ())
        ],
    }
