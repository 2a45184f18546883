"""The one place where bytes come out of a decoder and are charged to the budget.

Every format needs the same loop: feed a little, take a little, charge it, stop at a bound,
keep what came out when the rest is damaged. Written once, it cannot be forgotten in one of
them. Only the decoders differ; they are handed in, so that this module imports none.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator
from io import BytesIO
from typing import NamedTuple, Protocol

from tocsin.errors import FormatError, LimitReached
from tocsin.unpack.interface import Budget, Member, Reason, Skipped

OUTPUT_CHUNK = 256 * 1024
"""Most bytes taken out of a decoder in one step; with it, how far a bound is overshot."""

_FIRST_INPUT = 1024
_INPUT_CHUNK = 64 * 1024
"""What a decoder is fed: little at first, because it hands back what it did not use and a
file may consist of millions of empty streams."""

_MOST_CAREFUL_STEPS = 2_000_000
"""Single bytes put in or taken out to save what precedes damage; a bzip2 block has 900,000."""

BEHIND = "[behind the archive]"
"""Name of what stands behind an archive."""

DECODER_MEMORY = 256 * 1024 * 1024
"""Bytes a decoder may ask for its dictionary: four times what `xz -9` needs."""


class Interrupted(FormatError):
    """The data of a member ends before its end; what came out before is kept.

    Attributes:
        reason: the family of the reason.
    """

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


class Decoder(Protocol):
    """What `bz2.BZ2Decompressor` and `lzma.LZMADecompressor` have in common."""

    @property
    def eof(self) -> bool:
        """Whether the stream has ended."""
        ...

    @property
    def needs_input(self) -> bool:
        """Whether nothing more comes out without more going in."""
        ...

    @property
    def unused_data(self) -> bytes:
        """What lies behind the stream's end."""
        ...

    def decompress(self, data: bytes, max_length: int) -> bytes:
        """Take in `data`, give out at most `max_length` bytes."""
        ...


class Codec(NamedTuple):
    """How to make a decoder and what it raises when its input is damaged."""

    make: Callable[[], Decoder]
    errors: tuple[type[Exception], ...]


class Meta(NamedTuple):
    """What a container states about a member before its data is looked at."""

    name: str
    size: int = 0
    packed_size: int = 0
    position: int = 1
    encrypted: bool = False
    crc: int | None = None


class Taken(NamedTuple):
    """What came out of a member.

    Attributes:
        data: the bytes; empty when `oversize`.
        reason: why it is not complete, or None when it is.
        note: the reason in words.
        oversize: whether it has more bytes than one object may have.
        stop: the bound of the whole tree that was hit, or None.
    """

    data: bytes
    reason: Reason | None = None
    note: str = ""
    oversize: bool = False
    stop: LimitReached | None = None


def take(chunks: Iterable[bytes], budget: Budget) -> Taken:
    """Collect the chunks of one member, charging each as it comes.

    Args:
        chunks: the member's bytes; may raise `Interrupted`. An empty chunk is a sign of life.
        budget: what is charged.
    """
    out = BytesIO()
    size = 0
    try:
        for chunk in chunks:
            budget.check_time()
            room = budget.remaining_bytes
            size += len(chunk)
            if not budget.fits_file(size):
                budget.charge_bytes(len(chunk))
                return Taken(b"", Reason.LIMIT, _oversize(budget), oversize=True)
            out.write(chunk if room is None else chunk[:room])
            budget.charge_bytes(len(chunk))
    except Interrupted as error:
        return Taken(out.getvalue(), error.reason, str(error))
    except LimitReached as error:
        return Taken(out.getvalue(), Reason.LIMIT, f"cut short: {error}", stop=error)
    return Taken(out.getvalue())


def _oversize(budget: Budget) -> str:
    return f"more than {budget.limits.max_file_size} bytes (--max-file-size)"


def report(meta: Meta, taken: Taken, notes: Iterable[str] = ()) -> Iterator[Member | Skipped]:
    """Turn what came out into the member or its absence.

    Args:
        meta: what the container states.
        taken: what came out.
        notes: further remarks that do not make the member incomplete.

    Yields:
        One value, or none when a bound was hit before a byte came out.

    Raises:
        LimitReached: a bound of the whole tree was hit; raised after the value.
    """
    if taken.reason is not None and (taken.oversize or not taken.data):
        if taken.stop is None:
            yield skipped(meta, taken.reason, taken.note)
    else:
        yield Member(
            name=meta.name,
            data=taken.data,
            size=len(taken.data),
            packed_size=meta.packed_size,
            position=meta.position,
            encrypted=meta.encrypted,
            crc=meta.crc,
            complete=taken.reason is None,
            note="; ".join(part for part in (taken.note, *notes) if part),
        )
    if taken.stop is not None:
        raise taken.stop


