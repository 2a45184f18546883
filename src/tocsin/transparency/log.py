"""A log in a folder: the files that anyone serves, and the one process that lets it grow.

Growing has two steps, so that witnesses can see a tree before readers do. `integrate` writes the
tiles, then the signed checkpoint under the name `pending`; `publish` adds cosignatures and puts it
at `checkpoint`. A tree that was signed is kept before anybody is shown it, and every later one
begins with it: so the log never forks, wherever it is interrupted. Tiles without a checkpoint are
swept away by the next integration.

Specification: C2SP tlog-tiles; tlog-checkpoint, "Signatures".
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from tocsin.transparency.checkpoint import OpenedCheckpoint, open_checkpoint, require_continues
from tocsin.transparency.errors import (
    BadProof,
    LogDamaged,
    LogExists,
    MalformedKey,
    TransparencyError,
)
from tocsin.transparency.growth import Growth
from tocsin.transparency.keys import SigningKey
from tocsin.transparency.log_files import PENDING, LogFiles
from tocsin.transparency.merkle import EMPTY_ROOT, consistency_proof
from tocsin.transparency.note import (
    MAX_NOTE_BYTES,
    NoteSignature,
    VerifierKey,
    readable,
    verify,
)
from tocsin.transparency.proof import TlogProof
from tocsin.transparency.reader import LogReader, folder_fetch
from tocsin.transparency.tiles import CHECKPOINT, WIDTH
from tocsin.transparency.tree_head import Checkpoint

_EVERY = 1000


@dataclass(frozen=True)
class Grown:
    """What an append came to.

    Attributes:
        first: index of the first entry that was added.
        checkpoint: of the log as it is now.
    """

    first: int
    checkpoint: OpenedCheckpoint

    @property
    def size(self) -> int:
        """Entries of the log now."""
        return self.checkpoint.head.size


class Log:
    """A log that lies in a folder.

    Args:
        folder: with `checkpoint` and `tile/` in it.
        verifier: the log's public key, whose name is its origin.
    """

    def __init__(self, folder: Path, verifier: VerifierKey) -> None:
        self.folder = folder
        self.verifier = verifier
        self.fetch = folder_fetch(folder)

    @classmethod
    def init(cls, folder: Path, key: SigningKey) -> Log:
        """Make an empty log.

        Args:
            folder: is made where it is missing.
            key: the log's; its name becomes the log's origin.

        Raises:
            LogExists: there is one already.
            LogDamaged: it cannot be written.
            MalformedKey: this is a cosigner's key.
        """
        note = key.signed(Checkpoint(key.verifier.name, 0, EMPTY_ROOT).text())
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise LogDamaged(f"{folder}: {error.strerror or error}") from error
        with LogFiles(folder) as files:
            for name in (CHECKPOINT, PENDING, "tile"):
                if (folder / name).exists():
                    raise LogExists(f"{folder}: a log is here already; make the new one elsewhere")
            files.write(CHECKPOINT, note.to_bytes())
            files.settle()
        return cls(folder, key.verifier)

    # --- what it is ------------------------------------------------------------------------

    def published(self) -> OpenedCheckpoint:
        """The checkpoint that readers see.

        Raises:
            LogDamaged: there is none, or it is not this log's.
        """
        opened = self._open(CHECKPOINT)
        if opened is None:
            raise LogDamaged(
                f"{self.folder}: there is no log here; make one with 'tocsin log init'"
            )
        return opened

    def pending(self) -> OpenedCheckpoint | None:
        """The checkpoint that was signed and waits for `publish`, or None.

        Raises:
            LogDamaged: it is not this log's, or does not continue what is published.
        """
        waiting = self._open(PENDING)
        published = self.published()
        if waiting is None or waiting.head.size <= published.head.size:
            return None
        try:
            reader = LogReader(self.fetch, waiting.head)
            size = published.head.size
            require_continues(published, waiting, reader.consistency_proof(size) if size else ())
        except TransparencyError as error:
            raise LogDamaged(
                f"{self.folder}: the pending checkpoint does not continue the published one: "
                f"{error}"
            ) from error
        return waiting

    def newest(self) -> OpenedCheckpoint:
        """The pending checkpoint, else the published one: what the log must go on from."""
        return self.pending() or self.published()

    def _open(self, name: str) -> OpenedCheckpoint | None:
        try:
            data = self.fetch(name, MAX_NOTE_BYTES)
        except FileNotFoundError:
            return None
        try:
            return open_checkpoint(data, self.verifier)
        except TransparencyError as error:
            raise LogDamaged(f"{self.folder / name}: {error}") from error

    def reader(self, head: Checkpoint | None = None) -> LogReader:
        """Read the log as a checkpoint has it; without one, as the published one has.

        Raises:
            LogDamaged: the files do not give the checkpoint's root.
        """
        return LogReader(self.fetch, head or self.published().head)

    # --- letting it grow -------------------------------------------------------------------

    def integrate(
        self,
        entries: Iterable[bytes],
        key: SigningKey,
        *,
        observe: Callable[[int], None] = lambda _: None,
    ) -> Grown:
        """Add entries and sign the larger tree; readers do not see it before `publish`.

        Args:
            entries: each at most 65,535 bytes.
            key: the log's.
            observe: is told now and then how many were taken.

        Raises:
            LogBusy: another process writes the log.
            LogDamaged: it is damaged, or cannot be written; it is as it was.
            MalformedKey: the key is another's.
            MalformedNote: an entry is too long; none was added.
        """
        with LogFiles(self.folder) as files:
            return self._integrate(files, entries, key, observe)

    def publish(
        self,
        cosignatures: Iterable[NoteSignature] = (),
        cosigners: Iterable[VerifierKey] | None = None,
    ) -> OpenedCheckpoint:
        """Let readers see what was integrated, or give what they see further cosignatures.

        Args:
            cosignatures: on the pending checkpoint; where none is pending, on the published one.
            cosigners: whose cosignatures are kept, after a check; None to take all unchecked, as
                many as a checkpoint may have.

        Raises:
            LogBusy: another process writes the log.
            LogDamaged: it is damaged, or cannot be written.
            BadSignature: a cosignature by one of the cosigners does not verify, or one takes the
                place of the log's own.
        """
        with LogFiles(self.folder) as files:
            return self._publish(files, cosignatures, cosigners)

    def append(
        self,
        entries: Iterable[bytes],
        key: SigningKey,
        *,
        observe: Callable[[int], None] = lambda _: None,
    ) -> Grown:
        """Integrate and publish without waiting for any witness.

        Raises:
            LogBusy: another process writes the log.
            LogDamaged: it is damaged, or cannot be written; readers see it as it was.
            MalformedKey: the key is another's.
            MalformedNote: an entry is too long; none was added.
        """
        with LogFiles(self.folder) as files:
            grown = self._integrate(files, entries, key, observe)
            return Grown(grown.first, self._publish(files, (), None))

    def _integrate(
        self,
        files: LogFiles,
        entries: Iterable[bytes],
        key: SigningKey,
        observe: Callable[[int], None],
    ) -> Grown:
        if key.verifier != self.verifier:
            raise MalformedKey(f"{key.verifier.name}: this is not the key of the log here")
        base = self.newest()
        size = base.head.size
        reader = LogReader(self.fetch, base.head)
        bundle = reader.bundle(size // WIDTH) if size % WIDTH else []
        files.sweep(size)
        growth = Growth(size, reader.edge(), bundle)
        for number, entry in enumerate(entries, 1):
            for full in growth.add(entry):
                files.write(full.tile.path, full.content)
            if number % _EVERY == 0:
                observe(number)
        if growth.size == size:
            return Grown(size, base)
        for partial in growth.partial():
            files.write(partial.tile.path, partial.content)
        files.settle()
        head = Checkpoint(base.head.origin, growth.size, growth.root())
        note = key.signed(head.text())
        files.write(PENDING, note.to_bytes())
        files.settle()
        return Grown(size, OpenedCheckpoint(head, note, self.verifier))

    def _publish(
        self,
        files: LogFiles,
        cosignatures: Iterable[NoteSignature],
        cosigners: Iterable[VerifierKey] | None,
    ) -> OpenedCheckpoint:
        base = self.newest()
        given = tuple(cosignatures)
        if cosigners is not None:
            note = base.note.with_signatures(given)
            given = tuple(each.signature for each in verify(note, cosigners, at_least_one=False))
        note = base.note.with_signatures(given)
        mine = (self.verifier.name, self.verifier.key_id)
        own = (line for line in note.signatures if (line.name, line.key_id) == mine)
        note = readable(note, (*own, *given) if cosigners is not None else own)
        opened = open_checkpoint(note.to_bytes(), self.verifier)  # as all who read it will
        files.write(CHECKPOINT, note.to_bytes())
        files.settle()
        files.remove(PENDING)
        files.settle()
        return opened

    # --- what it shows ---------------------------------------------------------------------

    def prove(self, index: int, *, extra: bytes | None = None) -> TlogProof:
        """The proof of one entry, with the published checkpoint in it.

        Raises:
            BadProof: there is no such entry.
            LogDamaged: a file is missing or wrong.
        """
        opened = self.published()
        hashes = LogReader(self.fetch, opened.head).inclusion_proof(index)
        return TlogProof(index, tuple(hashes), opened.note.to_bytes(), extra)

    def consistency(self, old: int, new: int | None = None) -> list[bytes]:
        """Show that the tree of `new` entries begins as that of `old`.

        Args:
            old: entries of the smaller one; of none nothing needs to be shown.
            new: entries of the larger one; None for all, also those that are pending.

        Raises:
            BadProof: the log does not have so many, or `old` is larger than `new`.
            LogDamaged: a file is missing or wrong.
        """
        head = self.newest().head
        new = head.size if new is None else new
        if new > head.size:
            raise BadProof(f"the log has {head.size} entries, not {new}")
        if old in (0, new):
            return []
        return consistency_proof(old, new, LogReader(self.fetch, head).hashes)
