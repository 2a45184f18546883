"""Each target gets each event at least once, whatever happens to it, and holds up nobody."""

from __future__ import annotations

import json
import os
import re
import socket
import ssl
import threading
import time
from contextlib import closing
from copy import copy
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from protect.journal_events import event
from tocsin.errors import ForwardError
from tocsin.protect.journal import forward_journald, forward_webhook
from tocsin.protect.journal.ecs import CLASSES, ecs_document
from tocsin.protect.journal.event import Kind, Severity
from tocsin.protect.journal.forward import LONGEST_PAUSE, Forwarder, Forwarders, make_target
from tocsin.protect.journal.forward_syslog import syslog_message
from tocsin.protect.journal.store import Entry, Filter, Journal
from tocsin.settings import ForwardSettings

HOSTILE = event(
    7,
    path='/srv/a\n<13>1 - b"]\\\udcff\x1b.exe',
    signatures=('S"]=x', "T"),
    message="found",
    time=1_700_000_000.25,
    sha256="ab" * 32,
    size=5,
    pid=12,
    program="/usr/bin/cp",
    uid=0,
    action="denied",
    database="d1",
    origin="guard",
    details={"k": "\udcff"},
)


@pytest.fixture
def journal(tmp_path):
    with closing(Journal(tmp_path / "journal.db")) as opened:
        yield opened


class Clock:
    """Time that passes when a test says so."""

    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


def forwarder(journal, clock=None, **settings):
    settings = ForwardSettings(**{"name": "t", "kind": "webhook", **settings})
    return Forwarder(journal, settings, make_target(settings), clock or Clock())


def served(one, rounds=50):
    """Run until there is nothing to send or it failed; what its state is then."""
    for _ in range(rounds):
        if one.run_once() > 0:
            break
    return one.state()


def until(condition):
    for _ in range(3000):
        if condition():
            return
        time.sleep(0.01)
    raise AssertionError("did not happen")


# --- the loop -----------------------------------------------------------------------------


class Listed:
    """A target in memory that fails when it is told to."""

    batch = 3
    where = "memory"

    def __init__(self):
        self.got: list[int] = []
        self.fail: ForwardError | None = None

    def send(self, entries, journal):
        numbers = [entry.event.number for entry in entries]
        if self.fail:
            self.got += numbers[: self.fail.delivered]
            raise self.fail
        self.got += numbers
        return len(numbers)

    def close(self):
        pass


def test_progress_is_remembered_over_a_restart(journal):
    settings, target = ForwardSettings(name="t", kind="ecs", target="/x"), Listed()
    journal.write_many([event(n) for n in range(8)])
    served(Forwarder(journal, settings, target, Clock()))
    assert target.got == [1, 2, 3, 4, 5, 6, 7, 8]
    journal.write(event())
    served(Forwarder(journal, settings, target, Clock()))
    assert target.got[8:] == [9]
    assert journal.progress() == {"t": 9}


def test_pauses_grow_to_a_bound_and_an_outage_is_told_once(journal):
    clock, target = Clock(), Listed()
    target.fail = ForwardError("no route")
    one = Forwarder(journal, ForwardSettings(name="t", kind="ecs"), target, clock)
    journal.write(event())
    pauses = []
    for _ in range(14):
        pauses.append(one.run_once())
        assert one.run_once() == pauses[-1]  # not before its time
        clock.now += pauses[-1]
    for attempt, pause in enumerate(pauses):
        most = min(LONGEST_PAUSE, 2**attempt)
        assert most / 2 <= pause <= most
    state = one.state()
    assert (state["failures"], state["last_error"]) == (14, "no route")
    assert state["lag"] == 2  # the event, and that it does not arrive
    target.fail = None
    served(one)
    state = served(one)
    assert (state["failures"], state["last_error"], state["lag"]) == (0, "", 1)
    clock.now += 2
    assert served(one)["lag"] == 0
    told = [e.message for e in journal.read(Filter(kinds=(Kind.FAILURE,)))]
    assert told == ["events do not reach t: no route", "events reach t again"]
    assert target.got == [1, 2, 3]


