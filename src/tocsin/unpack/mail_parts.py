"""The structure of a mail: where each part's header and body lie. Nothing is decoded here.

One pass from delimiter to delimiter, with the open multiparts on a stack of bounded height.
Mail programs do not agree on what a delimiter is: whether case counts, whether a line that
merely begins like one is one. Where a mail makes that matter, it is read a second time in
the other way, and the caller gets both.

Source: RFC 2046, 5.1; RFC 2045, 5.2 (defaults).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from tocsin.unpack.interface import Budget
from tocsin.unpack.mail_headers import Header, read_header

MOST_OPEN = 24
"""Multiparts inside one another; a deeper one is handed on as it is."""

_MARK = b"\xef\xbb\xbf"
_MOST_NAMES = 4
_LONGEST_REST = 1000
_GUESS_REACH = 64 * 1024
_CHECK_EVERY = 1024

_GUESS = re.compile(
    rb"--(?<![^\r\n]--)([^\r\n]{1,200}?)[ \t]*(?:\r\n|\n|\r)content-[a-z-]{2,30}[ \t]*:",
    re.IGNORECASE,
)
_LINE = re.compile(rb"[^\r\n]*")


class Part(NamedTuple):
    """One part, or what stands before the first or behind the last part of a multipart.

    Attributes:
        header: its header; without fields where it has none.
        start: where its body begins.
        end: where its body ends, the line end before the delimiter included.
        role: `body` or `part`; `preamble`, `epilogue`.
        parent: type of the multipart around it, or empty.
    """

    header: Header
    start: int
    end: int
    role: str
    parent: str = ""


class _Frame(NamedTuple):
    """A multipart that is open.

    Attributes:
        boundaries: what its delimiters may be called, in lower case, with `--` before.
        exact: the same, case kept.
        kind: its type.
    """

    boundaries: tuple[bytes, ...]
    exact: frozenset[bytes]
    kind: str


class _Delimiter(NamedTuple):
    at: int
    after: int
    frame: int
    closing: bool


def media_type(header: Header) -> str:
    """The content's type in lower case without parameters; empty when not stated."""
    value = header.first(b"content-type").partition(b";")[0].strip().strip(b"\"'")
    return value.decode("latin-1").lower().replace(" ", "")


def _role(part: Part, *, parts_follow: bool) -> str:
    """What stands before no part is no preamble, but all there is."""
    return "body" if part.role == "preamble" and not parts_follow else part.role


