"""A timeline as a picture: a row an operation, a bar in the colour of its outcome over time."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from html import escape

from tocsin.jurisdiction.timeline import Row, Timeline
from tocsin.jurisdiction.vocabulary import OUTCOMES, Outcome

COLOURS = {
    Outcome.ALLOWED: "#2e8b57",
    Outcome.WARNED: "#d9a400",
    Outcome.PROHIBITED: "#c0392b",
    Outcome.UNDETERMINED: "#8e6bbf",
}
_LEFT, _TOP, _ROW, _WIDTH, _RIGHT = 350, 92, 26, 760, 40
_CHARACTER = 6.4
"""Pixels of an average letter at the size of dates."""


def timeline_svg(of: Timeline, title: str) -> str:
    """Draw a timeline.

    Time runs in equal steps where little happens: instants at which an outcome changes are the
    columns, each as wide as the others, since years of nothing would press a summer of three
    measures into one line.

    Args:
        of: the timeline.
        title: stands above it.

    Returns:
        An SVG 1.1 document that needs nothing from elsewhere.
    """
    instants = [*of.instants, of.last]
    height = _TOP + _ROW * len(of.rows) + 50
    width = _LEFT + _WIDTH + _RIGHT
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        f'width="{width}" height="{height}" font-family="system-ui, sans-serif" font-size="13">',
        f"<title>{escape(title)}</title>",
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
        _text(16, 28, title, size=18, weight=600),
        *_columns(instants, height),
    ]
    for number, row in enumerate(of.rows):
        lines += _bars(row, _TOP + number * _ROW, instants)
    lines += _legend(height - 20)
    return "\n".join([*lines, "</svg>", ""])


def _columns(instants: list[datetime], height: int) -> Iterator[str]:
    step = _WIDTH / (len(instants) - 1)
    slanted = step < len("2024-09-29 04:00") * _CHARACTER
    for number, instant in enumerate(instants[:-1]):
        x = _LEFT + number * step
        yield (
            f'<line x1="{x:.1f}" y1="{_TOP - 6}" x2="{x:.1f}" y2="{height - 44}" '
            'stroke="#b8bec6" stroke-width="1"/>'
        )
        turn = f' transform="rotate(-28 {x:.1f} {_TOP - 12})"' if slanted else ""
        yield _text(x + 2, _TOP - 12, f"{instant:%Y-%m-%d %H:%M}", size=11, more=turn)
    yield _text(16, _TOP - 12, "UTC", size=11, colour="#5c6670")


def _bars(row: Row, y: int, instants: list[datetime]) -> Iterator[str]:
    step = _WIDTH / (len(instants) - 1)
    product = f" · {row.product.value}" if row.product else ""
    yield _text(16, y + 17, row.operation.value + product)
    number = 0
    while number < len(instants) - 1:
        instant = instants[number]
        span = row.at(instant)
        columns = 1
        while (
            number + columns < len(instants) - 1
            and row.at(instants[number + columns]).outcome is span.outcome
        ):
            columns += 1
        told = f"{row.operation.value}: {span.outcome.value} from {instant:%Y-%m-%d %H:%M} UTC"
        told += f" ({', '.join(span.rules)})" if span.rules else ""
        x, length = _LEFT + number * step, step * columns
        yield (
            f'<rect x="{x:.1f}" y="{y + 3}" width="{length:.1f}" height="{_ROW - 6}" rx="2" '
            f'fill="{COLOURS[span.outcome]}"><title>{escape(told)}</title></rect>'
        )
        if length > len(span.outcome.value) * _CHARACTER + 8:
            yield _text(x + 6, y + 17, span.outcome.value, size=11, colour="#ffffff")
        number += columns


def _legend(y: int) -> Iterator[str]:
    x = 16.0
    for outcome, colour in COLOURS.items():
        told = f"{outcome.value}: {OUTCOMES[outcome].split(';')[0]}"
        yield f'<rect x="{x:.1f}" y="{y - 10}" width="12" height="12" fill="{colour}"/>'
        yield _text(x + 17, y, told, size=11, colour="#404850")
        x += 30 + len(told) * _CHARACTER


def _text(
    x: float, y: float, text: str, *, size: int = 13, weight: int = 400,
    colour: str = "#1d2329", more: str = "",
) -> str:  # fmt: skip
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" font-weight="{weight}" '
        f'fill="{colour}"{more}>{escape(text)}</text>'
    )
