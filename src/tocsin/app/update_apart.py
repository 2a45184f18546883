"""What fetches over the network in a process without any right, beside one that has some.

Trying out what came takes rights: workers are confined with them (`sandbox`). What talks to
mirrors needs none. So a round of updates is two processes: one that keeps what trials take and
hears nothing from the network, and one, forked from it, that gave up every capability for good,
does all the rest, and asks the first for a trial of files in the folders of updates, and to
journal what came of it.

They speak JSON, one message a line, over a pair of sockets; of what the first hears nothing is
believed but its form, and that files are where those of updates are.
"""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from tocsin.app.update_test import SelfTestFailed
from tocsin.errors import TocsinError
from tocsin.protect.daemon.rights import end_with_parent
from tocsin.protect.journal.event import Event
from tocsin.sandbox import syscalls
from tocsin.sandbox.identity import give_up_capabilities
from tocsin.updates.receive.errors import NotTriedOut, UpdateError

if TYPE_CHECKING:
    from io import BufferedRWPair

    Stream = BufferedRWPair[Any, Any]

_MOST_MESSAGE = 4 << 20
_MOST_EVENTS = 1_000

Say = Callable[[str], None]


class Trials(NamedTuple):
    """Trials of what came; each raises `TocsinError` if it does not do.

    Attributes:
        database: of a signed database.
        source: of the files of a source, by its name.
    """

    database: Callable[[Path], None]
    source: Callable[[str, Sequence[Path]], None]


class Done(msgspec.Struct, tag="done"):
    """How the work ended: an exit status, and what is to be journalled."""

    status: int
    events: list[Event] = []


class _Said(msgspec.Struct, tag="said"):
    text: str


class _TryDatabase(msgspec.Struct, tag="database"):
    place: str


class _TrySource(msgspec.Struct, tag="source"):
    name: str
    files: list[str]


class _Broke(msgspec.Struct, tag="broke"):
    text: str


class _Answer(msgspec.Struct):
    """Why a trial did not go well, and whether that lies in this device; empty if it did."""

    failed: str = ""
    of_device: bool = False


_Message = Done | _Said | _TryDatabase | _TrySource | _Broke
Work = Callable[[Trials, Say], Done]


def without_rights(work: Work, trials: Trials, folders: Sequence[Path], say: Say) -> Done:
    """Do work in a process that has no capability, and try out for it what it brings.

    Args:
        work: what is to be done there.
        trials: done here.
        folders: in which files must be that are tried out.
        say: told what the work says.

    Raises:
        UpdateError: that process ended early, or said what it may not.
    """
    ours, its = socket.socketpair()
    parent = os.getpid()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            ours.close()
            give_up_capabilities()
            syscalls.call("prctl", syscalls.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
            end_with_parent(parent)
            with its, its.makefile("rwb") as stream:
                _work(work, stream)
            status = 0
        finally:
            os._exit(status)
    its.close()
    try:
        with ours, ours.makefile("rwb") as stream:
            done = _attend(stream, trials, folders, say)
    except ConnectionError:
        done = None
    finally:
        with suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)  # it has nothing left to do, whatever it thinks of that
        _, ended = os.waitpid(child, 0)
    if done is None:
        code = os.waitstatus_to_exitcode(ended)
        raise UpdateError(f"the process that fetches ended early ({code}); the next round goes on")
    return done


# --- the process that has no rights -------------------------------------------------------


def _work(work: Work, stream: Stream) -> None:
    def ask(message: _TryDatabase | _TrySource) -> None:
        _send(stream, message)
        answer = msgspec.json.decode(stream.readline(_MOST_MESSAGE), type=_Answer)
        if answer.failed:
            raise (NotTriedOut if answer.of_device else SelfTestFailed)(answer.failed)

    trials = Trials(
        lambda place: ask(_TryDatabase(str(place))),
        lambda name, files: ask(_TrySource(name, [str(each) for each in files])),
    )
    message: _Message
    try:
        message = work(trials, lambda text: _send(stream, _Said(text)))
    except (TocsinError, OSError) as error:
        message = _Broke(str(error))
    except Exception as error:
        message = _Broke(f"a defect of this program: {type(error).__name__}: {error}")
    _send(stream, message)


def _send(stream: Stream, message: object) -> None:
    stream.write(msgspec.json.encode(message) + b"\n")
    stream.flush()


# --- the process that has some ------------------------------------------------------------


def _attend(stream: Stream, trials: Trials, folders: Sequence[Path], say: Say) -> Done | None:
    """Hear the other process until it is done; None when it ended before."""
    while line := stream.readline(_MOST_MESSAGE):
        try:
            message = msgspec.json.decode(line, type=_Message)
        except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
            raise UpdateError(
                f"the process that fetches said what is no message: {error}"
            ) from None
        match message:
            case Done():
                return Done(message.status, message.events[:_MOST_EVENTS])
            case _Broke():
                raise UpdateError(message.text)
            case _Said():
                say(message.text)
            case _TryDatabase():
                place = _inside(message.place, folders)
                _send(stream, _tried(partial(trials.database, place)))
            case _TrySource():
                name, files = message.name, [_inside(each, folders) for each in message.files]
                _send(stream, _tried(partial(trials.source, name, files)))
    return None


def _tried(trial: Callable[[], None]) -> _Answer:
    try:
        trial()
    except (TocsinError, OSError) as error:
        of_device = isinstance(error, (NotTriedOut, OSError))
        return _Answer(str(error) or type(error).__name__, of_device)
    return _Answer()


def _inside(text: str, folders: Sequence[Path]) -> Path:
    """A file that lies where those of updates do.

    Raises:
        UpdateError: it lies elsewhere.
    """
    real = Path(os.path.realpath(text))
    if not any(real.is_relative_to(os.path.realpath(folder)) for folder in folders):
        raise UpdateError(f"the process that fetches wants {text} tried out, which is no update")
    return real
