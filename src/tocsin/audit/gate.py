"""When an audit counts as failed: what continuous integration stops at."""

from __future__ import annotations

from collections.abc import Collection
from enum import StrEnum

from tocsin.audit.findings import outcome_of
from tocsin.audit.model import Audit
from tocsin.jurisdiction.vocabulary import Outcome


class FailOn(StrEnum):
    """What makes an audit fail."""

    PROHIBITED = "prohibited"
    WARNED = "warned"
    ANY = "any"
    MALICIOUS = "malicious"
    VULNERABLE = "vulnerable"
    NEVER = "never"


FAIL_ON = {
    FailOn.PROHIBITED: "an operation with something of a supplier is prohibited, or it is "
    "undetermined whether it is",
    FailOn.WARNED: "the same, or an authority warns",
    FailOn.ANY: "anything of a supplier, whatever the rules say; any advisory",
    FailOn.MALICIOUS: "a package that is known to be malicious",
    FailOn.VULNERABLE: "the same, or one that is known to be vulnerable",
    FailOn.NEVER: "nothing",
}
DEFAULT = (FailOn.PROHIBITED, FailOn.MALICIOUS)

_OUTCOMES = {
    FailOn.PROHIBITED: frozenset({Outcome.PROHIBITED, Outcome.UNDETERMINED}),
    FailOn.WARNED: frozenset({Outcome.PROHIBITED, Outcome.UNDETERMINED, Outcome.WARNED}),
    FailOn.ANY: frozenset(Outcome),
}


def fails(audit: Audit, on: Collection[FailOn]) -> bool:
    """Whether something is in an audit at which it fails.

    Args:
        audit: the result.
        on: what to fail on; `never` beside others adds nothing.
    """
    outcomes = frozenset[Outcome]().union(*(_OUTCOMES.get(each, ()) for each in on))
    if any(outcome_of(finding) in outcomes for finding in audit.suppliers):
        return True
    if FailOn.ANY in on or FailOn.VULNERABLE in on:
        return bool(audit.advisories)
    return FailOn.MALICIOUS in on and any(
        finding.advisory.is_malicious for finding in audit.advisories
    )
