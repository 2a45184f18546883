"""Independent implementations, in an environment of their own: they are peers, not dependencies.

It is kept in pytest's cache. Some of them ask for a newer Python than this project does.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PEERS = ("tlog-scales==0.0.3", "aics-tlog==0.2.1", "aics-witness==0.1.0")


def newer_python() -> str:
    """A Python of at least 3.12, which one of the peers asks for."""
    if sys.version_info >= (3, 12):
        return sys.executable
    for minor in (12, 13, 14):
        found = shutil.which(f"python3.{minor}")
        kept = sorted(Path.home().glob(f".pyenv/versions/3.{minor}.*/bin/python"))
        for python in [*([found] if found else []), *map(str, kept)]:
            if subprocess.run([python, "-c", "import venv"], capture_output=True).returncode == 0:
                return python
    pytest.skip("no Python of at least 3.12 is here, which aics-tlog asks for")


def peer_programs(config: pytest.Config) -> Path:
    """The folder of the programs of that environment; it is made when it is not there."""
    place = Path(config.cache.mkdir("transparency-peers"))
    with (place / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        programs, done = place / "environment" / "bin", place / "done"
        if done.exists() and done.read_text() == repr(PEERS):
            return programs
        pip = [str(programs / "python"), "-m", "pip", "install", "--quiet", "--no-compile"]
        for command in (
            [newer_python(), "-m", "venv", "--clear", str(place / "environment")],
            [*pip, "--disable-pip-version-check", *PEERS],
        ):
            made = subprocess.run(command, capture_output=True, text=True, timeout=300)
            if made.returncode:
                pytest.skip(f"the peers cannot be installed here: {made.stderr.strip()[-300:]}")
        done.write_text(repr(PEERS))
        return programs


GO_SOURCES = Path("/usr/share/gocode")
"""Where Debian puts Go's packages; `golang-golang-x-mod-dev` has `sumdb/note` and `sumdb/tlog`."""


def sumdb_program(config: pytest.Config) -> Path:
    """The program that asks Go's implementation; it is built when it is not there."""
    compiler = shutil.which("go")
    module = GO_SOURCES / "src" / "golang.org" / "x" / "mod" / "sumdb" / "tlog"
    if compiler is None or not module.is_dir():
        pytest.skip("Go's sumdb is not here; install golang-go and golang-golang-x-mod-dev")
    source = Path(__file__).resolve().parent / "peers" / "sumdb" / "main.go"
    place = Path(config.cache.mkdir("transparency-sumdb"))
    with (place / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        program, built_from = place / "peer", place / "main.go"
        if program.exists() and built_from.read_bytes() == source.read_bytes():
            return program
        outside = {
            "PATH": os.environ["PATH"],
            "HOME": str(place),
            "GOPATH": str(GO_SOURCES),
            "GO111MODULE": "off",
            "GOCACHE": str(place / "cache"),
            "GOTMPDIR": str(place),
        }
        command = [compiler, "build", "-o", str(program), str(source)]
        made = subprocess.run(command, env=outside, capture_output=True, text=True, timeout=300)
        if made.returncode:
            pytest.fail(f"Go builds no peer: {made.stderr.strip()[-600:]}")
        shutil.copyfile(source, built_from)
        return program
