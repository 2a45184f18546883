"""What comes out of compound files: streams, files inside, macros, messages, and damage."""

from __future__ import annotations

import io
import zlib
from pathlib import Path
from struct import pack

import pytest
from cfb_writer import compound, project, squeeze
from hypothesis import given, settings
from hypothesis import strategies as st
from office_samples import (
    PAYLOAD,
    SAMPLES,
    SOURCE,
    document,
    macro_book,
    message,
    native,
    raw_deflate,
    record,
)
from unpack_contract import SMALL, Outcome, check_contract

from tocsin.errors import FormatError, LimitReached
from tocsin.unpack.interface import Limits, Reason, Remark, Trait

LARGE = Limits()
DEBIAN = Path("/usr/share/clamav-testfiles")


def members(data: bytes, **changes: object) -> dict[str, bytes]:
    outcome = check_contract("MSOLE2", data, **changes)  # type: ignore[arg-type]
    assert outcome.error is None
    return {member.name: member.data for member in outcome.members}


def traits(outcome: Outcome) -> set[Trait]:
    return {value.trait for value in outcome.values if isinstance(value, Remark)}


@pytest.mark.parametrize("sector", [512, 4096])
@pytest.mark.parametrize("free_between", [False, True])
@pytest.mark.parametrize("size", [1, 63, 64, 65, 4095, 4096, 4097, 60_000])
def test_streams_of_every_size(sector: int, free_between: bool, size: int) -> None:
    data = bytes(range(256)) * (size // 256 + 1)
    tree = {"one": data[:size], "folder": {"two": data[1 : size + 1]}, "three": b"3" * 100}
    made = compound(tree, sector=sector, free_between=free_between)
    found = members(made)
    assert found["one"] == data[:size]
    assert found["folder/two"] == data[1 : size + 1]
    assert found["three"] == b"3" * 100


def test_a_document_with_one_of_everything() -> None:
    outcome = check_contract("MSOLE2", document())
    assert outcome.error is None
    assert not outcome.skipped
    found = {member.name: member for member in outcome.members}
    assert found["inside.bin"].data == PAYLOAD
    assert found["object at 0x10"].data == PAYLOAD
    assert found["Macros/VBA/Module1.bas"].data == SOURCE
    assert found["Macros/VBA/Module1.bas"].type_name == "MSOLE2"
    assert found["Macros/VBA/project.vba"].type_name == "SCRIPT"
    assert b"sub autoopen()" in found["Macros/VBA/project.vba"].data
    assert b'"Hello from the source"' in found["Macros/VBA/project.vba"].data
    assert traits(outcome) == {Trait.MACROS}
    assert [member.position for member in outcome.members] == list(
        range(1, len(outcome.members) + 1)
    )


def test_source_of_a_macro_as_a_member_has_nothing_inside() -> None:
    assert check_contract("MSOLE2", SOURCE).values == []


def test_macros_of_excel_4_are_written_out() -> None:
    text = members(document())["Workbook/macros.txt"].decode()
    assert text.splitlines() == [
        "' macro sheet Macro1, very hidden",
        "' name Auto_Open =Macro1!A1",
        'Macro1!A1=ALERT("Excel 4")',
        'Macro1!A2=EXEC("ca"&"lc")',
        "Macro1!A3=HALT()",
    ]


def test_a_workbook_without_macros_says_nothing() -> None:
    book = record(0x809, pack("<HHHHII", 0x600, 5, 0, 0, 0, 6)) + record(10, b"")
    outcome = check_contract("MSOLE2", compound({"Workbook": book}))
    assert [member.name for member in outcome.members] == ["Workbook"]
    assert not traits(outcome)


NORMALISED = {
    b'Dim   X \t As  Y : X = "A  B" & "C"\r\n': b'dim x as y : x = "A  B" & "C"\r\n',
    b'Shell "A" & _\r\n\t  "B"\r\n': b'shell "A" & "B"\r\n',
    b"  Indented\n\n": b" indented\n\n",
    b'X = "a ""Quote"" B" + C\r\n': b'x = "a ""Quote"" B" + c\r\n',
    b'\' it is "Odd\r\nNext = "ABC  D"\r\n': b'\' it is "Odd\r\nNext = "abc d"\r\n',
    b'Name = "\xe4 \x80"\r\n': 'name = "ä €"\r\n'.encode(),
}
"""Source, and what clamscan 1.4.6 makes of it (measured)."""


@pytest.mark.parametrize("source", NORMALISED)
def test_a_project_is_normalised_as_clamscan_does_it(source: bytes) -> None:
    found = members(compound({"VBA": project({"M": source})}))
    assert found["VBA/M.bas"] == source
    assert NORMALISED[source] in found["VBA/project.vba"]


def p_code(*literals: bytes, push: bytes = b"\xb9\x00") -> bytes:
    """Something like p-code: instructions, strings pushed among them."""
    pushed = (push + pack("<H", len(text)) + text for text in literals)
    return b"\x01\x16\x01\x00" * 20 + b"\x20\x00\x04\x02".join(pushed) + bytes(40)


CODE = b'Attribute VB_Name = "M"\r\nSub A()\r\n x = "first constant" & "the ""second"" one"\r\n'
STOMPED = {
    "the source is what it was": (CODE, (b"first constant", b'the "second" one'), False),
    "replaced by something harmless": (
        b'Attribute VB_Name = "M"\r\nSub A()\r\n x = "harmless"\r\nEnd Sub\r\n',
        (b"cmd /c evil", b"http://example.invalid/x", b"AppData"),
        True,
    ),
    "only the attributes left": (
        b'Attribute VB_Name = "M"\r\n', (b"cmd /c evil", b"another one"), True,
    ),
    "a single odd constant": (CODE, (b"first constant", b'the "second" one', b"stray!"), False),
    "no constants": (b'Attribute VB_Name = "M"\r\n', (), False),
}  # fmt: skip


@pytest.mark.parametrize("push", [0xAD, 0xAE, 0xB6, 0xB9])
@pytest.mark.parametrize("case", STOMPED)
def test_source_that_is_not_what_runs_is_told(case: str, push: int) -> None:
    source, literals, stomped = STOMPED[case]
    code = p_code(*literals, push=pack("<H", push))
    data = compound({"VBA": project({"M": source}, code)})
    outcome = check_contract("MSOLE2", data)
    assert (Trait.STOMPED in traits(outcome)) is stomped


@pytest.mark.parametrize("number", [0, 1159, 1251, 10000, 65001, 65535])
def test_code_pages_of_projects(number: int) -> None:
    storage = project({"M": SOURCE}, code_page=number)
    assert members(compound({"VBA": storage}))["VBA/M.bas"] == SOURCE


@pytest.mark.parametrize("lost", ["dir", "offset"])
def test_macros_are_found_without_their_directory(lost: str) -> None:
    storage = project({"M": SOURCE}, p_code(b"Hello from the source"))
    if lost == "dir":
        del storage["dir"]
    else:
        storage["dir"] = project({"M": SOURCE}, b"x" * 3000)["dir"]
    assert members(compound({"VBA": storage}))["VBA/M.bas"] == SOURCE


def test_a_module_whose_source_is_gone_is_skipped() -> None:
    storage = project({"M": SOURCE})
    storage["M"] = p_code(b"something") + b"no source here"
    (skipped,) = check_contract("MSOLE2", compound({"VBA": storage})).skipped
    assert (skipped.name, skipped.reason) == ("VBA/M.bas", Reason.DAMAGED)


@pytest.mark.parametrize(
    "source",
    [b"x", b"ab" * 5000, SOURCE * 100, bytes(range(256)) * 40, b"\0" * 20_000],
    ids=["one", "pairs", "lines", "bytes", "zeros"],
)
def test_compressed_source_of_every_kind(source: bytes) -> None:
    found = members(compound({"VBA": project({"M": source})}), limits=LARGE)
    assert found["VBA/M.bas"] == source


def test_a_stored_chunk() -> None:
    body = SOURCE.ljust(4096, b"\n")
    storage = project({"M": SOURCE})
    storage["M"] = b"\1" + pack("<H", 0x3FFF) + body + squeeze(b"rest")[1:]
    assert members(compound({"VBA": storage}))["VBA/M.bas"] == body + b"rest"


def test_a_message_gives_names_and_body() -> None:
    found = members(message())
    assert found["__attach_version1.0_#00000000/long näme.bin"] == PAYLOAD
    assert found["body.txt"] == "The body, with an ä".encode()


def test_compressed_rtf_of_a_message() -> None:
    plain = b"{\\rtf1 hello hello hello hello}"
    body = bytes([0b1000, *b"{\\r", 0, 4, *b"hi", *b"!!"])
    packed = body + b"\0\0"
    rtf = pack("<II", len(packed) + 12, len(plain)) + b"LZFu" + bytes(4) + packed
    tree = {"__properties_version1.0": bytes(32), "__substg1.0_10090102": rtf}
    (member,) = [
        m for m in check_contract("MSOLE2", compound(tree)).members if m.name == "body.rtf"
    ]
    assert member.data.startswith(b"{\\r{\\rtf1hi")
    stored = {
        "__properties_version1.0": bytes(32),
        "__substg1.0_10090102": pack("<II", 50, 31) + b"MELA" + bytes(4) + plain,
    }
    assert members(compound(stored))["body.rtf"] == plain


NATIVE = {
    "a package": (native(PAYLOAD, b"x.exe"), "x.exe", PAYLOAD),
    "bare bytes": (pack("<I", len(PAYLOAD)) + PAYLOAD, "o/\1Ole10Native/native", PAYLOAD),
    "bare bytes, size wrong": (b"\xff\xff\xff\xff" + PAYLOAD, "o/\1Ole10Native/native", PAYLOAD),
}


@pytest.mark.parametrize("case", NATIVE)
def test_files_dropped_into_a_document(case: str) -> None:
    stream, name, data = NATIVE[case]
    assert members(compound({"o": {"\1Ole10Native": stream}}))[name] == data


def test_an_object_of_a_presentation_whose_stream_has_no_end() -> None:
    packer = zlib.compressobj()
    packed = packer.compress(PAYLOAD) + packer.flush(zlib.Z_SYNC_FLUSH)
    body = pack("<I", len(PAYLOAD)) + packed
    stream = pack("<HHI", 0x10, 0x1011, len(body)) + body
    assert members(compound({"PowerPoint Document": stream}))["object at 0x0"] == PAYLOAD
    cut = pack("<HHI", 0x10, 0x1011, len(body)) + pack("<I", 9999) + packed
    (member,) = [
        m for m in check_contract("MSOLE2", compound({"PowerPoint Document": cut})).members
        if m.name == "object at 0x0"
    ]  # fmt: skip
    assert not member.complete


@pytest.mark.parametrize("stream", ["Pictures", "Data", "WordDocument", "Workbook"])
def test_pictures_of_drawings(stream: str) -> None:
    png = b"\x89PNG\r\n\x1a\n" + PAYLOAD
    body = bytes(17) + png
    metafile = zlib.compress(PAYLOAD)
    meta = bytes(16) + bytes(32) + b"\0\xfe" + metafile
    drawing = pack("<HHI", 0x6E00, 0xF01E, len(body)) + body
    drawing += pack("<HHI", 0x3D40, 0xF01A, len(meta)) + meta
    if stream == "Workbook":
        drawing = pack("<HHI", 0x0F, 0xF000, len(drawing)) + drawing
        drawing = (
            record(0x809, bytes(16)) + record(0xEB, drawing[:100]) + record(0x3C, drawing[100:])
        )
    found = [
        m for m in check_contract("MSOLE2", compound({stream: drawing})).members
        if m.name.startswith("picture")
    ]  # fmt: skip
    assert [m.data for m in found] == [png, PAYLOAD]


def test_names_of_windows_installer() -> None:
    # "!_StringPool", as Windows Installer packs it.
    packed = "\u4840\u3f3f\u4577\u446c\u3e6a\u44b2\u482f"
    assert "!_StringPool" in members(compound({packed: PAYLOAD}))


def test_streams_of_hangul_documents_are_inflated() -> None:
    header = b"HWP Document File".ljust(32, b"\0") + pack("<II", 0x05000300, 1) + bytes(216)
    tree = {"FileHeader": header, "BinData": {"BIN0001.exe": raw_deflate(PAYLOAD)}}
    assert members(compound(tree))["BinData/BIN0001.exe/inflated"] == PAYLOAD


def test_what_stands_behind_a_document() -> None:
    whole = compound({"a": b"x" * 5000})
    assert members(whole + b"appended bytes")["behind the document"].startswith(b"appended")
    assert "behind the document" not in members(whole)
    assert "behind the document" not in members(whole + bytes(700))


def test_a_stream_that_no_storage_holds() -> None:
    data = bytearray(compound({"kept": b"k" * 100, "lost": b"l" * 100}))
    at = data.find("kept".encode("utf-16-le"))
    data[at + 72 : at + 76] = b"\xff\xff\xff\xff"
    outcome = check_contract("MSOLE2", bytes(data))
    assert {member.name: member.data[:1] for member in outcome.members} == {
        "kept": b"k",
        "lost": b"l",
    }
    assert traits(outcome) == {Trait.NOTE}


def _patched(data: bytes, at: int, value: int) -> bytes:
    return data[:at] + pack("<I", value) + data[at + 4 :]


@pytest.mark.parametrize("size", [10, 5000])
@pytest.mark.parametrize("kept", [True, False])
def test_a_stream_that_is_marked_as_deleted(size: int, kept: bool) -> None:
    hidden = (b"hidden " * 1000)[:size]
    data = bytearray(compound({"Shown": b"x" * 5000, "Hidden": hidden}))
    entry = data.index("Hidden".encode("utf-16-le"))
    data[entry + 66] = 0
    if not kept:
        data[entry + 116 : entry + 120] = b"\xf0\xff\0\0"
    outcome = check_contract("MSOLE2", bytes(data))
    assert (hidden in [member.data for member in outcome.members]) is kept
    assert not outcome.skipped


def test_chains_that_go_round_in_a_circle_end() -> None:
    data = compound({"a": b"a" * 6000, "b": b"b" * 6000})
    fat = 512 * (1 + int.from_bytes(data[76:80], "little"))
    for entry in range(24):
        for value in (0, 1, entry, 0xFFFFFFFF, 9999):
            outcome = check_contract("MSOLE2", _patched(data, fat + 4 * entry, value))
            whole = all(member.complete for member in outcome.members)
            same = sorted(m.data for m in outcome.members) == [b"a" * 6000, b"b" * 6000]
            told = outcome.skipped or outcome.error or not whole
            assert same or told or value < 24


def test_a_directory_that_goes_round_in_a_circle() -> None:
    data = compound({f"s{number}": b"x" * 50 for number in range(30)})
    at = data.find("s5".encode("utf-16-le"))
    for link in (68, 72, 76):
        for value in (0, 1, 2, 29, 0xFFFFFF):
            outcome = check_contract("MSOLE2", _patched(data, at + link, value))
            assert len(outcome.members) == 30


def test_a_truncated_stream_is_incomplete() -> None:
    data = compound({"first": PAYLOAD, "last": bytes(range(256)) * 80})
    cut = bytearray(data)
    at = data.find("last".encode("utf-16-le"))
    cut[at + 120 : at + 124] = pack("<I", 1_000_000)
    outcome = check_contract("MSOLE2", bytes(cut), limits=LARGE)
    (member,) = [m for m in outcome.members if m.name == "last"]
    assert not member.complete
    assert "truncated" in member.note


def test_limits() -> None:
    data = document()
    assert isinstance(
        check_contract("MSOLE2", data, SMALL._replace(max_files=3)).error, LimitReached
    )
    small = check_contract("MSOLE2", data, SMALL._replace(max_file_size=4999))
    assert ("WordDocument", Reason.LIMIT) in {(s.name, s.reason) for s in small.skipped}
    cut = check_contract("MSOLE2", data, SMALL._replace(max_scan_size=5100))
    assert isinstance(cut.error, LimitReached)


@pytest.mark.parametrize("data", [b"", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", bytes(600)])
def test_no_compound_file(data: bytes) -> None:
    assert isinstance(check_contract("MSOLE2", data).error, FormatError)


def test_an_encrypted_package() -> None:
    from msoffcrypto.method.ecma376_agile import ECMA376Agile

    plain = b"PK\3\4" + PAYLOAD * 60
    for password, opened in (("VelvetSweatshop", True), ("infected", True), ("other", False)):
        data = ECMA376Agile.encrypt(password, io.BytesIO(plain), spin_count=1000)
        outcome = check_contract("MSOLE2", data, passwords=[b"infected"])
        assert traits(outcome) == {Trait.ENCRYPTED_DOCUMENT}
        found = [m for m in outcome.members if m.name == "decrypted package"]
        assert [m.data for m in found] == ([plain] if opened else [])
        reasons = [s.reason for s in outcome.skipped]
        assert reasons == ([] if opened else [Reason.ENCRYPTED])


def test_a_cipher_that_asks_for_too_much_work_is_refused() -> None:
    xml = (
        b'<encryption><keyData saltValue="AAAAAAAAAAAAAAAAAAAAAA==" keyBits="256" '
        b'hashAlgorithm="SHA512"/><p:encryptedKey spinCount="9999999" keyBits="256" '
        b'saltValue="AAAAAAAAAAAAAAAAAAAAAA==" hashAlgorithm="SHA512"/></encryption>'
    )
    tree = {"EncryptionInfo": pack("<HHI", 4, 4, 0x40) + xml, "EncryptedPackage": bytes(800)}
    (skipped,) = check_contract("MSOLE2", compound(tree)).skipped
    assert skipped.reason is Reason.ENCRYPTED
    assert "9999999 rounds" in skipped.detail


def xor_book(password: bytes) -> bytes:
    """A workbook masked as old Excel does it, by the formulas of MS-OFFCRYPTO 2.3.7."""
    from msoffcrypto.method.xor_obfuscation import DocumentXOR

    mask = DocumentXOR.create_xor_array_method1(password.decode())
    verifier = next(v for v in range(65536) if DocumentXOR.verifypw(password.decode(), v))
    plain, out, at = macro_book(), b"", 0
    first = True
    while at < len(plain):
        kind, size = (
            int.from_bytes(plain[at : at + 2], "little"),
            plain[at + 2] | plain[at + 3] << 8,
        )
        body = plain[at + 4 : at + 4 + size]
        start = len(out) + 4
        fixed = size if kind == 0x809 else 4 if kind == 0x85 else 0
        hidden = bytes(
            ((byte << 5 | byte >> 3) & 0xFF) ^ mask[(start + size + place) % 16]
            for place, byte in enumerate(body)
        )
        out += plain[at : at + 4] + body[:fixed] + hidden[fixed:]
        if first:
            out += record(0x2F, pack("<HHH", 0, 0, verifier))
        first = False
        at += 4 + size
    return out


@pytest.mark.parametrize("password", [b"VelvetSweatshop", b"secret"])
def test_a_masked_workbook(password: bytes) -> None:
    outcome = check_contract(
        "MSOLE2", compound({"Workbook": xor_book(password)}), passwords=[b"secret"]
    )
    (text,) = [m.data for m in outcome.members if m.name == "Workbook/macros.txt"]
    assert b'EXEC("ca"&"lc")' in text
    assert traits(outcome) == {Trait.ENCRYPTED_DOCUMENT, Trait.MACROS}
    assert not outcome.skipped


def rc4_streams(password: str) -> dict[str, bytes]:
    """A Word document and a workbook under RC4, by msoffcrypto's primitives."""
    from hashlib import md5

    from cryptography.hazmat.decrepit.ciphers.algorithms import ARC4
    from cryptography.hazmat.primitives.ciphers import Cipher
    from msoffcrypto.method.rc4 import DocumentRC4, _makekey

    salt, verifier = bytes(range(16)), bytes(range(16, 32))
    encryptor = Cipher(ARC4(_makekey(password, salt, 0)), mode=None).encryptor()
    info = pack("<HH", 1, 1) + salt + encryptor.update(verifier)
    info += encryptor.update(md5(verifier).digest())

    def hide(data: bytes, block: int) -> bytes:
        return bytes(DocumentRC4.decrypt(password, salt, io.BytesIO(data), block).read())

    plain = b"\xec\xa5".ljust(10, b"\0") + b"\0\3" + bytes(56) + PAYLOAD * 9
    word = plain[:68] + hide(plain, 512)[68:]
    table = b"T" * 700
    book, out = macro_book(), b""
    begin = 4 + int.from_bytes(book[2:4], "little")
    with_pass = book[:begin] + record(0x2F, pack("<H", 1) + info) + book[begin:]
    hidden, at = hide(with_pass, 1024), 0
    while at < len(with_pass):
        kind = int.from_bytes(with_pass[at : at + 2], "little")
        end = at + 4 + int.from_bytes(with_pass[at + 2 : at + 4], "little")
        fixed = end if kind in (0x809, 0x2F) else at + 8 if kind == 0x85 else at + 4
        out += with_pass[at:fixed] + hidden[fixed:end]
        at = end
    return {"WordDocument": word, "1Table": info + hide(table, 512)[len(info) :], "Workbook": out}


def test_documents_under_rc4() -> None:
    data = compound(dict(rc4_streams("secret")))
    outcome = check_contract("MSOLE2", data, passwords=[b"wrong", b"secret"])
    found = {m.name: m.data for m in outcome.members}
    assert PAYLOAD in found["WordDocument/decrypted"]
    assert b"T" * 600 in found["1Table/decrypted"]
    assert b'EXEC("ca"&"lc")' in found["Workbook/macros.txt"]
    assert not outcome.skipped
    shut = check_contract("MSOLE2", data, passwords=[])
    assert {s.reason for s in shut.skipped} == {Reason.ENCRYPTED}
    assert len(shut.skipped) == 2


@pytest.mark.parametrize("name", ["clam.ole.doc", "clam.ppt"])
def test_samples_of_debian_open(name: str) -> None:
    if not (DEBIAN / name).exists():
        pytest.skip("Debian's clamav-testfiles is not installed")
    outcome = check_contract("MSOLE2", (DEBIAN / name).read_bytes(), limits=LARGE)
    assert outcome.error is None
    assert not outcome.skipped
    if name == "clam.ole.doc":
        assert (DEBIAN / "clam.exe").read_bytes() in [m.data for m in outcome.members]
    else:
        (inner,) = [m.data for m in outcome.members if m.name.startswith("object at")]
        inner_members = check_contract("MSOLE2", inner, limits=LARGE).members
        assert (DEBIAN / "clam.exe").read_bytes() in [m.data for m in inner_members]


WHOLE = {name: SAMPLES[name]() for name in ("ole2", "msg")}


@pytest.mark.parametrize("name", WHOLE)
def test_truncation_is_never_silent(name: str) -> None:
    whole = WHOLE[name]
    names = {m.name for m in check_contract("MSOLE2", whole).members}
    for end in range(8, len(whole) - 512, 173):
        outcome = check_contract("MSOLE2", whole[:end])
        complete = {m.name for m in outcome.members if m.complete}
        told = outcome.error or outcome.skipped
        assert told or complete >= names or any(not m.complete for m in outcome.members), end


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(sorted(WHOLE)), st.data())
def test_damage_breaks_no_promise(name: str, draw: st.DataObject) -> None:
    data = bytearray(WHOLE[name])
    for _ in range(draw.draw(st.integers(1, 6))):
        at = draw.draw(st.integers(8, len(data) - 1))
        data[at] = draw.draw(st.integers(0, 255))
    check_contract("MSOLE2", bytes(data))
    check_contract("HWPOLE2", b"head" + bytes(data))


def test_a_directory_of_too_many_entries_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    from tocsin.unpack import cfb

    monkeypatch.setattr(cfb, "_MOST_ENTRIES", 8)
    outcome = check_contract("MSOLE2", compound({f"s{n}": b"x" * 9 for n in range(20)}))
    assert len(outcome.members) == 7
    assert [skipped.reason for skipped in outcome.skipped] == [Reason.DAMAGED]
