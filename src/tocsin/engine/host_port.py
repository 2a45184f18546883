"""A way into an engine host, for a process that never waits.

A port is two sockets: requests go through one that keeps messages apart, each with its
descriptor; answers come back through a stream, each behind its length. Nothing here blocks:
what cannot be sent at once waits in this process, in its order.
"""

from __future__ import annotations

import array
import errno
import os
import socket
import struct
from collections import deque
from contextlib import suppress
from typing import NamedTuple

import msgspec

from tocsin.engine.messages import (
    LENGTH,
    MAX_REPORT_BYTES,
    MOST_INLINE,
    ReportAnswer,
    read_answer,
    report_from,
    to_bytes,
)
from tocsin.engine.report import Report
from tocsin.errors import HostGone

_READ = 1 << 18
_NUMBER = struct.Struct("<q")
"""What goes back along the answers: a request that is not wanted any more."""

_MOST_UNWANTED = 10_000
"""What came too late stays among them; requests on their way are far fewer."""

_MOST_REQUEST = MOST_INLINE + (192 << 10)
_SOON = (errno.EAGAIN, errno.ENOBUFS, errno.ETOOMANYREFS)


class ScanRequest(msgspec.Struct, frozen=True, array_like=True):
    """One object to be scanned.

    Attributes:
        number: by which the caller knows the answer.
        name: the object's name in the report, and for rules that ask for it.
        data: the object, when it is small; None when its descriptor comes along.
        all_matches: report everything that matches, or the first; None: as the host was told.
    """

    number: int
    name: bytes
    data: bytes | None = None
    all_matches: bool | None = None


_encoder = msgspec.msgpack.Encoder()
_requests = msgspec.msgpack.Decoder(ScanRequest)


class _Waiting(NamedTuple):
    """A request that could not be sent yet."""

    number: int
    message: bytes
    descriptor: int
    name: str


class ScanPort:
    """The caller's side.

    Args:
        requests: a `SOCK_SEQPACKET` socket.
        answers: a stream socket; both are this object's from now on.

    Attributes:
        pending: requests without an answer, by number: their names.
    """

    def __init__(self, requests: socket.socket, answers: socket.socket) -> None:
        requests.setblocking(False)
        answers.setblocking(False)
        self._requests = requests
        self._answers = answers
        self._waiting: deque[_Waiting] = deque()
        self._received = bytearray()
        self.pending: dict[int, str] = {}

    def fileno(self) -> int:
        """A descriptor that is readable when answers wait."""
        return self._answers.fileno()

    def writable_fileno(self) -> int:
        """A descriptor to be watched for room while `wants_write` holds."""
        return self._requests.fileno()

    def wants_write(self) -> bool:
        """Whether requests wait for room; call `flush` when there is."""
        return bool(self._waiting)

    def submit(
        self,
        number: int,
        name: str,
        descriptor: int | None = None,
        data: bytes | None = None,
        *,
        all_matches: bool | None = None,
    ) -> None:
        """Have an object scanned; never waits.

        Args:
            number: by which the answer is known; none that is pending.
            name: of the object.
            descriptor: what is read, from its start; the caller's, open until the answer is there.
            data: the object itself instead, at most `MOST_INLINE` bytes.
            all_matches: report everything that matches, or the first.

        Raises:
            HostGone: the host has ended; nothing was submitted.
        """
        request = ScanRequest(number, to_bytes(name), data, all_matches)
        self.pending[number] = name
        entry = _Waiting(
            number, _encoder.encode(request), -1 if descriptor is None else descriptor, name
        )
        if self._waiting or not self._send(entry):
            self._waiting.append(entry)

    def flush(self) -> None:
        """Send what waits, as far as there is room.

        Raises:
            HostGone: the host has ended.
        """
        while self._waiting and self._send(self._waiting[0]):
            self._waiting.popleft()

    def take_back(self, number: int) -> bool:
        """Take back a request that was not sent yet.

        Returns:
            Whether it had not been.
        """
        for entry in self._waiting:
            if entry.number == number:
                self._waiting.remove(entry)
                del self.pending[number]
                return True
        return False

    def withdraw(self, number: int) -> None:
        """Take back a request; one that was begun is stopped. No answer comes."""
        if self.take_back(number) or self.pending.pop(number, None) is None:
            return
        with suppress(OSError):  # a host that has gone, or is so far behind, ends it anyway
            self._answers.send(_NUMBER.pack(number))

    def receive(self) -> list[tuple[int, Report]]:
        """The answers that are there.

        Raises:
            HostGone: the host has ended; what is pending must be submitted to another.
            ScanError: it speaks nonsense.
        """
        try:
            chunk = self._answers.recv(_READ)
        except BlockingIOError:
            return []
        except ConnectionError as error:
            raise HostGone(f"the engine's process has ended: {error.strerror}") from None
        if not chunk:
            raise HostGone("the engine's process has ended")
        self._received += chunk
        return self._taken()

    def finish(self) -> None:
        """Say that nothing more is asked; answers to what was asked still come."""
        try:
            self._requests.shutdown(socket.SHUT_WR)
        except OSError:
            return

    def close(self) -> None:
        """Close both sockets; the host forgets what is pending."""
        self._requests.close()
        self._answers.close()

    def _taken(self) -> list[tuple[int, Report]]:
        found: list[tuple[int, Report]] = []
        received = self._received
        start = 0
        while len(received) - start >= LENGTH.size:
            (length,) = LENGTH.unpack_from(received, start)
            if length > MAX_REPORT_BYTES:
                raise HostGone("the engine's process said too much")
            end = start + LENGTH.size + length
            if len(received) < end:
                break
            answer = read_answer(bytes(memoryview(received)[start + LENGTH.size : end]))
            start = end
            if isinstance(answer, ReportAnswer):
                name = self.pending.pop(answer.number, None)
                if name is not None:
                    found.append((answer.number, report_from(answer, name)))
        if start:
            del received[:start]
        return found

    def _send(self, entry: _Waiting) -> bool:
        try:
            if entry.descriptor < 0:
                self._requests.send(entry.message)
            else:
                socket.send_fds(self._requests, [entry.message], [entry.descriptor])
        except OSError as error:
            if error.errno in _SOON:
                return False
            if entry not in self._waiting:
                del self.pending[entry.number]
            raise HostGone(f"the engine's process has ended: {error.strerror}") from None
        return True


