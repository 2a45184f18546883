"""Clients that are slow, endless, garbled or many; and a server that ends in good order."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from transparency_samples import CHEAP, LOG_KEY
from witness_kit import W_ED, Client, body, serving, signed

from tocsin.transparency.http_server import Limits
from tocsin.transparency.witness import MAX_REQUEST_BYTES
from tocsin.transparency.witness_store import WitnessStore

QUICK = Limits(idle=0.6, head=0.6, body=0.6, connections=4)
PATIENCE = 8.0


@pytest.fixture
def witness(tmp_path: Path) -> Iterator[Client]:
    with serving(tmp_path, keys=[W_ED], limits=QUICK) as client:
        yield client


def connect(client: Client) -> socket.socket:
    return socket.create_connection((client.host, client.port), timeout=PATIENCE)


def said(connection: socket.socket) -> bytes:
    """All that comes until the server closes."""
    data = b""
    with suppress(ConnectionResetError):
        while chunk := connection.recv(65536):
            data += chunk
    connection.close()
    return data


def ended_within(connection: socket.socket, feed: bytes, seconds: float = PATIENCE) -> bytes:
    """What comes back while bytes are sent one at a time, for as long as the server bears it."""
    until = time.monotonic() + seconds
    with suppress(BrokenPipeError, ConnectionResetError):
        for byte in feed:
            assert time.monotonic() < until, "the server bore it for too long"
            connection.sendall(bytes([byte]))
            time.sleep(0.05)
    return said(connection)


def test_a_slow_client_is_let_go_and_hinders_nobody(witness: Client) -> None:
    slow = connect(witness)
    slow.sendall(b"POST /add-checkpoint HTTP/1.1\r\n")
    assert witness.submit(body(0, signed(3)))[0] == 200
    assert b" 408 " in ended_within(slow, b"X-Slow: " + b"a" * 400)


def test_a_body_that_does_not_come_is_not_waited_for(witness: Client) -> None:
    slow = connect(witness)
    slow.sendall(b"POST /add-checkpoint HTTP/1.1\r\nHost: w\r\nContent-Length: 500\r\n\r\nold 0\n")
    assert b" 408 " in said(slow)


def test_nobody_waits_for_a_client_that_says_nothing(witness: Client) -> None:
    began = time.monotonic()
    assert said(connect(witness)) == b""
    assert time.monotonic() - began < PATIENCE


def test_an_endless_body_ends(witness: Client) -> None:
    endless = connect(witness)
    endless.sendall(
        b"POST /add-checkpoint HTTP/1.1\r\nHost: w\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    chunk = b"10000\r\n" + b"a" * 65536 + b"\r\n"
    sent = 0
    with suppress(BrokenPipeError, ConnectionResetError):
        while sent < 64 << 20:
            endless.sendall(chunk)
            sent += 65536
    assert sent < 64 << 20
    assert b" 413 " in said(endless) or sent > MAX_REQUEST_BYTES
    assert witness.submit(body(0, signed(3)))[0] == 200


def test_a_body_that_is_announced_too_long_is_refused_before_it_comes(witness: Client) -> None:
    long = connect(witness)
    long.sendall(b"POST /add-checkpoint HTTP/1.1\r\nHost: w\r\nContent-Length: 999999999\r\n\r\n")
    assert b" 413 " in said(long)


def test_endless_headers_end(witness: Client) -> None:
    endless = connect(witness)
    with suppress(BrokenPipeError, ConnectionResetError):
        endless.sendall(b"GET / HTTP/1.1\r\n" + b"X-More: a\r\n" * 20_000)
    assert not said(endless).startswith(b"HTTP/1.1 200")
    assert witness.ask("GET", "/")[0] == 404


@pytest.mark.parametrize(
    "garbage",
    [b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", b"GET\r\n\r\n", b"\r\n" * 5000],
)
def test_garbage_is_refused(witness: Client, garbage: bytes) -> None:
    garbled = connect(witness)
    garbled.sendall(garbage)
    assert not said(garbled).startswith(b"HTTP/1.1 200")
    assert witness.ask("GET", "/")[0] == 404


def test_who_leaves_in_the_middle_is_forgotten(witness: Client) -> None:
    for _ in range(20):
        gone = connect(witness)
        gone.sendall(b"POST /add-checkpoint HTTP/1.1\r\nHost: w\r\nContent-Length: 50\r\n\r\nold")
        gone.close()
    end = time.monotonic() + 10  # it hears of them one after the other
    while (status := witness.submit(body(0, signed(3)))[0]) == 503 and time.monotonic() < end:
        time.sleep(0.02)
    assert status == 200


def test_of_too_many_connections_the_one_that_waits_longest_gives_way(tmp_path: Path) -> None:
    with serving(tmp_path, keys=[W_ED], limits=Limits(connections=4)) as client:
        silent = [connect(client) for _ in range(12)]
        assert client.submit(body(0, signed(3)))[0] == 200
        ended = 0
        for each in silent:
            each.settimeout(1.0)
            with suppress(TimeoutError, ConnectionResetError):
                ended += each.recv(1) == b""
            each.close()
        assert ended >= 8


def test_one_address_has_a_number_of_connections(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tocsin.transparency.http_server._is_here", lambda _address: False)
    with serving(tmp_path, keys=[W_ED], limits=Limits(of_one=2)) as client:
        assert client.ask("GET", "/")[0] == 404
        second, third = connect(client), connect(client)
        assert b" 503 " in said(third)
        second.close()
        assert client.submit(body(0, signed(3)))[0] == 200


def test_what_fails_inside_says_nothing_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> bytes:
        raise RuntimeError("a secret")

    with serving(tmp_path, keys=[W_ED]) as client:
        monkeypatch.setattr(WitnessStore, "submit", broken)
        status, _, answer = client.submit(body(0, signed(3)))
        assert (status, b"secret" in answer) == (500, False)
        monkeypatch.undo()
        assert client.submit(body(0, signed(3)))[0] == 200


def test_requests_that_come_together_are_answered_in_turn(witness: Client) -> None:
    both = connect(witness)
    first, second = body(0, signed(3)), body(3, signed(4))
    for data, more in ((first, ""), (second, "Connection: close\r\n")):
        head = f"POST /add-checkpoint HTTP/1.1\r\nHost: w\r\n{more}Content-Length: {len(data)}\r\n"
        both.sendall(head.encode() + b"\r\n" + data)
    assert said(both).count(b"HTTP/1.1 200") == 2


# --- as a program --------------------------------------------------------------------------


def test_it_ends_in_good_order_when_told(tmp_path: Path) -> None:
    WitnessStore(tmp_path).add_log(LOG_KEY.verifier)
    W_ED.save(tmp_path / "ed25519.key", b"words", log2_n=CHEAP)
    command = [sys.executable, "-m", "tocsin.cli.main", "witness", "serve", str(tmp_path)]
    served = subprocess.Popen(
        [*command, "--listen", "127.0.0.1:0", "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "TOCSIN_PASSPHRASE": "words"},
        text=True,
    )
    assert served.stdout is not None
    told = json.loads(served.stdout.readline())
    host, _, port = told["url"].removeprefix("http://").partition(":")
    client = Client(host, int(port))
    assert client.submit(body(0, signed(3)))[0] == 200  # and the connection is left open
    half = connect(client)
    half.sendall(b"POST /add-checkpoint HTTP/1.1\r\n")
    served.send_signal(signal.SIGTERM)
    _, errors = served.communicate(timeout=PATIENCE)
    assert (served.returncode, errors) == (0, "")
    client.close()
    half.close()
    with serving(tmp_path) as again:
        assert again.submit(body(0, signed(4)))[::2] == (409, b"3\n")
