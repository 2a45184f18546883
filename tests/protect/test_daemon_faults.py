"""Whatever ends, fills up or is taken: nothing is lost, something is said, and it goes on."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from running_daemon import (
    MARKER,
    TOCSIN,
    RunningDaemon,
    daemon_folder,
    hear,
    piece,
    running_daemon,
)

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))

from load import Outcome, Request, clean, drive, found, instream, scan

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
RULE = "Test.{name}:0:*:{hex}\n"


def children(pid: int) -> list[int]:
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(child) for child in text.split()]


def process(daemon: RunningDaemon, name: str) -> int:
    return int(daemon.wait_until(lambda: daemon.status()["processes"].get(name)))


def mixed(folder: Path, count: int) -> Iterator[Request]:
    """Streams and paths, some of them bad."""
    good, bad = folder / "a good file", folder / "a bad file"
    good.write_bytes(os.urandom(30_000))
    bad.write_bytes(b"x" * 2000 + MARKER)
    rng = random.Random(4)
    for number in range(count):
        match number % 4:
            case 0:
                yield instream(rng.randbytes(1000))
            case 1:
                yield instream(rng.randbytes(100_000) + MARKER, found)
            case 2:
                yield scan(str(good), clean)
            case _:
                yield scan(str(bad), found)


def under_load(daemon: RunningDaemon, count: int, disturb: threading.Thread) -> Outcome:
    disturb.start()
    outcome = drive(daemon.socket, mixed(daemon.folder, count), 40)
    disturb.join()
    return outcome


def repeatedly(times: int, pause: float, what: object) -> threading.Thread:
    def run() -> None:
        for _ in range(times):
            time.sleep(pause)
            with contextlib.suppress(ProcessLookupError, OSError, IndexError, KeyError):
                what()  # type: ignore[operator]

    return threading.Thread(target=run)


def test_workers_killed_at_random() -> None:
    rng = random.Random(1)
    with running_daemon() as daemon:
        host = process(daemon, "host")

        def kill() -> None:
            os.kill(rng.choice(children(host)), signal.SIGKILL)

        outcome = under_load(daemon, 1500, repeatedly(12, 0.1, kill))
        # one that two workers were killed over is said to be incomplete, never clean
        doubly = sum(n for answer, n in outcome.wrong.items() if "its worker" in answer)
        assert sum(outcome.wrong.values()) == doubly <= 2, outcome.wrong
        assert outcome.requests == 1500
        assert process(daemon, "host") == host


def test_engine_killed_loses_no_request() -> None:
    with running_daemon() as daemon:

        def kill() -> None:
            os.kill(process(daemon, "host"), signal.SIGKILL)

        outcome = under_load(daemon, 800, repeatedly(2, 0.5, kill))
        assert outcome.wrong == Counter()
        assert daemon.status()["restarts"]["host"] == 2
        _, page = daemon.request("GET", "/metrics")
        lost = next(row for row in page.splitlines() if row.startswith(b"tocsin_hosts_lost_total"))
        assert 1.0 <= float(lost.split()[1]) <= 2.0
        daemon.wait_until(lambda: len(daemon.events(kind="failure")) == 2)


def test_keeper_and_front_come_back() -> None:
    with running_daemon() as daemon:
        place = daemon.folder / "file"
        place.write_bytes(MARKER)
        ask = b"zSCAN %s\0" % bytes(place)
        for number, name in enumerate(("keeper", "front", "keeper")):
            place.write_bytes(MARKER + b" %d" % number)  # equal findings would be counted
            assert daemon.ask(ask).endswith(b"FOUND\0")
            before = process(daemon, name)
            os.kill(before, signal.SIGKILL)
            daemon.wait_until(lambda: process(daemon, name) != before)  # noqa: B023
            daemon.wait_until(lambda: daemon.ask(ask).endswith(b"FOUND\0"))
        daemon.wait_until(lambda: len(daemon.events(kind="detection")) >= 3)
        messages = [event["message"] for event in daemon.events(kind="failure")]
        assert any("front process was ended by SIGKILL" in message for message in messages)


def test_supervisor_killed_leaves_nobody_behind() -> None:
    with running_daemon() as daemon:
        assert daemon.process is not None
        session = daemon.process.pid
        everybody = [session, *children(session), *children(process(daemon, "host"))]
        daemon.process.kill()
        daemon.process.wait()
        end = time.monotonic() + 10
        while any(_alive(pid) for pid in everybody) and time.monotonic() < end:
            time.sleep(0.05)
        assert not [pid for pid in everybody if _alive(pid)]


def test_database_replaced_under_load() -> None:
    """No request is dropped, and what was asked for afterwards is answered with the new one."""
    with running_daemon() as daemon:
        database = daemon.folder / "db" / "small.ndb"
        number = iter(range(1, 100))

        def change() -> None:
            name = f"Added{next(number)}"
            rule = RULE.format(name=name, hex=name.encode().hex())
            with database.open("a") as file:
                file.write(rule)
            daemon.ask(b"zRELOAD\0")

        outcome = under_load(daemon, 1500, repeatedly(3, 0.6, change))
        assert outcome.wrong == Counter()
        daemon.ask(b"zRELOAD\0")
        daemon.wait_until(
            lambda: (
                daemon.ask(b"zINSTREAM\0" + piece(b"is Added3 in it") + piece(b""))
                == b"stream: Test.Added3.UNOFFICIAL FOUND\0"
            )
        )
        assert daemon.status()["database"]["generation"] >= 2


def test_sources_are_looked_at_now_and_then() -> None:
    with running_daemon(database={"check_every": 0.5}) as daemon:
        (daemon.folder / "db" / "more.ndb").write_text(
            RULE.format(name="More", hex=b"more of it".hex())
        )
        daemon.wait_until(
            lambda: b"Test.More" in daemon.ask(b"zINSTREAM\0" + piece(b"more of it") + piece(b""))
        )


def test_unreadable_database_keeps_the_one_in_use() -> None:
    with running_daemon(database={"lenient": False}) as daemon:
        database = daemon.folder / "db" / "small.ndb"
        whole = database.read_text()
        database.write_text("this is no signature\n")
        daemon.ask(b"zRELOAD\0")
        daemon.wait_until(
            lambda: any("the one in use stays" in e["message"] for e in daemon.events())
        )
        stream = b"zINSTREAM\0" + piece(MARKER) + piece(b"")
        assert daemon.ask(stream).endswith(b"FOUND\0")
        daemon.stop()
        # it starts all the same, with the last that could be read, and says so
        daemon.start()
        assert "the last one that could be read" in daemon.status()["database"]["trouble"]
        assert daemon.ask(stream).endswith(b"FOUND\0")
        # and recovers by itself
        database.write_text(whole + "\n")
        daemon.ask(b"zRELOAD\0")
        daemon.wait_until(lambda: not daemon.status()["database"]["trouble"])


def test_no_database_at_all_scans_with_its_own() -> None:
    with daemon_folder() as folder:
        missing = str(folder / "not there")
        daemon = RunningDaemon(folder, database={"sources": [missing]})
        try:
            daemon.start()
            assert "tocsin's own signatures" in daemon.status()["database"]["trouble"]
            assert daemon.status()["database"]["signatures"] > 100
        finally:
            daemon.stop()


def test_socket_that_is_taken_and_one_that_is_left_over() -> None:
    with daemon_folder() as folder:
        daemon = RunningDaemon(folder)
        with socket.socket(socket.AF_UNIX) as other:
            other.bind(daemon.socket)
            other.listen()
            daemon.start(wait=False)
            assert daemon.process is not None
            assert daemon.process.wait(20) == 2
            assert "another program listens there" in daemon.said()
            assert Path(daemon.socket).is_socket()
        daemon.start()  # nobody listens any more
        assert daemon.ask(b"zPING\0") == b"PONG\0"
        assert daemon.stop() == 0
        assert not Path(daemon.socket).exists()


def test_a_second_daemon_of_the_same_state_is_refused() -> None:
    with running_daemon() as first, daemon_folder() as folder:
        second = RunningDaemon(folder, daemon={"state": str(first.state)})
        second.start(wait=False)
        assert second.process is not None
        assert second.process.wait(20) == 2
        assert f"another daemon uses {first.state} (process " in second.said()
        assert "[daemon] state" in second.said()
        assert not Path(second.socket).exists()
        assert first.ask(b"zPING\0") == b"PONG\0"
        assert first.process is not None
        first.process.kill()  # and is followed by the next one all the same
        first.process.wait()
        second.start()
        assert second.ask(b"zPING\0") == b"PONG\0"
        second.stop()


@pytest.mark.parametrize("delay", [0.0, 0.1, 0.25, 0.4, 0.6, 0.9, 1.3])
def test_told_to_end_at_any_time(delay: float) -> None:
    with daemon_folder() as folder:
        daemon = RunningDaemon(folder).start(wait=False)
        assert daemon.process is not None
        time.sleep(delay)
        daemon.process.send_signal(signal.SIGHUP if delay > 0.5 else signal.SIGTERM)
        if delay > 0.5:
            time.sleep(0.2)
            daemon.process.send_signal(signal.SIGTERM)
        status = daemon.process.wait(20)
        assert status in (0, -signal.SIGTERM, -signal.SIGHUP), daemon.said()
        assert "Traceback" not in daemon.said()
        assert not _session(daemon.process.pid)


def test_answers_what_it_has_begun_before_it_ends() -> None:
    with running_daemon() as daemon:
        ends = []
        for _ in range(50):
            end = daemon.connect()
            end.sendall(b"zINSTREAM\0" + piece(os.urandom(60_000)) + piece(b""))
            ends.append(end)
        daemon.wait_until(lambda: daemon.status()["scanned"]["objects"] + 50 > 0)
        assert daemon.stop() == 0
        answers = Counter(hear(end) for end in ends)
        assert answers == {b"stream: OK\0": 50}


@as_root
def test_full_disk_costs_no_scan_and_no_event(tmp_path: Path) -> None:
    """The journal's disk is full: events wait, and are written when there is room."""
    with daemon_folder() as folder:
        place = folder / "small"
        place.mkdir()
        if subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=1m", "none", place], check=False
        ).returncode:
            pytest.skip("nothing can be mounted here")
        try:
            place.chmod(0o777)
            daemon = RunningDaemon(folder, journal={"file": str(place / "j" / "journal.db")})
            daemon.start()
            filler = place / "filler"
            with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
                while True:
                    file.write(b"x" * 4096)
            for number in range(300):  # each another finding: equal ones would be counted
                stream = b"zINSTREAM\0" + piece(MARKER + b" %d" % number) + piece(b"")
                assert daemon.ask(stream).endswith(b"FOUND\0")
            daemon.wait_until(lambda: daemon.status()["journal"]["trouble"])
            filler.unlink()
            daemon.wait_until(lambda: len(daemon.events(kind="detection")) == 300, 30)
            assert not daemon.status()["journal"]["trouble"]
            daemon.stop()
        finally:
            subprocess.run(["umount", "-l", place], check=False)


