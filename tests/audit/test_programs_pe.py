"""Windows programs: resources as pefile reads them, signatures as osslsigncode makes them."""

from __future__ import annotations

import shutil
import subprocess
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from audit.program_samples import DATA, KASPERSKY_STRINGS, identity, oid, pe, signed, tlv
from tocsin.audit.programs.facts import Facts
from tocsin.audit.programs.pe import read_pe, version_strings
from tocsin.audit.programs.words import Interests, Words
from tocsin.errors import FormatError
from tocsin.jurisdiction.vocabulary import MarkerKind

WINE = Path("/usr/lib/x86_64-linux-gnu/wine/x86_64-windows")
WORDS = Words(Interests(("Kaspersky Lab",), ("kaspersky.com",), ()))
SUPPLIER = "AO Kaspersky Lab"


def values(facts: Facts, kind: MarkerKind) -> list[str]:
    return [each.value for each in facts.traces if each.kind is kind]


def test_a_version_resource_tells_company_copyright_product_and_version() -> None:
    facts = read_pe(pe(KASPERSKY_STRINGS), Words(Interests()))
    assert (facts.name, facts.version) == ("An endpoint product", "21.3.10.391")
    assert values(facts, MarkerKind.COMPANY) == [
        "AO Kaspersky Lab",
        "© 2020 AO Kaspersky Lab. All Rights Reserved.",
    ]


def pefile_strings(data: bytes) -> dict[str, str]:
    pefile = pytest.importorskip("pefile")
    program = pefile.PE(data=data, fast_load=True)
    program.parse_data_directories([pefile.DIRECTORY_ENTRY["IMAGE_DIRECTORY_ENTRY_RESOURCE"]])
    found: dict[str, str] = {}
    for group in getattr(program, "FileInfo", []):
        for info in group:
            for table in getattr(info, "StringTable", []):
                for key, value in table.entries.items():
                    text = value.decode("utf-8", "replace").strip()
                    if text:
                        found.setdefault(key.decode(), text)
    return found


def test_our_own_resource_is_what_pefile_reads() -> None:
    assert pefile_strings(pe(KASPERSKY_STRINGS)) == KASPERSKY_STRINGS


def test_wine_programs_read_as_pefile_reads_them() -> None:
    files = sorted(WINE.glob("*.dll"))[::25] if WINE.is_dir() else []
    if not files:
        pytest.skip("libwine is not installed: apt-get install libwine")
    differing = []
    for file in files:
        data = file.read_bytes()
        if version_strings(data) != pefile_strings(data):
            differing.append(file.name)
    assert differing == []


@pytest.mark.parametrize("encoding", ["ascii", "utf-16-le"])
def test_a_text_is_found_in_either_encoding_with_the_section_it_stands_in(encoding: str) -> None:
    text = "\0Copyright KASPERSKY lab 2019\0".encode(encoding)
    (found,) = read_pe(pe(text=b"\0" + text), WORDS).traces
    assert found == (MarkerKind.TEXT, "Copyright KASPERSKY lab 2019", "text in section .text")


def test_what_is_no_program_is_said_to_be_none() -> None:
    with pytest.raises(FormatError):
        read_pe(b"MZ" + bytes(200), WORDS)


# --- signatures ----------------------------------------------------------------------------


