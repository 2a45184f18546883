"""`tocsin publish succeed` from end to end, by commands alone."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

import tocsin.updates.publish.pkcs8 as pkcs8
from tocsin.cli.main import main
from tocsin.errors import TocsinError
from tocsin.transparency.keys import SigningKey
from tocsin.updates.publish import keys as key_files
from updates.publish.publisher_kit import CHEAP

SAMPLES = [b"a bad thing, number %d " % n * 9 for n in range(2)]


@pytest.fixture(autouse=True)
def _cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        key_files,
        "encrypted_pem",
        lambda plain, word, log2_n: pkcs8.encrypted_pem(plain, word, log2_n=CHEAP),
    )
    monkeypatch.setattr("tocsin.app.updates.try_out", lambda *_: None)  # tested elsewhere
    save = SigningKey.save
    monkeypatch.setattr(
        SigningKey, "save", lambda self, path, word, log2_n=0: save(self, path, word, log2_n=CHEAP)
    )


class Person:
    """Somebody who calls the command, with settings and a device of their own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "config").mkdir(parents=True)
        (folder / "own.hdb").write_text("d41d8cd98f00b204e9800998ecf8427e:999:Own\n")
        (folder / "config" / "tocsin.toml").write_text(
            f'[database]\nwith_default = false\nsources = ["{folder}/own.hdb"]\n'
        )
        self.env = {
            **os.environ,
            "TOCSIN_CONFIG_DIR": str(folder / "config"),
            "TOCSIN_STATE_DIR": str(folder / "state"),
            "TOCSIN_CACHE_DIR": str(folder / "cache"),
            "TOCSIN_PASSPHRASE": "a passphrase",
            "COLUMNS": "200",
        }

    def call(self, *arguments: object, status: int = 0) -> str:
        result = CliRunner().invoke(main, [str(one) for one in arguments], env=self.env)
        if isinstance(result.exception, TocsinError):
            assert status == 2, result.exception
            return str(result.exception)
        assert result.exit_code == status, result.output + repr(result.exception)
        return result.output

    def json(self, *arguments: object, status: int = 0) -> dict:
        return json.loads(self.call(*arguments, "--json", status=status))


def sources(folder: Path, number: int) -> Path:
    """A pinned list of digests that finds the first `number` samples."""
    lines = [
        f"{hashlib.sha256(s).hexdigest()}:{len(s)}:Bad.{n}\n"
        for n, s in enumerate(SAMPLES[:number])
    ]
    data = "".join(lines).encode()
    (folder / f"{number}.hsb").write_bytes(data)
    pinned = folder / f"{number}.toml"
    pinned.write_text(
        f'[[source]]\nname = "a.hsb"\npath = "{number}.hsb"\n'
        f'sha256 = "{hashlib.sha256(data).hexdigest()}"\n'
    )
    return pinned


def publish(person: Person, pub: Path, pinned: Path) -> None:
    at_once = ("--stable-after", "0", "--ring", "100:0")
    person.call("publish", "add", pub, pinned, "--untried", *at_once)


def started(tmp_path: Path, *more: object) -> tuple[Person, Path, list[Person]]:
    """A publisher with one database, and two devices that have it in use."""
    publisher = Person(tmp_path / "publisher")
    pub, keys = tmp_path / "pub", tmp_path / "keys"
    who = ("--name", "Guild", "--origin", "example.org/log")
    publisher.call("publish", "init", pub, "--keys", keys, *who, *more)
    publish(publisher, pub, sources(tmp_path, 1))
    devices = [Person(tmp_path / name) for name in ("agrees", "refuses")]
    for device in devices:
        trust = pub / "trust"
        chosen = ("--root", trust / "root.json", "--policy", trust / "policy")
        device.call("update", "trust", *chosen, "--mirror", pub / "repository")
        assert device.json("update")["version"] == 1
    return publisher, pub, devices


def found(device: Person, sample: bytes) -> bool:
    place = device.folder / "sample"
    place.write_bytes(sample)
    scanned = CliRunner().invoke(main, ["scan", str(place)], env=device.env)
    assert scanned.exit_code in (0, 1), scanned.output
    return scanned.exit_code == 1


