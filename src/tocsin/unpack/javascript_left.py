"""What a script ends with and the next one that it evaluates goes on with.

ClamAV reads scripts that are evaluated as if they stood one behind the other: a name, number or
string at the end of one may go on in the next. It is kept in parts and only looked at again when
what follows may end it, so that many small scripts take no longer than one large one.
"""

from __future__ import annotations

import re

from tocsin.patterns import compile_pattern

_NAME_GOES_ON = compile_pattern(rb"(?:[$\w]|\\u)++", re.ASCII)
_INTEGER_GOES_ON = compile_pattern(rb"[0-9]++")
_FLOAT_GOES_ON = compile_pattern(rb"(?:[0-9]|[eE][-+0-9])++")
_STRING_GOES_ON = {
    quote: compile_pattern(rb"(?:[^" + quote + rb"]|(?<=\\)" + quote + rb")++", re.DOTALL)
    for quote in (b'"', b"'")
}


class Left:
    """The end of a script that is not known to be complete; empty at first."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._goes_on: re.Pattern[bytes] | None = None

    def put(self, text: bytes) -> None:
        """Keep this."""
        if text.startswith(b"/*"):
            self._parts, self._goes_on = [b"/*"], None
            return
        self._parts = [text]
        first = text[:1]
        if first in _STRING_GOES_ON:
            self._goes_on = _STRING_GOES_ON[first]
        elif first.isdigit():
            self._goes_on = _FLOAT_GOES_ON if b"." in text else _INTEGER_GOES_ON
        else:
            self._goes_on = _NAME_GOES_ON

    def is_string(self) -> bool:
        """Whether a string is kept that has no end."""
        return bool(self._parts) and self._parts[0][:1] in _STRING_GOES_ON

    def takes(self, script: bytes) -> bool:
        """Whether a script only lengthens what is kept; it is kept then."""
        if self._goes_on is None or not self._parts or not script:
            return False
        before = self._parts[-1][-1:]
        if self._goes_on.fullmatch(before + script, 1) is None:
            return False
        self._parts.append(script)
        return True

    def take(self) -> bytes:
        """What is kept, which is forgotten by that."""
        text = b"".join(self._parts)
        self._parts, self._goes_on = [], None
        return text
