r"""Objects in RTF: hexadecimal digits after `\objdata`, whatever is strewn between them.

Word takes the digits and passes over much else: blanks, words it does not know, groups meant
to be ignored. Malware hides objects so from readers that are stricter than Word, hence this
one is as lenient as Word, and where it is not known what Word does, takes the way that gives
an object.

Source: Rich Text Format specification 1.9.1; MS-OLEDS 2.2; lenience by measurement.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from tocsin.errors import FormatError
from tocsin.unpack.cfb import MAGIC as COMPOUND
from tocsin.unpack.interface import Budget, Item, Member, Reason, Remark, Skipped, Trait
from tocsin.unpack.ole1 import read_object, read_package
from tocsin.unpack.parts import Parts
from tocsin.unpack.stream import OUTPUT_CHUNK, Interrupted, copy

_START = re.compile(rb"\\(objdata|datastore)(?![a-z])")
_TOKEN = re.compile(
    rb"(?P<hex>[0-9A-Fa-f\s]+)"
    rb"|\\(?P<word>[A-Za-z]+)(?P<number>-?[0-9]+)? ?"
    rb"|\\'(?P<byte>[0-9A-Fa-f]{0,2})"
    rb"|\\(?P<symbol>.)"
    rb"|(?P<brace>[{}])"
    rb"|[^\\{}0-9A-Fa-f\s]+",
    re.DOTALL,
)
_BLANKS = b" \t\r\n\f\v"
_TEMPLATE = re.compile(rb"\\\*?\\template\s+([^{}]{1,512})")

_DESTINATIONS = frozenset(
    b"annotation author background bkmkend bkmkstart blipuid category colortbl comment company "
    b"datafield do docvar falt ffname field fldinst fldrslt fontemb fontfile fonttbl footer "
    b"footnote formfield generator header info keywords listtable manager nonshppict objalias "
    b"objclass objname objsect object objtime oldcprops pict private result rxe shp shpinst "
    b"shppict shptxt sn sp stylesheet subject sv tc template title txe upr userprops xe".split()
)
"""Words that send what follows elsewhere."""

_PADDING = b"\0\xff \r\n"
_LONGEST_LABELS = 4096
"""Bytes that a package's names take at most, unless one of them hides something."""

_SHORTEST_REST = 32
"""An empty picture behind an object's data takes 8 bytes. Source: MS-OLEDS 2.2.4."""

_BETWEEN_CHECKS = 4096
_MOST_TOKENS = 1_000_000
"""Words, braces and runs of digits that an object may consist of."""


class RtfUnpacker:
    """Unpacks RTF."""

    types = frozenset({"RTF"})

    def members(self, data: bytes, budget: Budget, passwords: Sequence[bytes]) -> Iterator[Item]:
        """See `Unpacker.members`."""
        if not data.startswith(b"{\\rt"):
            raise FormatError("not RTF")
        parts = Parts(budget)
        template = _TEMPLATE.search(data)
        if template is not None and (b"://" in template[1] or template[1].startswith(b"\\\\")):
            where = template[1].strip().decode("latin-1")
            yield Remark(Trait.NOTE, f"takes its template from elsewhere: {where}")
        found = _START.search(data)
        while found is not None:
            reader = _Digits(data, found.end(), budget)
            name = f"object {parts.position + 1}"
            for item in parts.member(name, reader.chunks(), 0):
                inside: list[tuple[str, int, int]] = []
                blob = b""
                if isinstance(item, Member) and item.complete:
                    blob, inside = item.data, _inside(item.data)
                if not inside and (item.size or isinstance(item, Skipped)):
                    yield item
                for title, start, end in inside:
                    yield from parts.member(title, copy(blob, start, end))
            found = _START.search(data, reader.at)


class _Digits:
    """The bytes of one object.

    Attributes:
        at: how far the file has been read.
    """

    def __init__(self, data: bytes, at: int, budget: Budget) -> None:
        self._data = data
        self.at = at
        self._budget = budget
        self._tokens = 0

    def chunks(self) -> Iterator[bytes]:
        """Put the digits of the object together, two a byte."""
        digits, out = bytearray(), bytearray()
        for piece in self._pieces():
            if piece[:1] == b"=":
                # Raw bytes end the digits before them; half a byte is dropped.
                if digits:
                    out += _bytes(digits)
                    digits.clear()
                out += piece[1:]
            else:
                digits += piece
            if len(digits) > 2 * OUTPUT_CHUNK:
                even = len(digits) & ~1
                out += _bytes(digits[:even])
                del digits[:even]
            if len(out) >= OUTPUT_CHUNK:
                yield bytes(out)
                out.clear()
        yield bytes(out) + _bytes(digits)
        if self._tokens > _MOST_TOKENS:
            detail = f"an object with more than {_MOST_TOKENS} words and braces in it"
            raise Interrupted(Reason.LIMIT, detail)

    def _pieces(self) -> Iterator[bytes]:
        """Digits, or raw bytes behind a `=`."""
        data = self._data
        depth, ignored = 0, -1
        starred = False
        while (token := _TOKEN.match(data, self.at)) is not None:
            self._tokens += 1
            if self._tokens % _BETWEEN_CHECKS == 0:
                self._budget.check_time()
                if self._tokens > _MOST_TOKENS:
                    return
            self.at = token.end()
            kind = token.lastgroup
            if kind == "hex":
                if ignored < 0:
                    yield token[0].translate(None, _BLANKS)
            elif kind == "brace":
                depth += 1 if token[0] == b"{" else -1
                if depth < 0:
                    return
                if depth < ignored:
                    ignored = -1
            elif kind == "symbol":
                starred = token["symbol"] == b"*"
                continue
            elif token["word"] is not None:
                if token["word"] == b"bin":
                    raw = self._raw(int((token["number"] or b"0")[:10]))
                    if ignored < 0:
                        yield b"=" + raw
                elif depth and ignored < 0 and (starred or token["word"] in _DESTINATIONS):
                    ignored = depth
            starred = False

    def _raw(self, size: int) -> bytes:
        start = self.at
        self.at = min(start + max(0, size), len(self._data))
        return self._data[start : self.at]


def _bytes(digits: bytes | bytearray) -> bytes:
    return bytes.fromhex(digits[: len(digits) & ~1].decode("ascii"))


def _inside(blob: bytes) -> list[tuple[str, int, int]]:
    """What an object wraps: name, begin and end of each; nothing where it is all there is."""
    head = read_object(blob)
    if head is None:
        at = blob.find(COMPOUND)
        return [("object", 0, len(blob)), ("compound file", at, len(blob))] if at > 0 else []
    package = read_package(blob, head.start)
    if package is not None and head.class_name.lower() == "package" and package.end <= len(blob):
        found = [(package.name, package.start, package.end)]
        if package.start - head.start > _LONGEST_LABELS:
            found.append(("before the package", head.start, package.start))
        return found + _rest(blob, package.end)
    if head.end > len(blob):
        return [("object", 0, len(blob)), (head.class_name, head.start, len(blob))]
    return [(head.class_name or "native data", head.start, head.end), *_rest(blob, head.end)]


def _rest(blob: bytes, start: int) -> list[tuple[str, int, int]]:
    """What stands behind the data, as its picture does; padding is nothing."""
    if len(blob) - start <= _SHORTEST_REST or not blob[start:].strip(_PADDING):
        return []
    return [("rest of the object", start, len(blob))]


UNPACKER = RtfUnpacker()
