"""The versions on this device: shown, looked at again, gone back to, pinned."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import msgspec

from tocsin.app.update_consent import agreed_said
from tocsin.app.update_editions import edition_status
from tocsin.app.update_health import failed_software, later_software
from tocsin.app.update_sources import sources_values
from tocsin.app.update_test import try_out
from tocsin.app.updates import Asked, device_trust, is_trust_stated, state_of
from tocsin.errors import UsageError
from tocsin.settings import Settings
from tocsin.transparency.errors import TransparencyError
from tocsin.transparency.note import SignedNote
from tocsin.transparency.tree_head import Checkpoint
from tocsin.updates.receive.errors import UpdateError
from tocsin.updates.receive.former import former_in_use
from tocsin.updates.receive.roots import agreed_ahead
from tocsin.updates.receive.state import Installed, UpdateState
from tocsin.updates.receive.withdrawals import known_withdrawn

_LEFT = 16
"""Versions that the user went back from, which are remembered."""


def status_values(settings: Settings, named: Path | None) -> dict[str, Any]:
    """How it stands with updates, as JSON has it.

    Raises:
        StateDamaged: what is remembered is damaged.
    """
    state = state_of(settings)
    installed, last = state.installed(), state.last_run()
    created = state.received(installed.current).created.timestamp() if installed.current else None
    age = None if created is None else max(0.0, time.time() - created) / 86400
    attention = []
    try:
        device_trust(settings, named)
    except UpdateError as error:
        attention.append(str(error))
    held = sources_values(settings)
    if held and not is_trust_stated(settings, Asked(named)):
        attention = []  # this device lives on what others publish
    elif former_in_use(state):
        attention.append(
            "what protects is the database of the publisher before; 'tocsin update' brings the "
            "first of the one that you chose"
        )
    elif not installed.current:
        attention.append("no database was installed by updates yet")
    if reason := state.seen().in_use:
        attention.append(
            f"version {installed.current}, which is in use, was pulled back: {reason}; 'tocsin "
            "update' takes another as soon as there is one"
        )
    if last is not None and last.outcome == "failed":
        attention.append(f"the last update failed: {last.text}")
    later = later_software(last.software if last is not None else "")
    if ahead := agreed_ahead(state):
        attention.append(agreed_said([each.version for each in ahead]))
    pending = sorted(state.pending())
    if pending:
        attention.append(f"root {pending[-1]} waits for you: 'tocsin update consent' shows it")
    if evidence := state.evidence():
        attention.append(f"a log signed two histories; the evidence is in {evidence[0].parent}")
    attention += [f"{each['name']}: {each['trouble']}" for each in held if each["trouble"]]
    rulebook = edition_status(settings, state, named)
    attention += rulebook["trouble"]
    return {
        "current": installed.current,
        "previous": list(installed.previous),
        "pinned": installed.pinned,
        "kept": state.kept_versions(),
        "created": created,
        "age_days": age,
        "log": _log_values(state),
        "last": None
        if last is None
        else {
            "at": last.at.timestamp(),
            "outcome": last.outcome,
            "text": last.text,
            "confirmed": last.confirmed.timestamp() if last.confirmed else None,
        },
        "software": later,
        "software_failed": failed_software(later),
        "pending_roots": pending,
        "refused": state.refused(),
        "sources": held,
        "rulebook": rulebook,
        "attention": attention,
    }


def _log_values(state: UpdateState) -> dict[str, Any] | None:
    held = state.last_checkpoint()
    if held is None:
        return None
    try:
        head = Checkpoint.parse(SignedNote.parse(held).text)
    except TransparencyError:
        return None
    return {"origin": head.origin, "size": head.size}


def roll_back(
    settings: Settings, version: int | None, *, pulled_back: bool = False
) -> tuple[int, int]:
    """Go back to a version that is kept, after trying it out.

    Args:
        settings: of the device.
        version: to go to; None for the latest before the one in use.
        pulled_back: even if the publisher pulled it back.

    Returns:
        The version that was in use, and the one that is.

    Raises:
        UsageError: it is not kept, or is known to be pulled back.
        TocsinError: it does not pass its test; the one in use stays.
    """
    state = state_of(settings)
    with state.locked():
        installed, kept = state.installed(), state.kept_versions()
        earlier = [each for each in installed.previous if each < installed.current]
        if version is None and not earlier:
            raise UsageError("no earlier version is kept; 'tocsin update status' shows which are")
        aim = version or earlier[0]
        if aim not in kept:
            raise UsageError(f"version {aim} is not kept; {', '.join(map(str, kept)) or 'none'} is")
        if aim == installed.current:
            raise UsageError(f"version {aim} is in use already")
        withdrawn = known_withdrawn(state)
        if aim in withdrawn and not pulled_back:
            raise UsageError(
                f"version {aim} was pulled back by the publisher: {withdrawn[aim]}; version "
                f"{installed.current} stays in use. 'tocsin update rollback {aim} --pulled-back' "
                "goes there all the same"
            )
        try_out(settings, state.database(aim))
        previous = tuple(each for each in (installed.current, *installed.previous) if each != aim)
        pinned = installed.pinned if installed.pinned == aim else 0
        highest = max(installed.highest, installed.current)
        # What the user went back from comes again only if the user says so.
        left = installed.left if aim > installed.current else (*installed.left, installed.current)
        left = tuple(dict.fromkeys(each for each in left if each != aim))
        state.keep_installed(Installed(aim, previous[:2], pinned, highest, left[-_LEFT:]))
        return installed.current, aim


def keep_pinned(settings: Settings, version: int | None, *, off: bool) -> int:
    """Pin a version, or let it go.

    Returns:
        The version that is pinned; 0 for none.

    Raises:
        UsageError: no version is in use that could be meant.
    """
    state = state_of(settings)
    with state.locked():
        installed = state.installed()
        pinned = 0 if off else version or installed.current
        if not off and not pinned:
            raise UsageError("no version is in use yet; name one: tocsin update pin 12")
        state.keep_installed(msgspec.structs.replace(installed, pinned=pinned))
        return pinned
