"""`docs/report.schema.json` describes exactly what a report says, and nothing else passes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from engine_samples import BODY_RULE, PAYLOAD, WRAPPINGS, DatabaseMaker, mailbox, zipped

from tocsin import Exceptions, Level, Limits, Options, Report, Scanner, Verdict
from tocsin.engine.report import Detection, ProcessInfo, SkippedObject
from tocsin.protect.actions import Action, Outcome
from tocsin.unpack.interface import Reason

SCHEMA = json.loads(
    (Path(__file__).resolve().parents[2] / "docs" / "report.schema.json").read_text()
)
VALID = jsonschema.Draft202012Validator(SCHEMA)


def test_schema_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("wrapping", WRAPPINGS)
@pytest.mark.parametrize("rule", [BODY_RULE, "Other:0:*:6e6f7468657265\n"])
@pytest.mark.parametrize(
    "options",
    [
        Options(),
        Options(all_matches=False),
        Options(limits=Limits(max_files=1)),
        Options(exceptions=Exceptions.of(names=["Test.Needle"])),
    ],
    ids=["plain", "first", "limited", "excepted"],
)
def test_reports_are_as_described(
    wrapping: str, rule: str, options: Options, database: DatabaseMaker
) -> None:
    report = Scanner(database(a_ndb=rule), options).scan_bytes(WRAPPINGS[wrapping][0](PAYLOAD))
    VALID.validate(report.to_dict())


@pytest.mark.parametrize("name", ["missing", "caf\udce9", "."])
def test_reports_of_what_cannot_be_read_are_as_described(
    name: str, database: DatabaseMaker, tmp_path: Path
) -> None:
    report = Scanner(database(a_ndb=BODY_RULE)).scan_file(tmp_path / name)
    assert report.verdict is Verdict.ERROR
    VALID.validate(json.loads(json.dumps(report.to_dict())))


def test_every_property_and_word_is_described_and_used() -> None:
    plain = Report("x").to_dict()
    assert set(plain) == set(SCHEMA["properties"]) - {"outcome"} == set(SCHEMA["required"])
    kinds = SCHEMA["$defs"]
    done = Outcome(action=Action.REPORT, state="reported").to_dict()
    assert list(kinds["outcome"]["properties"]) == list(done) == kinds["outcome"]["required"]
    assert kinds["outcome"]["properties"]["action"]["enum"] == [one.value for one in Action]
    assert list(kinds["detection"]["properties"]) == list(Detection._fields)
    assert kinds["detection"]["required"] == list(Detection._fields)
    assert kinds["skipped"]["required"] == list(SkippedObject._fields)
    assert list(kinds["process"]["properties"]) == list(ProcessInfo._fields)
    assert kinds["process"]["required"] == list(ProcessInfo._fields)
    assert SCHEMA["properties"]["verdict"]["enum"] == [verdict.value for verdict in Verdict]
    assert kinds["detection"]["properties"]["level"]["enum"] == [level.value for level in Level]
    reasons = {reason.value for reason in Reason} - {"duplicate"} | {"allowed"}
    assert set(kinds["skipped"]["properties"]["reason"]["enum"]) == reasons
    described = [SCHEMA, *kinds.values(), *SCHEMA["properties"].values(), *SCHEMA["allOf"]]
    described += [
        value
        for kind in ("detection", "skipped", "process", "outcome")
        for value in kinds[kind]["properties"].values()
        if "$ref" not in value
    ]
    assert all(len(part["description"]) > 10 for part in described)


def infected() -> dict[str, Any]:
    report = Report("x")
    report.detections.append(Detection("A", "a.ndb", "x", 3, sha256="0" * 64))
    report.skipped.append(SkippedObject("x", "limit", "too much"))
    report.sha256 = "f" * 64
    return report.to_dict()


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("verdict",), "fine"),
        (("verdict",), "clean"),
        (("verdict",), "incomplete"),
        (("size",), -1),
        (("size",), "12"),
        (("sha256",), "F" * 64),
        (("sha256",), "f" * 63),
        (("extra",), 1),
        (("detections",), []),
        (("detections", 0, "offset"), -1),
        (("detections", 0, "level"), "awful"),
        (("detections", 0, "more"), 1),
        (("detections", 0, "sha256"), ""),
        (("skipped", 0, "reason"), "duplicate"),
        (("skipped", 0, "detail"), ""),
        (("errors",), [""]),
        (("path",), None),
    ],
)
def test_what_is_not_as_described_is_refused(place: tuple[Any, ...], value: object) -> None:
    values = infected()
    VALID.validate(values)
    part: Any = values
    for step in place[:-1]:
        part = part[step]
    part[place[-1]] = value
    with pytest.raises(jsonschema.ValidationError):
        VALID.validate(values)


@pytest.mark.parametrize("key", Report("x").to_dict())
def test_nothing_is_left_out(key: str) -> None:
    values = infected()
    del values[key]
    with pytest.raises(jsonschema.ValidationError):
        VALID.validate(values)
    if key != "verdict":  # which follows from the others
        with pytest.raises(KeyError):
            Report.from_dict(values)


def test_report_survives_json(database: DatabaseMaker) -> None:
    report = Scanner(database(a_ndb=BODY_RULE)).scan_bytes(zipped(mailbox(PAYLOAD), "a\xe9"), "x")
    stated = report.to_dict()
    again = Report.from_dict(json.loads(json.dumps(stated)))
    assert again.to_dict() == stated
    assert again.verdict is report.verdict
    assert again.detections == report.detections
