"""`tocsin update software` as people and scripts call it, and what becomes of the daemon."""

from __future__ import annotations

import io
import json
import os
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from unittest import mock

import pytest
from receive_samples import Repository
from software_samples import add_release, make_wheels

from tocsin.app import software, software_daemon, software_place, update_task
from tocsin.app.install import this_executable
from tocsin.app.software_daemon import Restarted, restart_daemon, started_by
from tocsin.cli import main
from tocsin.errors import InstallError
from tocsin.protect.install.service_unit import UNIT, system_unit
from tocsin.protect.journal.event import Event
from tocsin.settings import Settings
from tocsin.updates.receive.errors import UpdateError
from tocsin.updates.receive.installations import Installations


class Machine:
    """Calls the command with places of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "config").mkdir(parents=True, exist_ok=True)
        self.repository = Repository(folder / "repository")
        self.prefix = folder / "software"
        self.environment = {
            **os.environ,
            "TOCSIN_STATE_DIR": str(folder / "state"),
            "TOCSIN_CONFIG_DIR": str(folder / "config"),
            "TOCSIN_CACHE_DIR": str(folder / "cache"),
            "TOCSIN_SOFTWARE_DIR": str(self.prefix),
        }
        (folder / "root.json").write_bytes(self.repository.root_bytes(1))
        (folder / "policy").write_bytes(self.repository.policy_text())
        self.call(
            *("trust", "--root", folder / "root.json", "--policy", folder / "policy"),
            *("--mirror", self.repository.folder),
        )

    def publish(self, version: str, *, fault: str = "") -> None:
        wheels = make_wheels(self.folder / "wheels" / version, version, fault=fault)
        add_release(self.repository, version, wheels)
        self.repository.publish_metadata()

    def call(self, *arguments: object, status: int = 0) -> tuple[str, str]:
        out, err = io.StringIO(), io.StringIO()
        words = ["tocsin", "update", *map(str, arguments)]
        with (
            mock.patch.dict(os.environ, self.environment, clear=True),
            mock.patch("sys.argv", words),
            redirect_stdout(out),
            redirect_stderr(err),
        ):
            try:
                main.run()
                ended = 0
            except SystemExit as error:
                ended = int(error.code or 0)
        assert ended == status, out.getvalue() + err.getvalue()
        return out.getvalue(), err.getvalue()

    def json(self, *arguments: object, status: int = 0) -> dict:
        return json.loads(self.call(*arguments, "--json", status=status)[0])


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Machine:
    with pytest.MonkeyPatch.context() as patch:
        # A folder of pytest's belongs to whoever runs it, and others may be let in by a group.
        patch.setattr(software, "demand_only_root_writes", lambda _: None)
        patch.setattr(
            software, "restart_daemon", lambda *_: Restarted(restarted=False, failed=False, text="")
        )
        yield Machine(tmp_path_factory.mktemp("machine"))


def test_from_nothing_to_a_release_and_back(machine: Machine) -> None:
    said, _ = machine.call("software", "--check")
    assert "is the newest" in said
    said, _ = machine.call("software", "status", status=1)
    assert "no release was installed there yet" in said
    machine.publish("1.0")
    assert machine.json("software", "--check", status=1)["available"] == "1.0"
    assert not machine.prefix.exists()
    said, _ = machine.call("software")
    assert "version 1.0 is in use: 2 wheels in" in said
    assert "witnesses: seen by w0, w1, w2" in said
    assert f"the commands are in {machine.prefix}/bin" in said
    machine.publish("1.1")
    values = machine.json("software")
    assert (values["outcome"], values["now"][:3], values["before"][:3]) == ("updated", "1.1", "1.0")
    assert {step["name"] for step in values["steps"]} >= {"wheels", "environment", "test", "switch"}
    assert machine.json("software")["outcome"] == "unchanged"
    said, _ = machine.call("software", "status")
    assert "in use" in said
    assert [each["version"] for each in machine.json("software", "status")["releases"]] == [
        "1.1",
        "1.0",
    ]
    assert machine.json("software", "rollback")["now"].startswith("1.0-")
    _, error = machine.call("software", "rollback", status=2)
    assert "no earlier release is kept" in error
    said, _ = machine.call("software", "rollback", "1.1")
    assert "1.1-" in said
    _, error = machine.call("software", "rollback", "7.0", status=2)
    assert "none of the releases that are kept" in error


def test_plain_update_says_that_a_later_release_is_there(machine: Machine) -> None:
    machine.publish("1.0.1")
    machine.repository.add(1)
    machine.repository.publish_metadata()
    with mock.patch("tocsin.app.updates.try_out"):
        said, _ = machine.call()
    assert "of tocsin is there" not in said  # 1.1 was installed already, and gone back from
    machine.publish("1.1.0.1")
    said, _ = machine.call()
    assert "version 1.1.0.1 of tocsin is there: tocsin update software" in said
    assert machine.json()["software"] == "1.1.0.1"
    with mock.patch("tocsin.app.updates.VERSION", "1.1.0.1"):
        assert machine.json()["software"] == ""


def test_the_daemons_round_journals_a_later_release_once(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[Event] = []
    monkeypatch.setattr(update_task, "keep_capabilities", lambda *_: None)
    monkeypatch.setattr(update_task, "lower_priority", lambda *_, **__: [])
    monkeypatch.setattr(update_task, "without_rights", lambda work, tr, _, say: work(tr, say))
    monkeypatch.setattr(update_task, "try_out", lambda *_: None)
    monkeypatch.setattr(update_task, "write_events", lambda _, new: told.extend(new) or "")
    machine.publish("1.1.1")
    before = machine.json("status")["software"]
    assert before in ("", "1.1.0.1")
    with mock.patch("tocsin.app.updates.try_out"):
        for _ in range(2):
            machine.call("background")
    assert [event.details["software"] for event in told if event.action == "available"] == ["1.1.1"]
    assert machine.json("status")["software"] == "1.1.1"
    assert "version 1.1.1 of tocsin is there: tocsin update software" in machine.call("status")[0]
    # What mirrors cannot say for a while was true before.
    mirror = machine.repository.folder
    mirror.rename(mirror.with_name("away"))
    try:
        machine.call("background", status=2)
    finally:
        mirror.with_name("away").rename(mirror)
    assert machine.json("status", status=1)["software"] == "1.1.1"
    with mock.patch("tocsin.app.update_health.VERSION", "1.1.1"):
        assert machine.json("status", status=1)["software"] == ""
    machine.call("software")
    machine.call("software", "rollback")
    assert machine.json("status", status=1)["software"] == ""  # an update would not take it again


def test_a_release_that_does_not_do_ends_with_2(machine: Machine) -> None:
    machine.publish("1.2", fault="flags")
    _, error = machine.call("software", status=2)
    assert "did not pass its test on this device: it says Found.It of /bin/ls" in error
    _, error = machine.call("software", "status")
    assert "Found.It" in error
    assert machine.json("software")["why"] == "version 1.2 did not pass its test here"
    with mock.patch("tocsin.app.updates.try_out"):
        said, _ = machine.call()
    assert "version 1.2 of tocsin is there and did not pass its test here: it says Found.It" in said
    assert "'tocsin update software --again'" in said
    said, _ = machine.call("status", status=0)
    assert "did not pass its test here" in said
    assert "Found.It" in machine.json("status", status=0)["software_failed"]


def test_help_has_examples(machine: Machine) -> None:
    for words in (("software",), ("software", "status"), ("software", "rollback")):
        said, _ = machine.call(*words, "--help")
        assert "Examples:" in said
        assert "Exit status:" in said


# --- the daemon ---------------------------------------------------------------------------


class Systemd:
    """Takes systemd's place: what it is told, and how it answers."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
        self.told: list[tuple[str, ...]] = []
        self.fails: list[str] = []
        self.active = True
        self.unit = folder / UNIT
        monkeypatch.setattr(software_daemon, "systemctl", self.systemctl)
        monkeypatch.setattr(software_daemon, "_unit", lambda _: self.unit)
        monkeypatch.setattr(software_daemon, "_SYSTEMD_RUNS", str(folder))

    def systemctl(self, _target: object, *arguments: str, may_fail: bool = False) -> int:
        self.told.append(arguments)
        if arguments[0] == "is-active":
            return 0 if self.active else 3
        if self.fails:
            raise InstallError(self.fails.pop(0))
        return 0


