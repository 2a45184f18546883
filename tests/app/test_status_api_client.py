"""The client of the daemon's API: what comes, and what is said when nothing sensible does."""

from __future__ import annotations

import json
import os
import re
import socket
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest

from tocsin.app.api_client import ApiClient
from tocsin.errors import DaemonRefused, DaemonUnreachable


@contextmanager
def answering(path: Path, *answers: bytes | None) -> Iterator[list[bytes]]:
    """Something that answers each connection with certain bytes; with None it says nothing."""
    heard: list[bytes] = []
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen()
    over = threading.Event()

    def serve() -> None:
        for answer in answers:
            try:
                end, _ = listener.accept()
            except OSError:
                return
            with end:
                heard.append(_request(end))
                if answer is None:
                    over.wait(20)
                else:
                    with suppress(OSError):
                        end.sendall(answer)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield heard
    finally:
        over.set()
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(5)


def _request(end: socket.socket) -> bytes:
    """A whole request; nothing of a client that only connects."""
    request = b""
    while b"\r\n\r\n" not in request:
        if not (chunk := end.recv(65536)):
            return request
        request += chunk
    head, _, body = request.partition(b"\r\n\r\n")
    length = re.search(rb"Content-Length: (\d+)", head)
    while length is not None and len(body) < int(length[1]):
        body += end.recv(65536)
    return head + b"\r\n\r\n" + body


def http(status: int, body: bytes, length: int | None = None) -> bytes:
    size = len(body) if length is None else length
    return f"HTTP/1.1 {status} X\r\nContent-Length: {size}\r\n\r\n".encode() + body


def test_asking_and_having_something_done(tmp_path: Path) -> None:
    path = tmp_path / "api"
    with answering(path, http(200, b'{"a": 1}'), http(202, b'{"b": 2}')) as heard:
        client = ApiClient(str(path))
        assert client.get("/v1/events", kinds="detection,action", limit=5) == {"a": 1}
        assert client.post("/v1/act", {"path": "\udcff"}) == {"b": 2}
    assert heard[0].startswith(b"GET /v1/events?kinds=detection%2Caction&limit=5 HTTP/1.1")
    assert json.loads(heard[1].partition(b"\r\n\r\n")[2]) == {"path": "\udcff"}


def test_lines_come_one_by_one(tmp_path: Path) -> None:
    path = tmp_path / "api"
    head = b"HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\n\r\n"
    chunks = b'9\r\n{"n": 1}\n\r\n5\r\n{"n":\r\n4\r\n 2}\n\r\n0\r\n\r\n'
    broken = b'9\r\n{"n": 1}\n\r\n5\r\n{"n":'
    with answering(path, head + chunks, head + broken):
        client = ApiClient(str(path))
        assert [line["n"] for line in client.lines("/v1/scan", {"paths": ["/x"]})] == [1, 2]
        lines = client.lines("/v1/scan", {"paths": ["/x"]})
        assert next(lines)["n"] == 1
        with pytest.raises(DaemonUnreachable, match="broke off"):
            next(lines)


@pytest.mark.parametrize(
    ("answer", "part"),
    [
        (b"", "closed the connection"),
        (b"PONG\n", "not tocsin's API"),
        (http(200, b"<html>"), "not tocsin's API"),
        (http(200, b"[1]"), "not tocsin's API"),
        (http(200, b'{"a": 1}', length=100), "broke off"),
    ],
)
def test_what_makes_no_sense(tmp_path: Path, answer: bytes, part: str) -> None:
    path = tmp_path / "api"
    with answering(path, answer), pytest.raises(DaemonUnreachable, match=part) as caught:
        ApiClient(str(path)).get("/v1/status")
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("status", "body", "part"),
    [
        (403, b'{"error": "only root may"}', "only root may"),
        (409, b"odd", "said 409"),
        (404, b'{"error": "nothing there"}', "does not know /v1/new; it is of another version"),
    ],
)
def test_what_is_refused(tmp_path: Path, status: int, body: bytes, part: str) -> None:
    path = tmp_path / "api"
    with answering(path, http(status, body)), pytest.raises(DaemonRefused, match=part) as caught:
        ApiClient(str(path)).get("/v1/new", a=1)
    assert caught.value.status == status


def test_no_daemon_and_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "api"
    client = ApiClient(str(path))
    for ask in (lambda: client.get("/v1/status"), client.server_process):
        with pytest.raises(DaemonUnreachable, match=r"no daemon runs.*systemctl start tocsin"):
            ask()
    with closing(socket.socket(socket.AF_UNIX)) as left_over:
        left_over.bind(str(path))
    with pytest.raises(DaemonUnreachable, match="has ended; start it"):
        client.get("/v1/status")
    with pytest.raises(DaemonUnreachable, match="too long"):
        ApiClient("/x" * 100).get("/v1/status")


def test_one_that_hangs_is_not_waited_for_for_ever(tmp_path: Path) -> None:
    path = tmp_path / "api"
    with answering(path, None), pytest.raises(DaemonUnreachable, match=r"not answered for 0\.2 s"):
        ApiClient(str(path), timeout=0.2).get("/v1/status")


def test_who_listens(tmp_path: Path) -> None:
    path = tmp_path / "api"
    with answering(path, b""):
        assert ApiClient(str(path)).server_process() == os.getpid()
