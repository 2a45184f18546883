"""Signs by which a type of file is known: data only, so that it can be read and checked.

The rows restate published magic numbers (the formats' own specifications, file(1)'s
field of knowledge) in the selection and with the meaning that clamscan 1.4.6 gives them,
measured against it type by type. Nothing here looks at a file; `identify` does.
"""

from __future__ import annotations

from typing import NamedTuple


class Magic(NamedTuple):
    """Bytes that decide a type when they stand at a fixed place.

    Attributes:
        magic: the bytes.
        type_name: type they stand for.
        offset: where they stand.
    """

    magic: bytes
    type_name: str
    offset: int = 0


class Sign(NamedTuple):
    """A pattern that may lie further inside, looked for when no magic decides.

    A sign has one or two parts. With two, `tail` is what has to follow `start` after
    `gap_min` to `gap_max` other bytes. Both are regular expressions over bytes.

    Attributes:
        type_name: type it stands for.
        needle: bytes without which the sign cannot be there (a cheap first test).
        start: first part; empty when the needle is the whole sign.
        last: greatest offset at which `start` may begin, or -1 for any.
        tail: second part, or empty.
        gap_min: fewest bytes between the parts.
        gap_max: most bytes between the parts.
        first: smallest offset at which `start` may begin.
    """

    type_name: str
    needle: bytes
    start: bytes = b""
    last: int = -1
    tail: bytes = b""
    gap_min: int = 0
    gap_max: int = 1 << 30
    first: int = 0


# Magic numbers of CPython and PyPy up to 3.7: a little-endian number, then CR LF. They
# are written as Lib/importlib/_bootstrap_external.py lists them; later versions are
# known by a sign instead.
_PYTHON = (
    11913, 5892, 20121, 50428, 50429, 50823, 50824, 60202, 60203, 60717, 60718, 62011,
    62012, 62021, 62041, 62051, 62061, 62062, 62071, 62081, 62091, 62092, 62101, 62111,
    62121, 62131, 62132, 62151, 62161, 62162, 62171, 62181, 62191, 62201, 62211, 62212,
    62218, 3000, 3010, 3020, 3030, 3040, 3050, 3060, 3061, 3071, 3081, 3091, 3101, 3103,
    3111, 3131, 3141, 3151, 3160, 3170, 3180, 3190, 3200, 3210, 3220, 3230, 3250, 3260,
    3270, 3280, 3290, 3300, 3310, 3320, 3330, 3340, 3350, 3351, 3360, 3361, 3370, 3371,
    3372, 3373, 3375, 3376, 3377, 3378, 3379, 3390, 3391, 3568, 256, 336,
)  # fmt: skip

# Python 1.0 to 1.2 ended theirs in 99 00.
_OLD_PYTHON = (b"\x02\x09\x99\x00", b"\x03\x09\x99\x00")

_MAIL_HEADERS = (
    b">From ", b"Date: ", b"Delivered-To: ", b"Delivery-date: ", b"Envelope-to: ", b"For: ",
    b"From ", b"From: ", b"Hi. This is the qmail-send", b"Message-ID: ", b"Message-Id: ",
    b"Received: ", b"Return-Path: ", b"Return-path: ", b"Subject: ", b"To: ",
    b"X-Apparently-To: ", b"X-EVS", b"X-Envelope-From: ", b"X-Original-To: ",
    b"X-Real-To: ", b"X-Sieve: ", b"X-Symantec-", b"X-UIDL: ", b"v:\nReceived: ",
    b"v:\r\nReceived: ",
)  # fmt: skip

_IGNORED_EARLY = (b".RMF", b"ID3", b"OggS", b"\xff\xfb\x90", b"SIP-HIT (SIP/H")
_IGNORED = (
    b"SYMC\x01\x00", b"SQLite format 3\x00", bytes.fromhex("377f0682002de218"),
    bytes.fromhex("377f0683002de218"), bytes.fromhex("d9d505f920a163d7"),
)  # fmt: skip

_OLE2 = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"

