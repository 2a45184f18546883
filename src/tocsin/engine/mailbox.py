"""Which message of a mailbox a match lies in, so that a person can find it.

Source: the mbox format, RFC 4155, appendix A: a message begins with a line `From ` that has a
time in it, after an empty line or at the start. `unpack/mbox.py` counts in the same way.
"""

from __future__ import annotations

import re

_SEPARATOR = re.compile(rb"(?:\A|\r?\n\r?\n)(From [^\r\n]{0,500}\d:\d\d[^\r\n]{0,200}\r?\n)")
_IDENTITY = re.compile(rb"^(?:message-id|subject):[ \t]*([^\r\n]{1,120})", re.I | re.M)
_HEADER_BYTES = 8192


def is_mailbox(data: bytes) -> bool:
    """Whether an object is a mailbox in mbox form."""
    return data.startswith(b"From ")


def message_label(data: bytes, offset: int) -> str:
    """Number and identity of the message that holds an offset, as part of an object's name."""
    start = number = 0
    for separator in _SEPARATOR.finditer(data, 0, offset + 1):
        number += 1
        start = separator.start(1)
    head = data[start : start + _HEADER_BYTES].partition(b"\n\n")[0]
    identity = _IDENTITY.search(head)
    label = f"message {max(number, 1)}"
    if identity is None:
        return label
    return f"{label} ({identity[1].decode('utf-8', 'replace').strip()})"
