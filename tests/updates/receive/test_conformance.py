"""`tocsin-tuf`: its command line, and the TUF conformance suite where that is at hand.

The suite is no package of PyPI. TUF_CONFORMANCE names a clone of it (a work tree or a git
directory); all of its cases are run then, which takes four minutes, most of them for starting a
client some four hundred times. It needs the `faketime` command.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from receive_samples import Repository

from tocsin.updates.receive.tuf_command import run

CASES = 113


def _suite(folder: Path) -> Path:
    named = os.environ.get("TUF_CONFORMANCE")
    if not named:
        pytest.skip("the suite is not on PyPI; name a clone of it in TUF_CONFORMANCE")
    if shutil.which("faketime") is None:
        pytest.skip("the suite needs the faketime command: apt-get install faketime")
    place = Path(named)
    if (place / "tuf_conformance").is_dir():
        return place
    archive = subprocess.run(
        ["git", "-C", place, "archive", "HEAD", "tuf_conformance"], capture_output=True, check=True
    )
    subprocess.run(["tar", "x", "-C", folder], input=archive.stdout, check=True)
    return folder


@pytest.mark.slow
def test_the_conformance_suite_passes(tmp_path: Path) -> None:
    suite = _suite(tmp_path)
    client = tmp_path / "client"
    client.write_text(
        f'#!/bin/sh\nexec {sys.executable} -m tocsin.updates.receive.tuf_command "$@"\n'
    )
    client.chmod(0o755)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", "/dev/null"]
    command += [f"--rootdir={suite}", str(suite / "tuf_conformance"), "--entrypoint", str(client)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]
    passed = re.search(r"(\d+) passed", done.stdout)
    assert passed is not None
    assert int(passed[1]) >= CASES


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    made = Repository(tmp_path_factory.mktemp("tuf") / "repository")
    made.add(1)
    made.publish_metadata()
    return made


def called(*arguments: object) -> int:
    with pytest.raises(SystemExit) as ended:
        run([str(argument) for argument in arguments])
    assert isinstance(ended.value.code, int)
    return ended.value.code


def test_init_refresh_and_download(repository: Repository, tmp_path: Path) -> None:
    base = repository.folder.as_uri()
    metadata, targets = tmp_path / "metadata", tmp_path / "targets"
    common = ("--metadata-dir", metadata, "--metadata-url", f"{base}/metadata")
    root = repository.folder / "metadata" / "1.root.json"
    assert called("--metadata-dir", metadata, "init", root) == 0
    assert called(*common, "refresh") == 0
    names = {"root.json", "timestamp.json", "snapshot.json", "targets.json"}
    assert {entry.name for entry in metadata.glob("*.json")} == names
    name = "databases/1.tdb.zst"
    place = ("--target-base-url", f"{base}/targets", "--target-dir", targets)
    assert called(*common, "--target-name", name, *place, "download") == 0
    (downloaded,) = targets.iterdir()
    assert downloaded.read_bytes() == repository.stored(name).read_bytes()
    assert called(*common, "--target-name", "no/such", *place, "download") == 1


def test_what_cannot_be_done_ends_with_1(
    repository: Repository, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert called("--metadata-dir", tmp_path / "m", "init", tmp_path / "missing") == 1
    (tmp_path / "bad.json").write_text("{}")
    assert called("--metadata-dir", tmp_path / "m", "init", tmp_path / "bad.json") == 1
    url = tmp_path.as_uri()
    assert called("--metadata-dir", tmp_path / "m", "--metadata-url", url, "refresh") == 1
    assert "Traceback" not in capsys.readouterr().err
