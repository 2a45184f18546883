"""Windows programs: winget's export and table, exports of the registry in their encodings."""

from __future__ import annotations

import json

import pytest

from tocsin.audit.model import Component, Skipped
from tocsin.audit.packages import windows_registry, winget
from tocsin.jurisdiction.vocabulary import MarkerKind


def publishers(one: Component) -> set[str]:
    return {t.value for t in one.traces if t.kind is MarkerKind.WINGET_PUBLISHER}


def test_an_export_of_winget() -> None:
    export = {"$schema": "x", "Sources": [{"Packages": [
        {"PackageIdentifier": "Kaspersky.VPN", "Version": "1.2"},
        {"PackageIdentifier": "9NBLGGH4NNS1"}, {},
    ], "SourceDetails": {"Name": "winget"}}]}  # fmt: skip
    found = list(winget.read_export(json.dumps(export).encode("utf-8-sig"), "p"))
    assert (found[0].name, found[0].version) == ("Kaspersky.VPN", "1.2")
    assert publishers(found[0]) == {"Kaspersky"}
    assert publishers(found[1]) == set()
    assert isinstance(found[2], Skipped)


TABLE = """   - \r   \\ \r\
Name                    Id                   Version   Available Source
----------------------------------------------------------------------
Kaspersky VPN           Kaspersky.VPN        21.3      21.4      winget
\u30d7\u30ed\u30b0\u30e9\u30e0 \u4e00\u4e8c           Some.Thing           > 1.0
Own Program             ARP\\Machine\\X64\\{1}  7
"""


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_the_table_of_winget(encoding: str) -> None:
    found = list(winget.read_list(TABLE.encode(encoding), "p"))
    assert [(each.name, each.reference, each.version) for each in found] == [
        ("Kaspersky VPN", "Kaspersky.VPN", "21.3"),
        ("\u30d7\u30ed\u30b0\u30e9\u30e0 \u4e00\u4e8c", "Some.Thing", "1.0"),
        ("Own Program", "ARP\\Machine\\X64\\{1}", "7"),
    ]
    assert [publishers(each) for each in found] == [{"Kaspersky"}, {"Some"}, set()]


KEY = r"HKEY_LOCAL_MACHINE\SOFTWARE\WOW6432Node\Microsoft\Windows\CurrentVersion\Uninstall"
VALUES = rf"""

[{KEY}]

[{KEY}\{{1-2}}]
"DisplayName"="Kaspersky \"Endpoint\" M\u00fcller"
"DisplayVersion"="12.1"
"Publisher"="AO Kaspersky Lab"
"URLInfoAbout"="www.kaspersky.com"
"EstimatedSize"=dword:00001000
"HelpLink"=hex(2):HELP

[{KEY}\NoName]
"ParentKeyName"="x"

[HKEY_CURRENT_USER\Software\Other]
"DisplayName"="no program"

[-{KEY}\Gone]
"DisplayName"="gone"
""".replace("\\u00fc", "\u00fc")


def export(encoding: str) -> bytes:
    is_wide = encoding == "utf-16"
    head = "Windows Registry Editor Version 5.00" if is_wide or encoding == "utf-8" else "REGEDIT4"
    held = "https://help.example/\0".encode("utf-16-le" if head[0] == "W" else "cp1252")
    pieces = [f"{byte:02x}" for byte in held]
    written = ",".join(pieces[:10]) + ",\\\n  " + ",".join(pieces[10:])
    document = (head + VALUES.replace("HELP", written)).replace("\n", "\r\n")
    return document.encode(encoding)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8", "cp1252"])
def test_an_export_of_the_registry(encoding: str) -> None:
    (one,) = windows_registry.read(export(encoding), "p")
    assert (one.name, one.version) == ('Kaspersky "Endpoint" M\u00fcller', "12.1")
    assert publishers(one) == {"AO Kaspersky Lab"}
    hosts = {t.value for t in one.traces if t.kind is MarkerKind.HOST}
    assert hosts == {"www.kaspersky.com", "help.example"}


def test_what_reg_query_prints() -> None:
    lines = (
        "",
        f"{KEY}\\x",
        "    DisplayName    REG_SZ    A Program",
        "    Publisher    REG_SZ    P",
    )
    printed = "\r\n".join(lines)
    (one,) = windows_registry.read(printed.encode(), "p")
    assert (one.name, publishers(one)) == ("A Program", {"P"})


def test_what_is_no_export_is_said() -> None:
    (only,) = windows_registry.read(b"hello", "p")
    assert isinstance(only, Skipped)
