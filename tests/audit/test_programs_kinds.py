"""Programs of other systems, installers and packages: each carries a mark, and it is found."""

from __future__ import annotations

import plistlib
import shutil
import subprocess
from pathlib import Path

import pytest

from audit.program_samples import (
    DATA,
    android_manifest,
    dex,
    elf,
    elf_note,
    identity,
    macho,
    package_note,
    signed,
    tlv,
    with_signing_block,
    zipped,
)
from tocsin.audit.programs.android_xml import elements
from tocsin.audit.programs.bundles import Bundle
from tocsin.audit.programs.dex import class_names, read_dex
from tocsin.audit.programs.elf import read_elf
from tocsin.audit.programs.facts import Facts
from tocsin.audit.programs.installers import read_installer
from tocsin.audit.programs.macho import read_macho
from tocsin.audit.programs.reading import Programs
from tocsin.audit.programs.words import Interests, Words
from tocsin.jurisdiction.vocabulary import MarkerKind
from tocsin.unpack.interface import Budget
from tocsin.unpack.msi import decode_name
from unpack.cfb_writer import compound

INTERESTS = Interests(("Kaspersky Lab",), ("kaspersky.com",), ("com.kaspersky.", "com.kavsdk."))
WORDS = Words(INTERESTS)
SUPPLIER = identity("AO Kaspersky Lab", "Kaspersky Lab")


def found(facts: Facts, kind: MarkerKind) -> dict[str, str]:
    return {each.value: each.where for each in facts.traces if each.kind is kind}


# --- ELF -----------------------------------------------------------------------------------


def test_a_package_note_tells_the_package() -> None:
    note = package_note(
        type="rpm", name="kesl", version="11.3-1", osCpe="cpe:/o:fedoraproject:fedora:38",
        vendor="AO Kaspersky Lab",
    )  # fmt: skip
    facts = read_elf(elf(notes=note), WORDS)
    assert (facts.name, facts.version) == ("kesl", "11.3-1")
    assert found(facts, MarkerKind.PACKAGE) == {"rpm:kesl": "package note (.note.package)"}
    assert found(facts, MarkerKind.CPE_VENDOR) == {"fedoraproject": "package note: osCpe"}
    assert found(facts, MarkerKind.SUPPLIER_NAME) == {"AO Kaspersky Lab": "package note: vendor"}


def test_words_in_notes_comments_and_strings_are_told_with_their_section() -> None:
    program = elf(
        notes=elf_note(b"KL", 1, b"Kaspersky Lab build"),
        comment=b"\0made by Kaspersky Lab\0",
        text=b"\0https://dl.kaspersky.com/x\0",
    )
    facts = read_elf(program, WORDS)
    assert found(facts, MarkerKind.TEXT) == {
        "Kaspersky Lab build": "note in section .note.package",
        "made by Kaspersky Lab": "text in section .comment",
    }
    assert found(facts, MarkerKind.HOST) == {"dl.kaspersky.com": "text in section .rodata"}


def test_needed_libraries_are_told() -> None:
    facts = read_elf(elf(needed=("libkavsdk.so.1", "libc.so.6")), WORDS)
    assert list(found(facts, MarkerKind.TEXT)) == ["libkavsdk.so.1", "libc.so.6"]


def test_readelf_reads_our_notes_and_libraries_the_same_way(tmp_path: Path) -> None:
    if shutil.which("readelf") is None:
        pytest.skip("readelf is not installed: apt-get install binutils")
    program = tmp_path / "p"
    program.write_bytes(elf(package_note(type="deb", name="kesl"), needed=("libx.so.2",)))
    shown = subprocess.run(
        ["readelf", "-n", "-d", program], capture_output=True, text=True, check=True
    ).stdout
    assert "FDO" in shown
    assert '"name": "kesl"' in shown
    assert "[libx.so.2]" in shown


# --- Mach-O --------------------------------------------------------------------------------


