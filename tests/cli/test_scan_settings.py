"""`tocsin scan` without `--db`: it looks for what the settings name, and says what it cannot."""

from __future__ import annotations

import atexit
import functools
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from subprocess import CompletedProcess

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "engine"))

from engine_samples import BODY_RULE, EICAR, PAYLOAD, tocsin

from cli.other_user import UID, become, why_not

as_root = pytest.mark.skipif(bool(why_not()), reason=why_not())

_ON_A_MACHINE = """
import sys
from pathlib import Path
from tocsin.app import device
device.SYSTEM_FILE = Path(sys.argv.pop(1))
from tocsin.cli.main import run
run()
"""


@functools.cache
def user_cache() -> str:
    """Where that user's scans keep their indexes in all of these tests."""
    folder = tempfile.mkdtemp(prefix="tocsin-scan-settings-cache-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    os.chown(folder, UID, UID)
    return folder


class Machine:
    """A machine's settings, signatures and files, in a folder that everybody may enter."""

    def __init__(self, top: Path) -> None:
        self.top = top
        self.rules = top / "rules"
        self.rules.mkdir()
        (self.rules / "a.ndb").write_text(BODY_RULE)
        self.bad = top / "bad"
        self.bad.write_bytes(PAYLOAD)
        self.settings = top / "tocsin.toml"
        self.state(f'sources = ["{self.rules}"]\nwith_default = false')

    def state(self, database: str, scan: str = "") -> None:
        self.settings.write_text(f"[database]\n{database}\n[scan]\n{scan}\n")

    def scan(self, *arguments: str | Path) -> CompletedProcess[bytes]:
        done = tocsin(self.top, "--config", self.settings, "scan", *arguments)
        assert b"Traceback" not in done.stderr
        return done

    def scan_as_somebody(self, *arguments: str | Path) -> CompletedProcess[str]:
        home = self.top / "home"
        home.mkdir(exist_ok=True)
        os.chown(home, UID, UID)
        names = ("TOCSIN", "XDG")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(names)}
        command = [sys.executable, "-c", _ON_A_MACHINE, str(self.settings), "scan", *arguments]
        return subprocess.run(
            [*become([]), *command],
            capture_output=True,
            text=True,
            check=False,
            env={**kept, "COLUMNS": "400", "HOME": str(home), "TOCSIN_CACHE_DIR": user_cache()},
            cwd="/",
        )


@pytest.fixture
def machine() -> Iterator[Machine]:
    top = Path(tempfile.mkdtemp(prefix="tocsin-scan-settings-"))
    top.chmod(0o755)
    yield Machine(top)
    shutil.rmtree(top)


def test_what_the_settings_name_is_looked_for_and_named(machine: Machine) -> None:
    done = machine.scan(machine.bad)
    assert done.returncode == 1
    assert b"Test.Needle" in done.stdout
    assert f"1 from {machine.rules}\n".encode() in done.stdout
    assert done.stderr == b""


def test_own_signatures_as_well_when_asked_for(machine: Machine) -> None:
    eicar = machine.top / "eicar"
    eicar.write_bytes(EICAR)
    assert machine.scan(eicar).returncode == 0
    done = machine.scan("--with-default", eicar, machine.bad)
    assert done.stdout.count(b"INFECTED") - done.stdout.count(b"is INFECTED") == 2
    assert f"from {machine.rules}, tocsin's own\n".encode() in done.stdout


def test_without_a_settings_file_tocsins_own(machine: Machine, tmp_path: Path) -> None:
    done = tocsin(tmp_path, "scan", machine.bad)
    assert done.returncode == 0
    assert b" from tocsin's own\n" in done.stdout


def test_named_signatures_are_used_alone(machine: Machine) -> None:
    other = machine.top / "other.ndb"
    other.write_text("Other.Name:0:*:746f6373696e2d6e6565646c652d6f6e65\n")
    done = machine.scan("--db", other, "--json", "--all-matches", machine.bad)
    report = json.loads(done.stdout)
    assert [each["name"] for each in report["detections"]] == ["Other.Name"]


@pytest.mark.parametrize(
    ("arguments", "status"), [((), 2), (("--max-file-size", "1M"), 1), (("--db", "RULES"), 2)]
)
def test_limits_of_the_settings_hold_where_none_is_given(
    machine: Machine, arguments: tuple[str, ...], status: int
) -> None:
    machine.state(f'sources = ["{machine.rules}"]\nwith_default = false', "max_file_size = 64")
    given = [str(machine.rules) if each == "RULES" else each for each in arguments]
    assert machine.scan(*given, machine.bad).returncode == status