def behind(
    data: bytes, start: int, position: int, budget: Budget, end: int | None = None
) -> Iterator[Member | Skipped]:
    """What stands behind an archive, where nothing should: one more member.

    Args:
        data: the whole container.
        start: where the archive ends.
        position: place of the member.
        budget: what is charged.
        end: where what stands behind ends; the container's end when None.

    Yields:
        One value, or none where only zero bytes follow, as tapes leave them.
    """
    end = len(data) if end is None else end
    size = end - start
    if size <= 0 or data.count(0, start, end) == size:
        return
    meta = Meta(BEHIND, size, size, position)
    if not budget.fits_file(size):
        yield skipped(meta, Reason.LIMIT, _oversize(budget))
        return
    budget.charge_file()
    yield from report(meta, take(copy(data, start, end), budget))


def skipped(meta: Meta, reason: Reason, detail: str) -> Skipped:
    """A member whose data could not be had, with what the container states about it."""
    return Skipped(
        name=meta.name,
        reason=reason,
        detail=detail,
        size=meta.size,
        packed_size=meta.packed_size,
        position=meta.position,
        encrypted=meta.encrypted,
        crc=meta.crc,
    )


def copy(data: bytes, start: int, end: int) -> Iterator[bytes]:
    """Bytes stored as they are, in chunks."""
    for at in range(start, end, OUTPUT_CHUNK):
        yield data[at : min(at + OUTPUT_CHUNK, end)]


def decompress(codec: Codec, data: bytes, start: int, end: int) -> Generator[bytes, None, int]:
    """Decompress one stream.

    Args:
        codec: the decoder to use.
        data: bytes that hold the stream.
        start: where it begins.
        end: where its input ends at the latest.

    Yields:
        What comes out, in chunks, some of which may be empty.

    Returns:
        The position after the stream.

    Raises:
        Interrupted: the stream is damaged, cut off, or needs too much memory; all bytes
            that can be decoded before that place have been yielded.
    """
    produced = 0
    steps = _steps(codec, data, start, end, None)
    while True:
        try:
            chunk = next(steps)
        except StopIteration as stop:
            return int(stop.value)
        except codec.errors as error:
            fault = _fault(error)
            break
        produced += len(chunk)
        yield chunk
    if fault.reason is Reason.DAMAGED:
        yield from _salvage(codec, data, start, end, produced)
    raise fault


def _steps(
    codec: Codec, data: bytes, start: int, end: int, careful_from: int | None
) -> Generator[bytes, None, int]:
    """The loop of `decompress`; from output byte `careful_from` on by single bytes."""
    decoder = codec.make()
    at, step, produced = start, _FIRST_INPUT, 0
    while not decoder.eof:
        careful = careful_from is not None and produced >= careful_from
        piece = b""
        if decoder.needs_input:
            if at >= end:
                raise Interrupted(Reason.DAMAGED, "truncated")
            piece = data[at : min(at + (1 if careful else step), end)]
            at += len(piece)
            step = min(step * 2, _INPUT_CHUNK)
        chunk = decoder.decompress(piece, 1 if careful else OUTPUT_CHUNK)
        if not (piece or chunk or decoder.eof or decoder.needs_input):
            raise Interrupted(Reason.DAMAGED, "the decoder makes no progress")
        produced += len(chunk)
        yield chunk
    return at - len(decoder.unused_data)


def _salvage(codec: Codec, data: bytes, start: int, end: int, produced: int) -> Iterator[bytes]:
    """Fetch the bytes a decoder swallowed in the step in which it met the damage.

    A decoder that raises keeps what it had decoded in that step, which for a small file is
    everything. The steps before are repeated alike, and from there on bytes go in and out one
    by one.
    """
    seen = careful = 0
    rescued = bytearray()
    try:
        for chunk in _steps(codec, data, start, end, produced):
            seen += len(chunk)
            if seen > produced:
                rescued += chunk
            careful += seen >= produced
            if careful > _MOST_CAREFUL_STEPS:
                break
            yield b""
    except Interrupted:
        pass
    except codec.errors:
        pass
    yield bytes(rescued)


def _fault(error: Exception) -> Interrupted:
    if "memory usage limit" in str(error).lower():
        detail = f"its dictionary needs more than {DECODER_MEMORY} bytes of memory"
        return Interrupted(Reason.LIMIT, detail)
    return Interrupted(Reason.DAMAGED, f"damaged ({error})")
