"""Agreement with independent implementations: they read what we write, and we what they write.

They live in an environment of their own, kept in pytest's cache; where none can be made, the
tests are skipped and say why.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from peer_environment import peer_programs, sumdb_program
from transparency_samples import ED25519_WITNESS, LOG_KEY, ML_DSA_WITNESS, entries

from tocsin.transparency.checkpoint import open_checkpoint
from tocsin.transparency.cosignature import cosign, cosignatures
from tocsin.transparency.keys import SigningKey
from tocsin.transparency.log import Log
from tocsin.transparency.note import VerifierKey
from tocsin.transparency.reader import LogReader, folder_fetch

SCRIPTS = Path(__file__).resolve().parent / "peers"
SIZE, OLD, INDEX = 1000, 300, 777


@pytest.fixture(scope="module")
def peers(request: pytest.FixtureRequest) -> Path:
    """The Python of the environment with the peers in it."""
    return peer_programs(request.config) / "python"


def log_with(folder: Path, *witnesses: SigningKey) -> Log:
    log = Log.init(folder, LOG_KEY)
    for start in range(0, SIZE, 250):
        log.append(entries(250, start), LOG_KEY)
    text = log.published().note.text
    log.publish([cosign(text, key, 1_800_000_000) for key in witnesses])
    return log


def ask(python: Path, script: str, log: Log, theirs: Path, *witnesses: SigningKey) -> Any:
    return asked([python, SCRIPTS / script], log, theirs, *witnesses)


def asked(command: list[Path], log: Log, theirs: Path, *witnesses: SigningKey) -> Any:
    """What a peer answers to a task about our log, having written a log of its own."""
    task = {
        "ours": str(log.folder),
        "theirs": str(theirs),
        "log_key": LOG_KEY.verifier.vkey,
        "witness_keys": [key.verifier.vkey for key in witnesses],
        "index": INDEX,
        "entry": entries(1, INDEX)[0].hex(),
        "inclusion": [each.hex() for each in log.prove(INDEX).hashes],
        "old": OLD,
        "old_root": log.reader().root_at(OLD).hex(),
        "consistency": [each.hex() for each in log.consistency(OLD)],
    }
    done = subprocess.run(
        command,
        input=json.dumps(task),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return task, json.loads(done.stdout)


def read_theirs(folder: Path, answer: dict[str, Any]) -> None:
    """Their log is read here, its signature and cosignature verified, each entry checked."""
    note = (folder / "checkpoint").read_bytes()
    opened = open_checkpoint(note, VerifierKey.parse(answer["log_key"]))
    assert opened.head.size == 600
    for text in answer.get("witness_key", "").split():
        witness = VerifierKey.parse(text)
        assert [each.key for each in cosignatures(opened.note, [witness])] == [witness]
    whole = LogReader(folder_fetch(folder), opened.head)
    assert list(whole.entries()) == [b"theirs %d" % number for number in range(600)]


def test_aics_tlog(peers: Path, tmp_path: Path) -> None:
    log = log_with(tmp_path / "ours", ED25519_WITNESS)
    _, answer = ask(peers, "aics_peer.py", log, tmp_path / "theirs", ED25519_WITNESS)
    assert (answer["ok"], answer["error"], answer["size"]) == (True, None, SIZE)
    assert answer["witnesses"] == [ED25519_WITNESS.verifier.name]
    assert answer["included"]
    assert answer["continued"]
    read_theirs(tmp_path / "theirs", answer)


def test_tlog_scales(peers: Path, tmp_path: Path) -> None:
    witnesses = (ED25519_WITNESS, ML_DSA_WITNESS)
    log = log_with(tmp_path / "ours", *witnesses)
    task, answer = ask(peers, "scales_peer.py", log, tmp_path / "theirs", *witnesses)
    assert answer["size"] == SIZE
    assert answer["root"] == log.published().head.root.hex()
    assert answer["signed"] == sorted(key.verifier.vkey for key in (LOG_KEY, *witnesses))
    assert answer["inclusion"] == task["inclusion"]
    assert answer["consistency"] == task["consistency"]
    read_theirs(tmp_path / "theirs", answer)


def test_gos_checksum_database(request: pytest.FixtureRequest, tmp_path: Path) -> None:
    """Go's `sumdb/note` and `sumdb/tlog`, from which the formats came; cosignatures came later."""
    log = log_with(tmp_path / "ours", ED25519_WITNESS)
    task, answer = asked([sumdb_program(request.config)], log, tmp_path / "theirs")
    assert (answer["size"], answer["root"]) == (SIZE, log.published().head.root.hex())
    assert answer["unverified"] == 1
    assert answer["inclusion"] == task["inclusion"]
    assert answer["consistency"] == task["consistency"]
    read_theirs(tmp_path / "theirs", answer)
