"""Looks at the databases that are here again, off line, and says who vouches for them.

Whatever is damaged or missing is a point that does not stand, so that one damaged file hides
nothing else. Digests are taken from the files themselves: what was noted about them proves nothing.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, replace

from tuf.api.metadata import Root

from tocsin.errors import TocsinError
from tocsin.transparency.policy import Policy
from tocsin.updates.layout import database_name
from tocsin.updates.receive.download import digest_of
from tocsin.updates.receive.errors import MetadataRefused, StateDamaged
from tocsin.updates.receive.former import former_in_use
from tocsin.updates.receive.rebuilders import rebuilt_finding, who_rebuilt
from tocsin.updates.receive.roots import agreed_logs, target_keys
from tocsin.updates.receive.state import DATABASE, FORMER, UpdateState
from tocsin.updates.receive.state_versions import VersionsState
from tocsin.updates.receive.trust import Trust
from tocsin.updates.receive.tuf_client import read_root
from tocsin.updates.receive.verify import Expected, Finding, Vouching, examine
from tocsin.updates.statement import DatabasePredicate

Told = Callable[[str], None]
"""Told what is being looked at."""


@dataclass(frozen=True)
class Rechecked:
    """One thing that was looked at again.

    Attributes:
        kind: `database`, `release`, `rulebook`, `metadata` or `log`.
        name: a version, or what else tells it from others of its kind.
        in_use: whether it is what is used.
        findings: every point.
        vouching: what the log entry, the log and the witnesses say; None where there is none.
    """

    kind: str
    name: str
    in_use: bool
    findings: tuple[Finding, ...]
    vouching: Vouching | None = None

    @property
    def stands(self) -> bool:
        """Whether everything is as it must be."""
        return all(finding.stands for finding in self.findings)


def recheck(
    state: UpdateState,
    trust: Trust,
    policy: Policy | None = None,
    *,
    rebuilders: int = 0,
    told: Told = lambda _: None,
) -> list[Rechecked]:
    """Look at every version that is kept, and at what scans use.

    Args:
        state: of the device.
        trust: what the user chose.
        policy: another one to judge by.
        rebuilders: how many must have rebuilt a version.
        told: told what is being looked at.
    """
    found = []
    try:
        current, former = state.installed().current, former_in_use(state)
    except StateDamaged as error:
        current, former = 0, False
        found.append(damaged("database", "in use", error))
    numbered = state.numbered()
    for version in numbered:
        told(f"database {version}")
        link = (linked(state, version),) if version == current else ()
        try:
            one = _one(state, trust, policy or trust.policy, version, rebuilders)
        except (TocsinError, OSError) as error:
            one = damaged("database", str(version), error)
        found.append(replace(one, in_use=version == current, findings=(*one.findings, *link)))
    if current and current not in numbered:
        found.append(missing("database", current))
    if former:
        found.append(_former(state))
    return found


def damaged(kind: str, name: str, error: Exception) -> Rechecked:
    """What cannot be read, as something that was looked at and does not stand."""
    return Rechecked(kind, name, False, (Finding("record", False, str(error)),))


def missing(kind: str, version: int) -> Rechecked:
    """What is said to be in use and is not here."""
    finding = Finding("content", False, "it is not here any more; run 'tocsin update'")
    return Rechecked(kind, str(version), True, (finding,))


def root_that_was(state: UpdateState, trust: Trust, version: int) -> Root:
    """The root under which something came.

    Raises:
        StateDamaged: it is not here any more.
        MetadataRefused: it is damaged.
    """
    held = trust.root if version == trust.root_version else None
    held = held or state.root_bytes(version)
    if held is None:
        raise StateDamaged(
            f"it came under root {version}, which is not here any more; run 'tocsin update'"
        )
    root = read_root(held).signed
    if root.version != version:
        raise MetadataRefused(f"root {version} is not the one that was kept")
    return root


def _one(state: UpdateState, trust: Trust, policy: Policy, version: int, needed: int) -> Rechecked:
    sha256, _ = digest_of(state.database(version))
    expected = Expected(database_name(version), sha256, DatabasePredicate, version)
    content, vouching = look_again(state, state, trust, policy, expected, version)
    if needed:
        names = who_rebuilt(state.rebuilds_of(version), sha256, version, trust.rebuilders)
        findings = (*vouching.findings, rebuilt_finding(names, needed))
        vouching = replace(vouching, findings=findings)
    return Rechecked("database", str(version), False, (content, *vouching.findings), vouching)


def look_again(
    held: VersionsState,
    state: UpdateState,
    trust: Trust,
    policy: Policy,
    expected: Expected,
    version: int,
) -> tuple[Finding, Vouching]:
    """Look at a version that is kept: whether it is as it came, and who vouches for it.

    Args:
        held: where it is kept.
        state: of the device, with the roots under which things came.
        trust: what the user chose.
        policy: to judge by.
        expected: what its log entry must be about, with the digest of the file as it is now.
        version: the version.

    Raises:
        UpdateError: what is known of it is missing or damaged.
        OSError: it cannot be read.
    """
    how = held.received(version)
    root = root_that_was(state, trust, how.root_version)
    try:
        entry, proof = held.evidence_of(version)
    except StateDamaged:
        entry = proof = None  # type: ignore[assignment]
    vouching = examine(
        expected, entry, proof, *target_keys(root), policy, log_keys=agreed_logs(state)
    )
    length = held.database(version).stat().st_size
    same = (expected.sha256, length) == (how.sha256, how.length)
    said = f"{length:,} bytes as they came" if same else f"changed since it came ({how.sha256})"
    return Finding("content", same, said), vouching


def linked(state: VersionsState, version: int) -> Finding:
    """Whether the link leads to what is said to be in use."""
    place = state.folder / state.link
    try:
        same = os.path.samefile(place, state.database(version))
    except OSError as error:
        return Finding("link", False, f"{place}: {error.strerror}; run 'tocsin update'")
    if same:
        return Finding("link", True, f"{state.link} leads to it")
    return Finding("link", False, f"{state.in_use_words()}, by {state.link}; run 'tocsin update'")


def _former(state: UpdateState) -> Rechecked:
    _, length = digest_of(state.folder / FORMER / DATABASE)
    said = (
        f"{length:,} bytes of the publisher before, for whom nobody whom you chose vouches; "
        "'tocsin update' brings the first of the one that you chose"
    )
    return Rechecked("database", FORMER, True, (Finding("publisher", False, said),))
