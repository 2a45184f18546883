"""What every reader of lists stands on: bytes with a bound, text of any encoding, errors as values.

A list may be hostile or broken. A reader hands on what it has found so far and ends with a
`Skipped` that says why it did not go on; it raises nothing.
"""

from __future__ import annotations

import codecs
import functools
from collections.abc import Callable, Iterator
from typing import BinaryIO

from tocsin.audit.model import Component, Skipped
from tocsin.errors import FormatError

Source = bytes | BinaryIO
Found = Component | Skipped
Read = Callable[[Source, str], Iterator[Found]]
"""A reader: content and the place's name in; what is in it out."""

MOST_BYTES = 512 << 20
"""What a list may have; a bill of 50,000 components has some 50 MB."""

MOST_COMPONENTS = 1_000_000
MOST_SKIPPED = 1_000
"""Entries that are named one by one as not readable; a file with more of them is none."""

_BYTE_ORDER_MARKS = (  # UTF-32 first: its little-endian mark begins like that of UTF-16
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


class Unreadable(FormatError):
    """A list that cannot be read on; what to do stands in the message."""


def reader(read: Read) -> Read:
    """Have a reader's errors come out as the last value, and hold what it finds to bounds."""

    @functools.wraps(read)
    def bounded(source: Source, place: str) -> Iterator[Found]:
        found = skipped = 0
        try:
            for one in read(source, place):
                if isinstance(one, Skipped):
                    skipped += 1
                else:
                    found += 1
                if skipped > MOST_SKIPPED:
                    raise Unreadable(
                        f"more than {MOST_SKIPPED:,} entries cannot be read; look whether it is "
                        "the file you mean"
                    )
                if found > MOST_COMPONENTS:
                    raise Unreadable(
                        f"more than {MOST_COMPONENTS:,} components; split it into several files"
                    )
                yield one
        except Unreadable as error:
            yield Skipped(place, str(error))
        except RecursionError:
            yield Skipped(place, "nested too deeply to be read; it was made by no usual tool")
        except OSError as error:
            yield Skipped(place, f"cannot be read: {error.strerror or error}")

    return bounded


def content(source: Source, most: int = MOST_BYTES) -> bytes:
    """All bytes of a source.

    Args:
        source: bytes, or a file that is open for reading at its beginning.
        most: bytes that it may have.

    Raises:
        Unreadable: it has more.
        OSError: it cannot be read.
    """
    data = source if isinstance(source, bytes) else source.read(most + 1)
    if len(data) > most:
        raise Unreadable(f"more than {most >> 20:,} MB; split it into several files")
    return data


def text(data: bytes, otherwise: str = "utf-8") -> str:
    """Text in the encoding that a byte order mark or its first characters tell (RFC 8259, 8.1).

    Args:
        data: the bytes.
        otherwise: encoding of what has no mark.

    Returns:
        The text without a mark; bytes that make no sense come as U+FFFD.
    """
    for mark, encoding in _BYTE_ORDER_MARKS:
        if data.startswith(mark):
            return data[len(mark) :].decode(encoding, "replace")
    start = data[:4]
    if len(start) == 4 and start[0] and not any(start[1:]):
        return data.decode("utf-32-le", "replace")
    if len(start) == 4 and not any(start[:3]) and start[3]:
        return data.decode("utf-32-be", "replace")
    if len(start) == 4 and start[0] and not start[1] and start[2] and not start[3]:
        return data.decode("utf-16-le", "replace")
    if len(start) == 4 and not start[0] and start[1] and not start[2] and start[3]:
        return data.decode("utf-16-be", "replace")
    return data.decode(otherwise, "replace")


def has_replaced(decoded: str) -> bool:
    """Whether bytes were lost when it was decoded."""
    return "\ufffd" in decoded
