"""Scripts in the normal form that signatures for target 3 are written against.

Names that a script declares are numbered, joined strings and what `eval`, `unescape` and
known packers hide are put in, comments and white space go, everything is in lower case.

Source: measured with clamscan 1.4.6 and sigtool --html-normalise.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from enum import Enum
from functools import lru_cache

from tocsin.unpack.javascript_left import Left
from tocsin.unpack.javascript_packer import packed_call
from tocsin.unpack.javascript_tokens import (
    LETTERS_AND_DIGITS,
    OTHERS,
    PACKER_NAMES,
    Kind,
    Token,
    is_complete,
    made,
    texts,
    unescaped,
    utf8,
)

_MOST_PACKERS = 64
_PACKERS = (b"(p,a,c,k,e,r)", b"(p,a,c,k,e,d)")
_PACKER_TOKENS = 13
_PERCENT = re.compile(rb"%(?:u([0-9a-fA-F]{4})(?=.)|([0-9a-fA-F]{2}))", re.DOTALL)
_BLANKS = bytes.maketrans(b"\t\n\v\f\r", b"     ")
_OPENING, _CLOSING = OTHERS[b"("], OTHERS[b")"]
_PLUS, _DOT, _COMMA, _SEMICOLON = OTHERS[b"+"], OTHERS[b"."], OTHERS[b","], OTHERS[b";"]
_BLOCK, _BLOCK_END = OTHERS[b"{"], OTHERS[b"}"]
_BRACKET, _BRACKET_END = OTHERS[b"["], OTHERS[b"]"]
_FUNCTION, _VAR = OTHERS[b"function"], OTHERS[b"var"]
_END = Token(Kind.END, b"")
_SHORT = 64
"""Bytes of a token that is remembered, lest it be made anew wherever it stands."""


class _State(Enum):
    BASE = 0
    VAR = 1
    INITIALISER = 2
    FUNCTION_NAME = 3
    PARAMETERS = 4
    DECLARATION = 5


_BASE = _State.BASE
_MARK, _NAME, _TEXT = Kind.MARK, Kind.NAME, Kind.TEXT
_OPERATOR = Kind.OPERATOR


class _Scope:
    """Names of one function: their numbers, None for those merely used."""

    __slots__ = ("blocks", "brackets", "dotted", "names", "number", "parent", "state")

    def __init__(self, number: int, parent: _Scope | None) -> None:
        self.number = number
        self.parent = parent
        self.names: dict[bytes, int] = {}
        self.state = _State.BASE
        self.dotted = False  # whether a full stop was the last thing in it
        self.brackets = 0
        self.blocks = 0

    def look_up(self, name: bytes) -> int | None:
        scope: _Scope | None = self
        while scope is not None:
            found = scope.names.get(name)
            if found is not None:
                return found
            scope = scope.parent
        return None


class _Joined:
    """Strings between which plus signs stand, put together when the last of them is known.

    Attributes:
        out: the tokens, whose last but one may be the string that others are added to.
    """

    def __init__(self, out: list[Token]) -> None:
        self.out = out
        self._place = -1
        self._parts: list[bytes] = []

    def add(self, token: Token) -> bool:
        """Add a string, to the one before a plus if there is one: whether that was so."""
        out = self.out
        if not (len(out) > 1 and out[-1] is _PLUS and out[-2].kind is Kind.TEXT):
            out.append(token)
            return False
        out.pop()
        place = len(out) - 1
        if place != self._place:
            self.finish()
            self._place, self._parts = place, [out[place].text]
        self._parts.append(token.text)
        return True

    def finish(self) -> None:
        """Write the last string."""
        if self._place >= 0:
            self.out[self._place] = Token(Kind.TEXT, b"".join(self._parts))
            self._place = -1


class _Script:
    """One script: its tokens and scopes."""

    def __init__(self, alive: Callable[[], None]) -> None:
        self._alive = alive
        self._declared = 0
        self._packers = 0
        self._left = Left()
        self._made: dict[bytes, Token | None] = dict(OTHERS)
        self._members: dict[bytes, Token] = {}
        self._names: set[bytes] = set()
        self._scopes = [_Scope(0, None)]
        self.current = self._scopes[0]
        self.tokens: list[Token] = []

    def parse(self, script: bytes) -> None:
        """Take in the whole script, then fold what it hides."""
        self._read(script, self.tokens)
        if self._left.is_string():
            left = self._left.take()
            joined = _Joined(self.tokens)
            joined.add(Token(Kind.TEXT, unescaped(left[1:])))
            joined.finish()
        opened = 0
        for token in self.tokens:
            if token is _OPENING:
                opened += 1
            elif token is _CLOSING and opened:
                opened -= 1
        self.tokens += [_CLOSING] * opened
        names = self._names
        if b"unescape" in names:
            self._fold_unescape()
        if b"eval" in names or b"dF" in names or names.issuperset(PACKER_NAMES):
            self._decode()

    # --- reading --------------------------------------------------------------------------

    def _read(self, script: bytes, out: list[Token]) -> None:
        if self._left.takes(script):
            return
        script = self._left.take() + script
        joined = _Joined(out)
        for batch, at_end in texts(script):
            self._alive()
            if not is_complete(batch[-1], at_end):
                self._left.put(batch.pop())
            self._take(batch, joined)
        joined.finish()

    def _take(self, batch: Iterable[bytes], joined: _Joined) -> None:
        """Take in complete tokens, each by its text."""
        known, out = self._made, joined.out
        scope = self.current
        dotted = scope.dotted
        for text in batch:
            try:
                token = known[text]
            except KeyError:
                token = made(text)
                if len(text) <= _SHORT:
                    known[text] = token
            if token is None:
                continue
            kind = token.kind
            if kind is _MARK:
                out.append(token)
                if token is _BRACKET:
                    scope.brackets += 1
                elif token is _BLOCK and scope.state is _BASE:
                    scope.blocks += 1
                elif token.scope or scope.state is not _BASE:
                    scope.dotted = False
                    self._mark(token, scope, out)
                    scope = self.current
            elif kind is _OPERATOR:
                out.append(token)
                if token is _DOT:
                    dotted = True
                    continue
            elif kind is _NAME:
                if dotted or token.scope or scope.state is not _BASE:
                    token = self._name(token, scope, dotted)
                out.append(token)
            elif kind is _TEXT:
                if joined.add(token):
                    continue
            elif token is _FUNCTION:
                scope.dotted = False
                out.append(self._function(scope))
                scope = self.current
            else:
                out.append(token)
                if token is _VAR:
                    scope.state = _State.VAR
            dotted = False
        scope.dotted = dotted

    def _function(self, outer: _Scope) -> Token:
        inner = _Scope(len(self._scopes), outer)
        self._scopes.append(inner)
        self.current = inner
        inner.state = _State.FUNCTION_NAME
        return Token(Kind.FUNCTION, _FUNCTION.text, inner.number)

    def _member(self, name: bytes) -> Token:
        found = self._members.get(name)
        if found is None:
            found = self._members[name] = Token(Kind.MEMBER, name)
        return found

    def _name(self, token: Token, scope: _Scope, dotted: bool) -> Token:
        if dotted:
            return self._member(token.text)
        state = scope.state
        if state is not _BASE:
            if state in (_State.VAR, _State.DECLARATION):
                self._declare(scope, token.text)
                scope.state = _State.INITIALISER
                scope.brackets = 0
            elif state is _State.FUNCTION_NAME:
                self._declare(scope, token.text)
                scope.state = _State.PARAMETERS
        if token.scope:
            self._names.add(token.text)
        return token

    def _declare(self, scope: _Scope, name: bytes) -> None:
        scope.names[name] = self._declared
        self._declared += 1

    def _mark(self, mark: Token, scope: _Scope, out: list[Token]) -> None:
        state = scope.state
        if mark is _BLOCK:
            if state in (_State.FUNCTION_NAME, _State.PARAMETERS, _State.DECLARATION):
                scope.state = _BASE
            scope.blocks += 1
        elif mark is _BLOCK_END:
            scope.blocks = max(0, scope.blocks - 1)
            if not scope.blocks and scope.parent is not None:
                out.append(_END)
                self.current = scope.parent
                self.current.dotted = False
        elif mark is _BRACKET_END:
            scope.brackets = max(0, scope.brackets - 1)
        elif mark is _OPENING:
            if state in (_State.FUNCTION_NAME, _State.PARAMETERS):
                scope.state = _State.DECLARATION
        elif mark is _CLOSING:
            if state is _State.PARAMETERS:
                scope.state = _BASE
        elif not (scope.brackets or scope.blocks):
            if mark is _SEMICOLON:
                scope.state = _BASE
            elif state is _State.INITIALISER:
                scope.state = _State.VAR

    # --- folding --------------------------------------------------------------------------

    def _fold_unescape(self) -> None:
        out: list[Token] = []
        given = self.tokens
        at, count = 0, len(given)
        while at < count:
            token = given[at]
            if (
                token.kind is Kind.NAME
                and token.text == b"unescape"
                and at + 4 <= count
                and given[at + 1] is _OPENING
                and given[at + 2].kind is Kind.TEXT
            ):
                out.append(Token(Kind.TEXT, percent_decoded(given[at + 2].text)))
                at += 4
            else:
                out.append(token)
                at += 1
        self.tokens = out

    def _decode(self) -> None:
        """Replace what is evaluated by its tokens, from left to right.

        Replaced parts are collected in `done`, so that the whole stays linear.
        """
        rest = self.tokens[::-1]
        done: list[Token] = []
        late: list[Token] = []
        while rest or late:
            if not rest:
                rest, late = late[::-1], []
            token = rest.pop()
            kind = token.kind
            if kind is _MARK or kind is _OPERATOR or (kind is _NAME and not _is_call(token, rest)):
                done.append(token)
                continue
            rest.append(token)
            size = len(rest)
            taken = 1
            new: list[Token] | None = None
            if token.kind in (Kind.FUNCTION, Kind.END):
                if size > _PACKER_TOKENS:
                    done.append(rest.pop())
                    self._unpack(rest, done)
                    continue
                self._enter(token)
            elif token.kind is Kind.NAME and size > 2 and rest[-2] is _OPENING:
                if token.text == b"eval" and size > 3 and rest[-4] is _CLOSING:
                    if rest[-3].kind is Kind.TEXT:
                        new, taken = self._evaluated(rest[-3].text), 4
                elif token.text == b"dF" and rest[-3].kind is Kind.TEXT and rest[-3].text:
                    late += self._evaluated(_shifted(rest[-3].text))
                    new, taken = [], 4
            if new is None:
                done.append(rest.pop())
                continue
            del rest[-min(taken, size) :]
            if rest and rest[-1] is _SEMICOLON:
                rest.pop()
            rest += new[::-1]
            if rest:
                self._enter(rest[-1])
                done.append(rest.pop())
        self.tokens = done

    def _enter(self, token: Token) -> None:
        if token.kind is Kind.FUNCTION:
            self.current = self._scopes[token.scope]
        elif token.kind is Kind.END and self.current.parent is not None:
            self.current = self.current.parent

    def _evaluated(self, script: bytes) -> list[Token]:
        out: list[Token] = []
        self._read(script, out)
        return out

    def _unpack(self, rest: list[Token], done: list[Token]) -> None:
        """Undo the packer whose function begins here, if it is one that is known."""
        name = b""
        if rest[-1].kind is Kind.NAME:
            name = rest[-1].text
            done.append(rest.pop())
        shown = b"".join(token.text for token in rest[: -_PACKER_TOKENS - 1 : -1])
        if shown in _PACKERS and self._packers < _MOST_PACKERS:
            self._packers += 1
            found = packed_call(rest[::-1], name)
            if found is not None:
                begin, end, packed = found
                stop = len(rest) - end
                if stop > 0 and rest[stop - 1] is _SEMICOLON:
                    stop -= 1
                rest[max(0, stop) : len(rest) - begin] = self._evaluated(packed)[::-1]
        done.append(rest.pop())
        self._enter(done[-1])

    # --- writing --------------------------------------------------------------------------

    def written(self) -> bytes:
        """The script in its normal form."""
        out: list[bytes] = []
        spaced = False  # whether a letter or digit stands last
        self.current = self._scopes[0]
        for token in self.tokens:
            kind, text = token.kind, token.text
            if kind is _MARK or kind is _OPERATOR:
                out.append(text)
                spaced = False
                continue
            if kind is _NAME:
                known = self.current.look_up(text)
                if known is not None:
                    text = b"n%03d" % known
                first = last = True
            elif kind is _TEXT:
                text = b'"' + text + b'"'
                first = last = False
            elif kind is Kind.END:
                self._enter(token)
                continue
            elif kind is Kind.INTEGER or kind is Kind.FLOAT:
                first = last = True
            else:
                if kind is Kind.FUNCTION:
                    self._enter(token)
                first = text[:1] in LETTERS_AND_DIGITS
                last = text[-1:] in LETTERS_AND_DIGITS
            if first and spaced:
                out.append(b" ")
            out.append(text)
            spaced = last
        return b"".join(out).lower().translate(_BLANKS)


def _is_call(name: Token, rest: Sequence[Token]) -> bool:
    """Whether a name that hides something is called with a string; `rest` is from behind."""
    return bool(
        name.scope and len(rest) > 1 and rest[-1] is _OPENING and rest[-2].kind is Kind.TEXT
    )


def percent_decoded(text: bytes) -> bytes:
    """What `unescape` makes of a string; NUL becomes the byte 1."""
    return _PERCENT.sub(_percent, text).replace(b"\0", b"\1") if b"%" in text else text


def _percent(found: re.Match[bytes]) -> bytes:
    wide, narrow = found.groups()
    return bytes((int(narrow, 16),)) if wide is None else utf8(int(wide, 16))


def _shifted(text: bytes) -> bytes:
    """What the encoder of scriptasylum.com hides; its last character is the distance."""
    table = _shift((text[-1] - 0x30) & 0xFF)
    return percent_decoded(percent_decoded(text[:-1]).translate(table))


@lru_cache(maxsize=256)
def _shift(distance: int) -> bytes:
    return bytes((byte - distance) & 0xFF for byte in range(256))


def normalise_scripts(scripts: Iterable[bytes], alive: Callable[[], None]) -> bytes:
    """The normal forms of a page's scripts, one a line, each as if it stood alone.

    Args:
        scripts: each with its closing tag.
        alive: called now and then; raises when the time is over.
    """
    lines = []
    for script in scripts:
        state = _Script(alive)
        state.parse(script)
        line = b"<script>" + state.written()
        lines.append(line if line.endswith(b"</script>") else line + b"</script>")
    return b"\n".join(lines)
