"""The report as SARIF 2.1.0 (OASIS, with errata 01), for code hosts and editors.

A SARIF rule is a rule of law, an advisory, or a known supplier that no rule is against. A component
under three rules gives three results. Levels: prohibited and malicious are errors; undetermined,
warned and vulnerable are warnings; the rest is for information (§3.27.9 and §3.27.10).
"""

from __future__ import annotations

import os
from typing import Any
from urllib.parse import quote

from tocsin.audit.findings import affects_use, bearings, outcome_of, why_allowed
from tocsin.audit.model import AdvisoryFinding, Component, Skipped, SupplierFinding
from tocsin.audit.report.interface import DISCLAIMER, Report
from tocsin.audit.report.words import (
    address,
    addressed,
    authority,
    bound,
    fingerprint,
    indented,
    instant,
    listed,
    moment,
    name_of,
    plain,
    since,
    using,
)
from tocsin.jurisdiction.rulebook import BoundRule
from tocsin.jurisdiction.vocabulary import Outcome
from tocsin.version import VERSION

SCHEMA = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)
_FINGERPRINT = "tocsinFinding/v1"
_LEVELS = {
    Outcome.PROHIBITED: "error",
    Outcome.UNDETERMINED: "warning",
    Outcome.WARNED: "warning",
}


class _Rules:
    """Descriptions of rules in the order of their first result; results refer to them by index."""

    def __init__(self) -> None:
        self.described: list[dict[str, Any]] = []
        self._places: dict[str, int] = {}

    def place(self, rule: str, describe: dict[str, Any]) -> int:
        """The index of a rule; described if it is new."""
        if rule not in self._places:
            self._places[rule] = len(self.described)
            self.described.append({"id": rule, **describe})
        return self._places[rule]

    def __contains__(self, rule: str) -> bool:
        return rule in self._places


def to_sarif(report: Report) -> str:
    """The report; one log with one run."""
    rules = _Rules()
    results = [result for each in report.audit.suppliers for result in _of_supplier(each, rules)]
    results += [_of_advisory(each, rules) for each in report.audit.advisories]
    run = {
        "tool": {
            "driver": {
                "name": "tocsin",
                "semanticVersion": VERSION,
                "version": VERSION,
                "rules": rules.described,
            }
        },
        "columnKind": "unicodeCodePoints",
        "invocations": [
            {
                "executionSuccessful": True,
                "endTimeUtc": instant(report.made),
                "toolExecutionNotifications": [_notice(each) for each in report.audit.skipped],
            }
        ],
        "results": results,
        "properties": {
            "disclaimer": DISCLAIMER,
            "at": instant(report.facts.at),
            "places": list(report.facts.places),
            "assumptions": [plain(each) for each in report.assumptions],
            "rulebookEdition": report.edition,
            "rulebookSha256": report.rulebook_sha256,
            "componentsLookedAt": report.audit.looked_at,
        },
    }
    log = {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}
    return indented(log)


def _of_supplier(finding: SupplierFinding, rules: _Rules) -> list[dict[str, Any]]:
    component, supplier = finding.component, finding.matches[0].supplier
    properties = {
        "outcome": outcome_of(finding).value,
        "supplier": supplier.id,
        "confidence": finding.confidence,
        "affectsUse": affects_use(finding),
        "foundBy": [
            plain(f"{each.trace.where}: {each.trace.value}") for each in finding.matches[:20]
        ],
        **_purl(component),
    }
    lead = f"{name_of(component)} comes from {supplier.name}"
    bearing = bearings(finding)
    use = using(finding)
    if not bearing:
        rule = f"supplier/{supplier.id}"
        place = rules.place(
            rule,
            {
                "shortDescription": _text(f"Component of {supplier.name}"),
                "fullDescription": _text(
                    "A component of a supplier that rules are about, none of which is against it "
                    "for these facts."
                ),
                "defaultConfiguration": {"level": "none"},
            },
        )
        text = f"{lead}. No rule is against it: {why_allowed(finding.use)}."
        return [
            {
                **_result(rule, place, text, component, properties),
                "kind": "informational",
                "level": "none",
            }
        ]
    return [
        {
            **_result(
                one.rule.id,
                rules.place(one.rule.id, _law(one.rule) if one.rule.id not in rules else {}),
                f"{lead}. {one.outcome.value.capitalize()}: {listed(one.operations)}"
                f"{'' if one.is_certain else f' ({one.reason})'}. {one.rule.rule.summary}, "
                f"{since(one.rule)}. It binds {bound(one.rule)}. {use}",
                component,
                {**properties, "operations": [each.value for each in one.operations]},
            ),
            "kind": "fail",
            "level": _LEVELS[one.outcome],
        }
        for one in bearing
    ]