def test_what_the_settings_exclude(machine: Machine) -> None:
    folder = machine.top / "files"
    folder.mkdir()
    shutil.copy(machine.bad, folder)
    machine.state(f'sources = ["{machine.rules}"]\nwith_default = false', 'exclude = ["ba*"]')
    assert machine.scan(folder).returncode == 0
    assert machine.scan("--exclude", "other", folder).returncode == 1


def test_malformed_signatures_as_the_settings_say(machine: Machine) -> None:
    (machine.rules / "b.ndb").write_text("Broken\n")
    assert machine.scan(machine.bad).returncode == 1
    machine.state(f'sources = ["{machine.rules}"]\nwith_default = false\nlenient = false')
    assert machine.scan(machine.bad).returncode == 2
    assert machine.scan("--db", machine.rules, machine.bad).returncode == 2


# --- what does not go as it should --------------------------------------------------------


def test_wrong_settings_stop_a_scan_that_needs_them_alone(machine: Machine) -> None:
    machine.state("sorces = 1")
    done = machine.scan(machine.bad)
    assert (done.returncode, done.stdout) == (2, b"")
    done = machine.scan("--db", machine.rules, machine.bad)
    assert done.returncode == 1
    assert done.stderr.count(b"\n") == 1
    assert b"settings are not used" in done.stderr


def test_signatures_that_are_not_there(machine: Machine) -> None:
    machine.state('sources = ["/nonexistent/rules"]')
    done = machine.scan(machine.bad)
    assert (done.returncode, done.stdout) == (2, b"")
    assert b"/nonexistent/rules" in done.stderr
    assert bytes(machine.settings) in done.stderr


@as_root
def test_a_user_scans_with_what_the_device_uses(machine: Machine) -> None:
    done = machine.scan_as_somebody(machine.bad)
    assert done.returncode == 1, done.stderr
    assert f"from {machine.rules}\n" in done.stdout
    assert done.stderr == ""


@as_root
def test_what_a_user_may_not_read_is_said_and_the_rest_used(machine: Machine) -> None:
    closed = machine.rules / "b.ndb"
    closed.write_text("Second.Name:0:*:746f6373696e2d6e6565646c652d6f6e65\n")
    closed.chmod(0o600)
    done = machine.scan_as_somebody(machine.bad)
    assert "Test.Needle" in done.stdout
    assert done.stderr.count("\n") == 1
    assert str(closed) in done.stderr
    assert "not used" in done.stderr


@as_root
@pytest.mark.parametrize("closed", ["rules", "settings"])
def test_a_user_who_may_read_none_of_it_is_told_so(machine: Machine, closed: str) -> None:
    place = machine.rules if closed == "rules" else machine.settings
    place.chmod(0o700)
    done = machine.scan_as_somebody(machine.bad)
    assert done.returncode == 0
    assert " from tocsin's own\n" in done.stdout
    assert done.stderr.count("\n") == 1
    assert str(place) in done.stderr
    assert "tocsin's own signatures" in done.stderr


# --- its own files ------------------------------------------------------------------------


@as_root
def test_a_user_is_told_of_what_updates_brought_and_is_closed(machine: Machine) -> None:
    state = machine.top / "state"
    state.mkdir(mode=0o700)
    machine.settings.write_text(
        f'[database]\nsources = ["{machine.rules}"]\nwith_default = false\n'
        f'[daemon]\nstate = "{state}"\n'
    )
    done = machine.scan_as_somebody(machine.bad)
    assert done.returncode == 1, done.stderr
    assert f"is in {state}, which is not for this user to read" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    state.chmod(0o755)
    assert machine.scan_as_somebody(machine.bad).stderr == ""


def test_own_files_are_left_out_of_folders_and_never_taken(machine: Machine) -> None:
    plain = machine.rules / "plain.ndb"
    plain.write_text(f"# {PAYLOAD.decode()}\n")
    done = machine.scan("--action", "quarantine", machine.rules)
    assert done.returncode == 0
    assert b"tocsin's own files: 2\n" in done.stdout
    done = machine.scan("--action", "quarantine", plain)
    assert done.returncode == 1
    assert b"NOT DONE" in done.stdout
    assert b"tocsin's own files" in done.stdout
    assert plain.exists()


def test_own_files_in_a_list_are_left_out_and_programs_are_told(machine: Machine) -> None:
    listed = machine.top / "list"
    listed.write_bytes(bytes(machine.rules / "a.ndb") + b"\0" + bytes(machine.bad) + b"\0")
    done = machine.scan("--json", "--files-from0", listed)
    assert [json.loads(line)["path"] for line in done.stdout.splitlines()] == [str(machine.bad)]
    assert b"tocsin's own files left out: 1\n" in done.stderr
