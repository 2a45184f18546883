"""One client of the clamd protocol, from its first byte to its last.

A connection is read while it may say something, and written while there is something to say.
Outside a session its first command is its only one. Who sends slowly or nothing is told so and
closed; who does not read what it asked for is closed.
"""

from __future__ import annotations

import array
import asyncio
import os
import select
import socket
import stat
import time
from collections import deque
from typing import TYPE_CHECKING

from tocsin.engine.report import Report
from tocsin.protect.daemon.clamd_commands import (
    IN_SESSION,
    PATH_VERBS,
    Command,
    CommandReader,
    Stream,
    TooLong,
    Verb,
)
from tocsin.protect.daemon.clamd_scans import ObjectScan, PathScan
from tocsin.protect.daemon.peer import NOBODY, Peer, peer_of
from tocsin.protect.daemon.stream_store import StreamStore

if TYPE_CHECKING:
    from tocsin.protect.daemon.clamd_server import ClamdServer

_READ = 1 << 17
_MOST_DESCRIPTORS = 16
MOST_IN_SESSION = 64
"""Commands of one session that are being answered; more are not read."""

_MOST_UNSENT = 4 << 20
_INVALID = b"Command invalid inside IDSESSION. ERROR"


class _Answer:
    """The answer to one command: passes its lines on with their number and ending."""

    def __init__(self, connection: ClamdConnection, prefix: bytes, ending: bytes) -> None:
        self._connection = connection
        self._prefix = prefix
        self._ending = ending
        self.scan: PathScan | ObjectScan | None = None

    @property
    def owner(self) -> int:
        """User who asks; -1 over a network."""
        return self._connection.owner

    def line(self, text: bytes) -> None:
        """One line."""
        self._connection.send(self._prefix + text + self._ending)

    def done(self) -> None:
        """Nothing more comes."""
        self._connection.answered(self)

    def saw(self, report: Report, *, passed: bool) -> None:
        """Something was scanned."""
        self._connection.server.saw(report, self._connection.peer, passed)