@as_root
def test_full_disk_costs_one_stream() -> None:
    with daemon_folder() as folder:
        streams = folder / "state" / "streams"
        streams.mkdir(parents=True)
        if subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=2m", "none", streams], check=False
        ).returncode:
            pytest.skip("nothing can be mounted here")
        try:
            streams.chmod(0o777)
            daemon = RunningDaemon(folder).start()
            answer = _sent_as_far_as_it_goes(daemon, b"x" * 5_000_000)
            assert b"No space left on device" in answer
            assert daemon.ask(b"zINSTREAM\0" + piece(b"x" * 500_000) + piece(b"")) == (
                b"stream: OK\0"
            )
            daemon.stop()
        finally:
            subprocess.run(["umount", "-l", streams], check=False)


@as_root
def test_ordinary_user_may_ask_and_no_more() -> None:
    with running_daemon() as daemon:
        secret = daemon.folder / "secret"
        secret.write_bytes(MARKER)
        secret.chmod(0o600)
        mine = daemon.folder / "readable"
        mine.write_bytes(MARKER)
        mine.chmod(0o644)
        closed = daemon.folder / "closed"
        closed.mkdir(mode=0o700)
        (closed / "file").write_bytes(MARKER)
        asked = {
            b"zPING\0": b"PONG\0",
            b"zSCAN %s\0" % bytes(mine): b"%s: Test.Marker.UNOFFICIAL FOUND\0" % bytes(mine),
            b"zSCAN %s\0" % bytes(secret): b"%s: File path check failure: Permission denied. "
            b"ERROR\0" % bytes(secret),
            b"zSCAN %s/file\0" % bytes(closed): b"%s/file: File path check failure: Permission "
            b"denied. ERROR\0" % bytes(closed),
            b"zCONTSCAN %s\0" % bytes(closed): b"%s: File path check failure: Permission denied. "
            b"ERROR\0" % bytes(closed),
            b"zSCAN /proc/self/fd/3\0": None,
            b"zSHUTDOWN\0": b"SHUTDOWN: not permitted. ERROR\0",
        }
        for command, expected in asked.items():
            answer = _as_user(daemon.socket, command)
            if expected is None:
                assert b"FOUND" not in answer, answer
                assert b": OK" not in answer, answer
            else:
                assert answer == expected
        for method, path, code in (
            ("GET", "/v1/status", 200),
            ("GET", "/v1/events", 403),
            ("POST", "/v1/act", 403),
            ("POST", "/v1/shutdown", 403),
        ):
            head = f"{method} {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n"
            answer = _as_user(daemon.api, f"{head}Connection: close\r\n\r\n".encode())
            assert answer.startswith(b"HTTP/1.1 %d" % code), answer
            assert (b"only root may do this" in answer) == (code == 403), answer
            if path == "/v1/status":
                assert str(daemon.folder / "readable").encode() not in answer
        assert daemon.ask(b"zPING\0") == b"PONG\0"
        assert daemon.ask(b"zSHUTDOWN\0") == b""  # root may
        assert daemon.process is not None
        assert daemon.process.wait(20) == 0


