"""What a scan says: one verdict for each scanned path, with the evidence for it.

`Report.to_dict` is the form that `--json` prints; `docs/report.schema.json` describes it.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any, NamedTuple

MEMBER_MARK = "!/"
"""Stands between a container and what is inside it: `outer.zip!/dir/inner.exe`."""


class Verdict(StrEnum):
    """What is to be believed of a scanned path."""

    CLEAN = "clean"
    INFECTED = "infected"
    SUSPICIOUS = "suspicious"
    INCOMPLETE = "incomplete"
    ERROR = "error"


class Level(StrEnum):
    """How bad a detection is by its signature's own word."""

    MALICIOUS = "malicious"
    SUSPICIOUS = "suspicious"
    UNWANTED = "unwanted"
    TEST = "test"


DECISIVE = frozenset({Level.MALICIOUS, Level.TEST})
"""Levels of which one detection makes a path `infected`."""


class Detection(NamedTuple):
    """One signature that matched.

    Attributes:
        name: the signature's name.
        source: file the signature came from.
        object: the way through the containers to what matched.
        offset: where in that object the match starts, or None when the whole object matched.
        level: how bad it is.
        author: the signature's author as its source states it, or empty.
        licence: the signature's licence as its source states it, or empty.
        official: whether the source's digital signature was verified.
        sha256: digest of the object that matched, lower-case hex.
        yara: whether it is a YARA rule.
    """

    name: str
    source: str
    object: str
    offset: int | None
    level: Level = Level.MALICIOUS
    author: str = ""
    licence: str = ""
    official: bool = False
    sha256: str = ""
    yara: bool = False


class SkippedObject(NamedTuple):
    """Something that was not looked at, or not wholly.

    Attributes:
        object: the way through the containers to it.
        reason: `limit`, `encrypted`, `damaged`, `unsupported` or `allowed`.
        detail: the reason in words.
    """

    object: str
    reason: str
    detail: str


class Note(NamedTuple):
    """Something remarkable that is no detection by itself.

    Attributes:
        object: the way through the containers to it.
        trait: the family: `macros`, `stomped`, `encrypted-document`, `note`; of start-up places
            `start-up`, and `remarkable` for what somebody should look at.
        detail: in words.
    """

    object: str
    trait: str
    detail: str


class ProcessInfo(NamedTuple):
    """A process in whose memory an object was found.

    Attributes:
        pid: its number.
        start: ticks of the clock from the machine's start to its own: with its number, this tells
            it from every other process.
        name: what it calls itself.
        uid: the user who owns it.
        program: path of the program it runs.
        region: the region of its memory; empty when the object is a file that it has mapped.
        file: path of that file as the process sees it; empty when there is none any more.
    """

    pid: int
    start: int
    name: str
    uid: int
    program: str
    region: str
    file: str


class Report:
    """The result for one path.

    Attributes:
        path: what was scanned, as given.
        detections: what was found.
        skipped: what was not looked at.
        notes: what is remarkable without being a detection.
        errors: what went wrong, in words.
        size: bytes of the file.
        sha256: its digest, or empty when it could not be read.
        type_name: what it was identified as.
        seconds: time taken.
        bytes_scanned: bytes of all objects looked at.
        empty: whether there was nothing in it.
        unchanged: whether an earlier clean verdict was taken over.
        processes: those that have it in memory, when their memory is what was looked at.
    """

    __slots__ = (
        "bytes_scanned",
        "detections",
        "empty",
        "errors",
        "notes",
        "path",
        "processes",
        "seconds",
        "sha256",
        "size",
        "skipped",
        "type_name",
        "unchanged",
    )

    def __init__(self, path: str) -> None:
        self.path = path
        self.detections: list[Detection] = []
        self.skipped: list[SkippedObject] = []
        self.notes: list[Note] = []
        self.errors: list[str] = []
        self.size = 0
        self.sha256 = ""
        self.type_name = ""
        self.seconds = 0.0
        self.bytes_scanned = 0
        self.empty = False
        self.unchanged = False
        self.processes: list[ProcessInfo] = []

    @property
    def verdict(self) -> Verdict:
        """The verdict that the evidence supports.

        What was found outweighs what was not looked at; what was not looked at is never
        called clean. Something that an exception of the user's own allows is not a gap.
        """
        if any(detection.level in DECISIVE for detection in self.detections):
            return Verdict.INFECTED
        if self.detections:
            return Verdict.SUSPICIOUS
        if any(skip.reason != "allowed" for skip in self.skipped):
            return Verdict.INCOMPLETE
        if self.errors:
            return Verdict.ERROR
        return Verdict.CLEAN

    def to_dict(self) -> dict[str, Any]:
        """The report as plain values, as `--json` prints it."""
        return {
            "path": self.path,
            "verdict": self.verdict.value,
            "detections": [
                {**detection._asdict(), "level": detection.level.value}
                for detection in self.detections
            ],
            "skipped": [skip._asdict() for skip in self.skipped],
            "notes": [note._asdict() for note in self.notes],
            "errors": list(self.errors),
            "size": self.size,
            "sha256": self.sha256,
            "type": self.type_name,
            "seconds": round(self.seconds, 6),
            "bytes_scanned": self.bytes_scanned,
            "empty": self.empty,
            "unchanged": self.unchanged,
            "processes": [process._asdict() for process in self.processes],
        }

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Report:
        """Read back what `to_dict` gave.

        Raises:
            KeyError, TypeError, ValueError: not such a dict.
        """
        report = cls(str(values["path"]))
        report.detections = [
            Detection(**{**fields, "level": Level(fields["level"])})
            for fields in values["detections"]
        ]
        report.skipped = [SkippedObject(**fields) for fields in values["skipped"]]
        report.notes = [Note(**fields) for fields in values["notes"]]
        report.errors = [str(error) for error in values["errors"]]
        report.size = int(values["size"])
        report.sha256 = str(values["sha256"])
        report.type_name = str(values["type"])
        report.seconds = float(values["seconds"])
        report.bytes_scanned = int(values["bytes_scanned"])
        report.empty = bool(values["empty"])
        report.unchanged = bool(values["unchanged"])
        report.processes = [ProcessInfo(**fields) for fields in values["processes"]]
        return report
