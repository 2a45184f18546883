"""clamscan as the judge of what this package says about a file."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

Judge = Callable[[dict[str, str], list[bytes]], list[set[str]]]


@pytest.fixture
def judge(tmp_path: Path) -> Judge:
    """Asks clamscan 1.4 which of some signatures match each of some files."""
    program = shutil.which("clamscan")
    if program is None:
        pytest.skip("clamscan is not installed")
    version = subprocess.run([program, "--version"], capture_output=True, text=True, check=True)
    if not version.stdout.startswith("ClamAV 1.4."):
        pytest.skip("clamscan is not 1.4, whose behaviour is compared")

    def ask(databases: dict[str, str], objects: list[bytes]) -> list[set[str]]:
        command = [program, "-z", "--no-summary"]
        for extension, text in databases.items():
            path = tmp_path / f"signatures.{extension}"
            path.write_text(text)
            command += ["-d", str(path)]
        folder = tmp_path / "objects"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        for index, data in enumerate(objects):
            (folder / str(index)).write_bytes(data)
        done = subprocess.run([*command, "-r", str(folder)], capture_output=True, text=True)
        assert done.returncode in (0, 1), done.stderr
        found: list[set[str]] = [set() for _ in objects]
        for line in done.stdout.splitlines():
            path_text, _, verdict = line.partition(": ")
            if verdict.endswith(" FOUND"):
                found[int(Path(path_text).name)].add(verdict.split(".UNOFFICIAL")[0])
        return found

    return ask
