"""Private keys in encrypted PKCS#8 whose passphrase is stretched by scrypt.

`cryptography` reads this form and writes only one with 2,048 rounds of PBKDF2, which costs
somebody who guesses next to nothing. The few bytes of structure are therefore written here;
every tool that reads PKCS#8 opens the result.

Formats: RFC 5958 (EncryptedPrivateKeyInfo), RFC 8018 (PBES2), RFC 7914 section 7 (scrypt as a
key derivation function of PBES2).
"""

from __future__ import annotations

import base64
import secrets
import textwrap

_PBES2 = bytes.fromhex("06092a864886f70d01050d")
_SCRYPT = bytes.fromhex("06092b06010401da47040b")
_AES_256_CBC = bytes.fromhex("060960864801650304012a")

LOG2_N = 14
PARALLEL = 5
"""With blocks of 8: 16 MiB, which OpenSSL's own bound on memory allows, five times over."""

_BLOCK = 8
_SALT_BYTES = 16
_IV_BYTES = 16
_SEQUENCE, _OCTETS, _INTEGER = 0x30, 0x04, 0x02


def encrypted_pem(plain: bytes, passphrase: bytes, *, log2_n: int = LOG2_N) -> bytes:
    """Encrypt a private key.

    Args:
        plain: PKCS#8 PrivateKeyInfo in DER.
        passphrase: that opens it; not empty.
        log2_n: scrypt's cost.

    Returns:
        PEM, `ENCRYPTED PRIVATE KEY`.
    """
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
    from cryptography.hazmat.primitives.kdf.scrypt import Scrypt
    from cryptography.hazmat.primitives.padding import PKCS7

    salt, iv = secrets.token_bytes(_SALT_BYTES), secrets.token_bytes(_IV_BYTES)
    key = Scrypt(salt, 32, n=1 << log2_n, r=_BLOCK, p=PARALLEL).derive(passphrase)
    padder = PKCS7(128).padder()
    padded = padder.update(plain) + padder.finalize()
    encryptor = Cipher(algorithms.AES256(key), modes.CBC(iv)).encryptor()
    sealed = encryptor.update(padded) + encryptor.finalize()
    derivation = _der(
        _SEQUENCE,
        _SCRYPT,
        _der(
            _SEQUENCE,
            _der(_OCTETS, salt),
            _integer(1 << log2_n),
            _integer(_BLOCK),
            _integer(PARALLEL),
        ),
    )
    cipher = _der(_SEQUENCE, _AES_256_CBC, _der(_OCTETS, iv))
    algorithm = _der(_SEQUENCE, _PBES2, _der(_SEQUENCE, derivation, cipher))
    text = base64.b64encode(_der(_SEQUENCE, algorithm, _der(_OCTETS, sealed))).decode("ascii")
    lines = "\n".join(textwrap.wrap(text, 64))
    head, foot = "BEGIN ENCRYPTED PRIVATE KEY", "END ENCRYPTED PRIVATE KEY"
    return f"-----{head}-----\n{lines}\n-----{foot}-----\n".encode("ascii")


def _der(tag: int, *parts: bytes) -> bytes:
    content = b"".join(parts)
    size = len(content)
    if size < 0x80:
        return bytes((tag, size)) + content
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(length))) + length + content


def _integer(value: int) -> bytes:
    return _der(_INTEGER, value.to_bytes(value.bit_length() // 8 + 1, "big"))
