"""`tocsin publish`: exit status, JSON and what people read."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import pytest
from click.testing import CliRunner

import tocsin.updates.publish.pkcs8 as pkcs8
import tocsin.updates.publish.witnesses as witnesses
from tocsin.cli.publish import command
from tocsin.errors import TocsinError
from tocsin.transparency.keys import SigningKey
from tocsin.updates.publish import keys as key_files
from updates.publish.publisher_kit import CHEAP, MemoryWitness


def call(*arguments: object, status: int = 0) -> str:
    result = CliRunner().invoke(
        command, [str(one) for one in arguments], env={"TOCSIN_PASSPHRASE": "a passphrase"}
    )
    if isinstance(result.exception, TocsinError):
        assert status == 2, result.exception  # cli.main.run prints it and ends with 2
        return str(result.exception)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    assert result.exit_code == status, result.output
    return result.output


@pytest.fixture(autouse=True)
def _cheap(monkeypatch) -> None:
    """Keys that cost nothing; the commands have no option for that."""
    monkeypatch.setattr(
        key_files,
        "encrypted_pem",
        lambda plain, word, log2_n: pkcs8.encrypted_pem(plain, word, log2_n=CHEAP),
    )
    save = SigningKey.save
    monkeypatch.setattr(
        SigningKey, "save", lambda self, path, word, log2_n=0: save(self, path, word, log2_n=CHEAP)
    )


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "good").mkdir()
    (tmp_path / "bad").mkdir()
    (tmp_path / "good" / "letter").write_bytes(b"dear reader, " * 9)
    (tmp_path / "bad" / "thing").write_bytes(b"not at all nice " * 9)
    return tmp_path


def pinned(place: Path, *contents: bytes) -> Path:
    lines = [f"{hashlib.sha256(c).hexdigest()}:{len(c)}:T.{n}\n" for n, c in enumerate(contents)]
    data = "".join(lines).encode()
    (place / "a.hsb").write_bytes(data)
    path = place / "sources.toml"
    path.write_text(
        f'[[source]]\nname = "a.hsb"\npath = "a.hsb"\n'
        f'sha256 = "{hashlib.sha256(data).hexdigest()}"\n'
    )
    return path


def begin(place: Path, *more: object, status: int = 0) -> str:
    return call(
        "init",
        place / "pub",
        "--keys",
        place / "keys",
        "--name",
        "Guild",
        "--origin",
        "example.org/log",
        *more,
        status=status,
    )


BAD = b"not at all nice " * 9
GOOD = b"dear reader, " * 9


def test_from_nothing_to_a_database_that_is_withdrawn(place: Path) -> None:
    assert "Published: root 1" in begin(place)
    add = ("add", place / "pub", pinned(place, BAD), "--benign", place / "good")
    text = call(*add, "--malicious", place / "bad")
    assert "Database 1: +1 -0 records" in text
    assert "tried on 1 harmless file and 1 bad file" in text
    assert "Nothing changed" in call(*add, "--malicious", place / "bad")
    said = json.loads(
        call(
            "add",
            place / "pub",
            pinned(place, BAD, b"more"),
            "--untried",
            "--json",
            "--stable-after",
            "12h",
            "--ring",
            "10:0",
            "--ring",
            "100:1h",
        )
    )
    assert (said["version"], said["added"], said["removed"]) == (2, 1, 0)
    status = json.loads(call("status", place / "pub", "--json", status=1))
    assert [one["version"] for one in status["versions"]] == [2, 1]
    assert "no address" in status["warnings"][0]
    assert "Published: withdrawal" in call("withdraw", place / "pub", 2, "--reason", "flags ls")
    assert "Withdrawn: version 2" in call("status", place / "pub", status=1)
    assert "Published: timestamp" in call("refresh", place / "pub")
    assert "Published: root 2" in call("rotate", place / "pub", "--new-key", "timestamp")
    assert "nothing is unfinished" in call("finish", place / "pub", status=2)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (("--new-key", "custodian", "--new-key", "custodian"), "custodians are others: 2 new, 2"),
        (("--threshold", "custodian=3"), "3 custodians appoint a successor, not 2"),
        (("--new-key", "root", "--new-key", "root"), "its new keys can sign alone"),
    ],
)
def test_a_rotation_with_which_devices_will_wait_says_so_before_anybody_sees_it(
    place: Path, options: tuple[str, ...], reason: str
) -> None:
    begin(place, "--custodian-keys", 3 if "custodian=3" in options else 2)
    roots = place / "pub" / "repository" / "metadata"
    said = json.loads(call("rotate", place / "pub", *options, "--json", status=1))
    assert said["waiting"] == "you"
    assert any(reason in one for one in said["devices_wait"])
    assert not (roots / "2.root.json").exists()
    if "root" in options:
        assert "Given up: the draft 2.root.json" in call("abandon", place / "pub")
    else:
        assert "Published: root 2" in call("finish", place / "pub")
        assert (roots / "2.root.json").exists()


def test_a_database_that_flags_what_is_harmless_is_not_published(place: Path) -> None:
    begin(place)
    said = call(
        "add",
        place / "pub",
        pinned(place, BAD, GOOD),
        "--benign",
        place / "good",
        "--malicious",
        place / "bad",
        status=2,
    )
    assert "flags 1 harmless files" in said
    assert "letter" in said


def test_a_database_that_misses_what_is_bad_is_not_published(place: Path) -> None:
    begin(place)
    said = call(
        "add",
        place / "pub",
        pinned(place, b"something else"),
        "--benign",
        place / "good",
        "--malicious",
        place / "bad",
        status=2,
    )
    assert "misses 1 bad files" in said


def test_a_try_on_nothing_is_refused(place: Path) -> None:
    begin(place)
    (place / "good" / "letter").unlink()
    said = call(
        "add",
        place / "pub",
        pinned(place, BAD),
        "--benign",
        place / "good",
        "--malicious",
        place / "bad",
        status=2,
    )
    assert "no file is in it" in said
    assert "--untried" in call("add", place / "pub", pinned(place, BAD), status=2)


def test_a_ceremony_by_two_people_waits_with_status_1(place: Path) -> None:
    for name in ("alice", "bob"):
        call("key", name, "--keys", place / name)
    given = [
        text
        for name in ("alice", "bob")
        for text in ("--public-key", f"root={place / name / name}.pub")
    ]
    said = json.loads(begin(place, *given, "--json", status=1))
    assert said["waiting"] == "signatures"
    draft = place / "pub" / "work" / "draft" / "1.root.json"
    assert "Publisher: Guild" in call("sign", draft, "--keys", place / "alice")
    assert "needs 1 more" in call("finish", place / "pub", status=1)
    call("sign", draft, "--keys", place / "bob")
    assert "Published: root 1" in call("finish", place / "pub")
    keys = {
        role["role"]: role for role in json.loads(call("status", place / "pub", "--json"))["roles"]
    }
    assert (keys["root"]["keys"], keys["root"]["here"]) == (["alice", "bob"], 0)


def test_waiting_for_witnesses_ends_with_status_1_and_goes_on(place: Path, monkeypatch) -> None:
    witness = MemoryWitness("w.example")
    witness.time = int(__import__("time").time())
    monkeypatch.setattr(
        "tocsin.updates.publish.session.Session.open.__func__.__kwdefaults__",
        {"keys": None, "post": lambda _url, body: witness.add_checkpoint(body), "progress": None},
    )
    policy = place / "witnesses"
    policy.write_text(f"witness w {witness.key.verifier.vkey} https://w.example\nquorum w\n")
    said = json.loads(begin(place, "--policy", policy, "--json", status=1))
    assert said["waiting"] == "witnesses"
    assert "does not know this log" in said["answers"]["w"]
    assert not (place / "pub" / "repository" / "metadata").exists()
    from tocsin.transparency.keys import read_verifier

    witness.logs["example.org/log"] = read_verifier(place / "keys" / "log.key")
    assert "witness w cosigned" in call("finish", place / "pub")


def test_over_http_what_comes_back_is_bounded(tmp_path) -> None:
    import threading
    from http.server import BaseHTTPRequestHandler, HTTPServer

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            answer = body if self.path == "/echo" else b"x" * 100_000
            self.send_response(409)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}"
    os.environ.pop("http_proxy", None)
    try:
        answer = witnesses.post_over_http(f"{url}/echo", b"hello")
        assert (answer.status, answer.body) == (409, b"hello")
        with pytest.raises(OSError, match="more than"):
            witnesses.post_over_http(f"{url}/much", b"hello")
        with pytest.raises(OSError, match="must begin with"):
            witnesses.post_over_http("file:///etc/passwd", b"")
    finally:
        server.shutdown()
        server.server_close()
    with pytest.raises(OSError, match="refused"):
        witnesses.post_over_http(url, b"hello")


@pytest.mark.parametrize("head", [b"HTTP/1.1 200 OK\r\nX: ", b"HTTP/1.1 200 OK\r\n\r\n"])
def test_a_witness_that_drips_is_given_up(monkeypatch, head: bytes) -> None:
    """With each byte that comes, the patience of a socket begins anew; this one's does not."""
    import socket
    import threading
    import time
    from contextlib import suppress

    def drip(listening: socket.socket) -> None:
        connection, _ = listening.accept()
        with connection, suppress(OSError):
            connection.recv(65536)
            connection.sendall(head)
            for _ in range(100):
                connection.sendall(b"a")
                time.sleep(0.1)

    monkeypatch.setattr(witnesses, "TIMEOUT_SECONDS", 0.5)
    monkeypatch.delenv("http_proxy", raising=False)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        threading.Thread(target=drip, args=(listening,), daemon=True).start()
        began = time.monotonic()
        with pytest.raises(OSError, match="took too long"):
            witnesses.post_over_http(f"http://127.0.0.1:{listening.getsockname()[1]}", b"hello")
        assert time.monotonic() - began < 4


def test_every_verb_has_help_with_an_example() -> None:
    for name in command.commands:
        text = call(name, "--help")
        assert f"tocsin publish {name}" in text or name == "release", name
        assert "Exit status" in text, name
