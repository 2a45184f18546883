"""Every deviation has its section in the documentation, and the sides are compared rightly."""

from __future__ import annotations

import random
import re
from pathlib import Path

from differential import patterns
from differential.explained import (
    CONTAINER_DIFFERENCES,
    DEVIATIONS,
    MEASURED_ONLY,
    MESSAGES_INSIDE,
    PARTS_OF_A_MAIL,
)

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "compatibility.md"


def _anchors(text: str) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^a-z0-9 -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_every_deviation_is_documented() -> None:
    anchors = _anchors(DOCUMENT.read_text(encoding="utf-8"))
    wanted = {deviation.section for deviation in (*DEVIATIONS, *MEASURED_ONLY)}
    wanted |= {MESSAGES_INSIDE, PARTS_OF_A_MAIL}
    wanted |= {difference.section for difference in CONTAINER_DIFFERENCES}
    assert wanted <= anchors, wanted - anchors


def test_a_realised_pattern_is_what_the_pattern_says() -> None:
    rng = random.Random(1)
    assert patterns.realise("6162(63)64", rng) == b"abcd"
    assert patterns.realise("61{2}62", rng)[::3] == b"ab"
    assert len(patterns.realise("61[3-3]6263", rng)) == 6
    assert patterns.realise("(61|6162)63", rng) in (b"ac", b"abc")
    assert patterns.realise("6162(L)63", rng) == b"ab\nc"
