"""Decrypting PDF: the standard security handler in all its revisions.

Done here, with `cryptography` for the ciphers, because qpdf decrypts only what the
cross-reference table leads it to, and a whole stream at once.

Source: ISO 32000-1, 7.6; ISO 32000-2, 7.6; Adobe Supplement to ISO 32000, extension level 3.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum
from hashlib import md5, sha256, sha384, sha512
from hmac import compare_digest
from typing import NamedTuple

from cryptography.hazmat.decrepit.ciphers.algorithms import ARC4
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC

from tocsin.unpack.pdf_syntax import Ref, Value

_PADDING = bytes.fromhex("28bf4e5e4e758a4164004e56fffa01082e2e00b6d0683e802f0ca9fe6453697a")
_BLOCK = 16
_LONGEST_PASSWORD = 127


class Method(Enum):
    """How the data of a document are encrypted."""

    NONE = "none"
    RC4 = "RC4"
    AES128 = "AES-128"
    AES256 = "AES-256"


_METHODS = {
    b"None": Method.NONE,
    b"Identity": Method.NONE,
    b"V2": Method.RC4,
    b"AESV2": Method.AES128,
    b"AESV3": Method.AES256,
}


class Terms(NamedTuple):
    """What a document's encryption dictionary says.

    Attributes:
        revision: of the security handler.
        key_bytes: length of the key.
        owner: the entry that the owner's password is checked with.
        user: the entry that the user's password is checked with.
        owner_key: the file's key under the owner's password (revision 5 and later).
        user_key: the file's key under the user's password.
        permissions: as stored.
        metadata: whether metadata are encrypted as well.
        identifier: the first part of the file's identifier.
        filters: method by the name of a crypt filter.
        streams: name of the crypt filter of streams.
        strings: name of the crypt filter of strings.
        files: name of the crypt filter of embedded files.
    """

    revision: int
    key_bytes: int
    owner: bytes
    user: bytes
    owner_key: bytes
    user_key: bytes
    permissions: int
    metadata: bool
    identifier: bytes
    filters: dict[bytes, Method]
    streams: bytes
    strings: bytes
    files: bytes


def read_terms(encrypt: dict[bytes, Value], identifier: bytes) -> Terms | None:
    """Read an encryption dictionary.

    Args:
        encrypt: the dictionary, with what it refers to put in.
        identifier: the first part of the file's identifier.

    Returns:
        None when it asks for another security handler, or for a version that is not known.
    """
    version, revision = _number(encrypt, b"V"), _number(encrypt, b"R")
    handler = encrypt.get(b"Filter", b"Standard")
    if handler != b"Standard" or version not in (1, 2, 4, 5) or not 2 <= revision <= 6:
        return None
    bits = _number(encrypt, b"Length", 40)
    key_bytes = bits // 8 if 40 <= bits <= 256 else min(max(bits, 5), 16)
    if version == 1:
        key_bytes = 5
    elif version == 4:
        key_bytes = 16
    filters = {b"Identity": Method.NONE}
    streams = strings = b"Std"
    if version < 4:
        filters[b"Std"] = Method.RC4
    else:
        filters.update(_crypt_filters(encrypt))
        streams = _name(encrypt, b"StmF")
        strings = _name(encrypt, b"StrF")
    long = 48 if version == 5 else 32
    return Terms(
        revision=revision,
        key_bytes=min(key_bytes, 16) if version < 5 else 32,
        owner=_bytes(encrypt, b"O")[:long],
        user=_bytes(encrypt, b"U")[:long],
        owner_key=_bytes(encrypt, b"OE")[:32],
        user_key=_bytes(encrypt, b"UE")[:32],
        permissions=_number(encrypt, b"P"),
        metadata=encrypt.get(b"EncryptMetadata") != b"false",
        identifier=identifier,
        filters=filters,
        streams=streams,
        strings=strings,
        files=_name(encrypt, b"EFF") if b"EFF" in encrypt else streams,
    )


def _number(values: dict[bytes, Value], key: bytes, default: int = 0) -> int:
    value = values.get(key, default)
    return value if isinstance(value, int) else default


def _bytes(values: dict[bytes, Value], key: bytes) -> bytes:
    value = values.get(key)
    return value if isinstance(value, bytes) else b""


def _name(values: dict[bytes, Value], key: bytes) -> bytes:
    return _bytes(values, key) or b"Identity"


def _crypt_filters(encrypt: dict[bytes, Value]) -> dict[bytes, Method]:
    found: dict[bytes, Method] = {}
    filters = encrypt.get(b"CF")
    if isinstance(filters, dict):
        for name, item in filters.items():
            method = _bytes(item, b"CFM") or b"None" if isinstance(item, dict) else b""
            if method in _METHODS:
                found[name] = _METHODS[method]
    return found


class Key:
    """The key of a document: decrypts its streams and strings.

    Args:
        terms: what the document says.
        key: the file's key.
        password: the password it was found by.
    """

    def __init__(self, terms: Terms, key: bytes, password: bytes) -> None:
        self.password = password
        self._terms = terms
        self._key = key

    @property
    def files_differ(self) -> bool:
        """Whether embedded files are encrypted otherwise than streams."""
        return self._terms.files != self._terms.streams

    @property
    def hides_identity(self) -> bool:
        """Whether what is to be left as it is has been given a method nevertheless."""
        return self._terms.filters.get(b"Identity") is not Method.NONE

    def is_guessed(self, crypt_filter: bytes | None, *, file: bool) -> bool:
        """Whether the method of a stream is not stated, so that some leave it as it is."""
        return self._filter(crypt_filter, file=file) not in self._terms.filters

    def _filter(self, crypt_filter: bytes | None, *, file: bool) -> bytes:
        if crypt_filter is not None:
            return crypt_filter
        return self._terms.files if file else self._terms.streams

    @property
    def covers_metadata(self) -> bool:
        """Whether metadata are encrypted as well."""
        return self._terms.metadata

    def string(self, data: bytes, owner: Ref) -> bytes:
        """Decrypt a string that stands in an object."""
        return self._decrypt(data, owner, self._terms.strings)

    def stream(self, data: bytes, owner: Ref, crypt_filter: bytes | None, *, file: bool) -> bytes:
        """Decrypt the data of a stream.

        Args:
            data: as they stand in the file.
            owner: the stream's object.
            crypt_filter: the crypt filter it names itself, or None.
            file: whether it is an embedded file.
        """
        return self._decrypt(data, owner, self._filter(crypt_filter, file=file))

    def _decrypt(self, data: bytes, owner: Ref, crypt_filter: bytes) -> bytes:
        usual = Method.AES256 if self._terms.revision >= 5 else Method.AES128
        method = self._terms.filters.get(crypt_filter, usual)  # as qpdf guesses
        if method is Method.NONE or not data:
            return data
        if method is Method.AES256:
            return _cbc(self._key, data)
        number = (owner.number & 0xFFFFFF).to_bytes(3, "little")
        generation = (owner.generation & 0xFFFF).to_bytes(2, "little")
        salt = b"sAlT" if method is Method.AES128 else b""
        key = md5(self._key + number + generation + salt).digest()
        key = key[: min(len(self._key) + 5, 16)]
        return _rc4(key, data) if method is Method.RC4 else _cbc(key, data)


def open_with(terms: Terms, passwords: Iterable[bytes]) -> Key | None:
    """Find the password of a document.

    Args:
        terms: what the document says.
        passwords: what to try, in this order.

    Returns:
        None when none of them is its user's or its owner's password.
    """
    for password in passwords:
        key = _key_r5(terms, password) if terms.revision >= 5 else _key_r2(terms, password)
        if key is not None:
            return Key(terms, key, password)
    return None


def _key_r2(terms: Terms, password: bytes) -> bytes | None:
    """The key by a password, revisions 2 to 4. Source: ISO 32000-1, algorithms 2 to 7."""
    for candidate in (password, _user_password(terms, password)):
        key = _file_key(terms, candidate)
        if _user_entry(terms, key)[:16] == terms.user[:16] and len(terms.user) >= 16:
            return key
    return None


def _padded(password: bytes) -> bytes:
    return (password + _PADDING)[:32]


def _file_key(terms: Terms, password: bytes) -> bytes:
    """Algorithm 2."""
    permissions = (terms.permissions & 0xFFFFFFFF).to_bytes(4, "little")
    seed = _padded(password) + terms.owner + permissions + terms.identifier
    if terms.revision >= 4 and not terms.metadata:
        seed += b"\xff\xff\xff\xff"
    key = md5(seed).digest()
    if terms.revision >= 3:
        for _ in range(50):
            key = md5(key[: terms.key_bytes]).digest()
    return key[: terms.key_bytes]


def _user_entry(terms: Terms, key: bytes) -> bytes:
    """Algorithms 4 and 5."""
    if terms.revision == 2:
        return _rc4(key, _PADDING)
    entry = md5(_PADDING + terms.identifier).digest()
    for step in range(20):
        entry = _rc4(bytes(value ^ step for value in key), entry)
    return entry


def _user_password(terms: Terms, owner_password: bytes) -> bytes:
    """Algorithm 7: the user's password out of the owner's."""
    key = md5(_padded(owner_password)).digest()
    if terms.revision >= 3:
        for _ in range(50):
            key = md5(key[: terms.key_bytes]).digest()
    key = key[: terms.key_bytes]
    found = terms.owner
    for step in range(19 if terms.revision >= 3 else 0, -1, -1):
        found = _rc4(bytes(value ^ step for value in key), found)
    return found


def _key_r5(terms: Terms, password: bytes) -> bytes | None:
    """The key by a password, revisions 5 and 6. Source: ISO 32000-2, algorithm 2.A."""
    password = password[:_LONGEST_PASSWORD]
    for entry, sealed, salt in (
        (terms.owner, terms.owner_key, terms.user),
        (terms.user, terms.user_key, b""),
    ):
        if len(entry) < 48 or len(sealed) < 32:
            continue
        check = _hash(terms.revision, password, entry[32:40], salt)
        if compare_digest(check, entry[:32]):
            key = _hash(terms.revision, password, entry[40:48], salt)
            return _cbc_raw(key, bytes(_BLOCK), sealed)
    return None


def _hash(revision: int, password: bytes, salt: bytes, user: bytes) -> bytes:
    """Source: ISO 32000-2, algorithm 2.B."""
    key = sha256(password + salt + user).digest()
    if revision < 6:
        return key
    step = 0
    last = 0
    while step < 64 or last > step - 32:
        block = (password + key + user) * 64
        encryptor = Cipher(AES(key[:16]), CBC(key[16:32])).encryptor()
        mixed = encryptor.update(block)
        kind = (sha256, sha384, sha512)[sum(mixed[:16]) % 3]
        key = kind(mixed).digest()
        last = mixed[-1]
        step += 1
    return key[:32]


def _rc4(key: bytes, data: bytes) -> bytes:
    """RC4; a key repeated is the same key, which gives lengths that the library takes."""
    for times in (1, 2, 4):
        if len(key) * times in _RC4_LENGTHS:
            return Cipher(ARC4(key * times), mode=None).decryptor().update(data)
    return _slow_rc4(key, data)


_RC4_LENGTHS = frozenset({5, 7, 8, 10, 16, 20, 24, 32})


def _slow_rc4(key: bytes, data: bytes) -> bytes:
    """RC4 for the odd lengths of keys that no library takes. Source: RFC 6229."""
    state = list(range(256))
    j = 0
    for i in range(256):
        j = (j + state[i] + key[i % len(key)]) & 0xFF
        state[i], state[j] = state[j], state[i]
    out = bytearray(len(data))
    i = j = 0
    for at, value in enumerate(data):
        i = (i + 1) & 0xFF
        first = state[i]
        j = (j + first) & 0xFF
        state[i], state[j] = state[j], first
        out[at] = value ^ state[first + state[i] & 0xFF]
    return bytes(out)


def _cbc(key: bytes, data: bytes) -> bytes:
    """AES in CBC mode with the first block as its vector; padding is taken off if it is any."""
    whole = len(data) // _BLOCK * _BLOCK
    plain = _cbc_raw(key, data[:_BLOCK], data[_BLOCK:whole]) if whole > _BLOCK else b""
    if plain and 0 < plain[-1] <= _BLOCK:
        return plain[: -plain[-1]]
    return plain


def _cbc_raw(key: bytes, vector: bytes, data: bytes) -> bytes:
    return Cipher(AES(key), CBC(vector)).decryptor().update(data)
