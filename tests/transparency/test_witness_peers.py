"""An independent witness and an independent submitter, against ours.

`aics-witness` lives in an environment of its own, kept in pytest's cache; where none can be made,
the tests are skipped and say why.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from peer_environment import peer_programs
from transparency_samples import LOG_KEY, ORIGIN, entries
from witness_kit import (
    FORGED,
    MALFORMED,
    OTHER_ROOT,
    STRANGER,
    TREE,
    W_ED,
    W_PQ,
    Client,
    body,
    serving,
    signed,
)

from tocsin.transparency.cosignature import cosignatures, parse_cosignature_lines
from tocsin.transparency.log import Log
from tocsin.transparency.merkle import consistency_proof
from tocsin.transparency.note import SignedNote, VerifierKey
from tocsin.transparency.policy import Policy
from tocsin.transparency.verdict import check
from tocsin.transparency.witness import origin_hash
from tocsin.updates.publish.witnesses import ask_witnesses, post_over_http

SUBMITTER = Path(__file__).resolve().parent / "peers" / "aics_submitter.py"


@pytest.fixture(scope="module")
def peers(request: pytest.FixtureRequest) -> Path:
    """The programs of the environment with the peer in it."""
    return peer_programs(request.config)


class Theirs(Client):
    """Their witness, as it serves."""

    def __init__(self, url: str, vkey: str) -> None:
        self.url = url
        self.key = VerifierKey.parse(vkey)
        host, _, port = url.removeprefix("http://").partition(":")
        super().__init__(host, int(port))


@pytest.fixture
def theirs(peers: Path, tmp_path: Path) -> Iterator[Theirs]:
    folder = tmp_path / "theirs"
    folder.mkdir()
    program, config = str(peers / "aics-witness"), ["--config", str(folder / "witness.json")]

    def run(*arguments: str) -> str:
        done = subprocess.run(
            [program, *arguments, *config], capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    vkey = re.search(r"\S+\+[0-9a-f]{8}\+\S+", run("init", "--name", "peer.example/w"))
    assert vkey is not None
    run("add-log", "--origin", ORIGIN, "--vkey", LOG_KEY.verifier.vkey)
    served = subprocess.Popen(
        [program, "serve", *config, "--listen", "127.0.0.1:0"], stderr=subprocess.PIPE, text=True
    )
    assert served.stderr is not None
    url = None
    for line in served.stderr:
        if url := re.search(r"listening on (http://[0-9.:]+)", line):
            break
    assert url is not None
    client = Theirs(url[1], vkey[0])
    yield client
    client.close()
    served.terminate()
    served.communicate(timeout=20)


def test_our_submitter_and_both_witnesses(theirs: Theirs, tmp_path: Path) -> None:
    """A log grows; both witnesses cosign each step, and a policy of two is met."""
    log = Log.init(tmp_path / "log", LOG_KEY)
    with serving(tmp_path / "ours") as ours:
        policy = Policy.parse(
            f"log {LOG_KEY.verifier}\n"
            f"witness theirs {theirs.key} {theirs.url}\n"
            f"witness ours {W_PQ.verifier} http://{ours.host}:{ours.port}\n"
            "group both all theirs ours\nquorum both\n".encode()
        )
        sizes: dict[str, int] = {}
        for start, count in ((0, 1), (1, 6), (7, 300)):
            grown = log.integrate(entries(count, start), LOG_KEY)
            asked = ask_witnesses(
                policy, grown.checkpoint.note, log.consistency, sizes, post_over_http
            )
            assert set(asked.answers.values()) == {"cosigned"}, asked.answers
            sizes = dict(asked.sizes)
            note = log.publish(asked.signatures).note
            check(policy, note.to_bytes(), now=2_000_000_000).require()
        # One that knows nothing of how far they are is told.
        asked = ask_witnesses(policy, note, log.consistency, {}, post_over_http)
        assert set(asked.answers.values()) == {"cosigned"}


def test_their_submitter_and_our_witness(peers: Path, tmp_path: Path) -> None:
    with serving(tmp_path) as ours:
        task = {
            "url": f"http://{ours.host}:{ours.port}",
            "witness": W_ED.verifier.vkey,
            "steps": [
                {
                    "note": signed(size).to_bytes().decode(),
                    "proofs": {
                        str(old): [each.hex() for each in _proof(old, size)]
                        for old in range(size + 1)
                    },
                }
                for size in (1, 7, 7, 8, 40)
            ],
        }
        done = subprocess.run(
            [peers / "python", SUBMITTER],
            input=json.dumps(task),
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr
        answers = json.loads(done.stdout)
    for step, lines in zip(task["steps"], answers, strict=True):
        text = SignedNote.parse(step["note"].encode()).text  # type: ignore[index]
        note = SignedNote(text, parse_cosignature_lines(lines.encode()))
        assert [each.key for each in cosignatures(note, [W_ED.verifier])] == [W_ED.verifier]


def _proof(old: int, size: int) -> list[bytes]:
    return consistency_proof(old, size, TREE.hashes) if 0 < old < size else []


def test_both_witnesses_answer_with_one_status(theirs: Theirs, tmp_path: Path) -> None:
    """The same requests in the same order; ours answers as theirs does."""
    requests = {
        **MALFORMED,
        "forged": body(0, FORGED),
        "of another log": body(0, signed(8, key=STRANGER)),
        "an empty log with a root": body(0, signed(0, root=OTHER_ROOT)),
        "a proof from nothing": body(0, signed(8), [TREE.roots[1]]),
        "ahead of what is known": body(3, signed(8)),
        "the first": body(0, signed(8)),
        "not from where it is": body(0, signed(9)),
        "the same": body(8, signed(8)),
        "the same with a proof": body(8, signed(8), [TREE.roots[8]]),
        "another tree of this size": body(8, signed(8, root=OTHER_ROOT)),
        "without its proof": body(8, signed(20), []),
        "with too long a proof": body(8, signed(20), [*_proof(8, 20), TREE.roots[1]]),
        "with a wrong proof": body(8, signed(20), list(reversed(_proof(8, 20)))),
        "a fork": body(8, signed(20, root=OTHER_ROOT)),
        "what continues": body(8, signed(20)),
        "what is older": body(8, signed(20)),
        "from the future": body(30, signed(40)),
        "what continues again": body(20, signed(40)),
    }
    with serving(tmp_path / "ours", keys=[W_ED]) as ours:
        for what, data in requests.items():
            mine, other = ours.submit(data), theirs.submit(data)
            assert mine[0] == other[0], (what, mine, other)
            if mine[0] == 409:
                assert mine == other
        page = f"/{origin_hash(ORIGIN)}/checkpoint"
        shown = [SignedNote.parse(each.ask("GET", page)[2]) for each in (ours, theirs)]
        assert shown[0].text == shown[1].text == signed(40).text
