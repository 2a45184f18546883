"""Mails and encoded texts made for the tests, by other programs than ours where there are any."""

from __future__ import annotations

import base64
import binascii
import datetime
import mailbox
import struct
import tempfile
import zlib
from collections.abc import Callable, Sequence
from email.message import EmailMessage
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import pkcs7
from cryptography.x509.oid import NameOID

PROGRAM = b"MZ\x90\x00" + bytes(range(256)) * 3 + b"\x90" * 40 + b"the end"
HEAD = b"From: a@example.com\nTo: b@example.com\nSubject: a message\nMIME-Version: 1.0\n"
TEXT_PART = b"Content-Type: text/plain\n\nhello there"


def multipart(parts: Sequence[bytes], boundary: bytes = b"XX", end: bytes | None = None) -> bytes:
    """The body of a multipart with its Content-Type."""
    head = b"Content-Type: multipart/mixed; boundary=" + boundary + b"\n\n"
    body = b"".join(b"--" + boundary + b"\n" + part + b"\n" for part in parts)
    return head + body + (b"--" + boundary + b"--\n" if end is None else end)


def file_part(data: bytes = PROGRAM, header: bytes = b"", encoding: bytes = b"base64") -> bytes:
    """A part that is a file in base64."""
    stated = b"Content-Transfer-Encoding: " + encoding + b"\n" if encoding else b""
    head = b"Content-Type: application/octet-stream\n" + header + stated
    return head + b"\n" + base64.encodebytes(data).rstrip(b"\n")


def message(*attachments: tuple[str, bytes], text: str = "see attached\n") -> EmailMessage:
    """A message by Python's `email`."""
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "a@example.com", "b@example.com", "files"
    mail.set_content(text)
    mail.add_alternative(f"<html><body>{text}</body></html>", subtype="html")
    for name, data in attachments:
        mail.add_attachment(data, "application", "octet-stream", filename=name)
    return mail


def python_mail() -> bytes:
    return message(("program.exe", PROGRAM), ("größe.bin", PROGRAM * 2)).as_bytes()


def python_mailbox() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "box")
        box = mailbox.mbox(path)
        for number in range(3):
            mail = message((f"{number}.bin", PROGRAM))
            mail.replace_header("Subject", f"number {number}")
            box.add(mailbox.mboxMessage(mail))
        box.close()
        return path.read_bytes()


def uuencoded(data: bytes = PROGRAM, name: bytes = b"program.exe") -> bytes:
    lines = [binascii.b2a_uu(data[at : at + 45]) for at in range(0, len(data), 45)]
    return b"begin 644 " + name + b"\n" + b"".join(lines) + b"`\nend\n"


def yencoded(
    data: bytes = PROGRAM, name: bytes = b"program.exe", part: tuple[int, int, int] | None = None
) -> bytes:
    """One file, or of `part` = (number, begin, size of the file) that part."""
    out = bytearray()
    for byte in data:
        code = (byte + 42) & 255
        out += bytes((61, (code + 64) & 255)) if code in (0, 10, 13, 61) else bytes((code,))
    lines, at = [], 0
    while at < len(out):
        stop = at + 128
        stop += out[stop - 1 : stop] == b"="
        lines.append(bytes(out[at:stop]))
        at = stop
    body = b"\r\n".join(lines)
    crc = zlib.crc32(data)
    if part is None:
        head = b"=ybegin line=128 size=%d name=%s\r\n" % (len(data), name)
        return head + body + b"\r\n=yend size=%d crc32=%08x\r\n" % (len(data), crc)
    number, begin, size = part
    head = b"=ybegin part=%d line=128 size=%d name=%s\r\n" % (number, size, name)
    head += b"=ypart begin=%d end=%d\r\n" % (begin, begin + len(data) - 1)
    return head + body + b"\r\n=yend size=%d part=%d pcrc32=%08x\r\n" % (len(data), number, crc)


_HQX = b"!\"#$%&'()*+,-012345689@ABCDEFGHIJKLMNPQRSTUVXYZ[`abcdefhijklmpqr"
_BASE64 = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"


