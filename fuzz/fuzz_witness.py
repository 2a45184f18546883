"""Requests to a witness: any bytes are answered with one of the specification's statuses.

Only a checkpoint that the log signed and that continues the one cosigned last is cosigned.
"""

from __future__ import annotations

import fuzz_support

from tocsin.transparency.coding import encode_base64
from tocsin.transparency.keys import SigningKey
from tocsin.transparency.merkle import CompactRange, consistency_proof, leaf_hash
from tocsin.transparency.note import KeyType
from tocsin.transparency.tree_head import Checkpoint
from tocsin.transparency.witness import Refused, Submission

_LOG = SigningKey.from_seed("example.org/log", KeyType.ED25519, bytes(32))
_STATUSES = {400, 403, 404, 409, 422}
_tree, _stored = CompactRange(), {}
_roots = [_tree.root()]
for _number in range(9):
    _stored |= dict(_tree.append(leaf_hash(b"entry %d" % _number)))
    _roots.append(_tree.root())


def _request(old: int, size: int) -> bytes:
    hashes = []
    if 0 < old < size:
        hashes = consistency_proof(old, size, lambda nodes: [_stored[node] for node in nodes])
    proof = "".join(f"{encode_base64(each)}\n" for each in hashes)
    note = _LOG.signed(Checkpoint("example.org/log", size, _roots[size]).text())
    return f"old {old}\n{proof}\n".encode() + note.to_bytes()


SEEDS = [_request(0, 5), _request(5, 9), _request(5, 5)]


def check(data: bytes) -> None:
    """Have the bytes judged by a witness that knows the log at five entries, and by a new one."""
    for latest in (None, Checkpoint("example.org/log", 5, _roots[5])):
        try:
            found = Submission.parse(data)
            signed = found.judge([_LOG.verifier], latest)
        except Refused as refused:
            status = refused.answer.status
            if status not in _STATUSES:
                raise AssertionError(f"no witness answers with {status} here") from refused
            continue
        assert signed
        assert found.head.root == _roots[found.head.size], "nobody signed another tree"
        assert found.old == (0 if latest is None else 5)


if __name__ == "__main__":
    fuzz_support.fuzz(check, SEEDS)
