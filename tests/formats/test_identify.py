"""Types of files, from a table and against clamscan."""

from __future__ import annotations

import random
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from formats import images
from tocsin.formats import magic
from tocsin.formats.identify import TARGETS, TYPE_NAMES, identify

CASES: list[tuple[bytes, str]] = [
    (b"", "TEXT_ASCII"),
    (b"hello world", "TEXT_ASCII"),
    (b"caf\xe9 abc", "TEXT_ASCII"),
    ("日本語".encode(), "TEXT_ASCII"),
    (b"abc\x0bdef", "TEXT_UTF16BE"),
    (b"abc\x7fdef", "TEXT_UTF16BE"),
    (b"hello world\0", "TEXT_UTF16BE"),
    (b"\0abcdefgh", "TEXT_UTF16BE"),
    (b"\0\1\2\3" * 10, "BINARY_DATA"),
    (b"a" * 1024 + b"\0\1\2", "TEXT_ASCII"),
    (b"\xff\xfea\0b\0c\0", "TEXT_UTF16LE"),
    (b"\xfe\xff\0a\0b\0c", "TEXT_UTF16BE"),
    (b"<html>abc</html>", "HTML"),
    (b"xx <TABLE x", "HTML"),
    (b"xx <Table x", "TEXT_ASCII"),
    (b"<!DOCTYPE html><body>", "TEXT_ASCII"),
    (b'<a class=x href="q">', "HTML"),
    (b"<A class=x hREF=q>", "HTML"),
    (b"\0\1\2<html>zz", "HTML"),
    (b"a" * 1100 + b"<html>", "TEXT_ASCII"),
    (b"\xff\xfe" + "<html>abc".encode("utf-16-le"), "HTML_UTF16"),
    ("<html>abc".encode("utf-16-be"), "TEXT_UTF16BE"),
    (b"\xfe\xff" + "<html>abc".encode("utf-16-be"), "HTML"),
    ("<html>abc".encode("utf-32-le"), "HTML"),
    (b"MM hello", "TIFF"),
    (b"BM hello", "GRAPHICS"),
    (b"To: hello", "MAIL"),
    (b"Foo: 1\nReceived: by x\nContent-Type: text/plain\n\nabc", "MAIL"),
    (b"X: 1\nMIME-Version: 1.0\nContent-Type: text/plain\n\nabc", "MHTML"),
    (b"\0\1" * 255 + b"\x55\xaa" + b"\0" * 600, "MBR"),
    (b"MZ", "MSEXE"),
    (b"\0\1\2\3MZ" + b"a" * 60 + b"PE\0\0", "MSEXE"),
    (b"\0\1\0\2MZ" + b"a" * 59 + b"PE\0\0", "BINARY_DATA"),
    (b"\xca\xfe\xba\xbe\0\0\0\2aaaa", "MACHO_UNIBIN"),
    (b"\xca\xfe\xba\xbe\0\0\0\x34aaaa", "JAVA"),
    (b"ID3 xx", "IGNORED"),
    (b"[aliases] x", "POSIX_TAR"),
    (b"a".ljust(257, b"\1") + b"ustar\0" + b"\0" * 300, "POSIX_TAR"),
    (b"GIF89a".ljust(257, b"\1") + b"ustar\0" + b"\0" * 300, "GIF"),
    (b"MZ".ljust(257, b"\1") + b"ustar\0" + b"\0" * 300, "POSIX_TAR"),
    (b"\1\2\3\4\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "HWPOLE2"),
    (b"x\r\r\nabc", "PYTHON_COMPILED"),
    (b"\xee\x0c\r\nabc", "PYTHON_COMPILED"),
    (b"\n<html> PK\3\4 ", "TEXT_UTF16BE"),
    (b"%PDF-1.4 x", "PDF"),
    (b" %PDF-1.4 x", "PDF"),
    (images.archive("a"), "ZIP"),
    (images.archive("a", "word/document.xml"), "OOXML_WORD"),
    (images.archive("[Content_Types].xml", "a", "b", "c", "xl/workbook.xml"), "OOXML_XL"),
    (images.archive("a", "b", "c", "d", "xl/workbook.xml"), "ZIP"),
]


@pytest.mark.parametrize(("data", "name"), CASES)
def test_known_type(data: bytes, name: str) -> None:
    assert identify(data) == name


def test_old_tar_is_known_by_its_checksum() -> None:
    header = bytearray(b"name".ljust(100, b"\0") + b"0000644\0" * 3 + b"00000000000\0" * 2)
    header = header.ljust(512, b"\0")
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    assert identify(bytes(header)) == "OLD_TAR"
    header[0] ^= 1
    assert identify(bytes(header)) != "OLD_TAR"


def test_names_and_targets() -> None:
    assert set(TARGETS) <= TYPE_NAMES
    assert {"ANY", "OOXML_HWP", "EGGSFX", "PART_HFSPLUS", "LHA_LZH"} <= TYPE_NAMES
    assert TARGETS["BINARY_DATA"] == 14
    assert TARGETS.get("ZIP", 0) == 0


@given(st.binary(max_size=1500))
@settings(max_examples=300, deadline=None)
def test_any_bytes_have_a_type(data: bytes) -> None:
    assert identify(data) in TYPE_NAMES


def test_identifying_is_quick() -> None:
    samples = [data for data, _ in CASES] + [b"<a " * 400, b"\nFrom: " * 160, b"MZ" * 512]
    start = time.perf_counter()
    for data in samples:
        for _ in range(20):
            identify(data)
    assert (time.perf_counter() - start) / (20 * len(samples)) < 0.002


def _mixtures(count: int) -> list[bytes]:
    random_ = random.Random(20)
    pieces = [row.magic for row in magic.MAGICS] + [data[:300] for data, _ in CASES]
    objects = []
    while len(objects) < count:
        data = b"".join(
            random_.choice((b"abc ", b"\0\1\2", b"\x80\x90", b"\n", b"", random_.randbytes(9)))
            + random_.choice(pieces)
            for _ in range(random_.choice((1, 2, 3)))
        )
        # Containers and documents bring children, whose matches would be counted too.
        if len(data) > 5 and identify(data) in _SIMPLE:
            objects.append(data + b"%d" % len(objects))
    return objects


_SIMPLE = {
    "MSEXE", "GRAPHICS", "GIF", "PNG", "JPEG", "TIFF", "ELF", "MACHO", "SWF", "JAVA", "BINARY_DATA",
    "PYTHON_COMPILED", "TEXT_ASCII", "TEXT_UTF16BE", "IGNORED", "RIFF", "LNK", "GZ", "MSSZDD",
}  # fmt: skip


def test_same_targets_as_clamscan(judge) -> None:  # type: ignore[no-untyped-def]
    objects = _mixtures(150)
    targets = (0, 1, 5, 6, 9, 11, 12, 14)
    # Four digits end every object, and survive when text is normalised.
    lines = [f"T{target}:{target}:*:30313233" for target in targets]
    objects = [data + b"0123" for data in objects]
    found = judge({"ndb": "\n".join(lines) + "\n"}, objects)
    for data, names in zip(objects, found, strict=True):
        kind = identify(data)
        target = TARGETS.get(kind, 0)
        special = {name for name in names if name != "T0"}
        if kind == "IGNORED":
            assert not names, data
        elif target in targets and target:
            assert special == {f"T{target}"}, (kind, data)
        else:
            assert not special, (kind, data)
