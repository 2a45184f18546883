"""Connections end when their time is over, however little comes; proxies are as they are meant."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
import urllib3

from tocsin.http_connections import Deadline, environment_proxy, reason_of, watched_pool
from tocsin.updates.sources.errors import SourceUnreachable
from tocsin.updates.sources.http import Http, Limits
from tocsin.updates.sources.state import SourceFolder

DRIP = 0.04


@contextmanager
def raw_server(*answers: Callable[[socket.socket], None]) -> Iterator[str]:
    """Does with one connection after the other what a test wants."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(5)

        def serve() -> None:
            for answer in answers:
                with suppress(OSError):
                    connection, _ = listener.accept()
                    with connection:
                        connection.settimeout(5)
                        connection.recv(65536)
                        answer(connection)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/f"
        thread.join(5)


def dripping(head: bytes, drop: bytes = b"1") -> Callable[[socket.socket], None]:
    def answer(connection: socket.socket) -> None:
        connection.sendall(head)
        for _ in range(100):
            connection.sendall(drop)
            time.sleep(DRIP)

    return answer


HEADERS = dripping(b"HTTP/1.1 200 OK\r\nX-Long: ")
CHUNKS = dripping(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"0")
ENDLESS = dripping(b"HTTP/1.1 200 OK\r\n\r\n")


@pytest.mark.parametrize("answer", [HEADERS, CHUNKS, ENDLESS])
def test_a_source_whose_server_drips_is_given_up(
    tmp_path: Path, answer: Callable[[socket.socket], None]
) -> None:
    limits = Limits(connect=0.2, stall=0.3, total=60)
    started = time.monotonic()
    with raw_server(answer) as url, SourceFolder(tmp_path) as held:
        with pytest.raises(SourceUnreachable):
            Http(held.work, held, limits=limits).fetch(url, "f")
        assert time.monotonic() - started < 3
    with raw_server(answer) as url, SourceFolder(tmp_path) as held:
        began = time.monotonic()
        with suppress(SourceUnreachable):
            assert len(Http(held.work, held, limits=limits).head(url, 512) or b"") < 512
        assert time.monotonic() - began < 3


def test_another_part_than_was_asked_for_is_not_taken(tmp_path: Path) -> None:
    def cut(connection: socket.socket) -> None:
        connection.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 9\r\nETag: "a"\r\n\r\nabcd')

    def wrong(connection: socket.socket) -> None:
        head = b"HTTP/1.1 206 Partial\r\nContent-Length: 2\r\nContent-Range: bytes 7-8/9\r\n\r\n"
        connection.sendall(head + b"hi")

    def right(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabcdefghi")

    with raw_server(cut, wrong, right) as url, SourceFolder(tmp_path) as held:
        http = Http(held.work, held)
        for words in ("broken off", "another part"):
            with pytest.raises(SourceUnreachable, match=words):
                http.fetch(url, "f")
        fetched = http.fetch(url, "f")
        assert fetched is not None
        assert fetched.path.read_bytes() == b"abcdefghi"


def test_time_that_is_added_is_given() -> None:
    def slow(connection: socket.socket) -> None:
        time.sleep(0.4)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na")

    for added, ends in ((0.0, True), (5.0, False)):
        with raw_server(slow) as url, Deadline(0.15) as deadline:
            deadline.later(added)
            ended = False
            try:
                assert watched_pool().request("GET", url, retries=False).data == b"a"
            except urllib3.exceptions.HTTPError:
                ended = True
            assert (ended, deadline.over) == (ends, ends)


def test_a_deadline_within_another_ends_without_it() -> None:
    with Deadline(60) as outer:
        with Deadline(0.05) as inner:
            time.sleep(0.2)
        assert (outer.over, inner.over) == (False, True)
        with pytest.raises(TimeoutError):
            inner.covers(None)
        outer.covers(None)


@pytest.mark.parametrize(
    ("environment", "url", "proxy"),
    [
        ({}, "https://a.example/", ""),
        ({"https_proxy": "http://p:1"}, "https://a.example/", "http://p:1"),
        ({"https_proxy": "http://p:1"}, "http://a.example/", ""),
        ({"all_proxy": "http://p:1"}, "http://a.example/", "http://p:1"),
        ({"https_proxy": "http://p:1", "no_proxy": ".example"}, "https://a.example/", ""),
        ({"https_proxy": "http://p:1", "no_proxy": "a.example:8"}, "https://a.example:8/", ""),
        ({"https_proxy": "http://p:1", "no_proxy": "evil"}, "https://evil@a.b/", "http://p:1"),
    ],
)
def test_the_proxy_that_the_environment_means(
    environment: dict[str, str], url: str, proxy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        for each in (name, name.upper()):
            monkeypatch.delenv(each, raising=False)
    for name, text in environment.items():
        monkeypatch.setenv(name, text)
    assert environment_proxy(url) == proxy


def test_reasons_have_no_names_of_the_library() -> None:
    with pytest.raises(urllib3.exceptions.HTTPError) as caught:
        watched_pool().request("GET", "http://127.0.0.1:9/", retries=False, timeout=1)
    assert "HTTPConnection" not in reason_of(caught.value)
    assert "refused" in reason_of(caught.value)
