"""Looks at the editions of the rulebook that are here again, off line, and says who vouches."""

from __future__ import annotations

import hashlib
from dataclasses import replace

from tocsin.errors import TocsinError
from tocsin.updates.layout import rulebook_name
from tocsin.updates.receive.errors import StateDamaged
from tocsin.updates.receive.files import read_bounded
from tocsin.updates.receive.recheck import (
    Rechecked,
    Told,
    damaged,
    linked,
    look_again,
    missing,
)
from tocsin.updates.receive.state import UpdateState
from tocsin.updates.receive.trust import Trust
from tocsin.updates.receive.verify import Expected, Finding
from tocsin.updates.rulebooks import MOST_BYTES, Read
from tocsin.updates.statement import RulebookPredicate

_KIND = "rulebook"


def recheck_rulebooks(
    state: UpdateState, trust: Trust, read: Read, told: Told = lambda _: None
) -> list[Rechecked]:
    """Look at every edition that is kept.

    Args:
        state: of the device.
        trust: what the user chose.
        read: reads an edition and tries it out.
        told: told what is being looked at.
    """
    held = state.rulebooks
    found = []
    try:
        current = held.installed().current
    except StateDamaged as error:
        current = 0
        found.append(damaged(_KIND, "in use", error))
    numbered = held.numbered()
    for version in numbered:
        told(f"{_KIND} {version}")
        link = (linked(held, version),) if version == current else ()
        try:
            one = _one(state, trust, read, version)
        except (TocsinError, OSError) as error:
            one = damaged(_KIND, str(version), error)
        found.append(replace(one, in_use=version == current, findings=(*one.findings, *link)))
    if current and current not in numbered:
        found.append(missing(_KIND, current))
    return found


def _one(state: UpdateState, trust: Trust, read: Read, version: int) -> Rechecked:
    held = state.rulebooks
    data = read_bounded(held.database(version), MOST_BYTES)
    sha256 = hashlib.sha256(data).hexdigest()
    expected = Expected(rulebook_name(version), sha256, RulebookPredicate, version)
    content, vouching = look_again(held, state, trust, trust.policy, expected, version)
    findings = (content, *vouching.findings, _readable(data, read, version))
    return Rechecked(_KIND, str(version), False, findings, vouching)


def _readable(data: bytes, read: Read, version: int) -> Finding:
    try:
        facts = read(data)
    except TocsinError as error:
        return Finding(_KIND, False, str(error))
    said = f"edition {facts.version}, checked {facts.checked}, {facts.counts.get('rules', 0)} rules"
    return Finding(_KIND, facts.version == version, said)
