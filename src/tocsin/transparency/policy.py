"""Policies: whose word somebody asks for before they believe a checkpoint.

A policy names logs, witnesses, groups of witnesses, and the quorum: which of them must have
cosigned. Names of witnesses and groups are the policy's own and mean nothing outside of it.

Specification: C2SP tlog-policy.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

from tocsin.transparency.coding import decode_decimal
from tocsin.transparency.errors import MalformedKey, MalformedPolicy
from tocsin.transparency.verifier_key import KeyType, VerifierKey

MAX_POLICY_BYTES = 4 << 20
MAX_DEFINITIONS = 1024
"""Logs, witnesses and groups together; the specification asks for 32 of each."""

NONE = "none"
_SPACE = re.compile("[ \t]+")
_FORBIDDEN = re.compile(rb"[\x00-\x08\x0b-\x1f\x7f]")
_LOG_TYPES = frozenset({KeyType.ED25519, KeyType.ML_DSA_44_COSIGNATURE})


@dataclass(frozen=True)
class LogEntry:
    """A log that is believed.

    Attributes:
        key: its own; its name is the log's origin.
        url: where it is, or an empty string.
    """

    key: VerifierKey
    url: str = ""


@dataclass(frozen=True)
class Witness:
    """A witness that is known.

    Attributes:
        name: in this policy.
        key: its cosigner key.
        url: to which checkpoints are sent, or an empty string.
    """

    name: str
    key: VerifierKey
    url: str = ""


@dataclass(frozen=True)
class Group:
    """Some witnesses and groups of which a number must have cosigned.

    Attributes:
        name: in this policy.
        needed: how many.
        members: names, each defined before the group.
    """

    name: str
    needed: int
    members: tuple[str, ...]


@dataclass(frozen=True)
class Policy:
    """Whose word is asked for.

    Attributes:
        logs: any one of which must have signed.
        witnesses: by their names, in the order of the file.
        groups: by their names; members always come before the groups they are in.
        quorum: a witness or group that must have cosigned, or `none`.
    """

    logs: tuple[LogEntry, ...]
    witnesses: Mapping[str, Witness]
    groups: Mapping[str, Group]
    quorum: str

    @classmethod
    def parse(cls, data: bytes) -> Policy:
        """Read a policy.

        Names that are not UTF-8 keep their bytes (as surrogate escapes).

        Raises:
            MalformedPolicy: it is none, with the line.
        """
        if len(data) > MAX_POLICY_BYTES:
            raise MalformedPolicy(f"it is longer than {MAX_POLICY_BYTES:,} bytes")
        reading = _Reading()
        for number, raw in enumerate(data.split(b"\n"), 1):
            if _FORBIDDEN.search(raw):
                raise MalformedPolicy("it has a control character in it", number)
            line = raw.decode("utf-8", "surrogateescape").strip(" \t")
            if line and not line.startswith("#"):
                try:
                    reading.take(_SPACE.split(line))
                except (MalformedKey, ValueError) as error:
                    raise MalformedPolicy(str(error), number) from error
        if reading.quorum is None:
            raise MalformedPolicy(
                "it has no quorum line; write 'quorum none' to ask for no witness at all"
            )
        return cls(tuple(reading.logs), reading.witnesses, reading.groups, reading.quorum)

    def keys_of_log(self, origin: str) -> tuple[VerifierKey, ...]:
        """The keys with which a log of this origin may sign."""
        return tuple(entry.key for entry in self.logs if entry.key.name == origin)

    def satisfied(self, cosigned: Collection[str]) -> dict[str, int]:
        """How many members of each group have cosigned.

        Args:
            cosigned: names of witnesses that have.
        """
        counts: dict[str, int] = {}

        def stands(name: str) -> bool:
            group = self.groups.get(name)
            return name in cosigned if group is None else counts[name] >= group.needed

        for group in self.groups.values():
            counts[group.name] = sum(map(stands, group.members))
        return counts

    def met_by(self, cosigned: Collection[str]) -> bool:
        """Whether these witnesses are a quorum."""
        if self.quorum == NONE:
            return True
        group = self.groups.get(self.quorum)
        if group is None:
            return self.quorum in cosigned
        return self.satisfied(cosigned)[group.name] >= group.needed

    def quorum_witnesses(self) -> tuple[Witness, ...]:
        """The witnesses that can count towards the quorum, in the order of the file."""
        wanted = {self.quorum}
        for group in reversed(tuple(self.groups.values())):
            if group.name in wanted:
                wanted.update(group.members)
        return tuple(each for each in self.witnesses.values() if each.name in wanted)


@dataclass
class _Reading:
    """A policy as far as it was read; `ValueError` and `MalformedKey` say what is wrong."""

    logs: list[LogEntry] = field(default_factory=list)
    witnesses: dict[str, Witness] = field(default_factory=dict)
    groups: dict[str, Group] = field(default_factory=dict)
    quorum: str | None = None
    _members: set[str] = field(default_factory=set)

    def take(self, words: list[str]) -> None:
        """Take in one line."""
        lines: dict[str, Callable[[list[str]], None]] = {
            "log": self._log,
            "witness": self._witness,
            "group": self._group,
            "quorum": self._quorum,
        }
        known = lines.get(words[0])
        if known is None:
            raise ValueError("a line must begin with log, witness, group, quorum or '#'")
        if len(self.logs) + len(self.witnesses) + len(self.groups) > MAX_DEFINITIONS:
            raise ValueError(f"it defines more than {MAX_DEFINITIONS:,} logs, witnesses and groups")
        known(words[1:])

    def _log(self, words: list[str]) -> None:
        if not 1 <= len(words) <= 2:
            raise ValueError("a log is written: log VKEY [URL]")
        key = VerifierKey.parse(words[0])
        if key.kind not in _LOG_TYPES:
            raise ValueError(f"{key.name}: a key of this type is a witness's, not a log's")
        if any(entry.key.public == key.public for entry in self.logs):
            raise ValueError(f"{key.name}: another log has the same public key")
        if any((e.key.name, e.key.key_id) == (key.name, key.key_id) for e in self.logs):
            raise ValueError(f"{key.name}: another log's key has the same name and identifier")
        self.logs.append(LogEntry(key, words[1] if len(words) > 1 else ""))

    def _witness(self, words: list[str]) -> None:
        if not 2 <= len(words) <= 3:
            raise ValueError("a witness is written: witness NAME VKEY [URL]")
        name = self._new_name(words[0])
        key = VerifierKey.parse(words[1])
        if not key.kind.timestamped:
            raise ValueError(f"{name}: a key of this type is a log's, not a witness's")
        for other in self.witnesses.values():
            if other.key.public == key.public:
                raise ValueError(f"{name}: the witness {other.name} has the same public key")
            if (other.key.name, other.key.key_id) == (key.name, key.key_id):
                raise ValueError(
                    f"{name}: the key of {other.name} has the same name and identifier"
                )
        self.witnesses[name] = Witness(name, key, words[2] if len(words) > 2 else "")

    def _group(self, words: list[str]) -> None:
        if len(words) < 3:
            raise ValueError("a group is written: group NAME all|any|NUMBER MEMBER...")
        name, needed, *members = words
        name = self._new_name(name)
        for member in members:
            if member == NONE:
                raise ValueError("'none' cannot be a member of a group")
            if member not in self.witnesses and member not in self.groups:
                raise ValueError(f"{member} is not defined above this line")
            if member in self._members:
                raise ValueError(f"{member} is listed twice; it may count once only")
            self._members.add(member)
        if needed in ("all", "any"):
            count = len(members) if needed == "all" else 1
        else:
            count = decode_decimal(needed)
            if not 1 <= count <= len(members):
                raise ValueError(f"{name} asks for {count} of {len(members)} members")
        self.groups[name] = Group(name, count, tuple(members))

    def _quorum(self, words: list[str]) -> None:
        if len(words) != 1:
            raise ValueError("a quorum is written: quorum NAME, or quorum none")
        if self.quorum is not None:
            raise ValueError("there is a quorum line above; there may be one only")
        (name,) = words
        if name != NONE and name not in self.witnesses and name not in self.groups:
            raise ValueError(f"{name} is not defined above this line")
        self.quorum = name

    def _new_name(self, name: str) -> str:
        if name == NONE:
            raise ValueError("'none' has a meaning of its own and cannot be defined")
        if name in self.witnesses or name in self.groups:
            raise ValueError(f"{name} is defined twice")
        return name
