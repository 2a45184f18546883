"""Ciphers of Office documents: passwords checked, bytes decrypted.

Everything that a document states is bounded before it costs anything.

Source: MS-OFFCRYPTO 2.3.4 to 2.3.7.
"""

from __future__ import annotations

import hashlib
import re
from base64 import b64decode
from collections.abc import Iterator
from typing import NamedTuple, Protocol

from cryptography.hazmat.decrepit.ciphers.algorithms import ARC4
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

_HASHES = {"SHA1": "sha1", "SHA-1": "sha1", "SHA256": "sha256", "SHA384": "sha384",
           "SHA512": "sha512", "MD5": "md5"}  # fmt: skip
_MOST_ROUNDS = 1_000_000
"""Rounds of hashing that a document may ask for; Office writes 100,000."""

_STANDARD_ROUNDS = 50_000
_SEGMENT = 4096
_AES_IDS = (0x660E, 0x660F, 0x6610)
_FOR_VERIFIER = bytes.fromhex("fea7d2763b4b9e79")
_FOR_VERIFIER_HASH = bytes.fromhex("d7aa0f6d3061344e")
_FOR_KEY = bytes.fromhex("146e0be7abacd0d6")


class Unreadable(Exception):
    """The description of a cipher is damaged or of a kind not known."""


class PackageCipher(Protocol):
    """What decrypts a package once a password fits."""

    def unlock(self, password: str) -> bool:
        """Try a password; the one that fits is kept."""
        ...

    def decrypt(self, data: bytes) -> Iterator[bytes]:
        """Decrypt the stream `EncryptedPackage`."""
        ...


class StreamCipher(Protocol):
    """RC4 as the binary formats use it: a new key for each block."""

    def unlock(self, password: str) -> bool:
        """Try a password; the one that fits is kept."""
        ...

    def key(self, block: int) -> bytes:
        """The key of a block."""
        ...


def rc4(cipher: StreamCipher, data: bytes, block_size: int) -> bytes:
    """Decrypt bytes that begin at block 0."""
    out = []
    for block, at in enumerate(range(0, len(data), block_size)):
        decryptor = Cipher(ARC4(cipher.key(block)), mode=None).decryptor()
        out.append(decryptor.update(data[at : at + block_size]))
    return b"".join(out)


class OldRc4:
    """RC4 with a key of 40 bits. Source: MS-OFFCRYPTO 2.3.6."""

    def __init__(self, info: bytes) -> None:
        if len(info) < 48:
            raise Unreadable("its cipher's description is cut off")
        self._salt, self._verifier, self._hash = info[:16], info[16:32], info[32:48]
        self._base = b""

    def unlock(self, password: str) -> bool:
        """See `StreamCipher`."""
        first = hashlib.md5(_wide(password)).digest()[:5]
        self._base = hashlib.md5((first + self._salt) * 16).digest()[:5]
        decryptor = Cipher(ARC4(self.key(0)), mode=None).decryptor()
        verifier = decryptor.update(self._verifier)
        return hashlib.md5(verifier).digest() == decryptor.update(self._hash)

    def key(self, block: int) -> bytes:
        """See `StreamCipher`."""
        return hashlib.md5(self._base + block.to_bytes(4, "little")).digest()


