"""Cosignatures: a witness's word that a checkpoint continues all it has seen of that log.

Specification: C2SP tlog-cosignature.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from tocsin.transparency.errors import MalformedKey, MalformedNote
from tocsin.transparency.note import NoteSignature, SignedNote, VerifierKey, Vouched, verify
from tocsin.transparency.verifier_key import join_timestamp, signed_message

if TYPE_CHECKING:
    from tocsin.transparency.keys import SigningKey


def cosign(text: str, key: SigningKey, timestamp: int) -> NoteSignature:
    """Cosign a checkpoint.

    Args:
        text: the checkpoint's, without signatures.
        key: a cosigner's, of either kind.
        timestamp: POSIX seconds at which the cosigner vouches for it.

    Raises:
        MalformedNote: the text is no checkpoint.
        MalformedKey: the key is none of a cosigner's.
    """
    verifier = key.verifier
    if not verifier.kind.timestamped:
        raise MalformedKey(f"{verifier.name}: this is a log's key; a cosigner's has another type")
    bare = key.sign(signed_message(verifier.kind, verifier.name, text, timestamp))
    return NoteSignature(verifier.name, verifier.key_id, join_timestamp(timestamp, bare))


def cosignatures(note: SignedNote, cosigners: Iterable[VerifierKey]) -> tuple[Vouched, ...]:
    """The valid cosignatures on a checkpoint, by the cosigners that are known.

    Raises:
        BadSignature: one by a known cosigner does not verify.
    """
    known = [key for key in cosigners if key.kind.timestamped]
    return verify(note, known, at_least_one=False)


def parse_cosignature_lines(data: bytes) -> tuple[NoteSignature, ...]:
    """Read the lines that a witness answers with.

    Raises:
        MalformedNote: they are none.
    """
    note = SignedNote.parse(b"\n\n" + data)
    if note.text != "\n":
        raise MalformedNote("something else stands before the lines of a cosignature")
    return note.signatures
