"""Keeping what holds keys and what parses in processes that were not forked from one another.

A worker can read whatever was in the memory of the process it was forked from. So whoever opens
the quarantine has its scans done by a host that was forked before, and a scan that acts on what
it finds has a child open the quarantine.
"""

from __future__ import annotations

import json
import os
import select
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import count
from typing import TYPE_CHECKING

import msgspec

from tocsin.engine.report import Report
from tocsin.errors import HostGone
from tocsin.protect.actions import Action, Outcome

if TYPE_CHECKING:  # the daemon's keeper acts and never scans: the engine would be 1 MiB of it
    from tocsin.database.index import Index
    from tocsin.engine.host_port import ScanPort
    from tocsin.engine.options import Options

Scan = Callable[[str, int], Report]


def run_apart(work: Callable[[], Outcome], action: Action) -> Outcome:
    """Do something in a process of its own, which an interrupt from the keyboard does not end."""
    reader, writer = os.pipe2(os.O_CLOEXEC)
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            with open(writer, "wb") as answer:
                answer.write(json.dumps(work().to_dict()).encode("ascii"))
            status = 0
        finally:
            os._exit(status)
    os.close(writer)
    with open(reader, "rb") as answer:
        said = answer.read()
    _, ended = os.waitpid(pid, 0)
    try:
        return msgspec.convert(json.loads(said), type=Outcome)
    except (msgspec.MsgspecError, ValueError):
        code = os.waitstatus_to_exitcode(ended)
        detail = f"the process that was to do it ended early ({code})"
        return Outcome(action=action, state="failed", detail=detail)


@contextmanager
def scanner_apart(database: Index, options: Options) -> Iterator[Scan]:
    """A function that has open files scanned by a process forked now, one after the other.

    Raises:
        HostGone: by the function, when that process has ended.
    """
    from tocsin.engine.host import EngineHost
    from tocsin.engine.host_port import port_pair

    port, end = port_pair()
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            port.close()
            EngineHost(database, options, 1, [end]).serve()
            status = 0
        finally:
            os._exit(status)
    end.close()
    numbers = count(1)
    try:
        yield lambda name, descriptor: _ask(port, next(numbers), name, descriptor)
    finally:
        with suppress(HostGone):
            port.finish()
        port.close()
        os.waitpid(pid, 0)


def _ask(port: ScanPort, number: int, name: str, descriptor: int) -> Report:
    port.submit(number, name, descriptor)
    while True:
        writers = [port.writable_fileno()] if port.wants_write() else []
        select.select([port], writers, [])
        if writers:
            port.flush()
        for answered, report in port.receive():
            if answered == number:
                return report
