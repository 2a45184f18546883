"""Tables and plain text for people: aligned columns that wrap to the terminal."""

from __future__ import annotations

import os
import shutil
import sys
import textwrap
from collections.abc import Iterable, Sequence

from tocsin.cli.printable import printable

PLAIN_WIDTH = 100
"""Columns when the output is no terminal and COLUMNS does not say."""

_GAP = "  "
_NARROWEST = 16


def output_width() -> int:
    """Columns to wrap to: the terminal's, what COLUMNS says, or `PLAIN_WIDTH`."""
    if sys.stdout.isatty() or os.environ.get("COLUMNS", "").isdigit():
        return max(40, shutil.get_terminal_size((PLAIN_WIDTH, 24)).columns)
    return PLAIN_WIDTH


def format_table(
    rows: Iterable[Sequence[object]],
    headings: Sequence[str] = (),
    *,
    width: int | None = None,
    indent: int = 0,
) -> str:
    """Lay rows out in aligned columns; the widest columns wrap when the line is too short.

    Args:
        rows: cells of any kind; whole numbers get thousands separators and stand right.
        headings: one a column, or none at all.
        width: columns of the output; None for `output_width()`.
        indent: spaces before every line.

    Returns:
        The table without a line end behind it; empty when there is nothing in it.
    """
    held = [list(row) for row in rows]
    cells = [[_cell(value) for value in row] for row in held]
    if not cells:
        return ""
    right = [all(isinstance(row[column], int) for row in held) for column in range(len(cells[0]))]
    if headings:
        cells.insert(0, [printable(heading) for heading in headings])
    widths = _fit(
        [max(map(len, column)) for column in zip(*cells, strict=True)],
        (output_width() if width is None else width) - indent,
    )
    lines: list[str] = []
    for row in cells:
        lines += _row_lines(row, widths, right)
    return "\n".join((" " * indent + line).rstrip() for line in lines)


def wrap(text: str, *, first: str = "", following: str = "", width: int | None = None) -> str:
    """Wrap one paragraph; `first` and `following` stand before its lines."""
    return textwrap.fill(
        printable(text),
        output_width() if width is None else width,
        initial_indent=first,
        subsequent_indent=following,
        break_on_hyphens=False,
    )


def _cell(value: object) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return printable("" if value is None else str(value))


def _fit(natural: list[int], room: int) -> list[int]:
    """Narrow the widest columns until the row fits, none below a readable width."""
    widths = list(natural)
    excess = sum(widths) + len(_GAP) * (len(widths) - 1) - room
    while excess > 0:
        widest = max(range(len(widths)), key=widths.__getitem__)
        others = [width for place, width in enumerate(widths) if place != widest]
        cut = min(excess, max(1, widths[widest] - max([*others, _NARROWEST])))
        if widths[widest] <= _NARROWEST:
            break
        widths[widest] -= cut
        excess -= cut
    return widths


def _row_lines(row: list[str], widths: list[int], right: list[bool]) -> list[str]:
    wrapped = [
        textwrap.wrap(cell, width, break_on_hyphens=False) or [""] if len(cell) > width else [cell]
        for cell, width in zip(row, widths, strict=True)
    ]
    lines = []
    for number in range(max(map(len, wrapped))):
        pieces = [cell[number] if number < len(cell) else "" for cell in wrapped]
        lines.append(
            _GAP.join(
                piece.rjust(width) if flush else piece.ljust(width)
                for piece, width, flush in zip(pieces, widths, right, strict=True)
            )
        )
    return lines
