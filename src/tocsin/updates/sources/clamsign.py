"""ClamAV's detached signatures, `NAME-VERSION.cvd.sign` and `NAME-VERSION.cdiff.sign`.

From ClamAV 1.5 on they stand beside what they sign: a first line `#clamsign-1.0`, then lines of
`LEAST:MOST:pkcs7-pem:BASE64`, each a CMS signature over the whole file. A line counts when its
signer's certificate leads to a root that is trusted: the one that ClamAV publishes, or those of a
folder that the user names. The levels say which engines can read a line; here all are read.

Source: ClamAV's manual, "CVD and CLD", detached signatures; RFC 5652, sections 5.3 to 5.6.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, NamedTuple

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

from tocsin.updates.sources import der
from tocsin.updates.sources.errors import SourceRefused, SourceStorage

FIRST_LINE = "#clamsign-1.0"
LARGEST = 1 << 20
_PIECE = 1 << 18
_MOST_LINES = 64
_LONGEST_CHAIN = 6
_MOST_ROOTS = 100
_MOST_CERTIFICATES = 16
_CERTIFICATES = 0xA0

_SIGNED_DATA = bytes.fromhex("2a864886f70d010702")
_DATA = bytes.fromhex("2a864886f70d010701")
_CONTENT_TYPE = bytes.fromhex("2a864886f70d010903")
_MESSAGE_DIGEST = bytes.fromhex("2a864886f70d010904")
_DIGESTS: dict[bytes, hashes.HashAlgorithm] = {
    bytes.fromhex("608648016503040201"): hashes.SHA256(),
    bytes.fromhex("608648016503040202"): hashes.SHA384(),
    bytes.fromhex("608648016503040203"): hashes.SHA512(),
}
_RSA = {bytes.fromhex(f"2a864886f70d0101{last}") for last in ("01", "0b", "0c", "0d")}
"""rsaEncryption, and with SHA-256, -384, -512 (RFC 8017, appendix A.2.4)."""
_ECDSA = {bytes.fromhex(f"2a8648ce3d0403{last}") for last in ("02", "03", "04")}
"""With SHA-256, -384, -512 (RFC 5758, section 3.2)."""

_FAULTS = (
    der.NotDer, ValueError, IndexError, TypeError, x509.InvalidVersion, x509.DuplicateExtension,
    InvalidSignature, OverflowError,
)  # fmt: skip
"""What a signature that nobody made in good faith may raise while it is read."""


class Signer(NamedTuple):
    """Who signed.

    Attributes:
        name: common name in the certificate.
        root: SHA-256 of the root's certificate that it leads to, lower-case hex.
    """

    name: str
    root: str


class _Signed:
    """A file that may have been signed; each of its digests is taken once, a piece at a time."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._digests: dict[str, bytes] = {}

    def digest(self, algorithm: hashes.HashAlgorithm) -> bytes:
        """Its digest."""
        if algorithm.name not in self._digests:
            state = hashes.Hash(algorithm)
            self._file.seek(0)
            while piece := self._file.read(_PIECE):
                state.update(piece)
            self._digests[algorithm.name] = state.finalize()
        return self._digests[algorithm.name]


def read_roots(folder: Path) -> list[x509.Certificate]:
    """The certificates of a folder, files `*.crt` and `*.pem`.

    Raises:
        SourceStorage: it cannot be read, or holds no certificate.
    """
    roots: list[x509.Certificate] = []
    try:
        for path in sorted(folder.iterdir()):
            if path.suffix in (".crt", ".pem") and path.stat().st_size <= LARGEST:
                roots += x509.load_pem_x509_certificates(path.read_bytes())
    except (OSError, ValueError) as error:
        raise SourceStorage(f"{folder}: the certificates cannot be read: {error}") from error
    if not roots:
        raise SourceStorage(f"{folder}: there is no certificate (*.crt, *.pem) in it")
    return roots[:_MOST_ROOTS]


def verify_sign(
    data: BinaryIO,
    sign: bytes,
    name: str,
    roots: Sequence[x509.Certificate],
    *,
    now: datetime | None = None,
) -> Signer:
    """Check a file against its detached signature.

    Args:
        data: the whole file.
        sign: the `.sign` file.
        name: of the file, for messages.
        roots: certificates that are trusted.
        now: at which certificates must be valid; None for the present.

    Raises:
        SourceRefused: no line of it is a valid signature by somebody whom a root vouches for.
    """
    if len(sign) > LARGEST:
        raise SourceRefused(f"{name}: a .sign of {len(sign):,} bytes; none is that large")
    lines = sign.decode("latin-1").splitlines()[: _MOST_LINES + 1]
    if not lines or lines[0].strip() != FIRST_LINE:
        raise SourceRefused(f"{name}: the .sign does not begin with {FIRST_LINE}")
    why = "it holds no signature of a known form"
    signed = _Signed(data)
    for line in lines[1:]:
        envelope = _envelope(line.strip())
        if envelope is None:
            continue
        try:
            return _verified(signed, envelope, roots, now or datetime.now(UTC))
        except _FAULTS as error:
            why = str(error) or "a signature does not fit"
    raise SourceRefused(f"{name}: the .sign does not vouch for this file: {why}")


