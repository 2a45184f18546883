"""Keeping the proof that a log showed two histories, in a folder that anybody can check.

Specification of the notes: C2SP signed-note. The file `proof` has lines of base64: the root that
the larger tree has at the smaller one's size, then the consistency proof from there (RFC 6962,
section 2.1.2).
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tocsin.durable import sync_folder
from tocsin.transparency.coding import decode_hash, encode_base64
from tocsin.transparency.errors import (
    BadProof,
    BadSignature,
    LogDamaged,
    MalformedNote,
    SplitView,
    TransparencyError,
)
from tocsin.transparency.files import write_file
from tocsin.transparency.follow import require_split
from tocsin.transparency.note import MAX_NOTE_BYTES, SignedNote, VerifierKey
from tocsin.transparency.reader import folder_fetch
from tocsin.transparency.tree_head import Checkpoint

SMALLER, LARGER, PROOF = "smaller.note", "larger.note", "proof"
_MAX_PROOF_BYTES = 65 * 45
_WAYS = ("*", "evidence/*", "*/evidence/*")


def keep_evidence(folder: Path, split: SplitView) -> Path:
    """Keep evidence in a folder of its own, which is named by the two trees; once is enough.

    Args:
        folder: in which; it is made where it is missing.
        split: what was found.

    Returns:
        The folder with the two notes and the proof.

    Raises:
        TransparencyError: it cannot be written, or holds no notes.
    """
    files = {
        SMALLER: split.evidence[0],
        LARGER: split.evidence[1],
        PROOF: "".join(f"{encode_base64(each)}\n" for each in split.proof).encode("ascii"),
    }
    heads = sorted(SignedNote.parse(note).text for note in split.evidence)
    place = folder / hashlib.sha256("\n".join(heads).encode("utf-8")).hexdigest()[:16]
    try:
        place.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            if not (place / name).exists():
                write_file(place / name, content)
        sync_folder(place)  # whoever wrote them may have ended before that
        sync_folder(folder)
        sync_folder(folder.parent)
    except OSError as error:
        raise TransparencyError(
            f"{place}: the evidence cannot be kept: {error.strerror or error}"
        ) from error
    return place


@dataclass(frozen=True)
class Checked:
    """What came of checking a piece of evidence.

    Attributes:
        place: its folder.
        proves: whether the log signed two histories.
        origin: the log; empty where the notes are none.
        sizes: entries of the two trees, that of the smaller one first; None likewise.
        reason: why it proves nothing; empty where it does.
    """

    place: Path
    proves: bool
    origin: str = ""
    sizes: tuple[int, int] | None = None
    reason: str = ""


def pieces_in(place: Path) -> list[Path]:
    """The folders of evidence at a place.

    Args:
        place: one of them, a file in it, the folder that they are in, or that of whoever keeps
            them: a device, a mirror, a monitor, a witness.

    Raises:
        LogDamaged: it cannot be read.
    """
    if place.is_file():
        place = place.parent if place.name in (SMALLER, LARGER, PROOF) else place
    elif not _is_piece(place):
        try:
            os.listdir(place)
        except OSError as error:
            raise LogDamaged(f"{place}: {error.strerror or error}") from error
        return [each for way in _WAYS for each in sorted(place.glob(way)) if _is_piece(each)]
    return [place] if _is_piece(place) else []


def _is_piece(place: Path) -> bool:
    return any((place / name).is_file() for name in (SMALLER, LARGER))


def check_place(place: Path, log_keys: Collection[VerifierKey]) -> Checked:
    """Check a piece of evidence, and say what it is of.

    Raises:
        LogDamaged: one of its files cannot be read.
    """
    origin, sizes = "", None
    fetch = folder_fetch(place)
    with suppress(MalformedNote, FileNotFoundError):
        notes = [SignedNote.parse(fetch(name, MAX_NOTE_BYTES)) for name in (SMALLER, LARGER)]
        smaller, larger = (Checkpoint.parse(note.text) for note in notes)
        origin, sizes = smaller.origin, (smaller.size, larger.size)
    try:
        check_evidence(place, log_keys)
    except LogDamaged as error:
        if not isinstance(error.__cause__, FileNotFoundError):
            raise
        return Checked(place, False, origin, sizes, str(error))
    except (BadProof, BadSignature, MalformedNote) as error:
        return Checked(place, False, origin, sizes, str(error))
    return Checked(place, True, origin, sizes)


def check_evidence(place: Path, log_keys: Collection[VerifierKey]) -> None:
    """Check evidence that somebody kept.

    Raises:
        BadProof: it proves nothing.
        BadSignature: the log did not sign both checkpoints.
        MalformedNote: they are none.
        LogDamaged: a file is missing.
    """
    fetch = folder_fetch(place)
    try:
        smaller, larger = (fetch(name, MAX_NOTE_BYTES) for name in (SMALLER, LARGER))
        lines = fetch(PROOF, _MAX_PROOF_BYTES).decode("ascii").splitlines()
        proof = tuple(map(decode_hash, lines))
    except FileNotFoundError as error:
        raise LogDamaged(str(error)) from error
    except ValueError as error:
        raise BadProof(f"{place / PROOF}: {error}") from error
    require_split((smaller, larger), proof, log_keys)
