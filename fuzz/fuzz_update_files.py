"""What a device reads of others before anything vouches for it: bundles, roots, its own records.

A bundle gives bytes or says why not, whatever it is. A root is judged or refused. The device's
own records, which a failing disk may have changed, are read or said to be damaged.
"""

from __future__ import annotations

from datetime import UTC, datetime

import fuzz_support
from securesystemslib.signer import CryptoSigner
from tuf.api.exceptions import DownloadError
from tuf.api.metadata import Metadata, Root
from tuf.api.serialization.json import JSONSerializer

from tocsin.errors import TocsinError
from tocsin.updates.receive.bundle import URL, BundleFetcher, write_bundle
from tocsin.updates.receive.consent import examine
from tocsin.updates.receive.state import UpdateState

_FOLDER = fuzz_support.scratch("update")
_RECORDS = ("installed.json", "consent.json", "last.json", "refused.json", "seen.json")


def _root(version: int, signers: list[CryptoSigner]) -> bytes:
    root = Root(version=version, expires=datetime(2100, 1, 1, tzinfo=UTC))
    for signer in signers:
        root.add_key(signer.public_key, "root")
    root.unrecognized_fields["x-tocsin-publisher"] = {"name": "a"}
    metadata = Metadata(root)
    for signer in signers:
        metadata.sign(signer, append=True)
    return metadata.to_bytes(JSONSerializer())


def _bundle() -> bytes:
    (_FOLDER / "a").write_bytes(b"bytes of a")
    write_bundle(_FOLDER / "seed", [("metadata/a", _FOLDER / "a"), ("log/b", _FOLDER / "a")])
    return (_FOLDER / "seed").read_bytes()


_SIGNERS = [CryptoSigner.generate_ed25519()]
_FIRST = _root(1, _SIGNERS)
_STATE = UpdateState(_FOLDER / "state")
SEEDS = [
    _bundle(),
    _root(2, _SIGNERS),
    _FIRST,
    b'{"current": 3, "previous": [2, 1], "pinned": 0, "highest": 3}',
    b'{"timestamp": 3, "read": {"log.example": {"size": 2, "offset": 90}}, "in_use": "bad"}',
    b'{"roots": [{"version": 2, "sha256": "aa", "at": "2026-01-01T00:00:00Z"}]}',
]


def check(data: bytes) -> None:
    """Read the bytes as each of them."""
    place = _FOLDER / "changed"
    place.write_bytes(data)
    try:
        fetcher = BundleFetcher(place)
        try:
            for name in ("metadata/a", "log/b"):
                total = sum(len(chunk) for chunk in fetcher.fetch_from(f"{URL}{name}", 0))
                assert total <= len(data)
        finally:
            fetcher.close()
    except (TocsinError, DownloadError) as error:
        fuzz_support.require_words(error)
    try:
        examine(_FIRST, _FIRST, data)
    except TocsinError as error:
        fuzz_support.require_words(error)
    for name in _RECORDS:
        (_STATE.folder / name).write_bytes(data)
    for read in (_STATE.installed, _STATE.consent, _STATE.last_run, _STATE.refused, _STATE.seen):
        try:
            read()
        except TocsinError as error:
            fuzz_support.require_words(error)


if __name__ == "__main__":
    fuzz_support.fuzz(check, SEEDS)
