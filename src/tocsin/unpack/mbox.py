"""Mailboxes in mbox form: each message on its own.

A message begins with a line `From ` that has a time in it, after an empty line. clamscan
takes every line `From ` after an empty line for one, and so loses what is attached to a
message in which a paragraph begins with that word.

Source: RFC 4155, appendix A.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from tocsin.unpack.interface import Budget, Member, Skipped
from tocsin.unpack.stream import Meta, copy, report, take

_SEPARATOR = re.compile(rb"From [^\r\n]{0,500}\d:\d\d[^\r\n]{0,200}(?:\r\n|\n|\r|\Z)")
_IDENTITY = re.compile(rb"^(?:message-id|subject):[ \t]*([^\r\n]{1,120})", re.IGNORECASE | re.M)
_HEADER_BYTES = 8192
_CHECK_EVERY = 1024


def is_mailbox(data: bytes) -> bool:
    """Whether there is more than one message."""
    return data.startswith(b"From ") and _next_separator(data, 1) is not None


def _next_separator(data: bytes, at: int) -> re.Match[bytes] | None:
    """The next line that begins a message."""
    while True:
        at = data.find(b"\nFrom ", at)
        if at < 0:
            return None
        before = data[max(0, at - 3) : at]
        if before.endswith((b"\n", b"\n\r")):
            match = _SEPARATOR.match(data, at + 1)
            if match is not None:
                return match
        at += 1


def messages(data: bytes, budget: Budget) -> Iterator[Member | Skipped]:
    """Each message of a mailbox, without the line `From ` before it.

    Raises:
        LimitReached: a bound of the whole tree was hit.
    """
    line_end = data.find(b"\n")
    start = line_end + 1 if line_end >= 0 else len(data)
    number = 0
    while start >= 0:
        number += 1
        if number % _CHECK_EVERY == 0:
            budget.check_time()
        separator = _next_separator(data, max(start - 1, 0))
        end = len(data) if separator is None else separator.start()
        budget.charge_file()
        taken = take(copy(data, start, end), budget)
        name = label(data, start, end, number)
        meta = Meta(name, packed_size=len(taken.data), position=number)
        for item in report(meta, taken):
            yield item._replace(type_name="MAIL") if isinstance(item, Member) else item
        start = -1 if separator is None else separator.end()


def label(data: bytes, start: int, end: int, number: int) -> str:
    """Number and identity of a message, as a person looks for it."""
    head = data[start : min(end, start + _HEADER_BYTES)].partition(b"\n\n")[0]
    identity = _IDENTITY.search(head)
    if identity is None:
        return f"message {number}"
    return f"message {number} ({identity[1].decode('utf-8', 'replace').strip()})"
