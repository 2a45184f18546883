"""Asks `aics-tlog` what it makes of our log, and has it write one of its own.

Run by the Python of another environment: JSON in, JSON out.
"""

import json
import sys
from pathlib import Path

import aics_tlog as peer
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

task = json.load(sys.stdin)
ours = Path(task["ours"])
note = peer.parse_note((ours / "checkpoint").read_bytes())
result = peer.verify_checkpoint(
    note,
    peer.parse_vkey(task["log_key"]),
    [peer.parse_vkey(key) for key in task["witness_keys"]],
    quorum=len(task["witness_keys"]),
)
tiles = peer.FileSystemTileReader(ours)
peer.audit_tiles(tiles, result.size, result.root)
included = peer.verify_leaf_inclusion(
    bytes.fromhex(task["entry"]),
    task["index"],
    result.size,
    [bytes.fromhex(each) for each in task["inclusion"]],
    result.root,
)
continued = peer.verify_consistency(
    task["old"],
    result.size,
    peer.tree_root_from_tiles(tiles, task["old"]),
    result.root,
    [bytes.fromhex(each) for each in task["consistency"]],
)

# --- and the other way round
theirs = Path(task["theirs"])
theirs.mkdir()
log_key = Ed25519PrivateKey.from_private_bytes(b"a" * 32)
witness_key = Ed25519PrivateKey.from_private_bytes(b"b" * 32)
store = peer.DirectoryTileStore(theirs, fsync=False)
writer = peer.IncrementalTileWriter(store, size=0)
for start in range(0, 600, 150):
    writer.append([b"theirs %d" % number for number in range(start, start + 150)])
head = peer.Checkpoint("peer.example/log", writer.size, writer.root())
signed = peer.sign_checkpoint(head, log_key, "peer.example/log")
_, line = peer.sign_cosignature(
    witness_key, "peer.example/w", 1_800_000_000, head.origin, head.size, head.root
)
signed = peer.Note(text=signed.text, signatures=(*signed.signatures, line))
store.write_checkpoint(signed.to_bytes())
json.dump(
    {
        "ok": result.ok,
        "size": result.size,
        "error": result.error,
        "witnesses": sorted(result.witnesses),
        "included": bool(included),
        "continued": bool(continued),
        "log_key": peer.format_vkey(
            peer.vkey_from_ed25519("peer.example/log", log_key.public_key())
        ),
        "witness_key": peer.format_vkey(
            peer.cosignature_vkey("peer.example/w", witness_key.public_key())
        ),
    },
    sys.stdout,
)
