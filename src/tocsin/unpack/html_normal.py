"""HTML in the normal forms that signatures for target 3 are written against.

Two forms come out: the page in lower case without comments, white space and quotes made
alike and references decoded; and its text without tags, with the addresses of links and
pictures. Scripts are collected on the way. Signatures were cut from what ClamAV makes of a
page, so its oddities are kept: a quoted value ends with its second blank, a comment with its
first `>`, blanks at the beginning of a piece of 8,191 bytes are lost.

Whole stretches of ordinary markup are brought into both forms at once; what is unusual goes
through the states of `_Page` one construct at a time. Linear in the page's size.

Source: measured with clamscan 1.4.6 and sigtool --html-normalise.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence

from tocsin.patterns import compile_pattern
from tocsin.unpack.html_entities import CHARACTERS
from tocsin.unpack.html_stretch import STRETCH, stretch_page, stretch_text
from tocsin.unpack.screnc import decode

PIECE = 8191
"""Bytes that are looked at together; a piece ends behind white space where it can."""

LONGEST_NAME = 1024
"""Bytes of a name or value that are kept."""

_BLANKS = b" \t\n\v\f\r"
_LINES = bytes.maketrans(b"\n", b" ")
_NOT_NUL = compile_pattern(rb"[^\0]")
_LAST_BLANK = compile_pattern(rb".*[\s]", re.DOTALL)

_SCRIPT_FORM = bytes.maketrans(b"'", b'"')
_SCRIPT_RUN = compile_pattern(rb"(?:[^<&\x80-\xff]++|<[^\s!/>'])++")
"""What the contents of a script or style have no states for; a quote behind `<` stays one."""

_TEXT_RUN = compile_pattern(rb"[^<&\x80-\xff]+")
_BARE_REFERENCES = compile_pattern(rb"(?:&(?:#(?=[^xX;0-9])|(?=[^#;\w:-])))++")
"""References without a name or number, as the states leave them behind."""

_HIGH = compile_pattern(rb"[\x80-\xff]+")
_BLANK_RUN = compile_pattern(rb"\s+")
_UNSEEN_RUN = compile_pattern(rb"[\x00-\x20]+")
_RETURN = compile_pattern(rb"\r")
_NAME = compile_pattern(rb"[^\s>]+")
_ARGUMENT = compile_pattern(rb"[^\s=>]+")
_VALUE = compile_pattern(rb"[^\s>&'\"\x80-\xff]+")
_ENTITY = compile_pattern(rb"[A-Za-z0-9_:-]+")
_DATA_BEGINS = (b"data:", b'"data:')
_DATA = compile_pattern(rb"[^&'\"\s>]+")
_STOPS = {0xE38082, 0xEFBC8E, 0xEFB992}
_BEHIND_A1 = b"CDO"
_ENCODED = compile_pattern(rb"#@~\^[A-Za-z0-9+/=]{8}")
_ENCODED_END = compile_pattern(rb".{6}==\^#~@", re.DOTALL)
_CODED_LANGUAGES = {b"jscript.encode": b"javascript", b"vbscript.encode": b"vbscript"}


def pieces(data: bytes) -> Iterator[bytes]:
    """Cut a page up as clamscan reads it: NUL bytes are left out.

    Where a piece that held NUL bytes is cut back to its last white space, as many bytes are
    read again as characters were cut off, so that a few are lost.
    """
    at, size = 0, len(data)
    while at < size:
        piece, end = _next_piece(data, at)
        if end < size and data[end] not in _BLANKS:
            blank = _LAST_BLANK.match(piece)
            if blank is not None and 1 < blank.end() < len(piece):
                end -= len(piece) - blank.end()
                piece = piece[: blank.end()]
        yield piece
        at = end


def _next_piece(data: bytes, at: int) -> tuple[bytes, int]:
    """So many bytes that are not NUL, and where the next ones stand."""
    end = min(at + PIECE, len(data))
    piece = data[at:end]
    if 0 not in piece:
        return piece, end
    piece = piece.translate(None, b"\0")
    while len(piece) < PIECE and end < len(data):
        other = _NOT_NUL.search(data, end)
        if other is None:
            return piece, len(data)
        at = other.start()
        end = min(at + PIECE - len(piece), len(data))
        piece += data[at:end].translate(None, b"\0")
    return piece, end


class _Page:
    """The states of one page.

    Attributes:
        page: the page without comments.
        text: its text without tags.
        scripts: what stands between each script's tags, the closing tag included.
    """

    def __init__(self) -> None:
        self.page = bytearray()
        self.text = bytearray()
        self.scripts: list[list[bytes]] = []
        self._state: Callable[[bytes, int], int] = self._plain
        self._next: Callable[[bytes, int], int] = self._plain
        self._inside = b""  # the tag whose contents are taken as they are
        self._spaced = False
        self._script_open = False
        self._script_start = 0
        self._tag = bytearray()
        self._argument = bytearray()
        self._value = bytearray()
        self._quote = 0
        self._arguments: dict[bytes, bytes | None] = {}
        self._high = 0
        self._high_in_value = 0
        self._number = 0
        self._hexadecimal = False
        self._entity = bytearray()
        self._whole = b""
        self._returns: Sequence[int] | None = ()
        self._lead = 0

    def feed(self, piece: bytes) -> None:
        """Take in the next piece."""
        self._whole = piece
        seen = piece.lstrip(_BLANKS)
        self._lead = len(piece) - len(seen)
        self._returns = None if b"\r" in seen else ()
        piece = seen.translate(_LINES, b"\r")
        at, end = 0, len(piece)
        self._script_start = 0
        while at < end:
            at = self._state(piece, at)
            if at < 0:  # an encoded script was decoded: the piece is another one now
                piece, at = self._whole, -at - 1
                end = len(piece)
        if self._script_open:
            self.scripts[-1].append(self._whole[self._script_start :])

    def finish(self) -> None:
        """Write out a reference that the page's end cut off."""
        if self._entity:
            self.page += _character(bytes(self._entity)) or b"&" + self._entity.lower()

    # --- white space ----------------------------------------------------------------------

    def _go(self, state: Callable[[bytes, int], int]) -> None:
        """Go on with a state behind white space."""
        self._state, self._next = self._skip, state

    def _skip(self, piece: bytes, at: int) -> int:
        if piece[at] in _BLANKS:
            blank = _BLANK_RUN.match(piece, at)
            return at + 1 if blank is None else blank.end()
        self._state = self._next
        return self._state(piece, at)

    def _trim(self, piece: bytes, at: int) -> int:
        blank = _BLANK_RUN.match(piece, at)
        if blank is not None:
            return blank.end()
        if not self._inside:
            self.page += b" "
        self._state = self._plain
        return at

    def _space_text(self) -> None:
        if not self._spaced and not self._inside:
            self.text += b" "
            self._spaced = True

    # --- between tags ---------------------------------------------------------------------

    def _plain(self, piece: bytes, at: int) -> int:
        if self._inside:
            run = _SCRIPT_RUN.match(piece, at)
            if run is not None:
                self.page += run[0].lower().translate(_SCRIPT_FORM, _BLANKS)
                return run.end()
        elif not self._high_in_value:
            end = self._stretch(piece, at)
            if end > at:
                return end
        byte = piece[at]
        if byte == 0x3C:
            self.page += b"<"
            self._space_text()
            self._tag.clear()
            self._go(self._name)
            return at + 1
        if byte == 0x26:
            self._space_text()
            bare = _BARE_REFERENCES.match(piece, at)
            if bare is not None:
                self.page += bare[0].replace(b"&#", b"\0")
                return bare.end()
            self._state, self._next = self._reference, self._plain
            return at + 1
        if byte >= 0x80:
            self._high = byte
            self._state = self._eight_bit
            return at + 1
        return self._ascii(piece, at)

    def _stretch(self, piece: bytes, at: int) -> int:
        """Take ordinary markup at once, up to the last tag of the piece.

        What a piece ends with is left to the states, since what becomes of it hangs on the
        next piece.
        """
        found = STRETCH.match(piece, at)
        if found is None:
            return at
        end = found.end()
        if end == len(piece):
            end = piece.rfind(b"<", at, end)
            if end <= at:
                return at
        stretch = piece[at:end]
        self.page += stretch_page(stretch)
        text = stretch_text(stretch)
        if self._spaced and text.startswith(b" "):
            text = text[1:]
        if text:
            self.text += text
            self._spaced = text.endswith(b" ")
        return end

    def _ascii(self, piece: bytes, at: int) -> int:
        run = _TEXT_RUN.match(piece, at)
        end = at + 1 if run is None else run.end()
        part = piece[at:end]
        if self._inside:
            self.page += part.lower().translate(_SCRIPT_FORM, _BLANKS)
            return end
        low = part.lower()
        text = _UNSEEN_RUN.sub(b" ", low)
        if self._spaced and text.startswith(b" "):
            text = text[1:]
        if text:
            self.text += text
            self._spaced = text.endswith(b" ")
        if low[-1] in _BLANKS:
            low = low.rstrip(_BLANKS)
            self._state = self._trim
        self.page += _BLANK_RUN.sub(b" ", low)
        return end

    def _eight_bit(self, piece: bytes, at: int) -> int:
        byte = piece[at]
        high = self._high
        if byte >= 0x80 and high < 0x10000:
            self._high = high << 8 | byte
            return at + 1
        self._high = 0
        self._state = self._plain
        if high in _STOPS or (high == 0xA1 and byte in _BEHIND_A1):
            self.page += b"."
            self.text += b"."
            if high == 0xA1:
                self._state = self._eight_bit
                return at + 1
            return at
        kept = high.to_bytes(3, "big").lstrip(b"\0") or b"\0"
        self.page += kept
        self.text += kept[:-1] + bytes((high >> 8 & 0xFF,))
        return at

    def _comment(self, piece: bytes, at: int) -> int:
        end = piece.find(b">", at)
        stop = len(piece) if end < 0 else end + 1
        if self._inside:
            self.page += piece[at:stop].lower().translate(_SCRIPT_FORM, _BLANKS)
        if end >= 0:
            self._go(self._plain)
        return stop

    # --- tags -----------------------------------------------------------------------------

    def _name(self, piece: bytes, at: int) -> int:
        byte = piece[at]
        if byte == 0x21 and not self._tag:
            if self._inside:
                self.page += b"!"
            else:
                del self.page[-1]
            self._state = self._comment
            return at + 1
        if byte == 0x3E:
            self.page += b">"
            self._go(self._process)
            return at + 1
        if byte in _BLANKS:
            self._argument.clear()
            self._go(self._process if self._inside else self._arguments_of)
            return at
        if self._inside and not self._tag and byte != 0x2F:
            self.page += piece[at : at + 1].lower()
            self._state = self._plain
            return at + 1
        run = _NAME.match(piece, at)
        assert run is not None
        name = run[0].lower()
        self.page += name
        self._tag += name[: LONGEST_NAME - len(self._tag)]
        return run.end()

    def _arguments_of(self, piece: bytes, at: int) -> int:
        byte = piece[at]
        if byte == 0x3D:
            self.page += b"="
            self._begin_value()
            return at + 1
        if byte == 0x3E:
            self.page += b">"
            if self._argument:
                self._keep(None)
            self._state = self._process
            return at + 1
        run = _ARGUMENT.match(piece, at)
        if run is None:
            self._go(self._equals)
            return at + 1
        if not self._argument:
            self.page += b" "
        name = run[0].lower()
        self.page += name
        self._argument += name[: LONGEST_NAME - len(self._argument)]
        return run.end()

    def _begin_value(self) -> None:
        self._quote = 0
        self._value.clear()
        self._go(self._value_of)

    def _equals(self, piece: bytes, at: int) -> int:
        if piece[at] == 0x3D:
            self.page += b"="
            self._begin_value()
            return at + 1
        if self._argument:
            self._keep(None)
        self._argument.clear()
        self._state = self._arguments_of
        return at

    def _keep(self, value: bytes | None) -> None:
        if value is not None and value.startswith(b'"'):
            value = value[1:-1]
        self._arguments.setdefault(bytes(self._argument), value)

    def _extend(self, more: bytes) -> None:
        room = LONGEST_NAME - len(self._value)
        if room > 0:
            self._value += more[:room]

    def _value_of(self, piece: bytes, at: int) -> int:
        value = self._value
        if 5 <= len(value) <= 6 and bytes(value) in _DATA_BEGINS:
            del self.page[-1]
            if self._quote:
                self.page += b'"'
            value.clear()
            self._state = self._data_type
            return at
        byte = piece[at]
        if byte == 0x26:
            self._state, self._next = self._reference, self._value_of
            return at + 1
        if byte in b"'\"":
            self.page += b'"'
            if not value:
                self._quote = byte
                value += b'"'
            else:
                self._extend(b'"')
                if self._quote == byte:
                    self._end_value()
            return at + 1
        if byte == 0x3E or byte in _BLANKS:
            if not self._quote:
                self._end_value()
                return at
            kept = b">" if byte == 0x3E else b" "
            self.page.append(byte)
            self._extend(kept)
            self._quote = 0
            self._go(self._value_of)
            return at + 1
        return self._ordinary(piece, at)

    def _end_value(self) -> None:
        self._keep(bytes(self._value))
        self._argument.clear()
        self._go(self._arguments_of)

    def _ordinary(self, piece: bytes, at: int) -> int:
        """A part of a value that means nothing by itself."""
        byte = piece[at]
        high = self._high_in_value
        if high and (byte < 0x80 or high >= 0x10000):
            self._high_in_value = 0
            if high in _STOPS or (high == 0xA1 and byte in _BEHIND_A1):
                self.page += b"."
                self._extend(b".")
                if high == 0xA1:
                    return at + 1
            else:
                kept = high.to_bytes(4, "big").lstrip(b"\0")
                self.page += kept
                self._extend(kept)
        if byte >= 0x80:
            self._high_in_value = self._high_in_value << 8 | byte
            return at + 1
        run = _VALUE.match(piece, at)
        part = piece[at : at + 1] if run is None else run[0]
        if len(self._value) < 6 and (self._value + part[:6]).startswith(_DATA_BEGINS):
            part = part[:1]
        self.page += part.lower()
        self._extend(part)
        return at + len(part)

    def _process(self, piece: bytes, at: int) -> int:
        """A tag is complete; this waits for something behind it."""
        self._go(self._plain)
        tag = bytes(self._tag)
        arguments = self._arguments
        if tag == b"/script":
            self._inside = b""
            self._close_script(at)
        elif tag == b"/style" and self._inside == b"style":
            self._inside = b""
        elif tag in (b"script", b"%@"):
            self._open_script(tag, at)
        elif tag == b"style":
            self._inside = b"style"
        elif tag in (b"a", b"img"):
            address = arguments.get(b"href" if tag == b"a" else b"src")
            if address:
                self.text += address.partition(b"\0")[0] + b" "
                self._spaced = True
        arguments.clear()
        return at

    def _open_script(self, tag: bytes, at: int) -> None:
        language = self._arguments.get(b"language")
        coded = _CODED_LANGUAGES.get((language or b"").lower())
        if tag == b"%@":
            if coded:
                self._state = self._encoded
            return
        if coded:
            self._arguments[b"language"] = coded
            self.page += b"<script"
            for name, value in self._arguments.items():
                self.page += b" " + name
                if value is not None:
                    self.page += b'="' + value.lower() + b'"'
            self.page += b">"
            self._go(self._encoded)
        self._inside = b"script"
        if not self._script_open:
            self.scripts.append([])
            self._script_open = True
            self._script_start = self._in_whole(at)

    def _close_script(self, at: int) -> None:
        if self._script_open:
            self.scripts[-1].append(self._whole[self._script_start : self._in_whole(at)])
            self._script_open = False

    def _in_whole(self, at: int) -> int:
        """The place in the piece before its carriage returns were taken out."""
        if self._returns is None:
            lead = self._lead
            places = [found.start() - lead for found in _RETURN.finditer(self._whole, lead)]
            self._returns = [place - count for count, place in enumerate(places)]
        return self._lead + at + bisect_right(self._returns, at)

    # --- encoded scripts ------------------------------------------------------------------

    def _encoded(self, piece: bytes, at: int) -> int:
        """A script in the form of Windows Script Encoder, decoded in its place."""
        found = _ENCODED.search(piece, at)
        if found is None:
            self.page += piece[at:].lower()
            return len(piece)
        end = _ENCODED_END.search(piece, found.end())
        stop = len(piece) if end is None else end.start()
        rest = b"" if end is None else piece[end.end() :]
        head = piece[: found.start()] + b"//~^" + found[0][4:-1] + b"\n"
        self.page += piece[at : found.start()].lower()
        self._whole = head + decode(piece[found.end() : stop]).translate(_LINES, b"\r") + rest
        self._returns = ()
        self._lead = 0
        self._state = self._plain
        return -len(head) - 1

    # --- references -----------------------------------------------------------------------

    def _reference(self, piece: bytes, at: int) -> int:
        if piece[at] == 0x23:
            self._number = 0
            self._hexadecimal = False
            self._state = self._numbered
            return at + 1
        self._state = self._named
        return at

    def _named(self, piece: bytes, at: int) -> int:
        entity = self._entity
        room = LONGEST_NAME - len(entity)
        run = _ENTITY.match(piece, at, at + room)
        if run is not None:
            entity += run[0]
            return run.end()
        known = _character(bytes(entity)) if piece[at] == 0x3B else None
        if known is not None:
            self._put(known)
            at += 1
        else:
            self._put(b"&" + entity.lower())
            if piece[at] == 0x3B:
                self._put(b";")
                at += 1
        entity.clear()
        self._state = self._next
        return at

    def _put(self, out: bytes) -> None:
        self.page += out
        if self._next == self._value_of:
            self._extend(out)

    def _numbered(self, piece: bytes, at: int) -> int:
        byte = piece[at]
        number = self._number
        if not number and byte in b"xX":
            self._hexadecimal = True
            return at + 1
        if byte == 0x3B:
            if self._next == self._value_of:
                self._extend(bytes((number & 0xFF,)))
            self.page += bytes((number,)).lower() if number < 0x80 else _written(number & 0xFFFF)
            self._state = self._next
            return at + 1
        digit = _DIGITS[byte]
        if 0 <= digit < (16 if self._hexadecimal else 10):
            base = 16 if self._hexadecimal and number < _MOST // 16 else 10
            if number < _MOST // base and number * base <= _MOST - digit:
                self._number = number * base + digit
                return at + 1
            at += 1
        self.page.append(self._number & 0xFF)
        self._state = self._next
        return at

    # --- data in addresses ----------------------------------------------------------------

    def _data_type(self, piece: bytes, at: int) -> int:
        byte = piece[at]
        if byte == 0x2C:
            self._state = self._data
            return at + 1
        if byte in b"'\"":
            if self._quote == byte:
                self._argument.clear()
                self._go(self._arguments_of)
            return at + 1
        if byte == 0x3E or byte in _BLANKS:
            if not self._quote:
                self._argument.clear()
                self._go(self._arguments_of)
                return at
            self._quote = 0
            self._go(self._data_type)
        return at + 1

    def _data(self, piece: bytes, at: int) -> int:
        run = _DATA.match(piece, at)
        if run is not None:
            return run.end()
        byte = piece[at]
        if byte == 0x26:
            self._state, self._next = self._reference, self._data
        elif byte in b"'\"":
            if self._quote == byte:
                self._state = self._data_end
        elif not self._quote:
            self._state = self._data_end
        return at + 1

    def _data_end(self, piece: bytes, at: int) -> int:
        self._quote = 0
        self._go(self._arguments_of)
        return at


_MOST = (1 << 63) - 1
_DIGITS = [
    int(chr(byte), 16) if chr(byte) in "0123456789abcdefABCDEF" else -1 for byte in range(256)
]


def _character(name: bytes) -> bytes | None:
    code = CHARACTERS.get(name)
    return None if code is None else _written(code)


def _written(code: int) -> bytes:
    """A character as the normal form writes it: a byte, a full stop, or a number."""
    if not code:
        return b""
    if code < 0xFF:
        return bytes((code,))
    return b"." if code in (0x3002, 0xFF0E, 0xFE52) else b"&#x%04x;" % code


class Forms:
    """The normal forms of one page; filled piece by piece so that a caller can watch the time.

    Attributes:
        page: without comments.
        text: without tags.
        scripts: the scripts as they stand in the page.
    """

    def __init__(self, data: bytes, alive: Callable[[], None]) -> None:
        state = _Page()
        for piece in pieces(data):
            alive()
            state.feed(piece)
        state.finish()
        self.page = bytes(state.page)
        self.text = bytes(state.text)
        self.scripts = [b"".join(parts) for parts in state.scripts]
