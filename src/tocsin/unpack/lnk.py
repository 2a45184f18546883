"""Shortcuts of Windows: what they start, as text, and what hangs behind them.

Source: MS-SHLLINK.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tocsin.errors import FormatError
from tocsin.unpack.interface import Budget, Member, Skipped
from tocsin.unpack.parts import Parts
from tocsin.unpack.stream import copy

_MAGIC = bytes.fromhex("4c0000000114020000000000c000000000000046")
_HEADER_BYTES = 76
_HAS_ID_LIST, _HAS_INFO, _IS_WIDE = 0x01, 0x02, 0x80
_STRINGS = ((0x04, "name"), (0x08, "path"), (0x10, "folder"), (0x20, "arguments"), (0x40, "icon"))
_LOCAL_PATH = 0x01
_ENVIRONMENT, _ICON_ENVIRONMENT = 0xA0000001, 0xA0000007
_ENVIRONMENT_BYTES = 0x314
_LONGEST_PATH = 1024
_MOST_BLOCKS = 256
"""Blocks of further data that are read; eleven kinds are known."""


class LnkUnpacker:
    """Unpacks shortcuts.

    The first line of the text is the command as Windows would run it, as far as it stands in
    the shortcut; other strings follow, a line each.
    """

    types = frozenset({"LNK"})

    def members(
        self, data: bytes, budget: Budget, passwords: Sequence[bytes]
    ) -> Iterator[Member | Skipped]:
        """See `Unpacker.members`."""
        if not data.startswith(_MAGIC) or len(data) < _HEADER_BYTES:
            raise FormatError("not a shortcut")
        parts = Parts(budget)
        strings, at = _read(data)
        targets = [strings[key] for key in ("environment", "local", "path") if strings.get(key)]
        command = f"{targets[0] if targets else ''} {strings.get('arguments', '')}".strip()
        lines = [command, *(f"{key}: {value}" for key, value in strings.items() if value)]
        text = "".join(f"{line}\r\n" for line in lines).encode("utf-8", "surrogateescape")
        yield from parts.member("shortcut.txt", text, at, type_name="TEXT_ASCII")
        if at < len(data) and data.count(0, at) != len(data) - at:
            yield from parts.member("behind the shortcut", copy(data, at, len(data)))


def _read(data: bytes) -> tuple[dict[str, str], int]:
    """All strings, and where the shortcut ends."""
    flags = int.from_bytes(data[20:24], "little")
    at = _HEADER_BYTES
    strings: dict[str, str] = {}
    if flags & _HAS_ID_LIST:
        at += 2 + int.from_bytes(data[at : at + 2], "little")
    if flags & _HAS_INFO:
        size = int.from_bytes(data[at : at + 4], "little")
        strings["local"] = _local_path(data[at : at + size])
        at += max(4, size)
    for flag, key in _STRINGS:
        if not flags & flag:
            continue
        count = int.from_bytes(data[at : at + 2], "little")
        size = count * 2 if flags & _IS_WIDE else count
        strings[key] = _decode(data[at + 2 : at + 2 + size], wide=bool(flags & _IS_WIDE))
        at += 2 + size
    for _ in range(_MOST_BLOCKS):
        size = int.from_bytes(data[at : at + 4], "little")
        if size < 8 or at + size > len(data):
            break
        kind = int.from_bytes(data[at + 4 : at + 8], "little")
        if kind in (_ENVIRONMENT, _ICON_ENVIRONMENT) and size >= _ENVIRONMENT_BYTES:
            wide = _decode(data[at + 268 : at + 788], wide=True).partition("\0")[0]
            narrow = _decode(data[at + 8 : at + 268], wide=False).partition("\0")[0]
            key = "environment" if kind == _ENVIRONMENT else "icon environment"
            strings[key] = wide or narrow
        at += size
    return strings, min(at + 4, len(data))


def _local_path(info: bytes) -> str:
    """The path that a shortcut's LinkInfo states. Source: MS-SHLLINK 2.3."""
    if len(info) < 28 or not info[8] & _LOCAL_PATH:
        return ""
    place = int.from_bytes(info[16:20], "little")
    suffix = int.from_bytes(info[24:28], "little")
    parts = (info[start : start + _LONGEST_PATH].partition(b"\0")[0] for start in (place, suffix))
    return "".join(_decode(part, wide=False) for part in parts)


def _decode(raw: bytes, *, wide: bool) -> str:
    return raw.decode("utf-16-le", "replace") if wide else raw.decode("latin-1")


UNPACKER = LnkUnpacker()
