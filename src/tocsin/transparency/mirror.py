"""A mirror: a copy of a log whose cosignature means that the contents are held.

Whatever the source serves is checked against the checkpoint before it is kept; what is kept is on
the disk before the mirror signs; and what it signed last is the beginning of all it signs later.
The copy is a log's folder again: any web server serves it.

Specification: C2SP tlog-mirror, "Introduction" and "Updating a Mirror", of which this is "other
update processes": the mirror fetches. The write API is not here: that document has no version yet.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from tocsin.durable import sync_folder
from tocsin.transparency.checkpoint import OpenedCheckpoint
from tocsin.transparency.cosignature import cosign
from tocsin.transparency.errors import LogDamaged, TransparencyError
from tocsin.transparency.follow import (
    all_there,
    keep_tree,
    one_origin,
    open_by_any,
    reader_beyond,
)
from tocsin.transparency.keys import SigningKey
from tocsin.transparency.log_files import PENDING, LogFiles
from tocsin.transparency.note import MAX_NOTE_BYTES, SignedNote, VerifierKey, readable, verify
from tocsin.transparency.reader import Fetch, LogReader, fetch_checkpoint, folder_fetch
from tocsin.transparency.tiles import CHECKPOINT
from tocsin.transparency.witness import cosigning_time


@dataclass(frozen=True)
class Mirrored:
    """What a mirror came to.

    Attributes:
        before: entries it held.
        checkpoint: of what it holds now, as it is served.
        written: files that were new or wrong.
        source_size: entries that the source showed; fewer than are held when it is behind.
    """

    before: int
    checkpoint: OpenedCheckpoint
    written: int
    source_size: int


class Mirror:
    """A copy of a log in a folder.

    Args:
        folder: is made where it is missing.
        log_keys: the log's.
        keys: by which the mirror cosigns; they must be used for nothing else.
        cosigners: whose cosignatures are passed on when they verify; None for all, unchecked.
        clock: gives POSIX seconds.

    Raises:
        MalformedKey: the log's keys are of several logs.
        LogDamaged: the folder cannot be made.
    """

    def __init__(
        self,
        folder: Path,
        log_keys: Collection[VerifierKey],
        *,
        keys: Sequence[SigningKey] = (),
        cosigners: Collection[VerifierKey] | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.origin = one_origin(log_keys)
        self.folder = folder
        self._log_keys = tuple(log_keys)
        self._keys = tuple(keys)
        self._cosigners = cosigners
        self._clock = clock
        self._own = folder_fetch(folder)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            sync_folder(folder.parent)
        except OSError as error:
            raise LogDamaged(f"{folder}: {error.strerror or error}") from error

    def held(self) -> OpenedCheckpoint | None:
        """The checkpoint of what is held; None before the first time.

        Raises:
            LogDamaged: it is damaged.
        """
        found = []
        for name in (PENDING, CHECKPOINT):
            try:
                found.append(open_by_any(self._own(name, MAX_NOTE_BYTES), self._log_keys))
            except FileNotFoundError:
                continue
            except TransparencyError as error:
                raise LogDamaged(f"{self.folder / name}: {error}") from error
        return max(found, key=lambda opened: opened.head.size, default=None)

    def update(
        self,
        fetch: Fetch,
        *,
        whole: bool = False,
        observe: Callable[[int], None] = lambda _: None,
    ) -> Mirrored:
        """Copy what is new, and cosign.

        Args:
            fetch: gets the files of the log, or of another mirror of it.
            whole: whether to check what is held, too, and to fetch again what is wrong. Without
                it that is done only when a file is missing or has another length.
            observe: is told now and then how many files were looked at.

        Raises:
            SplitView: the source's tree and the one held are two histories; nothing was changed.
            LogDamaged: the source lacks something or serves something wrong; what is held stays.
            LogNotWritten: it cannot be kept here.
            BadSignature: the source's checkpoint is not the log's.
            LogBusy: another process writes the folder.
            WitnessError: the clock went back; nothing was cosigned.
        """
        with LogFiles(self.folder) as files:
            held = self.held()
            before = 0 if held is None else held.head.size
            shown = open_by_any(fetch_checkpoint(fetch), self._log_keys)
            reader = reader_beyond(held, self._own, shown, fetch)
            whole = whole or not all_there(self.folder, before)
            if whole and held is not None and reader is None:
                reader = LogReader(fetch, held.head, own=self._own)
            written = 0
            if reader is not None:
                grown_from = 0 if whole else before
                written = keep_tree(
                    files, self._own, reader, grown_from=grown_from, observe=observe
                )
            newest = shown if held is None or shown.head.size >= before else held
            served = self._serve(files, newest)
            return Mirrored(before, served, written, shown.head.size)

    def _serve(self, files: LogFiles, newest: OpenedCheckpoint) -> OpenedCheckpoint:
        """Cosign what is held, and serve it.

        It is kept, durably and unsigned, before the signature can be seen: so this mirror never
        signs a tree that does not begin with it.
        """
        note = newest.note
        known = [*self._log_keys, *(self._cosigners or ())]
        checked = tuple(each.signature for each in verify(note, known))
        if self._cosigners is not None:
            note = SignedNote(note.text, checked)
        if self._keys:
            mine = [key.verifier for key in self._keys]
            # What the source shows as this mirror's word is not taken from it.
            note = note.without(mine)
            checked = tuple(line for line in checked if line in note.signatures)
            now = cosigning_time(self._signed_last(), mine, self._clock())
            own = tuple(cosign(note.text, key, now) for key in self._keys)
            files.write(PENDING, readable(note, checked).to_bytes())
            files.settle()
            note = note.with_signatures(own)
            checked = (*checked, *own)
        data = readable(note, checked).to_bytes()
        opened = open_by_any(data, self._log_keys)  # as all who read it will
        files.write(CHECKPOINT, data)
        files.settle()
        files.remove(PENDING)
        files.settle()
        return opened

    def _signed_last(self) -> SignedNote | None:
        """The note with this mirror's last cosignatures; one that is pending has none yet."""
        try:
            return SignedNote.parse(self._own(CHECKPOINT, MAX_NOTE_BYTES))
        except FileNotFoundError:
            return None
