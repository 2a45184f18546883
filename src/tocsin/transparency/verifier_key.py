"""Public keys as notes name them, and what exactly each kind of key signs.

Three kinds: a log's Ed25519 key signs the note's text; a cosigner's key signs the text with the
time at which it vouched for it, by Ed25519 or by ML-DSA-44.

Specification: C2SP signed-note, "Verifier keys"; tlog-cosignature, "Format" and the two sections
on signed messages; RFC 8032; FIPS 204.
"""

from __future__ import annotations

import enum
import hashlib
import struct
from dataclasses import dataclass
from typing import assert_never

from tocsin.transparency.coding import MAX_SIZE, decode_base64, encode_base64
from tocsin.transparency.errors import BadSignature, MalformedKey, MalformedNote
from tocsin.transparency.tree_head import Checkpoint

KEY_ID_BYTES = 4
MAX_NAME_BYTES = 255
"""A longer name fits no ML-DSA cosignature; nobody needs one."""

_TIME = struct.Struct(">Q")
_RANGE = struct.Struct(">QQ")
_HEX = frozenset("0123456789abcdef")


class KeyType(enum.IntEnum):
    """The byte by which a key says what it signs and how."""

    ED25519 = 0x01
    ED25519_COSIGNATURE = 0x04
    ML_DSA_44_COSIGNATURE = 0x06

    @property
    def timestamped(self) -> bool:
        """Whether its signatures carry a time."""
        return self is not KeyType.ED25519


_PUBLIC_BYTES = {
    KeyType.ED25519: 32,
    KeyType.ED25519_COSIGNATURE: 32,
    KeyType.ML_DSA_44_COSIGNATURE: 1312,
}
_SIGNATURE_BYTES = {
    KeyType.ED25519: 64,
    KeyType.ED25519_COSIGNATURE: 64,
    KeyType.ML_DSA_44_COSIGNATURE: 2420,
}


def name_is_valid(name: str) -> bool:
    """Whether a key may have this name: not empty, no space of any kind, no `+`, no control."""
    return bool(name) and not any(
        c.isspace() or c == "+" or c < " " or "\ud800" <= c <= "\udfff" for c in name
    )


def signed_message(kind: KeyType, name: str, text: str, timestamp: int | None) -> bytes:
    """The bytes that a key of a kind signs for a note's text.

    Args:
        kind: of the key.
        name: of the key.
        text: of the note, with its last newline; a checkpoint's where the kind cosigns.
        timestamp: POSIX seconds; None for keys that sign no time.

    Raises:
        MalformedNote: the text is no checkpoint, and only a checkpoint can be cosigned.
    """
    if kind is KeyType.ED25519:
        return text.encode("utf-8")
    assert timestamp is not None
    checkpoint = Checkpoint.parse(text)
    if kind is KeyType.ED25519_COSIGNATURE:
        return f"cosignature/v1\ntime {timestamp}\n{text}".encode()
    if kind is KeyType.ML_DSA_44_COSIGNATURE:
        return (
            b"subtree/v1\n\0"
            + _counted(name)
            + _TIME.pack(timestamp)
            + _counted(checkpoint.origin)
            + _RANGE.pack(0, checkpoint.size)
            + checkpoint.root
        )
    assert_never(kind)


def _counted(text: str) -> bytes:
    data = text.encode("utf-8")
    if not 1 <= len(data) <= MAX_NAME_BYTES:
        raise MalformedNote("cosignature: a name or origin is longer than 255 bytes")
    return bytes([len(data)]) + data


def split_timestamp(signature: bytes) -> tuple[int, bytes]:
    """Time and bare signature of a timestamped signature.

    Raises:
        BadSignature: it is too short, or the time is beyond 2^63 - 1.
    """
    if len(signature) < _TIME.size:
        raise BadSignature("a cosignature is too short to hold a time")
    (timestamp,) = _TIME.unpack_from(signature)
    if timestamp > MAX_SIZE:
        raise BadSignature("a cosignature's time is beyond 2^63 - 1 seconds")
    return timestamp, signature[_TIME.size :]