def _of_advisory(finding: AdvisoryFinding, rules: _Rules) -> dict[str, Any]:
    advisory, component = finding.advisory, finding.component
    level = "error" if advisory.is_malicious else "warning"
    what = "is known to be malicious" if advisory.is_malicious else "is known to be vulnerable"
    rule = plain(advisory.id)
    described: dict[str, Any] = {}
    if rule not in rules:
        described = {
            "shortDescription": _text(advisory.summary or rule),
            "fullDescription": _text(
                " ".join(
                    [advisory.summary or rule, *(f"Also {each}." for each in advisory.aliases)]
                )
            ),
            "defaultConfiguration": {"level": level},
            "properties": {
                "tags": ["security", "malicious" if advisory.is_malicious else "vulnerability"]
            },
            **_help(advisory.link),
        }
    fixed = f" Fixed in {', '.join(advisory.fixed)}." if advisory.fixed else ""
    text = f"{name_of(component)} {what}: {advisory.summary or rule}.{fixed}"
    properties = {
        "outcome": "malicious" if advisory.is_malicious else "vulnerable",
        "aliases": [plain(each) for each in advisory.aliases],
        **_purl(component),
    }
    return {
        **_result(rule, rules.place(rule, described), text, component, properties),
        "kind": "fail",
        "level": level,
    }


def _law(rule: BoundRule) -> dict[str, Any]:
    stated, act = rule.rule, rule.instrument
    full = (
        f"{stated.summary}. {authority(rule)} ({act.citation}), {act.jurisdiction}; {since(rule)}. "
        f"It binds {bound(rule)}; it is about {addressed(rule)}."
    )
    return {
        "shortDescription": _text(stated.summary),
        "fullDescription": _text(full),
        "help": _text(" ".join([full, *stated.obligations, *act.notes, DISCLAIMER])),
        **_help(act.link),
        "properties": {
            "tags": ["law", act.jurisdiction, stated.kind.value],
            "effective": moment(stated.effective),
            "binds": [each.value for each in stated.binds],
            "basis": stated.basis.value,
        },
    }


def _result(
    rule: str, place: int, text: str, component: Component, properties: dict[str, Any]
) -> dict[str, Any]:
    return {
        "ruleId": rule,
        "ruleIndex": place,
        "message": _text(text),
        "locations": [_location(component)],
        "partialFingerprints": {_FINGERPRINT: fingerprint(rule, component)},
        "properties": properties,
    }


def _location(component: Component) -> dict[str, Any]:
    """The file, and inside it the member and the component (§3.28, §3.33)."""
    outer, _, inner = component.place.partition("!")
    named = plain(component.purl or name_of(component))
    logical: dict[str, Any] = {"name": plain(component.name) or named, "kind": "package"}
    logical["fullyQualifiedName"] = plain(f"{inner}!{named}" if inner else named)
    location: dict[str, Any] = {"logicalLocations": [logical]}
    if outer:
        location["physicalLocation"] = {"artifactLocation": {"uri": _uri(outer)}}
    return location


def _uri(path: str) -> str:
    """A path as a URI reference: relative ones stay so (RFC 3986 §4.2)."""
    quoted = quote(os.fsencode(_encodable(path)), safe="/")
    return f"file://{quoted}" if path.startswith("/") else quoted


def _encodable(path: str) -> str:
    """A path with nothing in it that no file name can have."""
    try:
        path.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return plain(path)
    return path


def _notice(skipped: Skipped) -> dict[str, Any]:
    outer = skipped.place.partition("!")[0]
    notice: dict[str, Any] = {
        "level": "warning",
        "message": _text(f"{skipped.place}: {skipped.reason}"),
    }
    if outer:
        uri = {"artifactLocation": {"uri": _uri(outer)}}
        notice["locations"] = [{"physicalLocation": uri}]
    return notice


def _purl(component: Component) -> dict[str, str]:
    return {"purl": plain(component.purl)} if component.purl else {}


def _help(link: str) -> dict[str, str]:
    """The link of a rule, if it is one: what an advisory says may be anything."""
    found = address(link)
    return {"helpUri": found} if found else {}


def _text(text: str) -> dict[str, str]:
    """A message; what would begin a link in it does not (§3.11.6)."""
    said = plain(text).replace("\\", "\\\\").replace("[", "\\[").replace("]", "\\]")
    return {"text": said}
