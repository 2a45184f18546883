"""A real daemon that updates its device by itself: taken, failed, waiting; nobody is dropped."""

from __future__ import annotations

import functools
import hashlib
import json
import os
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from receive_samples import Repository
from securesystemslib.signer import CryptoSigner
from tuf.api.metadata import Root

from protect import running_daemon
from protect.running_daemon import RunningDaemon, daemon_folder, hear
from tocsin.database.portable import build_portable
from tocsin.signatures.records import Kind, Record, Source
from tocsin.updates.layout import PUBLISHER_FIELD

USER = 54_321
AS_USER: dict[str, Any] = {"user": USER, "group": USER, "extra_groups": []}
PYTHONPATH = os.pathsep.join(place for place in sys.path if place.endswith(("src", "-packages")))
KNOWN = b"something of yesterday"
SAMPLE = b"a sample that becomes known while the daemon runs"


def detects(*samples: bytes) -> bytes:
    source = Source("feed.hsb", "0" * 64)
    lines = [f"{hashlib.sha256(s).hexdigest()}:{len(s)}:Sample.{n}" for n, s in enumerate(samples)]
    return build_portable([Record(Kind.FILE_DIGEST, line, source, False, 0, "") for line in lines])


class Updating:
    """A daemon that trusts a publisher, and the publisher."""

    def __init__(self, folder: Path) -> None:
        self.repository = Repository(folder / "repository")
        self.newest = 0
        self.publish(KNOWN)
        self.daemon = RunningDaemon(
            folder,
            database={"with_default": False},
            updates={"mirrors": [str(self.repository.folder)], "every": "2s"},
        )
        trust = folder / "config" / "trust"
        trust.mkdir(parents=True)
        (trust / "root.json").write_bytes(self.repository.root_bytes(1))
        (trust / "policy").write_bytes(self.repository.policy_text())

    def publish(self, *samples: bytes) -> None:
        self.newest += 1
        self.repository.add(self.newest, data=detects(*samples))
        self.repository.publish_metadata()

    def scanned(self, data: bytes) -> bytes:
        piece = struct.pack(">I", len(data)) + data + struct.pack(">I", 0)
        with self.daemon.connect() as end:
            end.sendall(b"zINSTREAM\0" + piece)
            return hear(end)

    def told(self, action: str) -> list[dict]:
        return self.daemon.events(kind="update", action=action)


@pytest.fixture(scope="module")
def updating() -> Iterator[Updating]:
    with daemon_folder() as folder:
        made = Updating(folder)
        try:
            made.daemon.start()
            made.daemon.wait_until(lambda: made.daemon.request("GET", "/v1/events")[0] == 200)
            made.daemon.wait_until(lambda: made.told("updated"), 60)
            yield made
        finally:
            if made.daemon.process is not None:
                made.daemon.stop()


def test_it_takes_what_is_new_and_drops_no_request(updating: Updating) -> None:
    """Somebody scans all the time; no answer is missing, and at the end it is the new one."""
    assert b"OK" in updating.scanned(SAMPLE)
    answers: list[bytes] = []
    done = threading.Event()

    def scan_all_the_time() -> None:
        while not done.is_set():
            answers.append(updating.scanned(SAMPLE))
            done.wait(0.02)

    client = threading.Thread(target=scan_all_the_time)
    client.start()
    try:
        updating.publish(KNOWN, SAMPLE)
        updating.daemon.wait_until(lambda: b"FOUND" in answers[-1], 60)
    finally:
        done.set()
        client.join()
    assert len(answers) > 10
    first = next(n for n, answer in enumerate(answers) if b"FOUND" in answer)
    assert all(answer == b"stream: OK\0" for answer in answers[:first])
    assert all(answer == b"stream: Sample.1.UNOFFICIAL FOUND\0" for answer in answers[first:])


def test_what_was_taken_is_journalled_with_who_saw_it(updating: Updating) -> None:
    (first, *_) = updating.told("updated")
    assert first["origin"] == "update"
    assert "version 1" in first["message"]
    assert "seen by w0, w1, w2" in first["message"]


def test_the_process_that_updates_is_none_of_the_daemons(updating: Updating) -> None:
    (first, *_) = updating.told("updated")
    assert first["pid"] not in updating.daemon.status()["processes"].values()


