"""Programs that carry a supplier's marks, written while the tests run; independent of the readers.

Source: "PE Format" and VERSIONINFO (Microsoft); System V ABI; Android's `ResourceTypes.h`,
"Dalvik executable format" and "APK Signature Scheme v2"; Apple's `mach-o/loader.h` and
`cs_blobs.h`; RFC 5652.
"""

from __future__ import annotations

import functools
import hashlib
import io
import json
import tarfile
import zipfile
from datetime import UTC, datetime
from struct import pack
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.x509.oid import NameOID

# --- Windows programs ----------------------------------------------------------------------


def _block(key: str, value: bytes = b"", inner: bytes = b"", *, text: bool = True) -> bytes:
    """One block of a version resource, and padding up to the next."""
    head = key.encode("utf-16-le") + b"\0\0"
    head += bytes(-(6 + len(head)) % 4)
    body = head + value
    if inner:
        body += bytes(-(6 + len(body)) % 4) + inner
    length = len(value) // 2 if text else len(value)
    block = pack("<HHH", 6 + len(body), length, int(text)) + body
    return block + bytes(-len(block) % 4)


def version_resource(strings: dict[str, str]) -> bytes:
    rows = b"".join(
        _block(key, (value + "\0").encode("utf-16-le")) for key, value in strings.items()
    )
    table = _block("StringFileInfo", inner=_block("040904b0", inner=rows))
    fixed = pack("<13I", 0xFEEF04BD, 0x10000, *[0] * 11)
    return _block("VS_VERSION_INFO", fixed, table, text=False)


def pe(strings: dict[str, str] | None = None, text: bytes = b"") -> bytes:
    """A program for x86-64 that does nothing, with a version resource and a text."""
    unit = 0x200
    code = b"\xc3" + text
    resource = b""
    if strings is not None:
        version = version_resource(strings)

        def folder(number: int, target: int) -> bytes:
            return pack("<12xHHII", 0, 1, number, target)

        sub = 1 << 31
        resource = folder(16, sub | 24) + folder(1, sub | 48) + folder(0x409, 72)
        resource += pack("<IIII", 0x100000 + 88, len(version), 0, 0) + version
    rows = [(b".text", 0x1000, code, 0x60000020)]
    if resource:
        rows.append((b".rsrc", 0x100000, resource, 0x40000040))
    at = unit
    table = bodies = b""
    for name, address, body, flags in rows:
        raw = len(body) + -len(body) % unit
        table += pack("<8sIIII12xI", name, len(body), address, raw, at, flags)
        bodies += body.ljust(raw, b"\0")
        at += raw
    directories = [(0, 0)] * 16
    if resource:
        directories[2] = (0x100000, len(resource))
    optional = pack("<HBBIIIII", 0x20B, 14, 0, unit, 0, 0, 0x1000, 0x1000)
    optional += pack("<QIIHHHHHHIIII", 0x140000000, 0x1000, unit, 6, 0, 0, 0, 6, 0, 0, 0x200000,
                     unit, 0)  # fmt: skip
    optional += pack("<HHQQQQII", 3, 0, 1 << 20, 1 << 12, 1 << 20, 1 << 12, 0, 16)
    optional += b"".join(pack("<II", *each) for each in directories)
    coff = pack("<HHIIIHH", 0x8664, len(rows), 0, 0, 0, len(optional), 0x22)
    head = b"MZ".ljust(60, b"\0") + pack("<I", 64) + b"PE\0\0" + coff + optional + table
    assert len(head) <= unit
    return head.ljust(unit, b"\0") + bodies


KASPERSKY_STRINGS = {
    "CompanyName": "AO Kaspersky Lab",
    "FileDescription": "Endpoint",
    "FileVersion": "21.3.10.391",
    "LegalCopyright": "© 2020 AO Kaspersky Lab. All Rights Reserved.",
    "ProductName": "An endpoint product",
}


# --- ELF -----------------------------------------------------------------------------------


def elf_note(owner: bytes, kind: int, content: bytes) -> bytes:
    name = owner + b"\0"
    return (
        pack("<III", len(name), len(content), kind)
        + name.ljust(len(name) + -len(name) % 4, b"\0")
        + content.ljust(len(content) + -len(content) % 4, b"\0")
    )


def package_note(**fields: str) -> bytes:
    return elf_note(b"FDO", 0xCAFE1A7E, json.dumps(fields).encode() + b"\0")


