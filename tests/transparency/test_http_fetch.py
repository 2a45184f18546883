"""Getting a log over HTTP from servers that are right, absent, endless, slow or elsewhere."""

from __future__ import annotations

import functools
import gzip
import http.server
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from log_kit import KEYS, head_of, log_of, raw_server

from tocsin.transparency.errors import LogDamaged
from tocsin.transparency.fsck import fsck
from tocsin.transparency.http_fetch import source_fetch, unpacked, url_fetch
from tocsin.transparency.mirror import Mirror


class _Quiet(http.server.SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: object) -> None:
        del format, args


@contextmanager
def files_served(
    folder: Path, kind: type[http.server.SimpleHTTPRequestHandler] = _Quiet
) -> Iterator[str]:
    handler = functools.partial(kind, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


def test_a_log_over_http(tmp_path: Path) -> None:
    log = log_of(tmp_path / "log", 600)
    with files_served(log.folder) as url:
        done = Mirror(tmp_path / "m", KEYS).update(source_fetch(url))
        assert done.checkpoint.head == head_of(log)
        fetch = url_fetch(url)
        with pytest.raises(FileNotFoundError):
            fetch("tile/0/999", 8192)
        assert len(fetch("tile/0/000", 8192)) == 8192
        with pytest.raises(LogDamaged, match="longer than 8,191"):
            fetch("tile/0/000", 8191)


def test_a_folder_does_too(tmp_path: Path) -> None:
    log = log_of(tmp_path / "log", 3)
    done = Mirror(tmp_path / "m", KEYS).update(source_fetch(str(log.folder)))
    assert done.checkpoint.head == head_of(log)


# --- packed, as a log may send its files to whoever asks ---------------------------------------


class _Packed(_Quiet):
    def end_headers(self) -> None:
        if "tile" in self.path:
            self.send_header("Content-Encoding", "gzip")
        super().end_headers()


def test_a_log_that_sends_its_files_packed(tmp_path: Path) -> None:
    log = log_of(tmp_path / "log", 600)
    for place in (log.folder / "tile").rglob("*"):
        if place.is_file():
            place.write_bytes(gzip.compress(place.read_bytes()))
    with files_served(log.folder, _Packed) as url:
        copy = Mirror(tmp_path / "m", KEYS).update(source_fetch(url))
    assert copy.checkpoint.head == head_of(log)
    assert fsck(tmp_path / "m", head_of(log)).clean


def answer(encoding: bytes, body: bytes) -> Callable[[socket.socket], None]:
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: %b\r\nContent-Length: %d\r\n\r\n"
    return lambda connection: connection.sendall(head % (encoding, len(body)) + body)


@pytest.mark.parametrize(
    ("encoding", "body", "said"),
    [
        (b"gzip", gzip.compress(bytes(1 << 24)), "longer than 1,000"),
        (b"gzip", gzip.compress(b"hello")[:-9], "cut off"),
        (b"gzip", b"", "cut off"),
        (b"gzip", gzip.compress(b"hello") + b"more", "not packed as it says"),
        (b"gzip", b"hello", "not packed as it says"),
        (b"gzip", gzip.compress(b"") * 30, "too many parts"),
        (b"br", b"hello", "encoding that was not asked for"),
    ],
    ids=["bomb", "cut", "empty", "more behind it", "not packed", "many parts", "unknown"],
)
def test_what_is_packed_is_bounded_and_whole(encoding: bytes, body: bytes, said: str) -> None:
    with raw_server(answer(encoding, body)) as url, pytest.raises(LogDamaged, match=said):
        url_fetch(url)("tile/0/000", 1000)


@given(st.lists(st.binary(max_size=400), min_size=1, max_size=5), st.integers(0, 9))
def test_what_was_packed_comes_back(parts: list[bytes], level: int) -> None:
    data = b"".join(parts)
    packed = b"".join(gzip.compress(part, level) for part in parts)
    assert unpacked(packed, len(data)) == data
    if data:
        with pytest.raises(ValueError, match="longer"):
            unpacked(packed, len(data) - 1)


@given(st.binary(max_size=60).flatmap(lambda d: st.sampled_from([d, gzip.compress(d)[:-2] + d])))
def test_any_bytes_are_unpacked_or_refused(data: bytes) -> None:
    with suppress(ValueError):
        assert len(unpacked(data, 1000)) <= 1000


def endless(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        connection.sendall(b"a" * 65536)


def endless_refusal(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 500 No\r\n\r\n")
    while True:
        connection.sendall(b"a" * 65536)


def slow_body(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 4000\r\n\r\n")
    while True:
        connection.sendall(b"a")
        time.sleep(0.05)


def slow_headers(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nX: ")
    while True:
        connection.sendall(b"a")
        time.sleep(0.05)


def silence(connection: socket.socket) -> None:
    connection.recv(1)


def cut_short(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 4000\r\n\r\nabc")


def garbage(connection: socket.socket) -> None:
    connection.sendall(b"\x15\x03\x01\x00\x02\x02\x50")


def round_and_round(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 302 Found\r\nLocation: /again\r\nContent-Length: 0\r\n\r\n")


def off_to_files(connection: socket.socket) -> None:
    connection.sendall(
        b"HTTP/1.1 302 Found\r\nLocation: file:///etc/passwd\r\nContent-Length: 0\r\n\r\n"
    )


@pytest.mark.parametrize(
    "behave",
    [
        endless,
        endless_refusal,
        slow_body,
        slow_headers,
        silence,
        cut_short,
        garbage,
        round_and_round,
        off_to_files,
    ],
)
def test_no_server_holds_it_up(behave: object) -> None:
    began = time.monotonic()
    with raw_server(behave) as url, pytest.raises(LogDamaged):  # type: ignore[arg-type]
        url_fetch(url, seconds=0.6)("checkpoint", 1 << 20)
    assert time.monotonic() - began < 5


def test_a_server_that_is_not_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    with pytest.raises(LogDamaged, match="refused") as said:
        url_fetch(f"http://127.0.0.1:{port}")("checkpoint", 100)
    assert "Max retries" not in str(said.value)
