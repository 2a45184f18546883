"""What a worker does with a file that an audit looks into: the worker's side.

A file is a list that a reader knows, or a program, or a container, or nothing to an audit. What
containers hold is looked at in the same way, under one budget for the whole file. Nothing is
raised: what could not be looked at is `Skipped`, with the reason.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from tocsin.audit import wire
from tocsin.audit.interface import Recogniser
from tocsin.audit.model import Component, Skipped
from tocsin.audit.programs.bundles import Bundle
from tocsin.audit.programs.facts import Facts
from tocsin.audit.programs.reading import Programs
from tocsin.audit.programs.words import Interests
from tocsin.engine.object_scan import ObjectScanner
from tocsin.errors import FormatError, LimitReached, TocsinError
from tocsin.formats.identify import is_plain_text
from tocsin.formats.kinds import kinds
from tocsin.unpack import unpacker_of
from tocsin.unpack.interface import Budget, Member, Reason
from tocsin.unpack.interface import Skipped as NotHad

OPENED = frozenset(
    {
        *("ZIP", "ZIPSFX", "CRX", "ASAR", "CONTAINER_IMAGE", "ZSTD", "LZ4", "BROTLI", "GZ", "BZ"),
        *("XZ", "POSIX_TAR", "OLD_TAR", "7Z", "7ZSFX", "RAR", "RARSFX", "MSCAB", "CABSFX", "ARJ"),
        *("ARJSFX", "NULSFT", "LHA_LZH", "CPIO_OLD", "CPIO_ODC", "CPIO_NEWC", "CPIO_CRC", "AR"),
        *("RPM", "MSSZDD", "COMPRESS_Z", "LZMA_ALONE", "XAR", "WIM", "ISO9660", "UDF"),
        *("ISO9660_PRIMARY", "DMG", "PART_HFSPLUS", "APFS", "VHD", "VHDX", "VMDK", "QCOW", "VDI"),
        *("ANDROID_SPARSE", "GPT", "APM", "MBR", "SQUASHFS", "CRAMFS", "EXT", "FAT", "NTFS"),
        *("UEFI", "INSTALLSHIELD", "INSTALLSHIELD_CAB", "ISHIELD_MSI", "INNO", "PYINSTALLER"),
        *("ALZ", "EGG", "SIS", "SIS9"),
    }
)
"""Kinds of containers that software comes in. Documents, mails, pages and scripts are not opened,
and packed programs are not unpacked."""

_COMPOUND = frozenset({"MSOLE2"})
_ARCHIVED = frozenset({"ZIP", "ZIPSFX", "CRX"})
_MOST_MISSING = 20
"""Members of one container that are named one by one where they could not be had."""

_MOST_SAME = 500_000
"""Components that are remembered, to tell what lower layers of an image hold too."""

_IMAGE = "CONTAINER_IMAGE"


class _Place(NamedTuple):
    """Something that is looked at.

    Attributes:
        data: its bytes.
        place: the file, and names down through containers, each behind a `!`.
        inner: its own path in what it came out of.
        image: name of the container image that it is a file of; empty: of none.
    """

    data: bytes
    place: str
    inner: str
    image: str = ""


class Looker:
    """Looks into files; called in a worker (`engine.worker_process.Looker`).

    Args:
        interests: what is looked for in programs.
        recognise: knows lists of packages and bills of materials.
    """

    def __init__(self, interests: Interests, recognise: Recogniser) -> None:
        self._programs = Programs(interests)
        self._recognise = recognise

    def __call__(self, scanner: ObjectScanner, name: str, data: bytes) -> Iterator[bytes]:
        """What is found in a file, in pieces."""
        return wire.pack(self.look(scanner, name, data), name)

    def look(self, scanner: ObjectScanner, name: str, data: bytes) -> Iterator[Component | Skipped]:
        """What is found in a file."""
        limits = scanner.options.limits
        if limits.max_file_size and len(data) > limits.max_file_size:
            yield Skipped(
                name,
                f"more than {limits.max_file_size >> 20:,} MiB; mount it and name its folder, or "
                "raise the limit (--max-file-size)",
            )
            return
        try:
            yield from _Looking(scanner, self._programs, self._recognise).at(
                _Place(data, name, name), 1
            )
        except MemoryError:
            yield Skipped(name, "it takes more memory than a worker may have; unpack it first")


class _Looking:
    """One file and everything inside it."""

    def __init__(self, scanner: ObjectScanner, programs: Programs, recognise: Recogniser) -> None:
        self._scanner = scanner
        self._programs = programs
        self._recognise = recognise
        self._budget = Budget(scanner.options.limits)
        self._around: list[int] = []
        self._seen: set[tuple[str, str, str, str]] = set()

    def at(self, place: _Place, depth: int) -> Iterator[Component | Skipped]:
        """Look at one object, and at what is inside it."""
        data = place.data
        is_installer = False
        try:
            reader = self._recognise(place.inner, data)
            if reader is not None:
                yield from self._once(reader(data, place.place), place)
                return
            for facts in self._programs.read(data, self._budget):
                is_installer |= facts.kind == "installer"
                yield from _said(facts, place)
        except (TocsinError, RecursionError) as error:
            yield Skipped(place.place, f"cannot be read: {error}")
        except MemoryError:
            raise
        except Exception as error:  # the other files of an archive are looked at all the same
            yield Skipped(place.place, f"a defect of this program: {type(error).__name__}: {error}")
        if not is_plain_text(data):
            yield from self._inside(place, depth + 1, is_installer=is_installer)

    def _once(
        self, found: Iterator[Component | Skipped], place: _Place
    ) -> Iterator[Component | Skipped]:
        """Of an image's lists, which every layer that changes one holds anew, what is new."""
        for each in found:
            if place.image and isinstance(each, Component):
                key = (f"{place.image}!{place.inner}", each.kind, each.name, each.version)
                if key in self._seen:
                    continue
                if len(self._seen) < _MOST_SAME:
                    self._seen.add(key)
            yield each

    def _inside(
        self, place: _Place, depth: int, *, is_installer: bool
    ) -> Iterator[Component | Skipped]:
        """Open an object in every way that software comes in."""
        data = place.data
        type_name = self._scanner.identify(data)
        ways = [
            kind
            for kind in kinds(data, type_name)
            if kind in OPENED or (is_installer and kind in _COMPOUND)
        ]
        if not ways:
            return
        same = hash(data)
        if same in self._around:
            yield Skipped(place.place, "it contains itself, without end")
            return
        self._around.append(same)
        for kind in ways:
            try:
                self._budget.check_depth(depth)
                yield from self._members(place, kind, depth)
            except (FormatError, LimitReached) as error:
                yield Skipped(place.place, f"not wholly opened as {kind}: {error}")
        self._around.pop()

    def _members(self, place: _Place, kind: str, depth: int) -> Iterator[Component | Skipped]:
        unpacker = unpacker_of(kind)
        if unpacker is None:
            return
        packages = self._programs.interests.packages
        bundle = Bundle(place.data, packages) if kind in _ARCHIVED else None
        missing = 0
        for item in unpacker.members(place.data, self._budget, self._scanner.options.passwords):
            if isinstance(item, NotHad):
                if item.reason is not Reason.DUPLICATE:
                    missing += 1
                    if missing <= _MOST_MISSING:
                        where = _joined(place.place, item.name) if item.name else place.place
                        yield Skipped(where, item.detail)
                continue
            if not isinstance(item, Member):
                continue
            name = item.name.removeprefix("./") or _plain_name(place.inner, item.position)
            where = _joined(place.place, name)
            if not item.complete:
                yield Skipped(where, item.note)
            inner = name.partition("!/")[2] if kind == _IMAGE and "!/" in name else name
            if bundle is not None:
                bundle.show(inner, item.data)
            image = place.place if kind == _IMAGE else ""
            yield from self.at(_Place(item.data, where, inner, image), depth)
        if missing > _MOST_MISSING:
            yield Skipped(
                place.place, f"{missing - _MOST_MISSING:,} more of its members could not be had"
            )
        for facts in bundle.facts() if bundle is not None else ():
            yield from _said(facts, place)


def _said(facts: Facts, place: _Place) -> Iterator[Component | Skipped]:
    yield facts.component(place.place)
    for trouble in facts.trouble:
        yield Skipped(place.place, trouble)


def _plain_name(packed: str, position: int) -> str:
    """What a file was called before it was packed alone: `a.tar` of `a.tar.gz`."""
    name, dot, _ending = packed.rpartition("/")[2].rpartition(".")
    return name if dot and name and position <= 1 else str(position)


def _joined(place: str, name: str) -> str:
    """A member's place; of a container image, its layer is a step on the way down."""
    return f"{place}!{name.replace('!/', '!').lstrip('/')}"
