"""The page about the sandbox says what the tests expect."""

from __future__ import annotations

from pathlib import Path

from sandbox_table import rows

from tocsin.sandbox import mechanisms
from tocsin.sandbox.policy import Mechanism

PAGE = Path(__file__).resolve().parents[2] / "docs" / "sandbox.md"


def test_the_table_is_what_the_tests_expect() -> None:
    text = PAGE.read_text(encoding="utf-8")
    table = text.partition("<!-- table -->\n")[2].partition("<!-- end of table -->")[0]
    assert table.strip().splitlines() == rows(), "run tests/sandbox/sandbox_table.py"


def test_each_mechanism_has_a_row_in_the_page_and_in_doctors_table() -> None:
    text = PAGE.read_text(encoding="utf-8").lower()
    told = {row.name for row in mechanisms.probe().describe()}
    assert told == {each.value for each in Mechanism}
    assert [name for name in told if f"| {name} |" not in text] == []


def test_what_is_there_is_not_said_to_be_missing() -> None:
    for row in mechanisms.probe().describe():
        assert bool(row.without) != row.available
        assert row.protects
