"""Whether a record is about a version (OSV schema, "Evaluation"): pure."""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum
from typing import Any

from tocsin.audit.osv.record import Affected, Event, Range
from tocsin.audit.osv.versions import interface
from tocsin.audit.osv.versions.semantic import key as semantic_key

_FIRST = "0"
"""What is introduced with this was there from the beginning."""


class Answer(Enum):
    """Whether it is."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


def is_affected(stated: Affected, ecosystem: str, version: str) -> Answer:
    """Decide.

    Args:
        stated: the package with its versions.
        ecosystem: without its release.
        version: of the component; empty where nobody told it.

    Returns:
        `UNKNOWN` where a range cannot be evaluated: the version is none by the ecosystem's rule, or
        the rule is not known, or the version is not told and not all are affected.
    """
    if version and stated.versions and _is_listed(stated.versions, ecosystem, version):
        return Answer.YES
    ranges = stated.ranges or []
    if not ranges and not stated.versions:
        return Answer.YES  # a record about a package as such
    answers = {_in_range(each, ecosystem, version) for each in ranges}
    if Answer.YES in answers:
        return Answer.YES
    if Answer.UNKNOWN in answers or (not version and stated.versions):
        return Answer.UNKNOWN
    return Answer.NO


def _is_listed(versions: list[str], ecosystem: str, version: str) -> bool:
    """Whether a version is one of those, as its ecosystem compares them: `1.0` is `1.0.0`."""
    if version in versions:
        return True
    rule = interface.rule(ecosystem)
    if rule is None:
        return False
    try:
        wanted = interface.key(rule, version)
    except (ValueError, TypeError):
        return False
    for each in versions:
        try:
            if interface.key(rule, each) == wanted:
                return True
        except (ValueError, TypeError):
            continue
    return False


def _in_range(stated: Range, ecosystem: str, version: str) -> Answer:
    events = stated.events or []
    if stated.type == "GIT":
        return _at_commit(events, version)
    if _is_everything(events):
        return Answer.YES
    rule = semantic_key if stated.type == "SEMVER" else interface.rule(ecosystem)
    if rule is None or not version:
        return Answer.UNKNOWN
    try:
        return _evaluated(events, interface.key(rule, version), rule)
    except (ValueError, TypeError):
        return Answer.UNKNOWN


def _is_everything(events: Iterable[Event]) -> bool:
    """Introduced at the beginning and never mended."""
    told = list(events)
    return bool(told) and all(event.introduced == _FIRST for event in told)


def _at_commit(events: Iterable[Event], version: str) -> Answer:
    """Commits have no order that could be told without the repository."""
    if len(version) < 40:
        return Answer.NO  # it is a version; records list those besides
    for event in events:
        if version in (event.introduced, event.last_affected):
            return Answer.YES
        if version in (event.fixed, event.limit):
            return Answer.NO
    return Answer.UNKNOWN


def _evaluated(events: list[Event], version: Any, rule: interface.Key) -> Answer:
    limits = [event.limit for event in events if event.limit is not None]
    if limits and not any(limit == "*" or version < interface.key(rule, limit) for limit in limits):
        return Answer.NO
    row: list[tuple[Any, int, str]] = []
    first = False
    for event in events:
        if event.introduced == _FIRST:
            first = True
        elif event.introduced is not None:
            row.append((interface.key(rule, event.introduced), 1, "introduced"))
        elif event.fixed is not None:
            row.append((interface.key(rule, event.fixed), 0, "fixed"))
        elif event.last_affected is not None:
            row.append((interface.key(rule, event.last_affected), 2, "last_affected"))
    # Of events at one version: what is fixed there, what is introduced, what ends after it.
    row.sort(key=lambda each: each[:2])
    affected = first
    for at, _, kind in row:
        if kind == "introduced" and version >= at:
            affected = True
        elif (kind == "fixed" and version >= at) or (kind == "last_affected" and version > at):
            affected = False
    return Answer.YES if affected else Answer.NO


def fixed_versions(stated: Iterable[Affected]) -> tuple[str, ...]:
    """Versions in which it is mended; commits are none."""
    found = dict.fromkeys(
        event.fixed
        for each in stated
        for row in each.ranges or ()
        if row.type != "GIT"
        for event in row.events or ()
        if event.fixed
    )
    return tuple(found)