def test_a_mac_program_tells_its_signer_team_and_properties() -> None:
    who = identity("Developer ID Application: Kaspersky Lab UK (2Y8XE5CQ94)")
    envelope = signed(who, tlv(4, b"directory"), DATA, detached=True, open_ended=True)
    properties = plistlib.dumps(
        {
            "CFBundleIdentifier": "com.kaspersky.kav",
            "CFBundleName": "Anti",
            "CFBundleShortVersionString": "22.0",
            "NSHumanReadableCopyright": "© AO Kaspersky Lab",
        }
    )
    facts = read_macho(macho("com.kaspersky.kav", "2Y8XE5CQ94", envelope, properties), WORDS)
    assert (facts.name, facts.version) == ("Anti", "22.0")
    assert set(found(facts, MarkerKind.SIGNER)) == {"Kaspersky Lab UK", "2Y8XE5CQ94"}
    assert set(found(facts, MarkerKind.ANDROID_PACKAGE)) == {"com.kaspersky.kav"}
    assert set(found(facts, MarkerKind.COMPANY)) == {"© AO Kaspersky Lab"}


# --- Android, Java, iOS ---------------------------------------------------------------------


def bundle(members: dict[str, bytes], data: bytes = b"") -> Facts:
    reading = Bundle(data or zipped(members), INTERESTS.packages)
    for name, content in members.items():
        reading.show(name, content)
    (facts,) = reading.facts()
    return facts


@pytest.mark.parametrize("utf8", [False, True])
def test_a_compiled_manifest_tells_package_version_and_built_in_services(utf8: bool) -> None:
    manifest = android_manifest(
        "org.example.bank", "3.2", ("com.kavsdk.Service", "org.example.Own"), utf8=utf8
    )
    assert [each.name for each in elements(manifest)] == [
        *("manifest", "application", "service", "service")
    ]
    facts = bundle({"AndroidManifest.xml": manifest})
    assert (facts.kind, facts.name, facts.version) == ("android", "org.example.bank", "3.2")
    assert found(facts, MarkerKind.ANDROID_PACKAGE) == {
        "org.example.bank": "package in AndroidManifest.xml",
        "com.kavsdk.Service": "service that AndroidManifest.xml declares",
    }


@pytest.mark.parametrize(
    ("scheme", "name"), [(0x7109871A, "v2"), (0xF05368C0, "v3"), (0x1B93AD61, "v3.1")]
)
def test_signing_blocks_tell_who_signed(scheme: int, name: str) -> None:
    members = {"AndroidManifest.xml": android_manifest("com.kaspersky.security")}
    facts = bundle(members, with_signing_block(zipped(members), SUPPLIER, scheme))
    assert found(facts, MarkerKind.SIGNER) == {
        "AO Kaspersky Lab": f"certificate in the APK signature {name}",
        "Kaspersky Lab": f"certificate in the APK signature {name}: organisation",
    }


def test_the_first_scheme_s_signature_is_read_as_a_jar_s() -> None:
    envelope = signed(SUPPLIER, tlv(4, b"x"), DATA, detached=True)
    facts = bundle({"AndroidManifest.xml": android_manifest("a.b"), "META-INF/CERT.RSA": envelope})
    assert found(facts, MarkerKind.SIGNER)["AO Kaspersky Lab"] == "JAR signer"


def test_classes_of_a_built_in_engine_are_a_part_of_the_app() -> None:
    program = dex(("org.example.Main", "com.kavsdk.Scanner", "com.kavsdk.net.Cloud"))
    assert list(class_names(program))[1] == "com.kavsdk.Scanner"
    (facts,) = read_dex(program, INTERESTS.packages)
    assert facts.embedded is True
    assert set(found(facts, MarkerKind.ANDROID_PACKAGE)) == {"com.kavsdk", "com.kavsdk.net"}


def test_hosts_in_an_app_s_code_are_told() -> None:
    program = dex(("org.example.Main",)) + b"\0https://ksn.kaspersky.com/\0"
    (facts,) = Programs(INTERESTS).read(program, Budget())
    assert found(facts, MarkerKind.HOST) == {"ksn.kaspersky.com": "constant of a DEX file"}


def test_a_jar_s_manifest_tells_its_vendor_over_broken_lines() -> None:
    manifest = (
        b"Manifest-Version: 1.0\r\nImplementation-Vendor: AO Kasper\r\n sky Lab\r\n"
        b"Implementation-Title: engine\r\nImplementation-Version: 4\r\n\r\nName: x\r\n"
    )
    facts = bundle({"META-INF/MANIFEST.MF": manifest})
    assert (facts.kind, facts.name, facts.version) == ("java", "engine", "4")
    assert set(found(facts, MarkerKind.SUPPLIER_NAME)) == {"AO Kaspersky Lab"}


