"""Proofs of logging: any bytes are one, or this package's error says why not.

What is read is written again as it came, and only the true entry is ever proved.
"""

from __future__ import annotations

import fuzz_support

from tocsin.errors import TocsinError
from tocsin.transparency.checkpoint import Checkpoint
from tocsin.transparency.keys import SigningKey
from tocsin.transparency.merkle import CompactRange, inclusion_proof, leaf_hash
from tocsin.transparency.note import KeyType
from tocsin.transparency.policy import Policy
from tocsin.transparency.proof import TlogProof

_LOG = SigningKey.from_seed("example.org/log", KeyType.ED25519, bytes(32))
_POLICY = Policy.parse(f"log {_LOG.verifier}\nquorum none\n".encode())
_ENTRY = b"entry 3"


def _proof(extra: bytes | None) -> bytes:
    tree, stored = CompactRange(), {}
    for number in range(7):
        stored |= dict(tree.append(leaf_hash(b"entry %d" % number)))
    hashes = inclusion_proof(3, 7, lambda nodes: [stored[node] for node in nodes])
    note = _LOG.signed(Checkpoint("example.org/log", 7, tree.root()).text())
    return TlogProof(3, tuple(hashes), note.to_bytes(), extra).to_bytes()


SEEDS = [_proof(None), _proof(b"extra")]


def check(data: bytes) -> None:
    """Read the bytes as a proof, and try to prove another entry by it."""
    try:
        proof = TlogProof.parse(data)
        assert proof.to_bytes() == data
    except TocsinError as error:
        fuzz_support.require_words(error)
        return
    for entry in (b"entry 4", _ENTRY):
        try:
            proof.verify(entry, _POLICY)
        except TocsinError as error:
            fuzz_support.require_words(error)
        else:
            assert entry == _ENTRY
            assert proof.index == 3


if __name__ == "__main__":
    fuzz_support.fuzz(check, SEEDS)
