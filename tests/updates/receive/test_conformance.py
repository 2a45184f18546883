"""`tocsin-tuf` against the TUF conformance suite, where that can be had.

The suite is no package of PyPI: it is read from a clone that TUF_CONFORMANCE names (a work tree,
or a git directory), or from the mirror beside this checkout. It needs python-tuf 7.0, which the
tests have, and the `faketime` command for some of its cases.

Most of its time is starting a client some four hundred times. So a few cases are run by default;
TUF_CONFORMANCE_ALL=1 runs all 113 in four minutes.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

_MIRROR = Path("/work/.mirror/theupdateframework+tuf-conformance/repo")
_SOME = "basic_refresh or snapshot_rollback or targets_rollback"


def _suite(folder: Path) -> Path | None:
    named = os.environ.get("TUF_CONFORMANCE")
    place = Path(named) if named else _MIRROR
    if (place / "tuf_conformance").is_dir():
        return place
    if not (place / "HEAD").is_file() and not (place / ".git").exists():
        return None
    archive = subprocess.run(
        ["git", "-C", place, "archive", "HEAD", "tuf_conformance"], capture_output=True, check=True
    )
    subprocess.run(["tar", "x", "-C", folder], input=archive.stdout, check=True)
    return folder


@pytest.mark.slow
def test_the_conformance_suite_passes(tmp_path: Path) -> None:
    suite = _suite(tmp_path)
    if suite is None:
        pytest.skip("the suite is not on PyPI and no clone is here; name one in TUF_CONFORMANCE")
    client = tmp_path / "client"
    client.write_text(
        f'#!/bin/sh\nexec {sys.executable} -m tocsin.updates.receive.tuf_command "$@"\n'
    )
    client.chmod(0o755)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", "/dev/null"]
    command += [f"--rootdir={suite}", str(suite / "tuf_conformance"), "--entrypoint", str(client)]
    if not os.environ.get("TUF_CONFORMANCE_ALL"):
        command += ["-k", _SOME]
    elif shutil.which("faketime") is None:
        pytest.skip("the suite needs the faketime command: apt-get install faketime")
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]
    passed = re.search(r"(\d+) passed", done.stdout)
    assert passed is not None
    assert int(passed[1]) >= (113 if os.environ.get("TUF_CONFORMANCE_ALL") else 4)