# Where several rows fit, the last of them counts.
MAGICS: tuple[Magic, ...] = (
    Magic(b"MZ", "MSEXE"),
    Magic(b"\x7fELF", "ELF"),
    Magic(b"PK\x03\x04", "ZIP"),
    Magic(b"PK00PK\x03\x04", "ZIP"),
    Magic(b"\x1f\x8b", "GZ"),
    Magic(b"BZh", "BZ"),
    Magic(b"Rar!", "RAR"),
    Magic(b"\x60\xea", "ARJ"),
    Magic(b"ITSF", "MSCHM"),
    Magic(b"SZDD", "MSSZDD"),
    Magic(_OLE2, "MSOLE2"),
    Magic(b"BM", "GRAPHICS"),
    Magic(b"RIFF", "RIFF"),
    Magic(b"RIFX", "RIFF"),
    Magic(b"#@~^", "SCRENC"),
    Magic(b"(This file must be converted with BinHex 4.0)", "BINHEX"),
    Magic(b"begin ", "UUENCODED"),
    Magic(b"\x78\x9f\x3e\x22", "TNEF"),
    Magic(bytes.fromhex("b6b9acaefeffffff"), "CRYPTFF"),
    *(Magic(text, "MAIL") for text in _MAIL_HEADERS),
    *(Magic(text, "IGNORED") for text in _IGNORED_EARLY),
    Magic(b"ustar", "POSIX_TAR", 257),
    Magic(b"\xce\xfa\xed\xfe", "MACHO"),
    Magic(b"\xcf\xfa\xed\xfe", "MACHO"),
    Magic(b"\xfe\xed\xfa\xce", "MACHO"),
    Magic(b"\xfe\xed\xfa\xcf", "MACHO"),
    Magic(b"7z\xbc\xaf\x27\x1c", "7Z"),
    Magic(b"Received-SPF: ", "MAIL"),
    Magic(b"070701", "CPIO_NEWC"),
    Magic(b"070702", "CPIO_CRC"),
    Magic(b"070707", "CPIO_ODC"),
    Magic(b"\x71\xc7", "CPIO_OLD"),
    Magic(b"\xc7\x71", "CPIO_OLD"),
    Magic(b"%PDF-", "PDF"),
    *(Magic(text, "IGNORED") for text in _IGNORED),
    Magic(b"FWS", "SWF"),
    Magic(b"MSCF\x00\x00\x00\x00", "MSCAB"),
    Magic(b"[aliases]", "POSIX_TAR"),
    Magic(b"\x00\x00\x00\x0cjP  \r\x0a\x87\x0a", "GRAPHICS"),
    Magic(b"\x00\x00\x01\xb3", "BINARY_DATA"),
    Magic(b"\x00\x00\x01\xba", "BINARY_DATA"),
    Magic(b"xar!", "XAR"),
    Magic(b"\xfd7zXZ\x00", "XZ"),
    Magic(b"EFI PART", "GPT", 512),
    Magic(_OLE2, "HWPOLE2", 4),
    Magic(b"HWP Document File V3.00 \x1a\x01\x02\x03\x04\x05", "HWP3"),
    Magic(b"{\\rt", "RTF"),
    Magic(b"%!PS-Adobe-", "PS"),
    Magic(bytes.fromhex("4c0000000114020000000000c000000000000046"), "LNK"),
    Magic(b"CWS", "SWF"),
    Magic(b"ZWS", "SWF"),
    Magic(b"EGGA", "EGG"),
    Magic(b"\x89PNG", "PNG"),
    Magic(b"GIF", "GIF"),
    Magic(b"\xff\xd8\xff", "JPEG"),
    Magic(b"II*\x00", "TIFF"),
    Magic(b"MM", "TIFF"),
    Magic(b'{\n  "Magic":"CLAMJSONv0"', "INTERNAL"),
    Magic(bytes.fromhex("e4525c7b8cd8a74daeb15378d02996d3"), "ONENOTE"),
    *(Magic(text, "PYTHON_COMPILED") for text in _OLD_PYTHON),
    *(Magic(number.to_bytes(2, "little") + b"\r\n", "PYTHON_COMPILED") for number in _PYTHON),
    Magic(b"ALZ\x01", "ALZ"),
)

