"""Linux's packages, held against what dpkg and rpm say themselves."""

from __future__ import annotations

import shutil
import sqlite3
import struct
import subprocess
from datetime import date
from pathlib import Path

import pytest

from tocsin.audit.model import Component, Skipped
from tocsin.audit.packages import apk, dpkg, rpm_bdb, rpm_export, rpm_ndb, rpm_sqlite
from tocsin.jurisdiction.vocabulary import MarkerKind

STATUS = Path("/var/lib/dpkg/status")


def run(*command: object) -> str:
    return subprocess.run(
        [str(word) for word in command], capture_output=True, text=True, check=True
    ).stdout


@pytest.mark.skipif(not (STATUS.exists() and shutil.which("dpkg-query")), reason="no dpkg here")
def test_this_machines_packages_are_those_that_dpkg_lists() -> None:
    listed = run("dpkg-query", "-W", "-f", "${db:Status-Status}\t${Package}\t${Version}\n")
    expected = [line.split("\t")[1:] for line in listed.splitlines()]
    states = [line.split("\t")[0] for line in listed.splitlines()]
    there = sorted(
        tuple(row)
        for row, state in zip(expected, states, strict=True)
        if state not in ("config-files", "not-installed")
    )
    with STATUS.open("rb") as file:
        found = list(dpkg.read(file, str(STATUS)))
    assert sorted((each.name, each.version) for each in found) == there


def test_a_paragraph_of_dpkg() -> None:
    status = b"""Package: kesl-sample
Status: install ok installed
Maintainer: Kaspersky <support@kaspersky.com>
Architecture: amd64
Source: kesl (12.0-1)
Version: 12.0-1+b1
Homepage: https://www.kaspersky.com/endpoint
Description: one
 Package: not one

Package: gone
Status: deinstall ok config-files
Version: 1

Version: 2
"""
    one, broken = dpkg.read(status, "p")
    assert isinstance(one, Component)
    assert one.purl == "pkg:deb/kesl-sample@12.0-1%2Bb1?arch=amd64&upstream=kesl%4012.0-1"
    assert {(trace.kind, trace.value) for trace in one.traces} == {
        (MarkerKind.PACKAGE, "deb:kesl-sample"),
        (MarkerKind.SUPPLIER_NAME, "Kaspersky <support@kaspersky.com>"),
        (MarkerKind.HOST, "kaspersky.com"),
        (MarkerKind.HOST, "www.kaspersky.com"),
    }
    assert isinstance(broken, Skipped)


def test_status_d_has_no_states() -> None:
    (one,) = dpkg.read(b"Package: tzdata\nVersion: 2024a\nArchitecture: all\n", "p")
    assert (one.name, one.version) == ("tzdata", "2024a")


def test_apks_database() -> None:
    installed = b"""C:Q1abc=
P:musl
V:1.2.4-r2
A:x86_64
S:1
I:2
T:the musl c library
U:https://musl.libc.org/
L:MIT
o:musl-source
m:Somebody <s@alpine.example>
t:1690000000
p:so:libc.musl-x86_64.so.1=1
F:lib
R:libc.so
a:0:0:777

P:next
V:1-r0
"""
    musl, after = apk.read(installed, "p")
    assert musl.purl == "pkg:apk/musl@1.2.4-r2?arch=x86_64&upstream=musl-source"
    assert musl.made == date(2023, 7, 22)
    assert {trace.value for trace in musl.traces} == {
        "apk:musl",
        "Somebody <s@alpine.example>",
        "alpine.example",
        "musl.libc.org",
    }
    assert (after.name, after.version) == ("next", "1-r0")


SPEC = """Name: {name}
Version: 1.2
Release: 3
{epoch}
Summary: sample
License: none
Vendor: AO Kaspersky Lab
Packager: Someone <someone@kaspersky.com>
URL: https://www.kaspersky.com/x
BuildArch: noarch
%description
sample
%files
"""


@pytest.fixture(scope="module")
def rpm_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if not (shutil.which("rpmbuild") and shutil.which("rpm")):
        pytest.skip("no rpm here; on Debian: apt-get install rpm")
    folder = tmp_path_factory.mktemp("rpm")
    for name, epoch in (("kesl-sample", "Epoch: 2"), ("other", "")):
        (folder / f"{name}.spec").write_text(SPEC.format(name=name, epoch=epoch))
        run("rpmbuild", "--define", f"_topdir {folder}/top", "-bb", folder / f"{name}.spec")
    packages = sorted((folder / "top/RPMS/noarch").glob("*.rpm"))
    place = ("--dbpath", folder / "db", "--define", "_db_backend sqlite")
    run("rpm", *place, "--initdb")
    run("rpm", *place, "-i", "--justdb", "--nodeps", "--noscripts", *packages)
    return folder / "db"


def headers(database: Path) -> list[bytes]:
    connection = sqlite3.connect(database / "rpmdb.sqlite")
    try:
        return [row[0] for row in connection.execute("SELECT blob FROM Packages")]
    finally:
        connection.close()


