"""The contract of this room: what goes into an unpacker, what comes out, what bounds it.

It stands alone so that the engine and the unpackers can depend on it without depending on
each other, and it imports next to nothing because every start of the program pays for it.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from enum import StrEnum
from typing import NamedTuple, Protocol

from tocsin.errors import LimitReached

MIB = 1024 * 1024


class Reason(StrEnum):
    """Why the data of a member are not handed out; a duplicate's were, under another name."""

    ENCRYPTED = "encrypted"
    LIMIT = "limit"
    DAMAGED = "damaged"
    UNSUPPORTED = "unsupported"
    DUPLICATE = "duplicate"


class Member(NamedTuple):
    """One object taken out of a container.

    Attributes:
        name: name as stored; bytes that do not decode are kept by `surrogateescape`. It is
            data only: nothing here or later may use it as a path to write to.
        data: the bytes taken out.
        size: number of bytes taken out.
        packed_size: bytes the member occupies inside the container.
        position: place among the container's members, counted from 1.
        encrypted: whether the container says that the member is encrypted.
        crc: CRC-32 as the container states it, or None when it states none.
        complete: whether `data` is all there was to have.
        note: what is wrong with the member; never empty when it is not complete.
        type_name: what it is, where the container knows better than its bytes tell (the
            source of a macro, a script of a page); empty to have it identified.
    """

    name: str
    data: bytes
    size: int
    packed_size: int
    position: int
    encrypted: bool
    crc: int | None
    complete: bool = True
    note: str = ""
    type_name: str = ""


class Skipped(NamedTuple):
    """A member that is there and whose data could not be had.

    Container signatures match by metadata alone, therefore it is carried here too.

    Attributes:
        name: name as stored, like `Member.name`.
        reason: the family of the reason.
        detail: the reason in words, for a report.
        size: size the container states, 0 when unknown.
        packed_size: bytes the member occupies inside the container, 0 when unknown.
        position: place among the container's members, counted from 1; 0 when it has none.
        encrypted: whether the container says that the member is encrypted.
        crc: CRC-32 as the container states it, or None when it states none.
    """

    name: str
    reason: Reason
    detail: str
    size: int = 0
    packed_size: int = 0
    position: int = 0
    encrypted: bool = False
    crc: int | None = None


class View(NamedTuple):
    """The object itself, written in another form: its text normalised, its tags removed.

    It is matched like the object, as of its own type, and is no layer of its own: nothing is
    looked for inside it, and it does not count as a container around anything. It is not charged:
    no form is longer than a few times the object, whose bytes were.

    Attributes:
        name: which form, for the report: `normalised`.
        data: the bytes.
        type_name: as what it is matched: `HTML`, `TEXT_ASCII`.
    """

    name: str
    data: bytes
    type_name: str


class Trait(StrEnum):
    """What is remarkable about a container besides what is inside it."""

    MACROS = "macros"
    STOMPED = "stomped"
    ENCRYPTED_DOCUMENT = "encrypted-document"
    NOTE = "note"


class Remark(NamedTuple):
    """Something about the container that a person or an option may ask for.

    Attributes:
        trait: the family.
        detail: in words.
        name: the part of the container it is about, or empty.
    """

    trait: Trait
    detail: str
    name: str = ""


class Hint(NamedTuple):
    """Words that may be passwords of what follows, as a mail's text gives them.

    Attributes:
        passwords: to try before all others in every later object of the same tree.
    """

    passwords: tuple[bytes, ...]


class Limits(NamedTuple):
    """Bounds for one top-level object and everything found inside it.

    Attributes:
        max_file_size: bytes of one object; a bigger one is skipped. 0 is off.
        max_scan_size: bytes taken out of all containers together. 0 is off.
        max_files: objects, the top-level one included. 0 is off.
        max_depth: layers, the top-level object being the first. Cannot be switched off.
        timeout: seconds since the budget was made. 0 is off.
    """

    max_file_size: int = 100 * MIB
    max_scan_size: int = 400 * MIB
    max_files: int = 10_000
    max_depth: int = 17
    timeout: float = 120.0