_XML = rb"<\?xml version=\"1\.0\""
_HTML_TAGS = (
    b"<HTML>", b"<html>", b"<Html>", b"<HEAD>", b"<head>", b"<Head>", b"<IFRAME", b"<iframe",
    b"<IMG", b"<img", b"<Img", b"<OBJECT", b"<object", b"<Object", b"<SCRIPT", b"<script",
    b"<Script", b"<TABLE", b"<table",
)  # fmt: skip
_MIME_VERSION = rb"[Mm][Ii][Mm][Ee]-[Vv]ersion: "
_CONTENT_TYPE = rb"\n[Cc]ontent-[Tt]ype: "

# The signs of HTML stand apart: almost every text is asked for them.
HTML_SIGNS: tuple[Sign, ...] = (
    *(Sign("HTML", tag) for tag in _HTML_TAGS),
    Sign("HTML", b"<A ", rb"<A ", -1, rb"[hH][rR](?:EF|ef)"),
    Sign("HTML", b"<a ", rb"<a ", -1, rb"[hH][rR](?:EF|ef)"),
    Sign("HTML", b"<%@ LANGUAGE =", rb"<%@ LANGUAGE =", 0),
    Sign("XDP", b"<xdp:xdp"),
    Sign("XML_XL", b"Workbook", _XML, 0, rb"<(?:..:)?Workbook", 0, 1024),
    Sign("XML_WORD", b"wordDocument", _XML, 0, rb"<(?:..:)?wordDocument", 0, 1024),
    Sign("XML_WORD", b"Word.Document", _XML, 0, rb"progid=\"Word\.Document\"\?>", 0, 1024),
    Sign("XML_HWP", b"<HWPML", rb"\xef\xbb\xbf" + _XML, 0, rb"<HWPML"),
)

MAIL_SIGNS: tuple[Sign, ...] = (
    Sign("MAIL", b"rom: ", rb"\n[Ff]rom: ", 1024, rb"\n" + _MIME_VERSION, 0, 1024),
    Sign("MAIL", b"rom: ", rb"\n[Ff]rom: ", 1024, _CONTENT_TYPE, 0, 2048),
    Sign("MAIL", b"ersion: ", rb"\n" + _MIME_VERSION, 1024, _CONTENT_TYPE, 0, 2048),
    Sign("MAIL", b"essage-", rb"\n[Mm]essage-[Ii]d: ", 1024, _CONTENT_TYPE, 0, 1024),
    Sign("MAIL", b"eceived: ", rb"\n[Rr]eceived: ", 2048, _CONTENT_TYPE, 0, 2048),
    Sign("MHTML", b"ersion: ", _MIME_VERSION, 0, _CONTENT_TYPE, 0, 1024),
    Sign("MHTML", b"ersion: ", rb"\n" + _MIME_VERSION, -1, _CONTENT_TYPE, 0, 1024),
)

