"""Keeping the proof that a log showed two histories, in a folder that anybody can check.

Specification of the notes: C2SP signed-note. The file `proof` has lines of base64: the root that
the larger tree has at the smaller one's size, then the consistency proof from there (RFC 6962,
section 2.1.2).
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from pathlib import Path

from tocsin.durable import sync_folder
from tocsin.transparency.coding import decode_hash, encode_base64
from tocsin.transparency.errors import BadProof, LogDamaged, SplitView, TransparencyError
from tocsin.transparency.files import write_file
from tocsin.transparency.follow import require_split
from tocsin.transparency.note import MAX_NOTE_BYTES, SignedNote, VerifierKey
from tocsin.transparency.reader import folder_fetch

SMALLER, LARGER, PROOF = "smaller.note", "larger.note", "proof"
_MAX_PROOF_BYTES = 65 * 45


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
