"""What can run in the processes of this machine, as objects to scan.

Two kinds of thing are looked at. Files that are mapped to be run, the program's own among them,
are opened through the mapping where that is allowed, so that one that was deleted or that never
had a name (memfd) is had as well; each is scanned once, however many processes have it. Memory
that can be run and has no file behind it, or no longer holds what its file does, is copied in
pieces that overlap; pieces of the same content are scanned once.

Our own processes are not looked at: a scanner holds what it looks for. Which they are is told by
descent and by session, never by a name, which any program can give itself.

Processes end and mappings go while they are looked at; that is no error. What may not be read is
counted, and `Counts.lines` says it.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Collection, Iterator
from contextlib import closing, suppress
from typing import NamedTuple

from tocsin.engine.exceptions import Exceptions
from tocsin.engine.jobs import Job, open_regular
from tocsin.engine.messages import ScanTask, to_bytes
from tocsin.engine.report import Note, ProcessInfo, Report, SkippedObject
from tocsin.errors import ScanError
from tocsin.protect.memory_copy import MemoryCopy, ProcessFiles
from tocsin.protect.memory_map import Region, parse_maps, pieces
from tocsin.protect.processes import Process, family, program_of, running

PIECE = 16 << 20
"""Bytes of memory that are scanned as one object."""

OVERLAP = 64 << 10
"""Bytes that a piece has in common with the next: no signature's match is longer, but for gaps."""

_GONE = frozenset({errno.ESRCH, errno.ENOENT, errno.EBADF})
_REFUSED = frozenset({errno.EACCES, errno.EPERM})
_MOST_HOLDERS_TRIED = 8


class Counts:
    """How far it went.

    Attributes:
        processes: looked into.
        refused: that this user may not look into.
        without_memory: whose mappings were seen, and whose memory may not be read.
        own: passed over because they are this scanner's own.
        files: different files that are mapped to be run.
        repeated: pieces of memory whose content was scanned already.
    """

    def __init__(self) -> None:
        self.processes = 0
        self.refused = 0
        self.without_memory = 0
        self.own = 0
        self.files = 0
        self.repeated = 0

    def lines(self) -> list[tuple[str, str]]:
        """Rows for a summary."""
        rows = [("processes", f"{self.processes:,} looked into, {self.files:,} files mapped")]
        if self.own:
            rows.append(("", f"{self.own:,} are this scanner's own and were passed over"))
        if self.refused:
            rows.append(("", f"{self.refused:,} could not be looked into: {_who_may()}"))
        if self.without_memory:
            rows.append(
                (
                    "",
                    f"memory of {self.without_memory:,} could not be read, only the files mapped: "
                    f"{_who_may()} (kernel.yama.ptrace_scope)",
                )
            )
        return rows


def _who_may() -> str:
    return "only root may" if os.geteuid() else "they forbid it even to root"


class _Mapped(NamedTuple):
    """A file as one process has it.

    Attributes:
        process: the process.
        region: where it is mapped; None when it is only the program it was started with.
        path: the file's name as the process sees it.
        deleted: whether that name no longer leads to it.
    """

    process: Process
    region: Region | None
    path: str
    deleted: bool


class _Known(NamedTuple):
    """What is said of an object besides its report."""

    processes: tuple[ProcessInfo, ...]
    notes: tuple[tuple[str, str], ...] = ()
    digest: str = ""
    lost: int = 0


