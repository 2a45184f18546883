"""Files that would fill a disk, a memory or a life, made while the tests run; each is small."""

from __future__ import annotations

import base64
import bz2
import functools
import gzip
import io
import lzma
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator

from pdf_samples import document, flate, stream
from quine_samples import gzip_quine, zip_quine
from unpack_samples import Entry, File, deflate, make_tar, make_zip, pax

MIB = 1024 * 1024
GIB = 1024 * MIB
_BLOCK = 16 * MIB
NEEDLE = b"tocsin-needle-one"
"""What a signature of the tests finds; it stands behind the bombs, where it can."""

_LAST = Entry(b"last.txt", b"behind everything: " + NEEDLE, 0)


@functools.cache
def _zeros(size: int) -> tuple[bytes, int]:
    """Zeros as raw deflate data, and their CRC-32.

    One packed block stands again and again, which each can follow another: packing a gigabyte
    for each sample would take longer than scanning it.
    """
    count, rest = divmod(size, _BLOCK)
    packed, crc = _packed_block()
    whole = 0
    for _ in range(count):
        whole = _joined(whole, crc, _BLOCK)
    last = zlib.compressobj(9, zlib.DEFLATED, -15)
    tail = last.compress(bytes(rest)) + last.flush()
    return packed * count + tail, zlib.crc32(bytes(rest), whole)


@functools.cache
def _packed_block() -> tuple[bytes, int]:
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    block = bytes(_BLOCK)
    return packer.compress(block) + packer.flush(zlib.Z_FULL_FLUSH), zlib.crc32(block)


def _zlib_zeros(size: int) -> bytes:
    """Zeros in zlib's format, whose Adler-32 counts them only."""
    return b"\x78\xda" + _zeros(size)[0] + struct.pack(">I", size % 65_521 << 16 | 1)


# --- zip ------------------------------------------------------------------------------------


def nested_zip(layers: int = 5, width: int = 16, leaf: int = 256 * MIB) -> bytes:
    """Archives of archives, as 42.zip is made: `width ** layers` leaves."""
    packed, crc = _zeros(leaf)
    data = make_zip([Entry(b"0.dll", b"", packed=packed, crc=crc, size=leaf)])
    for _ in range(layers):
        packed, crc = deflate(data), zlib.crc32(data)
        entries = [
            Entry(b"lib %x.zip" % number, b"", packed=packed, crc=crc, size=len(data))
            for number in range(width)
        ]
        data = make_zip(entries)
    return data


def overlapping_zip(count: int = 400, kernel: int = 4 * MIB) -> bytes:
    """Members that share one body: each quotes the head of the next as stored data.

    Source: D. Fifield, "A better zip bomb" (2019), for the idea.
    """
    body, crc = _zeros(kernel)
    size = kernel
    entry_fields: list[tuple[bytes, bytes]] = []
    out = b""
    for number in range(count):
        name = b"%d" % (count - number)
        fields = struct.pack("<4H3I", 0, 8, 0, 33, crc, len(body), size)
        head = b"PK\x03\x04\x14\0" + fields + struct.pack("<HH", len(name), 0) + name
        entry_fields.append((fields, name))
        out = head + body
        if number < count - 1:
            body = struct.pack("<BHH", 0, len(head), len(head) ^ 0xFFFF) + out
            crc = _joined(zlib.crc32(head), crc, size)
            size += len(head)
    heads = [30 + len(name) for _, name in entry_fields]
    central, offset = b"", 0
    for place in range(count - 1, -1, -1):
        fields, name = entry_fields[place]
        extras = struct.pack("<HHHHHII", len(name), 0, 0, 0, 0, 0, offset)
        central += b"PK\x01\x02\x14\0\x14\0" + fields + extras + name
        offset += heads[place] + 5
    end = struct.pack("<4H2IH", 0, 0, count, count, len(central), len(out), 0)
    return out + central + b"PK\x05\x06" + end


def _joined(first: int, second: int, size: int) -> int:
    """CRC-32 of two texts one after the other: that of the first moved on over zeros."""
    return _advanced(first, size) ^ second


