"""Who is measured: tocsin's two commands and whichever peers are installed, with versions."""

from __future__ import annotations

import json
import platform
import shutil
import subprocess
import sys
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

from data import Absent

LIBRARIES = ("hyperscan", "yara-x", "pcre2", "click", "rich")


class Peer(NamedTuple):
    """A program or library.

    Attributes:
        name: for the report.
        path: absolute path of the program; empty for a library.
        version: what it says of itself; empty when it is absent.
        reason: why it is absent.
    """

    name: str
    path: str
    version: str
    reason: str = ""


class Peers:
    """Everything that can be measured here; looked for once."""

    def __init__(self) -> None:
        beside = Path(sys.executable).parent  # not resolved: a virtual environment's own scripts
        self._all = {
            name: _program(name, path)
            for name, path in (
                ("tocsin", str(beside / "tocsin")),
                ("tocsin-clamscan", str(beside / "tocsin-clamscan")),
                ("clamscan", shutil.which("clamscan") or ""),
                ("clamd", shutil.which("clamd") or ""),
                ("yara", shutil.which("yara") or ""),
                ("yarac", shutil.which("yarac") or ""),
            )
        }
        self._all["yara_x"] = _library("yara-x")

    def all(self) -> list[Peer]:
        """Every one, installed or not."""
        return list(self._all.values())

    def has(self, name: str) -> bool:
        """Whether there is a peer of this name."""
        return not self._all[name].reason

    def need(self, name: str) -> Peer:
        """The peer of this name.

        Raises:
            Absent: it is not installed or does not run.
        """
        peer = self._all[name]
        if peer.reason:
            raise Absent(f"{name}: {peer.reason}")
        return peer


def library_versions() -> list[tuple[str, str]]:
    """Versions of Python and of what tocsin is built on."""
    found = [("Python", platform.python_version())]
    for name in LIBRARIES:
        library = _library(name)
        found.append((name, library.version or library.reason))
    return found


def tocsin_scan(peer: Peer, target: Path, database: Path | None = None, jobs: int = 1) -> list[str]:
    """Command line of `tocsin scan`, printing only what was found."""
    chosen = ["--db", str(database)] if database else []
    return [peer.path, "scan", *chosen, "--jobs", str(jobs), "-q", "--no-progress", str(target)]


def clamscan(peer: Peer, target: Path, database: Path) -> list[str]:
    """Command line of `clamscan`, or of `tocsin-clamscan`, over a file or a folder."""
    return [peer.path, "-d", str(database), "--no-summary", "-r", str(target)]


def found_by_tocsin(printed: str) -> int:
    """Files that `tocsin scan` named: their lines begin with the verdict."""
    return sum(line.startswith(("INFECTED ", "SUSPICIOUS ")) for line in printed.splitlines())


def found_by_clamscan(printed: str) -> int:
    """Files that `clamscan` named: their lines end with FOUND."""
    return sum(line.endswith(" FOUND") for line in printed.splitlines())


def found_by_yara(printed: str) -> int:
    """Files that `yara` named, in one line for each rule that matched."""
    return len({line.partition(" ")[2] for line in printed.splitlines()})


def found_by_probe(printed: str) -> int:
    """Files that `probe.py` counted."""
    found: int = json.loads(printed)["found"]
    return found


def _program(name: str, path: str) -> Peer:
    if not path or not Path(path).is_file():
        return Peer(name, "", "", "not installed")
    said = _said([path, "--version"])
    if said is None:
        return Peer(name, "", "", "installed, but `--version` fails")
    return Peer(name, path, said)


def _library(name: str) -> Peer:
    try:
        return Peer(name, "", metadata.version(name))
    except metadata.PackageNotFoundError:
        return Peer(name, "", "", "not installed")


def _said(command: Sequence[str]) -> str | None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30)
    except (OSError, subprocess.SubprocessError):
        return None
    lines = done.stdout.strip().splitlines()
    return lines[0] if lines else ""
