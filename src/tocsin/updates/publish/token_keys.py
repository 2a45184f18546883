"""Keys in a PKCS#11 token: a smart card, a security key, or a hardware security module.

The private half never leaves the token; every signature asks for the PIN. securesystemslib does
the work (ECDSA over P-256 or P-384) with python-pkcs11, which is installed by those who need it.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from tocsin.updates.publish.errors import PublishingKeyError
from tocsin.updates.publish.keys import (
    PublicKey,
    Secrets,
    demand_key_name,
    make_key_folder,
    write_public_key,
)

if TYPE_CHECKING:
    from securesystemslib.signer import Signature, Signer

PKCS11_MODULE = "PYKCS11LIB"
"""Environment variable that names the token's library; securesystemslib reads it."""

_ADDRESS = "hsm:"


def import_token_key(
    folder: Path, name: str, secrets: Secrets, *, keyid: int = 2, label: str | None = None
) -> PublicKey:
    """Write down the public half of a key that a PKCS#11 token holds.

    Args:
        folder: for the file.
        name: to call it by.
        secrets: asked for the PIN if the token does not show its public key without.
        keyid: of the key in the token (PIV's slot 9c is 2).
        label: of the token, when there are several.

    Raises:
        PublishingKeyError: no such token or key, or the library for tokens is not installed.
    """
    from securesystemslib.exceptions import UnsupportedLibraryError
    from securesystemslib.signer import HSMSigner

    demand_key_name(name)
    make_key_folder(folder)
    try:
        where, key = HSMSigner.import_(keyid, label, lambda _what: secrets(name).decode())
    except UnsupportedLibraryError as error:
        raise PublishingKeyError(
            f"keys in tokens need the package python-pkcs11; install it ({error})"
        ) from error
    except Exception as error:  # the token's library raises a family of its own
        raise PublishingKeyError(
            f"the token gives no key: {str(error) or type(error).__name__}"
        ) from error
    public = PublicKey(key, name, where, folder / f"{name}.pub")
    if public.path.exists():
        raise PublishingKeyError(f"{public.path}: there is a key of that name already")
    write_public_key(public)
    return public


def token_signer(public: PublicKey, secrets: Secrets) -> Signer:
    """What signs with a token's key.

    Args:
        public: says where the key is.
        secrets: asked for the PIN at every signature.

    Raises:
        PublishingKeyError: the address is none of a token's, or its library is not named.
    """
    from securesystemslib.signer import HSMSigner

    if not public.where.startswith(_ADDRESS):
        raise PublishingKeyError(
            f"{public.path}: no way is known to a key in {public.where[:80]!r}"
        )
    if not os.environ.get(PKCS11_MODULE):
        raise PublishingKeyError(
            f"the key {public.name!r} is in a token; name the token's library with "
            f"--pkcs11-module or in {PKCS11_MODULE}"
        )

    class TokenSigner(HSMSigner):
        """Says what is wrong in this package's words."""

        def sign(self, payload: bytes) -> Signature:
            try:
                return super().sign(payload)
            except Exception as error:  # the token's library raises a family of its own
                raise PublishingKeyError(
                    f"the token does not sign with the key {public.name!r}: "
                    f"{str(error) or type(error).__name__}"
                ) from error

    try:
        signer: Signer = TokenSigner.from_priv_key_uri(
            public.where, public.key, lambda _what: secrets(public.name).decode()
        )
    except ValueError as error:
        raise PublishingKeyError(f"{public.path}: {error}") from error
    return signer
