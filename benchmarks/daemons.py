"""Daemons to be asked: Debian's clamd and this project's, with the same signatures, alone."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from data import Absent

START_SECONDS = 180.0


class Daemon(NamedTuple):
    """A daemon that runs.

    Attributes:
        name: for the report.
        socket: where it listens.
        pid: its first process.
    """

    name: str
    socket: str
    pid: int

    def processes(self) -> list[int]:
        """All of its processes."""
        return _tree(self.pid)

    def pss(self) -> float:
        """MiB of all of its processes, pages that they share counted once."""
        return sum(_pss(pid) for pid in self.processes()) / 1024

    def cpu(self) -> float:
        """Seconds of processor time of all of its processes, ended ones included."""
        return sum(_cpu(pid) for pid in self.processes())


@contextmanager
def tocsin_daemon(tocsin: Path, sources: list[Path], folder: Path, cache: Path) -> Iterator[Daemon]:
    """This project's daemon; its index is made before it is handed out.

    Args:
        tocsin: the program.
        sources: signatures.
        folder: an empty folder that everybody may enter.
        cache: where indexes are kept.
    """
    place = folder / "tocsin.sock"
    settings = folder / "tocsin.toml"
    user = "nobody" if os.geteuid() == 0 else ""
    settings.write_text(
        f"[database]\nsources = {[str(source) for source in sources]}\n"
        "with_default = false\ncheck_every = 0.0\n"
        f'[daemon]\nsocket = "{place}"\napi_socket = "{folder}/api.sock"\n'
        f'state = "{folder}/state"\nadmin_group = ""\n'
        + (f'user = "{user}"\n' if user else "")
        + '[scan]\nmax_file_size = "100M"\n'
    )
    command = [str(tocsin), "--config", str(settings), "daemon"]
    environment = {**os.environ, "TOCSIN_CACHE_DIR": str(cache)}
    with _process(command, folder / "tocsin.log", environment) as process:
        _wait(process, place, folder / "tocsin.log")
        yield Daemon("tocsin daemon", str(place), process.pid)


@contextmanager
def clamd(program: str, sources: list[Path], folder: Path) -> Iterator[Daemon]:
    """Debian's clamd, with its own number of threads."""
    place = folder / "clamd.sock"
    database = folder / "clamd-db"
    database.mkdir()
    for source in sources:
        (database / source.name).symlink_to(source)
    settings = folder / "clamd.conf"
    settings.write_text(
        f"DatabaseDirectory {database}\nLocalSocket {place}\nForeground yes\nUser root\n"
        "MaxConnectionQueueLength 400\nMaxQueue 400\nMaxThreads 10\n"
        "StreamMaxLength 100M\nMaxFileSize 100M\nMaxScanSize 400M\n"
        f"LogFile {folder}/clamd.log\n"
    )
    if os.geteuid() != 0:
        settings.write_text(settings.read_text().replace("User root\n", ""))
    command = [program, "-c", str(settings)]
    with _process(command, folder / "clamd.out", dict(os.environ)) as process:
        _wait(process, place, folder / "clamd.out")
        yield Daemon("clamd", str(place), process.pid)


@contextmanager
def _process(
    command: list[str], log: Path, environment: dict[str, str]
) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("wb") as file:
        process = subprocess.Popen(
            command, stdout=file, stderr=file, env=environment, cwd="/", start_new_session=True
        )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()


def _wait(process: subprocess.Popen[bytes], place: Path, log: Path) -> None:
    """Until it scans something."""
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        if process.poll() is not None:
            raise Absent(f"it ended at once: {log.read_text(errors='replace')[-500:]}")
        try:
            with socket.socket(socket.AF_UNIX) as probe:
                probe.settimeout(START_SECONDS)
                probe.connect(str(place))
                probe.sendall(b"zINSTREAM\0\0\0\0\x05hello\0\0\0\0")
                if probe.recv(100).endswith(b"OK\0"):
                    return
        except OSError:
            time.sleep(0.1)
    raise Absent(f"it does not answer: {log.read_text(errors='replace')[-500:]}")


def _tree(pid: int) -> list[int]:
    try:
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
            children = [int(child) for child in file.read().split()]
    except OSError:
        return []
    return [pid, *(each for child in children for each in _tree(child))]


def _pss(pid: int) -> int:
    """KiB."""
    try:
        with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as file:
            return sum(int(line.split()[1]) for line in file if line.startswith("Pss:"))
    except OSError:
        return 0


def _cpu(pid: int) -> float:
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
            fields = file.read().rsplit(")", 1)[1].split()
    except OSError:
        return 0.0
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")


def interpreter() -> Path:
    """The `tocsin` beside the interpreter that runs this."""
    return Path(sys.executable).with_name("tocsin")
