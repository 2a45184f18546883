"""What a log, a note, a proof or a policy is refused for; whoever refused kept what it had."""

from __future__ import annotations

from tocsin.errors import TocsinError


class TransparencyError(TocsinError):
    """Base of what this room raises."""


# --- what somebody sent -------------------------------------------------------------------


class MalformedNote(TransparencyError):
    """Bytes that are no signed note, checkpoint, proof or tile; nothing was believed of them."""


class MalformedKey(TransparencyError):
    """A verifier key that cannot be read, or one of an unknown type."""


class MalformedPolicy(TransparencyError):
    """A policy that cannot be read.

    Attributes:
        line: where, counted from 1; 0 when it concerns the whole file.
    """

    def __init__(self, reason: str, line: int = 0) -> None:
        self.line = line
        super().__init__(f"policy, line {line}: {reason}" if line else f"policy: {reason}")


class BadSignature(TransparencyError):
    """A signature by a known key that does not verify, or no signature by any known key."""


class BadProof(TransparencyError):
    """A Merkle proof that does not lead from one hash to the other."""


class SplitView(TransparencyError):
    """A log that signed two trees of which neither is the beginning of the other.

    Attributes:
        evidence: the two signed checkpoints, as they came; keep them, they prove it.
        proof: for trees of two sizes what ties the larger one to another beginning: the root
            that it has at the smaller size, then the consistency proof from there. Empty for
            trees of one size, where the checkpoints alone prove it.
    """

    def __init__(
        self, reason: str, evidence: tuple[bytes, bytes], proof: tuple[bytes, ...] = ()
    ) -> None:
        self.evidence = evidence
        self.proof = proof
        super().__init__(reason)


class PolicyNotMet(TransparencyError):
    """A checkpoint that those whom the policy asks for did not sign, or not lately enough."""


# --- what lies on disk --------------------------------------------------------------------


class LogDamaged(TransparencyError):
    """A log whose files do not fit each other, or are missing."""


class LogNotWritten(LogDamaged):
    """A log's file that cannot be written here: the disk is full, or it may not be."""


class LogBusy(TransparencyError):
    """Another process writes this log."""


class LogExists(TransparencyError):
    """A log is where a new one was to be made."""


class WitnessError(TransparencyError):
    """What a witness or a mirror keeps cannot be read or written; it cosigned nothing."""


class KeyFileError(TransparencyError):
    """A key's file that cannot be read, written or opened with this passphrase."""