def test_what_arrived_before_a_failure_is_not_sent_again(journal):
    clock, target = Clock(), Listed()
    target.fail = ForwardError("broken", delivered=2)
    one = Forwarder(journal, ForwardSettings(name="t", kind="ecs"), target, clock)
    journal.write_many([event(n) for n in range(3)])
    one.run_once()
    assert journal.progress() == {"t": 2}
    target.fail = None
    clock.now += 10
    served(one)
    assert target.got[:3] == [1, 2, 3]


def test_only_what_is_wanted_is_sent_and_the_rest_holds_nothing_up(journal):
    clock, target = Clock(), Listed()
    settings = ForwardSettings(name="t", kind="ecs", kinds=("scan",), severity="warning")
    one = Forwarder(journal, settings, target, clock)
    served(one)
    journal.write_many([event(n) for n in range(5)])
    journal.write(event(kind=Kind.SCAN, severity=Severity.INFO))
    journal.write(event(kind=Kind.SCAN, severity=Severity.WARNING))
    journal.write(event())
    clock.now += 2
    assert served(one)["lag"] == 0
    assert target.got == [7]
    journal.write(event())
    clock.now += 100
    served(one)
    assert journal.progress() == {"t": 9}


def test_a_new_journal_is_forwarded_from_its_beginning(journal, tmp_path):
    clock, target = Clock(), Listed()
    one = Forwarder(journal, ForwardSettings(name="t", kind="ecs"), target, clock)
    journal.write_many([event(n) for n in range(5)])
    served(one)
    os.unlink(journal.path)
    journal.write(event())
    clock.now += 2
    served(one)
    assert target.got == [1, 2, 3, 4, 5, 1, 2]


def test_a_target_that_hangs_holds_up_no_other(journal, monkeypatch):
    release = threading.Event()
    targets = {"slow": Listed(), "fast": Listed()}
    targets["slow"].send = lambda entries, identity: release.wait(60) and len(entries)
    monkeypatch.setattr(
        "tocsin.protect.journal.forward.make_target", lambda settings: targets[settings.name]
    )
    monkeypatch.setattr("tocsin.protect.journal.forward._TOGETHER", 0.01)
    monkeypatch.setattr("tocsin.protect.journal.forward._IDLE", 0.01)
    all_ = Forwarders(journal, [ForwardSettings(name=n, kind="ecs") for n in targets])
    stop = threading.Event()
    thread = threading.Thread(target=all_.run, args=(stop,))
    thread.start()
    try:
        for n in range(1, 4):
            journal.write(event(n))
            until(lambda n=n: targets["fast"].got == list(range(1, n + 1)))
        assert all_.state()["slow"]["lag"] == 3
        assert journal.retain(max_events=1) == 0  # the slow one still needs them
        release.set()
        until(lambda: all_.state()["slow"]["lag"] == 0)
    finally:
        release.set()
        stop.set()
        thread.join()
    assert journal.progress() == {"slow": 3, "fast": 3}


def test_names_that_are_gone_from_the_settings_hold_nothing_up(journal):
    journal.register("gone")
    journal.write_many([event(n) for n in range(5)])
    Forwarders(journal, []).run_once()
    assert journal.progress() == {}
    assert journal.retain(max_events=1) == 4


# --- syslog -------------------------------------------------------------------------------

RFC5424 = re.compile(
    rb"<(\d{1,3})>1 (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z) ([\x21-\x7e]{1,255}) tocsin (\d+) "
    rb'([a-z]+) (\[tocsin@32473(?: [a-z0-9]{1,32}="(?:[^"\\\]]|\\["\\\]])*")+\]) (.*)\Z',
    re.S,
)


def parsed(message: bytes):
    found = RFC5424.match(message)
    assert found, message
    message.decode("utf-8")
    values = re.findall(rb' ([a-z0-9]+)="((?:[^"\\\]]|\\["\\\]])*)"', found[6])
    return found, [(k.decode(), re.sub(rb'\\(["\\\]])', rb"\1", v).decode()) for k, v in values]


