"""PDF: every stream decoded, embedded files by their names, scripts, and addresses.

What comes out of a document:

- each stream with its filters undone, under its object's number or the name of the file it
  embeds; of equal streams one. An object stream comes as one text;
- scripts that are strings, each as a text, and all addresses together as one text, because
  their escapes, encodings or encryption hide them from signatures on the file itself;
- the text of pages together as one, where clamscan makes one a page;
- remarks on what it does: programs launched, forms sent, scripts, what acts by itself.

Objects are found by their headers (`pdf_objects`) and decoded here, not by qpdf, though its
library is at hand: qpdf goes where the cross-reference table leads, decodes a stream at once
however big it gets, and walking its objects in Python takes longer than finding them.

A document may have more streams than there may be objects in a tree (`Budget.max_files`);
clamscan leaves out those above 10,000 and calls the file clean. Here, when there are more
than half of what is left, small streams that are text or data without a type are joined.
A signature of a small text's digest is then lost, one of its bytes is not.

clamscan differs: it leaves predictors as they are, so that its signatures of a predicted
stream's digest do not match here.

Source: ISO 32000-1.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from hashlib import blake2b
from itertools import pairwise

from tocsin.errors import FormatError, LimitReached
from tocsin.formats.identify import identify
from tocsin.unpack.interface import Budget, Item, Member, Reason, Remark, Skipped, Trait
from tocsin.unpack.pdf_actions import TELLTALE, Findings, Text, is_string
from tocsin.unpack.pdf_crypt import Key, open_with, read_terms
from tocsin.unpack.pdf_filters import Filter, decode
from tocsin.unpack.pdf_objects import MOST_OBJECTS, Found, Objects
from tocsin.unpack.pdf_parts import Parts, page_text
from tocsin.unpack.pdf_streams import Kind, Kinds, Stream, crypt_filter_of, filters_of
from tocsin.unpack.pdf_syntax import Ref, Value, as_text, parse, windows
from tocsin.unpack.stream import Meta, Taken, report, skipped, take

_MAGIC = b"%PDF-"
_LARGEST_JOINED_PART = 16 * 1024
_UNTYPED = ("TEXT_ASCII", "TEXT_UTF16BE", "TEXT_UTF16LE", "TEXT_UTF8", "BINARY_DATA")
_MOST_REMARKS = 100
_LONGEST_SHOWN = 300
_MOST_KEPT = 100_000
"""Objects out of object streams that are remembered to be looked up."""


class PdfUnpacker:
    """Unpacks PDF."""

    types = frozenset({"PDF"})

    def members(self, data: bytes, budget: Budget, passwords: Sequence[bytes]) -> Iterator[Item]:
        """See `Unpacker.members`."""
        objects = Objects(data, budget)
        if not len(objects):
            if data.startswith(_MAGIC):
                raise FormatError("not PDF: it has no objects")
            return  # a text that speaks of PDF
        yield from _Document(data, objects, budget, passwords).members()


class _Document:
    """One document while it is taken apart."""

    def __init__(
        self, data: bytes, objects: Objects, budget: Budget, passwords: Sequence[bytes]
    ) -> None:
        self._data = data
        self._objects = objects
        self._budget = budget
        self._passwords = passwords
        self._findings = Findings()
        self._kinds = Kinds(objects.value)
        self._streams: list[Stream] = []
        self._key: Key | None = None
        self._kept: dict[int, Value] = {}
        self._position = 0
        self._seen: set[tuple[bytes, tuple[Filter, ...]]] = set()
        self._joining = False
        self._joined = Parts("joined streams", "", budget)
        self._pages = Parts("text of pages", "TEXT_ASCII", budget)

    def members(self) -> Iterator[Item]:
        self._survey()
        yield from self._complaints()
        keys: list[Key | None] = [None]
        if self._findings.encryptions:
            key = self._unlock()
            if key is None or key.password:
                yield Remark(Trait.ENCRYPTED_DOCUMENT, "it opens with a password only")
            if key is None and not self._findings.plain_trailers:
                yield Skipped("document", Reason.ENCRYPTED, "no password fits", encrypted=True)
                return
            # Where trailers disagree on encryption, so may viewers.
            keys = [key] if not self._findings.plain_trailers else [None, key]
        room = self._budget.remaining_files
        self._joining = room is not None and len(self._streams) > room // 2
        try:
            for key in keys:
                self._key = key
                yield from self._all_streams()
            yield from self._scripts()
            yield from self._addresses()
        except LimitReached:
            yield from self._flush(self._joined)
            raise
        yield from self._flush(self._joined)
        yield from self._flush(self._pages)
        yield from self._remarks()

    def _all_streams(self) -> Iterator[Item]:
        for stream in self._streams:
            if stream.kind.holds_objects:
                yield from self._object_stream(stream)
        for stream in self._streams:
            if not stream.kind.holds_objects:
                yield from self._stream(stream)

    # --- finding ---------------------------------------------------------------------------

    def _survey(self) -> None:
        """Find all streams, and look at the dictionaries of all objects."""
        data = self._data
        self._look_at(0, self._objects.first, Ref(0, 0))
        inner_until = 0
        for found in self._objects:
            if found.start < inner_until:
                continue  # in a document within this one, which is opened for itself
            if found.stream < 0:
                self._look_at(found.start, found.end, found.ref)
                continue
            stream = self._described(found)
            self._note(stream)
            if stream.kind.earlier is not None:
                self._note(self._stream_of(found, stream.kind.earlier, stream.kind.earlier.length))
            self._look_at(min(stream.extent.end, found.end), found.end, found.ref)
            if stream.kind.filters is None and data.startswith(_MAGIC, stream.extent.start):
                inner_until = stream.extent.end

    def _described(self, found: Found) -> Stream:
        data = self._data
        kind, length = self._kinds.read(data, found.start, found.stream)
        if TELLTALE.search(data, found.start, found.stream) is not None:
            for dictionary in kind.dictionaries:
                self._findings.look(dictionary, found.ref, found.ref.number)
        return self._stream_of(found, kind, length)

    def _stream_of(self, found: Found, kind: Kind, length: Value | None) -> Stream:
        if isinstance(length, Ref):
            length = self._objects.value(length.number)
        return Stream(found.ref, self._objects.extent(found, length), kind)

    def _note(self, stream: Stream) -> None:
        if stream.extent.end > stream.extent.start:
            self._streams.append(stream)

    def _look_at(self, start: int, end: int, owner: Ref) -> None:
        """Look at the dictionaries in a stretch of the file that holds no stream."""
        if TELLTALE.search(self._data, start, end) is None:
            return
        for parsed in windows(self._data, start, end):
            self._budget.check_time()
            for dictionary in parsed.dictionaries:
                self._findings.look(dictionary, owner, owner.number)

    def _complaints(self) -> Iterator[Skipped]:
        """What of the file could not be read."""
        if self._objects.overfull:
            yield Skipped("document", Reason.LIMIT, f"more than {MOST_OBJECTS} objects")
        if not self._data.startswith(_MAGIC):
            return
        if self._data.rfind(b"startxref") < self._objects.last:
            yield Skipped("document", Reason.DAMAGED, "truncated: its end is missing")

    def _unlock(self) -> Key | None:
        """Find the key of an encrypted document."""
        for value in self._findings.encryptions:
            encrypt = self._objects.value(value.number) if isinstance(value, Ref) else value
            if not isinstance(encrypt, dict):
                continue
            resolved = {
                key: self._objects.value(item.number) or b"" if isinstance(item, Ref) else item
                for key, item in encrypt.items()
            }
            for identifier in self._findings.identifiers or [b""]:
                terms = read_terms(resolved, identifier)
                key = None if terms is None else open_with(terms, self._candidates())
                if key is not None:
                    return key
        return None

    def _candidates(self) -> Iterator[bytes]:
        yield b""
        for password in self._passwords:
            self._budget.check_time()
            yield password

    # --- taking out ------------------------------------------------------------------------

    def _lookup(self, number: int) -> Value | None:
        if number in self._kept:
            return self._kept[number]
        return self._objects.value(number)

    def _plain(self, text: Text) -> bytes:
        """A string as it is without encryption."""
        if self._key is None or text.owner is None:
            return text.value
        return self._key.string(text.value, text.owner)

    def _filters(self, stream: Stream) -> tuple[Filter, ...]:
        kind = stream.kind
        if kind.undone is not None:
            return kind.undone
        return filters_of(kind.filters, kind.parameters, self._lookup)

    def _taken(self, stream: Stream) -> Taken | None:
        """Decode a stream's data; None when the same were taken out before."""
        start, end, cut = stream.extent
        data = self._data
        if self._key is not None and stream.kind.name != b"XRef":
            data = self._decrypted(stream)
            start, end = 0, len(data)
        filters = self._filters(stream)
        mark = blake2b(memoryview(data)[start:end], digest_size=16).digest(), filters
        if mark in self._seen:
            return None
        self._seen.add(mark)
        self._budget.check_time()
        if not self._joining or stream.kind.holds_objects:
            self._budget.charge_file()
        taken = take(decode(data, start, end, filters), self._budget)
        if taken.reason is None and stream.kind.note:
            return taken._replace(reason=Reason.UNSUPPORTED, note=stream.kind.note)
        if taken.reason is None and cut:
            return taken._replace(reason=Reason.DAMAGED, note="truncated")
        return taken

    def _decrypted(self, stream: Stream) -> bytes:
        assert self._key is not None
        data = self._data[stream.extent.start : stream.extent.end]
        if stream.kind.name == b"Metadata" and not self._key.covers_metadata:
            return data
        own = crypt_filter_of(stream.kind, self._lookup)
        return self._key.stream(data, stream.ref, own, file=stream.kind.name == b"EmbeddedFile")

    def _meta(self, name: str, packed_size: int) -> Meta:
        self._position += 1
        return Meta(
            name=name,
            packed_size=packed_size,
            position=self._position,
            encrypted=self._key is not None,
        )

    def _stream(self, stream: Stream) -> Iterator[Item]:
        number = stream.ref.number
        file_name = self._findings.file_names.get(number)
        name = f"object {number} {stream.ref.generation}"
        if file_name is not None:
            shown = as_text(self._plain(file_name)).decode("utf-8", "surrogateescape")
            name = shown or name
        size = stream.extent.end - stream.extent.start
        taken = self._taken(stream)
        if taken is None:
            if file_name is not None:
                yield skipped(self._meta(name, size), Reason.DUPLICATE, "the same as another")
            return
        is_script = number in self._findings.script_refs
        if is_script and (script := as_text(taken.data)) is not taken.data:
            self._budget.charge_bytes(max(0, len(script) - len(taken.data)))
            taken = taken._replace(data=script)
        yield from self._handed_on(name, size, taken, script=is_script, own=file_name is not None)

    def _handed_on(
        self, name: str, size: int, taken: Taken, *, script: bool = False, own: bool = False
    ) -> Iterator[Item]:
        """Hand on what was taken out, or put it to what is joined.

        Args:
            name: of the member.
            size: of its packed data.
            taken: what came out.
            script: whether it is JavaScript.
            own: whether it must stay an object of its own.
        """
        data = taken.data
        if not data and taken.reason is None:
            return
        if taken.reason is None and (text := page_text(data)):
            if not self._pages.fits(len(text) + 1):
                yield from self._flush(self._pages)
            self._pages.add(text, charged=False)
        untyped = (script or self._joining) and identify(data) in _UNTYPED
        if self._joining:
            if untyped and not own and taken.reason is None and len(data) <= _LARGEST_JOINED_PART:
                if not self._joined.fits(len(data) + 1):
                    yield from self._flush(self._joined)
                self._joined.add(data, charged=True)
                return
            self._budget.charge_file()
        for value in report(self._meta(name, size), taken):
            if script and untyped and isinstance(value, Member):
                value = value._replace(type_name="TEXT_ASCII")
            yield value

    def _flush(self, parts: Parts) -> Iterator[Item]:
        """Hand on small texts that were collected."""
        if not parts:
            return
        data = parts.take()
        self._budget.charge_file()
        for value in report(self._meta(parts.name, len(data)), Taken(data)):
            if parts.type_name and isinstance(value, Member):
                value = value._replace(type_name=parts.type_name)
            yield value

    def _object_stream(self, stream: Stream) -> Iterator[Item]:
        """Hand on an object stream, and look at the objects in it."""
        size = stream.extent.end - stream.extent.start
        taken = self._taken(stream)
        if taken is None:
            return
        self._look_inside(stream, taken.data)
        name = f"object {stream.ref.number} {stream.ref.generation}"
        yield from report(self._meta(name, size), taken)

    def _look_inside(self, stream: Stream, text: bytes) -> None:
        """Look at the objects of an object stream. Source: ISO 32000-1, 7.5.7."""
        first = stream.kind.first
        heads = text[:first].split()[: 2 * stream.kind.objects]
        places = [(first, stream.ref.number)]
        for head in zip(heads[::2], heads[1::2], strict=False):
            if all(part.isdigit() and len(part) < 16 for part in head):
                places.append((first + int(head[1]), int(head[0])))
        places.sort()
        places.append((len(text), 0))
        any_telltale = TELLTALE.search(text) is not None
        for (start, number), (end, _) in pairwise(places):
            self._budget.check_time()
            if len(self._kept) < _MOST_KEPT:
                self._keep(number, text, start, end)
            if any_telltale and TELLTALE.search(text, start, end) is not None:
                for parsed in windows(text, start, end):
                    for dictionary in parsed.dictionaries:
                        self._findings.look(dictionary, None, number)

    def _keep(self, number: int, text: bytes, start: int, end: int) -> None:
        """Remember an object that is no dictionary: others may refer to its value."""
        if text[start : start + 2] == b"<<":
            return
        values = parse(text, start, end, 50).values
        if values:
            self._kept[number] = values[0]

    # --- scripts, addresses, remarks ---------------------------------------------------------

    def _referred(self, numbers: set[int]) -> Iterator[Text]:
        """Strings that are objects of their own."""
        for number in sorted(numbers):
            self._budget.check_time()
            kept = self._kept.get(number)
            if is_string(kept):
                yield Text(kept, None)
            for owner, value in self._objects.all_values(number):
                if is_string(value):
                    yield Text(value, owner)

    def _scripts(self) -> Iterator[Item]:
        """Scripts that are strings."""
        seen: set[bytes] = set()
        for text in (*self._findings.scripts, *self._referred(self._findings.script_refs)):
            self._budget.check_time()
            script = as_text(self._plain(text))
            if not script or script in seen:
                continue
            seen.add(script)
            if not self._joining:
                self._budget.charge_file()
            where = f" of object {text.owner.number}" if text.owner else ""
            taken = take([script], self._budget)
            yield from self._handed_on(f"JavaScript{where}", len(text.value), taken, script=True)

    def _addresses(self) -> Iterator[Item]:
        """All addresses, one a line."""
        findings = self._findings
        texts = (*findings.addresses, *self._referred(findings.address_refs))
        lines = dict.fromkeys(as_text(self._plain(text)) for text in texts)
        lines.pop(b"", None)
        if lines:
            self._budget.charge_file()
            taken = take((line + b"\n" for line in lines), self._budget)
            meta = self._meta("addresses", sum(map(len, lines)))
            yield from report(meta, taken)

    def _remarks(self) -> Iterator[Item]:
        findings = self._findings
        if findings.full:
            yield Skipped(
                "document", Reason.LIMIT, "more scripts, addresses or actions than are read"
            )
        said: dict[str, None] = dict.fromkeys(findings.self_acting())
        for words, texts in findings.remarks:
            parts = [as_text(self._plain(text)).decode("utf-8", "replace") for text in texts]
            said[f"{words}: {' '.join(parts)[:_LONGEST_SHOWN]}" if parts else words] = None
            if len(said) >= _MOST_REMARKS:
                break
        for words in said:
            yield Remark(Trait.NOTE, words)


UNPACKER = PdfUnpacker()
