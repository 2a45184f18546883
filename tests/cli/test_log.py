"""`tocsin log` as a program."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "transparency"))

from transparency_samples import CHEAP, LOG_KEY, ORIGIN, WITNESSES

from tocsin.transparency.cosignature import cosign
from tocsin.transparency.log import Log

Run = Callable[..., "CompletedProcess[bytes]"]
NOW = 1_700_000_000


@pytest.fixture
def run(tmp_path: Path) -> Run:
    def run(*arguments: str | Path, given: bytes = b"", **more: str) -> CompletedProcess[bytes]:
        environment = {**os.environ, "TOCSIN_PASSPHRASE": "words", "TZ": "UTC", **more}
        done = subprocess.run(
            [sys.executable, "-m", "tocsin.cli.main", "log", *arguments],
            cwd=tmp_path,
            input=given,
            env=environment,
            capture_output=True,
            check=False,
        )
        assert b"Traceback" not in done.stderr
        assert b"defect" not in done.stderr
        return done

    return run


@pytest.fixture
def log(tmp_path: Path) -> Log:
    LOG_KEY.save(tmp_path / "log.key", b"words", log2_n=CHEAP)
    return Log.init(tmp_path / "log", LOG_KEY)


def test_from_a_key_to_a_proof(run: Run, tmp_path: Path) -> None:
    (tmp_path / "words").write_text("of a file\nno more\n")
    made = run("key", ORIGIN, "log.key", "--passphrase-file", "words", "--json")
    vkey = json.loads(made.stdout)["vkey"]
    words = {"TOCSIN_PASSPHRASE": "of a file"}
    assert run("init", "log", "--key", "log.key", **words).returncode == 0
    (tmp_path / "entry").write_bytes(b"an entry")
    done = run("append", "log", "entry", "--key", "log.key", "--json", **words)
    assert json.loads(done.stdout)["size"] == 1
    assert run("prove", "log", "--entry", "entry", "-o", "proof").returncode == 0
    verified = run("verify", "entry", "proof", "--log-key", vkey)
    assert (verified.returncode, verified.stderr) == (0, b"")
    assert b"verified: entry 0 of 1 in " + ORIGIN.encode() in verified.stdout


def test_lines_are_added_and_shown(run: Run, log: Log) -> None:
    lines = b"".join(b"line %d\n" % number for number in range(300))
    done = run("append", "log", "-", "--lines", "--key", "log.key", given=lines)
    assert done.stdout == b"added 300 (entries from 0); the log has 300\n"
    shown = json.loads(run("show", "log", "--last", "2", "--json").stdout)
    assert [each["text"] for each in shown["newest"]] == ["line 298", "line 299"]
    assert not shown["signature_checked"]
    assert b"not checked" in run("show", "log").stdout
    assert b"not checked" not in run("show", "log", "--log-key", "log.key").stdout
    assert run("show", "log", "--entry", "7").stdout == b"line 7"


@pytest.mark.parametrize(
    ("witnesses", "options", "status", "said"),
    [
        (2, [], 0, "verified"),
        (1, [], 1, "g has 1 of 2"),
        (2, ["--max-age", "1d", "--at", "2023-11-15T08:00"], 0, "verified"),
        (2, ["--max-age", "1d", "--at", "2023-11-20T08:00"], 1, "too long ago"),
    ],
)
def test_a_policy_decides(
    run: Run,
    log: Log,
    tmp_path: Path,
    witnesses: int,
    options: list[str],
    status: int,
    said: str,
) -> None:
    waiting = log.integrate([b"entry"], LOG_KEY).checkpoint
    log.publish(cosign(waiting.note.text, key, NOW) for key in WITNESSES[:witnesses])
    (tmp_path / "entry").write_bytes(b"entry")
    (tmp_path / "proof").write_bytes(log.prove(0).to_bytes())
    lines = "".join(f"witness W{n} {key.verifier}\n" for n, key in enumerate(WITNESSES))
    (tmp_path / "policy").write_text(
        f"log {LOG_KEY.verifier}\n{lines}group g 2 W0 W1 W2\nquorum g\n"
    )
    arguments = ["verify", "entry", "proof", "--policy", "policy", *options]
    done = run(*arguments)
    assert (done.returncode, said in done.stdout.decode()) == (status, True), done.stdout
    told = json.loads(run(*arguments, "--json").stdout)
    assert told["verified"] == (status == 0)
    assert [each["name"] for each in told["witnesses"]] == ["W0", "W1", "W2"]


def test_what_is_not_shown_has_status_1(run: Run, log: Log, tmp_path: Path) -> None:
    log.append([b"entry"], LOG_KEY)
    (tmp_path / "entry").write_bytes(b"another")
    (tmp_path / "proof").write_bytes(log.prove(0).to_bytes())
    done = run("verify", "entry", "proof", "--log-key", "log.key", "--json")
    assert done.returncode == 1
    assert json.loads(done.stdout)["verified"] is False
    assert run("verify", "entry", "entry", "--log-key", "log.key").returncode == 1


def test_fsck_names_what_is_damaged(run: Run, log: Log) -> None:
    log.append([b"entry"], LOG_KEY)
    assert run("fsck", "log", "--log-key", "log.key").returncode == 0
    (log.folder / "tile/entries/000.p/1").write_bytes(b"\0\5entrx")
    done = run("fsck", "log")
    assert done.returncode == 1
    assert b"damaged: tile/entries/000.p/1" in done.stdout
    assert json.loads(run("fsck", "log", "--json").stdout)["clean"] is False


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["show", "nowhere"], "no log here"),
        (["fsck", "log", "--log-key", "nowhere"], "No such file"),
        (["fsck", "log", "--log-key", "a+b+c"], "identifier"),
        (["init", "log", "--key", "log.key"], "already"),
        (["key", ORIGIN, "log.key"], "never written over"),
        (["key", "a name", "new.key"], "name"),
        (["prove", "log"], "which entry"),
        (["prove", "log", "0"], "no leaf 0"),
        (["prove", "log", "--entry", "log.key"], "no entry of the log"),
        (["verify", "log.key", "log.key"], "whom to believe"),
        (["append", "log", "log.key", "--key", "nowhere"], "No such file"),
    ],
)
def test_mistakes_have_status_2_and_say_what_to_do(
    run: Run, log: Log, arguments: list[str], said: str
) -> None:
    done = run(*arguments)
    assert done.returncode == 2
    assert said in done.stderr.decode(), done.stderr


def test_a_wrong_passphrase_and_nobody_to_ask(run: Run, log: Log) -> None:
    wrong = run("append", "log", "log.key", "--key", "log.key", TOCSIN_PASSPHRASE="other")
    assert wrong.returncode == 2
    assert b"passphrase" in wrong.stderr
    nobody = run("append", "log", "log.key", "--key", "log.key", TOCSIN_PASSPHRASE="")
    assert nobody.returncode == 2
    assert b"--passphrase-file" in nobody.stderr
    assert log.published().head.size == 0