def test_a_syslog_message_is_one_whatever_a_path_holds():
    found, values = parsed(syslog_message(Entry(HOSTILE, "d" * 64), "host"))
    assert int(found[1]) == 3 * 8 + 1
    assert found[2] == b"2023-11-14T22:13:20.250000Z"
    assert found[5] == b"detection"
    assert ("path", '/srv/a\\x0a<13>1 - b"]\\\\xff\\x1b.exe') in values
    assert [v for k, v in values if k == "signature"] == ['S"]=x', "T"]
    assert ("digest", "d" * 64) in values
    assert b"\n" not in found[0]
    assert found[7].startswith(b"found (/srv/a\\x0a")


def test_a_syslog_message_fits():
    long = event(path="/é" * 2000, message="é" * 9000, signatures=("é" * 600,) * 8)
    for most in (480, 2048, 8192):
        message = syslog_message(Entry(long, "d" * 64), "host", most)
        assert len(message) <= most
        _, values = parsed(message)
        assert ("number", "0") in values


@pytest.mark.parametrize("way", ["unix", "udp"])
def test_syslog_datagrams(journal, tmp_path, way):
    clock = Clock()
    address = str(tmp_path / "log") if way == "unix" else ("127.0.0.1", free_port())
    family = socket.AF_UNIX if way == "unix" else socket.AF_INET
    target = address if way == "unix" else f"udp://127.0.0.1:{address[1]}"
    one = forwarder(journal, clock, kind="syslog", target=target)
    journal.write_many([event(n) for n in range(5)])
    assert served(one)["lag"] > 0  # nobody listens yet
    with socket.socket(family, socket.SOCK_DGRAM) as receiver:
        receiver.bind(address)
        receiver.settimeout(30)
        clock.now += 10
        served(one)
        got = [dict(parsed(receiver.recv(65536))[1])["path"] for _ in range(5)]
    assert got == [f"/srv/{n}" for n in range(5)]
    assert one.state()["delivered"] >= 5


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class TcpSyslog:
    """A receiver that counts octets."""

    def __init__(self, port=0):
        self.listener = socket.create_server(("127.0.0.1", port))
        self.port = self.listener.getsockname()[1]
        self.links: list[socket.socket] = []
        self.got: list[bytes] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                link, _ = self.listener.accept()
            except OSError:
                return
            self.links.append(link)
            threading.Thread(target=self._read, args=(link,), daemon=True).start()

    def _read(self, link):
        try:
            with link.makefile("rb") as stream:
                while True:
                    count = b""
                    while (byte := stream.read(1)) not in (b" ", b""):
                        count += byte
                    if not count:
                        return
                    self.got.append(stream.read(int(count)))
        except (OSError, ValueError):
            return

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for link in self.links:
            link.shutdown(socket.SHUT_RDWR)
            link.close()


def test_syslog_over_tcp_goes_down_and_comes_back(journal):
    clock = Clock()
    receiver = TcpSyslog()
    one = forwarder(journal, clock, kind="syslog", target=f"tcp://127.0.0.1:{receiver.port}")
    journal.write_many([event(n, message="a\nb") for n in range(250)])
    served(one)
    until(lambda: len(receiver.got) == 250)
    receiver.close()
    journal.write_many([event(n) for n in range(250, 300)])
    clock.now += 2
    assert served(one)["failures"] == 1
    clock.now += 10
    assert served(one)["failures"] == 2
    again = TcpSyslog(receiver.port)
    clock.now += 10
    served(one)
    clock.now += 2
    served(one)
    until(lambda: len(again.got) >= 52)
    again.close()
    seen = {dict(parsed(message)[1]).get("path") for message in receiver.got + again.got}
    assert {f"/srv/{n}" for n in range(300)} <= seen


# --- journald -----------------------------------------------------------------------------


def journald_fields(data: bytes) -> list[tuple[str, bytes]]:
    fields, at = [], 0
    while at < len(data):
        end = data.index(b"\n", at)
        line = data[at:end]
        if b"=" in line:
            name, _, value = line.partition(b"=")
            at = end + 1
        else:
            size = int.from_bytes(data[end + 1 : end + 9], "little")
            name, value = line, data[end + 9 : end + 9 + size]
            assert data[end + 9 + size : end + 10 + size] == b"\n"
            at = end + 10 + size
        assert re.fullmatch(rb"[A-Z][A-Z0-9_]*", name)
        fields.append((name.decode(), value))
    return fields


