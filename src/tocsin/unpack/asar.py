"""Electron's archives: an index in JSON, then the files one after the other.

Source: electron/asar, README, "Format"; Chromium, `base/pickle.h`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import msgspec

from tocsin.errors import FormatError, LimitReached
from tocsin.unpack.interface import MIB, Budget, Member, Reason, Remark, Skipped, Trait
from tocsin.unpack.stream import Interrupted, Meta, copy, report, take

_INDEX = 16
_LARGEST_INDEX = 32 * MIB
_ENTRIES_PER_FILE = 8


class _File(NamedTuple):
    """A file as the index describes it."""

    name: str
    fields: dict[str, object]


class AsarUnpacker:
    """Unpacks asar. Files that lie beside the archive are remarked upon; links are passed over."""

    types = frozenset({"ASAR"})

    def members(
        self, data: bytes, budget: Budget, passwords: Sequence[bytes]
    ) -> Iterator[Member | Skipped | Remark]:
        """See `Unpacker.members`."""
        if len(data) < _INDEX or data[:4] != b"\x04\0\0\0":
            raise FormatError("not asar: it does not begin with 04 00 00 00")
        pickled, size = int.from_bytes(data[4:8], "little"), int.from_bytes(data[12:16], "little")
        if size > _LARGEST_INDEX:
            yield Skipped("", Reason.LIMIT, f"its index takes {size} bytes")
            return
        root = _read_index(data[_INDEX : _INDEX + size])
        base = 8 + pickled
        most = budget.limits.max_files * _ENTRIES_PER_FILE or None
        for count, file in enumerate(_files(root), start=1):
            budget.check_time()
            if most is not None and count > most:
                detail = f"more than {most} entries in one archive (--max-files)"
                raise LimitReached(detail)
            yield from _take(data, base, file, count, budget)


def _read_index(text: bytes) -> dict[str, object]:
    try:
        root = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise FormatError(f"the index of the asar archive is damaged ({error})") from None
    if not isinstance(root, dict):
        raise FormatError("the index of the asar archive is no object")
    return root


def _files(root: dict[str, object]) -> Iterator[_File]:
    """Every entry that is no folder; without recursion, for an index may nest deeply."""
    pending: list[tuple[str, object]] = [("", root)]
    while pending:
        name, node = pending.pop()
        if not isinstance(node, dict):
            continue
        inside = node.get("files")
        if isinstance(inside, dict):
            prefix = f"{name}/" if name else ""
            pending.extend((f"{prefix}{key}", each) for key, each in reversed(inside.items()))
        elif name:
            yield _File(name[:4096], node)


def _take(
    data: bytes, base: int, file: _File, position: int, budget: Budget
) -> Iterator[Member | Skipped | Remark]:
    fields = file.fields
    if "link" in fields:
        return
    if fields.get("unpacked") is True:
        yield Remark(Trait.NOTE, "lies beside the archive", file.name)
        return
    size, offset = fields.get("size"), fields.get("offset")
    if not isinstance(size, int) or size < 0 or not _is_number(offset):
        detail = "its size or place is no number"
        yield Skipped(file.name, Reason.DAMAGED, detail, position=position)
        return
    start = base + int(str(offset))
    budget.charge_file()
    meta = Meta(file.name, size, size, position)
    yield from report(meta, take(_bytes(data, start, start + size), budget))


def _is_number(offset: object) -> bool:
    """Whether an offset is a decimal number in a string, as it must be; 2 to the 53rd at most."""
    return isinstance(offset, str) and len(offset) <= 16 and offset.isascii() and offset.isdigit()


def _bytes(data: bytes, start: int, end: int) -> Iterator[bytes]:
    yield from copy(data, start, min(end, len(data)))
    if end > len(data):
        raise Interrupted(Reason.DAMAGED, "truncated")


UNPACKER = AsarUnpacker()