@pytest.mark.parametrize("form", [plistlib.FMT_XML, plistlib.FMT_BINARY])
def test_an_ios_app_tells_its_identifier(form: plistlib.PlistFormat) -> None:
    listed = plistlib.dumps({"CFBundleIdentifier": "com.kaspersky.safe"}, fmt=form)
    facts = bundle({"Payload/Safe.app/Info.plist": listed})
    assert facts.kind == "ios"
    assert set(found(facts, MarkerKind.ANDROID_PACKAGE)) == {"com.kaspersky.safe"}


def test_a_store_package_tells_its_publisher() -> None:
    manifest = (
        b'<Package><Identity Name="A.B" Version="1.2" Publisher="CN=&quot;x, O=AO Kaspersky Lab"/>'
        b"<Properties><PublisherDisplayName>Kaspersky Lab</PublisherDisplayName></Properties>"
    )
    facts = bundle({"AppxManifest.xml": manifest})
    assert (facts.name, facts.version) == ("A.B", "1.2")
    assert "AO Kaspersky Lab" in found(facts, MarkerKind.SIGNER)
    assert set(found(facts, MarkerKind.COMPANY)) == {"Kaspersky Lab"}


# --- Windows Installer ----------------------------------------------------------------------


def stored_name(name: str) -> str:
    """The name of a table as it stands in the file: a letter packed alone each."""
    letters = {decode_name(chr(code)): chr(code) for code in range(0x4800, 0x4841)}
    return "".join(letters[letter] for letter in name)


def properties(**texts: str) -> bytes:
    numbers = {"subject": 3, "author": 4}
    rows = body = b""
    start = 8 + 8 * len(texts)
    for key, text in texts.items():
        rows += numbers[key].to_bytes(4, "little") + (start + len(body)).to_bytes(4, "little")
        value = text.encode("cp1252") + b"\0"
        body += (30).to_bytes(4, "little") + len(value).to_bytes(4, "little") + value
        body += bytes(-len(body) % 4)
    section = (start + len(body)).to_bytes(4, "little") + len(texts).to_bytes(4, "little")
    return (
        b"\xfe\xff\0\0".ljust(28, b"\0")
        + bytes(16)
        + (48).to_bytes(4, "little")
        + (section + rows + body)
    )


def test_an_installer_tells_its_signer_and_its_author() -> None:
    data = compound(
        {
            stored_name("!_StringPool"): b"x" * 20,
            "\5SummaryInformation": properties(subject="Endpoint", author="AO Kaspersky Lab"),
            "\5DigitalSignature": signed(SUPPLIER, tlv(0x30, b""), "1.3.6.1.4.1.311.2.1.4"),
        }
    )
    facts = read_installer(data, Budget())
    assert facts is not None
    assert (facts.kind, facts.name) == ("installer", "Endpoint")
    assert "AO Kaspersky Lab" in found(facts, MarkerKind.SIGNER)
    assert set(found(facts, MarkerKind.COMPANY)) == {"AO Kaspersky Lab"}


def test_a_document_s_author_is_no_maker_of_software() -> None:
    data = compound({"\5SummaryInformation": properties(author="AO Kaspersky Lab")})
    assert read_installer(data, Budget()) is None


# --- any program ---------------------------------------------------------------------------


def test_a_java_class_is_told_from_a_universal_program() -> None:
    java = b"\xca\xfe\xba\xbe\0\0\0\x34" + b"\1\0\x11at kaspersky.com/x" + bytes(20)
    (facts,) = Programs(INTERESTS).read(java, Budget())
    assert facts.kind == "java"
    assert list(Programs(INTERESTS).read(b"\xca\xfe\xba\xbe\0\0\0\x34" + bytes(99), Budget())) == []


@pytest.mark.parametrize(
    ("text", "host"),
    [
        (b"http://ksn1.kaspersky.com/a", "ksn1.kaspersky.com"),
        (b"mail me@kaspersky.com.", "kaspersky.com"),
        (b"KASPERSKY.COM", "kaspersky.com"),
        (b"notkaspersky.com", None),
        (b"kaspersky.com.example.org", None),
        (b"kaspersky.community", None),
        (b"kaspersky.com-x.example", None),
        (b"my-kaspersky.com", None),
    ],
)
@pytest.mark.parametrize("encoding", ["ascii", "utf-16-le"])
def test_a_host_is_a_whole_name(text: bytes, host: str | None, encoding: str) -> None:
    data = b"\0\0" + text.decode().encode(encoding) + b"\0\0"
    hosts = [each.value for each in WORDS.traces(data, lambda _at: "here")]
    assert hosts == ([host] if host else [])
