"""Finding what is in a PDF: its streams, and what the dictionaries of its objects say.

A document within this one is opened for itself, so its objects are left out where they cannot
mean anything else here.
"""

from __future__ import annotations

from tocsin.unpack.interface import Budget
from tocsin.unpack.pdf_actions import TELLTALE, Findings
from tocsin.unpack.pdf_objects import Found, Objects
from tocsin.unpack.pdf_streams import Kind, Kinds, Stream
from tocsin.unpack.pdf_syntax import Ref, Value, windows

MAGIC = b"%PDF-"
_MOST_OTHERS = 100_000
"""Objects that are read in a second way."""


class Survey:
    """A look at every object of a document.

    Args:
        data: the document.
        objects: its objects.
        findings: where what its dictionaries say is noted.
        budget: for the time.

    Attributes:
        streams: every stream that has bytes, in each of its extents.
    """

    def __init__(self, data: bytes, objects: Objects, findings: Findings, budget: Budget) -> None:
        self.streams: list[Stream] = []
        self._data = data
        self._objects = objects
        self._findings = findings
        self._budget = budget
        self._kinds = Kinds(objects.values)
        self._others: list[Found] = []
        self._inner_ends: dict[int, int] = {}

    def run(self) -> None:
        """Find all streams, and look at the dictionaries of all objects."""
        self._look_at(0, self._objects.first, Ref(0, 0))
        self._survey_objects(inner=False)
        if self._findings.encryptions:
            # What is within a stream may be encrypted as an object of this document.
            self._objects.begin_anew()
            self._survey_objects(inner=True)
        elif self._inner_ends:
            self._objects.begin_anew()
            self._survey_tied()
        self._objects.begin_anew()
        for found in sorted(self._others, key=lambda other: other.stream):
            if found.stream < 0:
                self._look_at(found.start, found.end, found.ref)
            else:
                self._survey_stream(found, several=True)

    def _survey_objects(self, *, inner: bool) -> None:
        """Survey objects: either those in documents within this one, or all others.

        Those are left out at first, because such a document is opened for itself.
        """
        inner_until = 0
        for found in self._objects:
            if (found.start < inner_until) != inner:
                if inner:
                    inner_until = max(inner_until, self._inner_ends.get(found.start, 0))
                elif found.end > inner_until:
                    self._look_behind(found, inner_until)
                continue
            if found.stream < 0:
                self._look_at(found.start, found.end, found.ref)
                self._also_as_written(found)
                continue
            self._survey_stream(found)
            if not inner:
                inner_until = max(inner_until, self._inner_ends.get(found.start, 0))

    def _survey_tied(self) -> None:
        """Note streams in a document within this one that refer to what may stand outside."""
        inner_until = 0
        for found in self._objects:
            if found.start < inner_until and found.stream >= 0:
                kind, length = self._kinds.read(self._data, found.start, found.stream)
                for each in (kind, *kind.others):
                    referred = each.length if each is not kind else length
                    if each.readings is None or isinstance(referred, Ref):
                        self._note(found, each, referred, several=True, tied=True)
            inner_until = max(inner_until, self._inner_ends.get(found.start, 0))

    def _survey_stream(self, found: Found, *, several: bool = False) -> None:
        """Note a stream, and what stands between it and the next header."""
        self._look_behind(found, self._survey_one(found, several=several))

    def _look_behind(self, found: Found, end: int) -> None:
        """Look at what stands between the end of a stream and the next header."""
        while end < found.end:
            further = self._objects.behind(found, end)
            self._look_at(end, found.end if further is None else further.start, found.ref)
            if further is None:
                return
            end = self._survey_one(further, several=False)

    def _survey_one(self, found: Found, *, several: bool) -> int:
        """Note a stream; returns where it ends."""
        kind, length = self._kinds.read(self._data, found.start, found.stream)
        if TELLTALE.search(self._data, found.start, found.stream) is not None:
            for dictionary in (item for each in (kind, *kind.others) for item in each.dictionaries):
                self._findings.look(dictionary, found.ref, found.ref.number)
        several = several or not kind.sound or bool(kind.others)
        if not kind.sound:
            self._also_as_written(found)
        end = self._note(found, kind, length, several=several)
        for other in kind.others:
            self._note(found, other, other.length, several=several)
        return end

    def _also_as_written(self, found: Found) -> None:
        """Remember an object that is another one for who follows the notation."""
        for other in self._objects.as_written(found):
            if len(self._others) < _MOST_OTHERS:
                self._others.append(other)
            else:
                self._objects.tangled = True

    def _note(
        self,
        found: Found,
        kind: Kind,
        length: Value | None,
        *,
        several: bool,
        tied: bool = False,
    ) -> int:
        """Note a stream in each of its extents; returns where the shortest of them ends.

        Args:
            found: its object.
            kind: what its dictionary says.
            length: its length, or a reference to it.
            several: whether there are other readings of it.
            tied: whether to leave out what comes out alike without what is referred to.
        """
        values = self._objects.values(length.number) if isinstance(length, Ref) else [length]
        lengths = [value for value in values if isinstance(value, int)]
        extents = self._objects.extents(found, lengths)
        several = several or len(extents) > 1
        for extent in extents:
            alike = tied and kind.readings is not None
            if alike and self._data.find(b"endstream", extent.start, extent.end) < 0:
                continue
            if extent.end > extent.start:
                self.streams.append(Stream(found.ref, extent, kind, several))
            if not tied and kind.filters == (None,) and self._data.startswith(MAGIC, extent.start):
                self._inner_ends[found.start] = extent.end
        return min(extent.end for extent in extents)

    def _look_at(self, start: int, end: int, owner: Ref) -> None:
        """Look at the dictionaries in a stretch of the file that holds no stream."""
        if TELLTALE.search(self._data, start, end) is None:
            return
        for parsed in windows(self._data, start, end):
            self._budget.check_time()
            for dictionary in parsed.dictionaries:
                self._findings.look(dictionary, owner, owner.number)
