"""The CycloneDX report: valid by the project's own validator, and read back by its library."""

from __future__ import annotations

import json

import pytest

from audit.audit_samples import (
    HOSTILE,
    MALICIOUS,
    VULNERABLE,
    facts,
    hostile,
    npm_package,
    report,
    signed_program,
)
from tocsin.audit.model import Skipped
from tocsin.audit.report.cyclonedx import to_cyclonedx

pytest.importorskip("cyclonedx", reason="cyclonedx-python-lib is not installed")

from cyclonedx.model.bom import Bom
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

_VALIDATOR = JsonStrictValidator(SchemaVersion.V1_6)


def _bom(made):
    text = to_cyclonedx(made)
    error = _VALIDATOR.validate_str(text)
    assert error is None, str(error)[:2000]
    bom = json.loads(text.encode())
    known = {component["bom-ref"] for component in bom["components"]}
    named = {each for annotation in bom["annotations"] for each in annotation["subjects"]}
    named |= {each["ref"] for one in bom["vulnerabilities"] for each in one["affects"]}
    assert named == known
    return bom


def test_a_component_has_its_law_as_annotation_and_properties():
    bom = _bom(report(signed_program(), npm_package(), asked=facts("US")))
    assert [component["name"] for component in bom["components"]] == [
        "scanner.exe",
        "@kaspersky/ui",
    ]
    properties = {(each["name"], each["value"]) for each in bom["components"][0]["properties"]}
    assert ("tocsin:outcome", "prohibited") in properties
    assert ("tocsin:affects-use", "false") in properties
    assert ("tocsin:rule", "us-bis-icts-2021-002/updates") in properties
    text = bom["annotations"][0]["text"]
    assert "prohibited: signature-update, software-update" in text
    assert "from 2024-09-29 00:00 UTC-04:00; it binds the supplier" in text
    assert "No legal advice" in text


def test_advisories_are_vulnerabilities_with_an_analysis():
    bom = _bom(report(advisories=(MALICIOUS, VULNERABLE)))
    analysed = {one["id"]: one["analysis"]["state"] for one in bom["vulnerabilities"]}
    assert analysed == {"MAL-2024-7": "exploitable", "GHSA-h5c8-rqwp-cp95": "in_triage"}
    assert bom["vulnerabilities"][1]["recommendation"] == "Update to 3.1.3."


def test_an_advisory_about_several_components_is_one_vulnerability():
    other = MALICIOUS._replace(component=MALICIOUS.component._replace(place="other.json"))
    bom = _bom(report(advisories=(MALICIOUS, other)))
    assert len(bom["vulnerabilities"]) == 1
    assert len(bom["vulnerabilities"][0]["affects"]) == 2


def test_the_library_reads_it():
    made = report(signed_program(), asked=facts("US"), advisories=(MALICIOUS,))
    read = Bom.from_json(json.loads(to_cyclonedx(made)))
    assert {component.name for component in read.components} == {"scanner.exe", "left-padd"}
    assert [one.id for one in read.vulnerabilities] == ["MAL-2024-7"]


def test_the_same_report_has_the_same_bytes():
    made = report(signed_program(), asked=facts("US"), skipped=(Skipped("a", "b"),))
    assert to_cyclonedx(made) == to_cyclonedx(made)
    assert json.loads(to_cyclonedx(made))["serialNumber"].startswith("urn:uuid:")


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_stays_text(text):
    bom = _bom(hostile(text))
    links = [one["source"].get("url", "https://") for one in bom["vulnerabilities"]]
    assert all(link.startswith("https://") for link in links)