def demand_both(found: list[Component | Skipped]) -> None:
    """The two packages as rpm built them."""
    assert sorted((each.name, each.version) for each in found) == [
        ("kesl-sample", "2:1.2-3"),
        ("other", "1.2-3"),
    ]
    kesl = max(found, key=lambda each: each.version)
    assert isinstance(kesl, Component)
    assert kesl.purl == (
        "pkg:rpm/kesl-sample@1.2-3?arch=noarch&epoch=2&upstream=kesl-sample-1.2-3.src.rpm"
    )
    assert {(trace.kind, trace.value) for trace in kesl.traces} >= {
        (MarkerKind.PACKAGE, "rpm:kesl-sample"),
        (MarkerKind.SUPPLIER_NAME, "AO Kaspersky Lab"),
        (MarkerKind.HOST, "www.kaspersky.com"),
        (MarkerKind.HOST, "kaspersky.com"),
    }


def test_rpms_database_in_sqlite(rpm_database: Path) -> None:
    with (rpm_database / "rpmdb.sqlite").open("rb") as file:
        found = list(rpm_sqlite.read(file, "p"))
    demand_both(found)
    assert found[0].made is not None


def test_what_is_still_in_a_log_is_said(rpm_database: Path, tmp_path: Path) -> None:
    copy = tmp_path / "rpmdb.sqlite"
    shutil.copy(rpm_database / "rpmdb.sqlite", copy)
    (tmp_path / "rpmdb.sqlite-wal").write_bytes(b"x")
    with copy.open("rb") as file:
        reasons = [each.reason for each in rpm_sqlite.read(file, "p") if isinstance(each, Skipped)]
    assert len(reasons) == 1
    assert "rpm -qa" in reasons[0]


def test_a_view_in_the_place_of_the_table_is_not_run() -> None:
    connection = sqlite3.connect(":memory:")
    connection.execute(
        "CREATE VIEW Packages AS WITH RECURSIVE n(blob) AS (SELECT 1 UNION ALL SELECT 1 FROM n) "
        "SELECT blob FROM n"
    )
    (only,) = rpm_sqlite.read(connection.serialize(), "p")
    assert isinstance(only, Skipped)
    assert "no table" in only.reason


def test_rpms_database_in_berkeley_db(rpm_database: Path, tmp_path: Path) -> None:
    load = shutil.which("db5.3_load") or shutil.which("db_load")
    if load is None:
        pytest.skip("no db_load here; on Debian: apt-get install db5.3-util")
    lines = ["VERSION=3", "format=bytevalue", "type=hash", "db_pagesize=4096", "HEADER=END"]
    lines += [" 00000000", " 02000000"]  # the entry that counts
    big = headers(rpm_database)
    for number, blob in enumerate(big, 1):
        lines += [f" {struct.pack('<I', number).hex()}", f" {blob.hex()}"]
    dump = "\n".join([*lines, "DATA=END", ""])
    subprocess.run([load, str(tmp_path / "Packages")], input=dump, text=True, check=True)
    demand_both(list(rpm_bdb.read((tmp_path / "Packages").read_bytes(), "p")))


def test_rpms_own_database(rpm_database: Path) -> None:
    """Laid out by hand: Debian's rpm does not write this kind."""
    slots, blobs = b"", b""
    for number, blob in enumerate(headers(rpm_database), 1):
        block = (4096 + len(blobs)) // 16
        held = struct.pack("<4s3I", b"BlbS", number, 1, len(blob)) + blob
        held += bytes(-len(held) % 16)
        slots += struct.pack("<4s3I", b"Slot", number, block, len(held) // 16)
        blobs += held
    free = struct.pack("<4s3I", b"Slot", 0, 0, 0)
    head = struct.pack("<4s7I", b"RpmP", 0, 1, 1, 3, 0, 0, 0) + slots
    head += free * ((4096 - len(head)) // 16)
    demand_both(list(rpm_ndb.read(head + blobs, "p")))
    cut = list(rpm_ndb.read((head + blobs)[:-2000], "p"))
    assert len(cut) == 2
    assert any(isinstance(each, Skipped) for each in cut) or len(blobs) > 2000


def test_what_rpm_prints(rpm_database: Path) -> None:
    place = ("--dbpath", rpm_database, "--define", "_db_backend sqlite")
    names = run("rpm", *place, "-qa").encode()
    assert {(each.name, each.version) for each in rpm_export.read(names, "p")} == {
        ("kesl-sample", "1.2-3"),
        ("other", "1.2-3"),
    }
    table = run("rpm", *place, "-qa", "--queryformat", rpm_export.QUERY_FORMAT).encode()
    demand_both(list(rpm_export.read(table, "p")))
    information = list(rpm_export.read(run("rpm", *place, "-qai").encode(), "p"))
    demand_both(information)


@pytest.mark.parametrize(
    ("line", "name", "version"),
    [
        ("bash-5.1.8-6.el9.x86_64", "bash", "5.1.8-6.el9"),
        ("gpg-pubkey-8483c65d-5ccc5b19", "gpg-pubkey", "8483c65d-5ccc5b19"),
        ("python3-pip-wheel-21.3.1-1.el9.noarch", "python3-pip-wheel", "21.3.1-1.el9"),
        ("libstdc++-11.4.1-3.el9.i686", "libstdc++", "11.4.1-3.el9"),
    ],
)
def test_names_of_rpm(line: str, name: str, version: str) -> None:
    (one,) = rpm_export.read(line.encode(), "p")
    assert (one.name, one.version) == (name, version)
