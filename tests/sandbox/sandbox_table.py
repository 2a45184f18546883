"""The table of `docs/sandbox.md`, as the expectations have it; run it to print the table."""

from __future__ import annotations

from sandbox_columns import WAYS
from sandbox_expected import EXPECTED, OPEN, OPEN_AS_ROOT, OPEN_AS_USER, REFUSED
from sandbox_hostile import ATTEMPTS

_WORDS = {REFUSED: "", OPEN: "open", OPEN_AS_ROOT: "open as root", OPEN_AS_USER: "open as user"}


def rows() -> list[str]:
    """The table's lines."""
    lines = [
        "| what is tried | " + " | ".join(way.title for way in WAYS) + " |",
        "|---" * (len(WAYS) + 1) + "|",
    ]
    topic = ""
    for attempt in ATTEMPTS:
        if attempt.topic != topic:
            topic = attempt.topic
            lines.append(f"| **{topic}** |" + " |" * len(WAYS))
        cells = " | ".join(_WORDS[mark] for mark in EXPECTED[attempt.name])
        lines.append(f"| {attempt.name} | {cells} |")
    return lines


if __name__ == "__main__":
    print("\n".join(rows()))
