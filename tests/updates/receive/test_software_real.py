"""tocsin's own release, with every wheel it needs: installed from a repository, and run.

It takes 60 MB of wheels, so it is run by hand (docs/software-updates.md says how):

    TOCSIN_TEST_RELEASE=wheels/ pytest -s tests/updates/receive/test_software_real.py
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from receive_samples import Repository
from software_samples import SoftwareDevice, add_release

from tocsin.app.software_test import try_out_software
from tocsin.updates.wheels import parse_name

WHEELS = os.environ.get("TOCSIN_TEST_RELEASE", "")
pytestmark = pytest.mark.skipif(not WHEELS, reason="TOCSIN_TEST_RELEASE names no folder of wheels")


def test_the_real_release(tmp_path: Path) -> None:
    wheels = sorted(Path(WHEELS).glob("*.whl"))
    version = next(
        str(name.version) for name in map(parse_name, (p.name for p in wheels))
        if name.project == "tocsin"
    )  # fmt: skip
    repository = Repository(tmp_path / "repository")
    add_release(repository, version, wheels)
    repository.publish_metadata()
    device = SoftwareDevice(tmp_path / "device", repository)
    device.running, device.longest = "0", 180.0
    outcome = device.install()
    print(f"\n{len(wheels)} wheels, {outcome.wheels} installed")
    for step in outcome.steps:
        print(f"{step.name:12} {step.milliseconds:9,.0f} ms {step.bytes:12,} bytes")
    command = device.prefix / "bin" / "tocsin"
    done = subprocess.run([command, "--version"], capture_output=True, text=True, check=True)
    assert version in done.stdout
    for verb in ("scan", "update", "publish", "daemon", "top", "rebuild"):
        subprocess.run([command, verb, "--help"], stdout=subprocess.DEVNULL, check=True)
    folder = device.store.place(device.store.current())
    checked = subprocess.run(
        [*("python3", "-m", "pip", "--python", folder / "bin" / "python"), "check"],
        capture_output=True,
        text=True,
    )
    assert checked.stdout.strip() == "No broken requirements found."  # pip, that installed nothing
    try_out_software(folder, version, None)
