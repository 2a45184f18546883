"""What becomes of a match: an exception cancels it, or it goes into the report.

Exceptions are asked only when something matched. An allow-list digest (`.fp`, `.sfp`, or the
user's own) protects the object that has it and everything inside that object, not what
stands beside it; clamscan 1.4.6 does the same.
"""

from __future__ import annotations

from typing import NamedTuple

from tocsin.database.index import Index
from tocsin.engine.digests import Digests, digest_names
from tocsin.engine.exceptions import Exceptions
from tocsin.engine.options import Options
from tocsin.engine.report import (
    DECISIVE,
    MEMBER_MARK,
    Detection,
    Level,
    Note,
    Report,
    SkippedObject,
)
from tocsin.signatures.records import Source
from tocsin.unpack.interface import Remark

ALGORITHMS = ("md5", "sha1", "sha256")
MOST_SKIPPED = 10_000
"""Objects named as skipped in one report; a hostile container could list millions."""

MOST_NOTES = 1000
"""Remarks kept in one report."""

HEURISTIC = -1
"""Stands for a source where no signature is behind a match."""

HEURISTICS = "heuristics"
"""Name of the source of such a match."""

_LEVELS = {level.value: level for level in Level}


class Enough(Exception):
    """The first detection was made and no other is wanted; ends the scan of a path."""


class Layer:
    """An object's place among the containers, for its name and for what allows it.

    Args:
        name: the way through the containers to the object.
        digests: its digests.
        size: its bytes.
        parent: the container it was in, or None at the top.

    Attributes:
        matched: name and source of what matched the object in any of its forms.
    """

    def __init__(self, name: str, digests: Digests, size: int, parent: Layer | None) -> None:
        self.name = name
        self.digests = digests
        self.size = size
        self.parent = parent
        self.matched: set[tuple[str, int]] = set()
        self._allowed: bool | None = None

    def allowed(self, database: Index, exceptions: Exceptions) -> bool:
        """Whether an allow list names this object or a container around it."""
        if self._allowed is None:
            self._allowed = (
                any(True for _ in digest_names(database, "allow", self.digests, self.size))
                or self._excepted(exceptions)
                or (self.parent is not None and self.parent.allowed(database, exceptions))
            )
        return self._allowed

    def _excepted(self, exceptions: Exceptions) -> bool:
        return bool(exceptions.digests) and any(
            self.digests.get(name).hex() in exceptions.digests for name in ALGORITHMS
        )


class Match(NamedTuple):
    """A signature that matched, of whatever kind.

    Attributes:
        name: its name.
        source: number of its source.
        offset: where in the object the match starts, or None.
        pua: whether it names something merely unwanted.
        level: what the signature says of itself, or empty.
        author: what the signature says of its author, or empty.
        licence: what the signature says of its licence, or empty.
        yara: whether it is a YARA rule.
    """

    name: str
    source: int
    offset: int | None = None
    pua: bool = False
    level: str = ""
    author: str = ""
    licence: str = ""
    yara: bool = False


class Findings:
    """Collects what is found in one path.

    Args:
        report: where it goes.
        database: for sources and allow lists.
        options: for exceptions and what is wanted.
    """

    def __init__(self, report: Report, database: Index, options: Options) -> None:
        self.report = report
        self._database = database
        self._options = options
        self._skipped: set[SkippedObject] = set()
        self._notes: set[Note] = set()

    def add(self, layer: Layer, match: Match, place: str = "") -> None:
        """Report a match unless an exception stands against it.

        Args:
            layer: the object that matched.
            match: what matched.
            place: what inside the object to name besides it, for example a message.

        Raises:
            Enough: it decides the verdict, and no other match is wanted.
        """
        if match.pua and not self._options.detect_pua:
            return
        if match.yara and match.name in self._database.ignored:
            return
        if match.name in self._options.exceptions.names:
            self.skip(layer.name, "allowed", f"{match.name}: excepted by name")
            return
        if layer.allowed(self._database, self._options.exceptions):
            self.skip(layer.name, "allowed", f"{match.name}: excepted by digest")
            return
        detection = self._detection(layer, match, place)
        self.report.detections.append(detection)
        if not self._options.all_matches and detection.level in DECISIVE:
            raise Enough  # nothing that could still be found would change the verdict

    def skip(self, name: str, reason: str, detail: str) -> None:
        """Report that something was not looked at, or not wholly."""
        skipped = SkippedObject(name, reason, detail)
        if skipped in self._skipped:
            return
        self._skipped.add(skipped)
        if len(self._skipped) <= MOST_SKIPPED:
            self.report.skipped.append(skipped)
        elif len(self._skipped) == MOST_SKIPPED + 1:
            more = f"more than {MOST_SKIPPED} objects were not looked at; the others are not named"
            self.report.skipped.append(SkippedObject(self.report.path, "limit", more))

    def remark(self, layer: Layer, remark: Remark) -> None:
        """Note what is remarkable about a container without being a detection."""
        name = f"{layer.name}{MEMBER_MARK}{remark.name}" if remark.name else layer.name
        note = Note(name, remark.trait.value, remark.detail)
        if len(self._notes) < MOST_NOTES and note not in self._notes:
            self._notes.add(note)
            self.report.notes.append(note)

    def _detection(self, layer: Layer, match: Match, place: str) -> Detection:
        heuristic = match.source == HEURISTIC
        source = Source(HEURISTICS, "") if heuristic else self._database.sources[match.source]
        stated, author, licence = self._database.stated.get(match.name, ("", "", ""))
        level = _LEVELS.get(match.level or stated, Level.MALICIOUS)
        if heuristic:
            level = Level.SUSPICIOUS
        elif match.pua:
            level = Level.UNWANTED
        return Detection(
            name=match.name,
            source=source.name,
            object=f"{layer.name}{MEMBER_MARK}{place}" if place else layer.name,
            offset=match.offset,
            level=level,
            author=match.author or author or source.author,
            licence=match.licence or licence or source.licence,
            official=source.signed,
            sha256=layer.digests.get("sha256").hex(),
            yara=match.yara,
        )
