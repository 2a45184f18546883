"""Which module opens which kind of container: the table behind `docs/formats.md`.

A row a format that a person knows by name. A module is imported when an object of one of its
kinds turns up, with the library that it stands on.
"""

from __future__ import annotations

from typing import NamedTuple


class Format(NamedTuple):
    """One format that is opened.

    Attributes:
        title: its name as people know it.
        kinds: ClamAV's types without `CL_TYPE_` and kinds of ours (`formats.kinds`).
        module: module of this package that opens it.
        reads: what reads it: a library, or "own".
        gives: what comes out, in a few words.
        sample: name of the sample that the tests open (`tests/unpack/`).
    """

    title: str
    kinds: tuple[str, ...]
    module: str
    reads: str
    gives: str
    sample: str


FORMATS: tuple[Format, ...] = (
    Format("ZIP", ("ZIP", "ZIPSFX"), "zip", "own; zlib, bz2, lzma", "members", "zip"),
    Format(
        "Office Open XML",
        ("OOXML_WORD", "OOXML_XL", "OOXML_PPT", "OOXML_HWP"),
        "zip",
        "own",
        "parts",
        "ooxml",
    ),
    Format("gzip", ("GZ",), "gzip", "zlib", "the file", "gzip"),
    Format("bzip2", ("BZ",), "bzip2", "bz2", "the file", "bzip2"),
    Format("xz, lzma", ("XZ",), "xz", "lzma", "the file", "xz"),
    Format("tar", ("POSIX_TAR", "OLD_TAR"), "tar", "own", "members", "tar"),
    Format("mail (MIME)", ("MAIL", "MHTML"), "mail", "own", "every part, decoded", "mail"),
    Format("mbox", ("MAIL",), "mail", "own", "messages", "mbox"),
    Format("S/MIME, PKCS #7 (.p7m)", ("PKCS7",), "pkcs7", "own", "what is signed", "pkcs7"),
    Format("uuencode", ("UUENCODED",), "uuencode", "own", "files", "uuencode"),
    Format("yEnc", ("YENC",), "yenc", "own", "files", "yenc"),
    Format("BinHex", ("BINHEX",), "binhex", "own", "both forks", "binhex"),
    Format("AppleSingle, AppleDouble", ("APPLESINGLE",), "apple", "own", "both forks", "apple"),
    Format(
        "base64 and hex in text",
        ("BASE64_RUNS",),
        "base64_runs",
        "own",
        "programs, archives, scripts",
        "base64_runs",
    ),
    Format(
        "Word, Excel, PowerPoint 97 to 2003; Visio, Publisher, HWP",
        ("MSOLE2", "HWPOLE2"),
        "ole2",
        "own; cryptography",
        "streams, embedded files, macros of both kinds, decrypted documents",
        "ole2",
    ),
    Format(
        "RTF",
        ("RTF",),
        "rtf",
        "own",
        "objects and the files inside them",
        "rtf",
    ),
    Format("Outlook's winmail.dat (TNEF)", ("TNEF",), "tnef", "own", "attachments, bodies", "tnef"),
    Format("Windows shortcut (lnk)", ("LNK",), "lnk", "own", "its command as text; overlay", "lnk"),
    Format("OneNote", ("ONENOTE",), "onenote", "own", "files and pictures", "onenote"),
    Format("Encoded scripts (vbe, jse)", ("SCRENC",), "screnc", "own", "the script", "screnc"),
    Format(
        "Word and Excel 2003 XML, HWPML",
        ("XML_WORD", "XML_XL", "XML_HWP"),
        "office_xml",
        "own",
        "binary parts",
        "word_xml",
    ),
    Format(
        "Office Open XML as one XML file",
        ("FLAT_OPC",),
        "office_xml",
        "own",
        "binary parts",
        "flat_opc",
    ),
    Format("Excel workbook of xlsb", ("XLSB_BOOK",), "xlsb", "own", "its sheets", "xlsb_book"),
    Format(
        "Excel sheet of xlsb",
        ("XLSB_SHEET",),
        "xlsb",
        "own",
        "macros as text",
        "xlsb_sheet",
    ),
    Format("ActiveMime (mso)", ("ACTIVEMIME",), "activemime", "own; zlib", "macros", "mso"),
    Format(".NET program", ("DOTNET",), "dotnet", "own", "resources", "dotnet"),
    Format(".NET resource file", ("NET_RESOURCES",), "dotnet", "own", "values", "resources"),
    Format("Symbian installer (sis)", ("SIS",), "sis", "own; zlib", "files", "sis"),
    Format("Symbian 9 installer (sisx)", ("SIS9",), "sis", "own; zlib", "files", "sis9"),
    Format(
        "AutoIt scripts (EA05, EA06)",
        ("AUTOIT",),
        "autoit",
        "own",
        "script as text, files",
        "autoit",
    ),
    Format(
        "InstallShield programs",
        ("INSTALLSHIELD", "ISHIELD_MSI"),
        "installshield",
        "own; zlib",
        "files, files of the cabinets",
        "installshield",
    ),
    Format(
        "InstallShield cabinets",
        ("INSTALLSHIELD_CAB",),
        "installshield",
        "own; zlib",
        "files",
        "installshield_cab",
    ),
    Format(
        "PDF", ("PDF",), "pdf", "own; zlib, pikepdf", "streams, files, scripts, addresses", "pdf"
    ),
    Format("XDP forms", ("XDP",), "xdp", "own", "PDF documents", "xdp"),
)


def titles(kind: str) -> str:
    """What people call a kind of container."""
    return " or ".join(row.title for row in FORMATS if kind in row.kinds) or kind
