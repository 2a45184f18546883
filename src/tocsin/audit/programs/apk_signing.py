"""Who signed an Android package, by the block before its directory.

Source: Android, "APK Signature Scheme v2", "v3" and "v3.1": APK Signing Block, signer.
"""

from __future__ import annotations

from collections.abc import Iterator

from tocsin.audit.model import Trace
from tocsin.audit.programs.facts import trace
from tocsin.audit.programs.signatures import read_certificate
from tocsin.errors import FormatError
from tocsin.jurisdiction.vocabulary import MarkerKind

_END = b"PK\x05\x06"
_MAGIC = b"APK Sig Block 42"
_SCHEMES = {0x7109871A: "v2", 0xF05368C0: "v3", 0x1B93AD61: "v3.1"}
_MOST_PAIRS = 200
_MOST_SIGNERS = 20


def signing_block_traces(data: bytes) -> Iterator[Trace]:
    """Names in the certificates of the schemes v2 and v3; none where there is no such block.

    Args:
        data: the whole package.

    Raises:
        FormatError: there is a block, and it is broken.
    """
    for scheme, value in _pairs(data):
        for signer in _sequence(_first(value), _MOST_SIGNERS):
            signed = _first(signer)
            parts = list(_sequence(signed, 2))  # digests, then certificates
            for certificate in _sequence(parts[1], _MOST_SIGNERS) if len(parts) > 1 else ():
                name = read_certificate(certificate).name
                where = f"certificate in the APK signature {scheme}"
                yield from trace(MarkerKind.SIGNER, name.common, where)
                if name.organisation != name.common:
                    yield from trace(MarkerKind.SIGNER, name.organisation, f"{where}: organisation")


def _pairs(data: bytes) -> Iterator[tuple[str, bytes]]:
    end = data.rfind(_END)
    if end < 0 or end + 22 > len(data):
        return
    directory = int.from_bytes(data[end + 16 : end + 20], "little")
    if not 32 <= directory <= end or data[directory - 16 : directory] != _MAGIC:
        return
    size = int.from_bytes(data[directory - 24 : directory - 16], "little")
    at, last = directory - size, directory - 24
    if not 0 <= at <= last:
        raise FormatError("its signing block is longer than the package")
    for _ in range(_MOST_PAIRS):
        if at + 12 > last:
            return
        length = int.from_bytes(data[at : at + 8], "little")
        scheme = _SCHEMES.get(int.from_bytes(data[at + 8 : at + 12], "little"))
        if length < 4 or at + 8 + length > last:
            raise FormatError("its signing block is broken")
        if scheme is not None:
            yield scheme, data[at + 12 : at + 8 + length]
        at += 8 + length


def _first(data: bytes) -> bytes:
    """What the length at the beginning is of.

    Raises:
        FormatError: it is cut off.
    """
    size = int.from_bytes(data[:4], "little")
    if len(data) < 4 or 4 + size > len(data):
        raise FormatError("its signing block is cut off")
    return data[4 : 4 + size]


def _sequence(data: bytes, most: int) -> Iterator[bytes]:
    """Values with their lengths before them."""
    at = 0
    for _ in range(most):
        if at >= len(data):
            return
        value = _first(data[at:])
        yield value
        at += 4 + len(value)