def test_journald_gets_every_field_and_the_path_as_it_is(journal, tmp_path):
    place = str(tmp_path / "socket")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(place)
        receiver.settimeout(30)
        journal.write(copy(HOSTILE))
        one = forwarder(journal, kind="journald", target=place)
        one._journal.register("t", within=1e12)
        served(one)
        fields = journald_fields(receiver.recv(65536))
    held = dict(fields)
    assert held["PRIORITY"] == b"1"
    assert held["SYSLOG_IDENTIFIER"] == b"tocsin"
    assert held["MESSAGE"].startswith(b"found (/srv/a\\x0a")
    assert held["TOCSIN_PATH"] == b'/srv/a\n<13>1 - b"]\\\xff\x1b.exe'
    assert held["TOCSIN_KIND"] == b"detection"
    assert held["TOCSIN_SHA256"] == b"ab" * 32
    assert [v for k, v in fields if k == "TOCSIN_SIGNATURE"] == [b'S"]=x', b"T"]
    assert (held["TOCSIN_UID"], held["TOCSIN_PID"], held["TOCSIN_SIZE"]) == (b"0", b"12", b"5")


def test_what_is_too_long_for_a_datagram_comes_as_a_sealed_file(tmp_path, monkeypatch):
    place = str(tmp_path / "socket")
    long = Entry(event(message="x" * 50_000, number=1), "d")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(place)
        receiver.settimeout(30)
        original = socket.socket.connect

        def small(link, address):
            link.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
            original(link, address)

        monkeypatch.setattr(forward_journald.socket.socket, "connect", small)
        make_target(ForwardSettings(name="t", kind="journald", target=place)).send([long], "j")
        data, descriptors, _, _ = socket.recv_fds(receiver, 65536, 1)
    assert data == b""
    try:
        with pytest.raises(PermissionError):
            os.write(descriptors[0], b"x")
        content = os.pread(descriptors[0], 1 << 20, 0)
    finally:
        os.close(descriptors[0])
    assert dict(journald_fields(content))["MESSAGE"].startswith(b"x" * 50_000)


# --- webhook ------------------------------------------------------------------------------


class Web:
    """A web server that can go down, answer badly and be slow."""

    def __init__(self, port=0, tls=None):
        outer = self
        self.requests: list[tuple[dict, list]] = []
        self.answers: list[int] = []
        self.hang = threading.Event()
        self.hang.set()

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.hang.wait(60)
                outer.requests.append((dict(self.headers) | {":path": self.path}, json.loads(body)))
                status = outer.answers.pop(0) if outer.answers else 204
                self.send_response(status)
                if 300 <= status < 400:
                    self.send_header("Location", "/elsewhere")
                self.end_headers()

            def log_message(self, *arguments):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.server.daemon_threads = True
        if tls:
            self.server.socket = tls.wrap_socket(self.server.socket, server_side=True)
        self.port = self.server.server_address[1]
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,))
        self.thread.start()

    def close(self):
        self.hang.set()
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()

    def numbers(self):
        return [one["number"] for _, body in self.requests for one in body]


@pytest.fixture
def web():
    server = Web()
    yield server
    server.close()


def test_a_webhook_gets_arrays_with_what_it_needs_to_tell_them_apart(journal, web):
    journal.write_many([copy(HOSTILE), *[event(n) for n in range(150)]])
    journal.register("t", within=1e12)
    one = forwarder(
        journal,
        target=f"http://u:p%40@127.0.0.1:{web.port}/hook?k=1",
        headers={"X-Key": "secret"},
    )
    state = served(one)
    assert web.numbers() == list(range(1, 152))
    (first, body), (second, _) = web.requests
    assert first[":path"] == "/hook?k=1"
    assert first["Content-Type"] == "application/json"
    assert first["X-Key"] == "secret"
    assert first["Authorization"] == "Basic dTpwQA=="
    assert first["Idempotency-Key"] == f"{journal.identity()}-1-100"
    assert second["Idempotency-Key"] == f"{journal.identity()}-101-151"
    assert body[0]["id"] == f"{journal.identity()}:1"
    assert body[0]["path"] == '/srv/a\n<13>1 - b"]\\\\xff\x1b.exe'
    assert body[0]["path_base64"] == "L3Nydi9hCjwxMz4xIC0gYiJdXP8bLmV4ZQ=="
    assert body[0]["details"] == {"k": "\\xff"}
    assert body[0]["at"] == "2023-11-14T22:13:20.250Z"
    json.dumps(body).encode("utf-8")
    assert "secret" not in repr(state)
    assert state["target"] == f"http://…@127.0.0.1:{web.port}/…"


