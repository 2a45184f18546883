"""A day of updates by real processes: the program that `make day` runs, small.

A publisher, three witnesses of which one is not ours, two mirrors of which one lies, and three
devices. Where the independent witness cannot be had, the third is ours.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from transparency.peer_environment import peer_programs

PROGRAM = Path(__file__).resolve().parents[2] / "benchmarks" / "a_day.py"


@pytest.fixture(scope="module")
def day(request: pytest.FixtureRequest) -> dict[str, Any]:
    try:
        third = ["--witness", str(peer_programs(request.config) / "aics-witness")]
    except pytest.skip.Exception:
        third = ["--own"]
    command = [sys.executable, str(PROGRAM), "--quick", "--json", *third]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout), third=third[0])


def test_no_device_finds_the_sample_before_its_update_and_each_does_after(day) -> None:
    assert day["found_before"] == {"fresh": False, "behind": False, "current": False}
    assert day["found_after"] == {"fresh": True, "behind": True, "current": True}


def test_each_came_its_way_in_spite_of_the_liar(day) -> None:
    ways = {name: (u["before"], u["version"], u["way"]) for name, u in day["updates"].items()}
    assert ways == {
        "fresh": (0, 3, "full"),
        "behind": (1, 3, "delta"),
        "current": (2, 3, "delta"),
        "split": (3, 4, "delta"),
    }


@pytest.mark.parametrize(
    ("device", "said"),
    [
        ("fresh", "gave something else than was signed"),
        ("behind", "gave something else than was signed"),
        ("current", "New timestamp version"),
        ("split", "the quorum is not met"),
    ],
)
def test_the_liar_is_left_aside_and_what_it_did_is_said(day, device: str, said: str) -> None:
    ((_, reason),) = day["updates"][device]["left_aside"].items()
    assert said in reason


def test_the_witnesses_of_the_quorum_vouch_for_each_device(day) -> None:
    assert day["peer"] == (day["third"] == "--witness")
    for seen in day["vouched"].values():
        assert sum(standing == "counts" for standing in seen.values()) >= 2
        assert set(seen) == {"w1", "w2", "w3"}


def test_no_witness_cosigns_a_second_history(day) -> None:
    assert day["fork_cosigned_by"] == []


def test_a_check_with_nothing_new_is_two_small_requests(day) -> None:
    (check,) = (step for step in day["steps"] if step["name"].startswith("nothing new"))
    assert 0 < check["requests"] <= 2 + 1  # the second mirror may be asked for its timestamp
    assert 0 < check["bytes"] < 3000
