"""Clients nobody here wrote, against the daemon: Debian's clamdscan and PyPI's libraries."""

from __future__ import annotations

import asyncio
import io
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from client_samples import (
    CLEAN,
    INFECTED,
    clamd_conf,
    free_port,
    locked_zip,
    mail,
    make_tree,
    zipped,
)
from running_daemon import RunningDaemon, daemon_folder, eicar

CLAMDSCAN = shutil.which("clamdscan")
needs_clamdscan = pytest.mark.skipif(CLAMDSCAN is None, reason="clamdscan is not installed")
LIMIT = 1 << 20
PATIENCE = 20


class Daemon(RunningDaemon):
    """A daemon with files to scan, at a socket and at a port."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self.tree = make_tree(folder / "tree")
        super().__init__(
            folder,
            database={"sources": []},
            daemon={"tcp": f"127.0.0.1:{self.port}", "stream_max_length": LIMIT},
        )
        self.configs = {
            "unix": clamd_conf(folder / "unix.conf", self.socket),
            "tcp": clamd_conf(folder / "tcp.conf", self.port),
        }

    def clamdscan(self, over: str, *words: str, said: bytes = b"") -> tuple[int, list[str], str]:
        """Run clamdscan: its exit status, its lines with paths from the tree, and its errors."""
        done = subprocess.run(
            [str(CLAMDSCAN), "-c", self.configs[over], "--no-summary", *words],
            input=said,
            capture_output=True,
            timeout=PATIENCE,
            check=False,
        )
        lines = done.stdout.decode().replace(f"{self.tree}/", "").splitlines()
        return done.returncode, lines, done.stderr.decode()


@pytest.fixture(scope="module")
def daemon() -> Iterator[Daemon]:
    with daemon_folder() as folder:
        running = Daemon(folder)
        try:
            yield running.start()  # type: ignore[misc]
        finally:
            running.stop()


def assert_found(lines: list[str], names: Any = INFECTED) -> None:
    """Each file was found infected, by the test file's name, and none other was."""
    found = {line.partition(": ")[0] for line in lines}
    assert found == set(names), lines
    assert all("EICAR" in line and line.endswith(" FOUND") for line in lines), lines


# -- clamdscan ---------------------------------------------------------------------------------

WAYS = [
    ("unix",),
    ("unix", "--stream"),
    ("unix", "--fdpass"),
    ("unix", "--multiscan"),
    ("unix", "--allmatch"),
    ("unix", "--multiscan", "--fdpass"),
    ("unix", "--multiscan", "--stream"),
    ("tcp", "--stream"),
    ("tcp", "--multiscan", "--stream"),
]
each_way = pytest.mark.parametrize("way", WAYS, ids=" ".join)


@needs_clamdscan
@each_way
def test_clamdscan_finds(daemon: Daemon, way: tuple[str, ...]) -> None:
    code, lines, trouble = daemon.clamdscan(*way, *(str(daemon.tree / name) for name in INFECTED))
    assert (code, trouble) == (1, "")
    assert_found(lines)
    if "--allmatch" in way:
        assert len(lines) > len(INFECTED)
    else:
        assert len(lines) == len(INFECTED)


@needs_clamdscan
@each_way
def test_clamdscan_passes(daemon: Daemon, way: tuple[str, ...]) -> None:
    code, lines, trouble = daemon.clamdscan(*way, *(str(daemon.tree / name) for name in CLEAN))
    assert (code, trouble) == (0, "")
    assert lines == [f"{name}: OK" for name in CLEAN]


@needs_clamdscan
@each_way
def test_clamdscan_walks_a_folder(daemon: Daemon, way: tuple[str, ...]) -> None:
    code, lines, trouble = daemon.clamdscan(*way, str(daemon.tree))
    assert (code, trouble) == (1, "")
    assert_found(lines)
    code, lines, trouble = daemon.clamdscan(*way, "--infected", str(daemon.tree))
    assert code == 1
    assert_found(lines)


