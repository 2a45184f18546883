"""`tocsin law`: its verbs, what they print for people and programs, and their exit statuses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from tocsin.cli.law import command

ASK = ["decide", "--supplier", "kaspersky", "--product", "antivirus"]
CUT_OFF = "2024-09-29T04:00:00Z"


@pytest.fixture(autouse=True)
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for rules of one's own, apart from the user's."""
    monkeypatch.setenv("TOCSIN_CONFIG_DIR", str(tmp_path / "config"))
    monkeypatch.setenv("TOCSIN_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("COLUMNS", "120")
    return tmp_path / "config" / "law"


def law(*arguments: str) -> Result:
    return CliRunner().invoke(command, arguments, catch_exceptions=True)


def asked(*arguments: str) -> dict[str, Any]:
    read: dict[str, Any] = json.loads(law(*arguments, "--json").stdout)
    return read


@pytest.mark.parametrize(
    ("arguments", "outcome", "status"),
    [
        (["--operation", "signature-update", "--place", "US", "--at", "2024-09-29T03:59:59Z"],
         "allowed", 0),
        (["--operation", "signature-update", "--place", "US", "--at", CUT_OFF], "prohibited", 1),
        (["--operation", "sell", "--place", "US", "--at", "2024-07-19"], "allowed", 0),
        (["--operation", "sell", "--place", "US", "--at", "2024-07-20"], "prohibited", 1),
        (["--operation", "use", "--place", "DE", "--at", "2024-01-01"], "warned", 0),
        (["--operation", "sell", "--at", "2024-10-01"], "undetermined", 2),
        (["--operation", "use", "--place", "EU", "--addressee", "government", "--at",
          "2025-06-01"], "undetermined", 2),
        (["--operation", "sell", "--place", "unknown", "--at", "2024-10-01"], "undetermined", 2),
        (["--operation", "sell", "--place", "DE", "--person", "US", "--at", "2024-10-01"],
         "prohibited", 1),
        (["--operation", "sell", "--place", "DE", "--person", "citizen:US", "--at", "2024-10-01"],
         "prohibited", 1),
        (["--operation", "sell", "--place", "DE", "--person", "us-citizen", "--at", "2024-10-01"],
         "prohibited", 1),
        (["--operation", "sell", "--place", "DE", "--person", "unknown", "--at", "2024-10-01"],
         "undetermined", 2),
        (["--operation", "sell", "--place", "FR", "--system-in", "US", "--at", "2024-10-01"],
         "prohibited", 1),
        (["--operation", "use", "--place", "AU", "--addressee", "government", "--at", "2026-01-01"],
         "prohibited", 1),
        (["--operation", "use", "--place", "AU", "--addressee", "government", "--embedded",
          "--at", "2026-01-01"], "allowed", 0),
        (["--operation", "use", "--place", "AU", "--addressee", "government", "--embedded",
          "unknown", "--at", "2026-01-01"], "undetermined", 2),
        (["--operation", "use", "--place", "US", "--circumstance", "subsidised", "--at",
          "2023-01-01"], "prohibited", 1),
        (["--operation", "uninstall", "--place", "unknown", "--person", "unknown"], "allowed", 0),
        (["--operation", "scan"], "allowed", 0),
    ],
)  # fmt: skip
def test_decide(arguments: list[str], outcome: str, status: int) -> None:
    done = law(*ASK, *arguments, "--json")
    assert done.exit_code == status
    said = json.loads(done.stdout)
    assert said["outcome"] == outcome
    shown = law(*ASK, *arguments)
    assert shown.exit_code == status
    assert shown.stdout.startswith(outcome)
    assert "no legal advice" in shown.stdout
    if outcome == "prohibited":
        assert said["rules"][0]["citation"] in " ".join(shown.stdout.split())


def test_a_decision_prints_its_assumptions_and_every_rule() -> None:
    said = asked(*ASK, "--operation", "sell", "--place", "US", "--at", "2024-07-19")
    assert said["next_change"] == {"at": "2024-07-20T04:00:00Z", "outcome": "prohibited"}
    assert any("private person" in each for each in said["assumptions"])
    assert any("2024-07-19T00:00:00-04:00" in each for each in said["assumptions"])
    assert len(said["considered"]) > 20
    shown = law(*ASK, "--operation", "sell", "--place", "US", "--at", "2024-07-19", "--all").stdout
    for each in said["considered"]:
        assert each["rule"].partition("/")[0] in shown
        assert each["reason"][:12] in shown


@pytest.mark.parametrize(
    "person",
    ["US", "us", "citizen:US", "national:us", "us-citizen", "US citizen", "citizen-US", "us-person",
     "resident:US", "company:US", "organised:US", "person:US"],
)  # fmt: skip
def test_a_us_person_as_people_write_it(person: str) -> None:
    said = asked(
        *ASK, "--operation", "sell", "--place", "DE", "--person", person, "--at", "2024-10-01"
    )
    assert said["outcome"] == "prohibited"


@pytest.mark.parametrize("who", ["government", "public-body", "GOVERNMENT"])
def test_an_addressee_as_people_write_it(who: str) -> None:
    said = asked(
        *ASK, "--operation", "buy", "--place", "PL", "--addressee", who, "--at", "2023-01-01"
    )
    assert {each["kind"] for each in said["considered"] if each["applies"] == "yes"} == {
        "procurement-ban", "recommendation"
    }  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--supplier", "nobody", "--operation", "sell"], "it knows: kaspersky"),
        (["--supplier", "kaspersky", "--operation", "sel"], "did you mean sell"),
        (["--supplier", "kaspersky", "--operation", "sell", "--product", "virus"], "antivirus"),
        (["--supplier", "kaspersky", "--operation", "sell", "--place", "Utopia"], "no country"),
        (["--supplier", "kaspersky", "--operation", "sell", "--person", "born:US"], "citizen:CC"),
        (["--supplier", "kaspersky", "--operation", "sell", "--at", "tomorrow"], "no instant"),
        (["--supplier", "kaspersky", "--operation", "sell", "--at", "2024-09-29T04:00:00"],
         "no time zone"),
        (["--supplier", "kaspersky", "--operation", "sell", "--at", "0001-01-01T00:00:00+14:00"],
         "no time in UTC"),
        (["--supplier", "kaspersky", "--operation", "sell", "--circumstance", "rich"],
         "there are subsidised"),
        (["--supplier", "kaspersky", "--operation", "sell", "--circumstance", "subsidised=maybe"],
         "yes, no or unknown"),
    ],
)  # fmt: skip
def test_a_question_that_is_not_understood(arguments: list[str], words: str) -> None:
    done = law("decide", *arguments)
    assert words in str(done.exception)


