"""A drawing of when rules hold: inline SVG, a row a rule, with the instant that was asked about."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from html import escape
from typing import NamedTuple

from tocsin.audit.report.words import shown, since
from tocsin.jurisdiction.rulebook import BoundRule
from tocsin.jurisdiction.vocabulary import Kind

MOST_ROWS = 80

_WIDTH = 1000
_LEFT = 300
_RIGHT = 16
_ROW = 24
_TOP = 44
_BAR = 12
_LABEL = 44
"""Characters of a rule's identifier that fit before its row."""

_MOST_TICKS = 10
_MOST_YEARS_OF_QUARTERS = 3
_LABEL_HALF = 42
"""Half of the width of the label of the instant."""


class _Scale(NamedTuple):
    first: datetime
    last: datetime

    def x(self, time: datetime) -> float:
        share = (time - self.first) / (self.last - self.first)
        return _LEFT + min(1.0, max(0.0, share)) * (_WIDTH - _LEFT - _RIGHT)


def tone(rule: BoundRule) -> str:
    """The class of colour of a rule's kind."""
    if rule.rule.kind is Kind.EXEMPTION:
        return "allowed"
    return "prohibited" if rule.forbids else "warned"


def timeline_svg(rules: tuple[BoundRule, ...], at: datetime) -> str:
    """Draw the time of rules; empty when there are none.

    Args:
        rules: the rows; those beyond `MOST_ROWS` are left out, the latest ones.
        at: the instant that is marked, with a time zone.
    """
    rows = sorted(rules, key=lambda rule: (rule.rule.effective, rule.id))[:MOST_ROWS]
    if not rows:
        return ""
    scale = _scale(rows, at)
    height = _TOP + _ROW * len(rows) + 10
    parts = [
        f'<svg viewBox="0 0 {_WIDTH} {height}" role="img" aria-label="When each rule holds">',
        *_grid(scale, height, at),
    ]
    for number, rule in enumerate(rows):
        parts += _row(rule, scale, at, _TOP + number * _ROW)
    here = scale.x(at)
    label = min(_WIDTH - _RIGHT - _LABEL_HALF, max(_LEFT + _LABEL_HALF, here))
    parts += [
        f'<line class="now" x1="{here:.1f}" y1="18" x2="{here:.1f}" y2="{height - 6}"/>',
        f'<text class="nowtext" x="{label:.1f}" y="13" text-anchor="middle">'
        f"{at.strftime('%Y-%m-%d')}</text>",
        "</svg>",
    ]
    return "\n".join(parts)


def _scale(rows: list[BoundRule], at: datetime) -> _Scale:
    """From before the first instant to after the last, with an eighth of the time to spare."""
    times = [at, *(time for rule in rows for time in _times(rule))]
    first, last = min(times).astimezone(UTC), max(times).astimezone(UTC)
    spare = max((last - first) / 8, timedelta(days=45))
    try:
        return _Scale(first - spare / 2, last + spare)
    except OverflowError:  # a rule that holds to the end of time
        return _Scale(first, max(last, first + timedelta(days=1)))


def _times(rule: BoundRule) -> list[datetime]:
    due = rule.rule.comply_by
    return [*rule.boundaries(), *([] if due is None else [due])]


def _grid(scale: _Scale, height: int, at: datetime) -> list[str]:
    """A line and its date at the beginning of years or, of a shorter time, of quarters."""
    parts = []
    here = scale.x(at)
    for time, label in _ticks(scale):
        x = scale.x(time)
        parts.append(f'<line class="grid" x1="{x:.1f}" y1="34" x2="{x:.1f}" y2="{height - 6}"/>')
        if abs(x - here) > _LABEL_HALF:
            parts.append(
                f'<text class="axis" x="{x:.1f}" y="30" text-anchor="middle">{label}</text>'
            )
    return parts


def _ticks(scale: _Scale) -> list[tuple[datetime, str]]:
    """At most `_MOST_TICKS` of them."""
    years = range(scale.first.year, scale.last.year + 1)
    if len(years) <= _MOST_YEARS_OF_QUARTERS:
        found = [
            (datetime(year, month, 1, tzinfo=UTC), f"{year}-{month:02}")
            for year in years
            for month in (1, 4, 7, 10)
        ]
    else:
        found = [(datetime(year, 1, 1, tzinfo=UTC), str(year)) for year in years]
    found = [tick for tick in found if scale.first < tick[0] < scale.last]
    return found[:: max(1, -(-len(found) // _MOST_TICKS))]


def _row(rule: BoundRule, scale: _Scale, at: datetime, y: int) -> list[str]:
    stated = rule.rule
    certain = stated.certain_from or stated.effective
    begins, sure, ends = scale.x(stated.effective), scale.x(certain), _WIDTH - _RIGHT
    if stated.ends is not None:
        ends = int(max(sure + 3, scale.x(stated.ends)))
    is_over = stated.ends is not None and stated.ends <= at
    past = " past" if is_over else ""
    name = shown(rule.id)
    short = name if len(name) <= _LABEL else name[: _LABEL - 1] + "…"
    top = y + (_ROW - _BAR) / 2
    parts = [
        f'<g class="{tone(rule)}{past}"><title>{escape(f"{name}: {stated.summary}; {since(rule)}")}'
        f'</title><text x="{_LEFT - 12}" y="{y + _ROW / 2 + 4:.1f}" text-anchor="end">'
        f"{escape(short)}</text>"
    ]
    if sure > begins:
        parts.append(
            f'<rect class="maybe" x="{begins:.1f}" y="{top:.1f}" width="{sure - begins:.1f}" '
            f'height="{_BAR}"/>'
        )
    parts.append(
        f'<rect class="bar" x="{sure:.1f}" y="{top:.1f}" rx="2" '
        f'width="{max(3.0, ends - sure):.1f}" height="{_BAR}"/>'
    )
    if stated.comply_by is not None and stated.comply_by > stated.effective:
        x = scale.x(stated.comply_by)
        parts.append(
            f'<line class="due" x1="{x:.1f}" y1="{top:.1f}" x2="{x:.1f}" y2="{top + _BAR:.1f}"/>'
        )
    return [*parts, "</g>"]