@needs_clamdscan
@pytest.mark.parametrize("over", ["unix", "tcp"])
def test_clamdscan_reads_its_input(daemon: Daemon, over: str) -> None:
    for data in (eicar(), zipped(eicar()), bytes(mail(eicar()))):
        code, lines, _ = daemon.clamdscan(over, "-", said=data)
        assert code == 1
        assert_found(lines, ["stream"])
    for data in (b"hello", zipped(b"hello"), bytes(mail(b"hello")), b""):
        assert daemon.clamdscan(over, "-", said=data) == (0, ["stream: OK"], "")


@needs_clamdscan
def test_clamdscan_asks(daemon: Daemon) -> None:
    for over in ("unix", "tcp"):
        assert daemon.clamdscan(over, "--ping", "2:1") == (0, ["PONG"], "")
        code, lines, _ = daemon.clamdscan(over, "--version")
        assert code == 0
        assert lines[0].startswith("tocsin ")
        clean = str(daemon.tree / "good.txt")
        assert daemon.clamdscan(over, "--wait", "--ping", "2", "--stream", clean)[0] == 0
    assert daemon.clamdscan("unix", "--reload")[0] == 0


@needs_clamdscan
def test_clamdscan_names_what_is_not_there(daemon: Daemon) -> None:
    missing = str(daemon.tree / "missing")
    for way in WAYS:
        code, _, trouble = daemon.clamdscan(*way, missing)
        assert code == 2
        assert missing in trouble


@needs_clamdscan
def test_clamdscan_acts_on_what_was_found(daemon: Daemon) -> None:
    """It moves, copies and removes what the daemon names: names must be exact."""
    away = daemon.folder / "away"
    away.mkdir()
    victim = daemon.folder / "a victim: OK"
    for option, stays in ((f"--copy={away}", True), (f"--move={away}", False), ("--remove", False)):
        victim.write_bytes(eicar())
        assert daemon.clamdscan("unix", option, str(victim))[0] == 1
        assert victim.exists() is stays
    assert [file.read_bytes() for file in away.iterdir()] == [eicar(), eicar()]


@needs_clamdscan
def test_clamdscan_over_tcp_is_refused_paths(daemon: Daemon) -> None:
    """What is not scanned is never called clean; see `tcp_scan_paths`."""
    code, lines, _ = daemon.clamdscan("tcp", str(daemon.tree / "good.txt"))
    assert code == 2
    assert lines == ["good.txt: Paths are not scanned over TCP. ERROR"]
    assert daemon.clamdscan("tcp", "--reload")[0] == 2


@needs_clamdscan
def test_clamdscan_of_too_long_a_stream_fails(daemon: Daemon, tmp_path: Path) -> None:
    large = tmp_path / "large"
    large.write_bytes(eicar() + bytes(3 * LIMIT))
    for over in ("unix", "tcp"):
        code, lines, _ = daemon.clamdscan(over, "--stream", str(large))
        assert code == 2
        assert not any(line.endswith(": OK") for line in lines)


# -- PyPI's clamd ------------------------------------------------------------------------------


def clamd_clients(daemon: Daemon, module: Any) -> list[tuple[bool, Any]]:
    """Clients of `clamd`, and of what clamav-client has of it; whether they may name paths."""
    return [
        (True, module.ClamdUnixSocket(daemon.socket, timeout=PATIENCE)),
        (False, module.ClamdNetworkSocket("127.0.0.1", daemon.port, timeout=PATIENCE)),
    ]


