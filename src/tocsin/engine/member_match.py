r"""Container signatures (`.cdb`): what a container says of a member, against its rules.

Source: ClamAV manual, "Container metadata signatures". The name's expression is POSIX
extended and case-sensitive; PCRE2 reads it, with `\d` and its kin taken literally.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from tocsin.database.index import Index
from tocsin.engine.identify import ANY_TYPE
from tocsin.unpack.interface import Member, Skipped

if TYPE_CHECKING:
    import pcre2

Range = tuple[int, int | None]
_DESCRIBED = frozenset(
    {
        *("ZIP", "ZIPSFX", "OOXML_WORD", "OOXML_XL", "OOXML_PPT", "OOXML_HWP", "POSIX_TAR"),
        *("OLD_TAR", "RAR", "RARSFX", "7Z", "7ZSFX", "ARJ", "ARJSFX", "MSCAB", "CABSFX", "MSCHM"),
        *("CPIO_NEWC", "CPIO_CRC", "CPIO_ODC", "CPIO_OLD", "MAIL", "MHTML", "HTML", "EGG", "ALZ"),
        *("XAR", "DMG", "ISO9660", "INSTALLSHIELD"),
    }
)
"""Kinds whose members clamscan 1.4.6 holds against container signatures; rules without a kind
are written for these, not for the streams of a document or the one file in a gzip."""

_WITHOUT_POSITION = frozenset({"ZIPSFX", "MSCAB", "CABSFX", "LHA_LZH", "MAIL", "MHTML", "HTML"})
_FROM_ZERO = frozenset({"7Z", "7ZSFX"})
_WITHOUT_PACKED_SIZE = frozenset({"7Z", "7ZSFX", "MSCAB", "CABSFX"})
"""Kinds of which clamscan 1.4.6 states nothing of the sort, so 0 is compared."""

_LETTER_ESCAPE = re.compile(r"\\([A-Za-z])")


class MemberMatch(NamedTuple):
    """A container signature that matched."""

    name: str
    source: int
    pua: bool


def matching_members(
    database: Index, member: Member | Skipped, container_kinds: tuple[str, str], container_size: int
) -> Iterator[MemberMatch]:
    """Container signatures that a member fits.

    Args:
        database: its container signatures are used.
        member: the member, whether its data could be had or not.
        container_kinds: what the container was opened as, and its type, without `CL_TYPE_`.
        container_size: its bytes.
    """
    kind = container_kinds[0]
    if not database.containers or kind not in _DESCRIBED:
        return
    place = 0 if kind in _WITHOUT_POSITION else member.position - (kind in _FROM_ZERO)
    packed_size = 0 if kind in _WITHOUT_PACKED_SIZE else member.packed_size
    for fields in database.containers:
        (name, wanted, csize, regex, packed, size, encrypted, position, crc, source, pua) = fields
        if wanted not in (None, ANY_TYPE, *container_kinds):
            continue
        if encrypted is not None and encrypted != member.encrypted:
            continue
        if crc is not None and crc != member.crc:
            continue
        if not (
            _fits(csize, container_size)
            and _fits(packed, packed_size)
            and _fits(size, member.size)
            and _fits(position, place)
        ):
            continue
        if regex is None or _expression(regex).search(
            member.name.encode("utf-8", "surrogateescape")
        ):
            yield MemberMatch(name, source, pua)


def _fits(bounds: Range | None, value: int) -> bool:
    if bounds is None:
        return True
    low, high = bounds
    return low <= value and (high is None or value <= high)


@lru_cache(maxsize=1024)
def _expression(regex: str) -> pcre2.Pattern:
    import pcre2

    literal = _LETTER_ESCAPE.sub(r"\1", regex)
    limits = b"(*LIMIT_MATCH=100000)(*LIMIT_DEPTH=2000)"
    return pcre2.compile(limits + literal.encode("utf-8", "surrogateescape"))
