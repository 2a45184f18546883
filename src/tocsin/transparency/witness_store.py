"""What a witness keeps: which logs it knows, and of each the checkpoint that it cosigned last.

A folder a log, named by the SHA-256 of its origin, holds that checkpoint as monitors get it. From
reading it until the next one is on the disk, nobody else writes it: the lock holds between
processes too. A cosignature leaves only after that, and readers see no checkpoint that a loss of
power could take back.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tocsin.durable import sync_folder
from tocsin.transparency.cosignature import cosign
from tocsin.transparency.errors import (
    LogExists,
    MalformedKey,
    SplitView,
    TransparencyError,
    WitnessError,
)
from tocsin.transparency.evidence import keep_evidence
from tocsin.transparency.files import write_file
from tocsin.transparency.keys import SigningKey
from tocsin.transparency.note import MAX_NOTE_BYTES, NoteSignature, SignedNote, VerifierKey
from tocsin.transparency.policy import MAX_POLICY_BYTES, LogEntry, Policy
from tocsin.transparency.tree_head import Checkpoint
from tocsin.transparency.verifier_key import split_timestamp
from tocsin.transparency.witness import Refused, Submission, cosigning_time, origin_hash

LOGS = "logs"
CHECKPOINT = "checkpoint"
EVIDENCE = "evidence"
_LOCK = "lock"
_SUSPECT = "suspect"
_MOST_SUSPECT = 64
_NO_LOGS = b"# The logs that this witness cosigns (C2SP tlog-policy).\nquorum none\n"


@dataclass(frozen=True)
class Witnessed:
    """What is known of one log.

    Attributes:
        entry: key and address.
        head: cosigned last, or None.
        changed: POSIX seconds at which that was stored, or None.
    """

    entry: LogEntry
    head: Checkpoint | None
    changed: float | None


class WitnessStore:
    """The folder of a witness.

    Args:
        folder: is made where it is missing.
        clock: gives POSIX seconds.

    Raises:
        WitnessError: it cannot be made or written.
    """

    def __init__(self, folder: Path, *, clock: Callable[[], float] = time.time) -> None:
        self.folder = folder
        self._clock = clock
        self._logs: tuple[tuple[int, int, int], Policy] | None = None
        self._settled: dict[str, tuple[int, int]] = {}
        with _as_ours(folder):
            folder.mkdir(mode=0o755, parents=True, exist_ok=True)

    # --- which logs ------------------------------------------------------------------------

    def logs(self) -> tuple[LogEntry, ...]:
        """The logs that are known; read anew when somebody changed them.

        Raises:
            WitnessError: the file cannot be read.
            MalformedPolicy: it is not written as it must be.
        """
        return self._policy().logs

    def _policy(self) -> Policy:
        path = self.folder / LOGS
        with _as_ours(path):
            try:
                state = os.stat(path)
            except FileNotFoundError:
                return Policy.parse(_NO_LOGS)
            mark = (state.st_ino, state.st_mtime_ns, state.st_size)
            held = self._logs
            if held is None or held[0] != mark:
                with path.open("rb") as file:
                    held = (mark, Policy.parse(file.read(MAX_POLICY_BYTES + 1)))
                self._logs = held
            return held[1]

    def add_log(self, key: VerifierKey, url: str = "") -> None:
        """Cosign a log from now on.

        Args:
            key: the log's; its name is its origin. A log may have several.
            url: where the log is, as a note for people.

        Raises:
            LogExists: the key is there already.
            MalformedPolicy: another log has this public key, or this is a witness's key.
            WitnessError: it cannot be written.
        """
        with self._locked(self.folder):
            if key in (entry.key for entry in self.logs()):
                raise LogExists(f"{key.name}: this witness knows the log and its key already")
            path = self.folder / LOGS
            with _as_ours(path):
                before = path.read_bytes() if path.exists() else _NO_LOGS
            content = before + f"log {key.vkey} {url}".rstrip().encode() + b"\n"
            Policy.parse(content)
            write_file(path, content)

    # --- what was cosigned -----------------------------------------------------------------

    def submit(self, data: bytes, keys: Sequence[SigningKey]) -> bytes:
        """Take a request to cosign, and store what is cosigned.

        Args:
            data: the request's body.
            keys: of the witness; all of them cosign.

        Returns:
            The lines of cosignatures, which may leave: they are stored.

        Raises:
            Refused: it is not cosigned.
            WitnessError: the state cannot be read or written; nothing was cosigned.
        """
        submission = Submission.parse(data)
        origin = submission.head.origin
        log_keys = self._policy().keys_of_log(origin)
        submission.signed_by_log(log_keys)  # before anything is made for whoever asks
        place = self.folder / origin_hash(origin)
        with _as_ours(place):
            if not place.is_dir():
                place.mkdir(exist_ok=True)
                sync_folder(self.folder)
        with self._locked(place):
            held = self._read(place)
            latest = None if held is None else _head(held, origin)
            try:
                signed = submission.judge(log_keys, latest)
            except Refused as refused:
                if refused.inconsistent and held is not None:
                    self._keep_suspect(place, held, submission, data)
                raise
            text = submission.note.text
            last = None if held is None else SignedNote.parse(held)
            now = cosigning_time(last, [key.verifier for key in keys], self._clock())
            lines = _given_already(last, text, keys, now)
            if not lines:
                self._sweep(place)
                lines = tuple(cosign(text, key, now) for key in keys)
                note = SignedNote(text, (*signed, *lines))
                write_file(place / CHECKPOINT, note.to_bytes())
                with _as_ours(place):  # it was shown to continue after all
                    (place / _SUSPECT / _suspect_name(text)).unlink(missing_ok=True)
            else:  # whoever wrote it may have ended before its name was on the disk
                with _as_ours(place):
                    sync_folder(place)
        return "".join(line.line() for line in lines).encode("utf-8")

    def checkpoint(self, name: str) -> bytes | None:
        """The checkpoint that was cosigned last, as monitors get it; None before the first.

        Args:
            name: SHA-256 of the log's origin in hex.

        Raises:
            WitnessError: it cannot be read.
        """
        place = self.folder / name
        if len(name) != 64 or not set(name) <= set("0123456789abcdef") or not place.is_dir():
            return None
        with self._locked(place, fcntl.LOCK_SH), _as_ours(place):
            found = self._read(place)
            if found is not None:
                state = os.stat(place / CHECKPOINT)
                mark = (state.st_ino, state.st_mtime_ns)
                if self._settled.get(name) != mark:  # its writer may have ended before it did this
                    sync_folder(place)
                    self._settled[name] = mark
        return found

    def witnessed(self) -> list[Witnessed]:
        """All logs that are known, and how far they are.

        Raises:
            WitnessError: something cannot be read.
        """
        result = []
        for entry in self.logs():
            name = origin_hash(entry.key.name)
            note = self.checkpoint(name)
            head = changed = None
            if note is not None:
                head = _head(note, entry.key.name)
                with _as_ours(self.folder / name):
                    changed = os.stat(self.folder / name / CHECKPOINT).st_mtime
            result.append(Witnessed(entry, head, changed))
        return result

    def _read(self, place: Path) -> bytes | None:
        with _as_ours(place):
            try:
                with (place / CHECKPOINT).open("rb") as file:
                    return file.read(MAX_NOTE_BYTES + 1)
            except FileNotFoundError:
                return None

    def _sweep(self, place: Path) -> None:
        """Take away what a process that was ended while it wrote left behind."""
        with _as_ours(place):
            for name in os.listdir(place):
                if name.startswith("."):
                    (place / name).unlink(missing_ok=True)

    def _keep_suspect(self, place: Path, held: bytes, submission: Submission, data: bytes) -> None:
        """Keep what the log signed and what does not continue; a bounded number of each kind.

        Two trees of one size are a proof. Anybody can send a wrong consistency proof, so other
        requests are kept apart, where they crowd out none; one a checkpoint, so that it takes the
        log's signature each time to fill the room there.
        """
        note = SignedNote.parse(held)
        head = Checkpoint.parse(note.text)
        proven = head.size == submission.head.size and head.root != submission.head.root
        folder = place / (EVIDENCE if proven else _SUSPECT)
        with _as_ours(folder):
            folder.mkdir(exist_ok=True)
            if len(os.listdir(folder)) >= _MOST_SUSPECT:
                return
            target = folder / _suspect_name(submission.note.text)
            if proven:
                pair = (note.to_bytes(), submission.note.to_bytes())
                keep_evidence(folder, SplitView("two trees of one size", pair))
            elif not target.exists():
                write_file(target, data)

    @contextlib.contextmanager
    def _locked(self, folder: Path, how: int = fcntl.LOCK_EX) -> Iterator[None]:
        """Hold a folder's lock; it is a new one each time, so threads exclude each other too."""
        with _as_ours(folder):
            flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
            descriptor = os.open(folder / _LOCK, flags, 0o644)
        try:
            with _as_ours(folder):
                fcntl.flock(descriptor, how)
            yield
        finally:
            os.close(descriptor)


