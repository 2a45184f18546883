"""Serves a mirror's folder to the neighbours over HTTP: files, parts of files, and nothing else.

Nobody has to trust it, and it trusts nobody: it reads below one folder, follows no link out of
it, lists nothing, and no client can hold it up: see `transparency/http_server.py`.
"""

from __future__ import annotations

import asyncio
import io
import os
import re
import stat
from collections.abc import Callable
from pathlib import Path
from urllib.parse import unquote, urlsplit

from tocsin.errors import UsageError
from tocsin.protect.configuration.forms import read_host_port
from tocsin.transparency.errors import WitnessError
from tocsin.transparency.http_server import FileAnswer, HttpServer, Limits, Request
from tocsin.transparency.witness import Answer

_RANGE = re.compile(r"bytes=(\d{1,15})-(\d{0,15})\Z")
_FOLDERS = ("metadata", "targets", "log", "proofs")
_LIMITS = Limits(of_one=16)
_NOT_THERE = Answer(404, b"")


class MirrorService:
    """Answers requests for files of one folder.

    Args:
        folder: what is served.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = Path(os.path.realpath(folder))

    def answer(self, request: Request) -> Answer | FileAnswer:
        """Answer a request."""
        if request.method not in ("GET", "HEAD"):
            return Answer(405, b"", headers=(("Allow", "GET, HEAD"),))
        file = self._opened(request.path)
        if file is None:
            return _NOT_THERE
        return _part(file, request.headers.get(b"range", b"").decode("latin-1"))

    def _opened(self, target: str) -> io.FileIO | None:
        try:
            path = unquote(urlsplit(target).path).lstrip("/")
        except ValueError:
            return None
        steps = path.split("/")
        if steps[0] not in _FOLDERS or "\0" in path or any(s in ("", ".", "..") for s in steps):
            return None
        place = os.path.realpath(self._folder / path)
        if os.path.commonpath([place, self._folder]) != str(self._folder):
            return None
        try:
            descriptor = os.open(place, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        except OSError:
            return None
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            return None
        return io.FileIO(descriptor)


def _part(file: io.FileIO, stated: str) -> Answer | FileAnswer:
    """The part of an open file that a `Range` asks for, or all of it (RFC 9110, section 14.2)."""
    size = os.fstat(file.fileno()).st_size
    accepts = ("Accept-Ranges", "bytes")
    part = _RANGE.match(stated.strip())
    if part is None:
        return FileAnswer(200, file, size, (accepts,))
    start = int(part[1])
    end = min(size, int(part[2]) + 1) if part[2] else size
    if start >= end:
        file.close()
        return Answer(416, b"", headers=(("Content-Range", f"bytes */{size}"),))
    file.seek(start)
    where = ("Content-Range", f"bytes {start}-{end - 1}/{size}")
    return FileAnswer(206, file, end - start, (accepts, where))


def mirror_server(folder: Path, *, limits: Limits = _LIMITS) -> HttpServer:
    """A server of a mirror's folder.

    Args:
        folder: the mirror.
        limits: on time and number; some places for each neighbour, many for all.
    """
    return HttpServer(MirrorService(folder).answer, lambda _method, _path: 0, limits=limits)


def serve_folder(folder: Path, address: str, say: Callable[[str], None]) -> None:
    """Serve a mirror until it is interrupted.

    Args:
        folder: the mirror.
        address: `host:port`.
        say: told where it is served.

    Raises:
        UsageError: the address is none, or cannot be listened at.
    """
    where = read_host_port(address)
    if where is None:
        raise UsageError(f"{address!r} is not host:port")

    def ready(_host: str, port: int) -> None:
        shown = f"[{where[0]}]" if ":" in where[0] else where[0]
        say(f"serving {folder} at http://{shown}:{port}/")

    async def run() -> None:
        await mirror_server(folder).serve(*where, ready)

    try:
        asyncio.run(run())
    except WitnessError as error:
        raise UsageError(f"{address}: {error}") from error
