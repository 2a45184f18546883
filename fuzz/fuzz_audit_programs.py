"""Readers of programs, for an audit: facts within their bounds, or an error with words."""

from __future__ import annotations

import plistlib
import sys

import fuzz_support

sys.path.insert(0, str(fuzz_support.HERE.parent / "tests"))

from audit.program_samples import (
    CTL,
    DATA,
    KASPERSKY_STRINGS,
    android_manifest,
    dex,
    elf,
    identity,
    macho,
    package_note,
    pe,
    signed,
    tlv,
    with_signing_block,
    zipped,
)
from tocsin.audit import wire
from tocsin.audit.programs.bundles import Bundle
from tocsin.audit.programs.facts import LONGEST_VALUE, MOST_TRACES, Facts
from tocsin.audit.programs.installers import read_installer, summary
from tocsin.audit.programs.reading import Programs
from tocsin.audit.programs.signatures import MOST_SIGNATURES, read_signatures
from tocsin.audit.programs.words import Interests
from tocsin.errors import FormatError, LimitReached
from tocsin.unpack.interface import Budget, Limits

_INTERESTS = Interests(("Kaspersky Lab",), ("kaspersky.com",), ("com.kavsdk.",))
_PROGRAMS = Programs(_INTERESTS)
_MEMBERS = (
    *("AndroidManifest.xml", "META-INF/MANIFEST.MF", "META-INF/A.RSA", "AppxManifest.xml"),
    *("AppxSignature.p7x", "Payload/a.app/Info.plist"),
)
_WHO = identity("AO Kaspersky Lab", "Kaspersky Lab")
_SIGNED = signed(_WHO, tlv(0x30, tlv(4, b"x")), CTL)
_MANIFEST = android_manifest("com.kaspersky.x", "1", ("com.kavsdk.A",))
_PLIST = plistlib.dumps({"CFBundleIdentifier": "a.b"}, fmt=plistlib.FMT_BINARY)

SEEDS = [
    pe(KASPERSKY_STRINGS, b"\0Kaspersky Lab\0"),
    elf(package_note(type="deb", name="kesl"), b"\0Kaspersky Lab\0", b"x", ("liba.so",)),
    macho("a.b", "2Y8XE5CQ94", signed(_WHO, tlv(4, b"x"), DATA, open_ended=True), _PLIST),
    dex(("com.kavsdk.A", "b.C")),
    _SIGNED,
    signed(_WHO, tlv(4, b"x"), DATA, unsigned=tlv(0x30, tlv(6, b"\x2a"), tlv(0x31, _SIGNED))),
    _MANIFEST,
    with_signing_block(zipped({"AndroidManifest.xml": _MANIFEST}), _WHO),
    _PLIST,
    b"Implementation-Vendor: A\r\n b\r\n",
    b'<Identity Name="A" Publisher="CN=x, O=y"/>',
    b"\xca\xfe\xba\xbe\0\0\0\x34kaspersky.com",
]


def check(data: bytes) -> None:
    """Read as every kind; facts keep their bounds and pass over the wire as they are."""
    facts: list[Facts] = []
    for reader in (_program, _bundle, _installer):
        try:
            facts += reader(data)
        except (FormatError, LimitReached) as error:
            fuzz_support.require_words(error)
    try:
        if len(read_signatures(data)) > MOST_SIGNATURES:
            raise AssertionError("more signatures than the bound")
    except FormatError as error:
        fuzz_support.require_words(error)
    summary(data)
    for each in facts:
        component = each.component("/p!m")
        if len(component.traces) > MOST_TRACES:
            raise AssertionError("more traces than the bound")
        if any(not 0 < len(trace.value) <= LONGEST_VALUE for trace in component.traces):
            raise AssertionError("a trace beyond its bound")
        for piece in wire.pack([component], "/p"):
            wire.read(piece, "/p")


def _program(data: bytes) -> list[Facts]:
    return list(_PROGRAMS.read(data, Budget(Limits())))


def _installer(data: bytes) -> list[Facts]:
    facts = read_installer(data, Budget(Limits()))
    return [] if facts is None else [facts]


def _bundle(data: bytes) -> list[Facts]:
    found: list[Facts] = []
    for name in _MEMBERS:
        bundle = Bundle(data, _INTERESTS.packages)
        bundle.show(name, data)
        found += bundle.facts()
    return found


if __name__ == "__main__":
    fuzz_support.fuzz(check, SEEDS)