class Budget:
    """What is left of the limits: one for the whole tree of one top-level object.

    Attributes:
        limits: the bounds it was made from.
        bytes_used: bytes charged up to now.
        files_used: objects charged up to now.
    """

    def __init__(self, limits: Limits | None = None) -> None:
        """Start the clock.

        Args:
            limits: the bounds; the defaults of `Limits` when None.
        """
        self.limits = Limits() if limits is None else limits
        self.bytes_used = 0
        self.files_used = 0
        self._start = time.monotonic()

    @property
    def remaining_bytes(self) -> int | None:
        """Bytes that may still be charged, or None when there is no bound."""
        if not self.limits.max_scan_size:
            return None
        return max(0, self.limits.max_scan_size - self.bytes_used)

    @property
    def remaining_files(self) -> int | None:
        """Objects that may still be charged, or None when there is no bound."""
        if not self.limits.max_files:
            return None
        return max(0, self.limits.max_files - self.files_used)

    def charge_bytes(self, count: int) -> None:
        """Charge bytes that came out of a container.

        Args:
            count: number of bytes.

        Raises:
            LimitReached: more than `max_scan_size` bytes were charged.
        """
        self.bytes_used += count
        limit = self.limits.max_scan_size
        if limit and self.bytes_used > limit:
            raise LimitReached(f"more than {limit} bytes to scan (--max-scan-size)")

    def charge_file(self) -> None:
        """Charge one object.

        Raises:
            LimitReached: more than `max_files` objects were charged.
        """
        self.files_used += 1
        limit = self.limits.max_files
        if limit and self.files_used > limit:
            raise LimitReached(f"more than {limit} objects to scan (--max-files)")

    def check_depth(self, depth: int) -> None:
        """Ask whether a layer may be entered.

        Args:
            depth: the layer's depth; the top-level object is 1.

        Raises:
            LimitReached: it lies deeper than `max_depth`.
        """
        if depth > self.limits.max_depth:
            raise LimitReached(f"nested deeper than {self.limits.max_depth} layers (--max-depth)")

    def check_time(self) -> None:
        """Ask whether there is time left.

        Raises:
            LimitReached: more than `timeout` seconds have passed.
        """
        limit = self.limits.timeout
        if limit and time.monotonic() - self._start > limit:
            raise LimitReached(f"the scan took more than {limit:g} seconds (--timeout)")

    def fits_file(self, size: int) -> bool:
        """Whether one object of this many bytes is within `max_file_size`."""
        return not self.limits.max_file_size or size <= self.limits.max_file_size


Item = Member | Skipped | View | Remark | Hint
"""What comes out of an unpacker."""


class Unpacker(Protocol):
    """Takes the objects out of one container format."""

    @property
    def types(self) -> frozenset[str]:
        """Kinds it reads: ClamAV's types without the prefix `CL_TYPE_`, and names of ours."""
        ...

    def members(self, data: bytes, budget: Budget, passwords: Sequence[bytes]) -> Iterator[Item]:
        """Take out one object after the other.

        Each object is charged with `charge_file`, its bytes with `charge_bytes`, while they
        come out. An object's bytes are asked for one object at a time, so that the caller can
        look at each, and let it go, before the next comes out.

        Args:
            data: the whole container.
            budget: what may be used up; shared with all other layers.
            passwords: passwords to try on encrypted members, in this order.

        Yields:
            Members and, in their place, those whose data could not be had; besides them
            views of the container, remarks on it and hints for what follows.

        Raises:
            FormatError: the data is not a container of this format at all.
            LimitReached: a bound for the whole tree was hit; what came out before it has
                been yielded, cut short and marked incomplete where it had to be.
        """
        ...
