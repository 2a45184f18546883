"""The report as JSON, for programs: docs/audit.schema.json says what every key means.

Keys are added within a format's number and never change their meaning; what would break a reader
is another number.
"""

from __future__ import annotations

from typing import Any

from tocsin.audit.findings import affects_use, bearings, next_change, outcome_of, why_allowed
from tocsin.audit.model import AdvisoryFinding, Component, Match, SupplierFinding
from tocsin.audit.report.interface import DISCLAIMER, Report
from tocsin.audit.report.words import indented, instant, plain
from tocsin.jurisdiction.rulebook import BoundRule
from tocsin.jurisdiction.vocabulary import Outcome
from tocsin.version import VERSION

FORMAT = 1


def to_json(report: Report) -> str:
    """The report; one JSON object."""
    return indented(_clean(values(report)))


def values(report: Report) -> dict[str, Any]:
    """The report as plain values."""
    audit, facts = report.audit, report.facts
    cited = {one.rule.id: one.rule for each in audit.suppliers for one in bearings(each)}
    cited |= {rule.id: rule for rule in report.rules}
    tally = report.tally()
    return {
        "format": FORMAT,
        "tool": {"name": "tocsin", "version": VERSION},
        "made": instant(report.made),
        "disclaimer": DISCLAIMER,
        "facts": {
            "at": instant(facts.at),
            "places": facts.places,
            "persons": [{"tie": each.tie.value, "country": each.country} for each in facts.persons],
            "systems": facts.systems,
            "addressees": None if facts.addressees is None else sorted(facts.addressees),
            "circumstances": {
                **{each.value: "yes" for each in sorted(facts.holding)},
                **{each.value: "no" for each in sorted(facts.absent)},
                **{each.value: "unknown" for each in sorted(facts.unsure)},
            },
            "embedded": facts.embedded if report.is_embedded_stated else "as-found",
        },
        "assumptions": report.assumptions,
        "rulebook": {
            "edition": report.edition,
            "origin": report.rulebook,
            "sha256": report.rulebook_sha256,
        },
        "advisories_from": report.advisories_from,
        "min_confidence": report.min_confidence,
        "looked_in": report.looked_in,
        "unseen": report.unseen,
        "undecided": report.undecided,
        "summary": {
            "components": audit.looked_at,
            **{outcome.value: tally[outcome.value] for outcome in Outcome},
            "malicious": tally["malicious"],
            "vulnerable": tally["vulnerable"],
            "skipped": tally["skipped"],
            "hints": report.weaker,
        },
        "suppliers": [_finding(each) for each in audit.suppliers],
        "advisories": [_advisory(each) for each in audit.advisories],
        "rules": {rule: _rule(cited[rule]) for rule in sorted(cited)},
        "skipped": [{"place": each.place, "reason": each.reason} for each in audit.skipped],
    }


def _finding(finding: SupplierFinding) -> dict[str, Any]:
    supplier = finding.matches[0].supplier
    change = next_change(finding)
    return {
        "component": _component(finding.component),
        "supplier": {"id": supplier.id, "name": supplier.name},
        "confidence": finding.confidence,
        "matches": [_match(each) for each in finding.matches],
        "outcome": outcome_of(finding).value,
        "operations": {
            each.question.operation.value: each.outcome.value
            for each in (finding.use, *finding.decisions)
        },
        "affects_use": affects_use(finding),
        "why_use_is_allowed": "" if affects_use(finding) else why_allowed(finding.use),
        "products": sorted({p.value for m in finding.matches for p in m.marker.products}),
        "embedded": finding.use.question.embedded,
        "rules": [
            {
                "id": one.rule.id,
                "outcome": one.outcome.value,
                "operations": [each.value for each in one.operations],
                "is_certain": one.is_certain,
                "reason": one.reason,
            }
            for one in bearings(finding)
        ],
        "next_change": None
        if change is None
        else {
            "at": instant(change[0]),
            "operation": change[1].value,
            "outcome": change[2].value,
        },
    }


def _component(component: Component) -> dict[str, Any]:
    return {
        "place": component.place,
        "kind": component.kind,
        "name": component.name,
        "version": component.version,
        "purl": component.purl,
        "reference": component.reference,
        "made": None if component.made is None else component.made.isoformat(),
    }


def _match(match: Match) -> dict[str, Any]:
    return {
        "kind": match.trace.kind.value,
        "value": match.trace.value,
        "where": match.trace.where,
        "mark": match.marker.value,
        "confidence": match.confidence,
        "caution": match.caution,
        "note": match.marker.note,
    }


def _advisory(finding: AdvisoryFinding) -> dict[str, Any]:
    advisory = finding.advisory
    return {
        "component": _component(finding.component),
        "id": advisory.id,
        "aliases": advisory.aliases,
        "is_malicious": advisory.is_malicious,
        "summary": advisory.summary,
        "published": None if advisory.published is None else advisory.published.isoformat(),
        "fixed": advisory.fixed,
        "link": advisory.link,
    }


def _rule(rule: BoundRule) -> dict[str, Any]:
    stated, act = rule.rule, rule.instrument
    return {
        "summary": stated.summary,
        "kind": stated.kind.value,
        "authority": act.authority,
        "instrument": act.instrument,
        "title": act.title,
        "citation": act.citation,
        "link": act.link,
        "jurisdiction": act.jurisdiction,
        "status": act.status.value,
        "binds": [each.value for each in stated.binds],
        "addressees": [each.value for each in stated.addressees],
        "operations": [each.value for each in stated.operations],
        "products": [each.value for each in stated.products],
        "embedded": stated.embedded.value,
        "effective": instant(stated.effective),
        "certain_from": None if stated.certain_from is None else instant(stated.certain_from),
        "comply_by": None if stated.comply_by is None else instant(stated.comply_by),
        "ends": None if stated.ends is None else instant(stated.ends),
        "basis": stated.basis.value,
        "obligations": stated.obligations,
        "notes": [*([stated.note] if stated.note else []), *act.notes],
        "conflicts": act.conflicts,
    }


def _clean(value: Any) -> Any:
    """The same with text that can be encoded."""
    if isinstance(value, str):
        return plain(value)
    if isinstance(value, dict):
        return {plain(key): _clean(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_clean(each) for each in value]
    return value
