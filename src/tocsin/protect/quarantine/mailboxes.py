"""Files that hold many messages of mail: they are not taken away for the sake of one.

Only the first bytes and, of a mailbox in mbox form, the lines `From ` are looked at, a piece at
a time; nothing is parsed. Sources: RFC 4155; the first bytes of each other store as its maker
documents them (MS-PST 2.2.2.6; MMDF's mbox(5); c-client's `mbx`).
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable

_STORES = (
    (b"!BDN", "an Outlook mailbox"),
    (b"\xcf\xad\x12\xfe", "an Outlook Express mailbox"),
    (b"*mbx*\r\n", "a mailbox"),
    (b"\x01\x01\x01\x01\n", "a mailbox"),
    (b"\x1a\x00\x00\x04\x00\x00", "a Notes database"),
)
_SEPARATOR = re.compile(rb"\n\r?\nFrom [^\r\n]{0,500}\d:\d\d")
_READ = 1 << 20
_OVERLAP = 1024


def mailbox_kind(descriptor: int) -> str:
    """What a file is called when it is a store of several messages, else an empty string.

    A file in mbox form with a single message is that message.

    Raises:
        OSError: it cannot be read.
    """
    head = os.pread(descriptor, 16, 0)
    for magic, kind in _STORES:
        if head.startswith(magic):
            return kind
    if head.startswith(b"From ") and _has_second_message(descriptor):
        return "a mailbox"
    return ""


def _has_second_message(descriptor: int) -> bool:
    place, kept = 0, b""
    while chunk := os.pread(descriptor, _READ, place):
        if _SEPARATOR.search(kept + chunk) is not None:
            return True
        place += len(chunk)
        kept = (kept + chunk)[-_OVERLAP:]
    return False


def message_objects(objects: Iterable[str]) -> tuple[str, ...]:
    """The ways to the messages concerned, each once."""
    return tuple(dict.fromkeys(one for one in objects if one))
