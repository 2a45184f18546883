"""What passes between the front, which holds no rights, and the keeper, which does."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec


class OpenWish(msgspec.Struct, frozen=True, tag="open"):
    """Open a path as whoever is at the other end of the connection that comes along.

    Attributes:
        number: by which the answers are known.
        path: as it was named.
        follow_links: follow links inside folders.
        cross_file_systems: leave the file system that a folder lies on.
        ahead: how many files may be opened before more are asked for.
        networked: whoever asks came over a network, and may read what the daemon's user may.
    """

    number: int
    path: bytes
    follow_links: bool = False
    cross_file_systems: bool = True
    ahead: int = 16
    networked: bool = False


class MoreWish(msgspec.Struct, frozen=True, tag="more"):
    """Open so many more of a folder's files."""

    number: int
    count: int


class CancelWish(msgspec.Struct, frozen=True, tag="cancel"):
    """Stop opening; nobody listens any more."""

    number: int


class ActWish(msgspec.Struct, frozen=True, tag="act"):
    """Do something that only some may, for whoever is at the other end of the connection.

    Attributes:
        number: by which the answer is known.
        verb: what to do, of `keeper_actions.VERBS`.
        arguments: plain values.
    """

    number: int
    verb: str
    arguments: dict[str, Any]


ToKeeper = OpenWish | MoreWish | CancelWish | ActWish


class OpenedNote(msgspec.Struct, frozen=True, tag="opened"):
    """A file was opened; its descriptor comes along.

    Attributes:
        number: of the wish.
        path: of the file.
        mark: by which its content is known; see `marks`.
    """

    number: int
    path: bytes
    mark: bytes = b""


class RefusedNote(msgspec.Struct, frozen=True, tag="refused"):
    """Something could not be opened; see `opener.Refused`."""

    number: int
    path: bytes
    named: bool
    reason: str
    special: bool = False
    excluded: bool = False


class FinishedNote(msgspec.Struct, frozen=True, tag="finished"):
    """There is nothing more to open."""

    number: int


class ActedNote(msgspec.Struct, frozen=True, tag="acted"):
    """What came of an `ActWish`; an answer that is too long for one message comes in several.

    Attributes:
        number: which one.
        trouble: why it was not done; empty when it was.
        forbidden: whether whoever asked may not.
        values: the answer as JSON, in which names need not be UTF-8, or the next part of it.
        more: whether another part follows.
    """

    number: int
    trouble: str = ""
    forbidden: bool = False
    values: str = "null"
    more: bool = False


def acted(number: int, values: str, most: int = 100 << 10) -> Iterator[ActedNote]:
    """An answer as messages of which each is short enough for a channel.

    Args:
        number: of the wish.
        values: JSON in ASCII.
        most: characters in one.
    """
    last = max(0, len(values) - 1) // most * most
    for start in range(0, last + 1, most):
        yield ActedNote(number, values=values[start : start + most], more=start < last)


FromKeeper = OpenedNote | RefusedNote | FinishedNote | ActedNote

to_keeper: msgspec.msgpack.Decoder[ToKeeper] = msgspec.msgpack.Decoder(ToKeeper)
from_keeper: msgspec.msgpack.Decoder[FromKeeper] = msgspec.msgpack.Decoder(FromKeeper)
