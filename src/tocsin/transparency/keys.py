"""Signing keys of logs and cosigners, and their files, which a passphrase opens.

A file holds the seed of the key, sealed with ChaCha20-Poly1305 under a key that scrypt makes of
the passphrase; name, kind and public key stand beside it in the clear and are authenticated with
it. It is made with mode 0600 and never written over.

Specification: RFC 7914 (scrypt), RFC 8439 (ChaCha20-Poly1305), FIPS 204 section 3.6.3 (seeds).
"""

from __future__ import annotations

import errno
import os
import secrets
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import msgspec

from tocsin.durable import sync_folder
from tocsin.transparency.errors import KeyFileError, MalformedKey
from tocsin.transparency.note import NoteSignature, SignedNote
from tocsin.transparency.verifier_key import KeyType, VerifierKey

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey
    from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

SEED_BYTES = 32
SCRYPT_LOG2_N = 17
"""Default cost: 128 MiB and about half a second for every guess at the passphrase."""

_MAX_LOG2_N = 20
_BLOCK = 8
_SALT_BYTES = 16
_NONCE_BYTES = 12
_MAX_FILE_BYTES = 16 << 10
_FORMAT: Literal["tocsin-signing-key-1"] = "tocsin-signing-key-1"


class _KeyFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a key's file holds; the bytes stand in base64."""

    format: Literal["tocsin-signing-key-1"]
    vkey: str
    scrypt_log2_n: int
    salt: bytes
    nonce: bytes
    sealed: bytes


@dataclass(frozen=True)
class SigningKey:
    """A private key and the public one that belongs to it.

    Attributes:
        verifier: the public key.
    """

    verifier: VerifierKey
    _seed: bytes

    def __repr__(self) -> str:
        return f"SigningKey({self.verifier.name!r}, {self.verifier.kind.name})"

    @classmethod
    def generate(cls, name: str, kind: KeyType = KeyType.ED25519) -> SigningKey:
        """Make a new key.

        Raises:
            MalformedKey: no key may have that name.
        """
        return cls.from_seed(name, kind, secrets.token_bytes(SEED_BYTES))

    @classmethod
    def from_seed(cls, name: str, kind: KeyType, seed: bytes) -> SigningKey:
        """The key that belongs to a seed of 32 bytes.

        Raises:
            MalformedKey: no key may have that name, or the seed has another length.
        """
        if len(seed) != SEED_BYTES:
            raise MalformedKey(f"{name}: a seed has {SEED_BYTES} bytes, this one {len(seed)}")
        public = _private(kind, seed).public_key().public_bytes_raw()
        return cls(VerifierKey(name, kind, public), seed)

    def sign(self, message: bytes) -> bytes:
        """The bare signature of a message, without any frame."""
        return _private(self.verifier.kind, self._seed).sign(message)

    def sign_note(self, text: str) -> NoteSignature:
        """Sign a note's text as a log does.

        Raises:
            MalformedKey: this is a cosigner's key; see `cosignature.cosign`.
        """
        if self.verifier.kind.timestamped:
            raise MalformedKey(f"{self.verifier.name}: a cosigner's key signs checkpoints only")
        signature = self.sign(text.encode("utf-8"))
        return NoteSignature(self.verifier.name, self.verifier.key_id, signature)

    def signed(self, text: str) -> SignedNote:
        """A note that this key alone signed."""
        return SignedNote(text, (self.sign_note(text),))

    def save(self, path: Path, passphrase: bytes, *, log2_n: int = SCRYPT_LOG2_N) -> None:
        """Write the key into a new file.

        Args:
            path: where there is nothing yet.
            passphrase: that opens it; it may not be empty.
            log2_n: scrypt's cost.

        Raises:
            KeyFileError: something is there, or it cannot be written; then nothing is left of it.
        """
        if not passphrase:
            raise KeyFileError(f"{path}: a key is not kept without a passphrase; give one")
        salt, nonce = secrets.token_bytes(_SALT_BYTES), secrets.token_bytes(_NONCE_BYTES)
        header = _KeyFile(_FORMAT, self.verifier.vkey, log2_n, salt, nonce, b"")
        sealed = _cipher(passphrase, header).encrypt(nonce, self._seed, _bound(header))
        data = msgspec.json.format(
            msgspec.json.encode(msgspec.structs.replace(header, sealed=sealed))
        )
        _write_new(path, data + b"\n")

    @classmethod
    def load(cls, path: Path, passphrase: bytes) -> SigningKey:
        """Open a key's file.

        Raises:
            KeyFileError: it cannot be read, is damaged, or the passphrase is another.
        """
        from cryptography.exceptions import InvalidTag

        held = _parsed(path, _content(path))
        try:
            seed = _cipher(passphrase, held).decrypt(held.nonce, held.sealed, _bound(held))
            expected = VerifierKey.parse(held.vkey)
            key = cls.from_seed(expected.name, expected.kind, seed)
        except InvalidTag:
            raise KeyFileError(
                f"{path}: it does not open; the passphrase is another, or the file was altered"
            ) from None
        except MalformedKey as error:
            raise KeyFileError(f"{path}: {error}") from error
        if key.verifier != expected:
            raise KeyFileError(f"{path}: the private key does not belong to the public one")
        return key


