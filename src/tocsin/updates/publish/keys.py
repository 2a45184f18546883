"""A publisher's keys: made, kept with a passphrase or in a token, and used to sign.

A key is two files. `NAME.pub` is public (JSON) and says where the private half is: in `NAME.key`
beside it (encrypted PKCS#8), or in a PKCS#11 token. Which role a key has stands nowhere but in
the root metadata. The log's key is a note key of its own kind; see `tocsin.transparency.keys`.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from tocsin.updates.publish.errors import PublishingKeyError
from tocsin.updates.publish.files import create_file, read_bounded, write_file
from tocsin.updates.publish.pkcs8 import LOG2_N, encrypted_pem

if TYPE_CHECKING:
    from securesystemslib.signer import Signer, SSlibKey

Secrets = Callable[[str], bytes]
"""Asked with a key's name, gives its passphrase or PIN."""

_MOST_KEY_BYTES = 64 << 10
KEY_NAME = re.compile(r"[0-9A-Za-z][0-9A-Za-z._-]{0,63}")
_FORMAT: Literal["tocsin-public-key-1"] = "tocsin-public-key-1"
_IN_FILE = "file"


class Algorithm(StrEnum):
    """What a new key is for; all of them are of TUF."""

    ED25519 = "ed25519"
    ECDSA = "ecdsa"
    ML_DSA_65 = "mldsa-65"


class _PublicFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    format: Literal["tocsin-public-key-1"]
    keyid: str
    keytype: str
    scheme: str
    keyval: dict[str, str]
    where: str


class PublicKey(msgspec.Struct, frozen=True):
    """A public key, and where its private half is.

    Attributes:
        key: as TUF has it.
        name: of its file, without the ending; people call it that.
        where: `file`, or the PKCS#11 address `hsm:ID?label=TOKEN`.
        path: the file it was read from.
    """

    key: SSlibKey
    name: str
    where: str
    path: Path

    @property
    def keyid(self) -> str:
        """TUF's key id."""
        return str(self.key.keyid)

    @property
    def private_path(self) -> Path:
        """Where the private half is when it is in a file."""
        return self.path.with_suffix(".key")

    @property
    def at_hand(self) -> bool:
        """Whether one could sign with it here."""
        return self.where != _IN_FILE or self.private_path.is_file()


def make_key(
    folder: Path,
    name: str,
    passphrase: bytes,
    *,
    algorithm: Algorithm = Algorithm.ED25519,
    log2_n: int = LOG2_N,
) -> PublicKey:
    """Make a key and write its two files.

    Args:
        folder: for the files; made, for its user alone, when it is not there.
        name: of the key.
        passphrase: that opens it.
        algorithm: what it signs with.
        log2_n: scrypt's cost.

    Raises:
        PublishingKeyError: no such name may be, no passphrase, or the files are there.
    """
    from cryptography.hazmat.primitives.serialization import (
        Encoding,
        NoEncryption,
        PrivateFormat,
        load_pem_private_key,
    )
    from securesystemslib.signer import CryptoSigner

    demand_key_name(name)
    if not passphrase:
        raise PublishingKeyError(f"{name}: a key is not kept without a passphrase; give one")
    make_key_folder(folder)
    makers = {
        Algorithm.ED25519: CryptoSigner.generate_ed25519,
        Algorithm.ECDSA: CryptoSigner.generate_ecdsa,
        Algorithm.ML_DSA_65: CryptoSigner.generate_mldsa,
    }
    signer = makers[algorithm]()
    plain = load_pem_private_key(signer.private_bytes, None).private_bytes(
        Encoding.DER, PrivateFormat.PKCS8, NoEncryption()
    )
    public = PublicKey(signer.public_key, name, _IN_FILE, folder / f"{name}.pub")
    if public.path.exists():
        raise PublishingKeyError(f"{public.path}: there is a key of that name already")
    create_file(public.private_path, encrypted_pem(plain, passphrase, log2_n=log2_n), mode=0o600)
    write_public_key(public)
    return public


def write_public_key(public: PublicKey) -> None:
    """Write a public key's file."""
    held = _PublicFile(
        _FORMAT,
        public.keyid,
        public.key.keytype,
        public.key.scheme,
        dict(public.key.keyval),
        public.where,
    )
    write_file(public.path, msgspec.json.format(msgspec.json.encode(held)) + b"\n")


