"""`tocsin witness`, `tocsin log mirror` and `tocsin log monitor` as programs."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest
from click.testing import CliRunner

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "transparency"))

from log_kit import fork_of, log_of, raw_server
from transparency_samples import CHEAP, ED25519_WITNESS, LOG_KEY, ORIGIN, entries
from witness_kit import W_ED, W_PQ, body, serving, signed

from tocsin.cli.log import command as log_command
from tocsin.cli.log_follow import entry_values
from tocsin.cli.witness import command as witness_command
from tocsin.errors import TocsinError, UsageError
from tocsin.transparency import keys
from tocsin.transparency.evidence import check_evidence
from tocsin.transparency.witness_store import WitnessStore

Run = Callable[..., "CompletedProcess[str]"]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Runs a verb in a process of its own."""

    def run(*arguments: str | Path) -> CompletedProcess[str]:
        done = subprocess.run(
            [sys.executable, "-m", "tocsin.cli.main", *arguments],
            cwd=tmp_path,
            env={**os.environ, "TOCSIN_PASSPHRASE": "words", "TZ": "UTC"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert "Traceback" not in done.stderr
        assert "defect" not in done.stderr
        return done

    return run


def invoked(command: object, *arguments: str | Path) -> str:
    """Runs a command here, where its imports are there already; what it printed."""
    result = CliRunner(env={"TOCSIN_PASSPHRASE": "words"}).invoke(
        command,  # type: ignore[arg-type]
        [str(each) for each in arguments],
        catch_exceptions=False,
    )
    assert result.exit_code == 0, result.output
    return result.output


# --- the witness --------------------------------------------------------------------------


def test_keys_logs_and_a_list(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keys.SigningKey.save, "__kwdefaults__", {"log2_n": CHEAP})
    state = tmp_path / "w"
    made = json.loads(invoked(witness_command, "key", state, "w.example/w1", "--json"))["keys"]
    assert [each["type"] for each in made] == ["ed25519", "ml-dsa"]
    assert {path.name for path in state.iterdir()} == {"ed25519.key", "ml-dsa.key"}
    with pytest.raises(TocsinError, match="never written over"):
        invoked(witness_command, "key", state, "w.example/w1")
    assert "add-log" in invoked(witness_command, "list", state)
    vkey = LOG_KEY.verifier.vkey
    invoked(witness_command, "add-log", state, vkey, "--url", "https://example.org/log")
    with pytest.raises(TocsinError, match="already"):
        invoked(witness_command, "add-log", state, vkey)
    (before,) = json.loads(invoked(witness_command, "list", state, "--json"))["logs"]
    assert (before["origin"], before["size"]) == (ORIGIN, None)
    assert "never" in invoked(witness_command, "list", state)
    WitnessStore(state).submit(body(0, signed(9)), [W_ED, W_PQ])
    (after,) = json.loads(invoked(witness_command, "list", state, "--json"))["logs"]
    assert (after["size"], after["url"]) == (9, "https://example.org/log")


@pytest.mark.parametrize("address", ["0.0.0.0:0", "[::]:0", "192.0.2.1:7380", "example.org:80"])
def test_others_reach_it_only_when_that_is_said(tmp_path: Path, address: str) -> None:
    with pytest.raises(UsageError, match="--public"):
        invoked(witness_command, "serve", tmp_path, "--listen", address)


@pytest.mark.parametrize("address", ["127.0.0.1", ":80", "127.0.0.1:x", "127.0.0.1:70000", ""])
def test_what_is_no_address_is_said(tmp_path: Path, address: str) -> None:
    with pytest.raises(UsageError, match="HOST:PORT"):
        invoked(witness_command, "serve", tmp_path, "--listen", address)


def test_without_a_key_it_does_not_begin(run: Run) -> None:
    done = run("witness", "serve", "state", "--listen", "127.0.0.1:0")
    assert done.returncode == 2
    assert "tocsin witness key" in done.stderr


# --- the mirror and the monitor -----------------------------------------------------------


def test_a_mirror_by_policy(tmp_path: Path) -> None:
    log = log_of(tmp_path / "log", 300)
    (tmp_path / "policy").write_text(f"log {LOG_KEY.verifier}\nquorum none\n")
    ED25519_WITNESS.save(tmp_path / "m.key", b"words", log2_n=CHEAP)
    options = ("--policy", tmp_path / "policy", "--key", tmp_path / "m.key", "--json")
    said = json.loads(invoked(log_command, "mirror", log.folder, tmp_path / "m", *options))
    assert (said["before"], said["size"], said["source_size"]) == (0, 300, 300)
    assert said["cosigned_by"] == [ED25519_WITNESS.verifier.vkey]
    again = json.loads(
        invoked(log_command, "mirror", log.folder, tmp_path / "m", *options, "--whole")
    )
    assert again["written"] == 0


def test_a_monitor_says_what_was_added_and_ends_with_1_on_a_split(run: Run, tmp_path: Path) -> None:
    log = log_of(tmp_path / "log", 4)
    (tmp_path / "log.vkey").write_text(LOG_KEY.verifier.vkey + "\n")
    with serving(tmp_path / "w", keys=[W_ED]) as witness:
        witness.submit(body(0, signed(3)))  # the entries of the sample tree are the log's
        url = f"http://{witness.host}:{witness.port}"
        options = ("--log-key", "log.vkey", "--state", "seen", "--json", "--witness", url)
        first = run("log", "monitor", "log", *options)
        lines = [json.loads(line) for line in first.stdout.splitlines()]
        assert first.returncode == 0, first.stderr
        assert [line.get("text") for line in lines[:-1]] == [e.decode() for e in entries(4)]
        assert (lines[-1]["event"], lines[-1]["size"]) == ("looked", 4)
        assert [each["standing"] for each in lines[-1]["witnesses"]] == ["agrees"]
        fork = fork_of(log, tmp_path / "fork", 2, 6)
        shutil.rmtree(log.folder)
        fork.folder.rename(log.folder)
        split = run("log", "monitor", "log", *options, "--every", "0.1")
    assert split.returncode == 1
    said = json.loads(split.stdout.splitlines()[-1])
    assert said["event"] == "split"
    check_evidence(tmp_path / said["evidence"], [LOG_KEY.verifier])


def test_a_monitor_that_cannot_look_ends_with_2(run: Run) -> None:
    with raw_server(lambda connection: connection.close()) as url:
        done = run("log", "monitor", url, "--log-key", LOG_KEY.verifier.vkey, "--state", "seen")
    assert done.returncode == 2
    assert url in done.stderr


def test_a_monitor_says_that_the_log_hides_what_it_signed(tmp_path: Path) -> None:
    log = log_of(tmp_path / "log", 4)
    options = ["monitor", str(log.folder), "--log-key", LOG_KEY.verifier.vkey]
    options += ["--state", str(tmp_path / "seen")]
    runner = CliRunner()
    assert runner.invoke(log_command, options).exit_code == 0
    log.append(entries(4, 4), LOG_KEY)
    shutil.rmtree(log.folder / "tile")
    done = runner.invoke(log_command, options)
    assert done.exit_code == 2
    assert "could not be followed further" in done.stdout
    said = json.loads(runner.invoke(log_command, [*options, "--json"]).stdout)
    assert (said["size"], said["undecided"], said["shown"]) == (4, 1, 8)
    assert "missing" in said["trouble"]


# --- entries ------------------------------------------------------------------------------


def envelope(payload: object, kind: str = "application/vnd.in-toto+json") -> bytes:
    coded = base64.b64encode(json.dumps(payload).encode()).decode()
    signatures = [{"keyid": "k", "sig": "c2ln"}]
    return json.dumps({"payloadType": kind, "payload": coded, "signatures": signatures}).encode()


def test_entries_are_shown_as_what_they_are() -> None:
    statement = {"_type": "https://in-toto.io/Statement/v1", "predicateType": "x", "subject": []}
    assert entry_values(envelope(statement)) == {"statement": statement, "signed_by": ["k"]}
    assert "text" in entry_values(envelope(statement, "text/plain"))
    assert "text" in entry_values(b"[" * 65_000)
    assert "text" in entry_values(b'{"payloadType":"application/vnd.in-toto+json"}')
    assert entry_values(b"\xff") == {"base64": "/w=="}
