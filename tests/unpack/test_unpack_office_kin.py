"""RTF, TNEF, shortcuts, OneNote, Symbian, encoded scripts, Office in XML, xlsb and .NET."""

from __future__ import annotations

import zlib
from base64 import b64encode
from pathlib import Path
from struct import pack

import pytest
from cfb_writer import compound
from hypothesis import given, settings
from hypothesis import strategies as st
from office_samples import (
    ENCODED_TEXT,
    PAYLOAD,
    SAMPLES,
    document,
    flat_opc,
    native,
    ole1,
    onenote,
    resources,
    rtf,
    shortcut,
    sis,
    tnef,
    word_xml,
    xlsb_sheet,
)
from unpack_contract import SMALL, check_contract

from tocsin.errors import FormatError, LimitReached
from tocsin.formats.identify import identify
from tocsin.formats.kinds import kinds
from tocsin.unpack.interface import Limits, Member, Reason, Remark, Trait
from tocsin.unpack.registry import FORMATS

DEBIAN = Path("/usr/share/clamav-testfiles")
KINDS = {row.sample: row.kinds for row in FORMATS if row.sample in SAMPLES}
GIVES = {
    "ole2": "inside.bin", "rtf": "inside.bin", "tnef": "a much longer name.bin",
    "onenote": "file 1", "sis": "!:\\inside.bin", "sis9": "", "word_xml": "wordml://01.bin",
    "flat_opc": "/ppt/embeddings/o.bin", "resources": "inside",
    "hlp": "inside.bin",
}  # fmt: skip
"""Where in a sample the payload comes out, and under which name."""


def test_every_row_has_its_sample() -> None:
    assert set(GIVES) <= set(KINDS)
    assert {"screnc", "lnk", "xlsb_book", "xlsb_sheet", "mso", "dotnet"} <= set(KINDS)


@pytest.mark.parametrize("name", sorted(KINDS))
def test_samples_are_recognised(name: str) -> None:
    data = SAMPLES[name]()
    assert set(kinds(data, identify(data))) & set(KINDS[name])


@pytest.mark.parametrize("name", sorted(KINDS))
def test_samples_open_without_a_word_of_complaint(name: str) -> None:
    data = SAMPLES[name]()
    (kind,) = set(kinds(data, identify(data))) & set(KINDS[name])
    outcome = check_contract(kind, data)
    assert outcome.error is None
    assert not outcome.skipped
    assert outcome.values
    assert all(member.complete for member in outcome.members)
    if name in GIVES:
        found = {member.name: member.data for member in outcome.members}
        assert found[GIVES[name]] == PAYLOAD


HEX = ole1(native()[4:]).hex().encode()
PAIRS = [HEX[at : at + 2] for at in range(0, len(HEX), 2)]

OBFUSCATED = {
    "capitals": HEX.upper(),
    "blanks and line ends": b" \r\n".join(PAIRS),
    "line ends everywhere": b"\r\n\t ".join([bytes([c]) for c in HEX]),
    "words unknown": b"\\zzz9 ".join(PAIRS),
    "groups to be ignored": b"{\\*\\xyz 4141 {\\nested 42}}".join([HEX[:30], HEX[30:]]),
    "unknown groups that count": b"{\\mumble " + HEX[:40] + b"}" + HEX[40:],
    "destinations that take text away": b"{\\pict 4142 \\'41}".join([HEX[:40], HEX[40:]]),
    "bytes in hexadecimal": b"\\'41".join([HEX[:40], HEX[40:]]),
    "raw bytes": HEX[:40] + b"\\bin4 " + bytes.fromhex(HEX[40:48].decode()) + HEX[48:],
    "no raw bytes": b"\\bin0 ".join([HEX[:40], HEX[40:]]),
    "raw bytes of a negative number": b"\\bin-9 ".join([HEX[:40], HEX[40:]]),
    "other letters": b"zZ,;!".join([HEX[:40], HEX[40:]]),
    "symbols": b"\\~\\-\\_".join([HEX[:40], HEX[40:]]),
    "braces around": b"{" + HEX[:40] + b"}{{" + HEX[40:] + b"}}",
}


@pytest.mark.parametrize("case", OBFUSCATED)
def test_objects_of_rtf_however_they_are_strewn(case: str) -> None:
    (member,) = check_contract("RTF", rtf(OBFUSCATED[case])).members
    assert (member.name, member.data) == ("inside.bin", PAYLOAD)


