"""What a file is, told from its first kilobyte.

Which signatures are tried on an object, which unpacker opens it and what `Container:`
means all hang on the type, so it must be the one clamscan 1.4.6 gives the same bytes,
with its oddities: most binary data is "UTF-16 text", `MM` begins a picture, and a page
of HTML after the first 1024 bytes is plain text.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from struct import unpack
from types import MappingProxyType

from tocsin.formats import magic
from tocsin.formats.magic import Sign

WINDOW = 1024
"""How many bytes decide the type."""
TAR_BLOCK = 512

TARGETS: Mapping[str, int] = MappingProxyType(magic.TARGET_NUMBERS)
"""ClamAV's target number of a type; types that are missing have 0."""

TYPE_NAMES: frozenset[str] = frozenset(
    (
        *(row.type_name for row in magic.MAGICS),
        *(row.type_name for row in magic.HTML_SIGNS),
        *(row.type_name for row in magic.MAIL_SIGNS),
        *(row.type_name for row in magic.OTHER_SIGNS),
        *magic.OTHER_TYPE_NAMES,
    )
)
"""Every type name a signature may use, without `CL_TYPE_`."""

# Bytes that make up text: all but most control characters.
_TEXT = bytes(
    byte for byte in range(256) if (byte >= 32 and byte != 127) or byte in b"\a\b\t\n\f\r\x1b"
)
_NOT_TEXT_UNITS = frozenset(range(128)) - frozenset(_TEXT)
_BREAKING_UNITS = _NOT_TEXT_UNITS | {0xFFFE}

_RANK = {name: place for place, name in enumerate(magic.RANK)}


def _by_first_byte() -> dict[int, tuple[tuple[int, bytes, str], ...]]:
    """Sorts the magic numbers by first byte, each with its place in the table."""
    table: dict[int, list[tuple[int, bytes, str]]] = {}
    for place, row in enumerate(magic.MAGICS):
        if not row.offset:
            table.setdefault(row.magic[0], []).insert(0, (place, row.magic, row.type_name))
    return {first: tuple(rows) for first, rows in table.items()}


_MAGICS = _by_first_byte()
_INNER_MAGICS = tuple(
    (place, row) for place, row in reversed(tuple(enumerate(magic.MAGICS))) if row.offset
)


def identify(data: bytes) -> str:
    """Tells the type of an object.

    Args:
        data: the object, or at least its first 1024 bytes; a zip archive is looked into
            as far as `data` reaches.

    Returns:
        A member of `TYPE_NAMES`: ClamAV's name without `CL_TYPE_`.
    """
    head = data[:WINDOW]
    name = _by_magic(head)
    if name is not None and name != "BINARY_DATA":
        if name != "ZIP":
            return name
        from tocsin.formats.zip_kind import zip_kind

        return zip_kind(data)
    base = name or _text_kind(head)
    if base == "BINARY_DATA":
        tar = tar_kind(head)
        if tar is not None:
            return tar
    return _by_signs(head) or _as_wide_html(head) or base


def _by_magic(head: bytes) -> str | None:
    """Looks for bytes at fixed offsets; of several the last of the table counts."""
    best = -1
    name = None
    if head:
        for place, text, other in _MAGICS.get(head[0], ()):
            if head.startswith(text):
                best, name = place, other
                break
    for place, row in _INNER_MAGICS:
        if place > best and head.startswith(row.magic, row.offset):
            return row.type_name
    return name


def _text_kind(head: bytes) -> str:
    """Tells text from binary data by the control characters in it."""
    if not head.translate(None, _TEXT):
        return "TEXT_ASCII"
    count = len(head) // 2
    if head[:2] == b"\xff\xfe":
        units = unpack(f"<{count}H", head[: 2 * count])[1:]
        if 0xFFFE not in units:
            bad = sum(unit in _NOT_TEXT_UNITS for unit in units)
            if bad < len(head) / 2:
                return "TEXT_UTF16LE"
        return "BINARY_DATA"
    units = unpack(f">{count}H", head[: 2 * count])[1:]
    if head[:2] == b"\xfe\xff":
        if 0xFFFE not in units:
            bad = sum(unit in _NOT_TEXT_UNITS for unit in units)
            if bad < len(head) / 2:
                return "TEXT_UTF16BE"
        return "BINARY_DATA"
    return "TEXT_UTF16BE" if _BREAKING_UNITS.isdisjoint(units) else "BINARY_DATA"


def is_plain_text(data: bytes) -> bool:
    """Whether an object's first kilobyte holds no control character that text has not."""
    return not data[:WINDOW].translate(None, _TEXT)