OTHER_SIGNS: tuple[Sign, ...] = (
    Sign("MAIL", b"Delivered-To:", rb"Delivered-To:", 1024, rb"Received:", 0, 256),
    Sign("MSEXE", b"PE\x00\x00", rb"MZ", -1, rb"PE\x00\x00", 60, 300),
    Sign("ZIPSFX", b"PK\x03\x04"),
    Sign("RARSFX", b"Rar!\x1a\x07\x00"),
    Sign("ARJSFX", b"\x60\xea", rb"\x60\xea.{7}[\x00-\x02]\x02"),
    Sign("CABSFX", b"MSCF\x00\x00\x00\x00"),
    Sign("7ZSFX", b"7z\xbc\xaf\x27\x1c"),
    Sign("PDF", b"PDF-", rb"%PDF-.\."),
    Sign("PDF", b"pdf-", rb"%pdf-.\."),
    Sign(
        "AUTOIT",
        bytes.fromhex("a3484bbe986c4aa9994c530a86d6487d41553321454130"),
        rb"\xa3HK\xbe\x98lJ\xa9\x99LS\x0a\x86\xd6H\x7dAU3!EA0[56]",
    ),
    Sign("NULSFT", bytes.fromhex("efbeadde4e756c6c736f6674496e7374")),
    Sign(
        "ISHIELD_MSI",
        b"InstallShield\x00",
        rb"InstallShield\x00",
        -1,
        rb"\x06\x00{7}.{8}\x00{4}\x01",
        292,
        292,
    ),
    Sign("IGNORED", b"/RGB\nID\n\xff\xff", rb"/RGB\nID\n" + rb"\xff" * 24, 128),
    Sign("UDF", b"\x00BEA01"),
    Sign("SIS", b"\x19\x04\x00\x10", rb"\x19\x04\x00\x10", 20, first=8),
    Sign(
        "MACHO_UNIBIN",
        b"\xca\xfe\xba\xbe",
        rb"\xca\xfe\xba\xbe\x00\x00\x00[\x00-\x1f]",
        0,
    ),
    Sign("JAVA", b"\xca\xfe\xba\xbe", rb"\xca\xfe\xba\xbe\x00\x00\x00[\x20-\x3f]", 0),
    Sign("APM", b"PM\x00\x00", rb"ER.{510}PM\x00\x00", 0),
    Sign("MBR", b"\x55\xaa", rb"\x55\xaa", 510, first=510),
    Sign("PYTHON_COMPILED", b"\r\r\n", rb".\r\r\n", 0),
    Sign("LHA_LZH", b"-l", rb"-l(?:h[0-7dx]|z[s45])-", 2, first=2),
    Sign("LHA_LZH", b"-pm0-", rb"-pm0-", 2, first=2),
)

# Which of two signs counts: the later entry of this tuple. Types that stand in none of
# the two collections replace whatever was found before them in the file.
RANK: tuple[str, ...] = (
    "MACHO_UNIBIN", "SIS", "PDF", "JAVA", "PYTHON_COMPILED", "LHA_LZH", "MBR", "HTML", "MAIL",
)  # fmt: skip

# Archives appended to something else; at this stage they only undo what came before.
APPENDED: frozenset[str] = frozenset({"ZIPSFX", "RARSFX", "ARJSFX", "CABSFX", "7ZSFX", "EGGSFX"})

# Which signatures are tried on a type besides those for any file: ClamAV's target numbers.
TARGET_NUMBERS: dict[str, int] = {
    "MSEXE": 1,
    "MSOLE2": 2,
    "HTML": 3,
    "HTML_UTF16": 3,
    "MAIL": 4,
    "GRAPHICS": 5,
    "GIF": 5,
    "PNG": 5,
    "JPEG": 5,
    "TIFF": 5,
    "ELF": 6,
    "TEXT_ASCII": 7,
    "TEXT_UTF8": 7,
    "TEXT_UTF16LE": 7,
    "TEXT_UTF16BE": 7,
    "MACHO": 9,
    "MACHO_UNIBIN": 9,
    "PDF": 10,
    "SWF": 11,
    "JAVA": 12,
    "INTERNAL": 13,
    "BINARY_DATA": 14,
    "PYTHON_COMPILED": 14,
}

# Names that no row above carries, but signatures may mention.
OTHER_TYPE_NAMES: tuple[str, ...] = (
    "ANY", "TEXT_ASCII", "TEXT_UTF8", "TEXT_UTF16LE", "TEXT_UTF16BE", "OLD_TAR", "SCRIPT",
    "HTML_UTF16", "SFX", "EGGSFX", "ISO9660", "DMG", "OOXML_WORD",
    "OOXML_PPT", "OOXML_XL", "OOXML_HWP", "PART_ANY", "PART_HFSPLUS", "ERROR",
    "MSPPT", "MSWORD", "MSXL", "HWP5",
)  # fmt: skip
