"""A short form of `make soak`: many clients, a new database and dead workers in between."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

SOAK = Path(__file__).resolve().parents[2] / "benchmarks" / "soak.py"


def test_many_clients_and_disturbances_bring_no_error(tmp_path: Path) -> None:
    done = subprocess.run(
        [
            *(sys.executable, str(SOAK), "--seconds", "10", "--clients", "200"),
            *("--growth", "1.6", "--disturb-every", "2.5", "--only-own"),
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "errors: none" in done.stdout
