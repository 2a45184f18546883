"""A front that was taken over cannot have the keeper act for somebody else."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from tocsin.protect.daemon.channel import Channel
from tocsin.protect.daemon.keeper import Keeper
from tocsin.protect.daemon.keeper_messages import (
    ActedNote,
    ActWish,
    FromKeeper,
    OpenedNote,
    OpenWish,
    RefusedNote,
    ToKeeper,
    from_keeper,
)
from tocsin.protect.daemon.peer import Peer
from tocsin.protect.daemon.socket_origin import Origin, origin_of


@contextmanager
def keeper(places: frozenset[Origin]) -> Iterator[Channel[FromKeeper, ToKeeper]]:
    """A keeper, and the front's end of the channel to it."""
    mine, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    done: list[str] = []

    def act(verb: str, arguments: dict[str, Any], peer: Peer) -> Any:
        done.append(verb)
        return peer.uid

    served = Keeper(its, Peer(65534, 65534, ()), None, act, print, (), places)
    thread = threading.Thread(target=served.serve)
    thread.start()
    channel: Channel[FromKeeper, ToKeeper] = Channel(mine, from_keeper)
    try:
        yield channel
    finally:
        channel.close()
        thread.join(10)


def answer(channel: Channel[FromKeeper, ToKeeper]) -> FromKeeper:
    end = time.monotonic() + 10
    while time.monotonic() < end:
        if (received := channel.receive()) is not None:
            for descriptor in received[1]:
                os.close(descriptor)
            return received[0]
        time.sleep(0.01)
    raise AssertionError("no answer")


def test_only_a_connection_that_was_accepted_counts(tmp_path: Path) -> None:
    place = tmp_path / "sock"
    secret = tmp_path / "secret"
    secret.write_bytes(b"x")
    with (
        socket.socket(socket.AF_UNIX) as listener,
        socket.socket(socket.AF_UNIX) as elsewhere,
        ExitStack() as stack,
    ):
        listener.bind(str(place))
        listener.listen()
        origin = origin_of(listener.fileno())
        assert origin is not None
        channel = stack.enter_context(keeper(frozenset({origin})))
        elsewhere.bind(str(tmp_path / "other"))
        elsewhere.listen()
        client = socket.socket(socket.AF_UNIX)
        client.connect(str(place))
        accepted, _ = listener.accept()
        other_client = socket.socket(socket.AF_UNIX)
        other_client.connect(str(tmp_path / "other"))
        other, _ = elsewhere.accept()
        pair, rest = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        packets, more = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        tcp = socket.socket()
        # a pair and a client's own end, named as the front likes: the same text, another file
        named, _end = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        place.rename(tmp_path / "moved")
        named.bind(str(place))
        (tmp_path / "moved").rename(place)
        assert named.getsockname() == accepted.getsockname() == str(place)
        wish = OpenWish(1, bytes(secret))
        # believed: somebody connected, and the kernel says who
        channel.send(wish, [accepted.fileno()])
        assert isinstance(answer(channel), OpenedNote)
        answer(channel)
        # the listener itself, the client's own end, pairs, another place, no socket at all
        with open(secret, "rb") as file:
            for forged in (listener, client, pair, packets, named, other, tcp, file):
                channel.send(wish, [forged.fileno()])
                note = answer(channel)
                assert isinstance(note, RefusedNote), forged
                assert note.reason == "who asks is unknown"
                answer(channel)
                channel.send(ActWish(2, "quarantine-delete", {}), [forged.fileno()])
                acted = answer(channel)
                assert isinstance(acted, ActedNote)
                assert acted.forbidden, forged
        channel.send(wish)
        assert isinstance(answer(channel), RefusedNote)
        answer(channel)
        channel.send(ActWish(3, "anything", {}), [accepted.fileno()])
        acted = answer(channel)
        assert isinstance(acted, ActedNote)
        assert acted.values == str(os.geteuid())
        for end in (client, accepted, other_client, other, pair, rest, packets, more, tcp):
            end.close()


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_who_asks_gets_what_they_may_read_and_no_more(tmp_path: Path) -> None:
    """Access lists, closed folders and supplementary groups count, in each thread of its own."""
    from tocsin.protect.daemon.peer import acting_as

    tmp_path.chmod(0o755)
    for folder in tmp_path.parents:
        if folder == Path("/tmp") or folder == Path("/"):
            break
        folder.chmod(folder.stat().st_mode | 0o011)
    group_file = tmp_path / "for a group"
    group_file.write_bytes(b"x")
    os.chown(group_file, 0, 4321)
    group_file.chmod(0o640)
    seen: list[object] = []

    def attempt(peer: Peer) -> None:
        for _ in range(50):
            try:
                with acting_as(peer):
                    os.close(os.open(group_file, os.O_RDONLY))
                seen.append(True)
            except PermissionError:
                seen.append((peer.uid, False))

    member, stranger = Peer(54_321, 54_321, (4321,)), Peer(54_322, 54_322, ())
    threads = [threading.Thread(target=attempt, args=(peer,)) for peer in (member, stranger) * 4]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(seen) == {True, (54_322, False)}
    assert seen.count(True) == 200
    assert os.geteuid() == 0
    assert group_file.read_bytes() == b"x"
