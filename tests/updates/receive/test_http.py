"""Bytes over HTTP, from servers that break off, drag on, lie about lengths and send elsewhere."""

from __future__ import annotations

import asyncio
import http.client
import queue
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest
from receive_samples import Device, Repository
from tuf.api.exceptions import DownloadError, DownloadHTTPError, SlowRetrievalError

from tocsin.app.serve_mirror import mirror_server
from tocsin.transparency.http_server import HttpServer
from tocsin.transparency.http_server import Limits as ServerLimits
from tocsin.updates.receive.fetch import SchemeFetcher
from tocsin.updates.receive.http import HttpFetcher, Limits
from tocsin.updates.receive.mirrors import MirrorFetcher
from tocsin.updates.throttle import Throttle

HASTY = Limits(timeout=0.5, least_speed=2000, patience=0.4)
Answer = Callable[[socket.socket, bytes], None]


@contextmanager
def server(answer: Answer) -> Iterator[str]:
    """A server that reads one request and does with the connection what a test wants."""
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(5)

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                connection.settimeout(5)
                with suppress(OSError):
                    answer(connection, connection.recv(65536))

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/"
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()


def said(head: bytes, body: bytes = b"") -> Answer:
    def answer(connection: socket.socket, request: bytes) -> None:
        connection.sendall(head + b"\r\n" + body)

    return answer


def fetched(url: str, offset: int = 0, limits: Limits = HASTY) -> bytes:
    return b"".join(HttpFetcher(limits, proxies={}).fetch_from(url, offset))


def test_a_file_and_a_part_of_it(tmp_path: Path) -> None:
    (tmp_path / "log").mkdir()
    (tmp_path / "log" / "checkpoint").write_bytes(b"0123456789")
    with served(tmp_path) as url:
        assert fetched(f"{url}log/checkpoint") == b"0123456789"
        assert fetched(f"{url}log/checkpoint", 4) == b"456789"
        assert fetched(f"{url}log/checkpoint", 10) == b""


@contextmanager
def served(folder: Path, limits: ServerLimits = ServerLimits()) -> Iterator[str]:  # noqa: B008
    begun: queue.Queue[tuple[asyncio.AbstractEventLoop, HttpServer, int]] = queue.Queue()

    async def run() -> None:
        mirror, loop = mirror_server(folder, limits=limits), asyncio.get_running_loop()
        await mirror.serve("127.0.0.1", 0, lambda _, port: begun.put((loop, mirror, port)))

    thread = threading.Thread(target=asyncio.run, args=(run(),))
    thread.start()
    loop, mirror, port = begun.get(timeout=10)
    try:
        yield f"http://127.0.0.1:{port}/"
    finally:
        loop.call_soon_threadsafe(mirror.stop)
        thread.join(15)
        assert not thread.is_alive()


def asked(url: str, method: str, path: str, **headers: str) -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection(url.split("/")[2], timeout=10)
    connection.request(method, path, headers=headers)
    answer = connection.getresponse()
    return answer.status, dict(answer.headers), answer.read()


@pytest.mark.parametrize(
    ("part", "status", "body", "where"),
    [
        ("", 200, b"0123456789", None),
        ("bytes=2-", 206, b"23456789", "bytes 2-9/10"),
        ("bytes=2-3", 206, b"23", "bytes 2-3/10"),
        ("bytes=2-99", 206, b"23456789", "bytes 2-9/10"),
        ("bytes=10-", 416, b"", "bytes */10"),
        ("bytes=5-4", 416, b"", "bytes */10"),
        ("bytes=-3", 200, b"0123456789", None),
        ("lines=1-2", 200, b"0123456789", None),
    ],
)
def test_a_mirror_serves_parts(
    tmp_path: Path, part: str, status: int, body: bytes, where: str | None
) -> None:
    (tmp_path / "log").mkdir()
    (tmp_path / "log" / "x").write_bytes(b"0123456789")
    with served(tmp_path) as url:
        got = asked(url, "GET", "/log/x", **({"Range": part} if part else {}))
        assert (got[0], got[2], got[1].get("Content-Range")) == (status, body, where)
        head = asked(url, "HEAD", "/log/x")
        assert (head[0], head[1]["Content-Length"], head[2]) == (200, "10", b"")
        assert asked(url, "HEAD", "/log/y")[0] == 404
        assert asked(url, "DELETE", "/log/x")[0] == 405