def elf(
    notes: bytes = b"", comment: bytes = b"", text: bytes = b"", needed: tuple[str, ...] = ()
) -> bytes:
    """A shared library for x86-64 with these sections, and a dynamic one."""
    base = 64 + 3 * 56
    strings = b"\0" + b"".join(name.encode() + b"\0" for name in needed)
    places, dynamic = 1, b""
    for name in needed:
        dynamic += pack("<QQ", 1, places)
        places += len(name) + 1
    titles = b"\0.note.package\0.comment\0.rodata\0.dynstr\0.dynamic\0.shstrtab\0"
    parts = [
        (b".note.package", 7, notes),
        (b".comment", 1, comment),
        (b".rodata", 1, text),
        (b".dynstr", 3, strings),
    ]
    at, body, rows = base, b"", [bytes(64)]
    offsets = {}
    for title, kind, data in parts:
        padded = data.ljust(len(data) + -len(data) % 8, b"\0")
        offsets[title] = at
        rows.append(
            pack("<IIQQQQIIQQ", titles.index(title), kind, 2, at, at, len(data), 0, 0, 4, 0)
        )
        body += padded
        at += len(padded)
    dynamic += pack("<QQ", 5, offsets[b".dynstr"]) + pack("<QQ", 10, len(strings)) + bytes(16)
    rows.append(
        pack("<IIQQQQIIQQ", titles.index(b".dynamic"), 6, 2, at, at, len(dynamic), 4, 0, 8, 16)
    )
    start_dynamic = at
    body += dynamic
    at += len(dynamic)
    rows.append(
        pack("<IIQQQQIIQQ", titles.index(b".shstrtab"), 3, 0, 0, at, len(titles), 0, 0, 1, 0)
    )
    body += titles.ljust(len(titles) + -len(titles) % 8, b"\0")
    at += len(titles) + -len(titles) % 8
    segments = pack("<IIQQQQQQ", 1, 5, 0, 0, 0, at, at, 4096)
    segments += pack("<IIQQQQQQ", 2, 6, start_dynamic, start_dynamic, 0, *[len(dynamic)] * 2, 8)
    note = offsets[b".note.package"]
    segments += pack("<IIQQQQQQ", 4, 4, note, note, 0, len(notes), len(notes), 4)
    head = b"\x7fELF\2\1\1".ljust(16, b"\0")
    head += pack("<HHIQQQIHHHHHH", 3, 62, 1, 0, 64, at, 0, 64, 56, 3, 64, len(rows), len(rows) - 1)
    return head + segments + body + b"".join(rows)


# --- signatures ----------------------------------------------------------------------------


class Identity(NamedTuple):
    """Somebody who can sign."""

    key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.DER)

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    @property
    def key_pem(self) -> bytes:
        return self.key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )


@functools.cache
def _key(number: int) -> rsa.RSAPrivateKey:
    del number
    return rsa.generate_private_key(65537, 2048)


def _name(common: str, organisation: str) -> x509.Name:
    parts = [x509.NameAttribute(NameOID.COMMON_NAME, common)]
    if organisation:
        parts.append(x509.NameAttribute(NameOID.ORGANIZATION_NAME, organisation))
    return x509.Name(parts)


@functools.cache
def identity(
    common: str, organisation: str = "", issuer: str = "", *, stamps: bool = False
) -> Identity:
    """A certificate; of an issuer that one is made up for, or its own."""
    key = _key(0)
    subject = _name(common, organisation)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(_name(issuer, "") if issuer else subject)
        .public_key(key.public_key())
        .serial_number(int.from_bytes(hashlib.sha256(common.encode()).digest()[:8], "big") | 1)
        .not_valid_before(datetime(2015, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(2040, 1, 1, tzinfo=UTC))
    )
    usage = x509.oid.ExtendedKeyUsageOID
    wanted = usage.TIME_STAMPING if stamps else usage.CODE_SIGNING
    builder = builder.add_extension(x509.ExtendedKeyUsage([wanted]), critical=stamps)
    return Identity(key, builder.sign(key, hashes.SHA256()))


def tlv(tag: int, *parts: bytes) -> bytes:
    """A value in DER."""
    body = b"".join(parts)
    size = len(body)
    if size < 128:
        return bytes((tag, size)) + body
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(length))) + length + body


def oid(text: str) -> bytes:
    first, second, *rest = map(int, text.split("."))
    body = b""
    for number in (40 * first + second, *rest):
        digits = [number & 0x7F]
        while number := number >> 7:
            digits.append(0x80 | number & 0x7F)
        body += bytes(reversed(digits))
    return tlv(6, body)


SHA256 = tlv(0x30, oid("2.16.840.1.101.3.4.2.1"), b"\5\0")
_RSA = tlv(0x30, oid("1.2.840.113549.1.1.1"), b"\5\0")
DATA, CTL = "1.2.840.113549.1.7.1", "1.3.6.1.4.1.311.10.1"


