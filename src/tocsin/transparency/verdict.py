"""What a policy says of one checkpoint: who vouches for it, who does not, and why.

Specification: C2SP tlog-policy; tlog-cosignature for the meaning of times.
"""

from __future__ import annotations

import enum
from collections.abc import Collection
from dataclasses import dataclass

from tocsin.transparency.checkpoint import Checkpoint, OpenedCheckpoint
from tocsin.transparency.errors import BadSignature, PolicyNotMet
from tocsin.transparency.note import SignedNote, VerifierKey, verify
from tocsin.transparency.policy import NONE, Policy, Witness

CLOCK_SLACK = 600
"""Seconds by which a cosignature's time may lie in the future: clocks differ."""


class Standing(enum.Enum):
    """Whether a witness counts."""

    COUNTS = "counts"
    MISSING = "missing"
    WITHOUT_TIME = "without a time"
    TOO_OLD = "too old"
    IN_THE_FUTURE = "in the future"


@dataclass(frozen=True)
class WitnessStanding:
    """What a witness said.

    Attributes:
        witness: as the policy has it.
        standing: whether it counts.
        timestamp: when it cosigned, in POSIX seconds; None when it did not, or said no time.
    """

    witness: Witness
    standing: Standing
    timestamp: int | None


@dataclass(frozen=True)
class GroupStanding:
    """How far a group is.

    Attributes:
        name: in the policy.
        needed: members that must have cosigned.
        has: members that have.
        members: names.
    """

    name: str
    needed: int
    has: int
    members: tuple[str, ...]

    @property
    def met(self) -> bool:
        """Whether it has enough."""
        return self.has >= self.needed


@dataclass(frozen=True)
class Verdict:
    """What came of a checkpoint.

    Attributes:
        checkpoint: opened with the log's key.
        witnesses: all of the policy's.
        groups: all of the policy's.
        quorum: what is asked for: a witness, a group or `none`.
        met: whether the quorum is there.
        missing: names of witnesses that could count towards the quorum and do not.
        quorum_time: latest time by which a quorum had cosigned, in POSIX seconds; None when it
            is not met or nobody is asked for.
    """

    checkpoint: OpenedCheckpoint
    witnesses: tuple[WitnessStanding, ...]
    groups: tuple[GroupStanding, ...]
    quorum: str
    met: bool
    missing: tuple[str, ...]
    quorum_time: int | None

    @property
    def log(self) -> VerifierKey:
        """The log's key that signed."""
        return self.checkpoint.log

    @property
    def head(self) -> Checkpoint:
        """What the checkpoint says."""
        return self.checkpoint.head

    def reason(self) -> str:
        """One sentence on what is missing; empty when the quorum is met."""
        if self.met:
            return ""
        whys = {
            Standing.MISSING: "did not cosign",
            Standing.WITHOUT_TIME: "cosigned without a time, which counts for nothing",
            Standing.TOO_OLD: "cosigned too long ago",
            Standing.IN_THE_FUTURE: "cosigned in the future; check this machine's clock",
        }
        parts = [
            f"{each.witness.name} {whys[each.standing]}"
            for each in self.witnesses
            if each.witness.name in self.missing
        ]
        group = next((each for each in self.groups if each.name == self.quorum), None)
        asked = f"{self.quorum} has {group.has} of {group.needed}" if group else self.quorum
        return f"the quorum is not met ({asked}): {'; '.join(parts)}"

    def require(self) -> None:
        """Insist on the quorum.

        Raises:
            PolicyNotMet: it is not met.
        """
        if not self.met:
            raise PolicyNotMet(f"{self.head.origin} at {self.head.size} entries: {self.reason()}")


def check(
    policy: Policy,
    note: SignedNote | bytes,
    *,
    now: int | None = None,
    max_age: int | None = None,
    log_keys: Collection[VerifierKey] = (),
) -> Verdict:
    """Say what a policy makes of a checkpoint.

    Args:
        policy: whose word is asked for.
        note: the checkpoint with its signatures.
        now: POSIX seconds; None to look at no time at all.
        max_age: seconds after which a cosignature no longer counts; None for no such bound. It
            binds witnesses only: under `quorum none` nobody says a time.
        log_keys: further logs that are believed, where the policy names none.

    Raises:
        MalformedNote: this is no checkpoint.
        BadSignature: no log of the policy signed it, or a known key's signature does not verify.
    """
    if max_age is not None and now is None:
        raise ValueError("an age needs a time to be counted from")
    note = note if isinstance(note, SignedNote) else SignedNote.parse(note)
    head = Checkpoint.parse(note.text)
    logs = [
        *policy.keys_of_log(head.origin),
        *(key for key in log_keys if key.name == head.origin),
    ]
    if not logs:
        raise BadSignature(f"the log {head.origin!r} is none that the policy names")
    signed_by = verify(note, dict.fromkeys(logs))
    times = {
        vouched.key: vouched.timestamp
        for vouched in verify(
            note,
            [each.key for each in policy.witnesses.values()],
            at_least_one=False,
            until=None if now is None else now + CLOCK_SLACK,
        )
    }
    witnesses = tuple(
        WitnessStanding(
            each, _standing(times.get(each.key), now, max_age), times.get(each.key) or None
        )
        for each in policy.witnesses.values()
    )
    counting = {
        each.witness.name: each.timestamp or 0
        for each in witnesses
        if each.standing is Standing.COUNTS
    }
    counts = policy.satisfied(counting)
    met = policy.met_by(counting)
    return Verdict(
        OpenedCheckpoint(head, note, signed_by[0].key),
        witnesses,
        tuple(
            GroupStanding(each.name, each.needed, counts[each.name], each.members)
            for each in policy.groups.values()
        ),
        policy.quorum,
        met,
        tuple(each.name for each in policy.quorum_witnesses() if each.name not in counting),
        _quorum_time(policy, counting) if met and policy.quorum != NONE else None,
    )


def _standing(timestamp: int | None, now: int | None, max_age: int | None) -> Standing:
    if timestamp is None:
        return Standing.MISSING
    if timestamp == 0:  # tlog-cosignature: of a tree that may not have been the largest
        return Standing.WITHOUT_TIME
    if now is not None and timestamp > now + CLOCK_SLACK:
        return Standing.IN_THE_FUTURE
    if now is not None and max_age is not None and timestamp < now - max_age:
        return Standing.TOO_OLD
    return Standing.COUNTS


def _quorum_time(policy: Policy, times: dict[str, int]) -> int:
    latest = sorted(times, key=times.__getitem__, reverse=True)
    lowest, highest = 1, len(latest)
    while lowest < highest:
        middle = (lowest + highest) // 2
        if policy.met_by(latest[:middle]):
            highest = middle
        else:
            lowest = middle + 1
    return times[latest[lowest - 1]]
