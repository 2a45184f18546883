"""What a builder tells the supervisor of the index that it made, and a host that it loaded one."""

from __future__ import annotations

import socket
from contextlib import suppress
from typing import Any, NamedTuple

from tocsin.errors import ChannelClosed
from tocsin.protect.daemon.channel import Channel
from tocsin.protect.daemon.control_messages import (
    ChildStateWish,
    DatabaseFacts,
    FromChild,
    ReadyWish,
    ToChild,
    to_child,
)


class Built(NamedTuple):
    """What a builder made.

    Attributes:
        facts: of the database; its generation is not set.
        unchanged: whether it is the one in use.
        trouble: why there is none; empty when there is.
    """

    facts: DatabaseFacts
    unchanged: bool = False
    trouble: str = ""


def say_ready(end: socket.socket) -> None:
    """In a host: say that the index is loaded."""
    channel: Channel[ToChild, FromChild] = Channel(end, to_child)
    with suppress(ChannelClosed):
        channel.send(ReadyWish())


def say_built(end: socket.socket, built: Built) -> None:
    """In a builder: say what was made."""
    channel: Channel[ToChild, FromChild] = Channel(end, to_child)
    facts = built.facts
    state = {
        "identity": facts.identity,
        "signatures": facts.signatures,
        "newest": facts.newest,
        "facts_trouble": facts.trouble,
        "unchanged": built.unchanged,
        "trouble": built.trouble[:8000],
    }
    try:
        channel.send(ChildStateWish(state))
    except ChannelClosed:
        return


def read_built(state: dict[str, Any]) -> Built:
    """What `say_built` said."""
    facts = DatabaseFacts(
        identity=str(state["identity"]),
        signatures=int(state["signatures"]),
        newest=float(state["newest"]),
        trouble=str(state["facts_trouble"]),
    )
    return Built(facts, bool(state["unchanged"]), str(state["trouble"]))
