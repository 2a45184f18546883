"""Scanning start-up places: each file once, with why it was looked at and what is remarkable."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import chain

from tocsin.engine.exceptions import Exceptions
from tocsin.engine.jobs import Job, scan_job
from tocsin.engine.report import Note, Report
from tocsin.protect.startup.place import Place
from tocsin.protect.startup.tree import Tree
from tocsin.protect.startup_places import StartupPlaces
from tocsin.protect.startup_remarks import Standing, remarks

_MOST_REASONS = 5
_MOST_NAMED = 3


class StartupScan:
    """What is started without being asked for, as objects to scan.

    Args:
        exceptions: the user's own.
        root: where the file system begins; `/` for this machine, whose processes are looked at.
        uid: who looks; None for whoever runs this.
    """

    def __init__(self, exceptions: Exceptions, root: str = "/", uid: int | None = None) -> None:
        self._exceptions = exceptions
        self._tree = Tree(root)
        self._live = root == "/"
        self._startup = StartupPlaces(self._tree, uid)
        self._notes: dict[str, list[Note]] = {}
        self._files = 0
        self._remarkable = 0

    def items(self) -> Iterator[Job | Report]:
        """What to scan, and reports on what cannot be."""
        for path, places in self._gathered().items():
            self._files += 1
            name = self._tree.real(path) if path.startswith("/") else path
            notes = self._said(name, places)
            self._notes[name] = notes
            if not path.startswith("/"):
                yield Report(name)
            elif path.startswith("/proc/"):
                yield _of_process(name, self._exceptions)
            else:
                yield scan_job(name, self._exceptions)

    def finished(self, report: Report) -> Iterator[Report]:
        """A report with why its file was looked at."""
        notes = self._notes.pop(report.path, [])
        report.notes[:0] = notes
        self._remarkable += any(note.trait == "remarkable" for note in notes)
        yield report

    def lines(self) -> list[tuple[str, str]]:
        """Rows for a summary."""
        rows = [("start-up", f"{self._files:,} files, {self._remarkable:,} of them remarkable")]
        if self._startup.others:
            rows.append(("", f"those of {self._startup.others:,} other accounts only root may see"))
        refused = sorted(self._tree.refused)
        if refused:
            named = ", ".join(refused[:_MOST_NAMED])
            more = len(refused) - _MOST_NAMED
            rows.append(
                ("", f"may not be read: {named}{f' and {more:,} more' if more > 0 else ''}")
            )
        return rows

    def _gathered(self) -> dict[str, list[Place]]:
        """Every place, those that lead to one file together, under the first path."""
        found: dict[str, list[Place]] = {}
        first: dict[tuple[int, int], str] = {}
        processes = self._startup.processes() if self._live else iter(())
        for place in chain(self._startup.places(), processes):
            path = place.path
            status = self._tree.status(path) if path.startswith("/") else None
            if status is not None:
                path = first.setdefault((status.st_dev, status.st_ino), path)
            found.setdefault(path, []).append(place)
        return found

    def _said(self, name: str, places: list[Place]) -> list[Note]:
        reasons = list(dict.fromkeys(place.why for place in places))
        notes = [Note(name, "start-up", reason) for reason in reasons[:_MOST_REASONS]]
        more = len(reasons) - _MOST_REASONS
        if more > 0:
            notes.append(Note(name, "start-up", f"and {more:,} more"))
        said = {
            remark: None
            for place in places
            for remark in remarks(place, self._standing(place.path))
        }
        return [*notes, *(Note(name, "remarkable", remark) for remark in said)]

    def _standing(self, path: str) -> Standing | None:
        """Who may change a file and put another in its place."""
        real = self._tree.real(path)
        try:
            real = os.path.realpath(real) if self._live else real
            status, folder = os.stat(real), os.stat(os.path.dirname(real))
        except (OSError, ValueError):
            return None
        return Standing(status.st_mode, status.st_uid, folder.st_mode, folder.st_uid)


def _of_process(path: str, exceptions: Exceptions) -> Job | Report:
    """A job for a running program, which may have ended."""
    item = scan_job(path, exceptions)
    if isinstance(item, Report):
        item.errors.clear()  # it has ended, or belongs to somebody else
    return item
