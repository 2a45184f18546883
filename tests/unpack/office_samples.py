"""Samples of Office's formats and their kin, each written here byte by byte."""

from __future__ import annotations

import zlib
from base64 import b64encode
from collections.abc import Callable
from struct import pack

from cfb_writer import compound, project, squeeze

PAYLOAD = b"What is inside, and quite harmless: \x00\x01\xfe\xff 0123456789\r\n" * 3
SOURCE = (
    b'Attribute VB_Name = "Module1"\r\nSub AutoOpen()\r\n    MsgBox "Hello from the source"\r\n'
    b"End Sub\r\n"
)


def raw_deflate(data: bytes) -> bytes:
    """A deflate stream without head and check value."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    return packer.compress(data) + packer.flush()


def native(data: bytes = PAYLOAD, name: bytes = b"inside.bin") -> bytes:
    """An `Ole10Native` stream with a package."""
    body = b"\2\0" + name + b"\0C:\\x\\" + name + b"\0" + pack("<HH", 0, 3)
    temporary = b"C:\\tmp\\" + name + b"\0"
    body += pack("<I", len(temporary)) + temporary + pack("<I", len(data)) + data
    return pack("<I", len(body)) + body


def record(kind: int, body: bytes) -> bytes:
    """A record of a workbook."""
    return pack("<HH", kind, len(body)) + body


def macro_book() -> bytes:
    """A workbook stream of BIFF8 with a very hidden macro sheet."""

    def text(words: str) -> bytes:
        return b"\x17" + bytes([len(words), 0]) + words.encode("latin-1")

    alert = text("Excel 4") + b"\x42\x01\x76\x80"
    run = text("ca") + text("lc") + b"\x08" + b"\x42\x01\x6e\x00"
    cells = b"".join(
        record(6, pack("<HHH8sHIH", row, 0, 15, bytes(8), 0, 0, len(tokens)) + tokens)
        for row, tokens in enumerate((alert, run, b"\x42\x00\x36\x00"))
    )
    sheet = record(0x809, pack("<HHHHII", 0x600, 0x40, 0, 0, 0, 6)) + cells + record(10, b"")
    name = record(
        0x18, pack("<HBBHHHBBBB", 0x20, 0, 1, 7, 0, 0, 0, 0, 0, 0) + b"\0\1\x3a" + bytes(6)
    )

    def book(at: int) -> bytes:
        begin = record(0x809, pack("<HHHHII", 0x600, 5, 0, 0, 0, 6))
        bound = record(0x85, pack("<IBBBB", at, 2, 1, 6, 0) + b"Macro1")
        return begin + bound + name + record(10, b"")

    return book(len(book(0))) + sheet


def presentation(data: bytes) -> bytes:
    """A `PowerPoint Document` stream with one deflated object."""
    packed = zlib.compress(data)
    body = pack("<I", len(data)) + packed
    return pack("<HHI", 0x0F, 0x3E8, 8) + bytes(8) + pack("<HHI", 0x10, 0x1011, len(body)) + body


def document() -> bytes:
    """A compound file with one of everything."""
    return compound(
        {
            "WordDocument": bytes(5000),
            "Workbook": macro_book(),
            "PowerPoint Document": presentation(PAYLOAD),
            "ObjectPool": {"_1": {"\1Ole10Native": native()}},
            "Macros": {"VBA": project({"Module1": SOURCE}), "PROJECT": b'ID="{0}"\r\n'},
        }
    )


def message() -> bytes:
    """A message of Outlook with an attachment."""
    return compound(
        {
            "__properties_version1.0": bytes(32),
            "__substg1.0_1000001F": "The body, with an ä".encode("utf-16-le"),
            "__attach_version1.0_#00000000": {
                "__properties_version1.0": bytes(8),
                "__substg1.0_3707001F": "long näme.bin".encode("utf-16-le"),
                "__substg1.0_37010102": PAYLOAD,
            },
        }
    )


def ole1(data: bytes, class_name: bytes = b"Package") -> bytes:
    """An object as RTF holds it."""
    name = class_name + b"\0"
    head = pack("<III", 0x501, 2, len(name)) + name + pack("<II", 0, 0)
    return head + pack("<I", len(data)) + data + pack("<II", 0x501, 0)


def rtf(digits: bytes | None = None) -> bytes:
    """RTF with one object."""
    if digits is None:
        digits = ole1(native()[4:]).hex().encode()
    return rb"{\rtf1\ansi text {\object\objemb{\*\objclass Package}{\*\objdata " + digits + b"}}}"


def tnef() -> bytes:
    """TNEF with an attachment whose long name is told last."""

    def attribute(level: int, kind: int, data: bytes) -> bytes:
        return pack("<BII", level, kind, len(data)) + data + pack("<H", sum(data) & 0xFFFF)

    long_name = b"a much longer name.bin\0"
    properties = pack("<I", 1) + pack("<HHII", 0x1E, 0x3707, 1, len(long_name))
    properties += long_name.ljust(len(long_name) + 3 & ~3, b"\0")
    return b"\x78\x9f\x3e\x22\1\0" + b"".join(
        (
            attribute(1, 0x89006, pack("<I", 0x10000)),
            attribute(1, 0x2800C, b"The body.\0"),
            attribute(2, 0x69002, bytes(14)),
            attribute(2, 0x18010, b"short~1.bin\0"),
            attribute(2, 0x6800F, PAYLOAD),
            attribute(2, 0x69005, properties),
        )
    )


def shortcut(overlay: bytes = b"") -> bytes:
    """A shortcut that runs something with arguments."""

    def text(words: str) -> bytes:
        return pack("<H", len(words)) + words.encode("utf-16-le")

    head = bytes.fromhex("4c0000000114020000000000c000000000000046")
    head += pack("<I", 0x80 | 0x04 | 0x08 | 0x20) + bytes(52)
    words = text("A name") + text(r"..\cmd.exe") + text("/c echo arguments here")
    block = pack("<II", 0x314, 0xA0000001) + rb"%windir%\cmd.exe".ljust(260, b"\0")
    block += r"%windir%\system32\cmd.exe".encode("utf-16-le").ljust(520, b"\0")
    return head + words + block + bytes(4) + overlay


def onenote() -> bytes:
    """A section of OneNote as far as readers of its files look."""
    magic = bytes.fromhex("e4525c7b8cd8a74daeb15378d02996d3")
    guid = bytes.fromhex("e716e3bd65261145a4c48d4d0b7a9eac")
    footer = bytes.fromhex("22a7fb71790f0b4abb13899256426b24")
    file = guid + pack("<QIQ", len(PAYLOAD), 0, 0) + PAYLOAD.ljust(len(PAYLOAD) + 7 & ~7, b"\0")
    return magic + bytes(1008) + file + footer + bytes(64)


def sis() -> bytes:
    """A Symbian installer of release 6 with one file."""
    name = "!:\\inside.bin".encode("utf-16-le")
    packed = zlib.compress(PAYLOAD)
    files = 102
    names = files + 48
    data = names + len(name)
    head = pack("<IIII", 0x01000000, 0x10003A12, 0x10000419, 0) + pack("<HHHH", 0, 1, 1, 0)
    head += pack("<HHHH", 0, 0, 0x21, 0) + pack("<IHHHHI", 200, 1, 0, 1, 0, 0)
    head += pack("<IIIII", 100, files, names, 0, names)
    head = head.ljust(100, b"\0") + b"\1\0"
    entry = pack("<IIIIIII", 0, 0, 0, 0, 0, len(name), names)
    entry += pack("<IIIII", len(packed), data, len(PAYLOAD), 0, 0)
    return head + entry + name + packed


def sis9() -> bytes:
    """A Symbian 9 installer as far as readers of its compressed fields look."""
    packed = zlib.compress(PAYLOAD)
    field = pack("<IIIQ", 3, 12 + len(packed), 1, len(PAYLOAD)) + packed
    return bytes.fromhex("7a1a2010") + bytes(12) + pack("<II", 12, len(field)) + field


def encoded_script() -> bytes:
    """A script as `screnc.exe` writes it."""
    return b"#@~^KAAAAA==\tUm.bwDR21tK~J4+sVKPhC^kmbGEkJ@#@&9r:,6@#@&AAAAAA==^#~@"


ENCODED_TEXT = b'WScript.Echo "hello malicious"\r\nDim x\r\n'


def word_xml() -> bytes:
    """A document of Word 2003 in XML with a binary part."""
    return (
        b'<?xml version="1.0" encoding="UTF-8"?>\r\n<?mso-application progid="Word.Document"?>'
        b'<w:wordDocument xmlns:w="http://schemas.microsoft.com/office/word/2003/wordml">'
        b'<w:binData w:name="wordml://01.bin">' + b64encode(PAYLOAD) + b"</w:binData>"
        b"</w:wordDocument>"
    )


def flat_opc() -> bytes:
    """A presentation as one XML file."""
    return (
        b'<?xml version="1.0" encoding="UTF-8"?>\r\n<pkg:package xmlns:pkg="x">'
        b'<pkg:part pkg:name="/ppt/embeddings/o.bin" pkg:contentType="x"><pkg:binaryData>\r\n'
        + b64encode(PAYLOAD) + b"</pkg:binaryData></pkg:part></pkg:package>"
    )  # fmt: skip


def _wide(words: str) -> bytes:
    return pack("<I", len(words)) + words.encode("utf-16-le")


def _record12(kind: int, body: bytes) -> bytes:
    number = bytes([kind & 0x7F | 0x80, kind >> 7]) if kind > 127 else bytes([kind])
    size = (
        bytes([len(body) & 0x7F | 0x80, len(body) >> 7]) if len(body) > 127 else bytes([len(body)])
    )
    return number + size + body


def xlsb_book() -> bytes:
    """The workbook part of xlsb with a very hidden sheet."""
    return _record12(131, b"") + _record12(156, pack("<II", 2, 1) + _wide("rId1") + _wide("Macro1"))


def xlsb_sheet() -> bytes:
    """A macro sheet of xlsb."""
    tokens = b"\x17" + pack("<H", 4) + "calc".encode("utf-16-le") + b"\x42\x01\x6e\x00"
    cell = pack("<IIdH", 1, 0, 0.0, 0) + pack("<I", len(tokens)) + tokens + pack("<I", 0)
    return _record12(129, b"") + _record12(0, pack("<I", 4) + bytes(13)) + _record12(9, cell)


def active_mime() -> bytes:
    """An `editdata.mso`."""
    return b"ActiveMime\0\0\1\xf0".ljust(50, b"\0") + zlib.compress(document())


def resources() -> bytes:
    """A `.resources` file: bytes, a text and a number."""
    values = {
        "inside": b"\x20" + pack("<I", len(PAYLOAD)) + PAYLOAD,
        "text": b"\1\5words",
        "number": b"\x08" + pack("<i", 7),
    }
    head = pack("<III", 0xBEEFCACE, 1, 0)
    body = pack("<III", 2, len(values), 0)
    body += bytes(-(len(head) + len(body)) % 8) + bytes(4 * len(values))
    names, data, offsets = b"", b"", []
    for name, value in values.items():
        raw = name.encode("utf-16-le")
        offsets.append(len(names))
        names += bytes([len(raw)]) + raw + pack("<I", len(data))
        data += value
    body += pack(f"<{len(offsets)}I", *offsets)
    start = len(head) + len(body) + 4 + len(names)
    return head + body + pack("<I", start) + names + data


def dotnet() -> bytes:
    """A program of .NET with a resource file inside; it could not run."""
    inner = resources()
    blob = pack("<I", len(inner)) + inner
    cli = pack("<IHHIIII", 72, 2, 5, 0, 0, 0, 0) + pack("<II", 0x2048, len(blob))
    section = cli.ljust(0x48, b"\0") + blob
    directories = bytes(14 * 8) + pack("<II", 0x2000, 72) + bytes(8)
    optional = pack("<H", 0x10B).ljust(92, b"\0") + pack("<I", 16) + directories
    coff = b"PE\0\0" + pack("<HHIIIHH", 0x14C, 1, 0, 0, 0, len(optional), 0x102)
    table = b".text\0\0\0" + pack("<IIII", len(section), 0x2000, len(section), 0x200) + bytes(16)
    head = b"MZ".ljust(60, b"\0") + pack("<I", 0x80)
    return (head.ljust(0x80, b"\0") + coff + optional + table).ljust(0x200, b"\0") + section


def help_file() -> bytes:
    """A help file with two files, the directory in one leaf."""

    def file(body: bytes) -> bytes:
        return pack("<IIB", len(body) + 9, len(body), 0) + body

    first, second = file(PAYLOAD), file(b"ExecFile(`calc`)")
    places = 16, 16 + len(first)
    entries = b"".join(
        name + b"\0" + pack("<I", place)
        for name, place in zip((b"inside.bin", b"|SYSTEM"), places, strict=True)
    )
    page = pack("<HHHH", 0, 2, 0xFFFF, 0xFFFF) + entries
    tree = pack("<HHH16sHHHHHHI", 0x293B, 0x402, 1024, b"z4", 0, 0, 0, 0xFFFF, 1, 1, 2)
    directory = file(tree + page.ljust(1024, b"\0"))
    start = places[1] + len(second)
    head = b"\x3f\x5f\x03\x00" + pack("<IiI", start, -1, start + len(directory))
    return head + first + second + directory


def odf_basic() -> bytes:
    """A Basic module of an OpenDocument package."""
    return (
        b'<?xml version="1.0" encoding="UTF-8"?>\n<script:module xmlns:script="x" '
        b'script:name="Module1" script:language="StarBasic">Sub Main\n'
        b"  Shell(&quot;calc &amp; more&quot;)\nEnd Sub\n</script:module>"
    )


def ooxml_links() -> bytes:
    """Relationships with a template on another machine and an ordinary hyperlink."""
    base = b"http://schemas.openxmlformats.org/officeDocument/2006/relationships/"
    return (
        b'<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\r\n<Relationships xmlns="x">'
        b'<Relationship Id="rId1" Type="' + base + b'attachedTemplate" '
        b'Target="http://example.invalid/t.dotm" TargetMode="External"/>'
        b'<Relationship Id="rId2" Type="' + base + b'hyperlink" '
        b'Target="http://example.org/" TargetMode="External"/></Relationships>'
    )


SAMPLES: dict[str, Callable[[], bytes]] = {
    "ole2": document,
    "msg": message,
    "rtf": rtf,
    "tnef": tnef,
    "lnk": shortcut,
    "onenote": onenote,
    "sis": sis,
    "sis9": sis9,
    "screnc": encoded_script,
    "word_xml": word_xml,
    "flat_opc": flat_opc,
    "xlsb_book": xlsb_book,
    "xlsb_sheet": xlsb_sheet,
    "mso": active_mime,
    "resources": resources,
    "dotnet": dotnet,
    "hlp": help_file,
    "odf_basic": odf_basic,
    "ooxml_links": ooxml_links,
}

__all__ = ["ENCODED_TEXT", "PAYLOAD", "SAMPLES", "SOURCE", "squeeze"]
