"""zip files and what is built on them: office documents, self-extracting archives.

Programs disagree about which of a zip file's structures to believe, and malware lives from
that. Where clamscan believes the central directory alone, this also hands on what only a
local header leads to: members no directory lists, archives whose directory is missing, and
the second reading of a member whose two headers contradict each other. So it finds more.

Source: APPNOTE 6.3.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from itertools import islice

from tocsin.errors import FormatError, LimitReached
from tocsin.unpack.interface import Budget, Member, Reason, Skipped
from tocsin.unpack.stream import Meta, Taken, behind, report, skipped, take
from tocsin.unpack.zip_directory import (
    DESCRIPTOR,
    ENCRYPTED,
    STRONGLY_ENCRYPTED,
    Entry,
    Gaps,
    Local,
    holds_end_record,
    read_central,
    read_local,
    reading_of,
)
from tocsin.unpack.zip_methods import (
    AES,
    BY_LIBRARY,
    DEFLATED,
    METHODS,
    STORED,
    method_name,
)

_CUT_OFF = 46
"""Bytes behind an archive that may be an entry of its directory that is cut off."""

_ENTRIES_PER_FILE = 8
"""Directory entries read for each object there may be: directories and members that cannot
be had are entries too, and a directory of millions must not fill the memory."""

_PACKED_NOTHING = 32
"""Bytes that no bytes take at most in any method; too few for anything that matters."""

_MOST_CANDIDATES = 8
"""Passwords that pass the check byte and are tried on the whole member."""


class ZipUnpacker:
    """Unpacks zip.

    Members come in the order of their data in the file; their `position` is their place in
    the central directory, directories included, and goes on counting with members that are
    not listed there. Entries of directories are passed over, and so is an entry that reads the
    data of another one as that one does, but for its metadata.
    """

    types = frozenset({"ZIP", "ZIPSFX", "CRX", "OOXML_WORD", "OOXML_XL", "OOXML_PPT", "OOXML_HWP"})

    def members(
        self, data: bytes, budget: Budget, passwords: Sequence[bytes]
    ) -> Iterator[Member | Skipped]:
        """See `Unpacker.members`."""
        most = budget.limits.max_files * _ENTRIES_PER_FILE or None
        central = read_central(data, most, budget.check_time)
        listed = [*central.entries, *central.others]
        archive = _Archive(data, budget, passwords, len(central.entries))
        for entry in sorted(listed, key=lambda entry: (entry.offset, entry.position)):
            yield from archive.listed(entry)
        found = len(listed)
        for entry in archive.unlisted(found + 1):
            found += 1
            yield from archive.found(entry)
            if most is not None and found >= most:
                break
        end = max(central.end, archive.end)
        alone = data.startswith(b"PK")  # within other bytes they are the other's
        if alone and listed and len(data) - end > _CUT_OFF:
            yield from behind(data, end, found + 1, budget)
        if found and not listed:
            yield Skipped("", Reason.DAMAGED, "its directory is missing; members may be too")
        if central.too_many:
            raise LimitReached("more directories in one archive than are read (--max-files)")
        if not found and not holds_end_record(data):
            raise FormatError("not zip: neither a directory nor a member")
        if most is not None and found >= most:
            raise LimitReached(f"more than {most} entries in one archive (--max-files)")


class _Archive:
    """One archive while its members are taken out."""

    def __init__(
        self, data: bytes, budget: Budget, passwords: Sequence[bytes], believed: int
    ) -> None:
        self._data = data
        self._believed = believed
        self._budget = budget
        self._passwords = passwords
        self._occupied: list[tuple[int, int]] = []
        self._end = 0
        self._offset = -1
        self._readings: dict[tuple[int, ...], int] = {}

    @property
    def end(self) -> int:
        """Where the last member of the directory ends."""
        return self._end

    def listed(self, entry: Entry) -> Iterator[Member | Skipped]:
        """Take out an entry of the central directory, in each way it can be read."""
        self._budget.check_time()
        local = read_local(self._data, entry.offset, entry.position)
        if local is None:
            detail = "no local header where the directory says"
            yield skipped(_meta(entry), Reason.DAMAGED, detail)
            return
        if entry.offset != self._offset:
            self._offset, self._readings = entry.offset, {}
        same = self._readings.setdefault(reading_of(entry), entry.position)
        if same != entry.position:
            yield skipped(_meta(entry), Reason.DUPLICATE, f"the same data as member {same}")
            return
        again = len(self._readings) > 1
        notes = ["overlaps another member"] if again or entry.offset < self._end else []
        if entry.position > self._believed:
            notes.append("in another directory only")
        end = local.start + entry.packed_size
        self._occupied.append((entry.offset, end))
        self._end = max(self._end, end)
        if not _is_directory(entry):
            yield from self._read(entry, local.start, notes)
        if again or _is_directory(local.entry):
            return  # as its local header says it was read already, or there is nothing
        if _contradicts(entry, local):
            yield from self._read(local.entry, local.start, ["read as its local header says"])

    def found(self, entry: Entry) -> Iterator[Member | Skipped]:
        """Take out a member that no directory lists."""
        self._budget.check_time()
        local = read_local(self._data, entry.offset, entry.position)
        if local is not None and not _is_directory(entry):
            yield from self._read(entry, local.start, ["not in the central directory"])

    def unlisted(self, position: int) -> Iterator[Entry]:
        """Find members between and behind those of the directory."""
        gaps: Gaps | None = None
        at = 0
        for start, end in [*self._occupied, (len(self._data), len(self._data))]:
            if self._data.find(b"PK\x03\x04", at, start) >= 0:
                gaps = gaps or Gaps(self._data, self._budget.check_time)
                for entry in gaps.entries(at, start, position):
                    yield entry
                    position += 1
            at = max(at, end)

    def _read(self, entry: Entry, start: int, notes: list[str]) -> Iterator[Member | Skipped]:
        meta = _meta(entry)
        if entry.flags & STRONGLY_ENCRYPTED:
            yield skipped(meta, Reason.ENCRYPTED, "encrypted with PKWARE's strong cipher")
        elif entry.method not in METHODS and entry.method not in (AES, *BY_LIBRARY):
            yield skipped(meta, Reason.UNSUPPORTED, method_name(entry.method))
        elif self._is_bound_to_exceed(entry):
            bound = self._budget.limits.max_file_size
            yield skipped(meta, Reason.LIMIT, f"more than {bound} bytes (--max-file-size)")
        elif entry.method == AES:
            yield from self._read_aes(entry, start, notes)
        elif entry.flags & ENCRYPTED:
            yield from self._read_encrypted(entry, start, notes)
        else:
            self._budget.charge_file()
            taken = self._take(self._data, start, entry)
            yield from report(meta, taken, [*notes, *_remarks(entry, taken)])

    def _take(self, data: bytes, start: int, entry: Entry) -> Taken:
        """Take out what is not, or no longer, encrypted."""
        if entry.method in BY_LIBRARY:
            from tocsin.unpack.zip_library import take_by_library

            return take_by_library(data, start, entry, self._budget)
        return take(METHODS[entry.method](data, start, entry), self._budget)

    def _read_aes(self, entry: Entry, start: int, notes: list[str]) -> Iterator[Member | Skipped]:
        from tocsin.unpack.zip_aes import decrypt, read_scheme

        scheme = read_scheme(entry.extra)
        if scheme is None:
            detail = "encrypted with AES, and it is not said how"
            yield skipped(_meta(entry), Reason.ENCRYPTED, detail)
            return
        if scheme.method not in METHODS and scheme.method not in BY_LIBRARY:
            yield skipped(_meta(entry), Reason.UNSUPPORTED, method_name(scheme.method))
            return
        self._budget.charge_file()
        end = min(start + entry.packed_size, len(self._data))
        alive = self._budget.check_time
        plain = decrypt(self._data, start, end, scheme, self._passwords, alive)
        if plain is None:
            detail = "no password fits" if self._passwords else "no password is known"
            yield skipped(_meta(entry), Reason.ENCRYPTED, detail)
            return
        inner = entry._replace(method=scheme.method, packed_size=len(plain))
        taken = self._take(plain, 0, inner)
        remarks = _remarks(inner, taken) if scheme.states_crc else []
        yield from report(_meta(entry), taken, [*notes, *remarks])

    def _is_bound_to_exceed(self, entry: Entry) -> bool:
        """Whether the packed size alone says that a member is too big to be handed on."""
        sized = entry.method == STORED or entry.flags & ENCRYPTED
        return bool(sized) and not self._budget.fits_file(entry.packed_size)

    def _read_encrypted(
        self, entry: Entry, start: int, notes: list[str]
    ) -> Iterator[Member | Skipped]:
        self._budget.charge_file()
        guess: Taken | None = None
        for taken in self._decrypted(entry, start):
            if taken.stop is not None or _fits(entry, taken):
                yield from report(_meta(entry), taken, [*notes, *_remarks(entry, taken)])
                return
            if taken.data and taken.reason is None and guess is None:
                guess = taken
        if guess is None and self._is_plain(entry, start):
            taken = self._take(self._data, start, entry)
            if taken.stop is not None or _fits(entry, taken):
                notes = [*notes, "marked as encrypted and is not"]
                yield from report(_meta(entry), taken, [*notes, *_remarks(entry, taken)])
                return
        detail = "no password fits" if self._passwords else "no password is known"
        if guess is not None:
            yield from report(_meta(entry), guess, [*notes, *_remarks(entry, guess)])
            detail = "no password surely fits: the CRC-32 does not match"
        yield skipped(_meta(entry), Reason.ENCRYPTED, detail)

    def _decrypted(self, entry: Entry, start: int) -> Iterator[Taken]:
        """What comes out of the member under each password that may be right."""
        from tocsin.unpack.zip_crypto import HEADER_SIZE, decrypt_all, fitting_keys

        end = min(start + entry.packed_size, len(self._data))
        header = self._data[start : start + HEADER_SIZE]
        size = entry.packed_size - HEADER_SIZE
        if end - start < HEADER_SIZE:
            return
        checks = {entry.crc >> 24}
        if entry.flags & DESCRIPTOR:
            checks.add(entry.time >> 8)
        candidates = fitting_keys(header, frozenset(checks), self._passwords)
        for keys in islice(candidates, _MOST_CANDIDATES):
            alive = self._budget.check_time
            plain = decrypt_all(self._data, start + HEADER_SIZE, end, keys, alive)
            yield self._take(plain, 0, entry._replace(packed_size=size))

    def _is_plain(self, entry: Entry, start: int) -> bool:
        """Whether a member marked as encrypted may not be: Android ignores the mark."""
        if entry.method == STORED:
            end = start + entry.packed_size
            return entry.packed_size > 0 and _crc(memoryview(self._data)[start:end]) == entry.crc
        return entry.method == DEFLATED


def _meta(entry: Entry) -> Meta:
    return Meta(
        name=entry.name.decode("utf-8", "surrogateescape"),
        size=entry.size,
        packed_size=entry.packed_size,
        position=entry.position,
        encrypted=bool(entry.flags & ENCRYPTED),
        crc=entry.crc,
    )


def _is_directory(entry: Entry) -> bool:
    """Whether the name ends in a slash and there is no data; packing nothing takes bytes too."""
    empty = entry.packed_size == 0 or (entry.size == 0 and entry.packed_size <= _PACKED_NOTHING)
    return empty and entry.name.endswith(b"/")


def _contradicts(entry: Entry, local: Local) -> bool:
    """Whether the two headers of a member lead to different data."""
    other = local.entry
    if other.method != entry.method or (other.flags ^ entry.flags) & ENCRYPTED:
        return True
    if _is_directory(entry):
        return True  # and the local header is none's: programs that read streams believe it
    sized = other.method == STORED and not other.flags & DESCRIPTOR
    return sized and 0 < other.packed_size != entry.packed_size


def _crc(data: bytes | memoryview) -> int:
    return zlib.crc32(data)


def _fits(entry: Entry, taken: Taken) -> bool:
    return taken.reason is None and bool(taken.data) and _crc(taken.data) == entry.crc


def _remarks(entry: Entry, taken: Taken) -> list[str]:
    """What the headers state and the data does not bear out."""
    unstated = entry.flags & DESCRIPTOR and not (entry.crc or entry.size)
    if taken.reason is not None or unstated:
        return []
    remarks = []
    if len(taken.data) != entry.size:
        remarks.append(f"{entry.size} bytes are stated")
    if _crc(taken.data) != entry.crc:
        remarks.append("CRC-32 does not match")
    return remarks


UNPACKER = ZipUnpacker()
