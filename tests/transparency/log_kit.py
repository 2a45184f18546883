"""Logs that grow, logs that fork, and a server of files that may misbehave."""

from __future__ import annotations

import shutil
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from transparency_samples import LOG_KEY, entries

from tocsin.transparency.cosignature import cosign
from tocsin.transparency.keys import SigningKey
from tocsin.transparency.log import Log
from tocsin.transparency.monitor import Page
from tocsin.transparency.reader import Fetch
from tocsin.transparency.tree_head import Checkpoint
from tocsin.transparency.witness import origin_hash

KEYS = (LOG_KEY.verifier,)


def log_of(folder: Path, size: int) -> Log:
    """A log of so many entries."""
    log = Log.init(folder, LOG_KEY)
    if size:
        log.append(entries(size), LOG_KEY)
    return log


def fork_of(log: Log, folder: Path, common: int, size: int) -> Log:
    """A log by the same key that has the first entries in common, and then others."""
    fork = Log.init(folder, LOG_KEY)
    fork.append(entries(common), LOG_KEY)
    fork.append([b"forked %d" % number for number in range(size - common)], LOG_KEY)
    assert fork.verifier == log.verifier
    return fork


def copy_of(log: Log, folder: Path) -> Log:
    """The log as it is now, elsewhere."""
    shutil.copytree(log.folder, folder)
    return Log(folder, log.verifier)


def page_of(log: Log, witness: SigningKey | None = None, name: str = "w") -> Page:
    """A witness's page that shows what this log has published."""

    def fetch(path: str, limit: int) -> bytes:
        assert path == f"{origin_hash(log.verifier.name)}/checkpoint"
        note = log.published().note
        if witness is not None:
            note = note.with_signatures([cosign(note.text, witness, 1_800_000_000)])
        data = note.to_bytes()
        assert len(data) <= limit
        return data

    return Page(name, fetch, None if witness is None else witness.verifier)


def counting(fetch: Fetch, wanted: list[str], *, most: int = 1 << 30) -> Fetch:
    """Notes what is fetched; after `most` files the line is cut."""

    def counted(path: str, limit: int) -> bytes:
        if len(wanted) >= most:
            raise ConnectionError("cut")
        wanted.append(path)
        return fetch(path, limit)

    return counted


def head_of(log: Log) -> Checkpoint:
    """What it has published."""
    return log.published().head


@contextmanager
def raw_server(behave: Callable[[socket.socket], None]) -> Iterator[str]:
    """A server that does something with each connection; its address."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def one(connection: socket.socket) -> None:
            with connection, suppress(OSError):
                connection.recv(65536)
                behave(connection)

        def accept() -> None:
            with suppress(OSError):
                while True:
                    connection, _ = listening.accept()
                    threading.Thread(target=one, args=(connection,), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        with suppress(OSError):
            listening.shutdown(socket.SHUT_RDWR)
