"""Draw SVG by hand: shapes, text that is escaped, scales with round ticks. Nothing from elsewhere.

The result is an SVG 1.1 document of its own: no script, no font, no image to fetch.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from math import floor, log10

INK, FAINT, RULE = "#1d2329", "#5c6670", "#d5d9de"
"""Colours of text, of lesser text, and of lines that guide the eye."""

_LETTER = 0.56
"""Width of an average letter in its size, for fonts that have no serifs."""


class Drawing:
    """A picture that is being made; lengths in pixels, from the left and from the top.

    Args:
        width: of the whole.
        height: of the whole.
        title: for those who cannot see it, and as a tooltip.
    """

    def __init__(self, width: int, height: int, title: str) -> None:
        self._lines = [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
            f'width="{width}" height="{height}" role="img" '
            "font-family=\"system-ui, 'Segoe UI', 'Helvetica Neue', Arial, sans-serif\">",
            f"<title>{_escaped(title)}</title>",
            f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
        ]

    def text(
        self, x: float, y: float, text: str, *, size: float = 12, colour: str = INK,
        weight: int = 400, anchor: str = "start",
    ) -> None:  # fmt: skip
        """Text whose base line begins, has its middle or its end at a place.

        Args:
            x: of the place.
            y: of the base line.
            text: of any characters; those that XML has not become a replacement mark.
            size: of the letters.
            colour: of the letters.
            weight: from 100 to 900.
            anchor: `start`, `middle` or `end`.
        """
        self._lines.append(
            f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size:g}" font-weight="{weight}" '
            f'fill="{colour}" text-anchor="{anchor}">{_escaped(text)}</text>'
        )

    def line(
        self, x1: float, y1: float, x2: float, y2: float, *, colour: str = RULE, width: float = 1,
        dashes: str = "",
    ) -> None:  # fmt: skip
        """A straight line; `dashes` as in `4 3`."""
        dashed = f' stroke-dasharray="{dashes}"' if dashes else ""
        self._lines.append(
            f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}" '
            f'stroke-width="{width:g}"{dashed}/>'
        )

    def box(
        self, x: float, y: float, width: float, height: float, colour: str, *, told: str = ""
    ) -> None:
        """A filled rectangle, with words that appear when it is pointed at."""
        shape = f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.2f}" height="{height:.1f}" '
        self._lines.append(f'{shape}fill="{colour}"{_told(told, "rect")}')

    def area(self, points: Iterable[tuple[float, float]], colour: str, *, told: str = "") -> None:
        """A filled shape with those corners."""
        path = "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
        self._lines.append(f'<path d="M{path}Z" fill="{colour}"{_told(told, "path")}')

    def polyline(
        self, points: Iterable[tuple[float, float]], colour: str, *, width: float = 1
    ) -> None:
        """A line through points."""
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        self._lines.append(
            f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="{width:g}"/>'
        )

    def done(self) -> str:
        """The whole document."""
        return "\n".join([*self._lines, "</svg>", ""])


def text_width(text: str, size: float) -> float:
    """About how wide text is."""
    return len(text) * size * _LETTER


def ticks(highest: float, about: int = 5) -> list[int]:
    """Round whole numbers from 0 to at least a number: steps of 1, 2 or 5 times a power of ten."""
    if highest <= 0:
        return [0, 1]
    rough = max(highest / about, 1)
    power = 10 ** floor(log10(rough))
    step = next(int(power * factor) for factor in (1, 2, 5, 10) if power * factor >= rough * 0.999)
    return list(range(0, int(highest) + step, step))


def spread(wanted: Sequence[float], gap: float, first: float, last: float) -> list[float]:
    """Places near those that are wanted, in the same order, none nearer to the next than a gap.

    Args:
        wanted: sorted.
        gap: at least between two.
        first: no place is before it.
        last: none is behind it, if there is room for all.
    """
    found: list[float] = []
    for place in wanted:
        found.append(max(place, found[-1] + gap if found else first))
    limit = last
    for number in range(len(found) - 1, -1, -1):
        found[number] = max(min(found[number], limit), first + number * gap)
        limit = found[number] - gap
    return found


def _told(told: str, tag: str) -> str:
    return f"><title>{_escaped(told)}</title></{tag}>" if told else "/>"


def _escaped(text: str) -> str:
    """Text as XML 1.0 may have it (section 2.2)."""
    return escape("".join(each if _is_character(each) else "\ufffd" for each in text))


def _is_character(character: str) -> bool:
    code = ord(character)
    if code < 0x20:
        return character in "\t\n\r"
    return not (0x7F <= code < 0xA0 or 0xD800 <= code < 0xE000 or code in (0xFFFE, 0xFFFF))
