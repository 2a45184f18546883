"""Checkpoints: notes by which a log says how far it has grown, opened with the log's key.

Specification: C2SP tlog-checkpoint.
"""

from __future__ import annotations

from dataclasses import dataclass

from tocsin.transparency.errors import BadSignature
from tocsin.transparency.note import SignedNote, VerifierKey, verify
from tocsin.transparency.tree_head import Checkpoint

__all__ = ["Checkpoint", "OpenedCheckpoint", "open_checkpoint"]


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