def binhexed(data: bytes = PROGRAM, rsrc: bytes = b"resource", name: bytes = b"program") -> bytes:
    """A file in BinHex, its repeats packed."""
    head = bytes([len(name)]) + name + b"\0" + b"APPLaplt" + bytes(2)
    head += struct.pack(">II", len(data), len(rsrc))
    raw = b""
    for piece in (head, data, rsrc):
        raw += piece + struct.pack(">H", binascii.crc_hqx(piece, 0))
    packed = bytearray()
    at = 0
    while at < len(raw):
        count = 1
        while at + count < len(raw) and raw[at + count] == raw[at] and count < 255:
            count += 1
        byte = b"\x90\x00" if raw[at] == 0x90 else raw[at : at + 1]
        packed += byte + bytes((0x90, count)) if count > 3 else byte * count
        at += count
    packed += bytes(-len(packed) % 3)
    text = b":" + base64.b64encode(packed).translate(bytes.maketrans(_BASE64, _HQX)) + b":"
    lines = b"\n".join(text[at : at + 64] for at in range(0, len(text), 64))
    return b"(This file must be converted with BinHex 4.0)\n\n" + lines + b"\n"


def apple_double(data: bytes = PROGRAM, rsrc: bytes = b"resource fork") -> bytes:
    """AppleSingle with a name and both forks."""
    entries = [(3, b"program"), (1, data), (2, rsrc)]
    at = 26 + 12 * len(entries)
    head = b"\x00\x05\x16\x00\x00\x02\x00\x00" + bytes(16) + struct.pack(">H", len(entries))
    body = b""
    for kind, content in entries:
        head += struct.pack(">3I", kind, at + len(body), len(content))
        body += content
    return head + body


def _identity(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a test")])
    now = datetime.datetime(2026, 1, 1)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name)
    builder = builder.public_key(key.public_key()).serial_number(1)
    builder = builder.not_valid_before(now).not_valid_after(now + datetime.timedelta(days=9))
    return builder.sign(key, hashes.SHA256())


def signed(data: bytes = PROGRAM, *, detached: bool = False) -> bytes:
    """Signed data by the library `cryptography`."""
    key = ec.generate_private_key(ec.SECP256R1())
    builder = pkcs7.PKCS7SignatureBuilder().set_data(data)
    builder = builder.add_signer(_identity(key), key, hashes.SHA256())
    options = [pkcs7.PKCS7Options.Binary]
    if detached:
        options.append(pkcs7.PKCS7Options.DetachedSignature)
    return builder.sign(serialization.Encoding.DER, options)


def enveloped(data: bytes = PROGRAM) -> bytes:
    """Encrypted data by the library `cryptography`."""
    key = rsa.generate_private_key(65537, 2048)
    builder = pkcs7.PKCS7EnvelopeBuilder().set_data(data).add_recipient(_identity(key))
    return builder.encrypt(serialization.Encoding.DER, [pkcs7.PKCS7Options.Binary])


def _value(tag: int, content: bytes) -> bytes:
    return bytes((tag, 0x82)) + struct.pack(">H", len(content)) + content


def streamed(pieces: Sequence[bytes], kind: bytes = b"\x02") -> bytes:
    """Signed data in BER, every length open, the content in pieces."""
    identifier = bytes.fromhex("06092a864886f70d0107")
    strings = b"".join(_value(4, piece) for piece in pieces)
    content = b"\xa0\x80\x24\x80" + strings + bytes(4)
    inner = b"\x30\x80" + identifier + b"\x01" + content + bytes(2)
    body = b"\xa0\x80\x30\x80" + b"\x02\x01\x01" + b"\x31\x80\x30\x80" + bytes(4) + inner
    return b"\x30\x80" + identifier + kind + body + b"\x31\x00" + bytes(6)


def script() -> bytes:
    """A text with a program in base64, one in hex, and a script in UTF-16."""
    command = "Write-Output 'harmless words, long enough to be looked at'".encode("utf-16-le")
    lines = base64.encodebytes(PROGRAM).replace(b"\n", b"\r\n")
    return (
        b"powershell -enc " + base64.b64encode(command) + b"\r\n"
        b"x = decode('" + base64.b64encode(PROGRAM) + b"')\r\n\r\n" + lines + b"\r\n"
        b"y = unhex('" + PROGRAM.hex().encode() + b"')\r\n"
    )  # fmt: skip


SAMPLES: dict[str, Callable[[], bytes]] = {
    "mail": python_mail,
    "mbox": python_mailbox,
    "pkcs7": signed,
    "uuencode": uuencoded,
    "yenc": yencoded,
    "binhex": binhexed,
    "apple": apple_double,
    "base64_runs": script,
}
"""By the names in the registry."""
