"""The clamd protocol without a socket: bytes in, commands out.

A command begins with `z` and ends with a NUL byte, begins with `n` and ends with a newline, or
has neither and is whatever came first (the old form). `INSTREAM` is followed by pieces, each
behind its length as four bytes in network order, until one of length zero. `IDSESSION` lets
several commands come over one connection; their answers are numbered and come in any order.

Source: clamd(8), and what clamd 1.4.6 was seen to answer (tests/protect/test_clamd_replies.py).
"""

from __future__ import annotations

import struct
from enum import Enum
from typing import NamedTuple

LONGEST_COMMAND = 4096 + 64
"""Bytes of a command: a path may have 4,095."""

_LENGTH = struct.Struct(">I")


class Verb(Enum):
    """What may be asked."""

    PING = "PING"
    VERSION = "VERSION"
    VERSIONCOMMANDS = "VERSIONCOMMANDS"
    RELOAD = "RELOAD"
    SHUTDOWN = "SHUTDOWN"
    SCAN = "SCAN"
    CONTSCAN = "CONTSCAN"
    MULTISCAN = "MULTISCAN"
    ALLMATCHSCAN = "ALLMATCHSCAN"
    INSTREAM = "INSTREAM"
    FILDES = "FILDES"
    STATS = "STATS"
    IDSESSION = "IDSESSION"
    END = "END"
    DETSTATS = "DETSTATS"
    DETSTATSCLEAR = "DETSTATSCLEAR"
    SELFCHECK = "SELFCHECK"
    UNKNOWN = ""


PATH_VERBS = frozenset({Verb.SCAN, Verb.CONTSCAN, Verb.MULTISCAN, Verb.ALLMATCHSCAN})

IN_SESSION = frozenset(
    {
        *(Verb.PING, Verb.VERSION, Verb.VERSIONCOMMANDS, Verb.STATS, Verb.END),
        *(Verb.SCAN, Verb.INSTREAM, Verb.FILDES),
    }
)
"""What clamd takes inside a session; anything else ends it."""

_PREFIXED_ONLY = frozenset({Verb.INSTREAM, Verb.IDSESSION})
_BY_NAME = {verb.value: verb for verb in Verb if verb.value}

COMMANDS = (
    "SCAN QUIT RELOAD PING CONTSCAN VERSIONCOMMANDS VERSION END SHUTDOWN MULTISCAN FILDES STATS "
    "IDSESSION INSTREAM DETSTATSCLEAR DETSTATS ALLMATCHSCAN SELFCHECK"
)


class Command(NamedTuple):
    r"""One command.

    Attributes:
        verb: what is asked.
        argument: the path, as bytes.
        ending: what ends its answer, `b"\0"` or `b"\n"`.
    """

    verb: Verb
    argument: bytes
    ending: bytes


class Stream(NamedTuple):
    """A piece of what `INSTREAM` brings; empty at its end."""

    piece: bytes


class TooLong(NamedTuple):
    """A command longer than any may be, or a stream longer than allowed."""

    stream: bool


def read_command(line: bytes, ending: bytes, *, prefixed: bool) -> Command:
    """A command from its bytes without prefix and ending."""
    name, space, argument = line.partition(b" ")
    verb = _BY_NAME.get(name.decode("ascii", "replace"), Verb.UNKNOWN)
    if verb in PATH_VERBS:
        if not space:
            verb = Verb.UNKNOWN
    elif space or (verb in _PREFIXED_ONLY and not prefixed):
        verb = Verb.UNKNOWN
    return Command(verb, argument, ending)


class CommandReader:
    """Takes bytes as they come, gives commands and pieces of streams.

    Args:
        stream_limit: most bytes of one stream.

    Attributes:
        ending: what ended the last command; what an answer to nothing ends with.
    """

    def __init__(self, stream_limit: int) -> None:
        self._buffer = bytearray()
        self._limit = stream_limit
        self._in_stream = False
        self._left = 0
        self._streamed = 0
        self.ending = b"\n"

    def feed(self, data: bytes) -> None:
        """Take bytes."""
        self._buffer += data

    @property
    def idle(self) -> bool:
        """Whether nothing was begun that is not ended."""
        return not self._buffer and not self._in_stream

    def begin_stream(self) -> None:
        """What follows are pieces."""
        self._in_stream = True
        self._left = self._streamed = 0

    def drop_byte(self) -> None:
        """Pass over the byte that came with a descriptor."""
        del self._buffer[:1]

    def next(self) -> Command | Stream | TooLong | None:
        """The next thing that was said, or None until more has come."""
        if self._in_stream:
            return self._next_piece()
        buffer = self._buffer
        if not buffer:
            return None
        first = buffer[0]
        if first in b"zn":
            ending = b"\0" if first == 0x7A else b"\n"
            end = buffer.find(ending)
            if end < 0:
                return TooLong(stream=False) if len(buffer) > LONGEST_COMMAND else None
            line = bytes(buffer[1:end])
            del buffer[: end + 1]
        else:  # clamd takes what came in one piece
            ending = b"\n"
            end = buffer.find(b"\n")
            line = bytes(buffer[: end if end >= 0 else len(buffer)])
            del buffer[: len(line) + 1]
        if len(line) > LONGEST_COMMAND:
            return TooLong(stream=False)
        self.ending = ending
        prefixed = first in b"zn"
        if ending == b"\n":
            line = line.rstrip(b"\r")
        return read_command(line, ending, prefixed=prefixed)

    def _next_piece(self) -> Stream | TooLong | None:
        buffer = self._buffer
        if not self._left:
            if len(buffer) < _LENGTH.size:
                return None
            (length,) = _LENGTH.unpack_from(buffer)
            if self._streamed + length > self._limit:
                return TooLong(stream=True)
            del buffer[: _LENGTH.size]
            if not length:
                self._in_stream = False
                return Stream(b"")
            self._left = length
            self._streamed += length
        if not buffer:
            return None
        piece = bytes(buffer[: self._left])
        del buffer[: self._left]
        self._left -= len(piece)
        return Stream(piece)
