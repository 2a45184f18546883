"""Names as ClamAV's programs print them, of what the engine found, and in which order.

clamscan and clamd look into a container before they look at the container itself, and name what
is merely unwanted or a heuristic's guess last; the engine reports in the order in which it meets
objects.
"""

from __future__ import annotations

from collections.abc import Callable

from tocsin.engine.findings import HEURISTICS
from tocsin.engine.report import MEMBER_MARK, Detection, Report

_WEAK = ("PUA.", "Heuristics.", "BC.Heuristics.")

_PATTERNS, _DIGESTS, _LOGICAL, _YARA = range(4)
_RANKS = {
    ending: rank
    for rank, endings in (
        (_PATTERNS, ("ndb", "ndu", "db", "sdb")),
        (_LOGICAL, ("ldb", "ldu")),
    )
    for ending in endings
}


def keep_all(_: Detection) -> bool:
    """Every detection counts."""
    return True


class Names:
    """From a report's detections to the names to print.

    Args:
        every: all of them, not only the first.
        keep: which detections count at all.
    """

    def __init__(self, *, every: bool, keep: Callable[[Detection], bool] = keep_all) -> None:
        self._every = every
        self._keep = keep

    def of(self, report: Report) -> list[tuple[str, str]]:
        """Objects and names in clamscan's order: members first, weak names last and once."""
        strong: dict[tuple[str, str], None] = {}
        weak: dict[str, str] = {}
        for found in self._members_first([d for d in report.detections if self._keep(d)]):
            if found.name.startswith(_WEAK):
                weak.setdefault(printed_name(found), found.object)
            else:
                strong[(found.object, printed_name(found))] = None
        pairs = [*strong, *((place, name) for name, place in weak.items())]
        return pairs if self._every else pairs[:1]

    def _members_first(self, detections: list[Detection]) -> list[Detection]:
        """Order so that what is inside an object comes before the object itself."""
        ordered: list[Detection] = []
        stack: list[tuple[str, list[Detection]]] = []
        for found in detections:
            place = found.object
            while stack and not (place + MEMBER_MARK).startswith(stack[-1][0] + MEMBER_MARK):
                ordered += self._of_object(stack.pop()[1])
            if stack and stack[-1][0] == place:
                stack[-1][1].append(found)
            else:
                stack.append((place, [found]))
        while stack:
            ordered += self._of_object(stack.pop()[1])
        return ordered

    def _of_object(self, detections: list[Detection]) -> list[Detection]:
        """One object's detections in order; of its patterns clamscan takes but the first."""
        ordered = sorted(detections, key=_rank)
        if self._every:
            return ordered
        return [d for d in ordered if d is ordered[0] or _rank(d)[0] != _PATTERNS]


def _rank(found: Detection) -> tuple[int, int]:
    """Place among the detections of one object: patterns as met, digests, the rest."""
    if found.yara:
        return _YARA, 0
    rank = _RANKS.get(found.source.rpartition(".")[2], _DIGESTS)
    return rank, (found.offset or 0) if rank == _PATTERNS else 0


def printed_name(found: Detection) -> str:
    """A detection's name as clamscan writes it."""
    name = f"YARA.{found.name}" if found.yara else found.name
    signed = found.official or found.source == HEURISTICS
    return name if signed else f"{name}.UNOFFICIAL"
