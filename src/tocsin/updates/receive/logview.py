"""That the log a device is shown is the one it was shown before, grown, and lately witnessed.

Three trees of one log must be beginnings of one another: the one accepted last, the one that the
version's proof speaks of, and the newest that the repository shows. The newest must be cosigned
by the quorum, and lately, if the user says how lately.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path
from typing import NamedTuple

from tocsin.transparency.checkpoint import Checkpoint, OpenedCheckpoint
from tocsin.transparency.errors import LogDamaged, SplitView, TransparencyError
from tocsin.transparency.evidence import keep_evidence
from tocsin.transparency.follow import require_beginning
from tocsin.transparency.note import MAX_NOTE_BYTES, SignedNote, VerifierKey
from tocsin.transparency.policy import Policy
from tocsin.transparency.reader import Fetch, LogReader
from tocsin.transparency.verdict import check
from tocsin.updates.layout import LOG
from tocsin.updates.receive.errors import NotVouchedFor, SplitLog
from tocsin.updates.receive.state import UpdateState
from tocsin.updates.receive.state_trusted import EVIDENCE
from tocsin.updates.receive.verify import Vouching

Get = Callable[[str, int], bytes | None]


class OpenedLog(NamedTuple):
    """A log that was accepted: its newest checkpoint, and what reads it."""

    checkpoint: bytes
    reader: LogReader


def open_log(
    get: Get,
    policy: Policy,
    vouching: Vouching | None,
    state: UpdateState,
    *,
    now: int,
    max_age: int | None,
    log_keys: Collection[VerifierKey] = (),
) -> OpenedLog:
    """Check the log as the repository shows it now.

    Args:
        get: fetches a small file of the repository.
        policy: the user's.
        vouching: of a version, which stands; None to look at the log alone.
        state: with the checkpoint that was accepted last.
        now: POSIX seconds.
        max_age: seconds that the witnesses' word may be old.
        log_keys: further logs that are believed.

    Returns:
        With the checkpoint to remember.

    Raises:
        NotVouchedFor: the log is behind, damaged, or not witnessed as the policy asks.
        SplitLog: the log signed two histories; the evidence is kept.
    """
    newest = get(f"{LOG}/checkpoint", MAX_NOTE_BYTES)
    if newest is None:
        raise NotVouchedFor("the repository shows no checkpoint of its log")
    try:
        verdict = check(policy, newest, now=now, max_age=max_age, log_keys=log_keys)
        verdict.require()
        head = verdict.head
        earlier = []
        if vouching is not None:
            assert vouching.proof is not None
            earlier.append(vouching.proof.checkpoint)
        accepted = state.checkpoint(head.origin)
        if accepted is not None:
            earlier.append(accepted)
        reader = LogReader(log_fetch(get), head)
        for old in earlier:
            _demand_grown(reader, verdict.checkpoint, old)
    except SplitView as error:
        raise split_log(error, state.folder / EVIDENCE) from error
    except TransparencyError as error:
        raise NotVouchedFor(f"the log: {error}") from error
    return OpenedLog(newest, reader)


def split_log(split: SplitView, folder: Path) -> SplitLog:
    """Keep what proves that a log signed two histories, and say it.

    Args:
        split: what was found.
        folder: for evidence.
    """
    try:
        place = keep_evidence(folder, split)
    except TransparencyError as error:
        return SplitLog(f"{split}; {error}. Nothing is taken from it until you change your policy")
    return SplitLog(
        f"{split}. The proof is in {place}: 'tocsin log evidence' checks it. Show it to others who "
        "use this log; nothing is taken from it until you change your policy"
    )


def _demand_grown(reader: LogReader, newest: OpenedCheckpoint, old: bytes) -> None:
    """Check that the newest tree begins as an older one of which its log's signature was checked.

    Raises:
        SplitView: it does not.
        LogDamaged: the newest is the smaller one, of another log, or its tiles are damaged.
    """
    note = SignedNote.parse(old)
    before: Checkpoint = Checkpoint.parse(note.text)
    head = reader.head
    if before.origin != head.origin:
        raise LogDamaged(f"the proof is of the log {before.origin!r}, the log is {head.origin!r}")
    if before.size > head.size:
        raise LogDamaged(
            f"{head.origin} is shown with {head.size} entries and had {before.size} already; this "
            "mirror is behind, or shows an old state"
        )
    require_beginning(reader, newest, OpenedCheckpoint(before, note, newest.log))


def log_fetch(get: Get) -> Fetch:
    """How a reader gets files of the repository's log."""

    def fetch(path: str, limit: int) -> bytes:
        data = get(f"{LOG}/{path}", limit)
        if data is None:
            raise FileNotFoundError(path)
        return data

    return fetch
