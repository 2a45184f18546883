"""Checkpoints: notes by which a log says how far it has grown, opened with the log's key.

Specification: C2SP tlog-checkpoint.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tocsin.transparency.errors import BadProof, BadSignature, SplitView
from tocsin.transparency.merkle import EMPTY_ROOT, verify_consistency
from tocsin.transparency.note import SignedNote, VerifierKey, verify
from tocsin.transparency.tree_head import Checkpoint

__all__ = ["Checkpoint", "OpenedCheckpoint", "open_checkpoint", "require_continues"]


@dataclass(frozen=True)
class OpenedCheckpoint:
    """A checkpoint whose log's signature was checked; those of others were not.

    Attributes:
        head: what it says.
        note: the whole note.
        log: the key that signed it.
    """

    head: Checkpoint
    note: SignedNote
    log: VerifierKey


def open_checkpoint(data: bytes | SignedNote, log_key: VerifierKey) -> OpenedCheckpoint:
    """Read a checkpoint and check that its log signed it.

    Args:
        data: the signed note.
        log_key: the log's; its name must be the checkpoint's origin.

    Raises:
        MalformedNote: it is no note, or its text is no checkpoint.
        BadSignature: the log did not sign it, or it is of another log.
    """
    note = data if isinstance(data, SignedNote) else SignedNote.parse(data)
    verify(note, [log_key])
    head = Checkpoint.parse(note.text)
    if head.origin != log_key.name:
        raise BadSignature(f"the checkpoint is of the log {head.origin!r}, not {log_key.name!r}")
    return OpenedCheckpoint(head, note, log_key)


def require_continues(
    old: OpenedCheckpoint, new: OpenedCheckpoint, proof: Sequence[bytes] = ()
) -> None:
    """Check that a log's later tree begins as its earlier one.

    Args:
        old: what was accepted before.
        new: what is to be accepted now.
        proof: of consistency; empty where both have one size or the old tree is empty.

    Raises:
        BadProof: it is not shown, the new tree is the smaller one, or they are of two logs.
        SplitView: both have one size and not one root; the log signed two histories.
    """
    before, after = old.head, new.head
    if before.origin != after.origin:
        raise BadProof(f"the checkpoints are of two logs, {before.origin!r} and {after.origin!r}")
    if after.size < before.size:
        raise BadProof(
            f"the log had {before.size} entries before and is shown with {after.size} now; "
            "this is an old state of it, or another"
        )
    if before.size == after.size and before.root != after.root:
        raise SplitView(
            f"the log {after.origin!r} signed two different trees of {after.size} entries",
            (old.note.to_bytes(), new.note.to_bytes()),
        )
    if before.size in (0, after.size):
        if before.size == 0 and before.root != EMPTY_ROOT:
            raise BadProof("an empty log has the hash of nothing as its root; this one has another")
        if proof:
            raise BadProof("these two need no proof, and one was given")
        return
    verify_consistency(before.size, before.root, after.size, after.root, proof)