def test_custodians_appoint_a_successor_and_one_device_consents(tmp_path: Path) -> None:
    _, pub, (agrees, refuses) = started(tmp_path, "--custodian-keys", 3)
    mirror, custodians = tmp_path / "mirror", tmp_path / "custodians"
    agrees.call("update", "mirror", mirror)
    custodians.mkdir()
    for file in (tmp_path / "keys").glob("custodian-*"):
        shutil.copy(file, custodians)
    trust = tmp_path / "trust"
    shutil.copytree(pub / "trust", trust)
    shutil.rmtree(tmp_path / "keys")  # the publisher is gone, and so is what they had
    shutil.rmtree(pub)

    heir, new = Person(tmp_path / "heir"), tmp_path / "new"
    who = ("--name", "New Guild", "--origin", "new.example/log", "--keys", tmp_path / "own")
    said = heir.call("publish", "succeed", new, "--from", mirror, *who, status=2)
    assert "choose whom to trust first" in said
    assert not new.exists()
    who = (*who, "--trust", trust)
    said = heir.json("publish", "succeed", new, "--from", mirror, *who, status=1)
    assert said["waiting"] == "signatures"
    draft = new / "work" / "draft" / "2.root.json"
    signed = ("publish", "sign", draft, "--keys", custodians)
    assert "Publisher: New Guild" in heir.call(*signed, "--key", "custodian-1")
    assert "1 more of its custodians" in heir.call("publish", "finish", new, status=1)
    heir.call(*signed, "--key", "custodian-2")
    assert "Published: root 2" in heir.call("publish", "finish", new)
    publish(heir, new, sources(tmp_path, 2))

    where = ("--mirror", new / "repository")
    for device in (agrees, refuses):
        device.call("update", *where, status=3)
        assert device.json("update", "status", status=1)["current"] == 1
    (waiting,) = agrees.json("update", "consent", status=3)["waiting"]
    assert "New Guild" in json.dumps(waiting)
    agrees.call("update", "consent", "--yes", waiting["sha256"])
    assert agrees.json("update", *where)["version"] == 2
    assert found(agrees, SAMPLES[1])

    refuses.call("update", *where, status=3)  # asked again, it waits again
    status = refuses.json("update", "status", status=1)
    assert (status["current"], status["pending_roots"]) == (1, [2])
    assert any("waits for you" in line for line in status["attention"])
    assert found(refuses, SAMPLES[0])
    assert not found(refuses, SAMPLES[1])
    assert refuses.json("update", "verify")["stands"]


def test_a_publisher_whose_logs_key_is_lost_goes_on_with_a_new_log(tmp_path: Path) -> None:
    """The same publisher, signed by their own root keys; a new log is for the users to accept."""
    publisher, pub, (agrees, refuses) = started(tmp_path)
    (tmp_path / "keys" / "log.key").unlink()
    said = publisher.call("publish", "add", pub, sources(tmp_path, 2), "--untried", status=2)
    assert "log.key" in said

    new, own = tmp_path / "new", tmp_path / "own"
    who = ("--name", "Guild", "--origin", "example.org/log2", "--keys", own)
    repository = pub / "repository"
    who = (*who, "--trust", pub / "trust")
    publisher.call("publish", "succeed", new, "--from", repository, *who, status=1)
    draft = new / "work" / "draft" / "2.root.json"
    old = [text for n in (1, 2) for text in ("--key", f"root-{n}")]
    publisher.call("publish", "sign", draft, "--keys", tmp_path / "keys", *old)
    assert "Published: root 2" in publisher.call("publish", "finish", new)
    publish(publisher, new, sources(tmp_path, 2))
    where = ("--mirror", new / "repository")
    for device in (agrees, refuses):
        device.call("update", *where, status=3)
    (waiting,) = agrees.json("update", "consent", status=3)["waiting"]
    assert "example.org/log2" in json.dumps(waiting)
    agrees.call("update", "consent", "--yes", waiting["sha256"])
    assert agrees.json("update", *where)["version"] == 2
    assert agrees.json("update", "verify")["stands"]
    assert refuses.json("update", "status", status=1)["current"] == 1