def test_status_says_which_version_how_old_and_who_vouches(updating: Updating) -> None:
    updating.daemon.wait_until(lambda: len(updating.told("updated")) == updating.newest, 60)
    values = status(updating.daemon)["updates"]
    assert values["version"] == updating.newest
    assert values["witnesses"] == ["w0", "w1", "w2"]
    assert values["every"] == 2.0
    assert values["next"] > values["checked"] - 60


def test_a_failure_is_journalled_once_not_at_each_try(updating: Updating) -> None:
    place = updating.repository.folder / "metadata" / "timestamp.json"
    kept = place.read_bytes()
    place.write_bytes(kept.replace(b'"sig": "', b'"sig": "00', 1))
    try:
        updating.daemon.wait_until(lambda: updating.told("failed"), 60)
        failures = status(updating.daemon)["updates"]["failures"]
        updating.daemon.wait_until(
            lambda: status(updating.daemon)["updates"]["failures"] > failures, 60
        )
        (event,) = updating.told("failed")
        assert "the update failed" in event["message"]
        assert b"FOUND" in updating.scanned(KNOWN)  # what was in use still is
    finally:
        place.write_bytes(kept)


def test_a_new_publisher_waits_and_status_says_so(updating: Updating) -> None:
    repository = updating.repository
    stranger = [CryptoSigner.generate_ed25519() for _ in range(2)]

    def change(root: Root) -> None:
        for signer in repository.root_keys:
            root.revoke_key(signer.public_key.keyid, "root")
        for signer in stranger:
            root.add_key(signer.public_key, "root")
        repository.claim(root, "Somebody Else")
        assert PUBLISHER_FIELD in root.unrecognized_fields

    root = repository.next_root(change)
    repository.write_root(root, [*repository.root_keys[:2], *stranger])
    updating.daemon.wait_until(lambda: updating.told("waiting"), 60)
    said = status(updating.daemon)
    assert any(
        each["topic"] == "updates" and "tocsin update consent" in each["advice"]
        for each in said["judgements"]
    )
    assert b"FOUND" in updating.scanned(KNOWN)


@cache
def python_of_another_user() -> str:
    """An interpreter with which another user can run this package; empty for none."""
    for each in (sys.executable, f"/usr/bin/python3.{sys.version_info.minor}"):
        with suppress(OSError):
            done = subprocess.run(
                [each, "-c", "import tocsin.cli.main, hyperscan, tuf.ngclient"],
                env={"PYTHONPATH": PYTHONPATH},
                **AS_USER,
            )
            if done.returncode == 0:
                return each
    return ""


@pytest.mark.skipif(
    os.geteuid() != 0 or not python_of_another_user(),
    reason="only root can start a daemon as another user, who must be able to read the package",
)
def test_an_ordinary_users_daemon_updates_what_is_theirs() -> None:
    """No right is there to begin with; everything is the user's, and is tried out the same way."""
    with daemon_folder() as folder:
        made = Updating(folder)
        for place in (folder, *folder.rglob("*")):
            os.chown(place, USER, USER)
        words = [python_of_another_user(), "-m", "tocsin.cli.main"]
        with (
            mock.patch.object(running_daemon, "TOCSIN", words),
            mock.patch.object(subprocess, "Popen", functools.partial(subprocess.Popen, **AS_USER)),
            mock.patch.dict(os.environ, PYTHONPATH=PYTHONPATH),
        ):
            made.daemon.start()
        try:
            made.daemon.wait_until(lambda: made.daemon.request("GET", "/v1/events")[0] == 200)
            made.daemon.wait_until(lambda: made.told("updated"), 60)
            made.publish(KNOWN, SAMPLE)
            made.daemon.wait_until(lambda: b"FOUND" in made.scanned(SAMPLE), 60)
            (first, *_) = made.told("updated")
            assert first["uid"] == USER
            assert not made.told("failed")
            written = [*made.daemon.state.rglob("*"), *(folder / "cache").rglob("*")]
            assert len(written) > 20
            assert {each.lstat().st_uid for each in written} == {USER}
        finally:
            made.daemon.stop()


def status(daemon: RunningDaemon) -> dict:
    import ready_process

    environment = {
        **os.environ,
        "TOCSIN_CACHE_DIR": str(daemon.folder / "cache"),
        "TOCSIN_CONFIG_DIR": str(daemon.folder / "config"),
        "TOCSIN_STATE_DIR": str(daemon.state),
    }
    words = ["--config", str(daemon.config), "status", "--json"]
    done = ready_process.run("tocsin.cli.main", words, env=environment)
    assert done.stdout, done.stderr
    return dict(json.loads(done.stdout))
