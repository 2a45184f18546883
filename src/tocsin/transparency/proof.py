"""Proofs that stand on their own: this entry is in that log, and these witnesses saw it.

Specification: C2SP tlog-proof. The entry itself is not in the proof; whoever checks it has it.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from tocsin.transparency.coding import (
    decode_base64,
    decode_decimal,
    decode_hash,
    encode_base64,
)
from tocsin.transparency.errors import MalformedNote
from tocsin.transparency.merkle import leaf_hash, verify_inclusion
from tocsin.transparency.note import MAX_NOTE_BYTES, SignedNote, VerifierKey
from tocsin.transparency.policy import Policy
from tocsin.transparency.verdict import Verdict, check

EXTENSION = ".tlog-proof"
MAX_EXTRA_BYTES = 64 << 10
MAX_PROOF_BYTES = MAX_NOTE_BYTES + 2 * MAX_EXTRA_BYTES
MAX_HASHES = 63
_FIRST = "c2sp.org/tlog-proof@v1"


@dataclass(frozen=True)
class TlogProof:
    """That an entry is in a log.

    Attributes:
        index: the entry's place in the log, counted from 0.
        hashes: the inclusion proof, the one nearest to the entry first.
        checkpoint: the signed note, as it came.
        extra: bytes of the application's own, which nothing vouches for; None for none.
    """

    index: int
    hashes: tuple[bytes, ...]
    checkpoint: bytes
    extra: bytes | None = None

    @classmethod
    def parse(cls, data: bytes) -> TlogProof:
        """Read a proof.

        Raises:
            MalformedNote: it is none, or beyond the bounds.
        """
        if len(data) > MAX_PROOF_BYTES:
            raise MalformedNote(f"proof: it is longer than {MAX_PROOF_BYTES:,} bytes")
        head, blank, checkpoint = data.partition(b"\n\n")
        if not blank:
            raise MalformedNote("proof: no blank line stands before its checkpoint")
        try:
            lines = head.decode("ascii").split("\n")
        except UnicodeDecodeError as error:
            raise MalformedNote("proof: it has a character in it that is not ASCII") from error
        if lines.pop(0) != _FIRST:
            raise MalformedNote(f"proof: its first line is not {_FIRST}")
        try:
            extra = None
            if lines and lines[0].startswith("extra "):
                extra = decode_base64(lines.pop(0)[len("extra ") :])
            if not lines or not lines[0].startswith("index "):
                raise MalformedNote("proof: it does not say the entry's index")
            index = decode_decimal(lines.pop(0)[len("index ") :])
            if len(lines) > MAX_HASHES:
                raise MalformedNote(f"proof: it has more than {MAX_HASHES} hashes")
            hashes = tuple(decode_hash(line) for line in lines)
        except ValueError as error:
            raise MalformedNote(f"proof: {error}") from error
        if extra is not None and len(extra) > MAX_EXTRA_BYTES:
            raise MalformedNote(f"proof: more than {MAX_EXTRA_BYTES:,} extra bytes")
        SignedNote.parse(checkpoint)
        return cls(index, hashes, checkpoint, extra)

    def to_bytes(self) -> bytes:
        """The proof as it is written; what was parsed comes back byte for byte."""
        lines = [_FIRST]
        if self.extra is not None:
            lines.append(f"extra {encode_base64(self.extra)}")
        lines.append(f"index {self.index}")
        lines += map(encode_base64, self.hashes)
        return "".join(f"{line}\n" for line in lines).encode("ascii") + b"\n" + self.checkpoint

    def check(
        self,
        entry: bytes,
        policy: Policy,
        *,
        now: int | None = None,
        max_age: int | None = None,
        log_keys: Collection[VerifierKey] = (),
    ) -> Verdict:
        """Say who vouches for it that an entry is logged; the quorum may not be met.

        Args:
            entry: the entry's bytes.
            policy: whose word is asked for.
            now: POSIX seconds; None to look at no time at all.
            max_age: seconds after which a cosignature no longer counts.
            log_keys: further logs that are believed.

        Raises:
            MalformedNote: the checkpoint is none.
            BadSignature: no log of the policy signed it, or a known key's signature is wrong.
            BadProof: the entry is not in the log's tree.
        """
        verdict = check(policy, self.checkpoint, now=now, max_age=max_age, log_keys=log_keys)
        head = verdict.head
        verify_inclusion(leaf_hash(entry), self.index, head.size, self.hashes, head.root)
        return verdict

    def verify(
        self,
        entry: bytes,
        policy: Policy,
        *,
        now: int | None = None,
        max_age: int | None = None,
        log_keys: Collection[VerifierKey] = (),
    ) -> Verdict:
        """The same as `check`, and insist on the quorum.

        Raises:
            MalformedNote: the checkpoint is none.
            BadSignature: no log of the policy signed it, or a known key's signature is wrong.
            BadProof: the entry is not in the log's tree.
            PolicyNotMet: the quorum is not met.
        """
        verdict = self.check(entry, policy, now=now, max_age=max_age, log_keys=log_keys)
        verdict.require()
        return verdict