def test_nothing_is_lost_while_a_webhook_is_down_or_answers_badly(journal, web):
    clock = Clock()
    one = forwarder(journal, clock, target=f"http://127.0.0.1:{web.port}/secret")
    journal.write_many([event(n) for n in range(3)])
    served(one)
    web.close()
    journal.write_many([event(n) for n in range(3)])
    for _ in range(4):
        clock.now += LONGEST_PAUSE
        served(one)
    state = one.state()
    assert state["failures"] == 4
    assert "refused" in state["last_error"]
    assert "secret" not in state["last_error"]
    again = Web(web.port)
    try:
        again.answers = [500, 301, 404, 204]
        for _ in range(6):
            clock.now += LONGEST_PAUSE
            served(one)
        numbers = again.numbers()
        assert sorted(set(numbers)) == [4, 5, 6, 7, 8]  # the last two tell of the outage
        keys = [headers["Idempotency-Key"] for headers, _ in again.requests[:4]]
        assert len(set(keys)) == 1  # the same batch until it was taken
        assert all(headers[":path"] == "/secret" for headers, _ in again.requests)
        assert one.state()["lag"] == 0
    finally:
        again.close()


def test_a_batch_that_is_too_large_is_halved(journal, web):
    clock = Clock()
    one = forwarder(journal, clock, target=f"http://127.0.0.1:{web.port}/")
    journal.write_many([event(n) for n in range(40)])
    web.answers = [413, 413]
    for _ in range(6):
        served(one)
        clock.now += LONGEST_PAUSE
    sizes = [len(body) for _, body in web.requests]
    assert sizes[:3] == [40, 20, 10]
    assert sorted(set(web.numbers())) == list(range(1, 43))


def test_a_webhook_that_draws_an_answer_out_is_cut_off(journal, web, monkeypatch):
    monkeypatch.setattr(forward_webhook, "MOST_SECONDS", 0.05)
    web.hang.clear()
    one = forwarder(journal, target=f"http://127.0.0.1:{web.port}/")
    journal.write(event())
    assert served(one)["failures"] == 1