class Signing:
    """osslsigncode, with keys in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.count = 0

    def write(self, name: str, data: bytes) -> str:
        (self.folder / name).write_bytes(data)
        return str(self.folder / name)

    def sign(
        self, program: bytes, common: str, *options: str, stamped: datetime | None = None
    ) -> bytes:
        who = identity(common, "Some organisation", "An issuing authority")
        self.count += 1
        result = self.folder / f"signed{self.count}"
        command = [
            *("osslsigncode", "sign", "-certs", self.write("c.pem", who.pem)),
            *("-key", self.write("k.pem", who.key_pem), *options),
        ]
        if stamped is not None:
            authority = identity("A time stamp authority", stamps=True)
            command += ["-TSA-certs", self.write("tc.pem", authority.pem)]
            command += ["-TSA-key", self.write("tk.pem", authority.key_pem)]
            command += ["-TSA-time", str(int(stamped.timestamp()))]
        command += ["-in", self.write("in", program), "-out", str(result)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return result.read_bytes()


@pytest.fixture
def signing(tmp_path: Path) -> Signing:
    if shutil.which("osslsigncode") is None:
        pytest.skip("osslsigncode is not installed: apt-get install osslsigncode")
    return Signing(tmp_path)


def test_the_signer_is_told_with_the_organisation_the_issuer_and_the_day(signing: Signing) -> None:
    stamped = datetime(2019, 5, 6, 7, 8, 9, tzinfo=UTC)
    facts = read_pe(signing.sign(pe(), SUPPLIER, stamped=stamped), Words(Interests()))
    assert values(facts, MarkerKind.SIGNER) == [SUPPLIER, "Some organisation"]
    assert facts.traces[0].where == "Authenticode signer, certified by An issuing authority"
    assert facts.made == date(2019, 5, 6)
    assert facts.trouble == ()


def test_both_of_two_signatures_are_told(signing: Signing) -> None:
    once = signing.sign(pe(), "First Maker", "-h", "sha1")
    facts = read_pe(signing.sign(once, SUPPLIER, "-nest", "-h", "sha256"), Words(Interests()))
    signers = values(facts, MarkerKind.SIGNER)
    assert signers == ["First Maker", "Some organisation", SUPPLIER, "Some organisation"]
    nested = [each for each in facts.traces if each.value == SUPPLIER]
    assert nested[0].where.startswith("nested Authenticode signer")


def test_a_signature_taken_from_another_program_is_a_claim_and_no_signer(signing: Signing) -> None:
    program = pe(text=b"one text")
    whole = signing.sign(program, SUPPLIER)
    other = bytearray(whole)
    at = other.index(b"one text")
    other[at : at + 8] = b"two word"
    assert values(read_pe(whole, Words(Interests())), MarkerKind.SIGNER)[0] == SUPPLIER
    facts = read_pe(bytes(other), Words(Interests()))
    assert values(facts, MarkerKind.SIGNER) == []
    assert values(facts, MarkerKind.COMPANY)[0] == SUPPLIER
    assert "not this file's" in facts.traces[0].where


def test_osslsigncode_agrees_on_which_signature_is_the_files_own(signing: Signing) -> None:
    whole = signing.sign(pe(text=b"one text"), SUPPLIER)
    for change in (False, True):
        data = whole.replace(b"one text", b"two word") if change else whole
        path = signing.write("verified", data)
        ca = signing.write(
            "ca.pem", identity(SUPPLIER, "Some organisation", "An issuing authority").pem
        )
        done = subprocess.run(
            ["osslsigncode", "verify", "-CAfile", ca, "-in", path],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        holds = bool(values(read_pe(data, Words(Interests())), MarkerKind.SIGNER))
        assert ("MISMATCH!!!" in done.stdout) == (not holds), done.stdout


def test_a_broken_signature_is_trouble_and_the_rest_is_read() -> None:
    program = pe(KASPERSKY_STRINGS)
    garbage = b"\x10\0\0\0\0\2\2\0" + b"\x30\x82\xff\xff" + bytes(4)
    at = len(program)
    security = 64 + 24 + 112 + 8 * 4
    entry = at.to_bytes(4, "little") + len(garbage).to_bytes(4, "little")
    broken = program[:security] + entry + program[security + 8 :] + garbage
    facts = read_pe(broken, Words(Interests()))
    assert facts.trouble
    assert SUPPLIER in values(facts, MarkerKind.COMPANY)


def test_a_signature_over_something_else_has_no_say_on_the_file() -> None:
    """What is signed here is plain data, as in a mail: it holds, and covers nothing known."""
    envelope = signed(identity(SUPPLIER), tlv(4, b"words"), DATA)
    entry = (8 + len(envelope)).to_bytes(4, "little") + b"\0\2\2\0" + envelope
    program = pe()
    security = 64 + 24 + 112 + 8 * 4
    where = len(program).to_bytes(4, "little") + len(entry).to_bytes(4, "little")
    facts = read_pe(program[:security] + where + program[security + 8 :] + entry, WORDS)
    assert SUPPLIER in values(facts, MarkerKind.COMPANY)
    assert values(facts, MarkerKind.SIGNER) == []
    assert oid("1.2.840.113549.1.7.1") in envelope
