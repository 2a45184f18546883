"""`tocsin audit` end to end: real files, the real rulebook, confined workers."""

from __future__ import annotations

import json
import os
from pathlib import Path

import jsonschema
import pytest
from click.testing import CliRunner

from audit.audit_files import DPKG, advisories, bill, infected_image, own_list
from audit.program_samples import tarred
from tocsin.app import audit_system
from tocsin.cli.audit import command
from tocsin.errors import LawError, SettingsError

_VALIDATOR = jsonschema.Draft202012Validator(
    json.loads((Path(__file__).resolve().parents[2] / "docs/audit.schema.json").read_text())
)


def run(*arguments: object, at: str = "2024-09-29"):
    return CliRunner().invoke(command, [*map(str, arguments), "--at", at, "--jobs", "1"])


def read(*arguments: object, at: str = "2024-09-29"):
    """What the JSON report says, and the exit status."""
    done = run(*arguments, "--json", at=at)
    assert done.stdout, done
    found = json.loads(done.stdout)
    _VALIDATOR.validate(found)
    return found, done.exit_code


@pytest.fixture
def bill_file(tmp_path):
    path = tmp_path / "sbom.cdx.json"
    path.write_bytes(bill(["@kaspersky/ui", "left-pad"]))
    return path


def test_an_image_with_a_supplier_under_a_rule_and_a_malicious_package(tmp_path):
    image = tmp_path / "image.tar"
    image.write_bytes(infected_image())
    found, status = read(image, "--place", "DE", "--osv", advisories(tmp_path))
    assert status == 1
    inside = {each["component"]["place"].rpartition("!")[2]: each for each in found["suppliers"]}
    assert set(inside) == {"var/lib/dpkg/status", "opt/av/scanner.exe"}
    for supplier in inside.values():
        assert supplier["component"]["place"].startswith(f"{image}!")
        assert supplier["outcome"] == supplier["operations"]["use"] == "warned"
        assert [rule["id"] for rule in supplier["rules"]] == ["de-bsi-2022/antivirus"]
    law = found["rules"]["de-bsi-2022/antivirus"]
    assert law["effective"] == "2022-03-14T23:00:00Z"
    assert law["binds"] == ["nobody"]
    (advisory,) = found["advisories"]
    assert advisory["id"] == "MAL-2024-7"
    assert advisory["component"]["name"] == "left-padd"


def test_a_day_begins_at_the_seat_of_government(bill_file):
    found, _ = read(bill_file, "--place", "US")
    assert found["facts"]["at"] == "2024-09-29T04:00:00Z"
    assert found["suppliers"][0]["operations"]["signature-update"] == "prohibited"
    found, _ = read(bill_file, "--place", "US", at="2024-09-29T03:59:59Z")
    assert found["suppliers"][0]["operations"]["signature-update"] == "allowed"


def test_what_fails_can_be_chosen(bill_file):
    assert run(bill_file, "--place", "DE").exit_code == 0
    assert run(bill_file, "--place", "DE", "--fail-on", "any").exit_code == 1
    assert run(bill_file, "--place", "US", "--fail-on", "malicious").exit_code == 0


def test_without_a_place_it_is_undetermined_and_says_what_is_missing(bill_file):
    done = run(bill_file)
    assert done.exit_code == 1
    assert "undetermined: no place is named" in done.stdout
    assert "--place" in done.stdout


def test_embedded_is_as_found_unless_it_is_stated(bill_file):
    asked = (bill_file, "--place", "AU", "--addressee", "government")
    found, _ = read(*asked, at="2025-06-01")
    assert found["facts"]["embedded"] == "as-found"
    found, status = read(*asked, "--embedded", "no", at="2025-06-01")
    assert found["facts"]["embedded"] is False
    assert (found["suppliers"][0]["operations"]["use"], status) == ("prohibited", 1)
    found, status = read(*asked, "--embedded", "yes", at="2025-06-01")
    assert (found["suppliers"][0]["operations"]["use"], status) == ("allowed", 0)