def test_a_file_of_many_pieces_over_one_connection(tmp_path: Path) -> None:
    (tmp_path / "targets").mkdir()
    data = bytes(range(256)) * 20_000
    (tmp_path / "targets" / "large").write_bytes(data)
    with served(tmp_path) as url:
        connection = http.client.HTTPConnection(url.split("/")[2], timeout=10)
        for _ in range(3):
            connection.request("GET", "/targets/large")
            assert connection.getresponse().read() == data
        connection.close()


def test_neighbours_that_drag_on_hold_up_nobody(tmp_path: Path) -> None:
    """They take all places; who asks in earnest gets one, and they are sent away in the end."""
    (tmp_path / "log").mkdir()
    (tmp_path / "log" / "checkpoint").write_bytes(b"0123456789")
    with ExitStack() as stack:
        limits = ServerLimits(idle=20, head=1.0, connections=8)
        url = stack.enter_context(served(tmp_path, limits))
        address = ("127.0.0.1", int(url.split(":")[2][:-1]))
        slow = [stack.enter_context(socket.create_connection(address, 10)) for _ in range(16)]
        for each in slow:
            with suppress(OSError):
                each.sendall(b"GET /log/checkpoint HTTP/1.1\r\nX: ")
        began = time.monotonic()
        assert asked(url, "GET", "/log/checkpoint")[2] == b"0123456789"
        assert time.monotonic() - began < 5
        for number in range(40):  # a byte now and then gives no more time
            gone = 0
            for each in slow:
                try:
                    each.sendall(b"a")
                except OSError:
                    gone += 1
            if gone == len(slow):
                break
            assert number < 39
            time.sleep(0.2)


def test_who_takes_a_file_too_slowly_is_sent_away(tmp_path: Path) -> None:
    (tmp_path / "targets").mkdir()
    with (tmp_path / "targets" / "large").open("wb") as file:
        file.truncate(50 << 20)
    limits = ServerLimits(answer=0.5, least_speed=1e9)
    with served(tmp_path, limits) as url:
        address = ("127.0.0.1", int(url.split(":")[2][:-1]))
        with socket.create_connection(address, timeout=10) as slow:
            slow.sendall(b"GET /targets/large HTTP/1.1\r\nHost: x\r\n\r\n")
            time.sleep(1.5)
            received = 0
            with suppress(ConnectionResetError):
                while chunk := slow.recv(1 << 20):
                    received += len(chunk)
    assert received < 50 << 20


@pytest.mark.parametrize(
    "path", ["log/../secret", "log/%2e%2e/secret", "secret", "log/out", "log/", "", "log//etc"]
)
def test_a_mirror_serves_its_four_folders_and_nothing_else(tmp_path: Path, path: str) -> None:
    (tmp_path / "repository" / "log").mkdir(parents=True)
    (tmp_path / "secret").write_text("x")
    (tmp_path / "repository" / "secret").write_text("x")
    (tmp_path / "repository" / "log" / "out").symlink_to(tmp_path / "secret")
    with served(tmp_path / "repository") as url:
        with socket.create_connection(("127.0.0.1", int(url.split(":")[2][:-1]))) as raw:
            raw.sendall(f"GET /{path} HTTP/1.0\r\n\r\n".encode())  # as no library would ask
            assert raw.recv(100).startswith(b"HTTP/1.1 404")
        with pytest.raises(DownloadHTTPError) as caught:
            fetched(url + path)
    assert caught.value.status_code == 404


