"""What is inside an object, for people who want to look: the way of `tocsin unpack`.

The same unpackers, limits and passwords as in a scan, without matching. It runs in a worker
like a scan does; what comes out goes to the parent message by message.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import NamedTuple

import msgspec

from tocsin.engine.messages import (
    LONGEST_NOTE,
    Answer,
    IdentifiedAnswer,
    MemberAnswer,
    UnpackedAnswer,
    UnpackTask,
    to_bytes,
)
from tocsin.engine.object_scan import ObjectScanner
from tocsin.engine.tree import first_passwords
from tocsin.errors import FormatError, LimitReached
from tocsin.unpack import find_unpackers
from tocsin.unpack.interface import Budget, Hint, Member, Remark, Skipped, View


class _Place(NamedTuple):
    """A container still to be opened."""

    data: bytes
    type_name: str
    way: tuple[bytes, ...]


def identified(scanner: ObjectScanner, data: bytes, number: int) -> IdentifiedAnswer:
    """What an object is, and what it is opened as."""
    type_name = scanner.identify(data)
    return IdentifiedAnswer(
        type_name=type_name,
        kinds=[kind for kind, _ in find_unpackers(data, type_name)],
        size=len(data),
        sha256=hashlib.sha256(data).hexdigest(),
        number=number,
    )


def unpacked(scanner: ObjectScanner, task: UnpackTask, data: bytes) -> Iterator[Answer]:
    """Take an object apart.

    Args:
        scanner: its file-type rules, limits and passwords are used.
        task: how deep, and whether with contents.
        data: the object.

    Yields:
        A message for each member, the members of a member behind it, and one at the end.
    """
    yield from _Listing(scanner, task).run(data)


class _Listing:
    """One object while it is taken apart."""

    def __init__(self, scanner: ObjectScanner, task: UnpackTask) -> None:
        self._scanner = scanner
        self._task = task
        self._budget = Budget(scanner.options.limits)
        self._passwords = first_passwords(scanner.options, scanner.database)
        self._trouble: list[bytes] = []
        self._around: list[bytes] = []

    def run(self, data: bytes) -> Iterator[Answer]:
        limits = self._scanner.options.limits
        type_name = self._scanner.identify(data)
        if not self._budget.fits_file(len(data)):
            self._trouble.append(b"more than %d bytes (--max-file-size)" % limits.max_file_size)
        else:
            yield from self._open(_Place(data, type_name, ()), 1)
        yield UnpackedAnswer(type_name, self._trouble[:1000], self._task.number)

    def _open(self, place: _Place, layer: int) -> Iterator[MemberAnswer]:
        for kind, unpacker in find_unpackers(place.data, place.type_name):
            try:
                self._budget.check_depth(layer + 1)
                for item in unpacker.members(place.data, self._budget, self._passwords):
                    if isinstance(item, Hint):
                        self._passwords = [*item.passwords, *self._passwords]
                        continue
                    answer, inner = self._answer(item, kind, place)
                    yield msgspec.structs.replace(answer, number=self._task.number)
                    if inner is not None and layer < self._task.layers:
                        yield from self._open_inner(inner, place, layer + 1)
            except (FormatError, LimitReached) as error:
                where = place.way[-1][:1024] + b": " if place.way else b""
                self._trouble.append(where + to_bytes(f"{kind}: {error}", LONGEST_NOTE))

    def _open_inner(self, inner: _Place, outer: _Place, layer: int) -> Iterator[MemberAnswer]:
        """Open a member, unless it is one of the objects that it stands in, without end."""
        if inner.data in (outer.data, *self._around):
            return
        self._around.append(outer.data)
        yield from self._open(inner, layer)
        self._around.pop()

    def _answer(
        self, item: Member | Skipped | View | Remark, kind: str, place: _Place
    ) -> tuple[MemberAnswer, _Place | None]:
        """The message about one item, and what may be opened in turn."""
        if isinstance(item, Member):
            way = (*place.way, to_bytes(item.name or str(item.position)))
            type_name = item.type_name or self._scanner.identify(item.data)
            data = item.data if self._task.contents else None
            note = to_bytes(item.note)
            answer = MemberAnswer(
                list(way), kind, type_name, item.size, item.packed_size, item.position,
                item.encrypted, "" if item.complete else "incomplete", note, data,
            )  # fmt: skip
            return answer, _Place(item.data, type_name, way)
        if isinstance(item, Skipped):
            way = (*place.way, to_bytes(item.name or str(item.position)))
            answer = MemberAnswer(
                list(way), kind, "", item.size, item.packed_size, item.position,
                item.encrypted, item.reason.value, to_bytes(item.detail), None,
            )  # fmt: skip
            return answer, None
        if isinstance(item, View):
            way = (*place.way, to_bytes(item.name))
            data = item.data if self._task.contents else None
            answer = MemberAnswer(
                list(way), kind, item.type_name, len(item.data), 0, 0, False, "view", b"", data
            )
            return answer, None
        way = (*place.way, to_bytes(item.name)) if item.name else place.way
        detail = to_bytes(item.detail)
        answer = MemberAnswer(list(way), kind, "", 0, 0, 0, False, item.trait.value, detail, None)
        return answer, None
