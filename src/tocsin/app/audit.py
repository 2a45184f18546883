"""One audit: from paths, or this machine's own lists, to a report.

It joins the parts of `audit`: files are looked into by confined workers (`look`), what is found is
held against marks (`matching`), rules (`findings`) and advisories (`osv`).
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import NamedTuple

from tocsin.app.audit_system import MOST_FILES, installed
from tocsin.app.law import current_rulebook
from tocsin.app.walk import Walk, WalkOptions
from tocsin.audit.findings import MIN_CONFIDENCE, Judge, relevant_rules
from tocsin.audit.interface import Reader
from tocsin.audit.look import LIMITS, Look
from tocsin.audit.matching import Matcher
from tocsin.audit.model import (
    AdvisoryFinding,
    Audit,
    Component,
    Skipped,
    SupplierFinding,
)
from tocsin.audit.recognise import recognise
from tocsin.audit.report.interface import Report, in_order
from tocsin.engine.options import Options
from tocsin.engine.report import Report as ScanReport
from tocsin.errors import LawError
from tocsin.jurisdiction.folder import read_own
from tocsin.jurisdiction.question import Question
from tocsin.jurisdiction.rulebook import Rulebook
from tocsin.unpack.interface import Limits

MOST_SKIPPED = 20_000
"""Skipped things that are named one by one."""

_INTERVAL = 0.2
_ECOSYSTEMS = {
    "debian": "Debian",
    "ubuntu": "Ubuntu",
    "rocky": "Rocky Linux",
    "almalinux": "AlmaLinux",
}
"""Distributions by what they call themselves."""

_BY_MAJOR = frozenset({"rocky", "almalinux"})
"""Those whose advisories name no minor release."""


class Request(NamedTuple):
    """What to look at, and what to hold it against.

    Attributes:
        paths: files and folders.
        system: look at this machine's own lists as well.
        facts: a question; its operation, product and supplier do not matter.
        is_embedded_stated: whether its `embedded` was stated.
        meant: how its instant was understood; may be empty.
        suppliers: names of those to look for; empty: all that the rulebook knows.
        own: a folder with rules and suppliers of the user's own, besides.
        advisories: folders, archives or files of OSV records.
        distribution: of packages that name none, as OSV does (`Debian:12`); empty: this machine's
            for its own lists, and unknown for paths.
        min_confidence: from 0 to 1.
        walk: what to leave out of folders.
        limits: for one file and what is inside it.
        jobs: worker processes.
    """

    paths: tuple[str, ...]
    system: bool
    facts: Question
    is_embedded_stated: bool = False
    meant: str = ""
    suppliers: tuple[str, ...] = ()
    own: Path | None = None
    advisories: tuple[Path, ...] = ()
    distribution: str = ""
    min_confidence: float = MIN_CONFIDENCE
    walk: WalkOptions = WalkOptions()
    limits: Limits = LIMITS
    jobs: int = 1


class AuditRun:
    """One audit; use it once.

    Args:
        request: what to do.
        progress: called now and then with a few words about what is being done.

    Raises:
        LawError: the rulebook or the user's own files cannot be used, or know no such supplier.
    """

    def __init__(self, request: Request, progress: Callable[[str], None]) -> None:
        self._request = request
        self._progress = progress
        self._shown = time.monotonic()
        used = current_rulebook()
        self._book = used.book if request.own is None else _with_own(used.book, request.own)
        self._origin = used.origin.line() + (f", and {request.own}" if request.own else "")
        self._trouble = used.origin.trouble
        self._looked_in: list[str] = []
        self._components = 0
        self._skipped: dict[Skipped, None] = {}
        self._unnamed = 0
        self._seen: set[str] = set()
        self._named_files: set[str] = set()
        self._files = 0
        self._advisories_from: list[str] = []
        self._unread: list[str] = []
        self._undecided: tuple[str, ...] = ()

    def report(self) -> Report:
        """Do it.

        Raises:
            TocsinError: advisories cannot be read, or workers cannot be had.
            OSError: the same.
        """
        request, book = self._request, self._book
        wanted = [book.supplier(name) for name in request.suppliers] or book.suppliers.values()
        matcher = Matcher(wanted)
        judge = Judge(
            book,
            request.facts,
            is_embedded_stated=request.is_embedded_stated,
            min_confidence=request.min_confidence,
        )
        day = request.facts.at.date()
        suppliers: list[SupplierFinding] = []
        held: list[Component] = []
        for found in self._found(matcher):
            if isinstance(found, Skipped):
                self._skip(found)
                continue
            self._count(found)
            suppliers += judge.judge(found, matcher.matches(found, day))
            if request.advisories:
                held.append(found)
        warned = list(self._advised(held)) if request.advisories else []
        if self._trouble:
            self._skip(Skipped("rulebook", self._trouble))
        self._conclude()
        about = {each.matches[0].supplier.id for each in suppliers}
        audit = Audit(self._components, tuple(suppliers), tuple(warned), tuple(self._skipped))
        return Report(
            audit=in_order(audit),
            facts=request.facts,
            is_embedded_stated=request.is_embedded_stated,
            meant=request.meant,
            rules=relevant_rules(book, request.facts, about or [each.id for each in wanted]),
            edition=book.edition.number,
            rulebook=self._origin,
            rulebook_sha256=book.sha256,
            looked_in=tuple(self._looked_in),
            unseen=self._unseen(),
            undecided=self._undecided,
            advisories_from=tuple(self._advisories_from),
            min_confidence=request.min_confidence,
            weaker=judge.weaker,
            made=datetime.now(UTC),
        )

    def _found(self, matcher: Matcher) -> Iterator[Component | Skipped]:
        from tocsin.database.cache import default_sources, open_database

        # Types of files are told by rules of the database: the package's own are enough.
        database = open_database([default_sources()], lenient=False, progress=self._progress)
        options = Options(limits=self._request.limits)
        look = Look(database, matcher.interests(), _reader, options, self._request.jobs)
        yield from look.run(self._to_look_at())

    def _advised(self, components: list[Component]) -> Iterator[AdvisoryFinding]:
        """What advisories say of all components."""
        from tocsin.audit.osv.database import read
        from tocsin.audit.osv.matching import Index, without_release
        from tocsin.audit.osv.record import Record

        system = self._request.distribution
        if not system and not self._request.paths:
            system = _distribution()
        index = Index(components, system)
        for place in self._request.advisories:
            number = 0
            for one in read(place, index.may_want, partial(self._reading, place)):
                if isinstance(one, Skipped):
                    self._skip(one)
                else:
                    number += 1
                    index.add(one)
            if not number and not isinstance(next(read(place), None), Record):
                self._unread.append(str(place))  # nothing in it, whatever is asked for
            records = "1 record was" if number == 1 else f"{number:,} records were"
            self._advisories_from.append(f"{place} ({records} read)")
        for gap in without_release(components, self._request.advisories[0], system):
            self._skip(gap)
        for component in components:
            for said in index.find(component):
                if isinstance(said, Skipped):
                    self._skip(said)
                else:
                    yield said
        self._undecided = tuple(index.undecided)

    def _reading(self, place: Path, number: int, of: int) -> None:
        self._progress(f"{place}: {number:,}{f' of {of:,}' if of else ''} advisories")

    def _to_look_at(self) -> Iterator[str | Skipped]:
        if self._request.system:
            for listing in installed():
                self._looked_in.append(
                    f"{listing.what} of this machine: {listing.where}"
                    + (f" ({len(listing.files):,} files)" if len(listing.files) > 3 else "")
                )
                if listing.is_cut:
                    yield Skipped(
                        listing.where,
                        f"more than {MOST_FILES:,} files; name some of its folders instead",
                    )
                yield from listing.files
        for path in self._request.paths:
            yield from self._walk(path)

    def _walk(self, path: str) -> Iterator[str | Skipped]:
        walk = Walk(self._request.walk)
        is_folder = os.path.isdir(path)
        files = 0
        if not is_folder:
            self._named_files.add(path)
        for each in walk.items([path]):
            if isinstance(each, ScanReport):
                yield Skipped(each.path, _why(each))
            else:
                files += 1
                self._files += 1
                yield each
        left = ", ".join(f"{number:,} {what}" for what, number in sorted(walk.left_out.items()))
        count = f" ({files:,} files{f'; left out: {left}' if left else ''})" if is_folder else ""
        self._looked_in.append(path + count)

    def _count(self, component: Component) -> None:
        self._components += 1
        if self._named_files:
            self._seen.update(self._named_files.intersection(_ways(component.place)))
        now = time.monotonic()
        if now - self._shown > _INTERVAL:
            self._shown = now
            files = f" in {self._files:,} files" if self._files else ""
            self._progress(f"{self._components:,} components{files}")

    def _skip(self, skipped: Skipped) -> None:
        if len(self._skipped) < MOST_SKIPPED:
            self._skipped[skipped] = None
        elif skipped not in self._skipped:
            self._unnamed += 1

    def _conclude(self) -> None:
        """Say what is not to be seen in any one component or gap."""
        troubled = {way for each in self._skipped for way in _ways(each.place)}
        for path in sorted(self._named_files - self._seen - troubled):
            self._skip(
                Skipped(
                    path,
                    "nothing in it that an audit knows: no list of packages or parts, no program, "
                    "no archive with one of them; 'tocsin identify' says what it is",
                )
            )
        if self._unnamed:
            self._skipped[Skipped("", f"{self._unnamed:,} more things were skipped")] = None

    def _unseen(self) -> tuple[str, ...]:
        """What was named and could not be looked at, or was none of what it was named as."""
        troubled = {each.place for each in self._skipped}
        named = set(self._request.paths) & troubled - self._seen
        paths = [
            path
            for path in self._request.paths
            if path in named and (path in self._named_files or not os.path.isdir(path))
        ]
        return (*dict.fromkeys(paths), *self._unread)


def _distribution(root: Path = Path("/")) -> str:
    """This machine's distribution and release, as OSV names them; empty: not told.

    Source: os-release(5), with the names of the OSV schema's list of ecosystems.
    """
    stated: dict[str, str] = {}
    for place in ("etc/os-release", "usr/lib/os-release"):
        try:
            lines = (root / place).read_text("utf-8", "replace").splitlines()[:100]
        except OSError:
            continue
        for line in lines:
            key, equals, value = line.partition("=")
            if equals:
                stated.setdefault(key.strip(), value.strip().strip("\"'"))
        break
    name, release = stated.get("ID", ""), stated.get("VERSION_ID", "")
    if name == "alpine":
        return f"Alpine:v{'.'.join(release.split('.')[:2])}" if release else ""
    known = _ECOSYSTEMS.get(name)
    if known is None or not release:
        return ""
    if name in _BY_MAJOR:
        release = release.partition(".")[0]
    return f"{known}:{release}{':LTS' if _is_long_term(name, stated) else ''}"


def _is_long_term(name: str, stated: dict[str, str]) -> bool:
    return name == "ubuntu" and "LTS" in stated.get("VERSION", "")


def _reader(name: str, data: bytes) -> Reader | None:
    """What reads a list, told by its content."""
    found = recognise(data, name)
    return None if found is None else found.read


def _with_own(book: Rulebook, folder: Path) -> Rulebook:
    if not folder.is_dir():
        raise LawError(f"{folder}: no folder; rules and suppliers are in rules/ and suppliers/")
    try:
        return read_own(folder, book)
    except OSError as error:
        raise LawError(f"{error.filename or folder}: {error.strerror or error}") from error


def _why(report: ScanReport) -> str:
    return "; ".join([*report.errors, *(each.detail for each in report.skipped)])


def _ways(place: str) -> Iterator[str]:
    """A place, and the files that it may be in: a name may have a `!` itself."""
    yield place
    end = place.rfind("!")
    while end > 0:
        yield place[:end]
        end = place.rfind("!", 0, end)