@pytest.mark.parametrize("tail", [b"", b"}", b"}}}}}", b"{\\*\\x"])
def test_rtf_that_does_not_end(tail: bytes) -> None:
    whole = rtf()
    assert check_contract("RTF", whole[:-3] + tail).members[0].data == PAYLOAD


def test_objects_of_other_classes() -> None:
    inner = compound({"a": PAYLOAD})
    (member,) = check_contract("RTF", rtf(ole1(inner, b"Word.Document.8").hex().encode())).members
    assert (member.name, member.data) == ("Word.Document.8", inner)
    whole, bare = check_contract("RTF", rtf(b"99" * 7 + inner.hex().encode())).members
    assert whole.data == b"\x99" * 7 + inner
    assert bare.data == inner


def test_two_objects_and_a_template_from_elsewhere() -> None:
    data = (
        rb"{\rtf1{\*\template http://example.invalid/x.dot}"
        + rb"{\object{\*\objdata " + HEX + rb"}}{\object\objdata " + HEX + b"}}"
    )  # fmt: skip
    outcome = check_contract("RTF", data)
    assert [member.data for member in outcome.members] == [PAYLOAD, PAYLOAD]
    (remark,) = [value for value in outcome.values if isinstance(value, Remark)]
    assert remark.trait is Trait.NOTE
    assert "http://example.invalid/x.dot" in remark.detail


