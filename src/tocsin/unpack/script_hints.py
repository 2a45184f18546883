"""Whether a small text may be a script that hides something, at next to no price.

Most texts are small and none; what looks closer is imported, and its search compiled, only for
the others.
"""

from __future__ import annotations

import re

_SMALL = 64 * 1024
_HINTS = (
    *(b"powershell", b"pwsh", b"wscript", b"createobject", b"%comspec%", b"cmd", b"invoke-"),
    *(b"iex", b"base64string", b"[char]", b"chr", b"fromcharcode", b"eval(", b"unescape("),
    *(b"execute", b"deflatestream", b"^", b"atob", b"exec(", b"certutil"),
)
_ENCODED = re.compile(rb"[-/]e[a-z]{0,14}[\"'^]?(?:\s{1,8}|:\s{0,8})[\"']?[a-z0-9+/]{16}")


def may_be_script(text: bytes, low: bytes) -> bool:
    """Whether a closer look is worthwhile; always, for a large text.

    Args:
        text: the text.
        low: its normal form, in lower case.
    """
    if len(text) > _SMALL:
        return True
    return any(hint in low for hint in _HINTS) or _ENCODED.search(low) is not None