def tar_kind(head: bytes) -> str | None:
    """Which tar archive begins here, by its header's checksum; None when none does.

    Source: POSIX.1-1988, ustar; v7 tar(5).
    """
    if len(head) < TAR_BLOCK:
        return None
    field = re.match(rb"[ \x00]*([0-7]{1,8})", head[148:156])
    if field is None:
        return None
    total = sum(head[:TAR_BLOCK]) - sum(head[148:156]) + 8 * 32
    if int(field[1], 8) != total:
        return None
    return "POSIX_TAR" if head[257:262] == b"ustar" else "OLD_TAR"


_HTML = tuple((sign.needle, sign) for sign in magic.HTML_SIGNS)
_MAIL = tuple((sign.needle, sign) for sign in magic.MAIL_SIGNS)
_OTHER = tuple((sign.needle, sign) for sign in magic.OTHER_SIGNS)


def _last_place(sign: Sign, head: bytes) -> int:
    """Place of the last occurrence of a sign, or -1."""
    if not sign.start:
        return head.rfind(sign.needle)
    starts = [
        found
        for found in re.compile(sign.start, re.DOTALL).finditer(head)
        if sign.first <= found.start() and (sign.last < 0 or found.start() <= sign.last)
    ]
    if not starts:
        return -1
    if not sign.tail:
        return starts[-1].start()
    ends = [found.end() for found in starts]
    tails = [found.start() for found in re.compile(sign.tail, re.DOTALL).finditer(head)]
    for place in reversed(tails):
        if any(sign.gap_min <= place - end <= sign.gap_max for end in ends):
            return place
    return -1


def _by_signs(head: bytes) -> str | None:
    """Weighs the signs found anywhere in the window against one another."""
    found: list[tuple[int, str]] = []
    groups = [_OTHER]
    if b"<" in head:
        groups.append(_HTML)
    if b"ontent-" in head or b"ersion: " in head:
        groups.append(_MAIL)
    for group in groups:
        for sign in [sign for needle, sign in group if needle in head]:
            place = _last_place(sign, head)
            if place >= 0:
                if sign.type_name == "IGNORED":
                    return "IGNORED"
                found.append((place, sign.type_name))
    if not found:
        return None
    # Signs of the ranked types can only raise the rank; the others replace what stands.
    found.sort()
    name = ""
    for _, other in found:
        if other not in _RANK or (_RANK[other] > _RANK.get(name, -1) and _replaceable(name)):
            name = other
    return None if name in magic.APPENDED else name


def mail_sign_in(data: bytes) -> str:
    """MAIL where its signs stand near the beginning of a longer piece than the window."""
    if b"ontent-" not in data and b"ersion: " not in data:
        return ""
    signs = [sign for needle, sign in _MAIL if needle in data and sign.type_name == "MAIL"]
    return "MAIL" if any(_last_place(sign, data) >= 0 for sign in signs) else ""


def _replaceable(name: str) -> bool:
    return name in _RANK or name in ("", "MSEXE")


# How wide characters are told apart (XML 1.0, appendix F.1). Order matters.
_WIDE = (
    (b"\x00\x00\xfe\xff", "utf-32-be"),
    (b"\xff\xfe\x00\x00", "utf-32-le"),
    (b"\x00\x00\xff\xfe", "utf-32-be"),
    (b"\xfe\xff", "utf-16-be"),
    (b"\xff\xfe", "utf-16-le"),
    (b"\x00\x00\x00<", "utf-32-be"),
    (b"<\x00\x00\x00", "utf-32-le"),
    (b"\x00<\x00?", "utf-16-be"),
)


def _as_wide_html(head: bytes) -> str | None:
    """Looks for HTML in the text that is left when wide characters are narrowed."""
    if b"\x00" not in head:
        return None
    narrowed = head[: len(head) & ~1 : 2]
    may_be = b"<" in narrowed and any(needle in narrowed for needle, _ in _HTML)
    if may_be and _by_signs(narrowed) == "HTML":
        return "HTML_UTF16"
    for start, coding in _WIDE:
        if head.startswith(start):
            return "HTML" if _by_signs(_narrow(head, coding)) == "HTML" else None
    return None


def _narrow(head: bytes, coding: str) -> bytes:
    """Turns wide characters into UTF-8, up to the first that is none."""
    try:
        text = head.decode(coding)
    except UnicodeDecodeError as error:
        text = head[: error.start].decode(coding)
    return text.encode().replace(b"\x00", b"")