def test_a_list_of_ones_own(tmp_path):
    path = tmp_path / "sbom.cdx.json"
    path.write_bytes(bill(["acme-tools", "@kaspersky/ui"]))
    own = own_list(tmp_path)
    found, status = read(path, "--place", "DE", "--suppliers", own)
    assert status == 1
    assert [each["supplier"]["id"] for each in found["suppliers"]] == ["acme", "kaspersky"]
    assert found["suppliers"][0]["rules"][0]["id"] == "house-acme/none"
    found, _ = read(path, "--place", "DE", "--suppliers", own, "--supplier", "Acme Software")
    assert [each["supplier"]["id"] for each in found["suppliers"]] == ["acme"]


def test_a_mistake_in_ones_own_list_is_said_and_nothing_is_called_clean(tmp_path, bill_file):
    own = own_list(tmp_path)
    rule = own / "rules" / "house-acme.toml"
    rule.write_text(rule.read_text().replace("use-ban", "use-bann"))
    done = run(bill_file, "--suppliers", own)
    assert isinstance(done.exception, LawError)
    assert "house-acme.toml:14" in str(done.exception)
    assert isinstance(run(bill_file, "--suppliers", tmp_path / "no").exception, LawError)
    assert isinstance(run(bill_file, "--supplier", "nobody").exception, LawError)


# --- what could not be looked at -----------------------------------------------------------


def test_a_path_that_is_not_there_is_no_success(tmp_path, bill_file):
    found, status = read(bill_file, tmp_path / "nothing", "--place", "DE")
    assert status == 2
    assert found["unseen"] == [str(tmp_path / "nothing")]
    assert found["summary"]["components"] == 2
    assert run(bill_file, tmp_path / "nothing", "--place", "US").exit_code == 1


def test_a_file_that_no_reader_knows_is_no_success(tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text("a text\n")
    found, status = read(path, "--place", "DE")
    assert (found["unseen"], status) == ([str(path)], 2)


def test_a_broken_bill_is_no_success(tmp_path, bill_file):
    broken = tmp_path / "broken.cdx.json"
    broken.write_bytes(bill_file.read_bytes()[:60])
    found, status = read(broken, "--place", "DE")
    assert (found["unseen"], status) == ([str(broken)], 2)


def test_strict_fails_on_anything_that_was_skipped(tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "good.cdx.json").write_bytes(bill(["left-pad"]))
    assert run(folder, "--place", "DE", "--strict").exit_code == 0
    (folder / "broken.tar").write_bytes(tarred({"a.bin": b"\x7fELF" + b"a" * 5000})[:2500])
    relaxed = run(folder, "--place", "DE")
    assert relaxed.exit_code == 0
    assert "Not looked at, or not wholly" in relaxed.stdout
    assert run(folder, "--place", "DE", "--strict").exit_code == 2


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_is_no_success(bill_file):
    bill_file.chmod(0)
    assert run(bill_file, "--place", "DE").exit_code == 2


def test_advisories_that_are_not_there_are_no_success(tmp_path, bill_file):
    done = run(bill_file, "--place", "DE", "--osv", tmp_path / "none")
    assert done.exit_code == 2
    (tmp_path / "empty").mkdir()
    found, status = read(bill_file, "--place", "DE", "--osv", tmp_path / "empty")
    assert (found["unseen"], status) == ([str(tmp_path / "empty")], 2)
    found, status = read(bill_file, "--place", "DE", "--osv", advisories(tmp_path))
    assert (found["unseen"], status) == ([], 0)  # records, of packages that are not here


@pytest.mark.parametrize(
    ("options", "status"),
    [((), 2), (("--fail-on", "prohibited"), 0), (("--fail-on", "never"), 0)],
)
def test_a_package_that_may_be_malicious_is_no_success(tmp_path, options, status):
    path = tmp_path / "bill.cdx.json"
    path.write_text('{"bomFormat":"CycloneDX","components":[{"name":"a","purl":"pkg:npm/a"}]}')
    record = tmp_path / "MAL-1.json"
    record.write_text(
        '{"id":"MAL-1","affected":[{"package":{"ecosystem":"npm","name":"a"},"versions":["1"]}]}'
    )
    found, got = read(path, "--place", "DE", "--osv", record, *options)
    assert (found["undecided"], got) == ([str(path)], status)


# --- forms ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "begins"),
    [
        ("report.json", '{\n "format": 1,'),
        ("report.sarif", '{\n "$schema": "https://docs.oasis-open.org/sarif/'),
        ("report.cdx.json", '{\n "$schema": "http://cyclonedx.org/schema/bom-1.6'),
        ("report.html", "<!DOCTYPE html>"),
        ("report.txt", "Of 2 components: 1 component under a prohibition."),
    ],
)
def test_the_name_of_a_report_says_its_format(tmp_path, bill_file, name, begins):
    done = run(bill_file, "--place", "US", "-o", tmp_path / name)
    assert done.exit_code == 1
    assert (tmp_path / name).read_text().startswith(begins)
    assert "written" in done.stdout


