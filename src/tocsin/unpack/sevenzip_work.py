"""One archive that 7-Zip's library reads, while its members are taken out.

Members come in the archive's order, in passes: the library decodes on until a pass holds
enough, what came out is handed on, and the next pass begins where it ended. What is packed
together is therefore decoded once for each pass and not for each member; the passes grow, so
that no byte is decoded much more than twice. No thread is used.

A disk in an image may be bigger than an object may be, and hold little. It is opened where it
is, by the stream that the library gives of it, and never comes out as a whole.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from functools import partial

from tocsin.errors import LimitReached
from tocsin.formats.identify import identify
from tocsin.formats.kinds import kinds
from tocsin.unpack.interface import MIB, Budget, Member, Reason, Skipped
from tocsin.unpack.sevenzip_abi import Interface
from tocsin.unpack.sevenzip_batch import Batch, Done, TooBig
from tocsin.unpack.sevenzip_header import cost_of_headers
from tocsin.unpack.sevenzip_items import Entry, entries, needs_too_much
from tocsin.unpack.sevenzip_kinds import READERS, SEVENZ, Reader
from tocsin.unpack.sevenzip_library import (
    Archive,
    LibraryError,
    OutOfMemory,
    PasswordWanted,
    Property,
    Result,
    read_from,
)
from tocsin.unpack.sevenzip_passwords import SECONDS, find_password
from tocsin.unpack.stream import BEHIND, Meta, Taken, copy, report, skipped, take

_FIRST_ROOM = 64 * MIB
_MOST_ROOM = 128 * MIB
"""Bytes that one pass holds, at first and at most."""

_DEEPEST = 3
"""Disks in disks: an image, its partition table, a logical volume."""

_HEAD = 128 * 1024
"""Bytes by which what is in a disk is recognised."""

_ENTRIES_PER_FILE = 8
"""Entries read for each object there may be: folders and links are entries too."""

_MOST_FAILURES = 16
"""Times that the library may give up before an archive is given up."""

_MOST_PASSED_OVER = 400 * MIB
_MOST_PROBES = 8
"""Members whose password is looked for in vain."""


_DAMAGED = 1 << 1 | 1 << 2 | 1 << 3 | 1 << 5 | 1 << 9 | 1 << 10
"""Of `kpv_ErrorFlags`: headers, start, end, data or checksums are wrong."""

_CUT_OFF = 1 << 5

_UNKNOWN_PARTS = 1 << 7 | 1 << 8
"""Of `kpv_ErrorFlags`: a method or a feature is not known."""

_WRONG_KEY = frozenset({Result.WRONG_PASSWORD, Result.DATA_ERROR, Result.CHECKSUM, Result.CUT_OFF})
"""Results that a wrong password leads to."""


class Work:
    """One archive while its members are taken out.

    Args:
        source: gives what the library reads from: the object, or a new stream each time.
        start: where the archive begins in the object.
        budget: what is charged.
        passwords: what to try, in this order.
        reader: how it is opened.
        position: place of its first member.
        prefix: what members' names begin with.
        depth: how many disks it is in.

    Attributes:
        position: place of the member that comes next.
    """

    def __init__(
        self,
        source: Callable[[], bytes | Interface | None],
        start: int,
        budget: Budget,
        passwords: list[str],
        reader: Reader,
        position: int,
        prefix: str = "",
        depth: int = 0,
    ) -> None:
        self._source = source
        first = source() if not depth else None
        self._data = first if isinstance(first, bytes) else b""
        self._prefix = prefix
        self._depth = depth
        self._start = start
        self._budget = budget
        self._passwords = passwords
        self._reader = reader
        self.position = position
        self._archive: Archive | None = None
        self._verdict: Skipped | None = None
        self._deadline = time.monotonic() + SECONDS
        self._entries: dict[int, Entry] = {}
        self._leading: frozenset[int] = frozenset()

    def open(self) -> str:
        """Open it; why it is not of this format, or an empty string."""
        problem = ""
        for number in self._reader.classes:
            if number == SEVENZ and (cost := cost_of_headers(self._data, self._start)):
                self._verdict = Skipped("", Reason.LIMIT, cost)
                return ""
            try:
                self._archive = self._open_as(number)
            except PasswordWanted:
                detail = "no password fits" if self._passwords else "no password is known"
                detail = f"its list of members is encrypted, and {detail}"
                self._verdict = Skipped("", Reason.ENCRYPTED, detail, encrypted=True)
                return ""
            except OutOfMemory as error:
                self._verdict = Skipped("", Reason.LIMIT, str(error))
                return ""
            except LibraryError as error:
                problem = f"it cannot be opened: {error}"
                continue
            return ""
        return problem

    def _open_as(self, number: int) -> Archive:
        try:
            return self._open_with(number, None)
        except PasswordWanted:
            for password in self._passwords:
                self._budget.check_time()
                if time.monotonic() > self._deadline:
                    break
                try:
                    archive = self._open_with(number, password)
                except PasswordWanted:
                    continue
                if not len(archive):  # no proof: a wrong key may turn a list into an empty one
                    archive.close()
                    continue
                self._passwords = [password, *self._passwords]
                return archive
            raise

    def _open_with(self, number: int, password: str | None) -> Archive:
        source = self._source()
        if source is None:
            raise LibraryError("it cannot be read here and there")
        return Archive(number, source, self._start, password, self._budget.check_time)

    def close(self) -> int:
        """Let go of it; how many bytes it takes in the object, as far as is known."""
        if self._archive is None:
            return 0
        size = self._archive.about(Property.PHYSICAL_SIZE)
        self._archive.close()
        self._archive = None
        return size if isinstance(size, int) else 0

    def members(self) -> Iterator[Member | Skipped]:
        """Take out everything."""
        archive = self._archive
        if archive is None:
            if self._verdict is not None:
                yield self._verdict
            return
        count = len(archive)
        most = self._budget.limits.max_files * _ENTRIES_PER_FILE or count
        listed = [
            self._as_stored(each) for each in entries(archive, min(count, most), self.position)
        ]
        self.position += count
        self._entries = {entry.number: entry for entry in listed}
        plain: list[int] = []
        locked: list[int] = []
        for entry in self._plan(archive, listed):
            if isinstance(entry, Entry):
                (locked if entry.meta.encrypted else plain).append(entry.number)
            else:
                yield entry
        for done in self._passes(archive, plain, None):
            if done.result == Result.WRONG_PASSWORD:
                locked.append(done.number)
            else:
                yield from self._report(done)
        yield from self._unlock(archive, locked)
        yield from self._complaints(archive)
        yield from self._tail(archive)
        if count > most:
            raise LimitReached(f"more than {most} entries in one archive (--max-files)")

    def _as_stored(self, entry: Entry) -> Entry:
        """An item as its archive states it: the library turns backslashes, and shares sizes."""
        meta = entry.meta
        if self._reader.blocks:
            meta = meta._replace(packed_size=0)
        if self._prefix:
            meta = meta._replace(name=f"{self._prefix}{meta.name or entry.number + 1}")
        if self._reader.backslashes:
            meta = meta._replace(name=meta.name.replace("/", "\\"))
        return entry._replace(meta=meta)

    def _report(self, done: Done) -> Iterator[Member | Skipped]:
        entry, taken = self._entries[done.number], done.taken
        if entry.beyond and taken.reason in (None, Reason.DAMAGED):
            taken = taken._replace(reason=Reason.DAMAGED, note="part of it is in another volume")
        yield from report(entry.meta, taken)

    def _plan(self, archive: Archive, listed: list[Entry]) -> Iterator[Entry | Member | Skipped]:
        """What shall be extracted, and what cannot be."""
        solid = archive.about(Property.SOLID) is True
        leading: set[int] = set()
        blocks: dict[int, int] = {}
        for entry in listed if self._reader.blocks else ():
            if entry.block is not None:
                blocks[entry.block] = blocks.get(entry.block, 0) + entry.meta.size
        previous: Entry | None = None
        passed_over = 0
        for entry in listed:
            shared = previous is not None and (
                solid if entry.block is None else entry.block == previous.block
            )
            if previous is not None and shared:
                leading.add(previous.number)
            passed_over = passed_over if shared else 0
            previous = entry
            if needs_too_much(entry, None if entry.block is None else blocks.get(entry.block)):
                detail = f"it needs a dictionary of {entry.memory} bytes"
                yield skipped(entry.meta, Reason.LIMIT, detail)
            elif not self._budget.fits_file(entry.meta.size):
                passed_over += entry.meta.size
                yield from self._too_big(archive, entry)
            elif passed_over > _MOST_PASSED_OVER:
                yield skipped(entry.meta, Reason.LIMIT, "packed behind members that are too big")
            else:
                yield entry
        self._leading = frozenset(leading)

    def _too_big(self, archive: Archive, entry: Entry) -> Iterator[Member | Skipped]:
        """What is in a disk that is too big to come out; or that it is, where nothing is."""
        opened = False
        if self._reader.image and self._depth < _DEEPEST:
            for reader in _readers_of(archive, entry.number):
                prefix = f"{entry.meta.name or entry.number + 1}!/"
                inner = Work(
                    partial(archive.stream, entry.number),
                    *(0, self._budget, self._passwords, reader, self.position),
                    *(prefix, self._depth + 1),
                )
                if inner.open():
                    continue
                opened = True
                try:
                    yield from inner.members()
                finally:
                    inner.close()
                self.position = inner.position
        if not opened:
            bound = self._budget.limits.max_file_size
            detail = f"more than {bound} bytes (--max-file-size)"
            yield skipped(entry.meta, Reason.LIMIT, detail)

    def _passes(self, archive: Archive, wanted: list[int], password: str | None) -> Iterator[Done]:
        """Extract items in as many passes as it takes."""
        room, failures = _FIRST_ROOM, 0
        while wanted:
            batch = Batch(self._budget, room, self._leading)
            stop: LimitReached | None = None
            reason, problem = Reason.DAMAGED, "damaged"
            behind_too_big = False
            try:
                archive.extract(wanted, batch, password)
            except TooBig:
                index = batch.index
                behind_too_big = index in self._leading
                batch.stop(Reason.LIMIT, "")
            except LimitReached as error:
                stop = error
                batch.stop(Reason.LIMIT, f"cut short: {error}", error)
            except OutOfMemory as error:
                reason, problem = Reason.LIMIT, str(error)
                batch.stop(reason, problem)
            except PasswordWanted:
                batch.drop()
                yield from batch.done
                for index in self._rest(wanted, batch.done):
                    yield Done(index, Taken(b""), Result.WRONG_PASSWORD)
                return
            except LibraryError as error:
                failures += 1
                problem = str(error)
                batch.stop(reason, problem)
            else:
                batch.stop(reason, problem)
                if not batch.full:
                    failures = _MOST_FAILURES  # whatever it did not visit it never will
            yield from batch.done
            if stop is not None:
                raise stop
            wanted = self._rest(wanted, batch.done)
            if behind_too_big and batch.done:
                block = self._entries[batch.done[-1].number].block
                for index in wanted:
                    if self._entries[index].block == block:
                        note = "packed behind members that are too big"
                        yield Done(index, Taken(b"", Reason.LIMIT, note), Result.OK)
                wanted = [index for index in wanted if self._entries[index].block != block]
            if wanted and failures >= _MOST_FAILURES:
                for index in wanted:
                    yield Done(index, Taken(b"", reason, problem), Result.DATA_ERROR)
                return
            if wanted and not batch.done and not batch.full:
                yield Done(wanted[0], Taken(b"", reason, problem), Result.DATA_ERROR)
                wanted = wanted[1:]
            room = min(room * 2, _MOST_ROOM)

    @staticmethod
    def _rest(wanted: list[int], done: list[Done]) -> list[int]:
        finished = {each.number for each in done}
        return [index for index in wanted if index not in finished]

    def _unlock(self, archive: Archive, locked: list[int]) -> Iterator[Member | Skipped]:
        """Extract encrypted items: find the password of the smallest, use it on all, go on.

        Of an item without a checksum a wrong password may make anything: it is handed on, and
        said not to have been had.
        """
        probes = 0
        while locked and probes < _MOST_PROBES:
            probe = min(locked, key=self._worth_probing)
            password = find_password(archive, probe, self._passwords, self._budget, self._deadline)
            if password is None:
                probes += 1
                yield self._without_password(probe)
                locked = [index for index in locked if index != probe]
                continue
            left: list[int] = []
            for done in self._passes(archive, locked, password):
                if done.result in _WRONG_KEY and done.number != probe:
                    left.append(done.number)
                    continue
                yield from self._report(done)
                if done.result == Result.OK and not self._is_provable(done.number):
                    yield self._without_password(done.number, "it has no checksum to prove a key")
            locked = left
        for index in locked:
            yield self._without_password(index)

    def _is_provable(self, index: int) -> bool:
        """Whether what comes out of an item is known to be right; RAR checks the key too."""
        return self._reader.classes[0] != SEVENZ or self._entries[index].meta.crc is not None

    def _worth_probing(self, index: int) -> tuple[bool, int]:
        return not self._is_provable(index), self._entries[index].meta.size

    def _without_password(self, index: int, why: str = "") -> Skipped:
        detail = why or ("no password fits" if self._passwords else "no password is known")
        meta = self._entries[index].meta._replace(encrypted=True)
        return skipped(meta, Reason.ENCRYPTED, detail)

    def _complaints(self, archive: Archive) -> Iterator[Skipped]:
        """What the library found wrong with the archive as a whole."""
        flags = archive.about(Property.ERROR_FLAGS)
        flags = flags if isinstance(flags, int) else 0
        size = archive.about(Property.PHYSICAL_SIZE)
        if isinstance(size, int) and self._reader.ends and self._falls_short(size):
            flags |= _CUT_OFF
        if flags & _DAMAGED:
            words = "truncated" if flags & _CUT_OFF else "damaged; there may be more members"
            yield Skipped("", Reason.DAMAGED, words)
        elif flags & _UNKNOWN_PARTS:
            yield Skipped("", Reason.UNSUPPORTED, "it has parts of an unknown kind")

    def _falls_short(self, size: int) -> bool:
        return not self._depth and size > len(self._data) - self._start

    def _tail(self, archive: Archive) -> Iterator[Member | Skipped]:
        """What stands behind the archive, where nothing should."""
        size = archive.about(Property.PHYSICAL_SIZE)
        if not isinstance(size, int) or not self._reader.ends or self._start or self._depth:
            return
        tail = self._data[size:]
        if not tail.strip(b"\0\n"):
            return
        meta = Meta(BEHIND, len(tail), len(tail), self.position)
        self.position += 1
        if len(tail) < self._reader.header:
            yield skipped(meta, Reason.DAMAGED, "truncated: a member's header is not whole")
            return
        self._budget.charge_file()
        yield from report(meta, take(copy(tail, 0, len(tail)), self._budget))


def _readers_of(archive: Archive, number: int) -> Iterator[Reader]:
    """Readers of what an item begins like."""
    stream = archive.stream(number)
    if stream is None:
        return
    try:
        head = read_from(stream, 0, _HEAD)
    finally:
        stream.release()
    for kind in kinds(head, identify(head)):
        reader = READERS.get(kind)
        if reader is not None and reader.at_start:
            yield reader
