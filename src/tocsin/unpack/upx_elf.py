"""ELF programs packed with UPX, for every processor: read, not run.

UPX keeps the whole file in blocks: its headers, each loaded segment, and behind the code that
unpacks, what lay between and after the segments. So what comes out is the file as it was, when
nothing was tampered with.
Source: linux/include/linux.h of UPX (l_info, p_info, b_info); files of UPX 4.0.1.
"""

from __future__ import annotations

import lzma
import re
from collections.abc import Iterator, Sequence
from struct import Struct
from typing import NamedTuple

from tocsin.errors import FormatError
from tocsin.formats.packed import upx_place
from tocsin.unpack.interface import Budget, Member, Reason, Remark, Skipped
from tocsin.unpack.nrv import NRV2B, NRV2D, NRV2E, expand
from tocsin.unpack.stream import Interrupted, Meta, copy, report, take

_LZMA = 14
_METHODS = (0, NRV2B, NRV2D, NRV2E, _LZMA)
_BLOCK_BYTES = 12
_LOAD = 1
_NO_LIMIT = 1 << 31
_MOST_BLOCKS = 65536
_MOST_SEGMENTS = 128
_CALLS = re.compile(rb"[\xe8\xe9\x80-\x8f]")
_MOST_CANDIDATES = 4096


class _Block(NamedTuple):
    """A block of the file: its data, and where it ends in the packed file."""

    data: bytes
    end: int


class UpxUnpacker:
    """Takes ELF programs out of UPX."""

    types = frozenset({"UPX_ELF"})

    def members(
        self, data: bytes, budget: Budget, passwords: Sequence[bytes]
    ) -> Iterator[Member | Skipped | Remark]:
        """Hand out the program.

        Args:
            data: the packed program.
            budget: what may be used up.
            passwords: not used.

        Yields:
            The program.

        Raises:
            FormatError: it is not packed with UPX.
            LimitReached: a bound for the whole tree was hit.
        """
        del passwords
        place = upx_place(data)
        if place is None:
            raise FormatError("no ELF program of UPX")
        reader = _Reader(data, budget, big=data[5] == 2)
        size = reader.number(place + 12)
        limit = reader.number(place + 16) or _NO_LIMIT
        budget.charge_file()
        meta = Meta("unpacked", size=size, packed_size=len(data))
        yield from report(meta, take(_file(reader, place + 20, size, limit), budget))


class _Reader:
    """Reads blocks.

    Args:
        data: the packed program.
        budget: whose clock and bounds hold.
        big: whether its numbers begin with the highest byte.
    """

    def __init__(self, data: bytes, budget: Budget, big: bool) -> None:
        self.data = data
        self.order: str = ">" if big else "<"
        self._budget = budget
        self._block = Struct(self.order + "IIBBBB")
        self._number = Struct(self.order + "I")

    def number(self, at: int) -> int:
        """The number at a place; 0 behind the end."""
        return self._number.unpack_from(self.data, at)[0] if at + 4 <= len(self.data) else 0

    def check(self, size: int) -> None:
        """Ask whether so many bytes may come out.

        Raises:
            Interrupted: they may not.
        """
        self._budget.check_time()
        if not self._budget.fits_file(size):
            limit = self._budget.limits.max_file_size
            raise Interrupted(Reason.LIMIT, f"more than {limit} bytes (--max-file-size)")
        room = self._budget.remaining_bytes
        if room is not None and size > room:
            raise Interrupted(Reason.LIMIT, f"more than {room} bytes (--max-scan-size)")

    def head(self, at: int) -> tuple[int, int, int, int, int] | None:
        """A block's sizes, method, filter and filter's byte; None where there is none."""
        if at < 0 or at + _BLOCK_BYTES > len(self.data):
            return None
        size, packed, method, filter_, byte, _ = self._block.unpack_from(self.data, at)
        fits = 0 < packed <= size and at + _BLOCK_BYTES + packed <= len(self.data)
        return (size, packed, method, filter_, byte) if fits and method in _METHODS else None

    def block(self, at: int) -> _Block:
        """Read a block.

        Raises:
            Interrupted: there is none, or it is damaged.
        """
        head = self.head(at)
        if head is None:
            raise Interrupted(Reason.DAMAGED, "a block is missing")
        size, packed, method, filter_, byte = head
        self.check(size)
        start = at + _BLOCK_BYTES
        try:
            data = self._expand(self.data[start : start + packed], size, method)
        except FormatError as error:
            raise Interrupted(Reason.DAMAGED, str(error)) from error
        if len(data) != size:
            raise Interrupted(Reason.DAMAGED, "a block ends early")
        return _Block(_unfilter(data, filter_, byte), start + packed)

    def _expand(self, data: bytes, size: int, method: int) -> bytes:
        if len(data) == size or not method:
            return data
        if method != _LZMA:
            return expand(data, size, method, self._budget.check_time)
        bits = {"pb": data[0] & 7, "lp": data[1] >> 4, "lc": data[1] & 15} if len(data) > 1 else {}
        chain = [{"id": lzma.FILTER_LZMA1, "dict_size": max(4096, size), **bits}]
        try:
            decoder = lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=chain)
            out = decoder.decompress(data[2:], size)
            while len(out) < size and not decoder.needs_input and not decoder.eof:
                more = decoder.decompress(b"", size - len(out))
                if not more:
                    break
                out += more
            return out
        except (lzma.LZMAError, ValueError) as error:
            raise FormatError(f"damaged ({error})") from error


