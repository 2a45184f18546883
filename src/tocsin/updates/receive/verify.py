"""What is true of one version, point by point: pure.

A version stands when the publisher's targets role signed a statement that names its digest and
number, that statement is in a log the user's policy names, and the witnesses of the policy's
quorum cosigned the log. What does not stand is said with what was expected.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from tocsin.transparency.errors import TransparencyError
from tocsin.transparency.note import VerifierKey
from tocsin.transparency.policy import Policy
from tocsin.transparency.proof import TlogProof
from tocsin.transparency.verdict import Standing, Verdict
from tocsin.updates.errors import StatementError
from tocsin.updates.receive.errors import NotVouchedFor
from tocsin.updates.statement import (
    Envelope,
    Predicate,
    Statement,
    StatementKey,
    parse_envelope,
    verified_by,
)


@dataclass(frozen=True)
class Finding:
    """One point.

    Attributes:
        point: what was looked at: `statement`, `subject`, `log`, `witnesses`.
        stands: whether it is as it must be.
        detail: in words.
    """

    point: str
    stands: bool
    detail: str


@dataclass(frozen=True)
class Vouching:
    """What is true of one version.

    Attributes:
        subject: what it is about.
        findings: every point.
        statement: what the log entry says; None when it cannot be read.
        signed_by: TUF key ids of the publisher's that signed it.
        proof: where it is in the log; None when that cannot be read.
        verdict: what the policy makes of the proof's checkpoint; None when there is none.
    """

    subject: str
    findings: tuple[Finding, ...]
    statement: Statement | None
    signed_by: frozenset[str]
    proof: TlogProof | None
    verdict: Verdict | None

    @property
    def stands(self) -> bool:
        """Whether every point does."""
        return all(finding.stands for finding in self.findings)

    def require(self) -> None:
        """Insist on every point.

        Raises:
            NotVouchedFor: one does not stand.
        """
        wrong = [f"{f.point}: {f.detail}" for f in self.findings if not f.stands]
        if wrong:
            raise NotVouchedFor(f"{self.subject} is not used: {'; '.join(wrong)}")


@dataclass(frozen=True)
class Expected:
    """What a log entry must be about.

    Attributes:
        name: as the statement names it, `databases/12.tdb`.
        sha256: of the bytes that are vouched for.
        kind: of the predicate.
        version: that the predicate must have; None where it has none to compare.
    """

    name: str
    sha256: str
    kind: type[Predicate]
    version: int | str | None = None


def examine(
    expected: Expected,
    entry: bytes | None,
    proof: bytes | None,
    keys: Mapping[str, StatementKey],
    threshold: int,
    policy: Policy,
    *,
    now: int | None = None,
    log_keys: Collection[VerifierKey] = (),
) -> Vouching:
    """Look at every point; nothing is raised for what does not stand.

    Args:
        expected: what the entry must be about.
        entry: the log entry; None when there is none.
        proof: the `.tlog-proof`; None when there is none.
        keys: of the role that must have signed, by TUF key id.
        threshold: signatures that it takes.
        policy: the user's.
        now: POSIX seconds; None to look at no time.
        log_keys: further logs that are believed: those of roots that the user agreed to.
    """
    envelope, findings = _entry(expected, entry)
    signed_by: frozenset[str] = frozenset()
    if envelope is not None:
        signed_by = verified_by(envelope, keys)
        enough = len(signed_by) >= max(1, threshold)
        detail = f"{len(signed_by)} of the publisher's keys signed, {threshold} needed"
        findings.append(Finding("signature", enough, detail))
        findings.append(_subject(expected, envelope.statement))
    parsed, verdict = None, None
    if entry is not None:
        parsed, verdict, more = _proof(entry, proof, policy, now, log_keys)
        findings += more
    statement = envelope.statement if envelope else None
    return Vouching(expected.name, tuple(findings), statement, signed_by, parsed, verdict)


def _entry(expected: Expected, entry: bytes | None) -> tuple[Envelope | None, list[Finding]]:
    if entry is None:
        detail = f"there is no log entry for {expected.name}: it was never announced"
        return None, [Finding("statement", False, detail)]
    try:
        return parse_envelope(entry), []
    except StatementError as error:
        return None, [Finding("statement", False, str(error))]


def _subject(expected: Expected, statement: Statement) -> Finding:
    wrong = []
    if statement.sha256 != expected.sha256:
        wrong.append(f"it is about SHA-256 {statement.sha256}, not {expected.sha256}")
    if statement.name != expected.name:
        wrong.append(f"it is about {statement.name}")
    if not isinstance(statement.predicate, expected.kind):
        wrong.append(
            f"it is a {type(statement.predicate).__name__}, not a {expected.kind.__name__}"
        )
    elif expected.version is not None and statement.predicate.version != expected.version:
        wrong.append(f"it is about version {statement.predicate.version}, not {expected.version}")
    return Finding("subject", not wrong, "; ".join(wrong) or f"SHA-256 {expected.sha256}")


def _proof(
    entry: bytes,
    proof: bytes | None,
    policy: Policy,
    now: int | None,
    log_keys: Collection[VerifierKey],
) -> tuple[TlogProof | None, Verdict | None, list[Finding]]:
    if proof is None:
        return None, None, [Finding("log", False, "there is no proof that the entry is logged")]
    try:
        parsed = TlogProof.parse(proof)
        verdict = parsed.check(entry, policy, now=now, log_keys=log_keys)
    except TransparencyError as error:
        return None, None, [Finding("log", False, str(error))]
    head = verdict.head
    place = f"entry {parsed.index} of {head.size} in {head.origin}"
    return parsed, verdict, [Finding("log", True, place), witnesses(verdict)]


def witnesses(verdict: Verdict) -> Finding:
    """What the witnesses say, as a point."""
    counting = [each.witness.name for each in verdict.witnesses if each.standing is Standing.COUNTS]
    if not verdict.met:
        return Finding("witnesses", False, verdict.reason())
    said = f"seen by {', '.join(counting)}" if counting else "no witness saw it"
    asked = "" if verdict.quorum != "none" else " (the policy asks for none)"
    return Finding("witnesses", True, said + asked)