class Structure:
    """The parts of one mail.

    Args:
        data: the mail.
        budget: asked for the time that is left.
        lax: whether everything that some mail program takes for a delimiter is one.

    Attributes:
        header: the mail's own header.
        ambiguous: whether another way of reading would give other parts; known at the end.
    """

    def __init__(self, data: bytes, budget: Budget, *, lax: bool = False) -> None:
        start = len(_MARK) if data.startswith(_MARK) else 0
        self.header = read_header(data, start, len(data))
        self.ambiguous = False
        self._data = data
        self._folded = data
        self._budget = budget
        self._lax = lax
        self._stack: list[_Frame] = []
        self._next: dict[bytes, int] = {}
        self._steps = 0

    def parts(self) -> Iterator[Part]:
        """Every part, in the order in which they stand."""
        data = self._data
        current = self._open(self.header, "body")
        if self._stack:
            self._folded = data.lower()
        while True:
            found = self._delimiter(current.start)
            if found is None:
                break
            own = found.frame == len(self._stack) - 1
            yield current._replace(end=found.at, role=_role(current, parts_follow=own))
            del self._stack[found.frame + 1 :]
            frame = self._stack[-1]
            if found.closing:
                nothing = Header((), found.after)
                current = Part(nothing, found.after, found.after, "epilogue", frame.kind)
                continue
            following = self._delimiter(found.after)
            limit = len(data) if following is None else following.at
            header = read_header(data, found.after, limit)
            current = self._open(header, "part", frame.kind)
        yield current._replace(end=len(data), role=_role(current, parts_follow=False))

    def _open(self, header: Header, role: str, parent: str = "") -> Part:
        """Begin a part; a multipart becomes the innermost, and its preamble begins."""
        kind = media_type(header)
        names = header.parameters(b"content-type", b"boundary")
        if kind.startswith("multipart") or names:
            names = self._boundaries(names, header, kind)
            if names and len(self._stack) < MOST_OPEN:
                exact = frozenset(b"--" + name for name in names)
                folded = tuple(dict.fromkeys(name.lower() for name in exact))
                self._stack.append(_Frame(folded, exact, kind))
                return Part(Header((), header.body), header.body, header.body, "preamble", kind)
        return Part(header, header.body, header.body, role, parent)

    def _boundaries(self, names: list[bytes], header: Header, kind: str) -> list[bytes]:
        """What the delimiters are called: as stated, and as seen where that is wrong.

        Returns:
            Nothing where the body has to be decoded before there are any.
        """
        data, start = self._data, header.body
        names = [name for name in names if len(name) <= _LONGEST_REST][:_MOST_NAMES]
        present = [name for name in names if data.find(b"--" + name, start) >= 0]
        if present or not kind.startswith("multipart"):
            return present
        guess = _GUESS.search(data, start, min(len(data), start + _GUESS_REACH))
        open_already = {name for frame in self._stack for name in frame.exact}
        if guess is None or b"--" + guess[1] in open_already:
            encoded = header.first(b"content-transfer-encoding").lower()
            return [] if encoded.startswith((b"base64", b"quoted")) else names
        return [*names, guess[1]]

    def _delimiter(self, start: int) -> _Delimiter | None:
        """The next delimiter of any open multipart."""
        at = start
        while True:
            self._steps += 1
            if self._steps % _CHECK_EVERY == 0:
                self._budget.check_time()
            at = self._candidate(at)
            if at < 0:
                return None
            found = self._judge(at)
            if found is not None:
                return found
            at += 1

    def _candidate(self, start: int) -> int:
        """The next place where the name of a delimiter stands, or -1."""
        best = -1
        for frame in self._stack:
            for name in frame.boundaries:
                at = self._next.get(name, 0)
                if 0 <= at < start:
                    at = self._next[name] = self._folded.find(name, start)
                if at >= 0 and (best < 0 or at < best):
                    best = at
        return best

    def _judge(self, at: int) -> _Delimiter | None:
        """What the line is whose first characters name a delimiter."""
        data = self._data
        begin = at
        while begin and data[begin - 1] in b" \t" and at - begin < 8:
            begin -= 1
        indented = begin != at
        if begin and data[begin - 1] not in b"\r\n":
            return None
        line = _LINE.match(data, at, min(len(data), at + _LONGEST_REST))
        text = line[0].rstrip() if line is not None else b""
        after = self._line_after(at + len(line[0]) if line is not None else at)
        best: _Delimiter | None = None
        best_length = -1
        plain = False
        for place, frame in enumerate(self._stack):
            for name in frame.boundaries:
                rest = text[len(name) :]
                if not text.lower().startswith(name):
                    continue
                whole = rest in (b"", b"--")
                plain = plain or (text[: len(name)] in frame.exact and whole and not indented)
                allowed = (whole and not indented) or self._lax
                length = len(name) + 1000 * whole
                if allowed and length >= best_length:
                    closing = rest.startswith(b"--") and not (self._lax and not whole)
                    best = _Delimiter(begin, after, place, closing)
                    best_length = length
        self.ambiguous = self.ambiguous or not plain
        return best

    def _line_after(self, at: int) -> int:
        data = self._data
        if data.startswith(b"\r\n", at):
            return at + 2
        return at + 1 if at < len(data) and data[at] in b"\r\n" else at