def test_over_tcp_no_paths_and_no_shutdown() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with running_daemon(daemon={"tcp": f"127.0.0.1:{port}"}) as daemon:

        def ask(command: bytes) -> bytes:
            with socket.create_connection(("127.0.0.1", port), timeout=20) as end:
                end.sendall(command)
                return hear(end)

        assert ask(b"zPING\0") == b"PONG\0"
        assert ask(b"zINSTREAM\0" + piece(MARKER) + piece(b"")).endswith(b"FOUND\0")
        assert ask(b"zSCAN /etc/passwd\0").endswith(b"ERROR\0")
        for verb in (b"SHUTDOWN", b"RELOAD"):
            assert ask(b"z%s\0" % verb) == b"%s: not permitted. ERROR\0" % verb
        assert daemon.ask(b"zPING\0") == b"PONG\0"


@pytest.mark.parametrize(
    ("mode", "answer"),
    [
        ("ok", b"stream: OK\0"),
        ("found", b"stream: Heuristics.Limits.Exceeded FOUND\0"),
        ("error", b"ERROR\0"),
    ],
)
def test_what_is_said_of_what_was_not_wholly_looked_at(mode: str, answer: bytes) -> None:
    import gzip

    sections = {"daemon": {"on_incomplete": mode}, "scan": {"max_scan_size": 1000}}
    with running_daemon(**sections) as daemon:
        packed = gzip.compress(b"a" * 100_000)
        said = daemon.ask(b"zINSTREAM\0" + piece(packed) + piece(b""))
        assert said.endswith(answer), said