def _given_already(
    last: SignedNote | None, text: str, keys: Sequence[SigningKey], now: int
) -> tuple[NoteSignature, ...]:
    """The cosignatures that were given on this checkpoint in this very second, or none.

    Anybody may send a log's checkpoint again and again; that is to cost no signature and no write.
    """
    if last is None or last.text != text:
        return ()
    held = {(each.name, each.key_id): each for each in last.signatures}
    lines = []
    for key in keys:
        line = held.get((key.verifier.name, key.verifier.key_id))
        if line is None or split_timestamp(line.signature)[0] != now:
            return ()
        lines.append(line)
    return tuple(lines)


def _suspect_name(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def _head(note: bytes, origin: str) -> Checkpoint:
    """What the stored checkpoint says; one that is damaged is never taken for none."""
    try:
        head = Checkpoint.parse(SignedNote.parse(note).text)
    except TransparencyError as error:
        raise WitnessError(
            f"the checkpoint of {origin!r} that was stored is damaged: {error}. Put it back from "
            "a copy that is not older; without it this witness cosigns that log no more"
        ) from error
    if head.origin != origin:
        raise WitnessError(f"the checkpoint stored for {origin!r} is of another log")
    return head


def require_cosigners(keys: Sequence[SigningKey]) -> None:
    """Check that a witness can work with these keys.

    Raises:
        MalformedKey: there is none, one is a log's, or two are of one kind and name.
    """
    if not keys:
        raise MalformedKey("a witness needs a key; make one with 'tocsin witness key'")
    for key in keys:
        if not key.verifier.kind.timestamped:
            raise MalformedKey(f"{key.verifier.name}: this is a log's key, not a witness's")
    if len({(key.verifier.name, key.verifier.kind) for key in keys}) < len(keys):
        raise MalformedKey("two of the witness's keys have one name and type; give one of them")


@contextlib.contextmanager
def _as_ours(place: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise WitnessError(f"{place}: {error.strerror or error}") from error
