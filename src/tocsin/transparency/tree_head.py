"""The text of a checkpoint: which log, how many leaves, and the root over them.

Specification: C2SP tlog-checkpoint, "Note text".
"""

from __future__ import annotations

from dataclasses import dataclass

from tocsin.transparency.coding import (
    HASH_BYTES,
    MAX_SIZE,
    decode_decimal,
    decode_hash,
    encode_base64,
)
from tocsin.transparency.errors import MalformedNote


@dataclass(frozen=True)
class Checkpoint:
    """The head of a log's tree.

    Attributes:
        origin: the log's identity, one line that is not empty.
        size: leaves of the tree.
        root: RFC 6962 root hash over them, 32 bytes.
        extensions: further lines, none of them empty; opaque, and no witness vouches for them.
    """

    origin: str
    size: int
    root: bytes
    extensions: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not 0 <= self.size <= MAX_SIZE:
            raise MalformedNote("checkpoint: the size is not between 0 and 2^63 - 1")
        if len(self.root) != HASH_BYTES:
            raise MalformedNote(f"checkpoint: the root has {len(self.root)} bytes, not 32")
        for line in (self.origin, *self.extensions):
            if not line or any(character < " " for character in line):
                raise MalformedNote("checkpoint: a line is empty or has a control character in it")

    @classmethod
    def parse(cls, text: str) -> Checkpoint:
        """Read a checkpoint's text, with its last newline and without signatures.

        Raises:
            MalformedNote: it is none.
        """
        lines = text.split("\n")
        if len(lines) < 4 or lines.pop():
            raise MalformedNote("checkpoint: it needs three lines, each ended by a newline")
        try:
            size = decode_decimal(lines[1])
            root = decode_hash(lines[2])
        except ValueError as error:
            raise MalformedNote(f"checkpoint: {error}") from error
        return cls(lines[0], size, root, tuple(lines[3:]))

    def text(self) -> str:
        """The text that is signed; what was parsed comes back byte for byte."""
        lines = (self.origin, str(self.size), encode_base64(self.root), *self.extensions)
        return "".join(f"{line}\n" for line in lines)
