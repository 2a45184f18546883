"""Whether a signature is that of a certificate's key. The library comes with the first one."""

from __future__ import annotations

import warnings


def is_signed_by(certificate: bytes, signature: bytes, signed: bytes, digest: str) -> bool | None:
    """Check one signature.

    Args:
        certificate: whose key it should be, in DER.
        signature: the signature.
        signed: the bytes it is about.
        digest: `md5`, `sha1`, `sha256`, `sha384` or `sha512`.

    Returns:
        None when it cannot be checked: a key or a certificate that the library does not take.
    """
    from cryptography import x509
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import dsa, ec, padding, rsa

    kinds: dict[str, hashes.HashAlgorithm] = {
        "md5": hashes.MD5(),  # noqa: S303  # as old signatures have it
        "sha1": hashes.SHA1(),  # noqa: S303
        "sha256": hashes.SHA256(),
        "sha384": hashes.SHA384(),
        "sha512": hashes.SHA512(),
    }
    kind = kinds[digest]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            key = x509.load_der_x509_certificate(certificate).public_key()
            if isinstance(key, rsa.RSAPublicKey):
                key.verify(signature, signed, padding.PKCS1v15(), kind)
            elif isinstance(key, ec.EllipticCurvePublicKey):
                key.verify(signature, signed, ec.ECDSA(kind))
            elif isinstance(key, dsa.DSAPublicKey):
                key.verify(signature, signed, kind)
            else:
                return None
    except InvalidSignature:
        return False
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return None
    return True
