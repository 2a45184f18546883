"""The structure of a mail: where each part's header and body lie. Nothing is decoded here.

One pass from delimiter to delimiter, with the open multiparts on a stack. The names of their
delimiters are kept in a table, so that a line is looked up once however many are open.
Mail programs do not agree on what a delimiter is: whether case counts, whether a line that
merely begins like one is one. Where a mail makes that matter, it is read a second time in
the other way, and the caller gets both.

Source: RFC 2046, 5.1; RFC 2045, 5.2 (defaults).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from tocsin.unpack.interface import Budget
from tocsin.unpack.mail_headers import Header, read_header

_MOST_LENGTHS = 64
"""Different lengths of open delimiters' names: at so many places a line is tried for one."""

MOST_SEARCHED = 1 << 30
"""Bytes that are searched for boundaries which are stated and nowhere used."""

_MARK = b"\xef\xbb\xbf"
_INDENT = 8
_CHECK_EVERY = 1024

_EOL = rb"(?:\r\n|\n|\r)"
_GUESS = re.compile(
    rb"--(?<![^\r\n]--)([^\r\n]*[^\r\n \t])[ \t]*"
    + _EOL
    + rb"(?:(?:[!-9;-~]+[ \t]*:|[ \t])[^\r\n]*"
    + _EOL
    + rb"){0,8}?content-[a-z-]{2,30}[ \t]*:",
    re.IGNORECASE,
)
_LINE = re.compile(rb"[^\r\n]*")
_LINE_END = re.compile(rb"[\r\n]")


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
        exact: what its delimiters may be called, with `--` before.
        folded: the same in lower case.
        kind: its type.
    """

    exact: frozenset[bytes]
    folded: tuple[bytes, ...]
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
        limited: whether there is more in it than can be told apart; known at the end.
    """

    def __init__(self, data: bytes, budget: Budget, *, lax: bool = False) -> None:
        start = len(_MARK) if data.startswith(_MARK) else 0
        self.header = read_header(data, start, len(data))
        self.ambiguous = False
        self.limited = False
        self._data = data
        self._budget = budget
        self._lax = lax
        self._stack: list[_Frame] = []
        self._places: dict[bytes, list[int]] = {}  # of a name, its multiparts on the stack
        self._lengths: Counter[int] = Counter()
        self._searched = 0
        self._steps = 0

    def parts(self) -> Iterator[Part]:
        """Every part, in the order in which they stand."""
        data = self._data
        current = self._open(self.header, "body")
        while True:
            found = self._delimiter(current.start)
            if found is None:
                break
            own = found.frame == len(self._stack) - 1
            yield current._replace(end=found.at, role=_role(current, parts_follow=own))
            while len(self._stack) > found.frame + 1:
                self._pop()
            frame = self._stack[-1]
            if found.closing:
                nothing = Header((), found.after)
                current = Part(nothing, found.after, found.after, "epilogue", frame.kind)
                continue
            header = read_header(data, found.after, len(data), self._is_delimiter)
            current = self._open(header, "part", frame.kind)
        yield current._replace(end=len(data), role=_role(current, parts_follow=False))

    def _open(self, header: Header, role: str, parent: str = "") -> Part:
        """Begin a part; a multipart becomes the innermost, and its preamble begins."""
        kind = media_type(header)
        names = header.parameters(b"content-type", b"boundary")
        if kind.startswith("multipart") or names:
            names = self._boundaries(names, header, kind)
            if names:
                self._push(names, kind)
                return Part(Header((), header.body), header.body, header.body, "preamble", kind)
        return Part(header, header.body, header.body, role, parent)

    def _push(self, names: list[bytes], kind: str) -> None:
        exact = frozenset(b"--" + name for name in names)
        folded = tuple(dict.fromkeys(name.lower() for name in exact))
        for name in folded:
            self._places.setdefault(name, []).append(len(self._stack))
            self._lengths[len(name)] += 1
        self._stack.append(_Frame(exact, folded, kind))

    def _pop(self) -> None:
        for name in self._stack.pop().folded:
            places = self._places[name]
            places.pop()
            if not places:
                del self._places[name]
            self._lengths[len(name)] -= 1
            if not self._lengths[len(name)]:
                del self._lengths[len(name)]

    def _boundaries(self, names: list[bytes], header: Header, kind: str) -> list[bytes]:
        """What the delimiters are called: as stated, and as seen where that is wrong.

        Returns:
            Nothing where the body has to be decoded before there are any.
        """
        present = [name for name in names if self._is_present(name, header.body)]
        if present or not kind.startswith("multipart"):
            return present
        guess = self._guess(header.body)
        if guess and (b"--" + guess).lower() not in self._places:
            return [*names, guess]
        encoded = header.first(b"content-transfer-encoding").lower()
        return [] if encoded.startswith((b"base64", b"quoted")) else names

    def _is_present(self, name: bytes, start: int) -> bool:
        """Whether a name stands anywhere behind a header; taken for granted after long search."""
        if self._is_exhausted():
            return True
        at = self._data.find(b"--" + name, start)
        self._charge(start, at)
        return at >= 0

    def _guess(self, start: int) -> bytes:
        """The first line that looks like a delimiter, without its dashes."""
        if self._is_exhausted():
            return b""
        match = _GUESS.search(self._data, start)
        self._charge(start, -1 if match is None else match.start())
        return b"" if match is None else match[1]

    def _is_exhausted(self) -> bool:
        self.limited = self.limited or self._searched > MOST_SEARCHED
        return self.limited

    def _charge(self, start: int, at: int) -> None:
        self._searched += (len(self._data) if at < 0 else at) - start
        self._budget.check_time()

    def _delimiter(self, start: int) -> _Delimiter | None:
        """The next delimiter of any open multipart."""
        data = self._data
        at = data.find(b"--", start) if self._stack else -1
        while at >= 0:
            self._steps += 1
            if self._steps % _CHECK_EVERY == 0:
                self._budget.check_time()
            found = self._judge(at)
            if found is not None:
                return found
            line_end = _LINE_END.search(data, at)
            at = -1 if line_end is None else data.find(b"--", line_end.end())
        return None

    def _is_delimiter(self, at: int) -> bool:
        return self._judge(at) is not None

    def _judge(self, at: int) -> _Delimiter | None:
        """What the line is whose first characters are dashes."""
        data = self._data
        begin = at
        while begin and data[begin - 1] in b" \t" and at - begin < _INDENT:
            begin -= 1
        if begin and data[begin - 1] not in b"\r\n":
            return None
        line = _LINE.match(data, at)
        end = at if line is None else line.end()
        text = data[at:end].rstrip()
        name, rest = self._name_of(text.lower())
        if name is None:
            return None
        whole = rest in (b"", b"--") and begin == at
        places = self._places[name]
        exact = text[: len(name)]
        plain = whole and any(exact in self._stack[place].exact for place in places)
        self.ambiguous = self.ambiguous or not plain
        if not (whole or self._lax):
            return None
        return _Delimiter(begin, self._line_after(end), places[-1], rest == b"--")

    def _name_of(self, text: bytes) -> tuple[bytes | None, bytes]:
        """The open delimiter that a line is, or else the longest with which it begins; the rest."""
        if text in self._places:
            return text, b""
        if text.endswith(b"--") and text[:-2] in self._places:
            return text[:-2], b"--"
        if len(self._lengths) > _MOST_LENGTHS:
            self.limited = True
        for length in sorted(list(self._lengths)[-_MOST_LENGTHS:], reverse=True):
            if text[:length] in self._places:
                return text[:length], text[length:]
        return None, b""

    def _line_after(self, at: int) -> int:
        data = self._data
        if data.startswith(b"\r\n", at):
            return at + 2
        return at + 1 if at < len(data) and data[at] in b"\r\n" else at
