"""What passes between the scanner and its confined workers: typed, bounded, and nothing else.

A worker parses hostile bytes, so what it says is hostile too. Each message is one MessagePack
value of a type that stands here, behind its length; whatever does not decode to such a type
within these bounds is refused, and its worker ended. Names are bytes here, because names out
of containers need not be text.
"""

from __future__ import annotations

import struct
from typing import Annotated

import msgspec

from tocsin.engine.report import Detection, Level, Note, Report, SkippedObject
from tocsin.errors import ScanError

LENGTH = struct.Struct("<I")
"""What stands before each message: its bytes."""

MAX_REPORT_BYTES = 64 << 20

LONGEST_TEXT = 64 << 10
LONGEST_NOTE = 2 << 10
"""Bytes of a name or a remark in a report; there may be ten thousand remarks."""

MOST_FOUND = 1000
"""Detections, and remarks of each kind, in a report that would be too long otherwise."""

MOST_PIECE_BYTES = 1 << 20
"""Of one piece of what a looker found."""

_Text = Annotated[bytes, msgspec.Meta(max_length=LONGEST_TEXT)]
_Kind = Annotated[str, msgspec.Meta(max_length=64, pattern="^[A-Z0-9_]*$")]
_Number = Annotated[int, msgspec.Meta(ge=0, le=(1 << 63) - 1)]
_Hex = Annotated[str, msgspec.Meta(pattern="^(?:[0-9a-f]{64})?$", max_length=64)]
_Count = Annotated[int, msgspec.Meta(ge=0, le=(1 << 63) - 1)]
_Many = msgspec.Meta(max_length=100_000)


MOST_INLINE = 64 << 10
"""Bytes of an object that come with its task, and not behind a descriptor."""


class ScanTask(msgspec.Struct, frozen=True, tag="scan"):
    """Scan the object behind the descriptor that comes with this.

    Attributes:
        name: the object's name.
        number: chosen at random; what is answered must carry it.
        data: the object itself, at most `MOST_INLINE` bytes; None when a descriptor comes.
        all_matches: report everything that matches, or the first; None as the options say.
    """

    name: bytes
    number: int = 0
    data: bytes | None = None
    all_matches: bool | None = None


class UnpackTask(msgspec.Struct, frozen=True, tag="unpack"):
    """Take out what is inside the object behind the descriptor that comes with this.

    Attributes:
        name: the object's name.
        layers: how many containers deep.
        contents: whether the bytes are wanted, or a list alone.
        number: chosen at random; what is answered must carry it.
    """

    name: bytes
    layers: int
    contents: bool
    number: int = 0


class IdentifyTask(msgspec.Struct, frozen=True, tag="identify"):
    """Say what the object behind the descriptor that comes with this is.

    Attributes:
        name: the object's name.
        number: chosen at random; what is answered must carry it.
    """

    name: bytes
    number: int = 0


class LookTask(msgspec.Struct, frozen=True, tag="look"):
    """Look into the object behind the descriptor that comes with this, as the pool's looker does.

    Attributes:
        name: the object's name.
        number: chosen at random; what is answered must carry it.
    """

    name: bytes
    number: int = 0


Task = ScanTask | UnpackTask | IdentifyTask | LookTask


class WireDetection(msgspec.Struct, frozen=True, array_like=True):
    """A `Detection`."""

    name: _Text
    source: _Text
    object: _Text
    offset: _Count | None
    level: Level
    author: _Text
    licence: _Text
    official: bool
    sha256: _Hex
    yara: bool


class WireSkipped(msgspec.Struct, frozen=True, array_like=True):
    """A `SkippedObject`, or a `Note` with its trait as the reason."""

    object: _Text
    reason: _Text
    detail: _Text