def join_timestamp(timestamp: int, signature: bytes) -> bytes:
    """A timestamped signature; the inverse of `split_timestamp`."""
    return _TIME.pack(timestamp) + signature


@dataclass(frozen=True)
class VerifierKey:
    """A public key by which signatures on notes are checked.

    Attributes:
        name: of the key; a log's should be its origin.
        kind: what it signs.
        public: the raw public key: 32 bytes for Ed25519, 1,312 for ML-DSA-44.
    """

    name: str
    kind: KeyType
    public: bytes

    def __post_init__(self) -> None:
        if not name_is_valid(self.name) or len(self.name.encode("utf-8")) > MAX_NAME_BYTES:
            raise MalformedKey(
                "a key's name must be 1 to 255 bytes long, without spaces, '+' or control "
                "characters"
            )
        if len(self.public) != _PUBLIC_BYTES[self.kind]:
            raise MalformedKey(
                f"{self.name}: the public key has {len(self.public)} bytes where this type has "
                f"{_PUBLIC_BYTES[self.kind]}"
            )

    @property
    def key_id(self) -> bytes:
        """The four bytes that stand before every signature of this key."""
        covered = self.name.encode("utf-8") + b"\n" + bytes([self.kind]) + self.public
        return hashlib.sha256(covered).digest()[:KEY_ID_BYTES]

    @property
    def vkey(self) -> str:
        """The key as text: `name+id+base64`."""
        return f"{self.name}+{self.key_id.hex()}+{encode_base64(bytes([self.kind]) + self.public)}"

    def __str__(self) -> str:
        return self.vkey

    @classmethod
    def parse(cls, vkey: str) -> VerifierKey:
        """Read a key's text.

        Raises:
            MalformedKey: it is none, its identifier does not fit it, or its type is not known.
        """
        parts = vkey.split("+", 2)
        if len(parts) != 3:
            raise MalformedKey("a verifier key is written NAME+ID+BASE64")
        name, key_id, material = parts
        if len(key_id) != 2 * KEY_ID_BYTES or not _HEX.issuperset(key_id):
            raise MalformedKey(f"{name}: the key's identifier must be 8 lowercase hex digits")
        try:
            data = decode_base64(material)
        except ValueError as error:
            raise MalformedKey(f"{name}: the public key is {error}") from error
        try:
            kind = KeyType(data[0]) if data else None
        except ValueError:
            kind = None
        if kind is None:
            known = ", ".join(f"0x{kind:02x}" for kind in KeyType)
            raise MalformedKey(f"{name}: the key's type is not one of {known}")
        key = cls(name, kind, data[1:])
        if key.key_id.hex() != key_id:
            raise MalformedKey(f"{name}: the key's identifier does not fit its name and content")
        return key

    def verify(self, text: str, signature: bytes) -> int | None:
        """Check a signature on a note's text.

        Args:
            text: of the note.
            signature: as it stands in the note, without the key's identifier.

        Returns:
            The time it vouches for in POSIX seconds; None for keys that sign no time.

        Raises:
            BadSignature: it does not verify.
        """
        timestamp: int | None = None
        bare = signature
        if self.kind.timestamped:
            timestamp, bare = split_timestamp(signature)
        try:
            message = signed_message(self.kind, self.name, text, timestamp)
        except MalformedNote as error:
            raise BadSignature(f"{self.name}: signed what is no checkpoint: {error}") from error
        if len(bare) != _SIGNATURE_BYTES[self.kind] or not self._verifies(message, bare):
            raise BadSignature(f"{self.name}: the signature does not verify")
        return timestamp

    def _verifies(self, message: bytes, signature: bytes) -> bool:
        from cryptography.exceptions import InvalidSignature

        try:
            if self.kind is KeyType.ML_DSA_44_COSIGNATURE:
                from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PublicKey

                MLDSA44PublicKey.from_public_bytes(self.public).verify(signature, message)
            else:
                from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

                Ed25519PublicKey.from_public_bytes(self.public).verify(signature, message)
        except (InvalidSignature, ValueError):
            return False
        return True