@functools.cache
def _advance_table(power: int) -> tuple[int, ...]:
    """What becomes of each bit of a CRC-32 after `2 ** power` further zero bytes."""
    if not power:
        plain = (zlib.crc32(b"\0", 1 << bit) for bit in range(32))
        zero = zlib.crc32(b"\0", 0)
        return tuple(value ^ zero for value in plain)
    half = _advance_table(power - 1)
    return tuple(_applied(half, value) for value in half)


def _applied(table: tuple[int, ...], value: int) -> int:
    out = 0
    for bit in range(32):
        if value >> bit & 1:
            out ^= table[bit]
    return out


def _advanced(crc: int, size: int) -> int:
    power = 0
    while size:
        if size & 1:
            crc = _applied(_advance_table(power), crc)
        size, power = size >> 1, power + 1
    return crc


def large_member_zip() -> bytes:
    """A member that says it has 10 GB, and has."""
    packed, _ = _zeros(10 * GIB)
    return make_zip([Entry(b"zeros", b"", packed=packed, size=0xFFFFFFFF, crc=1), _LAST])


def many_members_zip(count: int = 60_000) -> bytes:
    entries = [Entry(b"%d" % number, b"some data", 0) for number in range(count)]
    return make_zip([*entries, _LAST])


# --- one stream -------------------------------------------------------------------------------


def zeros_gzip(size: int, stated: int) -> bytes:
    """Zeros; a size beyond 4 GiB is stated as gzip does it, without what does not fit."""
    packed, crc = _zeros(size)
    return b"\x1f\x8b\x08" + bytes(7) + packed + struct.pack("<II", crc, stated & 0xFFFFFFFF)


def zeros_gzip_twice() -> bytes:
    inner = zeros_gzip(10 * GIB, 0)
    return b"\x1f\x8b\x08" + bytes(7) + deflate(inner) + struct.pack("<II", 1, len(inner))


def many_gzip_streams() -> bytes:
    """300,000 empty streams."""
    empty = b"\x1f\x8b\x08" + bytes(7) + b"\3\0" + bytes(8)
    return empty * 300_000 + gzip.compress(b"behind everything: " + NEEDLE)


