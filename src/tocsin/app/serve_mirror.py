"""Serves a mirror's folder to the neighbours over HTTP: files, parts of files, and nothing else.

Nobody has to trust it, and it trusts nobody: it reads below one folder, follows no link out of
it, lists nothing, and has a bound on clients and on how long one may take.
"""

from __future__ import annotations

import os
import re
import stat
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from tocsin.errors import UsageError
from tocsin.protect.configuration.forms import read_host_port

_RANGE = re.compile(r"bytes=(\d{1,15})-(\d{0,15})\Z")
_CHUNK = 1 << 16
_MOST_CLIENTS = 64
_FOLDERS = ("metadata", "targets", "log", "proofs")


class MirrorServer(ThreadingHTTPServer):
    """An HTTP server for one folder.

    Args:
        folder: what is served.
        address: host and port to listen at; port 0 for any.
    """

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, folder: Path, address: tuple[str, int]) -> None:
        self.folder = Path(os.path.realpath(folder))
        self.places = threading.BoundedSemaphore(_MOST_CLIENTS)
        super().__init__(address, _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Answer one client; beyond the bound it waits, and with it all who come after."""
        self.places.acquire()
        try:
            super().process_request(request, client_address)
        except BaseException:
            self.places.release()
            raise

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Answer one client in its thread."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self.places.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is nothing to tell of."""


class _Handler(BaseHTTPRequestHandler):
    server: MirrorServer
    server_version = "tocsin"
    sys_version = ""
    timeout = 20

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def log_message(self, format: str, *args: Any) -> None:
        """Who asked for what is nobody's business."""

    def _answer(self, *, with_body: bool) -> None:
        descriptor = self._opened()
        if descriptor is None:
            self._refuse(404)
            return
        with open(descriptor, "rb") as file:
            size = os.fstat(descriptor).st_size
            start, end = 0, size
            stated = self.headers.get("Range")
            part = _RANGE.match(stated.strip()) if stated else None
            if part is not None:
                start = int(part[1])
                end = min(size, int(part[2]) + 1) if part[2] else size
                if start >= size or start >= end:
                    self._refuse(416, size)
                    return
            self.send_response(200 if part is None else 206)
            self.send_header("Content-Type", "application/octet-stream")
            self.send_header("Content-Length", str(end - start))
            self.send_header("Accept-Ranges", "bytes")
            if part is not None:
                self.send_header("Content-Range", f"bytes {start}-{end - 1}/{size}")
            self.end_headers()
            file.seek(start)
            left = end - start if with_body else 0
            while left and (chunk := file.read(min(_CHUNK, left))):
                self.wfile.write(chunk)
                left -= len(chunk)

    def _refuse(self, status: int, size: int | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Length", "0")
        if size is not None:
            self.send_header("Content-Range", f"bytes */{size}")
        self.end_headers()

    def _opened(self) -> int | None:
        path = unquote(urlsplit(self.path).path).lstrip("/")
        steps = path.split("/")
        if steps[0] not in _FOLDERS or "\0" in path or any(s in ("", ".", "..") for s in steps):
            return None
        place = os.path.realpath(self.server.folder / path)
        if os.path.commonpath([place, self.server.folder]) != str(self.server.folder):
            return None
        try:
            descriptor = os.open(place, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        except OSError:
            return None
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            return None
        return descriptor


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
    try:
        server = MirrorServer(folder, where)
    except OSError as error:
        raise UsageError(f"{address}: {error.strerror or error}") from error
    say(f"serving {folder} at http://{where[0]}:{server.server_port}/")
    try:
        server.serve_forever()
    finally:
        server.server_close()
