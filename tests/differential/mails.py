"""Mails of many structures with tokens planted in them, for the comparison with clamscan."""

from __future__ import annotations

import base64
import binascii
import random
from collections.abc import Callable

TOKEN_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_START = b"From: a@example.com\nTo: b@example.com\nSubject: a message\nMIME-Version: 1.0\n"


class Planter:
    """Makes tokens, and remembers them.

    Attributes:
        tokens: all that were made.
        plain: of each, whether it stands in a plain text.
        within: of each, whether it stands in a message in a message or in a mailbox.
        depth: how many messages are open around the one that is being made.
    """

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.tokens: list[bytes] = []
        self.within: list[bool] = []
        self.plain: list[bool] = []
        self.depth = 0

    def token(self, *, plain: bool = False) -> bytes:
        token = "".join(self.rng.choices(TOKEN_LETTERS, k=12)).encode()
        self.tokens.append(token)
        self.within.append(self.depth > 0)
        self.plain.append(plain)
        return token

    def text(self) -> bytes:
        first, second = self.token(plain=True), self.token(plain=True)
        return b"%s is a line of text\nand %s stands in another\n" % (first, second)

    def html(self) -> bytes:
        return b"<html><body><p>%s</p> words %s</body></html>\n" % (self.token(), self.token())

    def binary(self) -> bytes:
        return self.token() + bytes(range(256)) + self.token() + self.rng.randbytes(40)


def _base64(data: bytes) -> bytes:
    return base64.encodebytes(data)


def _quoted(data: bytes) -> bytes:
    return binascii.b2a_qp(data, istext=True) + b"\n"


def _uuencoded(data: bytes) -> bytes:
    lines = [binascii.b2a_uu(data[at : at + 45]) for at in range(0, len(data), 45)]
    return b"begin 644 x.bin\n" + b"".join(lines) + b"`\nend\n"


def _text_part(plant: Planter) -> bytes:
    kind, body = plant.rng.choice(((b"plain", plant.text), (b"html", plant.html)))
    encoding = plant.rng.choice((b"7bit", b"8bit", b"base64", b"quoted-printable", b""))
    data = body()
    if encoding == b"base64":
        data = _base64(data)
    elif encoding == b"quoted-printable":
        data = _quoted(data)
    line = b"Content-Transfer-Encoding: %s\n" % encoding if encoding else b""
    return b"Content-Type: text/%s; charset=us-ascii\n%s\n%s" % (kind, line, data)


def _file_part(plant: Planter) -> bytes:
    encoding, encode = plant.rng.choice(((b"base64", _base64), (b"x-uuencode", _uuencoded)))
    name = plant.rng.choice((b"a.bin", b"photo.gif", b'"two words.doc"'))
    disposition = plant.rng.choice((b"", b"Content-Disposition: attachment; filename=%s\n" % name))
    head = b"Content-Type: application/octet-stream; name=%s\n%s" % (name, disposition)
    return head + b"Content-Transfer-Encoding: %s\n\n%s" % (encoding, encode(plant.binary()))


def _message_part(plant: Planter) -> bytes:
    plant.depth += 1
    message = b"Subject: %s\n" % plant.token() + make_mail(plant, 1)
    plant.depth -= 1
    return b"Content-Type: message/rfc822\n\n" + message


def _inner_multipart(plant: Planter, depth: int) -> bytes:
    kind = plant.rng.choice((b"alternative", b"related", b"mixed"))
    return _multipart(plant, kind, depth + 1)


def _multipart(plant: Planter, kind: bytes, depth: int) -> bytes:
    boundary = b"=_%s_%d" % (kind, plant.rng.randrange(1000, 9999))
    out = b'Content-Type: multipart/%s; boundary="%s"\n\n' % (kind, boundary)
    makers: list[Callable[[Planter], bytes]] = [_text_part, _text_part, _file_part]
    if depth < 2:
        makers += [lambda plant: _inner_multipart(plant, depth), _message_part]
    for _ in range(plant.rng.randrange(1, 4)):
        part = plant.rng.choice(makers)(plant)
        out += b"--%s\n%s\n" % (boundary, part)
    return out + b"--%s--\n" % boundary


def make_mail(plant: Planter, depth: int = 0) -> bytes:
    """A message, with tokens in its headers and its parts."""
    head = _START + b"X-Note: %s\n" % plant.token()
    choice = plant.rng.randrange(6)
    if choice == 0:
        return head + b"\n" + plant.text()
    if choice == 1:
        return head + _text_part(plant)
    if choice == 2:
        return head + _file_part(plant)
    return head + _multipart(plant, b"mixed", depth)


