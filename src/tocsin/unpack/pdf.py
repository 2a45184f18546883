"""PDF: every stream decoded, embedded files by their names, scripts, and addresses.

What comes out of a document:

- each stream with its filters undone, under its object's number or the name of the file it
  embeds; of equal streams one. An object stream comes as one text;
- scripts that are strings, each as a text, and all addresses together as one text, because
  their escapes, encodings or encryption hide them from signatures on the file itself;
- the text of pages together as one, where clamscan makes one a page;
- remarks on what it does: programs launched, forms sent, scripts, what acts by itself.

What readers may understand differently is taken out in each of its readings: doubled keys,
several objects of one number, headers and ends within strings and comments. Where there may be
more readings than are tried, that is said.

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
from tocsin.unpack.pdf_filters import PICTURES, Filter, decode, looks_packed
from tocsin.unpack.pdf_objects import MOST_OBJECTS, UNREADABLE, Objects
from tocsin.unpack.pdf_parts import Parts, page_text
from tocsin.unpack.pdf_streams import (
    Chain,
    Readings,
    Stream,
    crypt_filter_of,
    readings_of,
)
from tocsin.unpack.pdf_survey import MAGIC, Survey
from tocsin.unpack.pdf_syntax import Ref, Value, as_text, blanks_end, parse, windows
from tocsin.unpack.stream import Meta, Taken, report, skipped, take

_LARGEST_JOINED_PART = 16 * 1024
_UNTYPED = ("TEXT_ASCII", "TEXT_UTF16BE", "TEXT_UTF16LE", "TEXT_UTF8", "BINARY_DATA")
_MOST_REMARKS = 100
_LONGEST_SHOWN = 300
_MOST_KEPT = 100_000
"""Objects out of object streams that are remembered to be looked up."""

_LONGEST_KEPT = 1000
"""Bytes of such an object, unless it is a string."""

_MOST_KEPT_BYTES = 16 * 1024 * 1024
_KEPT_TOKENS = 500
_DEFLATE = Filter(b"FlateDecode")


class PdfUnpacker:
    """Unpacks PDF."""

    types = frozenset({"PDF"})

    def members(self, data: bytes, budget: Budget, passwords: Sequence[bytes]) -> Iterator[Item]:
        """See `Unpacker.members`."""
        objects = Objects(data, budget)
        if not len(objects):
            if data.startswith(MAGIC):
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
        self._streams: list[Stream] = []
        self._key: Key | None = None
        self._kept: dict[int, list[bytes]] = {}
        self._kept_room = _MOST_KEPT_BYTES
        self._position = 0
        self._seen: set[tuple[bytes, Chain]] = set()
        self._outputs: set[bytes] = set()
        self._joining = False
        self._joined = Parts("joined streams", "", budget)
        self._pages = Parts("text of pages", "TEXT_ASCII", budget)

    def members(self) -> Iterator[Item]:
        survey = Survey(self._data, self._objects, self._findings, self._budget)
        survey.run()
        self._streams = survey.streams
        yield from self._complaints()
        keys: list[Key | None] = [None]
        if self._findings.encryptions:
            found = self._unlock()
            if not found or any(key.password for key in found):
                yield Remark(Trait.ENCRYPTED_DOCUMENT, "it opens with a password only")
            if not found and not self._findings.plain_trailers:
                yield Skipped("document", Reason.ENCRYPTED, "no password fits", encrypted=True)
                return
            # Where trailers disagree on encryption, so may viewers.
            plain = self._findings.plain_trailers or any(key.hides_identity for key in found)
            keys = [None, *found] if plain else [*found]
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
        for referring in (False, True):  # to filters that may be in other object streams
            for stream in self._streams:
                if stream.kind.holds_objects and (stream.kind.readings is None) == referring:
                    yield from self._object_stream(stream)
        for stream in self._streams:
            if not stream.kind.holds_objects:
                yield from self._stream(stream)

    # --- what cannot be read, and keys --------------------------------------------------------

    def _complaints(self) -> Iterator[Skipped]:
        """What of the file could not be read."""
        if self._objects.overfull:
            yield Skipped("document", Reason.LIMIT, f"more than {MOST_OBJECTS} objects")
        if self._objects.tangled:
            yield Skipped("document", Reason.LIMIT, "its objects reach into one another too much")
        if not self._data.startswith(MAGIC):
            return
        if self._data.rfind(b"startxref") < self._objects.last:
            yield Skipped("document", Reason.DAMAGED, "truncated: its end is missing")

    def _unlock(self) -> list[Key]:
        """Find the keys of an encrypted document: one, unless its trailers disagree."""
        found: list[Key] = []
        tried: list[dict[bytes, Value]] = []
        for encrypt in self._encryptions():
            resolved = {
                key: next(reversed(self._objects.values(item.number)), b"")
                if isinstance(item, Ref)
                else item
                for key, item in encrypt.items()
            }
            if resolved in tried:
                continue
            tried.append(resolved)
            for identifier in self._findings.identifiers or [b""]:
                terms = read_terms(resolved, identifier)
                key = None if terms is None else open_with(terms, self._candidates())
                if key is not None:
                    found.append(key)
                    break
        return found

    def _encryptions(self) -> Iterator[dict[bytes, Value]]:
        for value in self._findings.encryptions:
            values = self._objects.values(value.number) if isinstance(value, Ref) else [value]
            for encrypt in reversed(values):
                if isinstance(encrypt, dict):
                    yield encrypt

    def _candidates(self) -> Iterator[bytes]:
        yield b""
        for password in self._passwords:
            self._budget.check_time()
            yield password

    # --- taking out ------------------------------------------------------------------------

    def _lookup(self, number: int) -> list[Value]:
        """The values of a number in the file and in object streams, the likeliest last."""
        found = [*self._objects.values(number)]
        for text in self._kept.get(number, ()):
            parsed = parse(text, 0, len(text), _KEPT_TOKENS, first=True)
            found += parsed.values[:1]
            if not parsed.sound:
                found.append(UNREADABLE)
        if self._kept_room <= 0:
            found.insert(0, UNREADABLE)
        return found

    def _plain(self, text: Text) -> bytes:
        """A string as it is without encryption."""
        if self._key is None or text.owner is None:
            return text.value
        return self._key.string(text.value, text.owner)

    def _readings(self, stream: Stream) -> Readings:
        kind = stream.kind
        if kind.readings is not None:
            return kind.readings
        return readings_of(kind.filters, kind.parameters, self._lookup)

    def _all_taken(self, stream: Stream) -> Iterator[Taken]:
        """Decode a stream's data in each reading; what was taken out before is left out."""
        readings = self._readings(stream)
        several = stream.several or len(readings.chains) > 1
        for chain in readings.chains:
            for data, start, end in self._forms(stream, chain):
                note = stream.kind.note or readings.note
                ways = [chain]
                if not any(item.name != b"Crypt" for item in chain):
                    if looks_packed(data, start, end):
                        ways = [*ways, (*chain, _DEFLATE)][len(readings.chains) > 1 :]
                        several = True
                    elif readings.lost:
                        note = "its filter is not to be found"
                for way in ways:
                    taken = self._taken(stream, (data, start, end), way, note)
                    if taken is not None and not (several and self._came_out(taken)):
                        yield taken

    def _came_out(self, taken: Taken) -> bool:
        """Whether another reading gave the same."""
        mark = blake2b(taken.data, digest_size=16).digest()
        known = mark in self._outputs
        self._outputs.add(mark)
        return known and taken.reason in (None, Reason.DAMAGED)

    def _taken(
        self, stream: Stream, place: tuple[bytes, int, int], chain: Chain, note: str
    ) -> Taken | None:
        """Decode a stream's data; None when the same were taken out before."""
        data, start, end = place
        mark = blake2b(memoryview(data)[start:end], digest_size=16).digest(), chain
        if mark in self._seen:
            return None
        self._seen.add(mark)
        self._budget.check_time()
        if not self._joining or stream.kind.holds_objects:
            self._budget.charge_file()
        taken = take(decode(data, start, end, chain), self._budget)
        picture = next((item.name for item in chain if item.name in PICTURES), None)
        if picture is not None and self._is_no_picture(stream):
            note = f"{picture.decode('latin-1')} of what is no picture"
        if taken.reason is None and note:
            return taken._replace(reason=Reason.UNSUPPORTED, note=note)
        if taken.reason is None and stream.extent.cut:
            return taken._replace(reason=Reason.DAMAGED, note="truncated")
        return taken

    def _is_no_picture(self, stream: Stream) -> bool:
        """Whether a stream is a file, a script or objects: no picture whatever its filter."""
        kind = stream.kind
        special = kind.holds_objects or kind.name in (b"EmbeddedFile", b"XRef")
        return special or self._is_named(stream)

    def _is_named(self, stream: Stream) -> bool:
        """Whether a stream is called a file or a script."""
        findings, number = self._findings, stream.ref.number
        return number in findings.file_names or number in findings.script_refs

    def _forms(self, stream: Stream, chain: Chain) -> Iterator[tuple[bytes, int, int]]:
        """A stream's data without encryption: where they are, in what, in each reading."""
        start, end, _ = stream.extent
        key, kind = self._key, stream.kind.name
        plain = kind == b"XRef" or (
            kind == b"Metadata" and key is not None and not key.covers_metadata
        )
        if key is None or plain:
            yield self._data, start, end
        if key is None or (plain and not self._is_named(stream)):
            return
        data = self._data[start:end]
        own = crypt_filter_of(chain)
        files = {kind == b"EmbeddedFile"}
        if key.files_differ and stream.ref.number in self._findings.file_names:
            files = {True, False}
        for file in files:
            if key.is_guessed(own, file=file):
                yield data, 0, len(data)
            out = key.stream(data, stream.ref, own, file=file)
            yield out, 0, len(out)

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
        any_taken = False
        for taken in self._all_taken(stream):
            any_taken = True
            is_script = number in self._findings.script_refs
            if is_script and (script := as_text(taken.data)) is not taken.data:
                self._budget.charge_bytes(max(0, len(script) - len(taken.data)))
                taken = taken._replace(data=script)
            named = file_name is not None
            yield from self._handed_on(name, size, taken, script=is_script, own=named)
        if file_name is not None and not any_taken and not stream.several:
            yield skipped(self._meta(name, size), Reason.DUPLICATE, "the same as another")

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
        name = f"object {stream.ref.number} {stream.ref.generation}"
        for taken in self._all_taken(stream):
            self._look_inside(stream, taken.data)
            yield from report(self._meta(name, size), taken)

    def _look_inside(self, stream: Stream, text: bytes) -> None:
        """Look at the objects of an object stream. Source: ISO 32000-1, 7.5.7."""
        first = stream.kind.first
        heads = text[:first].split()[: 2 * stream.kind.objects]
        places = [(0, stream.ref.number)]
        for head in zip(heads[::2], heads[1::2], strict=False):
            if all(part.isdigit() and len(part) < 16 for part in head):
                places.append((first + int(head[1]), int(head[0])))
        places.sort()
        places.append((len(text), 0))
        any_telltale = TELLTALE.search(text) is not None
        for (start, number), (end, _) in pairwise(places):
            self._budget.check_time()
            self._keep(number, text, start, end)
            if any_telltale and TELLTALE.search(text, start, end) is not None:
                for parsed in windows(text, start, end):
                    for dictionary in parsed.dictionaries:
                        self._findings.look(dictionary, None, number)

    def _keep(self, number: int, text: bytes, start: int, end: int) -> None:
        """Remember an object that others may refer to."""
        if self._kept_room <= 0:
            return
        start = blanks_end(text, start, end)
        if not text.startswith((b"(", b"<"), start) or text.startswith(b"<<", start):
            end = min(end, start + _LONGEST_KEPT)
        kept = self._kept.setdefault(number, [])
        value = text[start:end]
        if value not in kept:
            kept.append(value)
            self._kept_room -= len(value) + _MOST_KEPT_BYTES // _MOST_KEPT

    # --- scripts, addresses, remarks ---------------------------------------------------------

    def _referred(self, numbers: set[int]) -> Iterator[Text]:
        """Strings that are objects of their own."""
        for number in sorted(numbers):
            self._budget.check_time()
            for text in self._kept.get(number, ()):
                for value in parse(text, 0, len(text), _KEPT_TOKENS, first=True).values:
                    if is_string(value):
                        yield Text(value, None)
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
