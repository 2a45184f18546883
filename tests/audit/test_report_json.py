"""The JSON report is what docs/audit.schema.json says, whatever files say."""

from __future__ import annotations

import json
from pathlib import Path

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
from tocsin.audit.report.json_report import to_json

SCHEMA = json.loads((Path(__file__).resolve().parents[2] / "docs/audit.schema.json").read_text())
_VALIDATOR = jsonschema.Draft202012Validator(
    SCHEMA, format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER
)


def _read(made):
    read = json.loads(to_json(made))
    _VALIDATOR.validate(read)
    return read


def test_the_schema_itself_is_one():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


def test_a_finding_tells_outcome_rule_date_and_addressee():
    read = _read(report(signed_program(), npm_package(), asked=facts("US")))
    assert read["summary"]["prohibited"] == 2
    finding = read["suppliers"][0]
    assert finding["outcome"] == "prohibited"
    assert finding["operations"]["use"] == "allowed"
    assert finding["affects_use"] is False
    assert finding["why_use_is_allowed"]
    rule = next(one for one in finding["rules"] if "signature-update" in one["operations"])
    law = read["rules"][rule["id"]]
    assert law["effective"] == "2024-09-29T04:00:00Z"
    assert law["binds"] == ["supplier"]
    assert law["citation"].startswith("89 FR 52434")


def test_everything_that_can_be_in_it_is_as_described():
    for place in ("US", "DE", "AU", "JP"):
        _read(
            report(
                signed_program(embedded=None),
                asked=facts(place, addressees=("government",), embedded=None),
                advisories=(MALICIOUS, VULNERABLE),
                skipped=(Skipped("a", "b"),),
            )
        )
    read = _read(report(signed_program(), asked=facts(addressees=None)))
    assert read["facts"]["addressees"] is None
    assert read["suppliers"][0]["outcome"] == "undetermined"


def test_rules_that_were_named_are_there():
    read = _read(report(signed_program(), asked=facts("US")))
    named = {one["id"] for finding in read["suppliers"] for one in finding["rules"]}
    assert named <= set(read["rules"])


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_can_be_encoded_and_read_back(text):
    made = to_json(hostile(text))
    read = json.loads(made.encode())
    _VALIDATOR.validate(read)
    assert read["suppliers"][0]["component"]["name"]
