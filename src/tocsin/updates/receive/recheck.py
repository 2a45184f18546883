"""Looks at everything that is installed again, off line, and says who vouches for it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from tocsin.transparency.policy import Policy
from tocsin.updates.layout import database_name
from tocsin.updates.receive.download import digest_of
from tocsin.updates.receive.errors import MetadataRefused, StateDamaged
from tocsin.updates.receive.rebuilders import rebuilt_finding, who_rebuilt
from tocsin.updates.receive.roots import agreed_logs, target_keys
from tocsin.updates.receive.state import UpdateState
from tocsin.updates.receive.trust import Trust
from tocsin.updates.receive.tuf_client import read_root
from tocsin.updates.receive.verify import Expected, Finding, Vouching, examine
from tocsin.updates.statement import DatabasePredicate


@dataclass(frozen=True)
class Rechecked:
    """One version.

    Attributes:
        version: of the database.
        in_use: whether it is the one in use.
        content: whether the file is the one that came.
        vouching: what the log entry, the log and the witnesses say.
    """

    version: int
    in_use: bool
    content: Finding
    vouching: Vouching

    @property
    def stands(self) -> bool:
        """Whether everything is as it must be."""
        return self.content.stands and self.vouching.stands


def recheck(
    state: UpdateState, trust: Trust, policy: Policy | None = None, *, rebuilders: int = 0
) -> list[Rechecked]:
    """Look at every version that is kept.

    Args:
        state: of the device.
        trust: what the user chose.
        policy: another one to judge by.
        rebuilders: how many must have rebuilt a version.

    Raises:
        StateDamaged: what was kept about a version is missing.
        MetadataRefused: the root it came under is damaged.
    """
    current = state.installed().current
    return [
        _one(state, trust, policy or trust.policy, version, rebuilders, version == current)
        for version in state.kept_versions()
    ]


def _one(
    state: UpdateState, trust: Trust, policy: Policy, version: int, needed: int, in_use: bool
) -> Rechecked:
    how = state.received(version)
    held = trust.root if how.root_version == trust.root_version else None
    held = held or state.root_bytes(how.root_version)
    if held is None:
        raise StateDamaged(
            f"version {version} came under root {how.root_version}, which is not here any more; "
            "run 'tocsin update'"
        )
    root = read_root(held).signed
    if root.version != how.root_version:
        raise MetadataRefused(f"root {how.root_version} is not the one that was kept")
    sha256, length = digest_of(state.database(version))
    try:
        entry, proof = state.evidence_of(version)
    except StateDamaged:
        entry = proof = None  # type: ignore[assignment]
    # The digest is taken from the file itself: what was noted about it proves nothing.
    expected = Expected(database_name(version), sha256, DatabasePredicate, version)
    vouching = examine(
        expected, entry, proof, *target_keys(root), policy, log_keys=agreed_logs(state)
    )
    if needed:
        names = who_rebuilt(state.rebuilds_of(version), sha256, version, trust.rebuilders)
        findings = (*vouching.findings, rebuilt_finding(names, needed))
        vouching = replace(vouching, findings=findings)
    same = (sha256, length) == (how.sha256, how.length)
    said = f"{length:,} bytes as they came" if same else f"changed since it came ({how.sha256})"
    return Rechecked(version, in_use, Finding("content", same, said), vouching)
