"""tar archives of all kinds that are still met: old, ustar, GNU and pax.

Where clamscan ends at the first damage and at the first member over the size limit, this
goes on with the next header whose checksum holds, behind the end of the archive too.

Source: POSIX.1-2001 `pax`; GNU tar manual.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tocsin.errors import FormatError
from tocsin.unpack.interface import Budget, Member, Reason, Skipped
from tocsin.unpack.stream import (
    OUTPUT_CHUNK,
    Interrupted,
    Meta,
    behind,
    copy,
    report,
    skipped,
    take,
)
from tocsin.unpack.tar_headers import (
    BLOCK,
    Extended,
    Header,
    SparseMap,
    read_extended,
    read_gnu_map,
    read_header,
    read_map_in_data,
)

_ZERO = bytes(BLOCK)
_MAGIC = slice(257, 262)
_LARGEST_EXTENSION = 1024 * 1024
"""Bytes of an extended header or a long name that are read."""

_WITHOUT_DATA = frozenset(b"123456")
"""Type flags of links, devices, directories and pipes."""

_BLOCKS_BETWEEN_CHECKS = 1024


class TarUnpacker:
    """Unpacks tar.

    `position` counts members that have data. Links, devices and directories are passed over,
    unless data follows them where the next header should be: then it is handed on. A sparse
    file comes with its holes, or without them and incomplete where it would be too big.
    """

    types = frozenset({"POSIX_TAR", "OLD_TAR"})

    def members(
        self, data: bytes, budget: Budget, passwords: Sequence[bytes]
    ) -> Iterator[Member | Skipped]:
        """See `Unpacker.members`."""
        if read_header(data[:BLOCK]) is None and data[_MAGIC] != b"ustar":
            raise FormatError("not tar: the first block is no header")
        yield from _Archive(data, budget).members()


class _Archive:
    """One archive while its members are taken out.

    Attributes:
        _at: position of the block to be read next.
        _position: number of the last member.
        _global: what a global header says about all members behind it.
        _next: what extended headers say about the next member.
        _in_order: whether a bad block would be damage; behind the end of the archive and
            behind other damage it would not be news.
        _ended: whether zero blocks came since the last header.
        _loose: where blocks begin that stand behind the end and are no header, or None.
    """

    def __init__(self, data: bytes, budget: Budget) -> None:
        self._data = data
        self._budget = budget
        self._at = 0
        self._position = 0
        self._global = Extended()
        self._next = Extended()
        self._in_order = True
        self._blocks = 0
        self._ended = False
        self._loose: int | None = None

    def members(self) -> Iterator[Member | Skipped]:
        """Go from block to block."""
        data = self._data
        while self._at < len(data):
            self._be_alive()
            block = data[self._at : self._at + BLOCK]
            if block == _ZERO or not block.strip(b"\0"):
                self._at += BLOCK
                self._in_order = False
                self._ended = True
                continue
            header = read_header(block)
            if header is None:
                if self._ended and self._loose is None:
                    self._loose = self._at
                yield from self._damage()
                continue
            yield from self._loose_bytes(self._at)
            self._in_order = True
            self._ended = False
            yield from self._entry(header)
        yield from self._loose_bytes(len(data))

    def _loose_bytes(self, end: int) -> Iterator[Member | Skipped]:
        """Hand on what stands behind the end of the archive and is no header."""
        start, self._loose = self._loose, None
        if start is not None:
            self._position += 1
            yield from behind(self._data, start, self._position, self._budget, end)

    def _be_alive(self) -> None:
        self._blocks += 1
        if self._blocks % _BLOCKS_BETWEEN_CHECKS == 0:
            self._budget.check_time()

    def _damage(self) -> Iterator[Skipped]:
        """Tell of a block that is no header, once, and pass over it."""
        if self._in_order:
            what = "truncated header" if self._at + BLOCK > len(self._data) else "no valid header"
            yield Skipped("", Reason.DAMAGED, f"{what} at byte {self._at}")
        self._in_order = False
        self._next = self._global
        self._at += BLOCK

    def _entry(self, header: Header) -> Iterator[Member | Skipped]:
        if header.kind in (b"x", b"X", b"g", b"L", b"K", b"V"):
            self._extension(header)
            return
        known, self._next = self._next, self._global
        size = header.size if known.size is None else known.size
        name = (header.name if known.name is None else known.name).decode(
            "utf-8", "surrogateescape"
        )
        if size is None:
            self._position += 1
            self._at += BLOCK
            self._in_order = False
            detail = "its size is negative or no number"
            yield Skipped(name, Reason.DAMAGED, detail, position=self._position)
            return
        if self._has_no_data(header, size):
            self._at += BLOCK
            return
        self._position += 1
        meta = Meta(name=name, size=size, packed_size=size, position=self._position)
        yield from self._file(header, known, meta)

    def _has_no_data(self, header: Header, size: int) -> bool:
        """Whether an entry is a link, a directory or the like, and not a hiding place."""
        is_directory = header.kind == b"\0" and header.name.endswith(b"/")
        if header.kind[0] not in _WITHOUT_DATA and not is_directory:
            return False
        following = self._data[self._at + BLOCK : self._at + 2 * BLOCK]
        return not size or not following.strip(b"\0") or read_header(following) is not None

    def _extension(self, header: Header) -> None:
        """Read an entry that says something about the next one."""
        size = header.size or 0
        start = self._at + BLOCK
        self._at = start + _padded(size)
        payload = self._data[start : start + min(size, _LARGEST_EXTENSION)]
        if header.kind == b"L":
            self._next = self._next._replace(name=payload.partition(b"\0")[0])
        elif header.kind == b"g":
            self._global = read_extended(payload, self._global)
            self._next = self._global
        elif header.kind in (b"x", b"X"):
            self._next = read_extended(payload, self._next)

    def _file(self, header: Header, known: Extended, meta: Meta) -> Iterator[Member | Skipped]:
        start = self._at + BLOCK
        pieces = None
        if header.kind == b"S":
            pieces = read_gnu_map(self._data, self._at)
            start = pieces.start
        stated_end = start + meta.size
        self._at = start + _padded(meta.size)
        end = min(stated_end, len(self._data))
        if pieces is None:
            pieces = _pax_map(self._data, known, start, end)
        self._budget.check_time()
        if not self._budget.fits_file(end - start):
            bound = self._budget.limits.max_file_size
            yield skipped(meta, Reason.LIMIT, f"more than {bound} bytes (--max-file-size)")
            return
        self._budget.charge_file()
        chunks = self._chunks(pieces, start, end, stated_end > len(self._data))
        yield from report(meta, take(chunks, self._budget))

    def _chunks(self, pieces: SparseMap | None, start: int, end: int, cut: bool) -> Iterator[bytes]:
        if pieces is None:
            yield from copy(self._data, start, end)
        elif not self._budget.fits_file(pieces.real_size):
            yield from copy(self._data, pieces.start, end)
            detail = f"{pieces.real_size} bytes with its holes, which are left out"
            raise Interrupted(Reason.LIMIT, detail)
        else:
            yield from _expand(self._data, pieces, end)
        if cut:
            raise Interrupted(Reason.DAMAGED, "truncated")


def _padded(size: int) -> int:
    return (size + BLOCK - 1) // BLOCK * BLOCK


def _pax_map(data: bytes, known: Extended, start: int, end: int) -> SparseMap | None:
    """The map of a sparse file in one of the three pax formats, or None when it is not one."""
    if known.real_size is None:
        return None
    if known.map_in_data:
        return read_map_in_data(data, start, end, known.real_size)
    return SparseMap(known.segments or (), known.real_size, start)


def _expand(data: bytes, pieces: SparseMap, end: int) -> Iterator[bytes]:
    """Put the holes back between the pieces of a sparse file.

    Raises:
        Interrupted: the map contradicts itself or the data; what has no place in it has been
            yielded at the end, so that nothing is hidden.
    """
    at, written, fits = pieces.start, 0, False
    for offset, size in pieces.segments:
        if offset < written or offset + size > pieces.real_size or at + size > end:
            break
        yield from _zeros(offset - written)
        yield from copy(data, at, at + size)
        at, written = at + size, offset + size
    else:
        yield from _zeros(pieces.real_size - written)
        fits = at == end
    yield from copy(data, at, end)
    if not fits:
        raise Interrupted(Reason.DAMAGED, "the map of the sparse file does not fit its data")


def _zeros(count: int) -> Iterator[bytes]:
    for _ in range(count // OUTPUT_CHUNK):
        yield bytes(OUTPUT_CHUNK)
    yield bytes(count % OUTPUT_CHUNK)


UNPACKER = TarUnpacker()