def _envelope(line: str) -> bytes | None:
    """The CMS bytes of a line; None when it is a comment or of another form."""
    fields = line.split(":", 3)
    if line.startswith("#") or len(fields) != 4 or fields[2].lower() != "pkcs7-pem":
        return None
    try:
        return base64.b64decode("".join(fields[3].split()), validate=True)
    except (binascii.Error, ValueError):
        return None


def _verified(
    signed_file: _Signed, envelope: bytes, roots: Sequence[x509.Certificate], now: datetime
) -> Signer:
    outer = der.read_der(envelope).children()
    if outer[0].content != _SIGNED_DATA or outer[1].tag != 0xA0:
        raise der.NotDer("it is no signed message")
    signed = der.read_der(outer[1].content).children()
    encapsulated = signed[2].children()
    if encapsulated[0].content != _DATA or len(encapsulated) != 1:
        raise der.NotDer("the signature is not detached")
    certificates = [
        x509.load_der_x509_certificate(each.whole)
        for part in signed[3:-1]
        if part.tag == _CERTIFICATES
        for each in part.children()[:_MOST_CERTIFICATES]
    ]
    why: Exception = der.NotDer("nobody signed it")
    for info in signed[-1].children():
        try:
            certificate = _checked(signed_file, info.children(), [*certificates, *roots])
            return Signer(_common_name(certificate), _root(certificate, certificates, roots, now))
        except _FAULTS as error:
            why = error
    raise why


def _checked(
    signed_file: _Signed, info: list[der.Element], certificates: Sequence[x509.Certificate]
) -> x509.Certificate:
    """The certificate with whose key the file was signed (RFC 5652, section 5.6)."""
    issuer, serial = info[1].children()
    certificate = next(
        (
            each
            for each in certificates
            if each.issuer.public_bytes() == issuer.whole
            and each.serial_number == int.from_bytes(serial.content, "big", signed=True)
        ),
        None,
    )
    if certificate is None:
        raise der.NotDer("the signer's certificate is not with it")
    digest = _DIGESTS.get(info[2].children()[0].content)
    if digest is None or info[3].tag != 0xA0:
        raise der.NotDer("it is not signed as ClamAV signs (SHA-2, signed attributes)")
    attributes = _attributes(info[3])
    if attributes.get(_CONTENT_TYPE) != der.Element(der.OID, _DATA, b"\x06\x09" + _DATA):
        raise der.NotDer("it signs something else than a file")
    stated = attributes.get(_MESSAGE_DIGEST)
    if stated is None or not hmac.compare_digest(stated.content, signed_file.digest(digest)):
        raise der.NotDer("the file is not the one that was signed")
    message = bytes([der.SET]) + info[3].whole[1:]  # section 5.4: as a SET, not as [0]
    _check_key(certificate, info[4].children()[0].content, info[5].content, message, digest)
    return certificate


def _attributes(holder: der.Element) -> dict[bytes, der.Element]:
    found: dict[bytes, der.Element] = {}
    for attribute in holder.children():
        name, values = attribute.children()
        (value,) = values.children()
        if name.content in found:
            raise der.NotDer("an attribute comes twice")
        found[name.content] = value
    return found


def _check_key(
    certificate: x509.Certificate,
    algorithm: bytes,
    signature: bytes,
    message: bytes,
    digest: hashes.HashAlgorithm,
) -> None:
    key = certificate.public_key()
    try:
        if isinstance(key, rsa.RSAPublicKey) and algorithm in _RSA and key.key_size >= 2048:
            key.verify(signature, message, padding.PKCS1v15(), digest)
            return
        if isinstance(key, ec.EllipticCurvePublicKey) and algorithm in _ECDSA:
            key.verify(signature, message, ec.ECDSA(digest))
            return
    except InvalidSignature:
        raise der.NotDer("the signature is not by the certificate's key") from None
    raise der.NotDer("a kind of key that is not accepted")


def _root(
    certificate: x509.Certificate,
    between: Sequence[x509.Certificate],
    roots: Sequence[x509.Certificate],
    now: datetime,
) -> str:
    """The fingerprint of the root that a certificate leads to (RFC 5280, section 6.1)."""
    current = certificate
    for depth in range(_LONGEST_CHAIN):
        if not current.not_valid_before_utc <= now <= current.not_valid_after_utc:
            raise der.NotDer(f"the certificate of {_common_name(current)} is not valid now")
        if current in roots:
            return current.fingerprint(hashes.SHA256()).hex()
        above = next((c for c in (*roots, *between) if _issued(current, c, depth)), None)
        if above is None:
            raise der.NotDer(f"no trusted root vouches for {_common_name(current)}")
        current = above
    raise der.NotDer("a chain of certificates that does not end")


def _issued(certificate: x509.Certificate, issuer: x509.Certificate, below: int) -> bool:
    """Whether an authority issued a certificate; `below` counts the authorities under it."""
    if issuer == certificate:
        return False
    try:
        constraints = issuer.extensions.get_extension_for_class(x509.BasicConstraints).value
        usage = issuer.extensions.get_extension_for_class(x509.KeyUsage).value
        certificate.verify_directly_issued_by(issuer)
    except (x509.ExtensionNotFound, ValueError, TypeError, InvalidSignature):
        return False
    room = constraints.path_length
    return constraints.ca and usage.key_cert_sign and (room is None or room >= below)


def _common_name(certificate: x509.Certificate) -> str:
    names = certificate.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
    return str(names[0].value)[:200] if names else "somebody without a name"
