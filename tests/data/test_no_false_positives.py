"""An ordinary system is clean under the default rules: not one finding, by the real command."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

PLACES = [
    pytest.param(sysconfig.get_path("stdlib"), id="standard library"),
    pytest.param(sysconfig.get_path("purelib"), id="installed packages"),
    pytest.param("/usr/bin", id="/usr/bin"),
]


@pytest.mark.parametrize("place", PLACES)
def test_nothing_is_found_on_an_ordinary_system(place: str, tmp_path: Path) -> None:
    if not Path(place).is_dir():
        pytest.skip(f"{place} is not there")
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "from tocsin.cli.main import run; run()",
            "scan",
            "--json",
            "--jobs=1",
            f"--exclude={Path(__file__).parent}/*",
            "--exclude=*.opt-?.pyc",  # a part of what stands in the .pyc beside it
            # Of what is installed the sources are looked at; compiled ones are in the library.
            "--exclude=*.pyc"
            if place == sysconfig.get_path("purelib")
            else "--exclude=site-packages",
            place,
        ],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "TOCSIN_CONFIG_DIR": str(tmp_path)},
    )
    reports = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(reports) > 100, done.stderr
    found = {r["path"]: [d["name"] for d in r["detections"]] for r in reports if r["detections"]}
    assert found == {}
