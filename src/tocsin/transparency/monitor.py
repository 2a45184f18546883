"""A monitor: follows a log and its witnesses, tells what was added, and raises on a split view.

It keeps the hash tiles of the largest tree that it saw. Every checkpoint that the log signed, seen
at the log or at a witness, must be that tree at some size, or a continuation of it. A checkpoint
whose tree the log does not show, its own among them, is kept until it can be judged.
"""

from __future__ import annotations

import enum
import hashlib
import os
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tocsin.errors import TocsinError
from tocsin.transparency.checkpoint import OpenedCheckpoint
from tocsin.transparency.cosignature import cosignatures
from tocsin.transparency.errors import (
    LogDamaged,
    LogNotWritten,
    SplitView,
    TransparencyError,
)
from tocsin.transparency.evidence import keep_evidence
from tocsin.transparency.follow import keep_tree, one_origin, open_by_any, reader_beyond
from tocsin.transparency.log_files import LogFiles
from tocsin.transparency.note import MAX_NOTE_BYTES, VerifierKey
from tocsin.transparency.reader import Fetch, fetch_checkpoint, folder_fetch
from tocsin.transparency.tiles import CHECKPOINT
from tocsin.transparency.witness import origin_hash

EVIDENCE = "evidence"
_UNDECIDED = "undecided"
_MOST_UNDECIDED = 64

Tell = Callable[[int, bytes], None]
"""Is told of an entry: its index and its bytes."""


@dataclass(frozen=True)
class Page:
    """Where a witness shows what it cosigned.

    Attributes:
        name: for people.
        fetch: gets files under the witness's monitoring prefix.
        key: the witness's; None not to ask for its cosignature.
    """

    name: str
    fetch: Fetch
    key: VerifierKey | None = None


class Standing(enum.Enum):
    """What a witness's page shows, beside what is known."""

    AGREES = "agrees"
    AHEAD = "ahead of what the log shows"
    NOTHING = "has cosigned nothing"
    SILENT = "does not answer"
    WRONG = "shows something else"


@dataclass(frozen=True)
class Seen:
    """What a witness's page showed.

    Attributes:
        name: of the witness.
        standing: of what it showed.
        size: entries of the tree that it cosigned; None where it showed none.
        time: POSIX seconds at which it did, by its word; None without a key to check it.
        reason: more words, where something is wrong.
    """

    name: str
    standing: Standing
    size: int | None = None
    time: int | None = None
    reason: str = ""


@dataclass(frozen=True)
class Look:
    """What came of looking once.

    Attributes:
        origin: the log.
        before: entries that were known.
        size: entries that are known now.
        root: over them.
        shown: entries that the log itself shows; fewer when it is behind, None when it shows
            no checkpoint.
        pages: what witnesses showed, in their order.
        undecided: checkpoints that the log signed and does not show the tree of.
        trouble: what is wrong with what the log shows of itself; empty for nothing. It has no
            later tree then, or what it signed is not to be had.
    """

    origin: str
    before: int
    size: int
    root: bytes
    shown: int | None
    pages: tuple[Seen, ...]
    undecided: int
    trouble: str = ""


class SplitFound(SplitView):
    """A split view whose evidence is kept.

    Attributes:
        place: the folder with it.
    """

    def __init__(self, split: SplitView, place: Path) -> None:
        self.place = place
        super().__init__(str(split), split.evidence, split.proof)


