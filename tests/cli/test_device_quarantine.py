"""Members of `[daemon] admin_group` and the device's quarantine, which root alone can read."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from cli.other_user import GROUP, UID, call, call_at_home, member, why_not
from protect.running_daemon import RunningDaemon, running_daemon
from tocsin.app.device import Device
from tocsin.app.quarantine import Quarantine
from tocsin.app.remote_quarantine import Quarantines, RemoteQuarantine, reached
from tocsin.errors import QuarantineError
from tocsin.protect.configuration.load import load_file
from tocsin.protect.quarantine.record import Detected, Examination, Finding
from tocsin.protect.quarantine.vault import Vault
from tocsin.settings import Settings

pytestmark = pytest.mark.skipif(bool(why_not()), reason=why_not())


@pytest.fixture(scope="module")
def daemon() -> Iterator[RunningDaemon]:
    with running_daemon(daemon={"admin_group": GROUP}) as running:
        yield running


@pytest.fixture(autouse=True)
def empty(daemon: RunningDaemon) -> Iterator[None]:
    yield
    if (daemon.state / "quarantine").exists():
        with Vault(daemon.state / "quarantine") as vault:
            for item in list(vault.items()):
                vault.delete(item.id)


@pytest.fixture
def taken(daemon: RunningDaemon) -> Path:
    """A file that root took away."""
    path = daemon.folder / "files" / "odd\n\udcffname"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"content")
    path.chmod(0o640)
    os.chown(path, UID, UID)
    done = run(daemon, None, "take", path, "--reason", "strange")
    assert done.returncode == 0, done.stderr
    return path


def run(
    daemon: RunningDaemon,
    groups: list[int] | None,
    *arguments: str | Path,
    config: Path | None = None,
) -> subprocess.CompletedProcess[str]:
    return call(daemon, groups, "quarantine", *arguments, config=config)


def test_a_member_is_shown_what_root_is(daemon: RunningDaemon, taken: Path) -> None:
    for as_json in ([], ["--json"]):
        listed = [run(daemon, groups, "list", *as_json) for groups in (None, member())]
        assert listed[0].stdout == listed[1].stdout
        assert [each.returncode for each in listed] == [0, 0]
        assert listed[1].stderr == ""
    (item,) = json.loads(listed[1].stdout)
    assert item["path"] == str(taken)
    shown = [run(daemon, groups, "show", item["id"][:6]) for groups in (None, member())]
    assert "strange" in shown[1].stdout
    assert shown[0].stdout == shown[1].stdout
    assert json.loads(run(daemon, member(), "show", item["id"], "--json").stdout) == item
    done = run(daemon, member(), "show", "zz")
    assert done.returncode == 2
    assert done.stderr == "tocsin: zz: no such object; 'tocsin quarantine list' shows all\n"


def test_a_member_restores_to_its_place_and_nowhere_else(
    daemon: RunningDaemon, taken: Path
) -> None:
    (item,) = json.loads(run(daemon, member(), "list", "--json").stdout)
    for more in (["--to", "/tmp"], ["--keep-setid"]):
        done = run(daemon, member(), "restore", item["id"], *more)
        assert done.returncode == 2
        assert "only root" in done.stderr
        assert not taken.exists()
    code, body = daemon.request(
        "POST", "/v1/act", {"verb": "quarantine-show", "arguments": {"id": item["id"]}}
    )
    assert (code, json.loads(body)["result"]["id"]) == (200, item["id"])
    done = run(daemon, member(), "restore", item["id"][:8], "0000", "--json")
    assert done.returncode == 2
    restored, unknown = json.loads(done.stdout)
    assert restored == {"id": item["id"], "path": str(taken), "remarks": [], "error": ""}
    assert "no such object" in unknown["error"]
    assert taken.read_bytes() == b"content"
    assert (taken.stat().st_uid, taken.stat().st_mode & 0o7777) == (UID, 0o640)
    (event,) = daemon.wait_until(lambda: daemon.events(action="restored", record=item["id"]))
    assert (event["uid"], event["path"]) == (UID, str(taken))
    taken.unlink()


def test_status_tells_what_is_offered_for_restoring(daemon: RunningDaemon, taken: Path) -> None:
    again = taken.with_name("again")
    again.write_bytes(b"something")
    detected = Detected(name="Test.A", source="s", object=str(again))
    with Vault(daemon.state / "quarantine") as vault:
        record = vault.take(bytes(again), finding=Finding(detections=(detected,)))
        assert call(daemon, member(), "status").stdout.count("no longer detected") == 0
        vault.remember(record.id, Examination(database="d", time=1.0, verdict="clean"))
    done = call(daemon, member(), "status", "--json")
    assert json.loads(done.stdout)["quarantine"]["restorable"] == 1
    said = " ".join(call(daemon, member(), "status").stdout.split())
    assert "one object is no longer detected; 'tocsin quarantine restore' puts back" in said


def test_a_member_deletes(daemon: RunningDaemon, taken: Path) -> None:
    (item,) = json.loads(run(daemon, member(), "list", "--json").stdout)
    done = run(daemon, member(), "delete", "--older-than", "1", "--json")
    assert (done.returncode, json.loads(done.stdout)) == (0, [])
    done = run(daemon, member(), "delete", item["id"][:8])
    assert (done.returncode, done.stdout) == (0, f"deleted {item['id']}\n")
    taken.write_bytes(b"again")
    run(daemon, None, "take", taken)
    done = run(daemon, member(), "delete", "--older-than", "0.0000001")
    assert (done.returncode, done.stdout) == (0, "deleted 1 object\n")
    assert run(daemon, None, "list").stdout == ""


def test_a_member_gets_rid_of_what_is_damaged(daemon: RunningDaemon, taken: Path) -> None:
    (record,) = (daemon.state / "quarantine" / "records").iterdir()
    record.write_bytes(b"rubbish")
    done = run(daemon, member(), "list")
    assert done.returncode == 1
    assert "DAMAGED" in done.stdout
    number = json.loads(run(daemon, member(), "list", "--json").stdout)[0]["id"]
    done = run(daemon, member(), "delete", number)
    assert done.returncode == 0, done.stderr
    assert run(daemon, member(), "list").stdout == ""


def test_who_is_no_member_is_told_how_to_become_one(daemon: RunningDaemon, taken: Path) -> None:
    for verb in (["list"], ["show", "1"], ["restore", "1"], ["delete", "1"]):
        done = run(daemon, [], *verb)
        assert done.returncode == 2
        assert done.stdout == ""
        assert f"members of '{GROUP}' alone; 'sudo usermod -aG {GROUP} USER' adds" in done.stderr
        assert f"'sudo tocsin quarantine {verb[0]}'" in done.stderr
    assert not taken.exists()


def test_without_a_daemon_it_is_said(daemon: RunningDaemon, taken: Path) -> None:
    config = daemon.folder / "nobody-there.toml"
    config.write_text(daemon.config.read_text().replace(daemon.api, f"{daemon.api}.none"))
    done = run(daemon, member(), "list", config=config)
    assert done.returncode == 2
    assert "no daemon runs with this socket" in done.stderr
    assert str(daemon.state / "quarantine") in done.stderr


def test_a_list_longer_than_one_message(daemon: RunningDaemon, tmp_path: Path) -> None:
    with Vault(daemon.state / "quarantine") as vault:
        for number in range(12):
            path = tmp_path / f"{number}-{'n' * 200}"
            path.write_bytes(b"x")
            vault.take(path, finding=Finding(reason="r" * 30_000))
    done = run(daemon, member(), "list", "--json")
    assert done.returncode == 0, done.stderr
    assert len(done.stdout) > 300_000
    assert done.stdout == run(daemon, None, "list", "--json").stdout
    assert daemon.status()["restarts"].get("keeper", 0) == 0


@pytest.fixture
def both(
    daemon: RunningDaemon, taken: Path, tmp_path: Path
) -> Iterator[tuple[Quarantines, str, str]]:
    """What a member has who took something away too, and what is in each."""
    settings = load_file(daemon.config, needed=True).settings
    mine = tmp_path / "mine"
    mine.write_bytes(b"mine")
    with Quarantine(Settings(), tmp_path / "vault", create=True) as own:
        own._journal = tmp_path / "journal.db"
        record = own.take(str(mine), "")
        remote = RemoteQuarantine(settings)
        (item,) = remote.items()
        yield Quarantines(own, remote), record.id, item["id"]


def test_own_and_the_devices_together(
    both: tuple[Quarantines, str, str], taken: Path, tmp_path: Path
) -> None:
    quarantines, mine, theirs = both
    assert [item["id"] for item in quarantines.items()] == [theirs, mine]
    assert quarantines.show(theirs[:8])["path"] == str(taken)
    assert quarantines.show(mine[:8])["path"] == str(tmp_path / "mine")
    with pytest.raises(QuarantineError, match="no such object"):
        quarantines.show("0000000000")
    with pytest.raises(QuarantineError, match="only root"):
        quarantines.restore(theirs, str(tmp_path / "x"), keep_setid=False)
    moved = quarantines.restore(mine, str(tmp_path / "moved"), keep_setid=False)
    assert moved["path"] == str(tmp_path / "moved")
    assert quarantines.delete(theirs[:8]) == theirs
    assert quarantines.items() != []  # as it was seen when it was asked


def test_a_short_number_must_tell_the_two_apart(
    both: tuple[Quarantines, str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    quarantines, mine, theirs = both
    item = quarantines.show(theirs)
    twin = mine[:6] + theirs[6:]
    quarantines._items = {twin: {**item, "id": twin}}
    with pytest.raises(QuarantineError, match="2 objects begin so"):
        quarantines.delete(mine[:6])
    assert quarantines.show(mine)["id"] == mine


def test_whose_own_is_seen_is_not_kept_from_it_by_the_devices(
    both: tuple[Quarantines, str, str], daemon: RunningDaemon
) -> None:
    quarantines, mine, _ = both
    settings = load_file(daemon.folder / "tocsin.toml", needed=True).settings
    gone = msgspec.structs.replace(settings.daemon, api_socket="/nonexistent/api.sock")
    settings = msgspec.structs.replace(settings, daemon=gone)
    alone = Quarantines(quarantines._own, RemoteQuarantine(settings))
    assert [item["id"] for item in alone.items()] == [mine]
    assert "no daemon" in alone.unseen
    with pytest.raises(QuarantineError, match="no such object of yours"):
        alone.delete("0000000000")


def test_root_and_a_named_folder_need_no_daemon(
    daemon: RunningDaemon, taken: Path, tmp_path: Path
) -> None:
    settings = load_file(daemon.config, needed=True).settings
    with reached(settings, Device(settings, daemon.config, False), None) as quarantines:
        assert quarantines._device is None
        assert len(quarantines.items()) == 1


def test_at_home_a_member_has_both_and_others_their_own(daemon: RunningDaemon, taken: Path) -> None:
    home = daemon.folder / "home"
    home.mkdir()
    mine = home / "mine"
    mine.write_bytes(b"mine")
    for each in (home, mine):
        os.chown(each, UID, UID)
    done = call_at_home(daemon, [], home, "quarantine", "list")
    assert (done.returncode, done.stdout) == (2, "")
    assert f"members of '{GROUP}' alone" in done.stderr
    done = call_at_home(daemon, member(), home, "quarantine", "take", mine)
    assert done.returncode == 0, done.stderr
    done = call_at_home(daemon, member(), home, "quarantine", "list", "--json")
    both = [item["path"] for item in json.loads(done.stdout)]
    assert both == [str(taken), str(mine)]
    done = call_at_home(daemon, [], home, "quarantine", "list", "--json")
    assert [item["path"] for item in json.loads(done.stdout)] == [str(mine)]
    assert done.returncode == 0
    assert "tocsin: not shown: " in done.stderr
