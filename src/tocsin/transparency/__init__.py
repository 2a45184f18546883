"""Transparency: an append-only log as static files, and what shows that all see the same one.

Notes and checkpoints that a log signs (`note`, `checkpoint`), the Merkle tree they speak of
(`merkle`), witnesses that cosign what grew consistently (`cosignature`, `witness`), and the policy
by which somebody decides whom to believe (`policy`). What is logged is bytes here. The formats are
those of C2SP, so that others' logs, witnesses and verifiers work with these.
"""