@pytest.fixture
def systemd(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Systemd:
    return Systemd(monkeypatch, tmp_path)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    import msgspec

    made = Settings()
    daemon = msgspec.structs.replace(made.daemon, api_socket=str(tmp_path / "none.sock"))
    return msgspec.structs.replace(made, daemon=daemon)


def test_the_service_is_restarted(systemd: Systemd, settings: Settings, tmp_path: Path) -> None:
    folder = tmp_path / "soft ware"
    systemd.unit.write_text(system_unit([f"{folder}/bin/tocsin"]))
    assert started_by(systemd.unit)[0] == f"{folder}/bin/tocsin"
    assert restart_daemon(folder, settings).restarted
    assert systemd.told == [("is-active", UNIT), ("restart", UNIT)]
    systemd.active = False
    assert restart_daemon(folder, settings).text == "the daemon does not run"


def test_the_service_of_another_installation_is_left_alone(
    systemd: Systemd, settings: Settings, tmp_path: Path
) -> None:
    systemd.unit.write_text(system_unit(["/opt/pipx/venvs/tocsin/bin/tocsin"]))
    done = restart_daemon(tmp_path / "software", settings)
    assert "runs /opt/pipx/venvs/tocsin/bin/tocsin, another installation" in done.text
    assert f"{tmp_path}/software/bin/tocsin install" in done.text
    assert systemd.told == []


def test_without_a_service_nothing_is_done(
    systemd: Systemd, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert restart_daemon(tmp_path, settings).text == ""
    monkeypatch.setattr(software_daemon, "is_answered", lambda _: True)
    assert "restart it" in restart_daemon(tmp_path, settings).text


def test_a_daemon_that_does_not_come_up_brings_the_release_before_back(
    machine: Machine, systemd: Systemd, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(software, "restart_daemon", restart_daemon)
    before = Installations(machine.prefix).current()
    systemd.unit.write_text(system_unit([f"{machine.prefix}/bin/tocsin"]))
    systemd.fails = ["Job for tocsin.service failed"]
    machine.publish("2.0")
    _, error = machine.call("software", status=2)
    assert "the daemon did not come up with tocsin 2.0: Job for tocsin.service failed" in error
    assert f"{before} is in use again; the daemon was restarted" in error
    assert Installations(machine.prefix).current() == before
    assert machine.json("software")["outcome"] == "unchanged"  # it is not tried again and again
    machine.publish("2.1")
    assert machine.json("software")["daemon"] == "the daemon was restarted"


# --- places -------------------------------------------------------------------------------


def test_a_release_knows_the_command_that_starts_the_one_in_use(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "software"
    release = folder / "versions" / "1.0-0123456789ab" / "bin"
    release.mkdir(parents=True)
    python = str(release / "python")
    assert software_place.own_folder(python) is None  # there is no link yet
    (folder / "current").symlink_to("versions/1.0-0123456789ab")
    (folder / "bin").mkdir()
    command = folder / "bin" / "tocsin"
    command.write_text("")
    assert software_place.own_folder(python) == folder
    assert software_place.launcher(python) is None  # it cannot be started
    command.chmod(0o755)
    assert software_place.launcher(python) == command
    monkeypatch.setattr("tocsin.app.install.launcher", lambda: software_place.launcher(python))
    assert this_executable() == (str(command),)


def test_the_usual_places(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("TOCSIN_SOFTWARE_DIR", raising=False)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert software_place.software_folder() == Path("/opt/tocsin")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setenv("XDG_DATA_HOME", "/data")
    assert software_place.software_folder() == Path("/data/tocsin/software")
    assert software_place.software_folder(tmp_path / "x") == tmp_path / "x"


def test_root_installs_nothing_where_others_may_write(tmp_path: Path) -> None:
    from tocsin.app.install import demand_only_root_writes

    if os.geteuid():
        pytest.skip("not root")
    open_to_all = tmp_path / "open"
    open_to_all.mkdir()
    open_to_all.chmod(0o777)
    with pytest.raises(InstallError, match="can be written by everybody"):
        demand_only_root_writes(open_to_all / "software")
    demand_only_root_writes(Path("/opt/tocsin"))


def test_a_process_that_fetches_and_ends_early_is_journalled_once(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ends(*_: object) -> None:
        raise UpdateError("the process that fetches ended early (9)")

    told: list[Event] = []
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(update_task, "keep_capabilities", lambda *_: None)
    monkeypatch.setattr(update_task, "make_journal_folder", lambda *_: None)
    monkeypatch.setattr(update_task, "lower_priority", lambda *_, **__: [])
    monkeypatch.setattr(update_task, "without_rights", ends)
    monkeypatch.setattr(update_task, "write_events", lambda _, new: told.extend(new) or "")
    for _ in range(3):
        machine.call("background", status=2)
    (event,) = told
    assert "ended early (9)" in event.message
    assert "ended early (9)" in machine.json("status", status=1)["last"]["text"]