def test_list_and_explain() -> None:
    said = asked("list", "--place", "US")
    assert {each["jurisdiction"] for each in said["instruments"]} == {"US"}
    assert "us-bis-icts-2021-002" in law("list").stdout
    for each in said["instruments"]:
        explained = law("explain", each["id"])
        assert explained.exit_code == 0
        assert "basis" in explained.stdout
        assert asked("explain", each["id"])["citation"] == each["citation"]
    one = asked("explain", "de-bsi-2022/antivirus")
    assert [each["id"] for each in one["rules"]] == ["de-bsi-2022/antivirus"]
    assert "tocsin law list" in str(law("explain", "nothing").exception)


def test_timeline_in_the_terminal_and_as_a_picture(tmp_path: Path) -> None:
    picture = tmp_path / "us.svg"
    done = law("timeline", "US", "--supplier", "kaspersky", "--svg", str(picture))
    assert done.exit_code == 0
    assert "2024-07-20" in done.stdout
    assert "2024-09-29" in done.stdout
    assert picture.read_text().startswith("<svg")
    said = asked("timeline", "US", "--supplier", "kaspersky", "--operation", "signature-update")
    (row,) = said["rows"]
    assert [each["outcome"] for each in row["spans"]] == ["allowed", "prohibited"]
    assert row["spans"][1]["from"] == CUT_OFF


def test_simulate_a_period() -> None:
    said = asked(
        "simulate", "--supplier", "kaspersky", "--place", "US", "--from", "2024-06-01", "--to",
        "2024-11-01",
    )  # fmt: skip
    assert {each["at"] for each in said["changes"]} == {"2024-07-20T04:00:00Z", CUT_OFF}
    assert len(said["days"]) == 153
    quiet = law(
        "simulate", "--supplier", "kaspersky", "--place", "FR", "--from", "2024-01-01", "--to",
        "2024-02-01",
    )  # fmt: skip
    assert "Nothing changes" in quiet.stdout