def read_verifier(path: Path) -> VerifierKey:
    """The public key in a file: a verifier key's text, or a signing key's file by its own word.

    Raises:
        KeyFileError: there is none in it.
    """
    data = _content(path)
    try:
        if data.lstrip().startswith(b"{"):
            return VerifierKey.parse(_parsed(path, data).vkey)
        return VerifierKey.parse(data.decode("utf-8").strip())
    except (MalformedKey, UnicodeDecodeError) as error:
        raise KeyFileError(f"{path}: there is no public key in it: {error}") from error


def _private(kind: KeyType, seed: bytes) -> Ed25519PrivateKey | MLDSA44PrivateKey:
    if kind is KeyType.ML_DSA_44_COSIGNATURE:
        from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey

        return MLDSA44PrivateKey.from_seed_bytes(seed)
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    return Ed25519PrivateKey.from_private_bytes(seed)


def _cipher(passphrase: bytes, held: _KeyFile) -> ChaCha20Poly1305:
    from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
    from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

    function = Scrypt(held.salt, 32, n=1 << held.scrypt_log2_n, r=_BLOCK, p=1)
    return ChaCha20Poly1305(function.derive(passphrase))


def _bound(held: _KeyFile) -> bytes:
    """What is authenticated with the seed."""
    return msgspec.json.encode(msgspec.structs.replace(held, sealed=b""))


def _content(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(_MAX_FILE_BYTES + 1)
    except OSError as error:
        raise KeyFileError(f"{path}: {error.strerror or error}") from error
    if len(data) > _MAX_FILE_BYTES:
        raise KeyFileError(f"{path}: this is no file of a key: it is too long")
    return data


def _parsed(path: Path, data: bytes) -> _KeyFile:
    try:
        held = msgspec.json.decode(data, type=_KeyFile)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise KeyFileError(f"{path}: this is no file of a signing key: {error}") from error
    if not 1 <= held.scrypt_log2_n <= _MAX_LOG2_N or len(held.nonce) != _NONCE_BYTES:
        raise KeyFileError(f"{path}: its cost or nonce is out of bounds; it was altered")
    return held


def _write_new(path: Path, data: bytes) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        descriptor = os.open(path, flags, 0o600)
    except OSError as error:
        if error.errno == errno.EEXIST:
            raise KeyFileError(f"{path}: something is there; a key is never written over") from None
        raise KeyFileError(f"{path}: {error.strerror or error}") from error
    try:
        with open(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        sync_folder(path.parent)
    except OSError as error:
        with suppress(OSError):
            path.unlink()
        raise KeyFileError(f"{path}: {error.strerror or error}") from error
