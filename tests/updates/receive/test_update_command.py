"""`tocsin update` as people and scripts call it, with a database that is really tried out."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from datetime import timedelta
from pathlib import Path
from unittest import mock

import pytest
from receive_samples import NOW, Device, Repository
from securesystemslib.signer import CryptoSigner
from tuf.api.metadata import Root

import ready_process
from tocsin.app import update_versions
from tocsin.cli import main
from tocsin.database.portable import build_portable
from tocsin.errors import UsageError
from tocsin.settings import DaemonSettings, Settings
from tocsin.signatures.records import Kind, Record, Source
from tocsin.updates.layout import PUBLISHER_FIELD

SAMPLE = b"a new sample that version 2 detects"


def bad_for_everyone() -> bytes:
    """A database whose one signature is in every ELF program."""
    source = Source("bad.ndb", "0" * 64)
    return build_portable([Record(Kind.BODY, "Bad.Rule:0:0:7f454c46", source, False, 0, "")])


def detects_sample() -> bytes:
    import hashlib

    source = Source("feed.hsb", "0" * 64)
    line = f"{hashlib.sha256(SAMPLE).hexdigest()}:{len(SAMPLE)}:Sample.New"
    return build_portable([Record(Kind.FILE_DIGEST, line, source, False, 0, "")])


class Machine:
    """Calls the command with places of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "config").mkdir(parents=True, exist_ok=True)
        (folder / "own.hdb").write_text("d41d8cd98f00b204e9800998ecf8427e:999:Own\n")
        (folder / "config" / "tocsin.toml").write_text(
            f'[database]\nwith_default = false\nsources = ["{folder}/own.hdb"]\n'
        )
        self.environment = {
            **os.environ,
            "TOCSIN_STATE_DIR": str(folder / "state"),
            "TOCSIN_CONFIG_DIR": str(folder / "config"),
            "TOCSIN_CACHE_DIR": str(folder / "cache"),
            "COLUMNS": "200",
        }

    def call(self, *arguments: object) -> subprocess.CompletedProcess[str]:
        if arguments[:1] == ("update",) and arguments[1:2] not in (("bundle",), ()):
            return self._here(*map(str, arguments))
        done = ready_process.run("tocsin.cli.main", list(map(str, arguments)), env=self.environment)
        texts = (done.stdout.decode(), done.stderr.decode())
        return subprocess.CompletedProcess(done.args, done.returncode, *texts)

    def _here(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """In this process, for what forks nothing: it is loaded once."""
        out, said, status = io.StringIO(), io.StringIO(), 0
        with (
            mock.patch.dict(os.environ, self.environment),
            mock.patch.object(sys, "argv", ["tocsin", *arguments]),
            redirect_stdout(out),
            redirect_stderr(said),
        ):
            try:
                main.run()
            except SystemExit as ended:
                status = int(ended.code or 0)
        return subprocess.CompletedProcess(arguments, status, out.getvalue(), said.getvalue())

    def json(self, *arguments: object, status: int = 0) -> dict:
        done = self.call(*arguments, "--json")
        assert done.returncode == status, done.stdout + done.stderr
        value = json.loads(done.stdout)
        assert isinstance(value, dict)
        return value


def test_the_whole_life_of_a_device(tmp_path: Path) -> None:
    repository = Repository(tmp_path / "repository")
    machine = Machine(tmp_path)
    policy = tmp_path / "policy"
    policy.write_bytes(repository.policy_text())
    (tmp_path / "sample").write_bytes(SAMPLE)

    done = machine.call("update")
    assert done.returncode == 2
    assert "choose whom to trust first" in done.stderr
    assert machine.call("update", "verify").returncode == 2
    trusted = machine.json(
        *("update", "trust", "--root", repository.folder / "metadata" / "1.root.json"),
        *("--policy", policy, "--mirror", repository.folder),
    )
    assert (trusted["publisher"], trusted["quorum"]) == ("Example", "q")

    # A day's update arrives and detects a new sample.
    assert machine.call("scan", tmp_path / "sample").returncode == 0
    repository.add(2, data=detects_sample())
    repository.publish_metadata()
    outcome = machine.json("update")
    assert (outcome["before"], outcome["version"]) == (0, 2)
    assert {step["name"] for step in outcome["steps"]} >= {"metadata", "proof", "log", "test"}
    scanned = machine.call("scan", tmp_path / "sample")
    assert scanned.returncode == 1
    assert "Sample.New" in scanned.stdout

    # One that finds something in every program is not used.
    repository.add(3, data=bad_for_everyone())
    repository.publish_metadata()
    done = machine.call("update")
    assert done.returncode == 2
    assert "Bad.Rule" in done.stderr
    assert "did not pass its test" in done.stderr
    assert machine.json("update", "status", status=1)["current"] == 2

    verified = machine.json("update", "verify")
    assert verified["stands"]
    assert [each["version"] for each in verified["versions"]] == [2]
    assert [each["stands"] for each in (*verified["metadata"], *verified["log"])] == [True, True]
    assert "everything stands" in machine.call("update", "verify").stdout
    assert machine.call("update", "rollback").returncode == 2  # nothing to go back to
    assert machine.json("update", "pin") == {"pinned": 2}
    assert machine.json("update")["why"] == "version 2 is pinned"
    assert machine.json("update", "pin", "--off") == {"pinned": 0}

    place = machine.folder / "state" / "updates" / "versions" / "2" / "database.tdb"
    place.write_bytes(place.read_bytes() + b"x")
    verified = machine.json("update", "verify", status=1)
    wrong = {
        point["point"]
        for each in verified["versions"]
        for point in each["points"]
        if not point["stands"]
    }
    assert {"content", "subject"} <= wrong
    said = machine.call("update", "verify")
    assert "database 2, in use: DOES NOT" in said.stdout
    assert "1 of these must not be relied on" in said.stdout


def test_going_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tried = []
    monkeypatch.setattr(update_versions, "try_out", lambda settings, place: tried.append(place))
    repository = Repository(tmp_path / "repository")
    settings = Settings(daemon=DaemonSettings(state=str(tmp_path / "state")))
    device = Device(tmp_path / "state" / "updates", repository)
    for version in (1, 2, 3):
        repository.add(version)
        repository.publish_metadata()
        device.update()
    assert update_versions.roll_back(settings, None) == (3, 2)
    assert update_versions.roll_back(settings, None) == (2, 1)
    assert [place.parent.name for place in tried] == ["2", "1"]
    assert device.update().choice.why == "went back from version 3; waiting for a later one"
    assert device.version == 1
    with pytest.raises(UsageError, match="version 7 is not kept"):
        update_versions.roll_back(settings, 7)
    assert update_versions.roll_back(settings, 3) == (1, 3)
    assert update_versions.keep_pinned(settings, None, off=False) == 3
    repository.add(4)
    repository.publish_metadata()
    assert device.update().now == 3
    assert update_versions.keep_pinned(settings, None, off=True) == 0
    assert device.update().now == 4


def test_going_back_to_what_was_pulled_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(update_versions, "try_out", lambda settings, place: None)
    repository = Repository(tmp_path / "repository")
    settings = Settings(daemon=DaemonSettings(state=str(tmp_path / "state")))
    device = Device(tmp_path / "state" / "updates", repository)
    for version in (1, 2, 3):
        repository.add(version)
        repository.publish_metadata()
        device.update()
    repository.withdraw(1, "flags /bin/ls")
    repository.log_withdrawal(2, "flags /bin/cat")
    repository.publish_metadata()
    device.update()
    before = device.snapshot()
    for version, reason in ((1, "flags /bin/ls"), (2, "flags /bin/cat")):  # metadata; the log
        with pytest.raises(UsageError, match=f"version {version} was pulled back.*{reason}"):
            update_versions.roll_back(settings, version)
    assert device.snapshot() == before
    assert update_versions.roll_back(settings, 2, pulled_back=True) == (3, 2)

    # The user left version 3 on purpose, and nothing but a later one is taken instead.
    choice = device.update().choice
    assert "version 2 was pulled back: flags /bin/cat" in choice.why
    assert "you went back from version 3: 'tocsin update pin 3' takes it" in choice.why
    assert device.version == 2
    assert "flags /bin/cat" in device.state.seen().in_use
    repository.add(4)
    repository.publish_metadata()
    assert device.update().now == 4


def test_what_the_user_went_back_from_is_no_replacement_until_the_user_takes_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(update_versions, "try_out", lambda settings, place: None)
    repository = Repository(tmp_path / "repository")
    settings = Settings(daemon=DaemonSettings(state=str(tmp_path / "state")))
    device = Device(tmp_path / "state" / "updates", repository)
    for version in (1, 2, 3):
        repository.add(version)
        repository.publish_metadata()
        device.update()
    assert update_versions.roll_back(settings, 2) == (3, 2)
    repository.withdraw(2, "flags /bin/ls")  # what the user went to, and later
    repository.publish_metadata()
    assert device.update().now == 1
    assert update_versions.keep_pinned(settings, 3, off=False) == 3
    assert device.update().now == 3
    assert device.state.installed().left == ()


def test_a_bundle_and_a_successor(tmp_path: Path) -> None:
    repository = Repository(tmp_path / "repository")
    repository.add(1)
    repository.publish_metadata()
    policy = tmp_path / "policy"
    policy.write_bytes(repository.policy_text())
    machine = Machine(tmp_path)
    root = repository.folder / "metadata" / "1.root.json"
    machine.json("update", "trust", "--root", root, "--policy", policy)
    bundle = tmp_path / "today.bundle"
    where = ("--mirror", repository.folder)
    assert machine.json("update", "bundle", "export", bundle, *where)["version"] == 1
    late = (NOW + timedelta(days=40)).isoformat()
    done = machine.call("update", "bundle", "import", bundle, "--at", late)
    assert done.returncode == 2
    assert "expired" in done.stderr
    assert machine.json("update", "bundle", "import", bundle)["version"] == 1

    own = [CryptoSigner.generate_ed25519() for _ in range(2)]

    def change(signed: Root) -> None:
        for old in repository.root_keys:
            signed.revoke_key(old.public_key.keyid, "root")
        for new in own:
            signed.add_key(new.public_key, "root")
        signed.unrecognized_fields[PUBLISHER_FIELD]["name"] = "Heir\x1b[31m"
        fresh = CryptoSigner.generate_ed25519()
        signed.revoke_key(repository.online["timestamp"].public_key.keyid, "timestamp")
        signed.add_key(fresh.public_key, "timestamp")
        repository.online["timestamp"] = fresh

    repository.write_root(repository.next_root(change), [*repository.custodians[:2], *own])
    repository.publish_metadata()
    done = machine.call("update", *where)
    assert done.returncode == 3
    assert "\x1b" not in done.stderr
    shown = machine.call("update", "consent")
    assert shown.returncode == 3
    assert "custodian(s) signed it" in shown.stdout
    assert "\x1b" not in shown.stdout
    (waiting,) = machine.json("update", "consent", status=3)["waiting"]
    assert "0 own keys of the publisher's; 2 are needed" in shown.stdout
    assert "2 custodians; 2 are needed" in shown.stdout
    assert "daily keys     timestamp" in shown.stdout
    assert machine.call("update", "consent", "--yes", "0" * 64).returncode == 2
    agreed = machine.json("update", "consent", "--yes", waiting["sha256"])
    assert agreed == {"agreed": [2]}
    assert machine.json("update", "consent") == {"waiting": []}  # before any update succeeds, too
    status = machine.json("update", "status", status=1)
    assert status["attention"] == ["you agreed to root 2; 'tocsin update' goes on with it"]
    assert (status["pending_roots"], status["last"]["outcome"]) == ([], "agreed")
    gone = ("--mirror", tmp_path / "gone")
    assert "waits for you" not in machine.call("update", *gone).stderr
    said = machine.call("update", "status")
    assert "waits" not in said.stdout + said.stderr
    assert machine.json("update", "consent", "--refuse") == {"waiting": []}  # taken back
    assert machine.call("update", *where).returncode == 3
    machine.json("update", "consent", "--yes", waiting["sha256"])
    assert machine.json("update", *where)["outcome"] == "unchanged"
    assert machine.json("update", "consent") == {"waiting": []}


@pytest.mark.parametrize("verb", ["trust", "status", "verify", "rollback", "pin", "consent"])
def test_help_shows_examples(verb: str, tmp_path: Path) -> None:
    done = Machine(tmp_path).call("update", verb, "--help")
    assert done.returncode == 0
    assert f"tocsin update {verb}" in done.stdout
