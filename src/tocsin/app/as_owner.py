"""Root's commands read and write the journal as whoever its folder belongs to.

The journal is the daemon's user's. Who holds that account, or has taken over the process that
runs as it, may put a link, a pipe or a crafted file where SQLite is about to open one; to root
that would be a way to write anywhere. So root becomes that user first: for good where a command
does nothing else, or in a child for as long as it takes.
"""

from __future__ import annotations

import json
import os
import select
import signal
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from tocsin.errors import JournalError
from tocsin.protect.daemon.rights import drop_to

PATIENCE = 30.0
"""Seconds after which a child that says nothing is ended: somebody may hold what it waits for."""


def owner_of(folder: Path) -> tuple[int, int] | None:
    """User and group that root is to become for a folder's files; None where it stays itself."""
    if os.geteuid() != 0:
        return None
    try:
        status = os.stat(folder, follow_symlinks=False)
    except OSError:
        return None
    return (status.st_uid, status.st_gid) if status.st_uid != 0 else None


def become_owner(folder: Path) -> None:
    """Become the owner of a folder for good, if this is root and it is another's."""
    owner = owner_of(folder)
    if owner is not None:
        _import_all()
        drop_to(*owner, new_privileges=False)


def by_owner(folder: Path, call: Callable[[], Any]) -> Any:
    """Do something with a folder's files as its owner, in a child where that is another.

    Args:
        folder: whose files it is about.
        call: does it; gives what JSON can hold.

    Raises:
        JournalError: it failed so, or took too long.
    """
    owner = owner_of(folder)
    if owner is None:
        return call()
    _import_all()
    reader, writer = os.pipe2(os.O_CLOEXEC)
    pid = os.fork()
    if pid == 0:
        _do(call, owner, writer)
    os.close(writer)
    try:
        return _answer(reader)
    finally:
        os.close(reader)
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def _do(call: Callable[[], Any], owner: tuple[int, int], writer: int) -> None:
    """In the child: do it, say what came of it, and end."""
    status = 1
    try:
        drop_to(*owner, new_privileges=False)
        try:
            said = {"done": call()}
        except (JournalError, OSError) as error:
            said = {"failed": str(error)}
        left = memoryview(json.dumps(said).encode())
        while left:
            left = left[os.write(writer, left) :]
        status = 0
    finally:
        os._exit(status)


def _answer(reader: int) -> Any:
    """What the child said."""
    said = bytearray()
    while True:
        if not select.select([reader], [], [], PATIENCE)[0]:
            raise JournalError(
                f"the journal did not answer within {PATIENCE:g} seconds: another process holds it"
            )
        chunk = os.read(reader, 1 << 16)
        if not chunk:
            break
        said += chunk
    try:
        answer = json.loads(said)
    except ValueError:
        raise JournalError("the process that reads and writes the journal ended early") from None
    if "failed" in answer:
        raise JournalError(str(answer["failed"]))
    return answer["done"]


def _import_all() -> None:
    """Have what is needed: the user to become may be unable to read this program's files."""
    import encodings.idna  # noqa: F401  each is imported when it is first needed, else
    import fnmatch  # noqa: F401

    import tocsin.app.events
    import tocsin.protect.journal.store  # noqa: F401
