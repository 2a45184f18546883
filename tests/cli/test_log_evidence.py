"""`tocsin log evidence`: what others kept is believed only when it proves itself."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "transparency"))

from log_kit import KEYS, fork_of, log_of
from transparency_samples import LOG_KEY
from witness_kit import STRANGER

from tocsin.cli.log import command
from tocsin.errors import TocsinError, UsageError
from tocsin.transparency.errors import SplitView
from tocsin.transparency.evidence import LARGER, PROOF, SMALLER, keep_evidence
from tocsin.transparency.monitor import Monitor, SplitFound

VKEY = LOG_KEY.verifier.vkey


def run(*arguments: str | Path) -> Result:
    given = ["evidence", *map(str, arguments)]
    return CliRunner().invoke(command, given, standalone_mode=False)


def told(*arguments: str | Path) -> list[dict[str, object]]:
    found: list[dict[str, object]] = json.loads(run(*arguments, "--json").stdout)["evidence"]
    return found


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """What a monitor kept in `watched`."""
    log = log_of(tmp_path / "log", 9)
    Monitor(tmp_path / "watched", KEYS, log.fetch).look()
    fork = fork_of(log, tmp_path / "fork", 4, 12)
    with pytest.raises(SplitFound) as found:
        Monitor(tmp_path / "watched", KEYS, fork.fetch).look()
    return found.value.place


def test_what_proves_two_histories_is_found_wherever_it_lies(place: Path, tmp_path: Path) -> None:
    for where in (
        place,
        place / SMALLER,
        place / PROOF,
        place.parent,
        place.parent.parent,
        tmp_path / "watched",
    ):
        done = run(where, "--log-key", VKEY)
        assert done.exit_code == 0, done.output
        assert "9 and 12" in done.stdout
        assert "two histories" in done.stdout
    assert told(place, place.parent, "--log-key", VKEY) == [
        {
            "place": str(place),
            "origin": LOG_KEY.verifier.name,
            "sizes": [9, 12],
            "proves": True,
            "reason": "",
        }
    ]


def test_a_policy_names_the_log_too(place: Path, tmp_path: Path) -> None:
    (tmp_path / "policy").write_text(f"log {VKEY}\nquorum none\n")
    assert run(place, "--policy", tmp_path / "policy").exit_code == 0


def test_what_the_log_did_not_sign_proves_nothing(place: Path) -> None:
    done = run(place, "--log-key", STRANGER.verifier.vkey)
    assert done.exit_code == 1
    assert "proves nothing" in done.stdout
    (found,) = told(place, "--log-key", STRANGER.verifier.vkey)
    assert (found["proves"], found["sizes"]) == (False, [9, 12])


@pytest.mark.parametrize("name", [SMALLER, LARGER, PROOF])
@pytest.mark.parametrize("content", [None, b"", b"AAAA\n", b"\xff"])
def test_what_is_not_whole_proves_nothing(place: Path, name: str, content: bytes | None) -> None:
    if content is None:
        (place / name).unlink()
    else:
        (place / name).write_bytes(content)
    done = run(place, "--log-key", VKEY)
    assert done.exit_code == 1
    assert "proves nothing" in done.stdout


def test_one_that_proves_nothing_among_others(place: Path, tmp_path: Path) -> None:
    log = log_of(tmp_path / "grown", 3)
    notes = [log.published().note.to_bytes()]
    log.append([b"more"], LOG_KEY)
    notes.append(log.published().note.to_bytes())
    keep_evidence(place.parent, SplitView("made up", (notes[0], notes[1])))
    assert run(place.parent, "--log-key", VKEY).exit_code == 1
    proven = [each["proves"] for each in told(place.parent, "--log-key", VKEY)]
    assert sorted(map(bool, proven)) == [False, True]


@pytest.mark.parametrize(
    ("arguments", "kind", "said"),
    [
        (["empty", "--log-key", VKEY], UsageError, "no evidence here"),
        (["file", "--log-key", VKEY], UsageError, "no evidence here"),
        (["nowhere", "--log-key", VKEY], TocsinError, "No such file"),
        (["empty"], UsageError, "whom to believe"),
    ],
)
def test_mistakes_are_said(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    kind: type[TocsinError],
    said: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_bytes(b"")
    done = run(*arguments)
    assert isinstance(done.exception, kind)
    assert said in str(done.exception)