def _alive(pid: int) -> bool:
    try:
        return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False


def _session(session: int) -> list[int]:
    """What still runs of a session, a moment later."""
    time.sleep(0.1)
    alive = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                if os.getsid(int(entry.name)) == session and _alive(int(entry.name)):
                    alive.append(int(entry.name))
    return alive


def _sent_as_far_as_it_goes(daemon: RunningDaemon, data: bytes) -> bytes:
    with daemon.connect() as end:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            end.sendall(b"zINSTREAM\0" + piece(data) + piece(b""))
        answer = b""
        with contextlib.suppress(ConnectionResetError):
            while chunk := end.recv(4096):
                answer += chunk
        return answer


def _as_user(path: str, command: bytes) -> bytes:
    """Ask as a user without rights or groups."""
    program = (
        "import socket,sys\n"
        "e=socket.socket(socket.AF_UNIX); e.connect(sys.argv[1])\n"
        "e.sendall(sys.stdin.buffer.read())\n"
        "while c:=e.recv(65536): sys.stdout.buffer.write(c)\n"
    )
    python = "/usr/bin/python3" if Path("/usr/bin/python3").exists() else sys.executable
    done = subprocess.run(
        [python, "-c", program, path],
        input=command,
        capture_output=True,
        user=54_321,
        group=54_321,
        extra_groups=[],
        check=False,
        cwd="/",
    )
    if done.returncode and not Path("/usr/bin/python3").exists():
        pytest.skip("no interpreter that another user may run")
    assert not done.returncode, done.stderr
    return done.stdout


def test_help_and_wrong_settings() -> None:
    done = subprocess.run([*TOCSIN, "daemon", "--help"], capture_output=True, check=False)
    assert b"Examples:" in done.stdout
    with daemon_folder() as folder:
        config = folder / "x.toml"
        config.write_text('[daemon]\nsocket = "/tmp/x"\ntcp = "0.0.0.0:3310"\n')
        done = subprocess.run(
            [*TOCSIN, "--config", str(config), "daemon"], capture_output=True, check=False
        )
        assert done.returncode == 2
        assert b"tcp" in done.stderr
        assert json.dumps("x")  # the file is left alone
        assert config.read_text().startswith("[daemon]")
