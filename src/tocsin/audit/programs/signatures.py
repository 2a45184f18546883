"""Who signed: signatures in the envelope that Windows, Apple and Java use, with what is in them.

A signature names its signer by a certificate that comes with it, may hold further signatures,
and the time at which somebody else saw it. Whether the signer is who the certificate says is for
those who have its issuer's certificate; here it is only found out whether the signature is that of
the certificate's key, since a certificate alone can be copied into any file.

Source: RFC 5652, 5 (SignedData) and 11 (attributes); RFC 5280, 4.1 (certificates); RFC 3161, 2.4.2
(TSTInfo); Microsoft, "Windows Authenticode Portable Executable Signature Format" (2008); nested
signatures (1.3.6.1.4.1.311.2.4.1) and time stamps (1.3.6.1.4.1.311.3.3.1) as measured.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple

from tocsin.audit.programs import der
from tocsin.errors import FormatError

MOST_SIGNATURES = 32
"""In one file, those inside others included."""

_MOST_CERTIFICATES = 200
_LONGEST_CHAIN = 8
_SIGNED_DATA = "1.2.840.113549.1.7.2"
_MESSAGE_DIGEST = "1.2.840.113549.1.9.4"
_SIGNING_TIME = "1.2.840.113549.1.9.5"
_COUNTERSIGNATURE = "1.2.840.113549.1.9.6"
_NESTED = "1.3.6.1.4.1.311.2.4.1"
_TIME_STAMP = "1.3.6.1.4.1.311.3.3.1"
INDIRECT = "1.3.6.1.4.1.311.2.1.4"
"""Type of what is signed where that is the digest of a file (SpcIndirectDataContent)."""

_CHECKED = (
    *("1.2.840.113549.1.1.1", "1.2.840.113549.1.1.4", "1.2.840.113549.1.1.5"),
    *("1.2.840.113549.1.1.11", "1.2.840.113549.1.1.12", "1.2.840.113549.1.1.13"),
    *("1.2.840.10045.2.1", "1.2.840.10045.4.1"),
    *("1.2.840.10045.4.3.2", "1.2.840.10045.4.3.3", "1.2.840.10045.4.3.4"),
    *("1.2.840.10040.4.1", "1.2.840.10040.4.3", "2.16.840.1.101.3.4.3.2"),
)
"""Algorithms of signatures that are checked: RSA (PKCS #1 1.5), ECDSA, DSA."""

_COMMON_NAME, _ORGANISATION = "2.5.4.3", "2.5.4.10"

DIGESTS = {
    "1.2.840.113549.2.5": "md5",
    "1.3.14.3.2.26": "sha1",
    "2.16.840.1.101.3.4.2.1": "sha256",
    "2.16.840.1.101.3.4.2.2": "sha384",
    "2.16.840.1.101.3.4.2.3": "sha512",
}
"""Names of digests by their object identifiers."""


class Name(NamedTuple):
    """A distinguished name, as far as it matters here."""

    common: str
    organisation: str

    @property
    def words(self) -> str:
        """In one word."""
        return self.common or self.organisation or "nobody"


class Certificate(NamedTuple):
    """A certificate.

    Attributes:
        data: the whole of it.
        serial: its number, as encoded.
        issuer: the name of whoever issued it, as encoded.
        issued_by: the same, to be read.
        subject: whose it is, as encoded.
        name: the same, to be read.
    """

    data: bytes
    serial: bytes
    issuer: bytes
    issued_by: Name
    subject: bytes
    name: Name


class Signature(NamedTuple):
    """One signature.

    Attributes:
        signer: whose; None when its certificate is not there.
        chain: names of those above the signer, as far as their certificates are there.
        made: when it was made, as somebody else saw it, or else as the signer says.
        content_type: what is signed, as an object identifier.
        digest: name of a digest and its value, if a digest of a file is what is signed.
        holds: whether it is made with the key of the certificate, over what it says it signs;
            None: that could not be found out.
        is_nested: whether it stands inside another.
    """

    signer: Name | None
    chain: tuple[str, ...]
    made: datetime | None
    content_type: str
    digest: tuple[str, bytes] | None
    holds: bool | None
    is_nested: bool


def read_certificate(data: bytes) -> Certificate:
    """Read a certificate.

    Raises:
        FormatError: it is none.
    """
    outer = der.whole(data, der.SEQUENCE)
    fields = list(der.inside(data, der.first(data, outer), 32))
    if fields and fields[0].tag == der.CONTEXT:
        del fields[0]
    if len(fields) < 6 or fields[0].tag != der.INTEGER:
        raise FormatError("a certificate without its fields")
    serial, _algorithm, issuer, _validity, subject = fields[:5]
    return Certificate(
        data[: outer.after],
        der.content(data, serial),
        der.encoded(data, issuer),
        _name(data, issuer),
        der.encoded(data, subject),
        _name(data, subject),
    )


def _name(data: bytes, value: der.Value) -> Name:
    found: dict[str, str] = {}
    for part in der.inside(data, value, 100):
        for pair in der.inside(data, part, 20):
            fields = list(der.inside(data, pair, 4))
            if len(fields) == 2:
                found.setdefault(der.oid(data, fields[0]), der.text(data, fields[1])[:300])
    return Name(found.get(_COMMON_NAME, ""), found.get(_ORGANISATION, ""))


def read_signatures(data: bytes) -> list[Signature]:
    """All signatures of an envelope, with those inside them.

    Raises:
        FormatError: it is no signature, or broken.
    """
    found: list[Signature] = []
    waiting = [(data, False)]
    while waiting and len(found) < MOST_SIGNATURES:
        envelope, is_nested = waiting.pop(0)
        try:
            signed = _Signed(envelope)
            for signature, inner in signed.signatures(is_nested=is_nested):
                found.append(signature)
                waiting += [(each, True) for each in inner]
        except FormatError:
            if not is_nested:
                raise
    return found


class _Signed:
    """One SignedData.

    Args:
        data: its ContentInfo.

    Raises:
        FormatError: it is none.
    """

    def __init__(self, data: bytes) -> None:
        self._data = data
        outer = list(der.inside(data, der.whole(data, der.SEQUENCE), 4))
        if len(outer) < 2 or der.oid(data, outer[0]) != _SIGNED_DATA:
            raise FormatError("not a signature (PKCS #7)")
        body = next(der.inside(data, outer[1], 2), None)
        fields = list(der.inside(data, body, 16)) if body is not None else []
        if len(fields) < 4:
            raise FormatError("a signature without its fields")
        encapsulated = list(der.inside(data, fields[2], 4))
        self.content_type = der.oid(data, encapsulated[0]) if encapsulated else ""
        self._content = None
        if len(encapsulated) > 1:
            self._content = next(der.inside(data, encapsulated[1], 4), None)
        self._certificates = list(self._read_certificates(fields[3:]))
        self._signers = [each for each in fields[3:] if each.tag == der.SET]

    def _read_certificates(self, fields: list[der.Value]) -> Iterator[Certificate]:
        for field in fields:
            if field.tag != der.CONTEXT:
                continue
            for each in der.inside(self._data, field, _MOST_CERTIFICATES):
                if each.tag == der.SEQUENCE:
                    yield read_certificate(der.encoded(self._data, each))

    @property
    def content(self) -> bytes:
        """What is signed: without its tag and length, as the digest of it is taken."""
        return b"" if self._content is None else der.content(self._data, self._content)

    def signatures(self, *, is_nested: bool) -> Iterator[tuple[Signature, list[bytes]]]:
        """Each signature, with the envelopes that stand inside it."""
        for group in self._signers[:1]:
            for value in der.inside(self._data, group, MOST_SIGNATURES):
                signer = _Signer(self._data, value)
                certificate = signer.find(self._certificates)
                yield (
                    Signature(
                        signer=certificate.name if certificate else None,
                        chain=self._chain(certificate),
                        made=signer.seen or signer.stated,
                        content_type=self.content_type,
                        digest=self._digest(),
                        holds=signer.holds(self.content, certificate),
                        is_nested=is_nested,
                    ),
                    signer.nested,
                )

    def _chain(self, certificate: Certificate | None) -> tuple[str, ...]:
        names: list[str] = []
        while certificate is not None and len(names) < _LONGEST_CHAIN:
            if certificate.issuer == certificate.subject:
                break
            names.append(certificate.issued_by.words)
            issuer = certificate.issuer
            certificate = next((c for c in self._certificates if c.subject == issuer), None)
        return tuple(names)

    def _digest(self) -> tuple[str, bytes] | None:
        """The digest of a file that is what is signed (SpcIndirectDataContent)."""
        if self.content_type != INDIRECT or self._content is None:
            return None
        fields = list(der.inside(self._data, self._content, 4))
        pair = list(der.inside(self._data, fields[1], 4)) if len(fields) > 1 else []
        if len(pair) < 2:
            return None
        algorithm = next(der.inside(self._data, pair[0], 4), None)
        name = DIGESTS.get(der.oid(self._data, algorithm)) if algorithm else None
        return (name, der.content(self._data, pair[1])) if name else None

    def stamped(self) -> datetime | None:
        """The time of a time stamp, whose content this is then."""
        if self._content is None:
            return None
        inner = self.content
        for field in der.inside(inner, der.whole(inner, der.SEQUENCE), 16):
            if field.tag == der.GENERALIZED_TIME:
                return der.time(inner, field)
        return None


class _Signer:
    """One SignerInfo.

    Args:
        data: what it stands in.
        value: where.
        is_counter: whether it is a countersignature, of which the time alone matters.
    """

    def __init__(self, data: bytes, value: der.Value, *, is_counter: bool = False) -> None:
        self._data = data
        fields = list(der.inside(data, value, 10))
        if len(fields) < 5:
            raise FormatError("a signer without its fields")
        self._who = fields[1]
        algorithm = next(der.inside(data, fields[2], 4), None)
        self.digest = DIGESTS.get(der.oid(data, algorithm)) if algorithm else None
        rest = fields[3:]
        self._attributes = rest.pop(0) if rest[0].tag == der.CONTEXT else None
        self._signature = der.content(data, rest[1]) if len(rest) > 1 else b""
        self._algorithm = der.oid(data, der.first(data, rest[0])) if rest else ""
        self.stated: datetime | None = None
        self.seen: datetime | None = None
        self.nested: list[bytes] = []
        self._message_digest: bytes | None = None
        if self._attributes is not None:
            self._read(self._attributes)
        for field in () if is_counter else rest[2:]:
            if field.tag == der.CONTEXT + 1:
                self._read(field)

    def _read(self, attributes: der.Value) -> None:
        data = self._data
        for attribute in der.inside(data, attributes, 100):
            fields = list(der.inside(data, attribute, 4))
            if len(fields) < 2:
                continue
            kind = der.oid(data, fields[0])
            for value in der.inside(data, fields[1], MOST_SIGNATURES):
                if kind == _SIGNING_TIME:
                    self.stated = der.time(data, value)
                elif kind == _MESSAGE_DIGEST:
                    self._message_digest = der.content(data, value)
                elif kind == _NESTED:
                    self.nested.append(der.encoded(data, value))
                elif kind in (_COUNTERSIGNATURE, _TIME_STAMP):
                    self.seen = self.seen or self._seen(kind, value)

    def _seen(self, kind: str, value: der.Value) -> datetime | None:
        try:
            if kind == _COUNTERSIGNATURE:
                return _Signer(self._data, value, is_counter=True).stated
            return _Signed(der.encoded(self._data, value)).stamped()
        except FormatError:
            return None

    def find(self, certificates: list[Certificate]) -> Certificate | None:
        """The signer's certificate, by its issuer and number."""
        data = self._data
        if self._who.tag == der.SEQUENCE:
            fields = list(der.inside(data, self._who, 4))
            if len(fields) == 2:
                issuer, serial = der.encoded(data, fields[0]), der.content(data, fields[1])
                for each in certificates:
                    if each.serial == serial and each.issuer == issuer:
                        return each
            return None
        key = der.content(data, self._who)  # a subject's key identifier, which is within it
        return next((each for each in certificates if key and key in each.data), None)

    def holds(self, content: bytes, certificate: Certificate | None) -> bool | None:
        """Whether the signature is the certificate's key's, over what it says it signs."""
        if certificate is None or self.digest is None or self._algorithm not in _CHECKED:
            return None
        signed = content
        if self._attributes is not None:
            if content and self._message_digest is not None:
                taken = hashlib.new(self.digest, content, usedforsecurity=False).digest()
                if taken != self._message_digest:
                    return False
            value = self._attributes
            signed = b"\x31" + self._data[value.at + 1 : value.after]  # RFC 5652, 5.4
        elif not content:
            return None
        from tocsin.audit.programs.public_keys import is_signed_by

        return is_signed_by(certificate.data, self._signature, signed, self.digest)
