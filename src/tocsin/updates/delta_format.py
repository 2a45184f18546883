"""The bytes of a delta: numbers and compressed blocks, written smallest and read with bounds.

A delta is `tocsin-delta 1`, a newline, and then a fixed order of two things:

* a *varint*, an unsigned number in groups of seven bits, least significant first, the high bit
  set on all bytes but the last (LEB128), no longer than needed;
* a *block*: one byte for the method, the varint of its plain length, for methods other than
  stored the varint of its packed length, and the packed bytes. Methods: 0 stored, 1 Zstandard
  (RFC 8878; one frame that states its content's size; what both sides already have serves as a
  raw-content dictionary, where `delta_apply` says so), 2 LZMA2 without container (its dictionary as
  large as the plain length, from 4 KiB to 8 MiB).

A *column of numbers* is the varint of the least, the varint of the bytes the largest difference
to it needs, and as many blocks, one a byte of all the differences, least significant first:
high bytes hardly differ, low ones are noise, and apart each costs what it must.

Nothing read here is believed: every length is held against a bound before memory is taken, and
the bounds add up.
"""

from __future__ import annotations

import lzma
from array import array
from collections.abc import Sequence

import zstandard

from tocsin.updates.errors import DeltaError

MAGIC = b"tocsin-delta 1\n"

MAX_DELTA_BYTES = 64 << 20
"""A delta's file; whoever needs more than this is better served by the whole database."""

MAX_PLAIN_BYTES = 96 << 20
"""All blocks of a delta together, unpacked."""

_STORED, _ZSTD, _LZMA = 0, 1, 2
_WINDOW_LOG = 24
_DICTIONARY_BYTES = 8 << 20
_VARINT_BYTES = 10
_WIDTH = 8
_SHORT = 16
_DAMAGED = "the delta is damaged; fetch it again, or the whole database"


class Writer:
    """Collects a delta's bytes."""

    def __init__(self) -> None:
        self._parts = [MAGIC]

    def raw(self, data: bytes) -> None:
        """Append bytes whose number the reader knows."""
        self._parts.append(data)

    def varint(self, value: int) -> None:
        """Append one number, not negative."""
        self._parts.append(packed_varint(value))

    def block(self, data: bytes, dictionary: bytes = b"") -> None:
        """Append bytes by whichever method makes least of them.

        Args:
            data: any bytes.
            dictionary: bytes that the reader has too, in which parts of `data` occur.
        """
        ways = [(_STORED, data)]
        if len(data) >= _SHORT:
            ways += [(_ZSTD, _zstd(data, dictionary)), (_LZMA, _lzma(data))]
        method, packed = min(ways, key=lambda way: (len(way[1]), way[0]))
        self.raw(bytes([method]))
        self.varint(len(data))
        if method != _STORED:
            self.varint(len(packed))
        self.raw(packed)

    def numbers(self, values: Sequence[int]) -> None:
        """Append a column of numbers, each from 0 to 2**63 - 1; the reader knows how many."""
        least = min(values, default=0)
        rest = array("Q", [value - least for value in values])
        planes = rest.tobytes()
        width = (max(rest, default=0).bit_length() + 7) // 8
        self.varint(least)
        self.varint(width)
        for place in range(width):
            self.block(planes[place::_WIDTH])

    def finish(self) -> bytes:
        """The whole delta.

        Raises:
            DeltaError: it is larger than a reader would take.
        """
        data = b"".join(self._parts)
        if len(data) > MAX_DELTA_BYTES:
            raise DeltaError(
                f"the delta would have {len(data):,} bytes, more than {MAX_DELTA_BYTES:,}; "
                "the databases differ too much, publish this one in full"
            )
        return data


