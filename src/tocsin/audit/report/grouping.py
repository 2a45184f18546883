"""Findings of which everything that is said is the same, together: for whoever reads them."""

from __future__ import annotations

from collections.abc import Iterable

from tocsin.audit.findings import STRICTNESS, bearings, next_change, outcome_of
from tocsin.audit.model import SupplierFinding
from tocsin.audit.report.words import using


def grouped(findings: Iterable[SupplierFinding]) -> list[list[SupplierFinding]]:
    """Findings of one supplier by what the rules say of them, the strictest first."""
    groups: dict[object, list[SupplierFinding]] = {}
    for finding in findings:
        groups.setdefault(_sameness(finding), []).append(finding)
    return sorted(groups.values(), key=lambda each: -STRICTNESS[outcome_of(each[0])])


def _sameness(finding: SupplierFinding) -> object:
    return (
        finding.matches[0].supplier.id,
        finding.use.question.embedded,
        using(finding),
        next_change(finding),
        tuple((one.rule.id, one.outcome, one.operations, one.reason) for one in bearings(finding)),
    )