class HostEnd:
    """The host's side of a port.

    Args:
        requests: a `SOCK_SEQPACKET` socket.
        answers: a stream socket.
        urgent: whether its requests come before those of others.

    Attributes:
        open: whether requests may still come.
        unanswered: requests that were taken and not answered.
    """

    def __init__(
        self, requests: socket.socket, answers: socket.socket, *, urgent: bool = False
    ) -> None:
        requests.setblocking(False)
        answers.setblocking(False)
        self.requests = requests
        self.answers = answers
        self.urgent = urgent
        self.open = True
        self.unanswered = 0
        self._unsent = bytearray()
        self._heard = bytearray()
        self._unwanted: dict[int, bool | None] = {}

    def take(self) -> tuple[ScanRequest, int] | None:
        """The next request and its descriptor, -1 without one; None when there is none now."""
        descriptors = array.array("i")
        try:
            data, ancillary, _, _ = self.requests.recvmsg(
                _MOST_REQUEST,
                socket.CMSG_SPACE(descriptors.itemsize),
                socket.MSG_CMSG_CLOEXEC,
            )
        except BlockingIOError:
            return None
        except ConnectionError:
            data, ancillary = b"", []
        if not data:
            self.open = False
            return None
        for _level, _kind, packed in ancillary:
            descriptors.frombytes(packed[: len(packed) - len(packed) % descriptors.itemsize])
        for surplus in descriptors[1:]:
            os.close(surplus)
        self.unanswered += 1
        return _requests.decode(data), descriptors[0] if descriptors else -1

    def withdrawn(self) -> list[int] | None:
        """Numbers of requests that are not wanted any more; None when whoever asked has gone."""
        try:
            chunk = self.answers.recv(_READ)
        except BlockingIOError:
            return []
        except OSError:
            return None
        if not chunk:
            return None
        self._heard += chunk
        whole = len(self._heard) // _NUMBER.size * _NUMBER.size
        numbers = [number for (number,) in _NUMBER.iter_unpack(self._heard[:whole])]
        del self._heard[:whole]
        return numbers

    def not_wanted(self, number: int) -> None:
        """A request that has not come yet, if it comes at all, is not wanted any more."""
        self._unwanted[number] = None
        while len(self._unwanted) > _MOST_UNWANTED:
            del self._unwanted[next(iter(self._unwanted))]

    def wants(self, number: int) -> bool:
        """Whether a request that has come is still wanted."""
        return self._unwanted.pop(number, True) is True

    def say(self, message: bytes) -> None:
        """Answer; what there is no room for is sent by `flush`."""
        self.unanswered -= 1
        self._unsent += message
        self.flush()

    @property
    def backlog(self) -> int:
        """Bytes of answers that wait for room."""
        return len(self._unsent)

    def flush(self) -> None:
        """Send what waits, as far as there is room."""
        while self._unsent:
            try:
                sent = self.answers.send(self._unsent)
            except BlockingIOError:
                return
            except OSError:  # whoever asked has gone
                self._unsent.clear()
                self.open = False
                return
            del self._unsent[:sent]

    def close(self) -> None:
        """Close both sockets."""
        self.requests.close()
        self.answers.close()


def port_pair(*, urgent: bool = False) -> tuple[ScanPort, HostEnd]:
    """Both sides of a new port, in one process; each goes where it belongs by a fork."""
    requests, host_requests = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    answers, host_answers = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    return ScanPort(requests, answers), HostEnd(host_requests, host_answers, urgent=urgent)
