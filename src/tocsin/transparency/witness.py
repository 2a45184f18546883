"""What a witness decides about one checkpoint that it is sent: pure, from bytes and what it knows.

A witness cosigns a checkpoint when its log signed it and it continues the one that was cosigned
last. Whoever calls must hold the log's record from reading what was cosigned last until the new
one is stored; see `witness_store`.

Specification: C2SP tlog-witness, "add-checkpoint".
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from dataclasses import dataclass
from typing import NamedTuple

from tocsin.transparency.coding import decode_decimal, decode_hash
from tocsin.transparency.errors import BadProof, BadSignature, MalformedNote, WitnessError
from tocsin.transparency.merkle import EMPTY_ROOT, verify_consistency
from tocsin.transparency.note import NoteSignature, SignedNote, VerifierKey, verify
from tocsin.transparency.tree_head import Checkpoint
from tocsin.transparency.verifier_key import split_timestamp

MAX_PROOF_LINES = 63
MAX_REQUEST_BYTES = 512 << 10
"""A checkpoint with more than a hundred of the largest signatures has room in it."""

OK, BAD_REQUEST, FORBIDDEN, NOT_FOUND, CONFLICT, UNPROCESSABLE = 200, 400, 403, 404, 409, 422
SIZE_TYPE = "text/x.tlog.size"
TEXT_TYPE = "text/plain; charset=utf-8"


def cosigning_time(last: SignedNote | None, keys: Collection[VerifierKey], now: float) -> int:
    """The time to cosign with: now, in whole seconds.

    Args:
        last: what was cosigned last, or None.
        keys: of the cosigner.
        now: POSIX seconds by its clock.

    Raises:
        WitnessError: the clock is before what was signed last: it would be said of an earlier
            time that a tree was the largest which was not.
    """
    mine = {(key.name, key.key_id) for key in keys}
    times = [
        split_timestamp(each.signature)[0]
        for each in (() if last is None else last.signatures)
        if (each.name, each.key_id) in mine
    ]
    if int(now) < max(times, default=1):
        raise WitnessError(
            f"the clock stands at {int(now)}, before {max(times, default=1)}, when this log was "
            "cosigned last; set it right. If it is right and was ahead then, wait until that time, "
            "or witness this log with a new key: this one said what was not yet known"
        )
    return int(now)


def origin_hash(origin: str) -> str:
    """The name under which a log is found at a witness: SHA-256 of its origin, in hex."""
    return hashlib.sha256(origin.encode("utf-8")).hexdigest()


class Answer(NamedTuple):
    """What is answered to a request.

    Attributes:
        status: of HTTP.
        body: its content.
        content_type: of the body.
        headers: others, name and value.
    """

    status: int
    body: bytes
    content_type: str = TEXT_TYPE
    headers: tuple[tuple[str, str], ...] = ()


class Refused(Exception):
    """A request that is answered with something else than a cosignature.

    Attributes:
        answer: which.
        inconsistent: whether the log signed what was not shown to continue what it signed before.
            Of one size that proves a split view; else the proof may only be a wrong one.
    """

    def __init__(self, status: int, reason: str, *, inconsistent: bool = False) -> None:
        self.answer = Answer(status, f"{reason}\n".encode())
        self.inconsistent = inconsistent
        super().__init__(reason)


class _Elsewhere(Refused):
    """The old size is not the one that was cosigned last."""

    def __init__(self, size: int, *, inconsistent: bool) -> None:
        super().__init__(CONFLICT, f"cosigned last: {size}", inconsistent=inconsistent)
        self.answer = Answer(CONFLICT, f"{size}\n".encode("ascii"), SIZE_TYPE)


@dataclass(frozen=True)
class Submission:
    """A request that is well formed; nothing in it has been checked.

    Attributes:
        old: entries of the checkpoint from which the proof leads.
        proof: of consistency, at most 63 hashes.
        note: the checkpoint as it came.
        head: what the checkpoint says.
    """

    old: int
    proof: tuple[bytes, ...]
    note: SignedNote
    head: Checkpoint

    @classmethod
    def parse(cls, data: bytes) -> Submission:
        """Read the body of a request.

        Raises:
            Refused: it is malformed (status 400).
        """
        if len(data) > MAX_REQUEST_BYTES:
            raise Refused(BAD_REQUEST, f"a request has at most {MAX_REQUEST_BYTES} bytes")
        before, blank, checkpoint = data.partition(b"\n\n")
        if not blank:
            raise Refused(BAD_REQUEST, "no blank line stands before the checkpoint")
        try:
            first, *lines = before.decode("ascii").split("\n")
            word, space, size = first.partition(" ")
            if (word, space) != ("old", " "):
                raise ValueError("the first line must be 'old' and a size")
            if len(lines) > MAX_PROOF_LINES:
                raise ValueError(f"a proof has at most {MAX_PROOF_LINES} lines")
            old, proof = decode_decimal(size), tuple(map(decode_hash, lines))
            note = SignedNote.parse(checkpoint, max_bytes=MAX_REQUEST_BYTES)
            return cls(old, proof, note, Checkpoint.parse(note.text))
        except (ValueError, MalformedNote) as error:
            raise Refused(BAD_REQUEST, str(error)) from error

    def judge(
        self, log_keys: Collection[VerifierKey], latest: Checkpoint | None
    ) -> tuple[NoteSignature, ...]:
        """Decide whether the checkpoint is cosigned.

        Args:
            log_keys: by which its log may sign; none for a log that is not known.
            latest: cosigned last for this log; None before the first.

        Returns:
            The log's signatures that verified, at least one; the checkpoint is to be cosigned.

        Raises:
            Refused: it is not.
        """
        head = self.head
        signed = self.signed_by_log(log_keys)
        if self.old > head.size:
            raise Refused(BAD_REQUEST, "the old size is above the checkpoint's")
        known = Checkpoint(head.origin, 0, EMPTY_ROOT) if latest is None else latest
        if self.old != known.size:
            two = head.size == known.size and head.root != known.root
            raise _Elsewhere(known.size, inconsistent=two)
        if head.size == 0 and head.root != EMPTY_ROOT:
            raise Refused(UNPROCESSABLE, "an empty log has the hash of nothing as its root")
        if self.old == 0:
            if self.proof:
                raise Refused(UNPROCESSABLE, "from an empty log no proof is needed, nor allowed")
            return signed
        if self.old == head.size and known.root != head.root:
            raise Refused(
                UNPROCESSABLE,
                "another tree of this size was cosigned; the log signed two",
                inconsistent=True,
            )
        try:
            verify_consistency(self.old, known.root, head.size, head.root, self.proof)
        except BadProof as error:
            raise Refused(UNPROCESSABLE, str(error), inconsistent=True) from error
        return signed

    def signed_by_log(self, log_keys: Collection[VerifierKey]) -> tuple[NoteSignature, ...]:
        """The log's signatures, checked; at least one.

        Raises:
            Refused: the log is not known (status 404), or did not sign this (403).
        """
        if not log_keys:
            raise Refused(NOT_FOUND, "this log is not known here")
        try:
            return tuple(each.signature for each in verify(self.note, log_keys))
        except BadSignature as error:
            raise Refused(FORBIDDEN, str(error)) from error
