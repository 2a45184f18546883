"""Messages between the daemon's own processes, each with the descriptors that belong to it.

One message is one packet, so that descriptors cannot come apart from it. Nothing here waits:
what there is no room for stays in this process, in its order.
"""

from __future__ import annotations

import array
import errno
import os
import socket
from collections import deque
from collections.abc import Sequence
from typing import Generic, TypeVar

import msgspec

from tocsin.errors import ChannelClosed

Incoming = TypeVar("Incoming")
Outgoing = TypeVar("Outgoing")

MOST_BYTES = 160 << 10
"""Of one message; the kernel's room for a socket is a little more."""

_MOST_DESCRIPTORS = 8
_NO_ROOM = (errno.EAGAIN, errno.ENOBUFS, errno.ETOOMANYREFS)


class Channel(Generic[Incoming, Outgoing]):
    """One end.

    Args:
        end: a `SOCK_SEQPACKET` socket, this object's from now on.
        decoder: reads what comes.
    """

    def __init__(self, end: socket.socket, decoder: msgspec.msgpack.Decoder[Incoming]) -> None:
        end.setblocking(False)
        self._end = end
        self._decoder = decoder
        self._encoder = msgspec.msgpack.Encoder()
        self._unsent: deque[tuple[bytes, tuple[int, ...]]] = deque()

    def fileno(self) -> int:
        """Readable when messages wait."""
        return self._end.fileno()

    @property
    def wants_write(self) -> bool:
        """Whether something waits for room."""
        return bool(self._unsent)

    def send(self, message: Outgoing, descriptors: Sequence[int] = ()) -> None:
        """Send a message; never waits.

        Args:
            message: of a type that the other end reads.
            descriptors: duplicates of them go along; they stay the caller's.

        Raises:
            ChannelClosed: the other end has gone.
            ValueError: the message is too long.
        """
        data = self._encoder.encode(message)
        if len(data) > MOST_BYTES:
            raise ValueError(f"a message of {len(data)} bytes")
        if self._unsent or not self._push(data, descriptors):
            self._unsent.append((data, tuple(os.dup(each) for each in descriptors)))

    def flush(self) -> None:
        """Send what waits, as far as there is room.

        Raises:
            ChannelClosed: the other end has gone.
        """
        while self._unsent and self._push(*self._unsent[0]):
            for descriptor in self._unsent.popleft()[1]:
                os.close(descriptor)

    def receive(self) -> tuple[Incoming, list[int]] | None:
        """The next message and its descriptors, or None when there is none now.

        Raises:
            ChannelClosed: the other end has gone, or speaks nonsense.
        """
        descriptors = array.array("i")
        try:
            data, ancillary, _, _ = self._end.recvmsg(
                MOST_BYTES,
                socket.CMSG_SPACE(_MOST_DESCRIPTORS * descriptors.itemsize),
                socket.MSG_CMSG_CLOEXEC,
            )
        except BlockingIOError:
            return None
        except OSError as error:
            raise ChannelClosed(str(error)) from None
        for level, kind, packed in ancillary:
            if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                descriptors.frombytes(packed[: len(packed) - len(packed) % descriptors.itemsize])
        if not data:
            raise ChannelClosed("the other end has ended")
        try:
            return self._decoder.decode(data), list(descriptors)
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            for descriptor in descriptors:
                os.close(descriptor)
            raise ChannelClosed(f"the other end speaks nonsense: {error}") from None

    def close(self) -> None:
        """Close this end, and forget what was not sent."""
        for _, descriptors in self._unsent:
            for descriptor in descriptors:
                os.close(descriptor)
        self._unsent.clear()
        self._end.close()

    def _push(self, data: bytes, descriptors: Sequence[int]) -> bool:
        try:
            if descriptors:
                socket.send_fds(self._end, [data], list(descriptors))
            else:
                self._end.send(data)
        except OSError as error:
            if error.errno in _NO_ROOM:
                return False
            raise ChannelClosed(str(error)) from None
        return True
