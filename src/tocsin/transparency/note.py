"""Signed notes: a text, and lines under it by which keys vouch for it.

A note's text means nothing until `verify` says which of the keys that the caller knows signed it.
Signatures by others are left alone; a wrong one by a known key rejects the note.

Specification: C2SP signed-note, "Format" and "Signatures".
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import NamedTuple

from tocsin.transparency.coding import decode_base64, encode_base64
from tocsin.transparency.errors import BadSignature, MalformedKey, MalformedNote
from tocsin.transparency.verifier_key import KEY_ID_BYTES, KeyType, VerifierKey, name_is_valid

__all__ = ["KeyType", "NoteSignature", "SignedNote", "VerifierKey", "Vouched", "verify"]

MAX_NOTE_BYTES = 1 << 20
MAX_SIGNATURES = 128
_DASH = "\u2014 "


@dataclass(frozen=True)
class NoteSignature:
    """One line under a note.

    Attributes:
        name: of the key that it claims to be by.
        key_id: the four bytes by which that key is told from others of its name.
        signature: the rest; its form depends on the key.
    """

    name: str
    key_id: bytes
    signature: bytes

    def line(self) -> str:
        """The line as it stands in a note, with its newline."""
        return f"{_DASH}{self.name} {encode_base64(self.key_id + self.signature)}\n"

    @classmethod
    def parse(cls, line: str) -> NoteSignature:
        """Read a line without its newline.

        Raises:
            MalformedNote: it is no signature line.
        """
        if not line.startswith(_DASH):
            raise MalformedNote("note: a signature line does not begin with a dash and a space")
        name, space, coded = line[len(_DASH) :].partition(" ")
        if not space or not name_is_valid(name):
            raise MalformedNote("note: a signature line has no name that a key may have")
        try:
            data = decode_base64(coded)
        except ValueError as error:
            raise MalformedNote(f"note: the signature of {name} is {error}") from error
        if len(data) <= KEY_ID_BYTES:
            raise MalformedNote(f"note: the signature of {name} is too short")
        return cls(name, data[:KEY_ID_BYTES], data[KEY_ID_BYTES:])


@dataclass(frozen=True)
class SignedNote:
    """A text with signatures, of which none has been checked.

    Attributes:
        text: ends in a newline.
        signatures: in the order of their lines.
    """

    text: str
    signatures: tuple[NoteSignature, ...] = ()

    @classmethod
    def parse(
        cls,
        data: bytes,
        *,
        max_bytes: int = MAX_NOTE_BYTES,
        max_signatures: int = MAX_SIGNATURES,
    ) -> SignedNote:
        """Read a note.

        Raises:
            MalformedNote: it is none, or beyond the bounds.
        """
        if len(data) > max_bytes:
            raise MalformedNote(f"note: it is longer than {max_bytes:,} bytes")
        try:
            whole = data.decode("utf-8")
        except UnicodeDecodeError as error:
            raise MalformedNote("note: it is not UTF-8") from error
        if any(character < " " and character != "\n" for character in whole):
            raise MalformedNote("note: it has a control character in it")
        split = whole.rfind("\n\n")
        if split < 0 or not whole.endswith("\n"):
            raise MalformedNote("note: no blank line stands between a text and its signatures")
        lines = whole[split + 2 : -1].split("\n")
        if len(lines) > max_signatures:
            raise MalformedNote(f"note: it has more than {max_signatures} signatures")
        return cls(whole[: split + 1], tuple(NoteSignature.parse(line) for line in lines))

    def to_bytes(self) -> bytes:
        """The note as it is written; what was parsed comes back byte for byte."""
        lines = "".join(signature.line() for signature in self.signatures)
        return f"{self.text}\n{lines}".encode()

    def with_signatures(self, more: Iterable[NoteSignature]) -> SignedNote:
        """The same note with further signatures; one of the same key takes the older's place."""
        held = {(each.name, each.key_id): each for each in self.signatures}
        held |= {(each.name, each.key_id): each for each in more}
        return replace(self, signatures=tuple(held.values()))

    def without(self, keys: Iterable[VerifierKey]) -> SignedNote:
        """The same note without what claims to be signatures by these keys."""
        gone = {(key.name, key.key_id) for key in keys}
        kept = (each for each in self.signatures if (each.name, each.key_id) not in gone)
        return replace(self, signatures=tuple(kept))


def readable(note: SignedNote, first: Iterable[NoteSignature] = ()) -> SignedNote:
    """The note with no more lines than whoever reads it takes: that many, and no longer, of each.

    A line by a key that nobody knows costs nothing to make. A note that is passed on with all of
    them could be read by nobody, its writer included.

    Args:
        note: to be written.
        first: lines of it that must stay, others as far as there is room.

    Raises:
        MalformedNote: there is no room for these.
    """
    must = dict.fromkeys(first)
    kept: set[NoteSignature] = set()
    left = MAX_NOTE_BYTES - len(note.text.encode("utf-8")) - 1
    for line in (*must, *note.signatures):
        size = len(line.line().encode("utf-8"))
        if line not in kept and len(kept) < MAX_SIGNATURES and size <= left:
            kept.add(line)
            left -= size
        elif line in must and line not in kept:
            raise MalformedNote("note: there is no room for the signatures that it needs")
    lines = tuple(dict.fromkeys(line for line in note.signatures if line in kept))
    return replace(note, signatures=lines)


class Vouched(NamedTuple):
    """One known key that signed.

    Attributes:
        key: that did.
        timestamp: when, in POSIX seconds, by its own word; None for keys that sign no time.
        signature: the line.
    """

    key: VerifierKey
    timestamp: int | None
    signature: NoteSignature


def verify(
    note: SignedNote,
    keys: Iterable[VerifierKey],
    *,
    at_least_one: bool = True,
    until: int | None = None,
) -> tuple[Vouched, ...]:
    """Say who of the known keys signed a note.

    Args:
        note: to be checked.
        keys: that are known.
        at_least_one: whether a note that none of them signed is an error.
        until: POSIX seconds after which a time is of another clock; None for no such bound.

    Returns:
        One a key that signed, in the order of the note's lines; of several signatures by one
        key the latest until then, and one from after that only where there is no other.

    Raises:
        BadSignature: a signature by a known key does not verify, or none is by a known key.
        MalformedKey: two known keys have the same name and identifier.
    """
    known: dict[tuple[str, bytes], VerifierKey] = {}
    for key in keys:
        if known.setdefault((key.name, key.key_id), key) != key:
            raise MalformedKey(f"{key.name}: two keys with one name and identifier are known")
    found: dict[VerifierKey, Vouched] = {}
    for signature in note.signatures:
        signer = known.get((signature.name, signature.key_id))
        if signer is None:
            continue
        vouched = Vouched(signer, signer.verify(note.text, signature.signature), signature)
        before = found.get(signer)
        if before is None or _is_better(vouched.timestamp or 0, before.timestamp or 0, until):
            found[signer] = vouched
    if at_least_one and not found:
        signers = ", ".join(sorted({each.name for each in note.signatures})) or "nobody"
        raise BadSignature(f"no key that is known here signed this; it is signed by: {signers}")
    return tuple(found.values())


def _is_better(time: int, other: int, until: int | None) -> bool:
    """Whether a signature's time says more than another's: zero says nothing of any time."""
    if until is not None and (time > until) != (other > until):
        return 0 < time <= until or other == 0
    return time > other