def test_a_certificate_must_hold(journal, tmp_path, monkeypatch):
    certificate, key = self_signed(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server = Web(tls=context)
    try:
        clock = Clock()
        one = forwarder(journal, clock, target=f"https://127.0.0.1:{server.port}/")
        journal.write(event())
        assert "its certificate does not hold" in served(one)["last_error"]
        assert server.requests == []
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        clock.now += 10
        served(one)
        assert server.numbers()[0] == 1
    finally:
        server.close()


def self_signed(folder):
    import ipaddress

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
        .sign(key, hashes.SHA256())
    )
    places = folder / "certificate.pem", folder / "key.pem"
    places[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    places[1].write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return places


# --- ECS ----------------------------------------------------------------------------------

# What the schema expects of `event.type` for each `event.category`.
EXPECTED_TYPES = {
    "malware": {"info"},
    "file": {"access", "change", "creation", "deletion", "info"},
    "host": {"access", "change", "end", "info", "start"},
    "package": {"access", "change", "deletion", "info", "installation", "start"},
    "configuration": {"access", "change", "creation", "deletion", "info"},
    "process": {"access", "change", "end", "info", "start"},
    "intrusion_detection": {"allowed", "denied", "info"},
}


def test_an_ecs_document_field_by_field():
    document = ecs_document(Entry(HOSTILE, "d" * 64), "j")
    host = socket.gethostname()
    path = '/srv/a\n<13>1 - b"]\\\\xff\x1b.exe'
    assert document == {
        "@timestamp": "2023-11-14T22:13:20.250Z",
        "ecs": {"version": "8.11.0"},
        "message": "found",
        "log": {"level": "alert"},
        "event": {
            "id": "j:0",
            "sequence": 0,
            "kind": "alert",
            "category": ["malware", "file", "intrusion_detection"],
            "type": ["denied"],
            "action": "denied",
            "severity": 99,
            "outcome": "success",
            "module": "tocsin",
            "dataset": "tocsin.events",
            "provider": "guard",
            "created": "2023-11-14T22:13:20.250Z",
            "hash": "d" * 64,
        },
        "host": {"hostname": host, "name": host.lower()},
        "agent": {"type": "tocsin", "version": document["agent"]["version"]},
        "observer": {
            "vendor": "tocsin",
            "product": "tocsin",
            "type": "edr",
            "version": document["agent"]["version"],
        },
        "file": {
            "path": path,
            "name": path.removeprefix("/srv/"),
            "directory": "/srv",
            "extension": "exe",
            "size": 5,
            "hash": {"sha256": "ab" * 32},
        },
        "rule": {"name": ['S"]=x', "T"], "ruleset": "tocsin", "version": "d1"},
        "threat": {
            "indicator": {
                "type": "file",
                "description": 'S"]=x',
                "file": {"hash": {"sha256": "ab" * 32}},
            }
        },
        "process": {"pid": 12, "executable": "/usr/bin/cp", "name": "cp"},
        "user": {"id": "0", "name": "root"},
        "tocsin": {
            "origin": "guard",
            "database": "d1",
            "details": {"k": "\\xff"},
            "path_base64": "L3Nydi9hCjwxMz4xIC0gYiJdXP8bLmV4ZQ==",
        },
    }


@pytest.mark.parametrize("kind", list(Kind))
@pytest.mark.parametrize("action", ["", "quarantined", "denied"])
def test_classes_are_those_of_the_schema(kind, action):
    assert kind in CLASSES
    document = ecs_document(Entry(event(kind=kind, action=action), ""), "j")["event"]
    assert document["kind"] in ("alert", "event")
    allowed = set().union(*(EXPECTED_TYPES[category] for category in document["category"]))
    assert set(document["type"]) <= allowed


def test_an_ecs_file_is_appended_mended_and_rotated(journal, tmp_path):
    clock, place = Clock(), tmp_path / "ecs.json"
    place.write_bytes(b'{"half')  # an end in the middle of a line
    one = forwarder(journal, clock, kind="ecs", target=str(place), max_file_size=20_000)
    journal.write_many([event(n) for n in range(10)])
    served(one)
    lines = place.read_bytes().splitlines()
    assert lines[0] == b'{"half'
    assert [json.loads(line)["event"]["sequence"] for line in lines[1:]] == list(range(1, 11))
    os.rename(place, tmp_path / "rotated by another")
    for _ in range(3):
        journal.write_many([event(n) for n in range(10)])
        clock.now += 2
        served(one)
    kept = [json.loads(line) for line in place.read_bytes().splitlines()]
    before = [json.loads(line) for line in (tmp_path / "ecs.json.1").read_bytes().splitlines()]
    assert [e["event"]["sequence"] for e in before + kept] == list(range(11, 41))
    assert place.stat().st_size <= 20_000
    assert place.stat().st_mode & 0o777 == 0o640


def test_an_ecs_file_that_cannot_be_written_is_an_outage(journal, tmp_path):
    clock, place = Clock(), tmp_path / "no" / "ecs.json"
    one = forwarder(journal, clock, kind="ecs", target=str(place))
    journal.write(event())
    assert "No such file" in served(one)["last_error"]
    place.parent.mkdir()
    os.symlink(tmp_path / "victim", place)
    clock.now += 10
    assert served(one)["failures"] == 2
    assert not (tmp_path / "victim").exists()
    place.unlink()
    clock.now += 10
    served(one)
    assert json.loads(place.read_bytes().splitlines()[0])["event"]["sequence"] == 1
