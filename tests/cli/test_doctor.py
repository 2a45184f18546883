"""`tocsin doctor` tries what it says, and tells what is missing."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tocsin.app import doctor
from tocsin.app.doctor import State, examine, exit_status
from tocsin.sandbox import landlock, seccomp

TOCSIN = [sys.executable, "-m", "tocsin.cli.main"]


def test_for_people_and_programs() -> None:
    done = subprocess.run([*TOCSIN, "doctor"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert "a file in an archive" in done.stdout
    lines = subprocess.run(
        [*TOCSIN, "doctor", "--json"], capture_output=True, text=True, check=False
    ).stdout.splitlines()
    checks = {check["name"]: check for check in map(json.loads, lines)}
    assert checks["landlock"]["group"] == "sandbox"
    assert checks["a file in an archive"]["state"] in ("ok", "warning")


def test_kernel_without_any_mechanism_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(landlock, "abi", lambda: 0)
    monkeypatch.setattr(seccomp, "available", lambda: False)
    checks = list(examine())
    (said,) = [check for check in checks if check.name == "confinement"]
    assert said.state is State.FAILED
    assert "--require-sandbox" in said.advice
    assert exit_status(checks) == 1
    (scan,) = [check for check in checks if check.group == "scan"]
    assert scan.state is not State.FAILED  # scanning goes on with what there is


def test_library_that_cannot_be_loaded_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(doctor.LIBRARIES, "pybit7z", ("a_module_that_is_not_there", "archives"))
    (said,) = [check for check in examine() if check.name == "pybit7z"]
    assert said.state is State.FAILED
    assert said.advice