def zeros_xz(size: int) -> bytes:
    return lzma.compress(bytes(64 * MIB), preset=0) * (size // (64 * MIB))


def zeros_bzip2(size: int) -> bytes:
    return bz2.compress(bytes(64 * MIB), 9) * (size // (64 * MIB))


def large_dictionary_xz() -> bytes:
    """An xz stream whose dictionary is of 4 GiB less a byte. Source: the .xz format, 5.3.1."""
    data = bytearray(lzma.compress(b"x" * 99, check=lzma.CHECK_NONE))
    properties = data.index(b"\x21\x01", 12) + 2
    data[properties] = 40
    data[20:24] = struct.pack("<I", zlib.crc32(data[12:20]))
    return bytes(data)


def large_dictionary_7z(dictionary: int = 0xFFFFFFFF) -> bytes:
    """A 7z archive whose member needs a dictionary of that many bytes. Source: 7zFormat.txt."""
    content = b"a member of an archive that asks for memory. " * 20 + NEEDLE
    packed = lzma.compress(
        content, lzma.FORMAT_RAW, filters=[{"id": lzma.FILTER_LZMA1, "dict_size": 1 << 16}]
    )

    def number(value: int) -> bytes:
        return bytes((0x80 | value >> 8, value & 0xFF)) if value > 127 else bytes((value,))

    coder = b"\x23\x03\x01\x01\x05\x5d" + struct.pack("<I", dictionary)
    name = "member.bin\0".encode("utf-16-le")
    header = (
        b"\x01\x04\x06\x00\x01\x09" + number(len(packed)) + b"\x00"  # packed streams
        b"\x07\x0b\x01\x00\x01" + coder + b"\x0c" + number(len(content)) + b"\x00"  # coders
        b"\x00"
        b"\x05\x01\x11" + number(len(name) + 1) + b"\x00" + name + b"\x00\x00"  # files
    )
    start = struct.pack("<QQI", len(packed), len(header), zlib.crc32(header))
    return (
        b"7z\xbc\xaf\x27\x1c\x00\x04"
        + struct.pack("<I", zlib.crc32(start))
        + start
        + (packed + header)
    )


# --- documents and mail ------------------------------------------------------------------------


def xml_bomb_ooxml(levels: int = 12) -> bytes:
    """A Word document whose text is entities of entities: ten to the power of `levels` laughs."""
    entities = '<!ENTITY a0 "laugh">'
    for level in range(1, levels):
        entities += f'<!ENTITY a{level} "{f"&a{level - 1};" * 10}">'
    text = f'<?xml version="1.0"?><!DOCTYPE d [{entities}]><d>&a{levels - 1};</d>'
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(
            "[Content_Types].xml",
            '<?xml version="1.0"?><!DOCTYPE Types [' + entities + "]>"
            '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
            f"&a{levels - 1};</Types>",
        )
        archive.writestr("_rels/.rels", text)
        archive.writestr("word/document.xml", text)
        archive.writestr("word/_rels/document.xml.rels", text)
        archive.writestr("docProps/core.xml", text)
        archive.writestr("word/media/last.txt", b"behind everything: " + NEEDLE)
    return buffer.getvalue()


def flate_bomb_pdf(depth: int = 5, size: int = 400 * MIB) -> bytes:
    """One stream that is deflated over and over."""
    data = _zlib_zeros(size)
    for _ in range(depth - 1):
        data = zlib.compress(data, 9)
    return document(
        {10: stream(data, b"/Filter[%s]" % (b"/FlateDecode" * depth)), 11: flate(NEEDLE)}
    )


def many_bombs_pdf(count: int = 3000, size: int = 16 * MIB) -> bytes:
    """Streams that each give a little more than nothing, and differ."""
    packed, _ = _zeros(size)
    more = {
        100 + number: stream(b"\x78\xda" + packed + b"%d" % number, b"/Filter/FlateDecode")
        for number in range(count)
    }
    return document({**more, 9999: flate(NEEDLE)})


def nested_pdf(depth: int = 40) -> bytes:
    data = document({10: flate(NEEDLE)})
    for _ in range(depth):
        data = document({10: flate(data, b"/Type/EmbeddedFile")})
    return data


def nested_mail(depth: int = 3000, kind: str = "multipart") -> bytes:
    """Parts within parts, or messages within messages."""
    out = ["From: a@example.org\nTo: b@example.org\nSubject: inside\nMIME-Version: 1.0\n"]
    for level in range(depth):
        if kind == "multipart":
            out.append(f'Content-Type: multipart/mixed; boundary="b{level}"\n\n--b{level}\n')
        else:
            out.append("Content-Type: message/rfc822\n\nFrom: a@example.org\nSubject: in\n")
    out.append("Content-Type: text/plain\nContent-Transfer-Encoding: base64\n\n")
    return "".join(out).encode() + base64.b64encode(NEEDLE * 9) + b"\n"


def one_boundary_mail(depth: int = 3000) -> bytes:
    """Parts whose boundaries are beginnings of one another, as deep as boundaries get."""
    out = [b"From: a@example.org\nSubject: inside\nMIME-Version: 1.0\n"]
    out += [
        b'Content-Type: multipart/mixed; boundary="%s"\n\n--%s\n' % (b"b" * n, b"b" * n)
        for n in range(1, min(depth, 60))
    ]
    return b"".join(out * (depth // 60)) + b"\nthe end\n" + _ENCODED_PART % (b"b", b"b")


def many_parts_mail(count: int = 50_000) -> bytes:
    head = (
        b'From: a@example.org\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary="b"\n\n'
    )
    parts = b"".join(b"--b\n\npart %d of it\n" % n for n in range(count))
    return head + parts + _ENCODED_PART % (b"b", b"b")


_ENCODED_PART = (
    b"--%s\nContent-Transfer-Encoding: base64\n\n" + base64.b64encode(NEEDLE * 9) + b"\n--%s--\n"
)


def large_sparse_tar() -> bytes:
    """A sparse file of an exabyte."""
    entry = pax(GNU__sparse__size=str(1 << 60), GNU__sparse__map="0,9,50,9")
    return make_tar([entry, File(data=bytes(18))])


BOMBS: dict[str, Callable[[], bytes]] = {
    "zip in zip in zip, as 42.zip": nested_zip,
    "zip that is its own member": zip_quine,
    "zip of overlapping members": overlapping_zip,
    "zip with a member of 10 GB": large_member_zip,
    "zip of 60,000 members": many_members_zip,
    "gzip that is its own content": gzip_quine,
    "gzip of 1 GB of zeros": lambda: zeros_gzip(GIB, GIB),
    "gzip of 10 GB of zeros": lambda: zeros_gzip(10 * GIB, 10 * GIB),
    "gzip of 10 GB that states 5 bytes": lambda: zeros_gzip(10 * GIB, 5),
    "gzip of a gzip of 10 GB": zeros_gzip_twice,
    "xz of 10 GB of zeros": lambda: zeros_xz(10 * GIB),
    "xz with a dictionary of 4 GB": large_dictionary_xz,
    "bzip2 of 10 GB of zeros": lambda: zeros_bzip2(10 * GIB),
    "tar of an exabyte": large_sparse_tar,
    "PDF with five deflate filters": flate_bomb_pdf,
    "PDF of 3000 deflate bombs": many_bombs_pdf,
    "PDF in PDF in PDF": nested_pdf,
    "mail with messages in messages": lambda: nested_mail(kind="message"),
    "mail of 50,000 parts": many_parts_mail,
}
"""What cannot be looked at wholly: the verdict must say so."""

HARMLESS_BOMBS: dict[str, Callable[[], bytes]] = {
    "gzip of 300,000 empty streams": many_gzip_streams,
    "OOXML with an XML bomb": xml_bomb_ooxml,
    "mail with one boundary in another": one_boundary_mail,
    "mail with parts in parts": nested_mail,
}
"""What would be a bomb for others, and is looked at wholly here."""


EITHER_WAY: dict[str, Callable[[], bytes]] = {
    "7z with a dictionary of 4 GB": large_dictionary_7z,
}
"""What may be refused, or looked at wholly within the bounds: 7-Zip needs no more of a
dictionary than the member is long, if it is asked so."""

# --- names --------------------------------------------------------------------------------------

NAMES: dict[str, bytes] = {
    "upwards": b"../../etc/passwd",
    "upwards with backslashes": b"..\\..\\windows\\system32\\x.dll",
    "absolute": b"/etc/cron.d/x",
    "of a drive": b"C:\\autoexec.bat",
    "of a share": b"\\\\host\\share\\x.exe",
    "a device": b"/dev/sda",
    "a device of Windows": b"CON",
    "with a NUL": b"a.txt\0.exe",
    "with controls": b"a\x1b[31m\r\n\x07.exe",
    "with marks of direction": "exe\u202etxt.doc".encode(),
    "that is no text": b"\xff\xfe\x80\xe9.exe",
    "empty": b"",
    "a point": b".",
    "two points": b"..",
    "of 65,535 characters": b"n" * 65_535,
    "of 65,535 slashes": b"/" * 65_535,
}


def with_names(payload: bytes) -> Iterator[tuple[str, bytes]]:
    """Archives with a member of each name, and some with two of the same."""
    for what, name in NAMES.items():
        yield f"zip: name {what}", make_zip([Entry(name, payload)])
        if len(name) <= 100:
            yield f"tar: name {what}", make_tar([File(name, payload)])
        if b"\0" not in name:
            yield f"gzip: name {what}", _named_gzip(name, payload)
    yield "zip: duplicates", make_zip([Entry(b"a", b"harmless"), Entry(b"a", payload)])
    yield "tar: duplicates", make_tar([File(b"a", b"harmless"), File(b"a", payload)])
    long = pax(path="n" * 65_535)
    yield "tar: long name", make_tar([long, File(data=payload)])
    for kind in b"123456":
        link = File(b"link", b"", kind=bytes((kind,)))
        yield f"tar: entry of kind {kind:c}", make_tar([link, File(b"link/x", payload)])


def _named_gzip(name: bytes, payload: bytes) -> bytes:
    head = b"\x1f\x8b\x08\x08" + bytes(6) + name + b"\0"
    return head + deflate(payload) + struct.pack("<II", zlib.crc32(payload), len(payload))