class ReportAnswer(msgspec.Struct, frozen=True, tag="report"):
    """The report on a scanned object; its path is not taken from the worker."""

    detections: Annotated[list[WireDetection], _Many]
    skipped: Annotated[list[WireSkipped], _Many]
    notes: Annotated[list[WireSkipped], _Many]
    errors: Annotated[list[_Text], _Many]
    size: _Count
    sha256: _Hex
    type_name: _Kind
    seconds: Annotated[float, msgspec.Meta(ge=0)]
    bytes_scanned: _Count
    empty: bool
    number: _Number = 0


class MemberAnswer(msgspec.Struct, frozen=True, tag="member"):
    """One object of an unpacked container.

    Attributes:
        way: the names from the container down to it.
        container: kind of what it was in.
        type_name: what it was identified as; empty when it was not had.
        size: bytes taken out, or stated when it was not had.
        packed_size: bytes it takes in the container.
        position: place in the container, from 1; 0 when it has none.
        encrypted: whether the container says so.
        reason: why its bytes were not had; empty when they were.
        note: what is wrong with it, or remarkable.
        data: its bytes, when they are wanted.
    """

    way: Annotated[list[_Text], msgspec.Meta(max_length=128)]
    container: _Kind
    type_name: _Kind
    size: _Count
    packed_size: _Count
    position: _Count
    encrypted: bool
    reason: Annotated[str, msgspec.Meta(max_length=64, pattern="^[a-z-]*$")]
    note: _Text
    data: bytes | None
    number: _Number = 0


class UnpackedAnswer(msgspec.Struct, frozen=True, tag="unpacked"):
    """All members were given.

    Attributes:
        type_name: what the container was identified as.
        trouble: why not everything could be taken out; empty when it could.
    """

    type_name: _Kind
    trouble: Annotated[list[_Text], _Many]
    number: _Number = 0


class IdentifiedAnswer(msgspec.Struct, frozen=True, tag="identified"):
    """What an object is.

    Attributes:
        type_name: ClamAV's type without `CL_TYPE_`; decides which signatures are tried.
        kinds: what it is opened as, in this order.
        size: its bytes.
        sha256: its digest.
    """

    type_name: _Kind
    kinds: Annotated[list[_Kind], msgspec.Meta(max_length=64)]
    size: _Count
    sha256: _Hex
    number: _Number = 0


class PieceAnswer(msgspec.Struct, frozen=True, tag="piece"):
    """Some of what a looker found.

    Attributes:
        data: in the looker's own form; whoever gave it reads it within bounds of its own.
    """

    data: Annotated[bytes, msgspec.Meta(max_length=MOST_PIECE_BYTES)]
    number: _Number = 0


class LookedAnswer(msgspec.Struct, frozen=True, tag="looked"):
    """All that a looker found was given."""

    number: _Number = 0


class ReadyAnswer(msgspec.Struct, frozen=True, tag="ready"):
    """The first message of a worker: how it is confined.

    Attributes:
        confined_by: the mechanisms in force.
        trouble: why it is not confined as it must be; empty when it is.
    """

    confined_by: Annotated[list[str], msgspec.Meta(max_length=64)]
    trouble: Annotated[str, msgspec.Meta(max_length=4096)] = ""


class NeedAnswer(msgspec.Struct, frozen=True, tag="need"):
    """The last message of a worker that can open no file and lacks a module for its task."""

    module: Annotated[str, msgspec.Meta(max_length=200, pattern=r"^[A-Za-z0-9_.]+$")]


Final = ReportAnswer | UnpackedAnswer | IdentifiedAnswer | LookedAnswer
"""What ends a job."""

Part = MemberAnswer | PieceAnswer
"""What may come before that, any number of times."""

Answer = ReadyAnswer | NeedAnswer | Part | Final

_encoder = msgspec.msgpack.Encoder()
_tasks: msgspec.msgpack.Decoder[Task] = msgspec.msgpack.Decoder(Task)
_answers: msgspec.msgpack.Decoder[Answer] = msgspec.msgpack.Decoder(Answer)


def pack_task(task: Task) -> bytes:
    """A task as bytes."""
    return _encoder.encode(task)