class Reader:
    """Takes a delta's bytes apart.

    Args:
        data: the whole delta.

    Raises:
        DeltaError: it is no delta of this version.
    """

    def __init__(self, data: bytes) -> None:
        if not data.startswith(MAGIC):
            raise DeltaError("not a delta, or one of a version that this program does not know")
        self._data = data
        self._at = len(MAGIC)
        self._left = MAX_PLAIN_BYTES

    def raw(self, size: int) -> bytes:
        """Take bytes.

        Raises:
            DeltaError: there are not so many left.
        """
        taken = self._data[self._at : self._at + size]
        if len(taken) != size:
            raise DeltaError(_DAMAGED)
        self._at += size
        return taken

    def varint(self, most: int) -> int:
        """Take one number.

        Raises:
            DeltaError: it is cut off, longer than needed, or above `most`.
        """
        value, self._at = unpacked_varint(self._data, self._at, most)
        return value

    def block(self, most: int, dictionary: bytes = b"") -> bytes:
        """Take a block of at most `most` bytes.

        Raises:
            DeltaError: it is damaged, or unpacks to more than is allowed or stated.
        """
        method = self.raw(1)[0]
        size = self.varint(min(most, self._left))
        self._left -= size
        if method == _STORED:
            return self.raw(size)
        packed = self.raw(self.varint(len(self._data)))
        if method == _ZSTD:
            return _unzstd(packed, size, dictionary)
        if method == _LZMA:
            return _unlzma(packed, size)
        raise DeltaError(_DAMAGED)

    def numbers(self, count: int, most: int) -> list[int]:
        """Take a column of `count` numbers, none above `most`.

        Raises:
            DeltaError: it is damaged, or a number is above `most`.
        """
        least, width = self.varint(most), self.varint(_WIDTH)
        planes = bytearray(count * _WIDTH)
        for place in range(width):
            plane = self.block(count)
            if len(plane) != count:
                raise DeltaError(_DAMAGED)
            planes[place::_WIDTH] = plane
        rest = array("Q", bytes(planes))
        if max(rest, default=0) + least > most:
            raise DeltaError(_DAMAGED)
        return [value + least for value in rest]

    def finish(self) -> None:
        """Make sure that nothing follows.

        Raises:
            DeltaError: something does.
        """
        if self._at != len(self._data):
            raise DeltaError(_DAMAGED)


def damaged() -> DeltaError:
    """The error of whoever finds that a delta makes no sense."""
    return DeltaError(_DAMAGED)


def packed_varint(value: int) -> bytes:
    """One number, not negative, as a varint."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def unpacked_varint(data: bytes, at: int, most: int) -> tuple[int, int]:
    """One number that stands at a place, and the place behind it.

    Raises:
        DeltaError: it is cut off, longer than needed, or above `most`.
    """
    value = 0
    for place, byte in enumerate(data[at : at + _VARINT_BYTES]):
        value |= (byte & 0x7F) << (7 * place)
        if byte < 0x80:
            if value > most or (byte == 0 and place):
                raise DeltaError(_DAMAGED)
            return value, at + place + 1
    raise DeltaError(_DAMAGED)


def _zstd(data: bytes, dictionary: bytes) -> bytes:
    parameters = zstandard.ZstdCompressionParameters.from_level(
        19 if len(data) > 1 << 20 else 22,
        source_size=len(data) + len(dictionary),
        write_checksum=0,
        write_dict_id=0,
        write_content_size=1,
    )
    if parameters.window_log > _WINDOW_LOG:
        parameters = zstandard.ZstdCompressionParameters.from_level(
            19, window_log=_WINDOW_LOG, write_checksum=0, write_dict_id=0, write_content_size=1
        )
    known = _dictionary(dictionary)
    return zstandard.ZstdCompressor(compression_params=parameters, dict_data=known).compress(data)


def _unzstd(packed: bytes, size: int, dictionary: bytes) -> bytes:
    try:
        # Memory is taken by what the frame states, so that is looked at first.
        if zstandard.frame_content_size(packed) != size:
            raise DeltaError(_DAMAGED)
        reader = zstandard.ZstdDecompressor(
            dict_data=_dictionary(dictionary), max_window_size=1 << _WINDOW_LOG
        )
        plain = reader.decompress(packed, read_across_frames=False, allow_extra_data=False)
    except zstandard.ZstdError:
        raise DeltaError(_DAMAGED) from None
    if len(plain) != size:
        raise DeltaError(_DAMAGED)
    return plain


def _dictionary(data: bytes) -> zstandard.ZstdCompressionDict | None:
    # Fewer than eight bytes are no dictionary to the library.
    if len(data) < _WIDTH:
        return None
    kind = zstandard.DICT_TYPE_RAWCONTENT
    return zstandard.ZstdCompressionDict(data[:_DICTIONARY_BYTES], dict_type=kind)


def _filters(size: int) -> list[dict[str, int]]:
    # What a dictionary larger than the data would take of memory is of no use.
    window = max(1 << 12, min(_DICTIONARY_BYTES, size))
    return [{"id": lzma.FILTER_LZMA2, "preset": 9, "dict_size": window}]


def _lzma(data: bytes) -> bytes:
    return lzma.compress(data, lzma.FORMAT_RAW, filters=_filters(len(data)))


def _unlzma(packed: bytes, size: int) -> bytes:
    reader = lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=_filters(size))
    try:
        plain = reader.decompress(packed, size + 1)
    except lzma.LZMAError:
        raise DeltaError(_DAMAGED) from None
    if len(plain) != size or not reader.eof or reader.unused_data:
        raise DeltaError(_DAMAGED)
    return plain