def test_a_report_that_cannot_be_written_is_said(tmp_path, bill_file):
    done = run(bill_file, "--place", "US", "-o", tmp_path / "no" / "report.html")
    assert isinstance(done.exception, SettingsError)


def test_contradictions_are_refused(tmp_path, bill_file):
    assert run(bill_file, "--json", "--format", "html").exit_code == 2
    assert run("--no-system").exit_code == 2


def test_the_table_tells_a_person(bill_file, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    done = run(bill_file, "--place", "US")
    for said in (
        "PROHIBITED AO Kaspersky Lab: 1 component",
        "Use is not affected",
        "us-bis-icts-2021-002/updates",
        "from 2024-09-29 00:00 UTC-04:00",
        "the supplier",
        "@kaspersky/ui 1.0.0",
        "assumed: the system stands in the United States",
        "No legal advice",
    ):
        assert said in " ".join(done.stdout.split()), said


def test_hostile_names_do_not_reach_the_terminal(tmp_path):
    path = tmp_path / "sbom.cdx.json"
    path.write_bytes(bill(["@kaspersky/\x1b[31mred\u202e"]))
    done = run(path, "--place", "US")
    assert done.exit_code == 1
    assert "\x1b" not in done.stdout
    assert "\u202e" not in done.stdout


# --- this machine --------------------------------------------------------------------------


def test_without_a_path_the_machines_own_lists_are_read(tmp_path, monkeypatch):
    listing = audit_system.Listing("Debian packages", "status", (str(_machine(tmp_path)),))
    monkeypatch.setattr("tocsin.app.audit.installed", lambda: [listing])
    found, _ = read("--place", "DE")
    assert found["looked_in"] == ["Debian packages of this machine: status"]
    assert [each["component"]["name"] for each in found["suppliers"]] == ["kesl"]


def test_lists_are_found_where_systems_keep_them(tmp_path):
    _machine(tmp_path)
    for name in (
        "usr/lib/python3/dist-packages/one-1.0.dist-info/METADATA",
        "usr/local/lib/python3.11/site-packages/two.egg-info",
        "usr/lib/node_modules/npm/package.json",
        "usr/lib/node_modules/npm/node_modules/inner/package.json",
        "usr/lib/node_modules/@scope/three/package.json",
        "usr/lib/node_modules/npm/docs/package.json",
        "lib/apk/db/installed",
        "var/lib/rpm/rpmdb.sqlite",
    ):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")
    loop = tmp_path / "usr/lib/node_modules/npm/node_modules/self"
    loop.symlink_to(tmp_path / "usr/lib/node_modules")
    found = {
        listing.what: [os.path.relpath(path, tmp_path) for path in listing.files]
        for listing in audit_system.installed(tmp_path)
    }
    assert found == {
        "Debian packages": ["var/lib/dpkg/status"],
        "RPM packages": ["var/lib/rpm/rpmdb.sqlite"],
        "Alpine packages": ["lib/apk/db/installed"],
        "Python packages": [
            "usr/lib/python3/dist-packages/one-1.0.dist-info/METADATA",
            "usr/local/lib/python3.11/site-packages/two.egg-info",
        ],
        "npm packages": [
            "usr/lib/node_modules/npm/package.json",
            "usr/lib/node_modules/npm/node_modules/inner/package.json",
            "usr/lib/node_modules/@scope/three/package.json",
        ],
    }


def _machine(root: Path) -> Path:
    status = root / "var/lib/dpkg/status"
    status.parent.mkdir(parents=True)
    status.write_text(DPKG)
    return status
