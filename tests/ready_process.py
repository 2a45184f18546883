"""Runs the package's commands as `subprocess.run` does, without loading them anew each time.

Hundreds of tests call a command and look at what it prints and leaves; most of such a call's
time would be an interpreter that starts and reads modules. One process has done that, for each
command and worker of pytest, and forks for each call: the command then runs in a process of its
own, with its own descriptors, environment and folder, through its own entry point to its own
exit.

Loaded are only what the commands load themselves before they look at anything. What is loaded
late, in a confined worker most of all, is loaded late here too, so that a module that cannot be
had there is missed here as well. What happens as an interpreter starts (closed streams,
another user, other settings of Python's) needs a real one: the tests of that start it.
"""

from __future__ import annotations

import atexit
import functools
import importlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

LOADED = {
    "tocsin.cli.main": (
        *("tocsin.cli.scan", "tocsin.cli.scan_output", "tocsin.cli.progress", "tocsin.app.scan"),
        *("tocsin.database.cache", "tocsin.signatures.languages", "tocsin.engine.scanner"),
    ),
    "tocsin.cli.clamscan": (
        *("tocsin.engine.scanner", "tocsin.engine.clamav_names"),
        *("tocsin.database.cache", "tocsin.signatures.languages"),
    ),
}
"""By the module of a command: what it loads before its first worker is forked."""

_MOST = 1 << 17
_AT_START = ("PYTHON", "LC_", "LANG")
"""What the interpreter reads of the environment as it starts."""


def run(
    module: str,
    arguments: Sequence[str | bytes | os.PathLike[str]],
    *,
    input: bytes = b"",
    cwd: Path | str | None = None,
    env: Mapping[str, str] | None = None,
    timeout: float = 120,
) -> subprocess.CompletedProcess[bytes]:
    """Call a command's entry point, the function `run` of a module, in a process of its own.

    Raises:
        subprocess.TimeoutExpired: it took too long, and was ended.
    """
    environment = dict(os.environ if env is None else env)
    assert _read_at_start(environment) == _read_at_start(os.environ), "start a real interpreter"
    words = [os.fsdecode(word) for word in arguments]
    request = {"words": words, "environment": environment, "cwd": os.fspath(cwd or os.getcwd())}
    return _process(module).call(request, input, timeout)


def _read_at_start(environment: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environment.items() if name.startswith(_AT_START)}


class _ReadyProcess:
    """The process that forks, seen from the tests."""

    def __init__(self, module: str) -> None:
        self._channel, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._lock = threading.Lock()
        self._process = subprocess.Popen(
            [sys.executable, __file__, module, str(theirs.fileno())],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            pass_fds=[theirs.fileno()],
        )
        theirs.close()
        atexit.register(self._end)

    def call(
        self, request: dict[str, object], given: bytes, timeout: float
    ) -> subprocess.CompletedProcess[bytes]:
        """Have a command run, and wait for it."""
        message = json.dumps(request).encode()
        assert len(message) < _MOST, "more words than a message holds"
        with self._lock:
            pipes = [os.pipe() for _ in range(3)]
            theirs = [pipes[0][0], pipes[1][1], pipes[2][1]]
            socket.send_fds(self._channel, [message], theirs)
            for descriptor in theirs:
                os.close(descriptor)
            texts: list[bytes] = [b"", b""]
            threads = [
                threading.Thread(target=_write, args=(pipes[0][1], given)),
                threading.Thread(target=_read, args=(pipes[1][0], texts, 0)),
                threading.Thread(target=_read, args=(pipes[2][0], texts, 1)),
            ]
            for thread in threads:
                thread.start()
            pid = int(self._channel.recv(100))
            overdue = not select.select([self._channel], [], [], timeout)[0]
            if overdue:
                os.kill(pid, signal.SIGKILL)
            status = int(self._channel.recv(100))
            for thread in threads:
                thread.join()
        words = request["words"]
        if overdue:
            raise subprocess.TimeoutExpired(words, timeout, *texts)
        return subprocess.CompletedProcess(words, status, *texts)

    def _end(self) -> None:
        self._channel.close()
        self._process.wait()


def _write(descriptor: int, data: bytes) -> None:
    with open(descriptor, "wb", buffering=0) as pipe:
        try:
            while data:
                data = data[pipe.write(data) :]
        except BrokenPipeError:
            pass  # the command wanted no more


def _read(descriptor: int, texts: list[bytes], place: int) -> None:
    with open(descriptor, "rb") as pipe:
        texts[place] = pipe.read()


@functools.cache
def _process(module: str) -> _ReadyProcess:
    return _ReadyProcess(module)


# --- the process itself -------------------------------------------------------------------------


def _serve(channel: socket.socket) -> None:
    """Fork for each request; returns in the processes that were forked."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the tests, which then end this
    while True:
        message, descriptors, _, _ = socket.recv_fds(channel, _MOST, 3)
        if not message:
            os._exit(0)
        pid = os.fork()
        if pid == 0:
            channel.close()
            _become(json.loads(message), descriptors)
            return
        for descriptor in descriptors:
            os.close(descriptor)
        channel.send(b"%d" % pid)
        channel.send(b"%d" % os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))


def _become(request: dict[str, object], descriptors: list[int]) -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for place, descriptor in enumerate(descriptors):
        os.dup2(descriptor, place)
        os.close(descriptor)
    os.chdir(str(request["cwd"]))
    os.environ.clear()
    os.environ.update(request["environment"])  # type: ignore[call-overload]
    sys.argv[1:] = request["words"]  # type: ignore[assignment]


if __name__ == "__main__":
    del sys.path[0]  # the tests' own folder, which a command does not see
    command = importlib.import_module(sys.argv[1])
    for name in LOADED[sys.argv[1]]:
        importlib.import_module(name)
    _serve(socket.socket(fileno=int(sys.argv[2])))
    command.run()
