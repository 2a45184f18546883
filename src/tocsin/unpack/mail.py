"""Mail: every part of a message, decoded, whatever its headers say or fail to say.

A message is read the way its recipient's program may read it, and where programs differ, in
each way: a part with two transfer encodings is decoded by both, base64 that nobody announced
is decoded, delimiters that only some take for delimiters cause a second reading. Messages in
messages are handed out whole and come back here. Texts come out with their lines ended by
LF, as clamscan hands them on; files besides as they are.

Source: RFC 5322, RFC 2045 to 2047, RFC 2183; measured with clamscan 1.4.6.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from itertools import chain
from typing import NamedTuple

from tocsin.formats.identify import WINDOW, identify
from tocsin.formats.mail_kinds import mail_type, message_kinds, narrow_mail
from tocsin.unpack import uuencode
from tocsin.unpack.interface import (
    Budget,
    Hint,
    Item,
    Member,
    Reason,
    Remark,
    Skipped,
    Trait,
    View,
)
from tocsin.unpack.mail_headers import COMMENT, Header, file_name, read_header
from tocsin.unpack.mail_hints import LONGEST_TEXT, candidates, plain_text
from tocsin.unpack.mail_parts import MOST_SEARCHED, Part, Structure, media_type
from tocsin.unpack.mail_transfer import (
    base64_chunks,
    is_bare_base64,
    line_chunks,
    looks_like_base64,
    quoted_chunks,
)
from tocsin.unpack.mail_words import charset_named, decode_words, text_of
from tocsin.unpack.mbox import is_mailbox, messages
from tocsin.unpack.stream import Meta, copy, report, skipped, take

_MOST_TEXT = 8 * LONGEST_TEXT
_SHORTEST_PREAMBLE = 200
"""Bytes before the first part that are more than the usual line for old mail programs."""

_HEADER_REACH = 8192
_PGP_REACH = 256

_ENCODINGS = (
    (b"base64", "base64"),
    (b"quoted", "quoted-printable"),
    (b"uu", "uuencode"),
    (b"yenc", "yenc"),
    (b"binhex", "binhex"),
)
_EMBEDDED = re.compile(
    rb"(?<![^\r\n])content-t(?:ype|ransfer-encoding)[ \t]*:"
    rb"([^\r\n]*(?:(?:\r\n|\n|\r)[ \t]+[^\r\n]*)*)"
)
_TELLING = (b"multipart", b"base64", b"quoted", b"uu")
_EMPTY_LINES = (b"\n\n", b"\r\n\r\n")
_FIELD = re.compile(rb"\s*[!-9;-~]{1,998}[ \t]*:")
_PGP = b"-----BEGIN PGP MESSAGE-----"

TYPES = frozenset({"MAIL", "MHTML"})
_NO_MAIL = "TEXT_UTF8"

_Decoder = Callable[[bytes, int, int], Iterator[bytes]]


class MailUnpacker:
    """Unpacks messages, and mailboxes into messages."""

    types = TYPES

    def members(self, data: bytes, budget: Budget, passwords: Sequence[bytes]) -> Iterator[Item]:
        """See `Unpacker.members`; anything at all is read as a message."""
        if is_mailbox(data):
            yield from messages(data, budget)
        else:
            text = narrow_mail(data)
            if mail_type(text) == "MAIL" and identify(data) not in TYPES:
                yield View("as a mail", data, "MAIL")  # clamscan matches it as both
            yield from _Message(text, budget).items()


class _Plan(NamedTuple):
    """A part that is to be taken out.

    Attributes:
        name: name of its file, or empty.
        part: where it is.
        kind: its type as stated, or as its surroundings imply.
    """

    name: str
    part: Part
    kind: str

    @property
    def is_text(self) -> bool:
        """Whether a mail program shows it, or could, as text."""
        return self.kind.startswith(("text/", "multipart/")) or not self.kind

    @property
    def is_file(self) -> bool:
        """Whether a mail program offers it to be saved."""
        disposition = self.part.header.first(b"content-disposition")
        return bool(self.name) or disposition.lower().startswith(b"attachment")


class _Message:
    """One message while its parts are taken out."""

    def __init__(self, data: bytes, budget: Budget) -> None:
        self._data = data
        self._budget = budget
        self._position = 0
        self._cut = False  # there are more parts than may be taken out
        self._limited = False

    def items(self) -> Iterator[Item]:
        """Hints first, then the parts."""
        plans: list[_Plan] = []
        structure = self._read(plans, lax=False)
        if structure.ambiguous:
            self._read(plans, lax=True)
        if any(plan.is_file or not plan.is_text for plan in plans):
            hint = self._hint(structure.header, plans)
            if hint.passwords:
                yield hint
        for plan in plans:
            self._budget.check_time()
            yield from self._part(plan)
        if self._cut:
            bound = self._budget.limits.max_files
            yield Skipped("", Reason.LIMIT, f"more than {bound} parts (--max-files)")
        if self._limited:
            yield Skipped("", Reason.LIMIT, "too many delimiters to tell its parts apart")

    def _read(self, plans: list[_Plan], *, lax: bool) -> Structure:
        """Find the parts; in the second reading only those that the first had not."""
        most = self._budget.remaining_files
        structure = Structure(self._data, self._budget, lax=lax)
        known = {(plan.part.start, plan.part.end) for plan in plans}
        for part in structure.parts():
            if (part.start, part.end) in known:
                continue
            if most is not None and len(plans) > most:
                self._cut = True
                break
            kind = media_type(part.header)
            if not kind and part.parent == "multipart/digest" and part.role == "part":
                kind = "message/rfc822"
            plans.append(_Plan(file_name(part.header), part, kind))
        self._limited = self._limited or structure.limited
        return structure

    def _hint(self, header: Header, plans: list[_Plan]) -> Hint:
        """Passwords that the subject and the texts may give."""
        subject = b"\n".join(header.values(b"subject"))
        texts = [decode_words(subject[:LONGEST_TEXT])]
        used = ""
        left = _MOST_TEXT
        for plan in plans:
            if left <= 0:
                break
            if not plan.is_text or plan.is_file:
                continue
            start = plan.part.start
            end = min(plan.part.end, start + LONGEST_TEXT)
            left -= end - start
            encoding = next(iter(_encodings(plan.part.header)), "")
            raw = b"".join(_decoder(encoding)(self._data, start, end))
            names = plan.part.header.parameters(b"content-type", b"charset")
            charset = charset_named(names[0].decode("latin-1")) if names else ""
            used = used or charset
            text = text_of(raw, charset)
            texts += plain_text(text) if plan.kind == "text/html" else [text]
        return Hint(candidates(texts, used))

    # --- one part ---------------------------------------------------------------------

    def _part(self, plan: _Plan) -> Iterator[Item]:
        data, part = self._data, plan.part
        if self._is_nothing(part):
            return
        name = plan.name or self._label(plan)
        yield from self._remarks(plan, name)
        encodings = _encodings(part.header)
        identity = not encodings
        if identity and is_bare_base64(data, part.start, part.end):
            encodings = ["base64"]
        elif "base64" in encodings and not looks_like_base64(data, part.start, part.end):
            identity = True  # some programs show it as it is
        for encoding in encodings:
            yield from self._encoded(plan, name, encoding)
        if identity:
            yield from self._identity(plan, name)

    def _is_nothing(self, part: Part) -> bool:
        """Whether there is nothing but blanks, or the usual words before the first part."""
        size = part.end - part.start
        head = self._data[part.start : min(part.end, part.start + _HEADER_REACH)]
        if size <= _HEADER_REACH and not head.strip():
            return True
        if part.role != "preamble" or size >= _SHORTEST_PREAMBLE:
            return False
        return _next_embedded(head.lower(), 0) < 0 and b"begin" not in head

    def _label(self, plan: _Plan) -> str:
        if plan.part.role in ("preamble", "epilogue"):
            return f"{plan.part.role} {self._position + 1}"
        return f"part {self._position + 1} ({plan.kind or 'text/plain'})"

    def _remarks(self, plan: _Plan, name: str) -> Iterator[Item]:
        """What is to be said of a part besides its content."""
        kind, part = plan.kind, plan.part
        if kind == "message/external-body":
            yield Remark(Trait.NOTE, "its content is kept elsewhere (message/external-body)", name)
        elif kind == "message/partial":
            yield Skipped(name, Reason.UNSUPPORTED, "a fragment of a message (message/partial)")
        head = self._data[part.start : min(part.end, part.start + _PGP_REACH)].lstrip()
        if head.startswith(_PGP) or (
            part.parent == "multipart/encrypted" and kind == "application/octet-stream"
        ):
            meta = Meta(name, encrypted=True, position=self._position + 1)
            yield skipped(meta, Reason.ENCRYPTED, "encrypted by PGP")

    def _encoded(self, plan: _Plan, name: str, encoding: str) -> Iterator[Item]:
        """A body that is decoded in one way."""
        data, part = self._data, plan.part
        start, end = part.start, part.end
        type_name = self._type_name(plan, _decoder(encoding))
        if plan.kind.startswith("multipart/"):
            head = b"Content-Type: " + part.header.first(b"content-type") + b"\n\n"
            decoded = chain([head], _decoder(encoding)(data, start, end))
            yield from self._emit(name, decoded, "MAIL")
        elif encoding == "base64":
            yield from self._emit(name, base64_chunks(data, start, end), type_name)
        elif encoding == "quoted-printable":
            yield from self._lines_or_file(plan, name, quoted_chunks, type_name)
        else:
            # What is encoded so has its own first and last line, and is found by them.
            yield from self._identity(plan, name, marked=True)

    def _type_name(self, plan: _Plan, decode: _Decoder) -> str:
        """The type where the bytes alone would tell it wrongly.

        A message in the message is one whatever it looks like. A text in which messages stand
        is no message: those are taken out of it here, and read again it would give the same.
        It is called by the name of a type that is never recognised as mail.
        """
        start, end = plan.part.start, plan.part.end
        if plan.kind == "message/partial" or not (plan.is_text or plan.kind[:8] == "message/"):
            return ""
        head = b"".join(decode(self._data, start, min(end, start + 2 * WINDOW)))
        begins = _FIELD.match(head) is not None
        if plan.kind.startswith("message/"):
            return "MAIL" if begins else ""
        known = identify(head) in TYPES
        if begins and known:
            return ""
        return _NO_MAIL if known or (decode is copy and self._looks_like_mail(start, end)) else ""

    def _looks_like_mail(self, start: int, end: int) -> bool:
        return next(message_kinds(self._data[start:end]), None) is not None

    def _identity(self, plan: _Plan, name: str, *, marked: bool = False) -> Iterator[Item]:
        """A body that is not encoded, or not as a whole.

        Args:
            plan: the part.
            name: what to call it.
            marked: whether it is said to have encoded data inside, with a line before and after.
        """
        part = plan.part
        if not part.start and part.end == len(self._data) and identify(self._data) not in TYPES:
            yield from self._embedded(plan)  # the text itself is known already
            return
        type_name = self._type_name(plan, copy)
        places: list[tuple[int, int]] = []
        if type_name != "MAIL":
            places = yield from self._uuencoded(part, plan.name if marked else "")
        if places and (marked or plan.is_text):
            yield from self._rest(plan, name, places)
        else:
            yield from self._lines_or_file(plan, name, copy, type_name)
        if plan.is_text:
            yield from self._embedded(plan)

    def _rest(self, plan: _Plan, name: str, places: list[tuple[int, int]]) -> Iterator[Item]:
        """The text around files that are encoded in it."""
        pieces = list(_between(self._data, plan.part.start, plan.part.end, places))
        if any(piece.strip() for piece in pieces):
            yield from self._emit(name, line_chunks(pieces))

    def _lines_or_file(
        self, plan: _Plan, name: str, decode: _Decoder, type_name: str
    ) -> Iterator[Item]:
        """A text as its lines, a file as its bytes, and what could be either as both."""
        data, start, end = self._data, plan.part.start, plan.part.end
        binary = data.find(b"\0" if decode is copy else b"=00", start, end) >= 0
        crossed = data.find(b"\r", start, end) >= 0
        as_file = plan.is_file or not plan.is_text or binary
        if as_file:
            exact = _without_last_line_end(data, start, end)
            yield from self._emit(name, decode(data, start, exact), type_name)
        if not as_file or (crossed and not binary and not type_name):
            lines = line_chunks(decode(data, start, end))
            # A text that is all there is gets one line more: the object is not inside itself.
            whole = decode is copy and (start, end) == (0, len(data))
            yield from self._emit(name, chain(lines, [b"\n"] if whole else []), type_name)

    def _uuencoded(self, part: Part, name: str) -> Generator[Item, None, list[tuple[int, int]]]:
        """Files that are uuencoded in a text; returns where they stand."""
        data, start, end = self._data, part.start, part.end
        if data.find(b"begin", start, end) < 0:
            return []
        first = self._position + 1
        places = yield from uuencode.blocks(data, start, end, self._budget, first, name)
        self._position += len(places)
        return places

    def _embedded(self, plan: _Plan) -> Iterator[Item]:
        """Messages and parts that stand in a text with their headers, as bounces have them."""
        data, first, last = self._data, plan.part.start, plan.part.end
        folded = data[first:last].lower()
        opens = _Opening(data, last)
        at = 0
        while (place := _next_embedded(folded, at)) >= 0:
            self._budget.check_time()
            start = max(at, *(folded.rfind(end, at, place) + len(end) for end in _EMPTY_LINES))
            header = read_header(data, first + start, last)
            if header.body <= first + place:  # what stands before is no header
                start = place
                header = read_header(data, first + start, last)
            stop = last
            opened = opens.is_opened_by(header)
            if not opened:
                following = _next_embedded(folded, max(place + 1, header.body - first))
                stop = last if following < 0 else first + following
            at = max(place + 1, stop - first)
            if opened or _encodings(header):
                chunks = copy(data, first + start, stop)
                yield from self._emit("message in the text", chunks, "MAIL")
        self._limited = self._limited or opens.limited

    def _emit(self, name: str, chunks: Iterable[bytes], type_name: str = "") -> Iterator[Item]:
        """Hand out one object."""
        self._position += 1
        self._budget.charge_file()
        taken = take(chunks, self._budget)
        meta = Meta(name, packed_size=len(taken.data), position=self._position)
        for item in report(meta, taken):
            yield item._replace(type_name=type_name) if isinstance(item, Member) else item


def _next_embedded(folded: bytes, at: int) -> int:
    """The next line of a text that says how something is encoded or parted, or -1."""
    while True:
        at = folded.find(b"content-t", at)
        if at < 0:
            return at
        line = _EMBEDDED.match(folded, at)
        if line is not None and any(sign in line[1] for sign in _TELLING):
            return at
        at += 1


def _encodings(header: Header) -> list[str]:
    """The transfer encodings that a header states, other than none."""
    found: dict[str, None] = {}
    for value in header.values(b"content-transfer-encoding"):
        bare = COMMENT.sub(b"", value).translate(None, b" \t\"'").lower()
        found.update(dict.fromkeys(name for sign, name in _ENCODINGS if sign in bare))
    return list(found)


def _decoder(encoding: str) -> _Decoder:
    if encoding == "base64":
        return base64_chunks
    return quoted_chunks if encoding == "quoted-printable" else copy


class _Opening:
    """Tells whether headers in a text begin multiparts whose delimiters follow.

    Attributes:
        limited: whether it was asked too often to tell; known at the end.
    """

    def __init__(self, data: bytes, end: int) -> None:
        self.limited = False
        self._data = data
        self._end = end
        self._last: dict[bytes, int] = {}
        self._searched = 0

    def is_opened_by(self, header: Header) -> bool:
        """Whether a boundary that a header states stands behind it."""
        names = header.parameters(b"content-type", b"boundary")
        return any(name and self._last_place(name) >= header.body for name in names)

    def _last_place(self, name: bytes) -> int:
        """Where a delimiter stands for the last time: looked for once for each name."""
        if name not in self._last and self._searched < MOST_SEARCHED:
            found = self._data.rfind(b"--" + name, 0, self._end)
            self._searched += self._end - max(0, found)
            self._last[name] = found
        self.limited = self.limited or name not in self._last
        return self._last.get(name, -1)


def _between(data: bytes, start: int, end: int, places: list[tuple[int, int]]) -> Iterator[bytes]:
    """What stands before, between and behind some places."""
    for begin, stop in places:
        yield from copy(data, start, begin)
        start = stop
    yield from copy(data, start, end)


def _without_last_line_end(data: bytes, start: int, end: int) -> int:
    """End of a body whose last line end belongs to the delimiter behind it."""
    if end - start >= 2 and data[end - 2 : end] == b"\r\n":
        return end - 2
    return end - 1 if end > start and data[end - 1] in b"\r\n" else end


UNPACKER = MailUnpacker()
