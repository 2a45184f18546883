"""Hostile code tries everything, in every way to confine, as root and as some user.

Each attempt is real, and so is what it is aimed at. That every attempt succeeds where nothing
confines it shows that its refusal elsewhere is the sandbox's doing.
"""

from __future__ import annotations

import os
from functools import cache

import pytest
from sandbox_columns import COLUMNS, WAYS, Column, Outcome, lacking, outcomes
from sandbox_expected import EXPECTED, REFUSED, is_open
from sandbox_hostile import ATTEMPTS

from tocsin.sandbox import landlock, seccomp
from tocsin.sandbox.policy import ALL

_SCOPES = 6
_TITLES = [way.title for way in WAYS]
_NOTHING = {column.as_root: column for column in COLUMNS if not column.way.use}


@cache
def _unconfined(as_root: bool) -> dict[str, Outcome]:
    return outcomes(_NOTHING[as_root])


@pytest.mark.parametrize(
    "column", COLUMNS, ids=lambda each: f"{each.way.title}-{'root' if each.as_root else 'user'}"
)
def test_hostile_code_achieves_what_the_table_says_and_no_more(column: Column) -> None:
    if column.as_root and os.geteuid() != 0:
        pytest.skip("only root can try what root can do")
    missing = lacking(column)
    if missing:
        pytest.skip(f"not offered here: {'; '.join(missing)}")
    way = _TITLES.index(column.way.title)
    reference = _unconfined(column.as_root)
    wrong = {}
    for name, outcome in outcomes(column).items():
        expected = is_open(name, way, as_root=column.as_root)
        if outcome.how.startswith("broken"):
            wrong[name] = outcome.how
        elif outcome.happened is not None and outcome.happened != outcome.through:
            wrong[name] = f"said {outcome.how}, but the world says {outcome.happened}"
        elif outcome.through and not expected:
            wrong[name] = "got through"
        elif expected and not outcome.through and _is_new_enough() and reference[name].through:
            wrong[name] = f"{outcome.how}: better than the table says"
    assert wrong == {}


def _is_new_enough() -> bool:
    return landlock.abi() >= _SCOPES and seccomp.available()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can try what root can do")
def test_every_attempt_succeeds_where_nothing_confines_it() -> None:
    never = {name for name, outcome in _unconfined(True).items() if not outcome.through}
    assert never <= {
        # Closed always, whatever the policy.
        "read a descriptor that was open before",
        "write to a descriptor that was open before",
        # Not in every kernel.
        "call by the numbers of 32-bit programs",
        "call by x32's numbers",
        "count events of the processor",
        "set up io_uring",
    }


def _open(title: str) -> set[str]:
    way = _TITLES.index(title)
    return {name for name, marks in EXPECTED.items() if marks[way] != REFUSED}


def test_nothing_but_the_existence_of_files_is_open_with_all_mechanisms() -> None:
    by_call_like_fstat = "learn it by a call like `fstat`"
    assert _open("all") == {"learn whether a file exists", by_call_like_fstat}
    assert _open("all, sealed") == set()
    assert _open("all but Landlock") == set()
    assert _open("seccomp, rlimits") == {by_call_like_fstat}


def test_the_table_has_a_row_for_each_attempt_and_a_mark_for_each_way() -> None:
    assert list(EXPECTED) == [attempt.name for attempt in ATTEMPTS]
    assert {len(marks) for marks in EXPECTED.values()} == {len(WAYS)}
    assert WAYS[0].use == ALL