class ClamdConnection:
    """One client.

    Args:
        server: whose client it is.
        end: the accepted socket, this object's from now on.
        networked: whether it came over TCP.

    Attributes:
        peer: who it is.
    """

    def __init__(self, server: ClamdServer, end: socket.socket, *, networked: bool) -> None:
        self.server = server
        self._loop: asyncio.AbstractEventLoop = server.loop
        self._end = end
        self._networked = networked
        self._peer: Peer | None = NOBODY if networked else None
        self._reader = CommandReader(server.settings.stream_max_length)
        self._store: StreamStore | None = None
        self._stream_answer: _Answer | None = None
        self._waits_for_descriptor: _Answer | None = None
        self._descriptors: deque[int] = deque()
        self._answers: set[_Answer] = set()
        self._session = False
        self._count = 0
        self._ending = False  # close once everything was answered and sent
        self._closed = False
        self._begun = False
        self._reading = False
        self._writing = False
        self._unsent = bytearray()
        self.since = time.monotonic()

    @property
    def peer(self) -> Peer:
        """Who it is."""
        if self._peer is None:
            self._peer = peer_of(self._end)
        return self._peer

    @property
    def owner(self) -> int:
        """Whose it is: a user's number, -1 for who came over a network."""
        return -1 if self._networked else self.peer.uid

    @property
    def busy(self) -> bool:
        """Whether it waits for an answer, or for the rest of one."""
        return bool(self._answers or self._unsent)

    def start(self) -> None:
        """Read what is there already, then wait for more."""
        self._begun = True
        self.since = time.monotonic()
        self._reading = True
        self._loop.add_reader(self._end.fileno(), self._readable)
        self._readable()

    def send(self, data: bytes) -> None:
        """Say something; what there is no room for waits."""
        if self._closed:
            return
        if not self._unsent:
            try:
                sent = self._end.send(data)
            except BlockingIOError:
                sent = 0
            except OSError:
                self.close()
                return
            if sent == len(data):
                return
            data = data[sent:]
        self._unsent += data
        self.since = time.monotonic()
        if len(self._unsent) > _MOST_UNSENT:
            self.close()
        elif not self._writing:
            self._writing = True
            self._loop.add_writer(self._end.fileno(), self._writable)

    def answered(self, answer: _Answer) -> None:
        """A command was answered."""
        self._answers.discard(answer)
        self.since = time.monotonic()
        if not self._session:
            self._ending = True
        waits = self._session and not self._ending and not self._reading and not self._closed
        if waits and not self._is_ahead():
            self._read_on()
        self._close_if_done()

    def sweep(self, now: float) -> None:
        """Close it if it has been silent, or has not listened, for too long."""
        settings = self.server.settings
        silent = now - self.since
        if self._answers and not self._reading and _has_left(self._end):
            self.close()  # nobody waits for the answer
        elif self._unsent:
            if silent > settings.idle_timeout:
                self.close()
        elif self._expects and silent > self._patience():
            self.send(b"COMMAND READ TIMED OUT\n")
            self._end_now()

    def close(self) -> None:
        """Close it, and take back what it asked for."""
        if self._closed:
            return
        self._closed = True
        self._reading = False
        self._loop.remove_reader(self._end.fileno())
        self._loop.remove_writer(self._end.fileno())
        for answer in self._answers:
            if answer.scan is not None:
                answer.scan.cancel()
        self._answers.clear()
        if self._store is not None:
            self._store.close()
        for descriptor in self._descriptors:
            os.close(descriptor)
        self._descriptors.clear()
        self._end.close()
        self.server.left(self)

    @property
    def _expects(self) -> bool:
        """Whether it is the client's turn to say something."""
        if not self._begun:
            return False  # it is this daemon's
        in_the_middle = self._store is not None or self._waits_for_descriptor is not None
        return in_the_middle or (not self._answers and not self._ending)

    def _patience(self) -> float:
        settings = self.server.settings
        if self._session and self._reader.idle:
            return settings.idle_timeout
        return settings.command_timeout

    def _readable(self) -> None:
        try:
            data = self._receive()
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            self.close()
            return
        if not data:
            self._pause()
            self._ending = True
            if self._store is not None or self._waits_for_descriptor is not None:
                self.close()  # in the middle of something
            else:
                self._close_if_done()
            return
        self.since = time.monotonic()
        self._reader.feed(data)
        self._process()

    def _receive(self) -> bytes:
        if self._networked:
            return self._end.recv(_READ)
        data, ancillary, _, _ = self._end.recvmsg(
            _READ, socket.CMSG_SPACE(4 * _MOST_DESCRIPTORS), socket.MSG_CMSG_CLOEXEC
        )
        for level, kind, packed in ancillary:
            if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                came = array.array("i")
                came.frombytes(packed[: len(packed) - len(packed) % came.itemsize])
                self._descriptors.extend(came)
        return data

    def _process(self) -> None:
        """Do what was said, as far as it is complete."""
        while not self._closed and not self._ending and self._reading:
            if self._waits_for_descriptor is not None:
                if self._reader.idle and (self._session or not self._descriptors):
                    return
                self._take_descriptor(self._waits_for_descriptor)
                continue
            said = self._reader.next()
            if said is None:
                if self._descriptors:
                    self._refuse_descriptors()
                return
            if isinstance(said, Command):
                self._command(said)
            elif isinstance(said, Stream):
                self._piece(said)
            else:
                self._too_long(said)

    def _refuse_descriptors(self) -> None:
        """Descriptors came that no command asked for."""
        text = b"PROTOCOL ERROR: ancillary data sent without FILDES. ERROR"
        self.send(text + self._reader.ending)
        self._end_now()

    def _too_long(self, said: TooLong) -> None:
        if said.stream and self._stream_answer is not None:
            self._stream_answer.line(b"INSTREAM size limit exceeded. ERROR")
        self._end_now()

    def _command(self, command: Command) -> None:
        verb = command.verb
        self._count += self._session
        prefix = b"%d: " % self._count if self._session else b""
        answer = _Answer(self, prefix, command.ending)
        if self._session and verb not in IN_SESSION:
            answer.line(_INVALID)
            self._end_now()
            return
        if verb is Verb.IDSESSION:
            self._session = True
            return
        if verb is Verb.END:
            if not self._session:
                answer.line(b"UNKNOWN COMMAND")
            self._pause()
            self._ending = True
            self._close_if_done()
            return
        self.server.count_command(verb.value)
        if verb is Verb.INSTREAM:
            self._begin(answer)
            self._reader.begin_stream()
            self._store = StreamStore(self.server.stream_folder)
            self._stream_answer = answer
            return
        self._begin(answer)
        if verb is Verb.FILDES:
            self._waits_for_descriptor = answer
        elif verb in PATH_VERBS:
            self._scan_path(command, answer)
        else:
            for line in self.server.simple(command, self.peer, networked=self._networked):
                answer.line(line)
            answer.done()

    def _begin(self, answer: _Answer) -> None:
        self._answers.add(answer)
        if self._session and self._is_ahead():
            self._pause()

    def _is_ahead(self) -> bool:
        """Whether enough is asked for now, by this session or by its owner's all."""
        share = max(1, self.server.settings.max_queue // 4)
        owned = self.server.service.pending_of(self.owner)
        return len(self._answers) >= MOST_IN_SESSION or (bool(self._answers) and owned >= share)

    def _scan_path(self, command: Command, answer: _Answer) -> None:
        server = self.server
        if self._networked and not server.settings.tcp_scan_paths:
            answer.line(b"%s: Paths are not scanned over TCP. ERROR" % command.argument)
            answer.done()
            return
        scan = PathScan(
            command,
            answer,
            server.service,
            server.keeper,
            server.settings.on_incomplete,
            server.jobs,
        )
        answer.scan = scan
        scan.start(self._end.fileno(), networked=self._networked)
        if not self._session:
            self._pause()

    def _piece(self, said: Stream) -> None:
        store, answer = self._store, self._stream_answer
        assert store is not None
        assert answer is not None
        if said.piece:
            try:
                store.add(said.piece)
            except OSError as error:
                reason = (error.strerror or str(error)).encode()
                answer.line(b"stream: The stream cannot be kept (%s). ERROR" % reason)
                self._end_now()
            return
        self._store = self._stream_answer = None
        mark = store.mark()
        self._scan_object(b"stream", answer, *store.take(), "stream", mark)

    def _take_descriptor(self, answer: _Answer) -> None:
        """The byte that a descriptor comes with is there."""
        self._waits_for_descriptor = None
        self._reader.drop_byte()
        if not self._descriptors:
            answer.line(b"No file descriptor received. ERROR")
            answer.done()
            self._end_now()
            return
        descriptor = self._descriptors.popleft()
        name = b"fd[%d]" % descriptor
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            answer.line(b"%s: Not a regular file ERROR" % name)
            answer.done()
            return
        try:
            shown = os.readlink(f"/proc/self/fd/{descriptor}")
        except OSError:
            shown = name.decode()
        self._scan_object(name, answer, descriptor, None, shown)

    def _scan_object(
        self,
        name: bytes,
        answer: _Answer,
        descriptor: int | None,
        data: bytes | None,
        shown: str,
        mark: bytes = b"",
    ) -> None:
        scan = ObjectScan(name, answer, self.server.service, self.server.settings.on_incomplete)
        answer.scan = scan
        scan.start(descriptor, data, shown, mark)
        if not self._session:
            self._pause()

    def _pause(self) -> None:
        if self._reading:
            self._reading = False
            self._loop.remove_reader(self._end.fileno())

    def _read_on(self) -> None:
        self._reading = True
        self._loop.add_reader(self._end.fileno(), self._readable)
        self._process()

    def _writable(self) -> None:
        try:
            sent = self._end.send(self._unsent)
        except BlockingIOError:
            return
        except OSError:
            self.close()
            return
        del self._unsent[:sent]
        self.since = time.monotonic()
        if not self._unsent:
            self._writing = False
            self._loop.remove_writer(self._end.fileno())
            self._close_if_done()

    def _end_now(self) -> None:
        """Take nothing more, and close once what was said is sent."""
        self._pause()
        for answer in list(self._answers):
            if answer.scan is not None:
                answer.scan.cancel()
        self._answers.clear()
        self._ending = True
        self._close_if_done()

    def _close_if_done(self) -> None:
        if self._ending and not self._answers and not self._unsent:
            self.close()


def _has_left(end: socket.socket) -> bool:
    """Whether a client has closed its end wholly, and not only for what it says."""
    poll = select.poll()
    poll.register(end, 0)
    return any(events & (select.POLLHUP | select.POLLERR) for _, events in poll.poll(0))