def read_public_key(path: Path) -> PublicKey:
    """Read a public key; the path of its private file is taken as well.

    Raises:
        PublishingKeyError: it is none.
    """
    from securesystemslib.signer import SSlibKey

    path = path.with_suffix(".pub") if path.suffix == ".key" else path
    try:
        held = msgspec.json.decode(read_bounded(path, _MOST_KEY_BYTES), type=_PublicFile)
        key = SSlibKey.from_dict(
            held.keyid,
            {"keytype": held.keytype, "scheme": held.scheme, "keyval": dict(held.keyval)},
        )
    except (msgspec.MsgspecError, UnicodeError, RecursionError, ValueError, KeyError) as error:
        raise PublishingKeyError(
            f"{path}: this is no public key of a publisher: {error}"
        ) from error
    if key.keyid != _keyid(key):
        raise PublishingKeyError(f"{path}: its key id does not belong to the key; it was altered")
    return PublicKey(key, path.stem, held.where, path)


def open_signer(public: PublicKey, secrets: Secrets) -> Signer:
    """Open the private half of a key.

    Raises:
        PublishingKeyError: it is not here, the passphrase is another, or it is another's.
    """
    if public.where != _IN_FILE:
        from tocsin.updates.publish.token_keys import token_signer

        return token_signer(public, secrets)
    from cryptography.hazmat.primitives.serialization import load_pem_private_key
    from securesystemslib.exceptions import Error, KeyMismatchError
    from securesystemslib.signer import CryptoSigner

    if not public.private_path.is_file():
        raise PublishingKeyError(
            f"{public.private_path}: the private half of the key {public.name!r} is not here"
        )
    data = read_bounded(public.private_path, _MOST_KEY_BYTES)
    try:
        private: Any = load_pem_private_key(data, secrets(public.name))
        return CryptoSigner(private, public.key)
    except KeyMismatchError as error:
        raise PublishingKeyError(
            f"{public.private_path}: the private key does not belong to the public one"
        ) from error
    except (Error, ValueError, TypeError) as error:
        raise PublishingKeyError(
            f"{public.private_path}: it does not open; the passphrase is another, or the file was "
            "altered"
        ) from error


class KeyFolder:
    """The keys that are at hand, opened when they are first needed.

    Args:
        folder: where the files are.
        secrets: asked for passphrases and PINs.
    """

    def __init__(self, folder: Path, secrets: Secrets) -> None:
        self.folder = folder
        self.secrets = secrets
        self._signers: dict[str, Signer] = {}

    def public_keys(self) -> Iterator[PublicKey]:
        """Every public key in the folder, in the order of names."""
        for path in sorted(self.folder.glob("*.pub")):
            yield read_public_key(path)

    def signers(self, keyids: Iterable[str]) -> list[Signer]:
        """Signers of those of the given keys that are at hand."""
        wanted = set(keyids)
        found = []
        for public in self.public_keys():
            if public.keyid in wanted and public.at_hand:
                if public.keyid not in self._signers:
                    self._signers[public.keyid] = open_signer(public, self.secrets)
                found.append(self._signers[public.keyid])
        return found

    def demand(self, role: str, keyids: Iterable[str], threshold: int) -> list[Signer]:
        """Enough signers for a role.

        Raises:
            PublishingKeyError: fewer are at hand than the threshold.
        """
        found = self.signers(keyids)
        if len(found) < threshold:
            raise PublishingKeyError(
                f"{self.folder}: {len(found)} of the {threshold} keys that the role {role!r} needs "
                "are here; bring the folder that has them"
            )
        return found


def once_asked(ask: Secrets) -> Secrets:
    """Remember what was given for a name, so that nobody is asked twice."""
    given: dict[str, bytes] = {}

    def answer(name: str) -> bytes:
        if name not in given:
            given[name] = ask(name)
        return given[name]

    return answer


def _keyid(key: SSlibKey) -> str:
    """The key id that belongs to a key; a file could state another."""
    from securesystemslib.formats import encode_canonical

    said = {"keytype": key.keytype, "scheme": key.scheme, "keyval": dict(key.keyval)}
    return hashlib.sha256(str(encode_canonical(said)).encode("utf-8")).hexdigest()


def demand_key_name(name: str) -> None:
    """Raises: PublishingKeyError when a key cannot have that name."""
    if not KEY_NAME.fullmatch(name):
        raise PublishingKeyError(f"{name!r} cannot be a key's name: letters, digits, . _ - only")


def make_key_folder(folder: Path) -> None:
    """Make a folder for keys, for its user alone; one that is there stays as it is.

    Raises:
        PublishingKeyError: it cannot be made.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise PublishingKeyError(f"{folder}: {error.strerror or error}") from error
