"""Programs made by Inno Setup, versions 4.2.5 to 6.6.

A table of locations says where each file lies in which chunk of data; it alone is needed to
cut out the files. Their names stand elsewhere, in records that change with the version.

Source: the structure as innoextract and innounp describe it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from struct import Struct
from typing import NamedTuple

from tocsin.errors import FormatError
from tocsin.formats.installers import (
    INNO_ENCRYPTION_BYTES,
    INNO_ID_BYTES,
    InnoPlace,
    inno_place,
)
from tocsin.unpack.inno_blocks import chunk_content, stream_at, undo_call_filter
from tocsin.unpack.inno_names import file_names
from tocsin.unpack.interface import Budget, Member, Reason, Skipped
from tocsin.unpack.stream import Interrupted, Meta, Taken, report, skipped, take

_CHUNK_MARK = b"zlb\x1a"
_LOADER_MARK = b"rDlPtS"
_MOST_TRIES = 64
_EVERYTHING = 2
_SALT = 8


class _Layout(NamedTuple):
    """How a location is written in a version.

    Attributes:
        since: the first version that writes it so.
        wide: whether the chunk's place has 64 bits.
        check: bytes of the check value.
        flags: places of the flags "filtered", "encrypted" and "compressed".
        rest: bytes from the flags to the end.
    """

    since: tuple[int, int, int, int]
    wide: bool
    check: int
    flags: tuple[int, int, int]
    rest: int

    @property
    def row(self) -> Struct:
        """First and last slice, place of the chunk, offset, size, size of the chunk, flags."""
        place = "Q" if self.wide else "I"
        return Struct(f"<II{place}QQQ{self.check + 16}x{'B' if self.rest == 1 else 'H'}")

    @property
    def size(self) -> int:
        """Bytes of a location."""
        return self.row.size + (1 if self.rest > 2 else 0)


_LAYOUTS = (
    _Layout((6, 5, 2, 0), True, 32, (2, 3, 4), 1),
    _Layout((6, 4, 3, 0), False, 32, (2, 3, 4), 1),
    _Layout((6, 4, 0, 0), False, 32, (4, 6, 7), 3),
    _Layout((6, 3, 0, 0), False, 20, (4, 6, 7), 3),
    _Layout((5, 3, 9, 0), False, 20, (4, 6, 7), 2),
    _Layout((5, 1, 13, 0), False, 16, (4, 6, 7), 2),
    _Layout((4, 2, 5, 0), False, 16, (4, 6, 7), 1),
)
"""Newest first."""


class _Location(NamedTuple):
    """Where a file lies."""

    number: int
    slice: int
    chunk: int
    offset: int
    size: int
    chunk_size: int
    filtered: bool
    encrypted: bool
    packed: bool


class InnoUnpacker:
    """Unpacks Inno Setup programs.

    The description comes out as a member too: it holds the installer's script and messages.
    """

    types = frozenset({"INNO"})

    def members(
        self, data: bytes, budget: Budget, passwords: Sequence[bytes]
    ) -> Iterator[Member | Skipped]:
        """See `Unpacker.members`."""
        place = inno_place(data)
        if place is None:
            raise FormatError("not Inno Setup: no description fits its check value")
        yield from _Program(data, place, budget).members()


class _Program:
    """One program while its files are taken out."""

    def __init__(self, data: bytes, place: InnoPlace, budget: Budget) -> None:
        self._data = data
        self._place = place
        self._budget = budget

    def members(self) -> Iterator[Member | Skipped]:
        """The description, then the files in the order in which they lie in the chunks."""
        data, budget = self._data, self._budget
        start = self._place.start + INNO_ID_BYTES
        if self._place.version >= (6, 5, 0, 0):
            if data[start + 4] == _EVERYTHING:
                yield Skipped("", Reason.ENCRYPTED, "encrypted as a whole", encrypted=True)
                return
            start += 4 + INNO_ENCRYPTION_BYTES
        budget.charge_file()
        try:
            description, end = self._stream(start)
        except Interrupted as error:
            raise FormatError(f"its description: {error}") from None
        meta = Meta("setup-0.bin", packed_size=end - start)
        taken = take(description, budget)
        yield from report(meta, taken)
        try:
            rows, _ = self._stream(end)
            table = take(rows, budget)
        except Interrupted as error:
            table = Taken(b"", error.reason, str(error))
        if table.reason is not None:
            yield Skipped("", table.reason, f"the table of files: {table.note}")
            if table.stop is not None:
                raise table.stop
            yield from self._unknown()
        elif table.data:
            yield from self._files(taken.data, table.data)

    def _stream(self, start: int) -> tuple[Iterator[bytes], int]:
        return stream_at(self._data, start)

    def _files(self, description: bytes, table: bytes) -> Iterator[Member | Skipped]:
        found = self._locate(table)
        if found is None:
            yield from self._unknown()
            return
        base, locations = found
        names = file_names(
            description,
            self._place.version,
            wide=self._place.wide,
            alive=self._budget.check_time,
        )
        chunks: dict[tuple[int, int], list[_Location]] = {}
        for location in locations:
            chunks.setdefault((location.slice, location.chunk), []).append(location)
        for members in chunks.values():
            members.sort(key=lambda location: location.offset)
            yield from self._chunk(base, members, names)

    # --- where the files lie ----------------------------------------------------------------

    def _locate(self, table: bytes) -> tuple[int, list[_Location]] | None:
        """Read the table in the layout that fits the version, or else any that fits."""
        own = [layout for layout in _LAYOUTS if layout.since <= self._place.version]
        others = [layout for layout in reversed(_LAYOUTS) if layout not in own[:1]]
        for layout in (*own[:1], *others):
            if len(table) % layout.size:
                continue
            locations = list(_read(table, layout, self._budget))
            base = self._base(locations)
            if base is not None:
                return base, locations
        return None

    def _base(self, locations: list[_Location]) -> int | None:
        """Where the data begin: where each chunk has its mark.

        The loader's table says it; where that was changed, the marks themselves do.
        """
        places = sorted({location.chunk for location in locations if not location.slice})
        if not places:
            return 0
        probes = {places[0], places[-1], places[len(places) // 2]}
        for base in self._candidates(places[0]):
            if base >= 0 and all(self._data.startswith(_CHUNK_MARK, base + at) for at in probes):
                return base
        return None

    def _candidates(self, first: int) -> Iterator[int]:
        data = self._data
        at = data.find(_LOADER_MARK)
        for _ in range(_MOST_TRIES):
            if at < 0:
                break
            for offset, width in ((32, 4), (36, 4), (40, 4), (48, 8)):
                yield int.from_bytes(data[at + offset : at + offset + width], "little")
            at = data.find(_LOADER_MARK, at + 1)
        at = data.find(_CHUNK_MARK)
        for _ in range(_MOST_TRIES):
            if at < 0:
                break
            yield at - first
            at = data.find(_CHUNK_MARK, at + 1)

    def _unknown(self) -> Iterator[Member | Skipped]:
        """Chunks whole, where no layout fits; or word that the data are elsewhere."""
        version = ".".join(map(str, self._place.version))
        at = self._data.find(_CHUNK_MARK)
        if at < 0:
            yield Skipped("", Reason.UNSUPPORTED, "its data lie in other files")
            return
        position = 1
        while at >= 0 and at < self._place.start:
            self._budget.check_time()
            following = self._data.find(_CHUNK_MARK, at + 4)
            end = following if following >= 0 else self._place.start
            position += 1
            self._budget.charge_file()
            chunks = chunk_content(self._data, at + 4, end, packed=True)
            taken = take(chunks, self._budget)
            if taken.data and taken.stop is None and not taken.oversize:
                taken = taken._replace(reason=None, note="")
            yield from report(Meta(f"chunk{position - 1}", 0, end - at, position), taken)
            at = following
        detail = f"the table of files (version {version}) cannot be read: they come out uncut"
        yield Skipped("", Reason.UNSUPPORTED, detail)

    # --- what lies there --------------------------------------------------------------------

    def _chunk(
        self, base: int, members: list[_Location], names: dict[int, str]
    ) -> Iterator[Member | Skipped]:
        first = members[0]
        start = base + first.chunk + len(_CHUNK_MARK)
        end = start + first.chunk_size
        flow = _Flow(
            chunk_content(self._data, start, min(end, len(self._data)), packed=first.packed),
            self._budget,
        )
        for location in members:
            self._budget.check_time()
            name = names.get(location.number, f"file{location.number}")
            meta = Meta(name, location.size, 0, location.number + 2, first.encrypted)
            if location.slice:
                detail = f"it lies in part {location.slice}, which is another file"
                yield skipped(meta, Reason.UNSUPPORTED, detail)
            elif first.encrypted:
                yield skipped(meta, Reason.ENCRYPTED, "encrypted with a password")
            elif not self._data.startswith(_CHUNK_MARK, start - len(_CHUNK_MARK)):
                yield skipped(meta, Reason.DAMAGED, "no data stand where its location says")
            elif location.offset < flow.position:
                yield skipped(meta, Reason.DUPLICATE, "the same bytes as another file's")
            elif location.size:
                self._budget.charge_file()
                chunks = flow.read(location.offset, location.size)
                if location.filtered:
                    toggles = self._place.version >= (5, 3, 9, 0)
                    chunks = undo_call_filter(chunks, toggles=toggles)
                yield from report(meta, take(chunks, self._budget))


def _read(table: bytes, layout: _Layout, budget: Budget) -> Iterator[_Location]:
    row = layout.row
    filtered, encrypted, packed = (1 << place for place in layout.flags)
    for number, at in enumerate(range(0, len(table) - layout.size + 1, layout.size)):
        if not number % 1024:
            budget.check_time()
        first, _, chunk, offset, size, chunk_size, flags = row.unpack_from(table, at)
        yield _Location(
            number,
            first,
            chunk,
            offset,
            size,
            chunk_size,
            bool(flags & filtered),
            bool(flags & encrypted),
            bool(flags & packed),
        )


class _Flow:
    """The content of a chunk, read forwards.

    Attributes:
        position: bytes that came out up to now.
    """

    def __init__(self, chunks: Iterator[bytes], budget: Budget) -> None:
        self._chunks = chunks
        self._budget = budget
        self._rest = b""
        self.position = 0
        self._fault: Interrupted | None = None

    def _next(self) -> bytes:
        if self._rest:
            chunk, self._rest = self._rest, b""
            return chunk
        if self._fault is not None:
            raise self._fault
        try:
            return next(self._chunks)
        except StopIteration:
            self._fault = Interrupted(Reason.DAMAGED, "truncated")
        except Interrupted as error:
            self._fault = error
        raise self._fault

    def read(self, offset: int, size: int) -> Iterator[bytes]:
        """The bytes of one file; those before it are passed over.

        Raises:
            Interrupted: the chunk ends before the file does.
        """
        end = offset + size
        while self.position < end:
            chunk = self._next()
            if self.position < offset:
                passed = min(len(chunk), offset - self.position)
                self._budget.charge_bytes(passed)
                self._budget.check_time()
                self.position += passed
                self._rest = chunk[passed:]
                continue
            piece, self._rest = chunk[: end - self.position], chunk[end - self.position :]
            self.position += len(piece)
            yield piece


UNPACKER = InnoUnpacker()