def test_a_truncated_object_is_handed_on() -> None:
    cut = HEX[: len(HEX) // 2]
    found = [member.data for member in check_contract("RTF", rtf(cut)).members]
    assert bytes.fromhex(cut.decode()[: len(cut) & ~1]) in found


def test_tnef_with_an_embedded_object() -> None:
    guid = bytes(16)
    value = guid + PAYLOAD
    properties = pack("<I", 3) + pack("<HHI", 3, 0x3705, 5)
    properties += pack("<HH", 0x1003, 0x8001) + guid + pack("<II", 0, 7)
    properties += pack("<I", 2) + bytes(8)
    properties += pack("<HHII", 0x0D, 0x3701, 1, len(value)) + value.ljust(
        len(value) + 3 & ~3, b"\0"
    )
    data = tnef()[:6]
    for kind, body in ((0x69002, bytes(14)), (0x69005, properties)):
        data += pack("<BII", 2, kind, len(body)) + body + bytes(2)
    (member,) = check_contract("TNEF", data).members
    assert member.data == PAYLOAD


def test_tnef_that_is_cut_off() -> None:
    whole = tnef()
    at = whole.find(PAYLOAD)
    outcome = check_contract("TNEF", whole[: at + 50])
    attachment = outcome.members[-1]
    assert attachment.data == PAYLOAD[:50]
    assert not attachment.complete


def test_bodies_in_properties_of_tnef() -> None:
    html = b"<html>body</html>"
    text = "wide ä".encode("utf-16-le")
    properties = pack("<I", 2)
    properties += pack("<HHII", 0x102, 0x1013, 1, len(html)) + html.ljust(len(html) + 3 & ~3, b"\0")
    properties += pack("<HHII", 0x1F, 0x1000, 1, len(text)) + text
    data = tnef()[:6] + pack("<BII", 1, 0x69003, len(properties)) + properties + bytes(2)
    found = {m.name: m.data for m in check_contract("TNEF", data).members}
    assert found == {"body.html": html, "body.txt": "wide ä".encode()}


def test_a_shortcut_as_text_and_what_hangs_behind_it() -> None:
    text, behind = check_contract("LNK", shortcut(PAYLOAD)).members
    lines = text.data.decode().splitlines()
    assert lines[0] == r"%windir%\system32\cmd.exe /c echo arguments here"
    assert "name: A name" in lines
    assert text.type_name == "TEXT_ASCII"
    assert behind.data == PAYLOAD


def test_a_shortcut_with_an_id_list_and_a_local_path() -> None:
    head = shortcut()[:20] + pack("<I", 0x03 | 0x20) + bytes(52)
    path, suffix = b"C:\\Windows\\cmd.exe\0", b"\0"
    info = pack("<IIIIII", 0, 28, 1, 0, 28, 0) + pack("<I", 28 + len(path)) + path + suffix
    info = pack("<I", len(info)) + info[4:]
    data = head + pack("<H", 6) + bytes(6) + info + pack("<H", 4) + b"/c a" + bytes(4)
    (text,) = check_contract("LNK", data).members
    assert text.data.decode().splitlines()[0] == r"C:\Windows\cmd.exe /c a"


def test_a_file_of_onenote_that_is_cut_off() -> None:
    whole = onenote()
    (member,) = check_contract("ONENOTE", whole[: whole.find(PAYLOAD) + 40]).members
    assert member.data == PAYLOAD[:40]
    assert not member.complete


def test_symbian_with_options_conditions_and_languages() -> None:
    whole = sis()
    packed = zlib.compress(PAYLOAD)
    at = 102
    options = pack("<II", 2, 1) + bytes(8) + bytes(16)
    condition = pack("<II", 3, 8) + bytes(8)
    entry = whole[at : at + 48]
    shifted = len(options) + len(condition) + 4
    fields = [int.from_bytes(entry[i : i + 4], "little") for i in range(0, 48, 4)]
    fields[6] += shifted
    fields[8] += shifted
    moved = pack("<12I", *fields)
    data = whole[:at] + options + condition + moved + pack("<I", 6) + whole[at + 48 :]
    (member,) = check_contract("SIS", data).members
    assert member.data == PAYLOAD
    assert packed in data


def test_symbian_records_that_make_no_sense_are_told() -> None:
    whole = sis()
    (skipped,) = check_contract("SIS", whole[:102] + pack("<I", 77) + whole[106:]).skipped
    assert skipped.reason is Reason.DAMAGED


def test_an_encoded_script_comes_as_the_script_of_a_page() -> None:
    (member,) = check_contract("SCRENC", SAMPLES["screnc"]()).members
    assert member.data == b"<script>" + ENCODED_TEXT + b"</script>"
    (cut,) = check_contract("SCRENC", SAMPLES["screnc"]()[:-20]).members
    assert cut.data.startswith(b"<script>WScript.Echo")
    assert not cut.complete


def test_macros_of_word_in_xml_are_told() -> None:
    data = word_xml().replace(b"wordml://01.bin", b"editdata.mso")
    outcome = check_contract("XML_WORD", data)
    assert [v.trait for v in outcome.values if isinstance(v, Remark)] == [Trait.MACROS]


def test_base64_of_many_lines_and_broken_base64() -> None:
    big = bytes(range(256)) * 2000
    encoded = b64encode(big)
    lines = b"\r\n ".join([encoded[at : at + 76] for at in range(0, 700_000, 76)])
    (member,) = check_contract("FLAT_OPC", flat_opc().replace(b64encode(PAYLOAD), lines)).members
    assert member.data == big
    bad = flat_opc().replace(b64encode(PAYLOAD), b64encode(PAYLOAD).rstrip(b"=") + b"A")
    values = check_contract("FLAT_OPC", bad).values
    assert len(values) == 1


def test_objects_of_hangul_in_xml_are_inflated() -> None:
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = b64encode(packer.compress(PAYLOAD) + packer.flush())
    data = (
        b'\xef\xbb\xbf<?xml version="1.0"?><HWPML><BINDATA Compress="true" Encoding="Base64" '
        b'Id="1">' + packed + b"</BINDATA></HWPML>"
    )  # fmt: skip
    assert identify(data) == "XML_HWP"
    (member,) = check_contract("XML_HWP", data).members
    assert (member.name, member.data) == ("1", PAYLOAD)


def test_sheets_of_xlsb_without_macros_say_nothing() -> None:
    plain = xlsb_sheet().replace(b"\x42\x01\x6e\x00", b"\x42\x01\x04\x00")
    assert check_contract("XLSB_SHEET", plain).values == []
    (text,) = check_contract("XLSB_SHEET", xlsb_sheet()).members
    assert text.data == b'B5=EXEC("calc")\n'


def test_macros_behind_active_mime() -> None:
    (member,) = check_contract("ACTIVEMIME", SAMPLES["mso"]()).members
    assert member.data == document()


def test_texts_of_resources_and_numbers() -> None:
    found = {m.name: m.data for m in check_contract("NET_RESOURCES", resources()).members}
    assert found == {"inside": PAYLOAD, "text": b"words"}


def test_a_resource_file_without_values() -> None:
    data = resources()
    assert check_contract("NET_RESOURCES", data[:16] + bytes(8) + data[24:]).values == []


def test_resources_of_a_program() -> None:
    (member,) = check_contract("DOTNET", SAMPLES["dotnet"]()).members
    assert member.data == resources()


def test_basic_of_opendocument_comes_out_readable() -> None:
    outcome = check_contract("ODF_BASIC", SAMPLES["odf_basic"]())
    (member,) = outcome.members
    assert member.name == "Module1.bas"
    assert member.data == b'Sub Main\n  Shell("calc & more")\nEnd Sub\n'
    assert [v.trait for v in outcome.values if isinstance(v, Remark)] == [Trait.MACROS]


def test_links_outwards_are_told_and_hyperlinks_are_not() -> None:
    remark, links = check_contract("OOXML_LINKS", SAMPLES["ooxml_links"]()).values
    assert isinstance(links, Member)
    assert links.data == b"http://example.invalid/t.dotm\n"
    assert isinstance(remark, Remark)
    assert remark.detail == "attachedTemplate from elsewhere: http://example.invalid/t.dotm"
    inward = SAMPLES["ooxml_links"]().replace(b"External", b"Internal")
    assert list(kinds(inward, "TEXT_ASCII")) == ["TEXT_ASCII"]


def test_macro_sheets_of_xlsx_are_told() -> None:
    data = b'<?xml version="1.0"?>\r\n<xm:macrosheet xmlns:xm="x"><sheetData/></xm:macrosheet>'
    assert "OOXML_MACRO_SHEET" in kinds(data, "TEXT_ASCII")
    (remark,) = check_contract("OOXML_MACRO_SHEET", data).values
    assert isinstance(remark, Remark)
    assert remark.trait is Trait.MACROS


def test_a_help_file_whose_pages_go_round_in_a_circle() -> None:
    whole = SAMPLES["hlp"]()
    at = whole.find(pack("<HHHH", 0, 2, 0xFFFF, 0xFFFF))
    outcome = check_contract("HLP", whole[: at + 6] + b"\0\0" + whole[at + 8 :])
    assert [member.name for member in outcome.members] == ["inside.bin", "|SYSTEM"]
    assert [skipped.reason for skipped in outcome.skipped] == [Reason.DAMAGED]


@pytest.mark.parametrize("name", ["clam.exe.rtf", "clam.tnef", "clam.sis"])
def test_samples_of_debian_give_their_program(name: str) -> None:
    if not (DEBIAN / name).exists():
        pytest.skip("Debian's clamav-testfiles is not installed")
    data = (DEBIAN / name).read_bytes()
    outcome = check_contract(identify(data), data)
    assert outcome.error is None
    assert not outcome.skipped
    assert (DEBIAN / "clam.exe").read_bytes() in [member.data for member in outcome.members]


ALL = sorted({kind for row in KINDS.values() for kind in row} - {"MSOLE2", "HWPOLE2"})


@pytest.mark.parametrize("kind", ALL)
def test_something_else_is_refused(kind: str) -> None:
    assert isinstance(check_contract(kind, b"\x00\x01 nothing of the kind").error, FormatError)


@pytest.mark.parametrize("name", sorted(set(GIVES) - {"ole2"}))
def test_limits(name: str) -> None:
    data = SAMPLES[name]()
    kind = KINDS[name][0]
    none = check_contract(kind, data, SMALL._replace(max_scan_size=20))
    assert isinstance(none.error, LimitReached)
    small = check_contract(kind, data, Limits(max_file_size=50))
    assert Reason.LIMIT in {skipped.reason for skipped in small.skipped}
    assert PAYLOAD not in [member.data for member in small.members]


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(sorted(KINDS)), st.data())
def test_damage_breaks_no_promise(name: str, draw: st.DataObject) -> None:
    data = bytearray(SAMPLES[name]())
    del data[draw.draw(st.integers(4, len(data))) :]
    for _ in range(draw.draw(st.integers(0, 6))):
        at = draw.draw(st.integers(0, len(data) - 1))
        data[at] = draw.draw(st.integers(0, 255))
    for kind in KINDS[name]:
        check_contract(kind, bytes(data))


def test_an_object_of_too_many_words_is_incomplete(monkeypatch: pytest.MonkeyPatch) -> None:
    from tocsin.unpack import rtf as module

    monkeypatch.setattr(module, "_MOST_TOKENS", 5000)
    monkeypatch.setattr(module, "_BETWEEN_CHECKS", 1000)
    values = check_contract("RTF", rtf(b"41" * 8 + b"{}" * 9000 + b"42"))
    (member,) = values.members
    assert member.data == b"A" * 8
    assert not member.complete
    assert "5000 words" in member.note