def read_task(data: bytes) -> Task:
    """Read what `pack_task` wrote; a worker trusts who started it."""
    return _tasks.decode(data)


def pack_answer(answer: Answer) -> bytes:
    """An answer as bytes, its length before it."""
    packed = _encoder.encode(answer)
    return LENGTH.pack(len(packed)) + packed


def read_answer(data: bytes | memoryview) -> Answer:
    """Read a worker's answer.

    Raises:
        ScanError: it is none of the messages above, or beyond their bounds.
    """
    try:
        return _answers.decode(data)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise ScanError(f"its worker's answer made no sense ({error})") from None


def to_bytes(text: str, most: int = LONGEST_TEXT) -> bytes:
    """A name as bytes; what no encoding can hold is replaced, and what is too long cut inside."""
    try:
        data = text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        data = text.encode("utf-8", "replace")
    if len(data) <= most:
        return data
    return data[: most // 2 - 4] + b"\xe2\x80\xa6" + data[-(most // 2) :]


def to_text(data: bytes) -> str:
    """A name as text, from which its bytes can be had back."""
    return data.decode("utf-8", "surrogateescape")


def _note(text: str) -> bytes:
    return to_bytes(text, LONGEST_NOTE)


def pack_report(report: Report, number: int) -> bytes:
    """A report as bytes, shortened where it would be longer than may be heard.

    What was found comes before what was not looked at: a shortened report keeps its verdict.
    """
    packed = pack_answer(answer_from(report, number))
    if len(packed) <= MAX_REPORT_BYTES:
        return packed
    more = f"a report too long to pass on: only {MOST_FOUND} findings and gaps are named"
    report.detections = report.detections[:MOST_FOUND]
    report.skipped = [SkippedObject(report.path, "limit", more), *report.skipped[:MOST_FOUND]]
    report.notes = report.notes[:MOST_FOUND]
    report.errors = report.errors[:MOST_FOUND]
    return pack_answer(answer_from(report, number))


def answer_from(report: Report, number: int = 0) -> ReportAnswer:
    """A report as a message."""
    return ReportAnswer(
        detections=[
            WireDetection(
                to_bytes(found.name),
                to_bytes(found.source),
                to_bytes(found.object),
                found.offset,
                found.level,
                to_bytes(found.author),
                to_bytes(found.licence),
                found.official,
                found.sha256,
                found.yara,
            )
            for found in report.detections
        ],
        skipped=[
            WireSkipped(_note(skip.object), _note(skip.reason), _note(skip.detail))
            for skip in report.skipped
        ],
        notes=[
            WireSkipped(_note(note.object), _note(note.trait), _note(note.detail))
            for note in report.notes
        ],
        errors=[to_bytes(error) for error in report.errors],
        size=report.size,
        sha256=report.sha256,
        type_name=report.type_name,
        seconds=report.seconds,
        bytes_scanned=report.bytes_scanned,
        empty=report.empty,
        number=number,
    )


def report_from(answer: ReportAnswer, path: str) -> Report:
    """The report that a message holds, on a path that the worker has no say in."""
    report = Report(path)
    report.detections = [
        Detection(
            name=to_text(found.name),
            source=to_text(found.source),
            object=to_text(found.object),
            offset=found.offset,
            level=found.level,
            author=to_text(found.author),
            licence=to_text(found.licence),
            official=found.official,
            sha256=found.sha256,
            yara=found.yara,
        )
        for found in answer.detections
    ]
    report.skipped = [
        SkippedObject(to_text(skip.object), to_text(skip.reason), to_text(skip.detail))
        for skip in answer.skipped
    ]
    report.notes = [
        Note(to_text(note.object), to_text(note.reason), to_text(note.detail))
        for note in answer.notes
    ]
    report.errors = [to_text(error) for error in answer.errors]
    report.size = answer.size
    report.sha256 = answer.sha256
    report.type_name = answer.type_name
    report.seconds = answer.seconds
    report.bytes_scanned = answer.bytes_scanned
    report.empty = answer.empty
    return report
