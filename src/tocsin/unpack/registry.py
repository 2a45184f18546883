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
    Format("Java package (jar)", ("ZIP",), "zip", "own", "files", "jar"),
    Format("Android package (apk)", ("ZIP",), "zip", "own", "files", "apk"),
    Format("Python package (whl, egg)", ("ZIP",), "zip", "own", "files", "wheel"),
    Format("Chrome extension (crx)", ("CRX",), "zip", "own", "files", "crx"),
    Format("Electron archive (asar)", ("ASAR",), "asar", "own; msgspec", "files", "asar"),
    Format(
        "Docker image, OCI image",
        ("CONTAINER_IMAGE",),
        "container_image",
        "own; msgspec",
        "files of every layer, what a layer removes",
        "docker_image",
    ),
    Format("zstd", ("ZSTD",), "zstd", "zstandard", "the file", "zstd"),
    Format("lz4", ("LZ4",), "lz4", "lz4", "the file", "lz4"),
    Format("brotli in frames (brotli-mt)", ("BROTLI",), "brotli", "brotli", "the file", "brotli"),
    Format("Flash film (swf)", ("SWF",), "swf", "zlib, lzma", "the film unpacked", "swf"),
    Format("gzip", ("GZ",), "gzip", "zlib", "the file", "gzip"),
    Format("bzip2", ("BZ",), "bzip2", "bz2", "the file", "bzip2"),
    Format("xz, lzma", ("XZ",), "xz", "lzma", "the file", "xz"),
    Format("tar", ("POSIX_TAR", "OLD_TAR"), "tar", "own", "members", "tar"),
    Format("7z", ("7Z",), "sevenzip", "7-Zip", "members", "7z"),
    Format("7z behind a program", ("7ZSFX",), "sevenzip", "7-Zip", "members", "7z_sfx"),
    Format("rar 4, rar 5", ("RAR",), "sevenzip", "7-Zip", "members", "rar"),
    Format("rar behind a program", ("RARSFX",), "sevenzip", "7-Zip", "members", "rar_sfx"),
    Format("cab", ("MSCAB",), "sevenzip", "7-Zip", "members", "cab"),
    Format("cab behind a program", ("CABSFX",), "sevenzip", "7-Zip", "members", "cab_sfx"),
    Format("arj", ("ARJ",), "sevenzip", "7-Zip", "members", "arj"),
    Format("arj behind a program", ("ARJSFX",), "sevenzip", "7-Zip", "members", "arj_sfx"),
    Format("NSIS installer", ("NULSFT",), "sevenzip", "7-Zip", "files", "nsis"),
    Format("lha, lzh", ("LHA_LZH",), "sevenzip", "7-Zip", "members", "lzh"),
    Format(
        "cpio (bin, odc, newc, crc)",
        ("CPIO_OLD", "CPIO_ODC", "CPIO_NEWC", "CPIO_CRC"),
        "sevenzip",
        "7-Zip",
        "members",
        "cpio",
    ),
    Format("ar, deb", ("AR",), "sevenzip", "7-Zip", "members", "ar"),
    Format("rpm", ("RPM",), "sevenzip", "7-Zip", "the cpio", "rpm"),
    Format("Windows help (chm)", ("MSCHM",), "sevenzip", "7-Zip", "files", "chm"),
    Format("compress.exe (szdd)", ("MSSZDD",), "sevenzip", "7-Zip", "the file", "szdd"),
    Format("compress (.Z)", ("COMPRESS_Z",), "sevenzip", "7-Zip", "the file", "compress_z"),
    Format("lzma alone", ("LZMA_ALONE",), "sevenzip", "7-Zip", "the file", "lzma_alone"),
    Format("xar, pkg", ("XAR",), "sevenzip", "7-Zip", "files", "xar"),
    Format("wim, esd", ("WIM",), "sevenzip", "7-Zip", "files, alternate streams", "wim"),
    Format("ISO 9660", ("ISO9660",), "sevenzip", "7-Zip", "files", "iso"),
    Format(
        "ISO 9660's primary tree beside Joliet's",
        ("ISO9660_PRIMARY",),
        "iso_primary",
        "own",
        "files that only it leads to",
        "iso_primary",
    ),
    Format("UDF", ("UDF",), "sevenzip", "7-Zip", "files", "udf"),
    Format("Apple disk image (dmg)", ("DMG",), "sevenzip", "7-Zip", "partitions", "dmg"),
    Format("HFS, HFS+, HFSX", ("PART_HFSPLUS",), "sevenzip", "7-Zip", "files", "hfs"),
    Format("APFS", ("APFS",), "sevenzip", "7-Zip", "files", "apfs"),
    Format("vhd", ("VHD",), "sevenzip", "7-Zip", "the disk", "vhd"),
    Format("vhdx", ("VHDX",), "sevenzip", "7-Zip", "the disk", "vhdx"),
    Format("vmdk", ("VMDK",), "sevenzip", "7-Zip", "the disk", "vmdk"),
    Format("qcow, qcow2", ("QCOW",), "sevenzip", "7-Zip", "the disk", "qcow"),
    Format("vdi", ("VDI",), "sevenzip", "7-Zip", "the disk", "vdi"),
    Format(
        "Android sparse image",
        ("ANDROID_SPARSE",),
        "sevenzip",
        "7-Zip",
        "the image",
        "android_sparse",
    ),
    Format("GPT disk", ("GPT",), "sevenzip", "7-Zip", "partitions", "gpt"),
    Format("Apple partition map", ("APM",), "sevenzip", "7-Zip", "partitions", "apm"),
    Format("MBR disk", ("MBR",), "sevenzip", "7-Zip", "partitions", "mbr"),
    Format("squashfs", ("SQUASHFS",), "sevenzip", "7-Zip", "files", "squashfs"),
    Format("cramfs", ("CRAMFS",), "sevenzip", "7-Zip", "files", "cramfs"),
    Format("ext2, ext3, ext4", ("EXT",), "sevenzip", "7-Zip", "files", "ext"),
    Format("FAT", ("FAT",), "sevenzip", "7-Zip", "files", "fat"),
    Format("NTFS", ("NTFS",), "sevenzip", "7-Zip", "files, alternate streams", "ntfs"),
    Format("UEFI firmware", ("UEFI",), "sevenzip", "7-Zip", "volumes, files", "uefi"),
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
    Format(
        "OpenDocument Basic module",
        ("ODF_BASIC",),
        "office_parts",
        "own",
        "the macro's source",
        "odf_basic",
    ),
    Format(
        "Links and macro sheets of Office Open XML",
        ("OOXML_LINKS", "OOXML_MACRO_SHEET"),
        "office_parts",
        "own",
        "targets of links that are followed at once",
        "ooxml_links",
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
    Format("Windows help (hlp)", ("HLP",), "hlp", "own", "files, macros", "hlp"),
    Format(
        "Outlook message (msg)",
        ("MSOLE2",),
        "ole2",
        "own",
        "attachments, bodies, nested messages",
        "msg",
    ),
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
    Format("Inno Setup programs", ("INNO",), "inno", "own; lzma, zlib, bz2", "files", "inno"),
    Format(
        "PyInstaller programs",
        ("PYINSTALLER",),
        "pyinstaller",
        "own; zlib",
        "files, scripts, modules",
        "pyinstaller",
    ),
    Format("ALZ", ("ALZ",), "alz", "own; zlib, bz2", "files", "alz"),
    Format("EGG", ("EGG",), "alz", "own; zlib, bz2, lzma", "files", "egg"),
    Format("PyInstaller modules (pyz)", ("PYZ",), "pyinstaller", "own; zlib", "modules", "pyz"),
    Format(
        "programs and archives inside or behind other files",
        ("EMBEDDED",),
        "embedded",
        "own; hyperscan",
        "each as long as its headers say",
        "embedded",
    ),
    Format(
        "universal binaries (Mach-O)", ("MACHO_UNIBIN",), "embedded", "own", "slices", "universal"
    ),
    Format(
        "PDF", ("PDF",), "pdf", "own; zlib, pikepdf", "streams, files, scripts, addresses", "pdf"
    ),
    Format("XDP forms", ("XDP",), "xdp", "own", "PDF documents", "xdp"),
    Format(
        "HTML",
        ("HTML", "HTML_UTF16"),
        "html",
        "own",
        "normal forms, scripts, data: addresses, srcdoc, lists of bytes",
        "html",
    ),
    Format("HTML inside a GIF", ("GIF",), "html", "own", "the same", "html_in_gif"),
    Format(
        "text and scripts",
        ("TEXT_ASCII", "TEXT_UTF8", "TEXT_UTF16LE", "TEXT_UTF16BE", "SCRIPT"),
        "text",
        "own",
        "normal form, encoded commands, script with its strings put together",
        "script",
    ),
    Format(
        "packed Windows programs: UPX, FSG, MEW, ASPack, Petite, PESpin, Upack, WWPack, Y0da "
        "Crypter and others alike",
        ("PACKED",),
        "packed",
        "own; icicle-emu",
        "the program as it unpacked itself",
        "packed",
    ),
    Format(
        "ELF programs packed with UPX, of every processor",
        ("UPX_ELF",),
        "upx_elf",
        "own; lzma",
        "the program as it was",
        "upx_elf",
    ),
)


def titles(kind: str) -> str:
    """What people call a kind of container."""
    return " or ".join(row.title for row in FORMATS if kind in row.kinds) or kind
