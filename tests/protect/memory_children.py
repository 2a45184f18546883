"""Processes that hold something in memory that can be run, started and ended by the tests."""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

MARKER = b"tocsin-needle-one"
"""What the tests' signature looks for; children are given it in two halves."""


def own_marker(rules: Path) -> bytes:
    """A marker that no other test has, and its signature: for scans of the whole machine."""
    marker = f"tocsin-needle-{secrets.token_hex(12)}".encode()
    rules.write_text(f"Test.Needle:0:*:{marker.hex()}\n")
    return marker


_MAPPER = """
import mmap, os, signal, sys
place, size, rights, first, second, path = sys.argv[1:7]
prot = sum({"r": mmap.PROT_READ, "w": mmap.PROT_WRITE, "x": mmap.PROT_EXEC}[c] for c in rights)
flags = mmap.MAP_PRIVATE | (0 if path else mmap.MAP_ANONYMOUS)
number = open(path, "rb").fileno() if path else -1
held = open(path, "rb") if path else None
memory = mmap.mmap(held.fileno() if held else -1, int(size), flags=flags, prot=prot)
if "w" in rights and first:
    memory[int(place):int(place) + len(first + second) // 2] = bytes.fromhex(first + second)
def drop(*_):
    memory.close()
    os.write(1, b"dropped\\n")  # `print` may still be at "ready"
signal.signal(signal.SIGUSR1, drop)
print("ready", flush=True)
while True:
    signal.pause()
"""


class Child:
    """A process that a test started."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process = process
        self.pid = process.pid

    def said(self) -> bytes:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def end(self) -> None:
        self.process.kill()
        self.process.wait()


@contextmanager
def mapping(
    data: bytes = b"", *, place: int = 0, size: int = 4096, rights: str = "rwx", path: str = ""
) -> Iterator[Child]:
    """A process with a private mapping that holds something."""
    half = len(data) // 2
    arguments = (str(place), str(size), rights, data[:half].hex(), data[half:].hex(), path)
    with _running([sys.executable, "-c", _MAPPER, *arguments]) as child:
        assert child.said() == b"ready"
        yield child


def program(folder: Path, name: str = "sleeper", tail: bytes = MARKER) -> Path:
    """A program that sleeps, with something behind its end."""
    real = shutil.which("sleep")
    assert real
    place = folder / name
    place.write_bytes(Path(real).read_bytes() + tail)
    place.chmod(0o755)
    return place


@contextmanager
def sleeping(path: Path) -> Iterator[Child]:
    """A process that runs a program."""
    with _running([str(path), "1000"]) as child:
        yield child


@contextmanager
def from_memory(path: Path) -> Iterator[Child]:
    """A process that runs a program out of a file in memory."""
    number = os.memfd_create("hidden", 0)
    os.write(number, path.read_bytes())
    os.set_inheritable(number, True)
    try:
        with _running([f"/proc/self/fd/{number}", "1000"], pass_fds=[number]) as child:
            yield child
    finally:
        os.close(number)


@contextmanager
def _running(command: list[str], pass_fds: list[int] | None = None) -> Iterator[Child]:
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, pass_fds=pass_fds or []
    )
    child = Child(process)
    try:
        yield child
    finally:
        with suppress(ProcessLookupError):
            child.end()
        assert process.stdout is not None
        process.stdout.close()
