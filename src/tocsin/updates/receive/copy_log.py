"""The log in a copy of a repository, kept as a mirror of a log keeps it.

Each file is checked before it is kept, and is on the disk before the checkpoint that speaks of
it. What is damaged here is fetched again; a mirror whose tree is not to be had is left for the
next; what convicts the log is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import partial
from pathlib import Path
from typing import NamedTuple

from tocsin.transparency.checkpoint import OpenedCheckpoint
from tocsin.transparency.errors import (
    LogBusy,
    LogDamaged,
    LogNotWritten,
    SplitView,
    TransparencyError,
)
from tocsin.transparency.follow import keep_tree, reader_beyond
from tocsin.transparency.log_files import LogFiles
from tocsin.transparency.note import MAX_NOTE_BYTES, SignedNote, VerifierKey
from tocsin.transparency.policy import Policy
from tocsin.transparency.reader import LogReader, folder_fetch
from tocsin.transparency.tiles import CHECKPOINT, ENTRIES, WIDTH, tiles_of
from tocsin.transparency.tree_head import Checkpoint
from tocsin.transparency.verdict import check
from tocsin.updates.layout import LOG
from tocsin.updates.receive.download import fetch_small
from tocsin.updates.receive.errors import (
    ContentRefused,
    NotVouchedFor,
    StateBusy,
    StateDamaged,
    UpdateError,
)
from tocsin.updates.receive.files import raise_if_full
from tocsin.updates.receive.logview import log_fetch, split_log
from tocsin.updates.receive.mirrors import MirrorFetcher


class CopiedLog(NamedTuple):
    """What the copy has of the log.

    Attributes:
        size: entries of the tree.
        files: paths in the repository, the checkpoint last.
    """

    size: int
    files: tuple[str, ...]


class LogCopier:
    """Brings the log of a copy up to date.

    Args:
        mirrors: where from.
        folder: of the log in the copy; it is there.
        evidence: folder for what convicts the log.
        policy: whose log and whose witnesses are asked for.
        logs: further logs that are believed.
        now: POSIX seconds.
        observe: is told now and then how many files were looked at.
    """

    def __init__(
        self,
        mirrors: MirrorFetcher,
        folder: Path,
        evidence: Path,
        policy: Policy,
        logs: Collection[VerifierKey],
        now: int,
        observe: Callable[[int], None],
    ) -> None:
        self._mirrors = mirrors
        self._folder = folder
        self._evidence = evidence
        self._policy = policy
        self._logs = logs
        self._now = now
        self._observe = observe
        self._own = folder_fetch(folder)
        self._fetch = log_fetch(partial(fetch_small, mirrors))

    def copy(self, since: int) -> CopiedLog:
        """Copy what is new or damaged, from the first mirror that shows a whole tree.

        Args:
            since: index of the first entry that is wanted; hash tiles are wanted all.

        Raises:
            NotVouchedFor: no mirror shows a log that is whole, witnessed as the policy asks, and
                what followed the one here.
            SplitLog: the log signed two histories; the evidence is kept.
            StateBusy: another process writes the copy.
            UpdateError: it cannot be written or read here.
        """
        while True:
            data = fetch_small(self._mirrors, f"{LOG}/{CHECKPOINT}", MAX_NOTE_BYTES)
            if data is None:
                raise NotVouchedFor("the repository shows no checkpoint of its log")
            shown_by = self._mirrors.last
            try:
                return self._copy(data, since)
            except SplitView as split:
                raise split_log(split, self._evidence) from split
            except LogBusy as error:
                raise StateBusy(str(error)) from error
            except LogNotWritten as error:
                if isinstance(error.__cause__, OSError):
                    raise_if_full(error.__cause__, self._folder)
                raise UpdateError(str(error)) from error
            except (TransparencyError, ContentRefused) as error:
                # Whoever shows a checkpoint has the tree, whoever else was asked for a part of it.
                self._mirrors.set_aside(shown_by, f"the log: {error}")
                if not self._mirrors.standing():
                    raise NotVouchedFor(f"the log: {error}") from error

    def _copy(self, data: bytes, since: int) -> CopiedLog:
        verdict = check(self._policy, data, now=self._now, log_keys=self._logs)
        verdict.require()
        shown, head = verdict.checkpoint, verdict.head
        with LogFiles(self._folder) as files:
            kept = self._kept()
            held = None
            if kept is not None and kept[0].origin == head.origin:
                held = OpenedCheckpoint(*kept, shown.log)  # it was checked when it was kept
            reader = reader_beyond(held, self._own, shown, self._fetch)
            if held is not None and held.head.size > head.size:
                raise LogDamaged(
                    f"{head.origin} is shown with {head.size} entries, which is not what followed "
                    f"the {held.head.size} entries in {self._folder}"
                )
            if reader is None:
                reader = LogReader(self._fetch, head, own=self._own)
            if kept is not None and held is None:  # a successor's log, in the place of the last
                files.sweep(head.size)
            keep_tree(files, self._own, reader, entries_from=since, observe=self._observe)
            files.write(CHECKPOINT, data)
            files.settle()
        wanted = (t for t in tiles_of(head.size) if t.level != ENTRIES or _ends(t.place) > since)
        names = [*(tile.path for tile in wanted), CHECKPOINT]
        return CopiedLog(head.size, tuple(f"{LOG}/{name}" for name in names))

    def _kept(self) -> tuple[Checkpoint, SignedNote] | None:
        try:
            note = SignedNote.parse(self._own(CHECKPOINT, MAX_NOTE_BYTES))
            return Checkpoint.parse(note.text), note
        except FileNotFoundError:
            return None
        except TransparencyError as error:
            raise StateDamaged(
                f"{self._folder / CHECKPOINT}: {error}. It says how far this copy is: put it back "
                "from another copy, or begin a new one elsewhere"
            ) from error


def _ends(place: int) -> int:
    """The index behind the last entry that a bundle can have."""
    return (place + 1) * WIDTH