class Monitor:
    """Follows one log.

    Args:
        state: folder for what is kept, of several logs too.
        log_keys: the log's.
        fetch: gets its files.
        pages: of witnesses.

    Raises:
        MalformedKey: the keys are of several logs.
        LogDamaged: the folder cannot be made.
    """

    def __init__(
        self,
        state: Path,
        log_keys: Collection[VerifierKey],
        fetch: Fetch,
        pages: Sequence[Page] = (),
    ) -> None:
        self.origin = one_origin(log_keys)
        self.folder = state / origin_hash(self.origin)
        self._log_keys = tuple(log_keys)
        self._fetch = fetch
        self._pages = tuple(pages)
        self._own = folder_fetch(self.folder)
        try:
            (self.folder / _UNDECIDED).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise LogDamaged(f"{self.folder}: {error.strerror or error}") from error

    def look(self, tell: Tell = lambda _index, _entry: None) -> Look:
        """Look at the log and at all pages once.

        Args:
            tell: is told of every new entry, in their order, before it is remembered: if that
                is interrupted, they are told again.

        Raises:
            SplitFound: the log signed two histories; the evidence is kept.
            LogDamaged: the log's files are missing or wrong, and nothing was known before; what it
                signed is kept all the same.
            LogNotWritten: what is to be remembered cannot be kept here.
            BadSignature: what the log shows is not signed by it, and nothing was known before.
            LogBusy: another monitor works in this folder.
        """
        with LogFiles(self.folder) as files:
            try:
                return self._look(files, tell)
            except SplitView as split:
                place = keep_evidence(self.folder / EVIDENCE, split)
                raise SplitFound(split, place) from split

    def _look(self, files: LogFiles, tell: Tell) -> Look:
        held = self._held()
        before = 0 if held is None else held.head.size
        # What the log signed is kept even where it does not show what it signed: it may show it
        # to others, and a witness may have seen it.
        shown: OpenedCheckpoint | None = None
        trouble: TocsinError | None = None
        try:
            shown = open_by_any(fetch_checkpoint(self._fetch), self._log_keys)
        except TocsinError as error:
            trouble = error
        else:
            held, trouble = self._take_or_put_off(files, held, shown, tell)
        pages = []
        for page in self._pages:
            seen, cosigned = self._read_page(page)
            if cosigned is not None:
                held, why = self._take_or_put_off(files, held, cosigned, tell)
                if why is not None:
                    seen = Seen(page.name, Standing.AHEAD, seen.size, seen.time, str(why))
            pages.append(seen)
        if held is None:
            assert trouble is not None
            raise trouble
        undecided = self._decide(files, held)
        return Look(
            self.origin,
            before,
            held.head.size,
            held.head.root,
            None if shown is None else shown.head.size,
            tuple(pages),
            undecided,
            "" if trouble is None else str(trouble),
        )

    def _take_or_put_off(
        self,
        files: LogFiles,
        held: OpenedCheckpoint | None,
        shown: OpenedCheckpoint,
        tell: Tell,
    ) -> tuple[OpenedCheckpoint | None, LogDamaged | None]:
        """The largest that is known then, and why this one could not be judged."""
        try:
            return self._take(files, held, shown, tell), None
        except LogNotWritten:
            raise
        except LogDamaged as error:
            if self._put_off(files, shown):
                return held, error
            full = f"{error}; and so many checkpoints wait that this one could not be kept"
            return held, LogDamaged(full)

    def _held(self) -> OpenedCheckpoint | None:
        try:
            return open_by_any(self._own(CHECKPOINT, MAX_NOTE_BYTES), self._log_keys)
        except FileNotFoundError:
            return None
        except TransparencyError as error:
            raise LogDamaged(f"{self.folder / CHECKPOINT}: {error}") from error

    def _take(
        self,
        files: LogFiles,
        held: OpenedCheckpoint | None,
        shown: OpenedCheckpoint,
        tell: Tell,
    ) -> OpenedCheckpoint:
        """Judge a checkpoint, and remember it where it is the larger one."""
        reader = reader_beyond(held, self._own, shown, self._fetch)
        if reader is None:
            assert held is not None
            return held
        before = 0 if held is None else held.head.size
        for index, entry in enumerate(reader.entries(before), before):
            tell(index, entry)
        keep_tree(files, self._own, reader, grown_from=before, entries_from=None)
        files.write(CHECKPOINT, shown.note.to_bytes())
        files.settle()
        return shown

    def _read_page(self, page: Page) -> tuple[Seen, OpenedCheckpoint | None]:
        try:
            data = page.fetch(f"{origin_hash(self.origin)}/{CHECKPOINT}", MAX_NOTE_BYTES)
        except FileNotFoundError:
            return Seen(page.name, Standing.NOTHING), None
        except TocsinError as error:
            return Seen(page.name, Standing.SILENT, reason=str(error)), None
        try:
            opened = open_by_any(data, self._log_keys)
            time = None
            if page.key is not None:
                found = cosignatures(opened.note, [page.key])
                if not found:
                    reason = "its page has no cosignature by its key"
                    return Seen(page.name, Standing.WRONG, reason=reason), None
                time = found[0].timestamp
        except TransparencyError as error:
            return Seen(page.name, Standing.WRONG, reason=str(error)), None
        return Seen(page.name, Standing.AGREES, opened.head.size, time), opened

    # --- what is ahead of the log --------------------------------------------------------------

    def _put_off(self, files: LogFiles, opened: OpenedCheckpoint) -> bool:
        """Keep a checkpoint until the log shows so large a tree; one a tree, a bounded number.

        Returns:
            Whether it is kept.
        """
        name = hashlib.sha256(opened.head.text().encode("utf-8")).hexdigest()
        names = self._undecided()
        if name in names:
            return True
        if len(names) >= _MOST_UNDECIDED:
            return False
        files.write(f"{_UNDECIDED}/{name}", opened.note.to_bytes())
        files.settle()
        return True

    def _undecided(self) -> list[str]:
        try:
            return sorted(os.listdir(self.folder / _UNDECIDED))
        except OSError as error:
            raise LogDamaged(f"{self.folder / _UNDECIDED}: {error.strerror or error}") from error

    def _decide(self, files: LogFiles, held: OpenedCheckpoint) -> int:
        """Judge what was put off, as far as is known now; how many are left."""
        left = 0
        for name in self._undecided():
            path = f"{_UNDECIDED}/{name}"
            opened = None
            with suppress(TransparencyError, FileNotFoundError):  # damaged here; nothing to judge
                opened = open_by_any(self._own(path, MAX_NOTE_BYTES), self._log_keys)
            if opened is not None and opened.head.size > held.head.size:
                left += 1
                continue
            if opened is not None:
                try:
                    reader_beyond(held, self._own, opened, self._fetch)
                except LogDamaged:  # what is kept here is damaged, and the log shows it no more
                    left += 1
                    continue
            files.remove(path)
        files.settle()
        return left