class ProcessMemory:
    """Everything in the memory of processes that can be run.

    Args:
        exceptions: the user's own; files excepted by path are not scanned.
        own: heads of families of processes that are not looked at; None for this one.
        own_sessions: sessions whose processes are not looked at.
        only: numbers of the processes to look at; None for all.
        piece: bytes of memory that are scanned as one object.

    Attributes:
        counts: how far it went.
    """

    def __init__(
        self,
        exceptions: Exceptions,
        *,
        own: Collection[int] | None = None,
        own_sessions: Collection[int] = (),
        only: Collection[int] | None = None,
        piece: int = PIECE,
    ) -> None:
        self.counts = Counts()
        self._exceptions = exceptions
        self._own = own
        self._own_sessions = own_sessions
        self._only = only
        self._piece = max(piece, 4 * OVERLAP)
        self._known: dict[str, _Known] = {}
        self._pending: dict[str, list[tuple[str, _Known]]] = {}
        self._done: dict[str, Report] = {}
        self._memory: dict[Process, list[tuple[Region, bool]]] = {}

    def items(self) -> Iterator[Job | Report]:
        """What to scan, and reports on what cannot be."""
        files = self._survey()
        self.counts.files = len(files)
        for mapped in files.values():
            item = self._file(mapped)
            if item is not None:
                yield item
        for process, regions in self._memory.items():
            yield from self._of_memory(process, regions)

    def finished(self, report: Report) -> Iterator[Report]:
        """A report with the processes concerned, and those on pieces of the same content."""
        known = self._known.pop(report.path, None)
        if known is None:
            yield report
            return
        _complete(report, known)
        yield report
        if known.digest:
            self._done[known.digest] = report
            for name, twin in self._pending.pop(known.digest, []):
                yield _complete(_copied(report, name), twin)

    def lines(self) -> list[tuple[str, str]]:
        """Rows for a summary: what was looked at, and what could not be."""
        return self.counts.lines()

    def _survey(self) -> dict[tuple[int, int], list[_Mapped]]:
        """Files mapped to be run, each with who has it; memory to be read is noted."""
        everybody = list(running())
        own = family(everybody, [os.getpid()] if self._own is None else self._own)
        files: dict[tuple[int, int], list[_Mapped]] = {}
        for process in everybody:
            if process.kernel or (self._only is not None and process.pid not in self._only):
                continue
            if process.pid in own or process.session in self._own_sessions:
                self.counts.own += 1
                continue
            try:
                self._survey_one(process, files)
            except OSError as error:
                if error.errno in _REFUSED:
                    self.counts.refused += 1
        return files

    def _survey_one(self, process: Process, files: dict[tuple[int, int], list[_Mapped]]) -> None:
        """Note what one process has.

        Raises:
            OSError: it has ended, or may not be looked into.
        """
        with closing(ProcessFiles(process)) as source:
            regions = parse_maps(source.read("maps"))
            if not regions:
                return  # it has ended and nobody has asked for its status yet
            seen: set[tuple[int, int]] = set()
            regions_here = self._memory.setdefault(process, [])
            for region in regions:
                if not region.executable:
                    continue
                if region.anonymous or region.private:
                    regions_here.append((region, region.anonymous))
                if region.anonymous:
                    continue
                key = (region.device, region.inode)
                if key not in seen:
                    seen.add(key)
                    held = _Mapped(process, region, region.path, region.deleted)
                    files.setdefault(key, []).append(held)
            with suppress(FileNotFoundError):
                status = os.stat("exe", dir_fd=source.folder)
                key = (status.st_dev, status.st_ino)
                if key not in seen:
                    path = program_of(process.pid)
                    deleted = status.st_nlink == 0
                    held = _Mapped(process, None, path.removesuffix(" (deleted)"), deleted)
                    files.setdefault(key, []).append(held)
            self.counts.processes += 1

    def _file(self, mapped: list[_Mapped]) -> Job | Report | None:
        """A job for a file that processes have mapped.

        Where it cannot be opened, the memory that holds it is read instead.
        """
        first = mapped[0]
        name = _object_name(first.process, first.path)
        while name in self._known:
            name += "'"  # two files that one process knows by one name: one was replaced
        known = _Known(
            tuple(_info(m.process, file="" if m.deleted else m.path) for m in mapped),
            tuple(_file_notes(first)),
        )
        if self._exceptions.paths and self._exceptions.allows_path(first.path):
            report = Report(name)
            report.skipped.append(SkippedObject(name, "allowed", "excepted by path"))
            self._known[name] = known
            return report
        for held in mapped[:_MOST_HOLDERS_TRIED]:
            descriptor = _open_mapped(held)
            if descriptor >= 0:
                self._known[name] = known
                return Job(name, descriptor, ScanTask(to_bytes(name)))
        for held in mapped:
            if held.region is not None:
                self._memory[held.process].append((held.region, True))
        return None

    def _of_memory(
        self, process: Process, regions: list[tuple[Region, bool]]
    ) -> Iterator[Job | Report]:
        """Jobs for the pieces of a process's memory.

        Args:
            process: whose it is.
            regions: which; each wholly, or only if it no longer holds what its file does.
        """
        try:
            with closing(ProcessFiles(process)) as source:
                for region, whole in regions:
                    copy = MemoryCopy(source, region)
                    if not whole and not copy.changed():
                        continue
                    for start, end in pieces(region.start, region.end, self._piece, OVERLAP):
                        item = self._piece_of(copy, start, end)
                        if item is not None:
                            yield item
        except OSError as error:
            if error.errno in _REFUSED:
                self.counts.without_memory += 1
            elif error.errno not in _GONE:
                report = Report(_object_name(process, "memory"))
                report.errors.append(error.strerror or str(error))
                yield report

    def _piece_of(self, copy: MemoryCopy, start: int, end: int) -> Job | Report | None:
        """A job for one piece, None when there is nothing in it or it is being scanned already.

        Raises:
            OSError: the process has ended, or may not be read.
        """
        process, region = copy.process, copy.region
        got = copy.take(start, end)
        if got is None:
            return None
        name = _object_name(process, region.name(got.start, got.end))
        notes = [("note", f"part of {region.path}, changed in memory")] if region.inode else []
        known = _Known((_info(process, region=region.name()),), tuple(notes), got.digest, got.lost)
        if got.descriptor < 0:
            if not copy.still_there():
                return None
            return _unreadable(process, region, "its memory could not be read")
        before = self._done.get(got.digest)
        if before is None and got.digest not in self._pending:
            self._pending[got.digest] = []
            self._known[name] = known
            return Job(name, got.descriptor, ScanTask(to_bytes(name)))
        os.close(got.descriptor)
        self.counts.repeated += 1
        if before is None:
            self._pending[got.digest].append((name, known))
            return None
        self._known[name] = known._replace(digest="")
        return _copied(before, name)