def _unfilter(data: bytes, filter_: int, byte: int) -> bytes:
    """Turn the targets of x86 calls and jumps back into distances."""
    if filter_ not in (0x46, 0x49):
        return data
    out = bytearray(data)
    after = -1
    at = 0
    while (found := _CALLS.search(out, at)) is not None:
        at = found.start()
        if at + 5 > len(out):
            break
        if out[at] < 0xE8 and (filter_ != 0x49 or at == after or not at or out[at - 1] != 0x0F):
            at += 1
            continue
        if out[at + 1] != byte:
            at += 1
            continue
        target = int.from_bytes(out[at + 1 : at + 5], "big") - at - 1 - (byte << 24)
        out[at + 1 : at + 5] = (target & 0xFFFFFFFF).to_bytes(4, "little")
        at += 5
        after = at
    return bytes(out)


def _segments(head: bytes, order: str) -> list[tuple[int, int]]:
    """Where in the file the loaded segments are: offset and bytes."""
    wide = head[4:5] == b"\x02"
    layout = Struct(order + ("IIQQQQQQ" if wide else "IIIIIIII"))
    place, count_at = (32, 56) if wide else (28, 44)
    if len(head) < 64 - 12 * (not wide):
        return []
    table = Struct(order + ("Q" if wide else "I")).unpack_from(head, place)[0]
    count = Struct(order + "H").unpack_from(head, count_at)[0]
    found = []
    for at in range(table, table + layout.size * min(count, _MOST_SEGMENTS), layout.size):
        if at + layout.size > len(head):
            break
        row = layout.unpack_from(head, at)
        offset, size = (row[2], row[5]) if wide else (row[1], row[4])
        if row[0] == _LOAD and size:
            found.append((offset, size))
    return sorted(found)


def _file(reader: _Reader, at: int, size: int, limit: int) -> Iterator[bytes]:
    """The file's bytes in their order.

    Raises:
        Interrupted: not all of it could be had.
    """
    reader.check(size)
    first = reader.block(at)
    segments = _segments(first.data, reader.order)
    if not segments:
        raise Interrupted(Reason.DAMAGED, "the packed program's headers are damaged")
    size = size or max(offset + length for offset, length in segments)  # some are wiped
    reader.check(size)
    position = 0
    pieces: list[tuple[int, bytes]] = []
    at = first.end
    pending = first.data
    count = total = 0
    for offset, length in segments:
        parts, have = [pending], len(pending)
        pending = b""
        while have < length:
            count += 1
            if count > _MOST_BLOCKS:
                raise Interrupted(Reason.DAMAGED, f"more than {_MOST_BLOCKS} blocks")
            block = reader.block(at)
            at = block.end
            parts.append(block.data)
            have += len(block.data)
            if total + have > size:
                raise Interrupted(Reason.DAMAGED, "its segments are longer than its file")
        total += have
        pieces.append((offset, b"".join(parts)))
    wanted = _wanted([(offset, len(data)) for offset, data in pieces], size)
    gaps = _gaps(reader, at, wanted, limit)
    for offset, data in pieces:
        yield from _between(gaps, offset - position)
        yield from copy(data, 0, len(data))
        position = max(position, offset) + len(data)
    yield from _between(gaps, size - position)


def _wanted(pieces: list[tuple[int, int]], size: int) -> list[int]:
    """Bytes between the segments and behind them, where there are any."""
    sizes = []
    position = 0
    for offset, length in [*pieces, (size, 0)]:
        if offset > position:
            sizes.append(offset - position)
        position = max(position, offset) + length
    return sizes


def _between(gaps: Iterator[bytes], count: int) -> Iterator[bytes]:
    """What lay between two segments: as many bytes of the blocks behind the code."""
    if count <= 0:
        return
    data = next(gaps, b"")
    while data and len(data) < count:
        more = next(gaps, b"")
        if not more:
            break
        data += more
    if len(data) != count:
        raise Interrupted(Reason.DAMAGED, "what lay between its segments is missing")
    yield data


def _gaps(reader: _Reader, start: int, wanted: list[int], limit: int) -> Iterator[bytes]:
    """The blocks behind the code that unpacks."""
    at = _first_gap(reader, start, wanted, limit) if wanted else None
    for _ in range(_MOST_BLOCKS):
        if at is None or reader.head(at) is None:
            return
        block = reader.block(at)
        at = block.end
        yield block.data


def _first_gap(reader: _Reader, start: int, wanted: list[int], limit: int) -> int | None:
    """Where those blocks begin: where a row of blocks begins that have the sizes wanted."""
    sizes = [min(size, limit) for size in wanted[:2]]
    mark = Struct(reader.order + "I").pack(sizes[0])
    at = reader.data.find(mark, start)
    for _ in range(_MOST_CANDIDATES):
        first = reader.head(at) if at >= 0 else None
        if at < 0:
            break
        if first is not None:
            second = reader.head(at + _BLOCK_BYTES + first[1])
            split = wanted[0] > limit
            if split or len(sizes) < 2 or (second is not None and second[0] == sizes[1]):
                return at
        at = reader.data.find(mark, at + 1)
    return None


UNPACKER = UpxUnpacker()
