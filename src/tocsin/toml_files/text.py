"""From text to values, with the line and key of what is not TOML."""

from __future__ import annotations

import re
import tomllib
from typing import Any

from tocsin.errors import InvalidFile, Problem

MOST_PARTS = 250
"""Of a dotted key: whoever reads them takes a time that grows with their square."""

_NO_KEY = re.compile(r"[=,\[\]{}#]")
_PLACE = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)\Z")


def parse_toml(text: str, source: str, refuse: type[InvalidFile]) -> dict[str, Any]:
    """The values of a TOML file.

    Args:
        text: of the file.
        source: its name in messages.
        refuse: what is raised when it is not TOML.

    Raises:
        InvalidFile: it is not TOML; with the line and, as far as it can be told, the key.
    """
    for number, row in enumerate(text.split("\n"), 1):
        if _parts(row) > MOST_PARTS:
            problem = Problem(number, "", f"a key of more than {MOST_PARTS} parts")
            raise refuse(source, (problem,))
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        found = _PLACE.search(str(error))
        reason = _PLACE.sub("", str(error))
        line = text.count("\n") + 1
        where = "at the end of the file"
        if found and found[1]:
            line, where = int(found[1]), f"at column {found[2]}"
        raise refuse(
            source, (Problem(line, _key_before(text, line), f"not TOML {where}: {reason}"),)
        ) from None
    except (ValueError, RecursionError) as error:
        reason = "nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise refuse(source, (Problem(0, "", f"not TOML: {reason}"),)) from None


def _parts(row: str) -> int:
    """Of how many parts the longest dotted key of a line is at most."""
    if row.count(".") < MOST_PARTS:
        return 1
    longest = run = 0
    for piece in row.split("."):
        run = run + 1 if piece.strip() and not _NO_KEY.search(piece) else 0
        longest = max(longest, run)
    return longest


def _key_before(text: str, line: int) -> str:
    """The table and key that a broken line is in, as far as they can be told from the text."""
    table = key = ""
    for row in text.split("\n")[:line]:
        if header := re.match(r"\s*(\[\[?[A-Za-z0-9_.\"' -]{1,64}\]?\]?)\s*(?:#|$)", row):
            table, key = header[1], ""
        elif pair := re.match(r"\s*([A-Za-z0-9_-]{1,64})\s*=", row):
            key = pair[1]
    return " ".join(part for part in (table, key) if part)
