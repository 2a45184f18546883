"""The report as a CycloneDX 1.6 bill of materials (ECMA-424) of what was found.

What the law says of a component stands as an annotation and as properties; what advisories say as
vulnerabilities with an analysis, as in a VEX document. Only components with a finding are in it.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from typing import Any

from tocsin.audit.findings import affects_use, bearings, outcome_of
from tocsin.audit.model import AdvisoryFinding, Component, SupplierFinding
from tocsin.audit.report.interface import DISCLAIMER, Report
from tocsin.audit.report.words import account, address, indented, instant, plain
from tocsin.version import VERSION

_PROGRAMS = frozenset({"program", "windows", "android", "macho", "elf", "pe"})
_NAMESPACE = uuid.UUID("7a1e1f8c-58a5-5b58-9d6f-3a2f6c9d1e04")
_MOST_VERSION = 1024
"""Characters of a version in the schema."""

_TOOL = {"type": "application", "name": "tocsin", "version": VERSION}


class _Components:
    """Components in the order of their first finding, each with one `bom-ref`."""

    def __init__(self) -> None:
        self.listed: dict[str, dict[str, Any]] = {}

    def reference(self, component: Component) -> str:
        """The `bom-ref` of a component, which is in the list from now on."""
        parts = component.place, component.kind, component.name, component.version, component.purl
        text = "\0".join((*parts, component.reference)).encode("utf-8", "surrogatepass")
        reference = f"tocsin-{hashlib.sha256(text).hexdigest()[:24]}"
        if reference not in self.listed:
            self.listed[reference] = _component(component, reference)
        return reference

    def add(self, reference: str, properties: list[tuple[str, str]]) -> None:
        """Add properties to a component."""
        held = self.listed[reference].setdefault("properties", [])
        held += [{"name": f"tocsin:{name}", "value": plain(value)} for name, value in properties]


def to_cyclonedx(report: Report) -> str:
    """The report; one bill of materials."""
    components = _Components()
    annotations = [_annotation(each, components, report) for each in report.audit.suppliers]
    vulnerabilities = _vulnerabilities(report.audit.advisories, components)
    properties = [
        ("disclaimer", DISCLAIMER),
        ("at", instant(report.facts.at)),
        *(("place", each) for each in report.facts.places),
        *(("assumption", each) for each in report.assumptions),
        ("rulebook-edition", str(report.edition)),
        ("rulebook-sha256", report.rulebook_sha256),
        ("components-looked-at", str(report.audit.looked_at)),
        *(("skipped", f"{each.place}: {each.reason}") for each in report.audit.skipped),
    ]
    bom: dict[str, Any] = {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "timestamp": instant(report.made),
            "tools": {"components": [_TOOL]},
            "properties": [
                {"name": f"tocsin:{name}", "value": plain(value)} for name, value in properties
            ],
        },
        "components": list(components.listed.values()),
        "vulnerabilities": vulnerabilities,
        "annotations": annotations,
    }
    # The same report has the same number, as RFC 9562 §5.5 makes one from a name.
    content = json.dumps(bom, sort_keys=True)
    bom["serialNumber"] = uuid.uuid5(_NAMESPACE, content).urn
    return indented(bom)


def _component(component: Component, reference: str) -> dict[str, Any]:
    found: dict[str, Any] = {
        "type": "application" if component.kind in _PROGRAMS else "library",
        "bom-ref": reference,
        "name": plain(component.name or component.place),
    }
    if component.version:
        found["version"] = plain(component.version)[:_MOST_VERSION]
    if component.purl:
        found["purl"] = plain(component.purl)
    if component.place:
        found["evidence"] = {"occurrences": [{"location": plain(component.place)}]}
    kind = [("kind", component.kind)]
    if component.reference:
        kind.append(("reference", component.reference))
    found["properties"] = [
        {"name": f"tocsin:{name}", "value": plain(value)} for name, value in kind
    ]
    return found


def _annotation(
    finding: SupplierFinding, components: _Components, report: Report
) -> dict[str, Any]:
    supplier = finding.matches[0].supplier
    reference = components.reference(finding.component)
    bearing = bearings(finding)
    components.add(
        reference,
        [
            ("supplier", supplier.id),
            ("outcome", outcome_of(finding).value),
            ("use", finding.use.outcome.value),
            ("affects-use", "true" if affects_use(finding) else "false"),
            ("confidence", f"{finding.confidence:.2f}"),
            *(("rule", rule) for rule in dict.fromkeys(each.rule.id for each in bearing)),
            *(
                ("found-by", f"{each.trace.where}: {each.trace.value}")
                for each in finding.matches[:20]
            ),
        ],
    )
    return {
        "bom-ref": f"{reference}-{plain(supplier.id)}",
        "subjects": [reference],
        "annotator": {"component": _TOOL},
        "timestamp": instant(report.made),
        "text": f"{supplier.name}: {account(finding)} {DISCLAIMER}",
    }


def _vulnerabilities(
    findings: tuple[AdvisoryFinding, ...], components: _Components
) -> list[dict[str, Any]]:
    """One an advisory, with all the components that it affects."""
    found: dict[str, dict[str, Any]] = {}
    for finding in findings:
        advisory = finding.advisory
        reference = components.reference(finding.component)
        name = plain(advisory.id)
        if name not in found:
            found[name] = _vulnerability(finding)
        affects = found[name]["affects"]
        if {"ref": reference} not in affects:
            affects.append({"ref": reference})
    return list(found.values())


def _vulnerability(finding: AdvisoryFinding) -> dict[str, Any]:
    advisory = finding.advisory
    name = plain(advisory.id)
    link = address(advisory.link)
    about: dict[str, Any] = {
        "bom-ref": f"advisory-{name}",
        "id": name,
        "source": {"name": "OSV", **({"url": link} if link else {})},
    }
    if advisory.aliases:
        about["references"] = [
            {"id": plain(each), "source": {"name": "OSV"}} for each in advisory.aliases
        ]
    if advisory.summary:
        about["description"] = plain(advisory.summary)
    if advisory.published is not None:
        about["published"] = f"{advisory.published.isoformat()}T00:00:00Z"
    if advisory.is_malicious:
        about["ratings"] = [{"severity": "critical", "method": "other"}]
        about["recommendation"] = (
            "Remove the package, and treat the machines on which it was installed as compromised."
        )
        about["analysis"] = {
            "state": "exploitable",
            "detail": "The package was made to do harm; nobody needs to exploit it.",
        }
    else:
        about["analysis"] = {
            "state": "in_triage",
            "detail": "The version is one of those that are affected; whether the code is reached "
            "was not looked at.",
        }
        if advisory.fixed:
            about["analysis"]["response"] = ["update"]
            about["recommendation"] = plain(f"Update to {' or '.join(advisory.fixed)}.")
    about["affects"] = []
    return about