def make_mailbox(plant: Planter) -> bytes:
    """Two or three messages in mbox form."""
    line = b"From a@example.com Thu Jul 31 13:49:50 2008\n"
    plant.depth += 1
    messages = [line + make_mail(plant) for _ in range(plant.rng.randrange(2, 4))]
    plant.depth -= 1
    return b"\n".join(messages)


def _parts(*parts: bytes, end: bytes = b"--XX--\n") -> bytes:
    head = _START + b"Content-Type: multipart/mixed; boundary=XX\n\n"
    return head + b"".join(b"--XX\n" + part for part in parts) + end


def _file(plant: Planter, header: bytes = b"") -> bytes:
    head = b"Content-Type: application/octet-stream; name=a.bin\n" + header
    return head + b"Content-Transfer-Encoding: base64\n\n" + _base64(plant.binary())


def odd_mails(plant: Planter) -> dict[str, bytes]:
    """Mails that break rules, as those do that hide something, and as bad programs do."""
    no_type = b"\n%s\n" % plant.token()
    two_types = _START + b"Content-Type: text/plain\nContent-Type: multipart/mixed; boundary=XX\n\n"
    short = b"Content-Type: text/plain\n\n" + plant.text()
    flat = b"Content-Transfer-Encoding: base64\n\n"
    bounce = b"Hi. This is the qmail-send program\n\n--- Below is a copy.\n\n"
    long = b"ARC-Seal: i=1;" + b"\n ".join([b"a" * 70] * 30) + b"\n"
    longer = b"X-A: b\nX-B: " + b"b" * 1500 + b"\n"
    encodings = b"".join(b"Content-Transfer-Encoding: x%d\n" % number for number in range(4))
    return {
        "long-header.eml": long + _parts(short, _file(plant)),
        "long-header-one-part.eml": longer + _START + _file(plant),
        "far-type.eml": b"X-A: b\nFrom: a@b\n" + longer + _file(plant),
        "far-received.eml": longer + b"Received: from a\n" + _file(plant),
        "behind-text.txt": b"words and more\n" * 300 + _parts(short, _file(plant)),
        "behind-binary.bin": bytes(range(256)) * 9 + b"\n" + _parts(short, _file(plant)),
        "blank-lines.eml": b"\n\n" + long + _parts(short, _file(plant)),
        "utf8-mark.eml": b"\xef\xbb\xbf" + long + _parts(short, _file(plant)),
        "many-fields.eml": _parts(short, _file(plant, b"Content-ID: <a>\n" * 250)),
        "many-encodings.eml": _parts(short, _file(plant, encodings)),
        "large-header.eml": b"X-A: %s\n" % b"\n ".join([b"a" * 900] * 5000) + _parts(_file(plant)),
        "long-boundary.eml": _parts(short, _file(plant)).replace(b"XX", b"B" * 1100),
        "after-the-end.eml": _parts(short, end=b"--XX--\n\n--XX\n" + _file(plant) + b"--XX--\n"),
        "no-end.eml": _parts(_file(plant), end=b""),
        "two-types.eml": two_types + b"--XX\n" + _file(plant) + b"--XX--\n",
        "blanks-behind.eml": _parts(_file(plant)).replace(b"--XX\n", b"--XX  \n"),
        "other-case.eml": _parts(short, _file(plant)).replace(b"\n--XX\n", b"\n--xx\n"),
        "no-header.eml": _parts(no_type, _file(plant)),
        "epilogue.eml": _parts(short, end=b"--XX--\n" + plant.text()),
        "preamble.eml": _parts(short).replace(b"XX\n\n--", b"XX\n\n" + _file(plant) + b"\n--", 1),
        "bounce.eml": bounce + _START + _file(plant),
        "flat.eml": _START + flat + _base64(plant.binary()),
        "encoding-twice.eml": _parts(_file(plant, b"Content-Transfer-Encoding: 7bit\n")),
        "folded.eml": _parts(_file(plant, b"X-Long: a\n\tb\n c\n")),
        "upper-case.eml": _parts(_file(plant).replace(b"base64", b"BASE64")),
        "comment.eml": _parts(_file(plant).replace(b"base64", b"base64 (really)")),
        "unix-from.eml": b"From a@b Thu Jul 31 13:49:50 2008\n" + _parts(_file(plant)),
        "mhtml.mht": _parts(short, _file(plant)).partition(b"message\n")[2],
        "uu-in-text.eml": _START + b"\nsee:\n" + _uuencoded(plant.binary()) + b"\nbye\n",
    }