def test_a_server_that_takes_no_ranges_is_read_from_the_start() -> None:
    with server(said(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n", b"abcdef")) as url:
        assert fetched(url, 2) == b"cdef"


def test_another_part_than_was_asked_for_is_refused() -> None:
    head = b"HTTP/1.1 206 Partial\r\nContent-Length: 2\r\nContent-Range: bytes 0-1/6\r\n"
    with server(said(head, b"ab")) as url, pytest.raises(DownloadError, match="another part"):
        fetched(url, 2)


def test_a_body_that_is_cut_off() -> None:
    answer = said(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n", b"abc")
    with server(answer) as url, pytest.raises(DownloadError, match="cut off"):
        fetched(url)


def test_slow_data_is_given_up() -> None:
    def answer(connection: socket.socket, request: bytes) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
        for _ in range(200):
            connection.sendall(b"x")
            time.sleep(0.02)

    started = time.monotonic()
    with server(answer) as url, pytest.raises(SlowRetrievalError, match="bytes a second"):
        fetched(url)
    assert time.monotonic() - started < 3


def test_a_body_that_would_take_days_is_given_up_after_a_while() -> None:
    """Fast enough for a small file, and never at the end of a large one."""

    def answer(connection: socket.socket, request: bytes) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n")
        for _ in range(200):
            connection.sendall(bytes(100))
            time.sleep(0.02)

    limits = Limits(timeout=1, least_speed=1_000, patience=0.2, long=0.5, speed_for_long=50_000)
    with server(answer) as url:
        body = HttpFetcher(limits, proxies={}).fetch_from(url, 0)
        came = len(next(body))
        with pytest.raises(SlowRetrievalError, match="bytes a second"):
            came += sum(map(len, body))
        assert came >= 100


def test_headers_that_drip_are_given_up() -> None:
    def answer(connection: socket.socket, request: bytes) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nX-Long: ")
        for _ in range(200):
            connection.sendall(b"x")
            time.sleep(0.02)

    started = time.monotonic()
    with server(answer) as url, pytest.raises(DownloadError):
        fetched(url)
    assert time.monotonic() - started < 3


@pytest.mark.parametrize(
    ("place", "why"),
    [(b"file:///etc/passwd", "not http"), (b"/", "redirects"), (b"", "nowhere")],
)
def test_redirects_stay_with_http_and_have_a_bound(place: bytes, why: str) -> None:
    answer = said(b"HTTP/1.1 302 Found\r\nLocation: %b\r\n" % place)
    with server(answer) as url, pytest.raises(DownloadError, match=why):
        fetched(url)


def test_compressed_answers_stay_as_they_are() -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nContent-Encoding: gzip\r\n"
    with server(said(head, b"\x1f\x8b\x08\x00")) as url:
        assert fetched(url) == b"\x1f\x8b\x08\x00"


def test_the_proxy_is_asked() -> None:
    asked = []

    def answer(connection: socket.socket, request: bytes) -> None:
        asked.append(request.split(b"\r\n")[0])
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    with server(answer) as proxy:
        fetcher = HttpFetcher(HASTY, proxies={"http": proxy})
        assert b"".join(fetcher.fetch_from("http://mirror.invalid/file", 0)) == b"ok"
    assert asked == [b"GET http://mirror.invalid/file HTTP/1.1"]


def test_bandwidth_has_a_bound() -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 40000\r\n"
    with server(said(head, bytes(40_000))) as url:
        fetcher = HttpFetcher(HASTY, proxies={}, throttle=Throttle(100_000))
        started = time.monotonic()
        b"".join(fetcher.fetch_from(url, 0))
        assert time.monotonic() - started >= 0.35


def test_a_whole_update_over_http(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    repository = Repository(tmp_path / "repository")
    repository.add(1)
    repository.publish_metadata()
    device = Device(tmp_path / "state", repository)
    with served(repository.folder) as url:
        http = HttpFetcher(HASTY, proxies={})
        monkeypatch.setattr(
            "receive_samples.MirrorFetcher",
            lambda mirrors, inner: MirrorFetcher([url], SchemeFetcher({"http": http})),
        )
        assert device.update().now == 1
        before = http.requests, http.received
        assert not device.update().changed
    assert http.requests - before[0] == 2
    assert http.received - before[1] < 3000
