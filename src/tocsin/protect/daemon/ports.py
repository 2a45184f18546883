"""Ports between a host and those who ask it, made before either has its end.

A host that is to take over is forked with its ends of the ports and loads its index, while the one
before still answers. Front and guard get their ends when it is ready.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping, Sequence
from pathlib import Path

from tocsin.protect.daemon.control_messages import DatabaseFacts, HostNote
from tocsin.protect.daemon.supervisor import Child

SPARE = 256 << 20
"""Bytes of memory that must be left when two hosts are there."""

_MEMORY = Path("/proc/meminfo")


class Ports:
    """Ports from each of those who ask hosts to one host.

    Args:
        askers: their names; the first one's port is the host's ordinary one.

    Attributes:
        askers: their names.
        theirs: the host's ends, a pair of sockets for each port.
    """

    def __init__(self, askers: Sequence[str]) -> None:
        self.askers = tuple(askers)
        self.theirs: list[list[socket.socket]] = []
        self._ours: list[tuple[socket.socket, socket.socket]] = []
        for _ in askers:
            requests = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            answers = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
            self.theirs.append([requests[1], answers[1]])
            self._ours.append((requests[0], answers[0]))

    def descriptors(self) -> list[int]:
        """The host's ends, which its process must keep."""
        return [end.fileno() for ends in self.theirs for end in ends]

    def host_has_them(self) -> None:
        """Close the host's ends here, now that it is forked."""
        for ends in self.theirs:
            for end in ends:
                end.close()

    def give(self, children: Mapping[str, Child], facts: DatabaseFacts) -> None:
        """Give each who asks its end, and keep none.

        Args:
            children: the processes, by name.
            facts: of the database that the host holds.
        """
        for name, (requests, answers) in zip(self.askers, self._ours, strict=True):
            if name in children:
                children[name].send(HostNote(facts), (requests.fileno(), answers.fileno()))
        self.close()

    def close(self) -> None:
        """Close the ends of those who ask; a host that has the others ends by that."""
        for ends in self._ours:
            for end in ends:
                end.close()


def has_room_for_two(pid: int) -> bool:
    """Whether another host of the size of one that runs can be in memory with it.

    Args:
        pid: of the one that runs.
    """
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
        available = next(
            int(line.split()[1]) << 10
            for line in _MEMORY.read_text(encoding="ascii").splitlines()
            if line.startswith("MemAvailable:")
        )
    except (OSError, ValueError, IndexError, StopIteration):
        return False
    return available > pages * os.sysconf("SC_PAGE_SIZE") + SPARE