def _open_mapped(held: _Mapped) -> int:
    """Open a mapped file by any way that leads to that very file.

    Returns:
        Its descriptor, or -1.
    """
    process, region = held.process, held.region
    base = f"/proc/{process.pid}"
    ways = [f"{base}/exe"]
    if region is not None:
        ways.insert(0, f"{base}/map_files/{region.start:x}-{region.end:x}")
    if held.path.startswith("/") and not held.deleted:
        ways.append(f"{base}/root{held.path}")
        ways.append(held.path)
    for way in ways:
        with suppress(OSError, ScanError, ValueError):
            descriptor = open_regular(way)
            status = os.fstat(descriptor)
            if region is None or status.st_ino == region.inode:
                return descriptor
            os.close(descriptor)
    return -1


def _object_name(process: Process, what: str) -> str:
    return f"process {process.pid} ({process.name}) {what}"


def _info(process: Process, *, region: str = "", file: str = "") -> ProcessInfo:
    return ProcessInfo(
        pid=process.pid,
        start=process.start,
        name=process.name,
        uid=process.uid,
        program=program_of(process.pid),
        region=region,
        file=file,
    )


def _file_notes(held: _Mapped) -> Iterator[tuple[str, str]]:
    """What is remarkable about a mapped file."""
    is_program = program_of(held.process.pid).removesuffix(" (deleted)") == held.path
    if held.path.startswith("/memfd:"):
        what = "a program" if is_program else "code"
        yield "remarkable", f"{what} that runs from memory and never had a file (memfd)"
    elif held.deleted and is_program:
        yield "remarkable", "a running program whose file was deleted or replaced"
    elif held.deleted:
        yield "note", "its file was deleted or replaced since it was mapped"


def _complete(report: Report, known: _Known) -> Report:
    """Add what is known besides the scan."""
    report.processes = list(known.processes)
    report.notes += [Note(report.path, trait, detail) for trait, detail in known.notes]
    if known.lost:
        gap = f"{known.lost:,} bytes of it could not be read"
        report.skipped.append(SkippedObject(report.path, "unsupported", gap))
    return report


def _copied(report: Report, name: str) -> Report:
    """The same report on another object of the same content."""
    copy = Report.from_dict({**report.to_dict(), "path": name, "notes": [], "skipped": []})

    def renamed(way: str) -> str:
        return name + way[len(report.path) :] if way.startswith(report.path) else way

    copy.detections = [d._replace(object=renamed(d.object)) for d in report.detections]
    copy.skipped = [s._replace(object=renamed(s.object)) for s in report.skipped]
    return copy


def _unreadable(process: Process, region: Region, why: str) -> Report:
    report = Report(_object_name(process, region.name()))
    report.processes = [_info(process, region=region.name())]
    report.skipped.append(SkippedObject(report.path, "unsupported", why))
    return report
