"""Asks `tlog-scales` what it makes of our log, and has it write one of its own.

Run by the Python of another environment: JSON in, JSON out.
"""

import json
import sys
from pathlib import Path

from tlog_scales import signing, tlog
from tlog_scales.backend import LocalBackend
from tlog_scales.reader import TilesReader
from tlog_scales.tiles import leaf_hash
from tlog_scales.writer import TilesWriter

task = json.load(sys.stdin)
ours = Path(task["ours"])
reader = TilesReader(LocalBackend(ours))
head = reader.get_checkpoint()
keys = [signing.Vkey.from_string(key) for key in [task["log_key"], *task["witness_keys"]]]
signed = signing.VkeySet(*keys).verify(head.signatures, head)
reader.set_size(head.size)

proof = tlog.InclusionProof(
    task["index"], head.size, [bytes.fromhex(each) for each in task["inclusion"]]
)
proof.check(leaf_hash(bytes.fromhex(task["entry"])), head.root_hash)
own = reader.get_inclusion_proof(task["index"], head.size)
consistency = reader.get_consistency_proof(task["old"], head.size)

# --- and the other way round
theirs = Path(task["theirs"])
writer = TilesWriter.create(theirs, "peer.example/log")
log = signing.PlainEd25519Signer("peer.example/log", b"a" * 32)
witness = signing.MLDSA44CosignatureSigner("peer.example/w", b"b" * 32)
for number in range(600):
    writer.add_leaf(b"theirs %d" % number)
writer.commit([log, witness])
json.dump(
    {
        "size": head.size,
        "root": reader.calculate_root_hash().hex(),
        "signed": sorted(str(key.serialize()) for key, _ in signed),
        "inclusion": [each.hex() for each in own.node_hashes],
        "consistency": [each.hex() for each in consistency.node_hashes],
        "log_key": log.vkey.serialize(),
        "witness_key": witness.vkey.serialize(),
    },
    sys.stdout,
)
