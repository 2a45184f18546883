"""Looks at what a device trusts again, off line: the chain of roots, TUF's metadata, the log.

That metadata has expired, or that the witnesses' word on the log is old, stops updates and takes
nothing from what is installed: it is said and stands.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from tuf.api.exceptions import RepositoryError
from tuf.api.metadata import Metadata, MetaFile, Root, Snapshot, Targets, Timestamp

from tocsin.transparency.errors import TransparencyError
from tocsin.transparency.note import SignedNote
from tocsin.transparency.tree_head import Checkpoint
from tocsin.transparency.verdict import check
from tocsin.updates.receive.consent import examine
from tocsin.updates.receive.errors import MetadataRefused, StateDamaged
from tocsin.updates.receive.recheck import Rechecked, damaged
from tocsin.updates.receive.roots import agreed_logs, is_agreed
from tocsin.updates.receive.state import UpdateState
from tocsin.updates.receive.trust import Trust
from tocsin.updates.receive.tuf_client import read_root
from tocsin.updates.receive.verify import Finding, Vouching, witnesses

_MOST_ROOTS = 1024


def recheck_metadata(state: UpdateState, trust: Trust, now: datetime) -> list[Rechecked]:
    """Look at roots and metadata; nothing where none came yet.

    Args:
        state: of the device.
        trust: what the user chose.
        now: by which it is said what has expired.
    """
    try:
        if state.newest_root() is None:
            return []
    except StateDamaged as error:
        return [damaged("metadata", "root", error)]
    findings, root = _roots(state, trust)
    if root is not None:
        findings += _roles(state, root, now)
    return [Rechecked("metadata", f"root {root.version if root else '?'}", True, tuple(findings))]


def _roots(state: UpdateState, trust: Trust) -> tuple[list[Finding], Root | None]:
    """Every root from the one that the user chose to the one in force, each by the one before."""
    try:
        newest = state.newest_root() or b""
        last = read_root(newest).signed.version
        old, agreed, consent = trust.root, trust.root, state.consent()
        routine = consented = 0
        for version in range(trust.root_version + 1, last + 1):
            new = state.root_bytes(version)
            if new is None or version - trust.root_version > _MOST_ROOTS:
                raise MetadataRefused(f"root {version} is missing between the first and the last")
            step = examine(agreed, old, new)
            if is_agreed(consent, step):
                agreed = new
                consented += 1
            elif step.routine:
                routine += 1
            else:
                why = "; ".join(step.reasons)
                raise MetadataRefused(f"root {version} is in force and you never agreed: {why}")
            old = new
        if read_root(old).signed_bytes != read_root(newest).signed_bytes:
            raise MetadataRefused("the root in force is none that follows from the one you chose")
    except (MetadataRefused, StateDamaged) as error:
        return [Finding("roots", False, str(error))], None
    said = f"root {last} follows from root {trust.root_version}, which you chose"
    steps = [f"{routine} by routine" if routine else "", f"{consented} agreed" if consented else ""]
    more = ", ".join(filter(None, steps))
    return [Finding("roots", True, f"{said}: {more}" if more else said)], read_root(old).signed


def _roles(state: UpdateState, root: Root, now: datetime) -> list[Finding]:
    findings: list[Finding] = []
    named: MetaFile | None = None
    for role, kind in (("timestamp", Timestamp), ("snapshot", Snapshot), ("targets", Targets)):
        try:
            data = state.metadata_bytes(role)
            if data is None:
                findings.append(Finding(role, True, "not here yet; the next update fetches it"))
                named = None
                continue
            metadata: Metadata[Any] = Metadata.from_bytes(data)
            if not isinstance(metadata.signed, kind):
                raise MetadataRefused("it is the metadata of another role")
            root.verify_delegate(role, metadata.signed_bytes, metadata.signatures)
            if named is not None and named.version == metadata.signed.version:
                named.verify_length_and_hashes(data)
        except (RepositoryError, MetadataRefused, StateDamaged) as error:
            findings.append(Finding(role, False, f"{error}; the next update fetches another"))
            named = None
            continue
        findings.append(_role(role, metadata.signed, named, now))
        named = None
        if isinstance(metadata.signed, Timestamp):
            named = metadata.signed.snapshot_meta
        elif isinstance(metadata.signed, Snapshot):
            named = metadata.signed.meta.get("targets.json")
    return findings


def _role(role: str, signed: Any, named: MetaFile | None, now: datetime) -> Finding:
    if named is not None and signed.version > named.version:
        said = f"version {signed.version}, and what names it knows {named.version} only"
        return Finding(role, False, said)
    said = f"version {signed.version}, signed by the publisher's key"
    if named is not None and signed.version < named.version:
        said += f"; version {named.version} is there, the next update fetches it"
    until = f"{signed.expires:%Y-%m-%d}"
    if signed.is_expired(now):
        return Finding(role, True, f"{said}; expired on {until}: until it is renewed, no updates")
    return Finding(role, True, f"{said}, until {until}")


def recheck_log(
    state: UpdateState, trust: Trust, others: list[Rechecked], now: datetime
) -> list[Rechecked]:
    """Look at the last checkpoint of a log; nothing where none was accepted yet.

    Args:
        state: of the device.
        trust: what the user chose.
        others: what has a place in a log, which cannot be behind its end.
        now: from which ages are counted.
    """
    evidence = state.evidence()
    findings = []
    vouching: Vouching | None = None
    name = "no checkpoint yet"
    if evidence:
        said = f"it signed two histories; the evidence is in {evidence[0].parent}"
        findings.append(Finding("history", False, said))
    try:
        held = state.last_checkpoint()
    except StateDamaged as error:
        return [damaged("log", "checkpoint", error)]
    if held is not None:
        try:
            name = Checkpoint.parse(SignedNote.parse(held).text).origin
            verdict = check(trust.policy, held, log_keys=agreed_logs(state))
        except (TransparencyError, StateDamaged) as error:
            findings.append(Finding("log", False, f"the last checkpoint: {error}"))
        else:
            said = f"signed with {verdict.head.size:,} entries"
            findings.append(Finding("log", True, said))
            seen = witnesses(verdict)
            if verdict.quorum_time is not None:
                seen = Finding(
                    "witnesses", seen.stands, f"{seen.detail}, {_age(verdict.quorum_time, now)}"
                )
            findings.append(seen)
            findings.append(_inside(others, verdict.head.origin, verdict.head.size))
            vouching = Vouching(name, (), None, frozenset(), None, verdict)
    return [Rechecked("log", name, True, tuple(findings), vouching)] if findings else []


def _inside(others: list[Rechecked], origin: str, size: int) -> Finding:
    """Whether no proof is of a larger tree than the one that was accepted last."""
    heads = [
        (each.name, each.vouching.verdict.head)
        for each in others
        if each.vouching is not None and each.vouching.verdict is not None
    ]
    same = [(name, head.size) for name, head in heads if head.origin == origin]
    beyond = [f"{name} ({at:,})" for name, at in same if at > size]
    if beyond:
        said = f"the proof of {', '.join(beyond)} is of a larger log than the last checkpoint"
        return Finding("proofs", False, said)
    return Finding("proofs", True, f"{len(same)} of what is installed are in it")


def _age(then: int, now: datetime) -> str:
    days = (now.timestamp() - then) / 86400
    return f"{days:.1f} days ago" if days >= 0 else "in the future; look at this machine's clock"