def test_simulate_requests(tmp_path: Path) -> None:
    diary = tmp_path / "orders.jsonl"
    lines = [
        {"operation": "sell", "product": "antivirus", "at": "2024-07-19", "place": "US"},
        {"operation": "sell", "product": "antivirus", "at": "2024-07-20", "place": "US"},
        {"operation": "sell", "product": "antivirus", "at": "2024-07-20", "place": ["DE"],
         "person": "citizen:DE"},
        {"operation": "sell", "product": "antivirus", "at": "2024-07-20", "person": "unknown"},
    ]  # fmt: skip
    diary.write_text("\n".join(map(json.dumps, lines)))
    done = law("simulate", "--supplier", "kaspersky", "--requests", str(diary), "--json")
    outcomes = [json.loads(line)["outcome"] for line in done.stdout.splitlines()]
    assert outcomes == ["allowed", "prohibited", "warned", "undetermined"]
    assert done.exit_code == 1
    diary.write_text(json.dumps(lines[0]) + "\n{}\n")
    assert f"{diary}:2" in str(
        law("simulate", "--supplier", "kaspersky", "--requests", str(diary)).exception
    )


def test_check_tells_line_and_key(own: Path) -> None:
    assert law("check").exit_code == 0
    packaged = Path(__file__).parents[2] / "src" / "tocsin" / "data" / "rulebook" / "rules"
    text = (packaged / "de-bsi-2022.toml").read_text("utf-8")
    (own / "rules").mkdir(parents=True)
    mine = own / "rules" / "our-policy.toml"
    mine.write_text(text.replace("de-bsi-2022", "our-policy").replace('"warning"', '"warnin"'))
    done = law("check", str(own))
    assert done.exit_code == 1
    assert f"{mine}:21: [[rule]] 1 'antivirus': kind: " in done.stdout
    problem = json.loads(law("check", str(mine), "--json").stdout)["problems"][0]
    assert (problem["line"], problem["key"]) == (21, "[[rule]] 1 'antivirus': kind")
    mine.write_text(text.replace('id = "de-bsi-2022"', 'id = "our-policy"'))
    assert law("check", str(own)).exit_code == 0
    assert "our-policy" in law("list").stdout
    assert "our-policy/antivirus" in json.dumps(
        asked(*ASK, "--operation", "use", "--place", "DE", "--at", "2024-01-01")["rules"]
    )


def test_diff_of_two_editions(tmp_path: Path) -> None:
    packaged = Path(__file__).parents[2] / "src" / "tocsin" / "data" / "rulebook"
    assert law("diff", str(packaged)).exit_code == 0
    import shutil

    other = tmp_path / "other"
    shutil.copytree(packaged, other)
    (other / "rules" / "de-bsi-2022.toml").unlink()
    done = law("diff", str(packaged), str(other))
    assert done.exit_code == 1
    assert "- de-bsi-2022/antivirus" in done.stdout
    assert "warned → allowed" in done.stdout
    said = asked("diff", str(packaged), str(other))
    assert {each["place"] for each in said["answers"]} == {"DE", "EU"}  # DE is in the EU


def test_schema_is_json() -> None:
    for kind in ("instrument", "supplier", "edition"):
        assert json.loads(law("schema", kind).stdout)["$schema"].startswith("https://json-schema")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--circumstance", "subsidised=yes", "--circumstance", "subsidised=no"], "two ways"),
        (["--at", "0001-01-01"], "no beginning in UTC"),
        (["--product", "other"], "--product is stated in two ways"),
        (["--at", "2020-01-01", "--at", "2026-01-01"], "--at is stated in two ways"),
        (["--at", "2024-09-29T03:59:60Z"], "no instant"),
        (["--at", "2024-09-29T04:00:00"], "no time zone"),
    ],
)
def test_what_cannot_be_meant_is_refused(arguments: list[str], words: str) -> None:
    from tocsin.errors import TocsinError

    done = law(*ASK, "--operation", "buy", "--place", "AU", *arguments)
    assert isinstance(done.exception, TocsinError)
    assert words in str(done.exception)


FREE = """id = "free"
title = "A wish"
authority = "Me"
instrument = "A wish"
citation = "none"
jurisdiction = "US"
suppliers = ["kaspersky"]
status = "{status}"
basis = "general"
[[rule]]
name = "all"
summary = "frees all"
kind = "exemption"
binds = ["nobody"]
operations = ["sell"]
products = ["cybersecurity"]
nexus = {{ places = ["US"], persons = ["US"] }}
embedded = "included"
effective = 2000-01-01T00:00:00Z
exempts = ["us-bis-icts-2021-002"]
basis = "general"
"""