class CryptoApiRc4:
    """RC4 through CryptoAPI. Source: MS-OFFCRYPTO 2.3.5."""

    def __init__(self, info: bytes) -> None:
        size = int.from_bytes(info[4:8], "little")
        header, rest = info[8 : 8 + size], info[8 + size :]
        if len(header) < 32 or len(rest) < 60:
            raise Unreadable("its cipher's description is cut off")
        self._bits = int.from_bytes(header[16:20], "little") or 40
        if self._bits not in range(40, 129, 8):
            raise Unreadable(f"RC4 with a key of {self._bits} bits")
        self._salt, self._verifier, self._hash = rest[4:20], rest[20:36], rest[40:60]
        self._base = b""

    def unlock(self, password: str) -> bool:
        """See `StreamCipher`."""
        self._base = hashlib.sha1(self._salt + _wide(password)).digest()
        decryptor = Cipher(ARC4(self.key(0)), mode=None).decryptor()
        verifier = decryptor.update(self._verifier)
        return hashlib.sha1(verifier).digest() == decryptor.update(self._hash)

    def key(self, block: int) -> bytes:
        """See `StreamCipher`."""
        key = hashlib.sha1(self._base + block.to_bytes(4, "little")).digest()[: self._bits // 8]
        return key + bytes(11) if self._bits == 40 else key


class Standard:
    """AES as Office 2007 wrote it. Source: MS-OFFCRYPTO 2.3.4.5 to 2.3.4.9."""

    def __init__(self, info: bytes) -> None:
        size = int.from_bytes(info[8:12], "little")
        header, rest = info[12 : 12 + size], info[12 + size :]
        if len(header) < 32 or len(rest) < 72:
            raise Unreadable("its cipher's description is cut off")
        if int.from_bytes(header[8:12], "little") not in _AES_IDS:
            raise Unreadable("its cipher is not AES")
        self._bytes = int.from_bytes(header[16:20], "little") // 8
        if self._bytes not in (16, 24, 32):
            raise Unreadable(f"AES with a key of {self._bytes} bytes")
        self._salt, self._verifier, self._hash = rest[4:20], rest[20:36], rest[40:72]
        self._key = b""

    def unlock(self, password: str) -> bool:
        """See `PackageCipher`."""
        digest = _spin("sha1", self._salt, password, _STANDARD_ROUNDS)
        digest = hashlib.sha1(digest + bytes(4)).digest()
        halves = [
            hashlib.sha1(bytes(a ^ pad for a in digest) + bytes([pad]) * 44).digest()
            for pad in (0x36, 0x5C)
        ]
        self._key = b"".join(halves)[: self._bytes]
        decryptor = Cipher(algorithms.AES(self._key), modes.ECB()).decryptor()  # noqa: S305
        verifier = decryptor.update(self._verifier)
        return hashlib.sha1(verifier).digest() == decryptor.update(self._hash)[:20]

    def decrypt(self, data: bytes) -> Iterator[bytes]:
        """See `PackageCipher`."""
        left = min(int.from_bytes(data[:8], "little"), len(data) - 8)
        decryptor = Cipher(algorithms.AES(self._key), modes.ECB()).decryptor()  # noqa: S305
        for at in range(8, len(data), 16 * _SEGMENT):
            chunk = decryptor.update(data[at : at + 16 * _SEGMENT])[: max(0, left)]
            left -= len(chunk)
            yield chunk


class _Agile(NamedTuple):
    """What the description of an agile cipher states about one of its two keys."""

    salt: bytes
    hash_name: str
    bits: int


class Agile:
    """AES as Office writes it since 2010. Source: MS-OFFCRYPTO 2.3.4.10 to 2.3.4.15."""

    def __init__(self, info: bytes) -> None:
        xml = info[8:65536]
        data = _attributes(xml, b"keyData")
        lock = _attributes(xml, b"encryptedKey")
        self._data, self._lock = _agile(data), _agile(lock)
        self._rounds = _integer(lock.get("spinCount", ""))
        if self._rounds > _MOST_ROUNDS:
            raise Unreadable(f"it asks for {self._rounds} rounds of hashing")
        self._input = _binary(lock, "encryptedVerifierHashInput")
        self._value = _binary(lock, "encryptedVerifierHashValue")
        self._locked = _binary(lock, "encryptedKeyValue")
        self._key = b""

    def unlock(self, password: str) -> bool:
        """See `PackageCipher`."""
        lock = self._lock
        base = _spin(lock.hash_name, lock.salt, password, self._rounds)

        def opened(purpose: bytes, locked: bytes) -> bytes:
            key = hashlib.new(lock.hash_name, base + purpose, usedforsecurity=False).digest()
            key = key[: lock.bits // 8].ljust(lock.bits // 8, b"\x36")
            return _cbc(key, lock.salt, locked)

        verifier = opened(_FOR_VERIFIER, self._input)
        stated = opened(_FOR_VERIFIER_HASH, self._value)
        found = hashlib.new(lock.hash_name, verifier, usedforsecurity=False).digest()
        if stated[: len(found)] != found:
            return False
        self._key = opened(_FOR_KEY, self._locked)[: self._data.bits // 8]
        return len(self._key) in (16, 24, 32)

    def decrypt(self, data: bytes) -> Iterator[bytes]:
        """See `PackageCipher`."""
        left = min(int.from_bytes(data[:8], "little"), len(data) - 8)
        for number, at in enumerate(range(8, len(data) - 15, _SEGMENT)):
            salt = self._data.salt + number.to_bytes(4, "little")
            digest = hashlib.new(self._data.hash_name, salt, usedforsecurity=False).digest()
            segment = data[at : at + _SEGMENT]
            chunk = _cbc(self._key, digest[:16], segment)[: max(0, left)]
            left -= len(chunk)
            yield chunk


class XorMask:
    """Obfuscation by a mask of 16 bytes, as old Excel has it. Source: MS-OFFCRYPTO 2.3.7."""

    def __init__(self, info: bytes) -> None:
        if len(info) < 4:
            raise Unreadable("its mask's description is cut off")
        self._verifier = int.from_bytes(info[2:4], "little")
        self._mask = b""

    def unlock(self, password: str) -> bool:
        """Try a password of at most 15 letters."""
        if not password or len(password) > 15 or max(map(ord, password)) > 255:
            return False
        raw = password.encode("latin-1")
        self._mask = _xor_mask(raw)
        return _xor_verifier(raw) == self._verifier

    def decrypt(self, data: bytes, place: int) -> bytes:
        """Decrypt bytes whose first is masked by this byte of the mask.

        The order of Excel: the mask first, then the bits are turned.
        """
        count = len(data)
        mask = self._mask[place % 16 :] + self._mask * (count // 16 + 1)
        masked = int.from_bytes(data, "little") ^ int.from_bytes(mask[:count], "little")
        return masked.to_bytes(count, "little").translate(_TURNED)


_TURNED = bytes((byte >> 5 | byte << 3) & 0xFF for byte in range(256))


def package_cipher(info: bytes) -> PackageCipher:
    """What the stream `EncryptionInfo` describes.

    Raises:
        Unreadable: it is damaged, or of a kind not known.
    """
    version = (int.from_bytes(info[:2], "little"), int.from_bytes(info[2:4], "little"))
    if version == (4, 4):
        return Agile(info)
    if version[0] in (2, 3, 4) and version[1] == 2:
        return Standard(info)
    raise Unreadable(f"encryption of version {version[0]}.{version[1]}")


def stream_cipher(info: bytes) -> StreamCipher:
    """What stands before the data in the binary formats.

    Raises:
        Unreadable: it is damaged, or of a kind not known.
    """
    version = (int.from_bytes(info[:2], "little"), int.from_bytes(info[2:4], "little"))
    if version == (1, 1):
        return OldRc4(info[4:])
    if version[0] in (2, 3, 4) and version[1] == 2:
        return CryptoApiRc4(info[4:])
    raise Unreadable(f"encryption of version {version[0]}.{version[1]}")


_XOR_FIRST = bytes.fromhex("e1f01d0fcc9c84c0110c0e10f1ce313e1872e139d40f84f9280ca96a4ec3")
_XOR_MATRIX = bytes.fromhex(
    "aefc4dd99bb227454e8a9d142a097b61f6c2fda5eb6bc6f79dcf2bbf45638ac605ad0b5a16b42d685ad0"
    "037506ea0dd41ba837506ea0dd40d849a0b35147a28e553daa7a44d56f45de8aad354a4b9496390d721a"
    "eb23c6679cef29ff53fea7fc5fd947d38fa60f6d1eda3db47b68f6d0b86160e3c1c693ad377b6ef6ddec"
    "45a08b4006a10d421a8435086a10aa5144838906022d045a08b4116876b4ed68caf185c31ba7374e6e9c"
    "37306e60dcc0a9a1436386c61dad33316662ccc489a9037306e60dcc10212042408481081231246248c4"
)
_XOR_PAD = bytes.fromhex("bbffffbaffffb98000be0f00bf0f00")
"""Source: MS-OFFCRYPTO 2.3.7.2."""


def _pair(table: bytes, place: int) -> int:
    return int.from_bytes(table[2 * place : 2 * place + 2], "big")


def _xor_mask(password: bytes) -> bytes:
    """The mask of a password of 1 to 15 bytes. Source: MS-OFFCRYPTO 2.3.7.2."""
    key = _pair(_XOR_FIRST, len(password) - 1)
    element = len(_XOR_MATRIX) // 2 - 1
    for letter in reversed(password):
        for bit in range(6, -1, -1):
            if letter >> bit & 1:
                key ^= _pair(_XOR_MATRIX, element)
            element -= 1
    padded = (password + _XOR_PAD)[:16]
    mixed = (byte ^ (key >> 8 if place & 1 else key & 0xFF) for place, byte in enumerate(padded))
    return bytes((byte >> 1 | byte << 7) & 0xFF for byte in mixed)


def _xor_verifier(password: bytes) -> int:
    """What a document keeps to know a password by. Source: MS-OFFCRYPTO 2.3.7.1."""
    value = 0
    for byte in (*reversed(password), len(password)):
        value = (value >> 14 & 1 | value << 1 & 0x7FFF) ^ byte
    return value ^ 0xCE4B


def _wide(password: str) -> bytes:
    return password.encode("utf-16-le", "replace")


def _spin(name: str, salt: bytes, password: str, rounds: int) -> bytes:
    function = getattr(hashlib, name)
    digest = bytes(function(salt + _wide(password)).digest())
    for number in range(rounds):
        digest = function(number.to_bytes(4, "little") + digest).digest()
    return digest


def _cbc(key: bytes, salt: bytes, data: bytes) -> bytes:
    decryptor = Cipher(algorithms.AES(key), modes.CBC(salt[:16])).decryptor()
    return decryptor.update(data[: len(data) // 16 * 16])


def _attributes(xml: bytes, element: bytes) -> dict[str, str]:
    found = re.search(rb"<(?:\w{1,32}:)?" + element + rb"\s([^>]*)>", xml)
    if found is None:
        raise Unreadable("its cipher's description is cut off")
    pairs = re.findall(rb'(\w+)\s*=\s*"([^"]*)"', found[1])
    return {name.decode(): value.decode("latin-1") for name, value in pairs}


def _agile(attributes: dict[str, str]) -> _Agile:
    name = _HASHES.get(attributes.get("hashAlgorithm", ""))
    if name is None or attributes.get("cipherAlgorithm", "AES") != "AES":
        raise Unreadable("its cipher is not known")
    if attributes.get("cipherChaining", "ChainingModeCBC") != "ChainingModeCBC":
        raise Unreadable("its way of chaining is not known")
    bits = _integer(attributes.get("keyBits", ""))
    salt = _binary(attributes, "saltValue")
    if bits not in (128, 192, 256) or len(salt) < 16:
        raise Unreadable("its cipher's description makes no sense")
    return _Agile(salt, name, bits)


def _integer(text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 9:
        raise Unreadable("its cipher's description makes no sense")
    return int(text)


def _binary(attributes: dict[str, str], name: str) -> bytes:
    try:
        return b64decode(attributes.get(name, ""))
    except ValueError as error:
        raise Unreadable("its cipher's description makes no sense") from error
