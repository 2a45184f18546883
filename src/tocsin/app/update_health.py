"""How it stands with this device's updates, for `status` and `doctor`: read from disk.

Nothing is fetched, and no database is hashed: `tocsin update verify` does that. What vouches for
the version in use is looked at anew by the policy as it is now.
"""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING

from tocsin.app.installed import sources_folder, updates_folder
from tocsin.app.update_rounds import is_trusted, read_round
from tocsin.errors import TocsinError
from tocsin.protect.health.seen import Source, Updates
from tocsin.settings import Settings
from tocsin.version import VERSION

if TYPE_CHECKING:
    pass


def updates_seen(settings: Settings) -> Updates:
    """What there is to be seen by this user.

    Args:
        settings: of the device, with its places.
    """
    try:
        trusted = is_trusted(settings)
    except OSError as error:
        closed = f"whose updates are believed is not known: {error.filename}: {error.strerror}"
        return Updates(every=settings.updates.every, trouble=closed)
    folder = updates_folder(settings)
    known = read_round(settings)
    seen = Updates(
        trusted=trusted,
        every=settings.updates.every,
        next=known.next if known is not None and trusted else 0.0,
        failures=known.failures if known is not None else 0,
    )
    if not os.path.isdir(folder):
        return seen
    try:
        return _from_state(settings, seen)
    except (TocsinError, OSError) as error:
        return seen._replace(trouble=str(error))


def _from_state(settings: Settings, seen: Updates) -> Updates:
    from tocsin.app.updates import state_of
    from tocsin.updates.receive.former import former_in_use

    state = state_of(settings)
    installed, last = state.installed(), state.last_run()
    if last is not None:
        seen = seen._replace(
            checked=last.at.timestamp(),
            confirmed=last.confirmed.timestamp() if last.confirmed else 0.0,
            outcome=last.outcome,
            text=last.text,
            software=(later := later_software(last.software)),
            software_failed=failed_software(later),
        )
    pending = sorted(state.pending())
    seen = seen._replace(
        version=installed.current,
        pinned=installed.pinned,
        waiting=pending[-1] if pending else 0,
        split=bool(state.evidence()),
        former=former_in_use(state),
    )
    if not installed.current:
        return seen
    received = state.received(installed.current)
    seen = seen._replace(created=received.created.timestamp(), signatures=len(received.keyids))
    with suppress(TocsinError, OSError):  # who is trusted may be for others to read
        seen = _with_witnesses(settings, seen)
    return seen


def later_software(version: str) -> str:
    """A release that an update saw, if it is later and could be installed; else empty.

    Args:
        version: of it; empty for none.
    """
    from packaging.version import Version

    from tocsin.app.software_place import software_folder
    from tocsin.updates.receive.installations import Installations

    if not version:
        return ""
    try:
        seen = Version(version)
        if seen <= Version(VERSION):
            return ""
    except ValueError:
        return ""
    with suppress(TocsinError, OSError):
        highest = Installations(software_folder()).highest()
        if highest is not None and seen <= highest:
            return ""  # somebody went back from it, or this is not the program in use
    return version


def failed_software(version: str) -> str:
    """Why a release did not pass its test here; empty if it did, or was not tried yet.

    Args:
        version: of it; empty for none.
    """
    from tocsin.app.software_place import software_folder
    from tocsin.updates.receive.installations import Installations

    with suppress(TocsinError, OSError):
        return Installations(software_folder()).failed(version) if version else ""
    return ""


def software_words(version: str, failed: str) -> str:
    """What is said of a later release, and what to do.

    Args:
        version: of it.
        failed: why it did not pass its test here; empty for none.
    """
    if not failed:
        return f"version {version} of tocsin is there: tocsin update software"
    return (
        f"version {version} of tocsin is there and did not pass its test here: {failed}. "
        "'tocsin update software --again' tries it once more"
    )


def sources_seen(settings: Settings) -> tuple[tuple[Source, ...], str]:
    """How it stands with sources that others publish, and why that cannot be told, or empty."""
    folder = sources_folder(settings)
    try:
        os.scandir(folder).close()
    except PermissionError:
        return (), f"{folder} is not for this user to read"
    except OSError:
        if not settings.updates.sources:
            return (), ""
    from tocsin.app.update_sources import sources_values

    try:
        values = sources_values(settings)
    except (TocsinError, OSError) as error:
        return (), str(error)
    return tuple(
        Source(
            name=each["name"],
            signatures=each["signatures"],
            confirmed=each["confirmed"] or 0.0,
            tried=each["tried"] or 0.0,
            trouble=each["trouble"].removeprefix(f"{each['name']}: "),
            whole=not each["missing"],
        )
        for each in values
    ), ""


def _with_witnesses(settings: Settings, seen: Updates) -> Updates:
    """With the witnesses that count by the policy as it is now."""
    from tocsin.app.updates import device_trust, state_of
    from tocsin.transparency.proof import TlogProof
    from tocsin.transparency.verdict import Standing, check
    from tocsin.updates.receive.roots import agreed_logs

    state, trust = state_of(settings), device_trust(settings)
    _, proof = state.evidence_of(seen.version)
    verdict = check(trust.policy, TlogProof.parse(proof).checkpoint, log_keys=agreed_logs(state))
    names = [each.witness.name for each in verdict.witnesses if each.standing is Standing.COUNTS]
    return seen._replace(witnesses=tuple(names), quorum_met=verdict.met, log=verdict.head.origin)