@pytest.mark.parametrize("name", ["clamd", "clamav_client.clamd"])
def test_clamd_library(daemon: Daemon, name: str) -> None:
    module = pytest.importorskip(name)
    tree = str(daemon.tree)
    for local, client in clamd_clients(daemon, module):
        assert client.ping() == "PONG"
        assert client.version().startswith("tocsin ")
        assert client.stats().rstrip().endswith("END")
        for data in (eicar(), zipped(eicar()), bytes(mail(zipped(eicar())))):
            (status, reason) = client.instream(io.BytesIO(data))["stream"]
            assert (status, "EICAR" in reason) == ("FOUND", True)
        for data in (b"hello", bytes(100_000), bytes(mail(b"hello"))):
            assert client.instream(io.BytesIO(data)) == {"stream": ("OK", None)}
        (status, reason) = client.instream(io.BytesIO(locked_zip()))["stream"]
        assert (status, "encrypted" in reason) == ("ERROR", True)
        for scan in (client.scan, client.contscan, client.multiscan):
            if not local:
                assert scan(tree)[tree][0] == "ERROR"
                continue
            for good in CLEAN:
                assert scan(f"{tree}/{good}") == {f"{tree}/{good}": ("OK", None)}
            for bad in INFECTED:
                ((path, (status, reason)),) = scan(f"{tree}/{bad}").items()
                assert (path, status, "EICAR" in reason) == (f"{tree}/{bad}", "FOUND", True)
            ((path, answer),) = scan(f"{tree}/missing").items()
            assert path.startswith(f"{tree}/missing")
            assert (answer[0], "No such file" in answer[1]) == ("ERROR", True)
        if local:
            for scan in (client.contscan, client.multiscan):
                found = scan(tree)
                assert set(found) == {f"{tree}/{bad}" for bad in INFECTED}
            assert client.reload() == "RELOADING"
        else:
            with pytest.raises(module.ResponseError, match="not permitted"):
                client.reload()


@pytest.mark.parametrize("name", ["clamd", "clamav_client.clamd"])
def test_clamd_library_and_too_long_a_stream(daemon: Daemon, name: str) -> None:
    """As with clamd, the answer may be lost with the connection; it is never `OK`."""
    module = pytest.importorskip(name)
    for _, client in clamd_clients(daemon, module):
        for size in (LIMIT + 1, 3 * LIMIT):
            with pytest.raises((module.ClamdError, OSError)):
                client.instream(io.BytesIO(eicar() + bytes(size)))
        assert client.instream(io.BytesIO(bytes(LIMIT)))["stream"] == ("OK", None)


# -- clamav-client -----------------------------------------------------------------------------


def test_clamav_client(daemon: Daemon) -> None:
    scanners = pytest.importorskip("clamav_client.scanner")
    for address, stream in (
        (daemon.socket, True),
        (daemon.socket, False),
        (f"127.0.0.1:{daemon.port}", True),
    ):
        scanner = scanners.get_scanner(
            {"backend": "clamd", "address": address, "stream": stream, "timeout": PATIENCE}
        )
        info = scanner.info()
        assert info.version.startswith("tocsin ")
        assert info.virus_definitions
        for name in INFECTED:
            result = scanner.scan(str(daemon.tree / name))
            assert (result.state, result.passed) == ("FOUND", False)
            assert "EICAR" in result.details
        for name in CLEAN:
            result = scanner.scan(str(daemon.tree / name))
            assert (result.state, result.passed, result.err) == ("OK", True, None)
        (daemon.folder / "locked.zip").write_bytes(locked_zip())
        result = scanner.scan(str(daemon.folder / "locked.zip"))
        assert (result.state, result.passed) == ("ERROR", False)
        assert "encrypted" in result.details
        result = scanner.scan(str(daemon.tree / "missing"))
        assert (result.state, result.passed) == ("ERROR", False)


# -- aioclamd ----------------------------------------------------------------------------------


def test_aioclamd(daemon: Daemon) -> None:
    aioclamd = pytest.importorskip("aioclamd")
    client = aioclamd.ClamdAsyncClient("127.0.0.1", daemon.port, timeout=PATIENCE)

    async def ask() -> None:
        assert await client.ping() == "PONG"
        assert (await client.version()).startswith("tocsin ")
        path = str(daemon.tree / "good.txt")
        assert (await client.scan(path))[path][0] == "ERROR"
        with pytest.raises(aioclamd.ResponseError, match="not permitted"):
            await client.reload()
        samples = [(eicar(), "FOUND"), (b"hello", "OK"), (zipped(eicar()), "FOUND")]
        samples += [(bytes(mail(zipped(eicar()))), "FOUND"), (bytes(mail(b"hello")), "OK")]
        wanted = samples * 12
        answers = await asyncio.gather(*(client.instream(io.BytesIO(data)) for data, _ in wanted))
        assert [answer["stream"][0] for answer in answers] == [status for _, status in wanted]

    asyncio.run(ask())