def signed(
    who: Identity,
    content: bytes,
    content_type: str = CTL,
    *,
    made: datetime | None = None,
    unsigned: bytes = b"",
    detached: bool = False,
    certificates: tuple[bytes, ...] = (),
    open_ended: bool = False,
    algorithm: bytes = _RSA,
) -> bytes:
    """A signature (SignedData) over a value in DER, as Windows makes them."""
    assert isinstance(who.key, rsa.RSAPrivateKey)
    at = 2 if content[1] < 128 else 2 + (content[1] & 0x7F)
    digest = hashlib.sha256(content[at:]).digest()
    attributes = [
        tlv(0x30, oid("1.2.840.113549.1.9.3"), tlv(0x31, oid(content_type))),
        tlv(0x30, oid("1.2.840.113549.1.9.4"), tlv(0x31, tlv(4, digest))),
    ]
    if made is not None:
        when = tlv(0x17, made.strftime("%y%m%d%H%M%SZ").encode())
        attributes.append(tlv(0x30, oid("1.2.840.113549.1.9.5"), tlv(0x31, when)))
    body = b"".join(sorted(attributes))
    value = who.key.sign(tlv(0x31, body), padding.PKCS1v15(), hashes.SHA256())
    serial = who.certificate.serial_number
    number = tlv(2, serial.to_bytes(serial.bit_length() // 8 + 1, "big"))
    issuer = who.certificate.issuer.public_bytes()
    signer = tlv(
        0x30, tlv(2, b"\1"), tlv(0x30, issuer, number), SHA256, tlv(0xA0, body), algorithm,
        tlv(4, value),
        *((tlv(0xA1, unsigned),) if unsigned else ()),
    )  # fmt: skip
    inner = tlv(0x30, oid(content_type), b"" if detached else tlv(0xA0, content))
    held = tlv(0xA0, who.der, *certificates)
    fields = (tlv(2, b"\1"), tlv(0x31, SHA256), inner, held, tlv(0x31, signer))
    name = oid("1.2.840.113549.1.7.2")
    if open_ended:
        body = b"\x30\x80" + b"".join(fields) + b"\0\0"
        return b"\x30\x80" + name + b"\xa0\x80" + body + b"\0\0" + b"\0\0"
    return tlv(0x30, name, tlv(0xA0, tlv(0x30, *fields)))


# --- Android -------------------------------------------------------------------------------


def android_manifest(
    package: str, version: str = "1.0", services: tuple[str, ...] = (), *, utf8: bool = False
) -> bytes:
    """A compiled AndroidManifest.xml."""
    words = ["package", "versionName", "name", "manifest", "application", "service"]
    words += [package, version, *services]
    number = {word: index for index, word in enumerate(words)}
    table = b""
    places = []
    for word in words:
        places.append(len(table))
        if utf8:
            table += bytes((len(word), len(word.encode()))) + word.encode() + b"\0"
        else:
            table += pack("<H", len(word)) + word.encode("utf-16-le") + b"\0\0"
    table += bytes(-len(table) % 4)
    start = 28 + 4 * len(words)
    pool = pack("<HHI", 1, 28, start + len(table))
    pool += pack("<IIIII", len(words), 0, 256 if utf8 else 0, start, 0)
    pool += b"".join(pack("<I", at) for at in places) + table
    numbers = pack("<HHI", 0x180, 8, 8 + 12) + pack("<III", 0, 0x0101021C, 0x01010003)

    def element(tag: str, **attributes: str) -> bytes:
        rows = b"".join(
            pack("<IIIHBBI", 0xFFFFFFFF, number[key], number[value], 8, 0, 3, number[value])
            for key, value in attributes.items()
        )
        body = pack("<IIIIHHHHHH", 1, 0xFFFFFFFF, 0xFFFFFFFF, number[tag], 20, 20,
                    len(attributes), 0, 0, 0) + rows  # fmt: skip
        return pack("<HHI", 0x102, 16, 8 + len(body)) + body

    body = pool + numbers
    body += element("manifest", package=package, versionName=version)
    body += element("application")
    for each in services:
        body += element("service", name=each)
    return pack("<HHI", 3, 8, 8 + len(body)) + body


def dex(classes: tuple[str, ...]) -> bytes:
    """A DEX file that defines classes without anything in them."""
    names = [f"L{name.replace('.', '/')};".encode() for name in classes]
    count = len(names)
    at = 112
    strings_at, types_at, classes_at = at, at + 4 * count, at + 8 * count
    data_at = classes_at + 32 * count
    table = body = b""
    for name in names:
        table += pack("<I", data_at + len(body))
        body += bytes((len(name),)) + name + b"\0"
    types = b"".join(pack("<I", index) for index in range(count))
    rows = b"".join(pack("<IIIIIIII", index, 1, *[0xFFFFFFFF] * 6) for index in range(count))
    size = data_at + len(body)
    head = b"dex\n035\0" + bytes(24)
    head += pack("<IIIIII", size, 112, 0x12345678, 0, 0, 0)
    head += pack("<IIIIIIIIIIIIII", count, strings_at, count, types_at, *[0] * 6, count, classes_at,
                 len(body), data_at)  # fmt: skip
    return head + table + types + rows + body


def zipped(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(zipfile.ZipInfo(name), data, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def with_signing_block(apk: bytes, who: Identity, scheme: int = 0x7109871A) -> bytes:
    """A package with an APK signing block, whose digests are none."""

    def sized(*parts: bytes) -> bytes:
        body = b"".join(parts)
        return pack("<I", len(body)) + body

    data = sized(sized(), sized(sized(who.der)), sized())
    value = sized(sized(data, sized(), sized()))
    pair = pack("<QI", 4 + len(value), scheme) + value
    size = len(pair) + 24
    block = pack("<Q", size) + pair + pack("<Q", size) + b"APK Sig Block 42"
    end = apk.rindex(b"PK\5\6")
    directory = int.from_bytes(apk[end + 16 : end + 20], "little")
    moved = pack("<I", directory + len(block))
    return apk[:directory] + block + apk[directory : end + 16] + moved + apk[end + 20 :]


# --- Apple ---------------------------------------------------------------------------------


def macho(
    identifier: str, team: str, envelope: bytes, plist: bytes = b"", text: bytes = b""
) -> bytes:
    """A program for x86-64 with a code signature."""
    at = 52
    names = identifier.encode() + b"\0" + team.encode() + b"\0"
    directory = pack(">IIIIIIIIIBBBBIII", 0xFADE0C02, at + len(names), 0x20200, 0, at, at, 0, 0, 0,
                     32, 2, 0, 12, 0, 0, at + len(identifier) + 1) + names  # fmt: skip
    cms = pack(">II", 0xFADE0B01, 8 + len(envelope)) + envelope
    first = 12 + 16
    blob = pack(">III", 0xFADE0CC0, first + len(directory) + len(cms), 2)
    blob += pack(">IIII", 0, first, 0x10000, first + len(directory)) + directory + cms
    commands = 72 + 80 + 16
    body_at = 32 + commands
    section = pack("<16s16sQQIIIIIIII", b"__info_plist", b"__TEXT", body_at, len(plist), body_at,
                   *[0] * 7)  # fmt: skip
    segment = pack("<II16sQQQQIIII", 0x19, 152, b"__TEXT", 0, 4096, 0, 4096, 5, 5, 1, 0) + section
    signature = pack("<IIII", 0x1D, 16, body_at + len(plist) + len(text), len(blob))
    head = pack("<IIIIIIII", 0xFEEDFACF, 0x1000007, 3, 2, 2, commands, 0, 0)
    return head + segment + signature + plist + text + blob


# --- images --------------------------------------------------------------------------------


def tarred(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def docker_archive(*layers: dict[str, bytes]) -> bytes:
    """What `docker save` writes."""
    packed = [tarred(layer) for layer in layers]
    names = [f"{hashlib.sha256(each).hexdigest()}/layer.tar" for each in packed]
    manifest = json.dumps([{"Config": "c.json", "RepoTags": ["x:1"], "Layers": names}]).encode()
    return tarred(
        {**dict(zip(names, packed, strict=True)), "c.json": b"{}", "manifest.json": manifest}
    )


def oci_layout(*layers: dict[str, bytes]) -> bytes:
    """The same as an archive of an OCI layout."""
    blobs: dict[str, bytes] = {}

    def add(data: bytes) -> dict[str, object]:
        digest = hashlib.sha256(data).hexdigest()
        blobs[f"blobs/sha256/{digest}"] = data
        return {"digest": f"sha256:{digest}", "size": len(data)}

    manifest = {"schemaVersion": 2, "config": add(b"{}")}
    manifest["layers"] = [add(tarred(layer)) for layer in layers]
    index = {"schemaVersion": 2, "manifests": [add(json.dumps(manifest).encode())]}
    marks = {"oci-layout": b'{"imageLayoutVersion":"1.0.0"}'}
    return tarred({**marks, "index.json": json.dumps(index).encode(), **blobs})