def test_who_frees_from_an_act_of_another_is_told(own: Path) -> None:
    (own / "rules").mkdir(parents=True)
    (own / "rules" / "free.toml").write_text(FREE.format(status="in-force"))
    arguments = [*ASK, "--operation", "sell", "--place", "US", "--at", "2025-01-01"]
    said = asked(*arguments)
    assert said["outcome"] == "allowed"
    assert len(said["beware"]) == 1
    assert "free/all takes us-bis-icts-2021-002/new-agreements" in said["beware"][0]
    assert "Beware:" in law(*arguments).stdout
    plan = law("withdraw", "plan", "--place", "US", "--supplier", "kaspersky").stdout
    assert "is taken away by free/all" in plan
    (own / "rules" / "free.toml").unlink()
    assert asked(*arguments)["beware"] == []


def test_an_act_that_has_ended_says_until_when_it_was_law(own: Path) -> None:
    (own / "rules").mkdir(parents=True)
    (own / "rules" / "free.toml").write_text(FREE.format(status="ended"))
    done = law("check")
    assert done.exit_code == 1
    assert "ends: missing" in done.stdout


def test_an_identifier_of_the_rulebook_is_taken(own: Path) -> None:
    packaged = Path(__file__).parents[2] / "src" / "tocsin" / "data" / "rulebook"
    (own / "rules").mkdir(parents=True)
    (own / "rules" / "de-bsi-2022.toml").write_bytes(
        (packaged / "rules" / "de-bsi-2022.toml").read_bytes()
    )
    done = law("list")
    assert "give yours another id" in str(done.exception)
    assert "give yours another id" in law("check").stdout


def test_a_supplier_in_only_one_edition_is_said(tmp_path: Path) -> None:
    import shutil

    packaged = Path(__file__).parents[2] / "src" / "tocsin" / "data" / "rulebook"
    other = tmp_path / "other"
    shutil.copytree(packaged, other)
    (other / "suppliers" / "acme.toml").write_text('id = "acme"\nname = "Acme"\n')
    assert (
        "Not compared, since only one has them: acme."
        in law("diff", str(packaged), str(other)).stdout
    )


@pytest.mark.parametrize(
    ("verb", "words"),
    [
        (["timeline", "US", "--from", "9999-12-01"], "state --to"),
        (["simulate", "--place", "US", "--from", "1000-01-01", "--to", "9999-01-01", "--json"],
         "days"),
    ],
)  # fmt: skip
def test_periods_without_end(verb: list[str], words: str) -> None:
    done = law(*verb, "--supplier", "kaspersky")
    assert words in str(done.exception)
    assert "defect" not in done.output


GOOD = '{"operation": "sell", "product": "antivirus", "place": "US", "at": "2025-01-01"}'


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (GOOD[:-1] + ', "place": "FR"}', "twice"),  # else the last would count
        (GOOD[:-1] + ', "embedded": "Yes"}', "yes, no or unknown"),
        (GOOD.replace("US", "U\\u001b"), "no country"),
        ("a" * 200_000, "longer than"),
        ("[" * 50_000, "not JSON"),
        ("\udcff", "not JSON"),
        ("[]", "expected an object"),
    ],
)
def test_a_request_that_is_none_is_told_with_its_line(
    tmp_path: Path, line: str, words: str
) -> None:
    file = tmp_path / "requests.jsonl"
    file.write_bytes(f"{GOOD}\n{line}\n".encode("utf-8", "surrogateescape"))
    done = law("simulate", "--supplier", "kaspersky", "--requests", str(file))
    assert f"{file}:2: " in str(done.exception)
    assert words in str(done.exception)


def test_a_key_without_end_is_refused_at_once(tmp_path: Path) -> None:
    file = tmp_path / "long.toml"
    file.write_text("id = 'long'\n" + ".".join(["a"] * 200_000) + " = 1\n")
    done = law("check", str(file))
    assert done.exit_code == 1
    assert f"{file}:2: a key of more than" in done.stdout
    file.write_text("note = '" + "a. " * 240 + "'\n" + "hosts = [" + "'a.example', " * 900 + "]\n")
    assert "parts" not in law("check", str(file)).stdout
