"""Notes, checkpoints and keys: any bytes are one of them, or this package's error says why not.

What is read as a note is written again as it came, and nobody but the key's owner signs.
"""

from __future__ import annotations

import fuzz_support

from tocsin.errors import TocsinError
from tocsin.transparency.checkpoint import Checkpoint
from tocsin.transparency.cosignature import cosign, parse_cosignature_lines
from tocsin.transparency.keys import SigningKey
from tocsin.transparency.merkle import EMPTY_ROOT
from tocsin.transparency.note import KeyType, SignedNote, VerifierKey, readable, verify

_LOG = SigningKey.from_seed("example.org/log", KeyType.ED25519, bytes(32))
_WITNESS = SigningKey.from_seed("w", KeyType.ED25519_COSIGNATURE, b"1" * 32)
_QUANTUM = SigningKey.from_seed("q", KeyType.ML_DSA_44_COSIGNATURE, b"2" * 32)
_KEYS = [key.verifier for key in (_LOG, _WITNESS, _QUANTUM)]
_TEXT = Checkpoint("example.org/log", 0, EMPTY_ROOT).text()
_SIGNED = _LOG.signed(_TEXT).with_signatures(
    [cosign(_TEXT, _WITNESS, 1), cosign(_TEXT, _QUANTUM, 2)]
)
SEEDS = [
    _SIGNED.to_bytes(),
    _LOG.signed(_TEXT).to_bytes(),
    _LOG.signed("any text\n\nof lines\n").to_bytes(),
    _TEXT.encode(),
    _LOG.verifier.vkey.encode(),
    "".join(each.line() for each in _SIGNED.signatures[1:]).encode(),
]


def check(data: bytes) -> None:
    """Read the bytes as each of them."""
    try:
        note = SignedNote.parse(data)
        assert note.to_bytes() == data
        assert readable(note) == SignedNote(note.text, tuple(dict.fromkeys(note.signatures)))
        if verify(note, _KEYS):
            signed = {SignedNote.parse(seed).text for seed in SEEDS[:3]}
            assert note.text in signed
    except TocsinError as error:
        fuzz_support.require_words(error)
    text = data.decode("utf-8", "surrogateescape")
    try:
        assert Checkpoint.parse(text).text() == text
    except TocsinError as error:
        fuzz_support.require_words(error)
    try:
        assert VerifierKey.parse(text).vkey == text
    except TocsinError as error:
        fuzz_support.require_words(error)
    try:
        lines = parse_cosignature_lines(data)
        assert "".join(line.line() for line in lines).encode() == data
    except TocsinError as error:
        fuzz_support.require_words(error)


if __name__ == "__main__":
    fuzz_support.fuzz(check, SEEDS)
