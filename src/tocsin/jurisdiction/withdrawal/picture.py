"""A simulation as a picture: where customers stand day by day, and what was done on each day."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import pairwise

from tocsin.jurisdiction.places import zone_of
from tocsin.jurisdiction.svg import FAINT, INK, Drawing, spread, text_width, ticks
from tocsin.jurisdiction.vocabulary import Operation
from tocsin.jurisdiction.withdrawal.model import Plan
from tocsin.jurisdiction.withdrawal.population import DAY
from tocsin.jurisdiction.withdrawal.simulate import Simulation
from tocsin.jurisdiction.withdrawal.standing import STANDINGS, State

_COLOURS = {
    "updates": "#2a7f83",
    "moved": "#e3a93c",
    "last-database": "#4f7fb5",
    "refunded": "#a9c3e0",
    "unknown": "#8e6bbf",
    "expired": "#c4c4bd",
    "removed": "#e4e2da",
}
_LABELS = {
    "updates": ("With updates", "protected as before"),
    "moved": ("Moved to a successor", "by their own opt-in only"),
    "last-database": ("With the last database", "scanning goes on"),
    "refunded": ("With the last database,", "and paid back"),
    "unknown": ("A fact is unknown", "nothing until it is stated"),
    "expired": ("Licence ran out", "scanning goes on"),
    "removed": ("Removed it", "or had all data deleted"),
}
_DONE, _WITHHELD, _PEOPLE = "#2a7f83", "#b5443c", "#5b6b7a"
_ROWS: tuple[tuple[str, tuple[str, ...], str], ...] = (
    ("Sold or renewed", ("sell", "renew"), _PEOPLE),
    ("Sales, renewals withheld", ("sell withheld", "renew withheld", "transfer withheld",
                    "download withheld"), _WITHHELD),
    ("Databases and code delivered", ("signature-update", "software-update"), _DONE),
    ("Statistics and look-ups", ("collect-statistics", "look-up-reputation"), _DONE),
    ("Updates, network withheld", ("signature-update withheld", "software-update withheld",
                  "collect-statistics withheld", "look-up-reputation withheld",
                  "provide-threat-intelligence withheld", "provide-training withheld"),
     _WITHHELD),
    ("Threat intelligence, training", ("provide-threat-intelligence", "provide-training"), _DONE),
    ("Notices with proof", ("notice",), _PEOPLE),
    ("Moved by opt-in", ("move",), "#e3a93c"),
    ("Paid back", ("refund", "owed"), "#7aa0cc"),
    ("Removed, exported, deleted", ("uninstall", "export", "delete"), _PEOPLE),
)  # fmt: skip
_LEFT, _RIGHT, _WIDTH = 232, 968, 1200
_TOP, _BOTTOM = 158, 508
_ROW, _GAP, _ROWS_TOP = 28, 9, 560
_SIZE = 12


def simulation_svg(plan: Plan, of: Simulation, seed: int) -> str:
    """Draw a simulation.

    Args:
        plan: that was followed; its instants are lines.
        of: the simulation.
        seed: of its population.

    Returns:
        An SVG document.
    """
    height = _ROWS_TOP + len(_ROWS) * (_ROW + _GAP) + 74
    title = plan.title
    told = (
        f"{len(of.customers):,} synthetic customers over {len(of.days)} days, every act decided "
        "by the rules at its own instant"
    )
    drawing = Drawing(_WIDTH, height, f"{title}: {told}")
    drawing.text(24, 42, title, size=22, weight=600)
    drawing.text(24, 66, told, size=14, colour=FAINT)
    end = _ROWS_TOP + len(_ROWS) * (_ROW + _GAP)
    _months(drawing, of, end)
    _bands(drawing, of.days)
    for number, (name, kinds, colour) in enumerate(_ROWS):
        top = _ROWS_TOP + number * (_ROW + _GAP)
        _row(drawing, of.days, top, name, kinds, colour)
    _instants(drawing, plan, of, end)
    drawing.text(
        _LEFT, _ROWS_TOP - 18, "Acts a day, each row in its own scale", size=13, weight=600
    )
    drawing.text(_RIGHT + 14, _ROWS_TOP - 18, "most on a day", size=11, colour=FAINT)
    drawing.text(
        24,
        height - 18,
        f"Simulated with synthetic customers (seed {seed}), rulebook edition {plan.edition}, "
        f"SHA-256 {plan.rulebook_sha256[:16]}…; days of {plan.place_name}. {plan.notice}",
        size=11,
        colour=FAINT,
    )
    return drawing.done()


def _x(of: int, days: int) -> float:
    """Where a day begins."""
    return _LEFT + (_RIGHT - _LEFT) * of / days


def _bands(drawing: Drawing, days: Sequence[State]) -> None:
    names = list(STANDINGS)
    highest = max(sum(day.standing[name] for name in names) for day in days)
    marks = ticks(highest, 5)
    scale = (_BOTTOM - _TOP) / max(highest, 1)
    for mark in marks:
        if mark <= highest:
            y = _BOTTOM - mark * scale
            drawing.text(_LEFT - 10, y + 4, f"{mark:,}", size=11, colour=FAINT, anchor="end")
    drawing.text(_LEFT - 10, _TOP + 4, "customers", size=11, colour=FAINT, anchor="end")
    below = [0] * len(days)
    middles = []
    for name in names:
        above = [under + day.standing[name] for under, day in zip(below, days, strict=True)]
        if any(day.standing[name] for day in days):
            upper = list(_steps(above, len(days), scale))
            lower = list(_steps(below, len(days), scale))
            drawing.area([*upper, *reversed(lower)], _COLOURS[name], told=STANDINGS[name])
            middles.append((_BOTTOM - (above[-1] + below[-1]) / 2 * scale, name))
        below = above
    for mark in marks:
        if 0 < mark <= highest:
            y = _BOTTOM - mark * scale
            drawing.line(_LEFT, y, _RIGHT, y, colour="#ffffff", width=0.6)
    drawing.text(_RIGHT + 16, _TOP - 12, "customers on the last day", size=11, colour=FAINT)
    _legend(drawing, days[-1], middles)


def _steps(values: Sequence[int], count: int, scale: float) -> Iterator[tuple[float, float]]:
    for number, value in enumerate(values):
        y = _BOTTOM - value * scale
        yield _x(number, count), y
        yield _x(number + 1, count), y


def _legend(drawing: Drawing, last: State, middles: list[tuple[float, str]]) -> None:
    middles = sorted(middles)
    places = spread([y for y, _ in middles], 46, _TOP + 14, _BOTTOM - 16)
    for place, (middle, name) in zip(places, middles, strict=True):
        drawing.polyline(
            [(_RIGHT + 2, middle), (_RIGHT + 14, place - 4)], _COLOURS[name], width=1.4
        )
        drawing.box(_RIGHT + 16, place - 11, 13, 13, _COLOURS[name])
        first, second = _LABELS[name]
        drawing.text(_RIGHT + 36, place, f"{first}", size=12.5, weight=600)
        drawing.text(
            _RIGHT + 36, place + 15, f"{last.standing[name]:,}, {second}", size=11, colour=FAINT
        )


def _row(
    drawing: Drawing,
    days: Sequence[State],
    top: float,
    name: str,
    kinds: tuple[str, ...],
    colour: str,
) -> None:
    values = [sum(day.acts[kind] for kind in kinds) for day in days]
    highest = max(values)
    base = top + _ROW
    drawing.text(_LEFT - 10, base - 9, name, size=_SIZE, anchor="end")
    drawing.line(_LEFT, base, _RIGHT, base)
    drawing.text(_RIGHT + 14, base - 9, f"{highest:,}" if highest else "none", size=_SIZE)
    wide = (_RIGHT - _LEFT) / len(days)
    for number, value in enumerate(values):
        if value:
            tall = max(_ROW * value / highest, 0.8)
            drawing.box(
                _x(number, len(days)) + wide * 0.08,
                base - tall,
                wide * 0.84,
                tall,
                colour,
                told=f"{name}: {value:,} on day {number + 1}",
            )


def _months(drawing: Drawing, of: Simulation, end: float) -> None:
    """Lines at the beginnings of months, or of days where months are too long."""
    scene = of.scene
    zone = zone_of(scene.place)
    first = datetime.fromtimestamp(scene.begins, zone)
    last = datetime.fromtimestamp(scene.ends, zone)
    marks = list(_beginnings(first, last))
    for mark in marks:
        x = _second(of, mark.timestamp())
        drawing.line(x, _BOTTOM, x, _BOTTOM + 5, colour=FAINT)
        drawing.line(x, _ROWS_TOP - 6, x, end, colour="#eceef0")
    for mark, after in pairwise([*marks, last]):
        x = _second(of, mark.timestamp())
        words = f"{mark:%B %Y}" if mark.day == 1 else f"{mark.day} {mark:%B %Y}"
        if text_width(words, 11) > _second(of, after.timestamp()) - x - 4:
            words = f"{mark:%b}" if mark.day == 1 else f"{mark.day} {mark:%b}"
        if text_width(words, 11) <= _second(of, after.timestamp()) - x:
            drawing.text(x + 4, _BOTTOM + 16, words, size=11, colour=FAINT)
            drawing.text(x + 4, end + 16, words, size=11, colour=FAINT)
    drawing.line(_LEFT, _BOTTOM, _RIGHT, _BOTTOM, colour=FAINT)


def _beginnings(first: datetime, last: datetime) -> Iterator[datetime]:
    yield first
    mark = first.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    while True:
        mark = (mark + timedelta(days=32)).replace(day=1)
        if mark >= last:
            return
        yield mark


def _second(of: Simulation, second: float) -> float:
    return _LEFT + (_RIGHT - _LEFT) * (second - of.scene.begins) / (len(of.days) * DAY)


def _instants(drawing: Drawing, plan: Plan, of: Simulation, end: float) -> None:
    """Lines at the instants of the plan, their names above, none over another."""
    marks = [
        (_second(of, time), name)
        for time, name in sorted(_marks(plan))
        if of.scene.begins <= time < of.scene.ends
    ]
    taken: list[list[tuple[float, float]]] = []
    labels = []
    for x, name in marks:
        level, turned = _room(x, text_width(name, 11) + 12, [other for other, _ in marks], taken)
        y = _TOP - 14 - level * 17
        labels.append((x, y, name, turned))
        is_end = "end" in name.split()
        for top, bottom in ((y - 9, _BOTTOM + 5), (_ROWS_TOP - 6, end)):
            if is_end:
                drawing.line(x, top, x, bottom, colour=INK, width=1.3)
            else:
                drawing.line(x, top, x, bottom, colour=INK, width=0.9, dashes="3 3")
    for x, y, name, turned in labels:
        wide = text_width(name, 11)
        drawing.box(x - 5 - wide if turned else x + 3, y - 10, wide + 3, 13, "#ffffff")
        weight = 600 if "end" in name.split() else 400
        anchor = "end" if turned else "start"
        drawing.text(x - 5 if turned else x + 5, y, name, size=11, weight=weight, anchor=anchor)


def _room(
    x: float, wide: float, lines: Sequence[float], taken: list[list[tuple[float, float]]]
) -> tuple[int, bool]:
    """Where a label has room: at which level above the picture, and whether left of its line.

    The lowest level is best, and there a side on which it crosses no other's line.
    """
    sides = [(x - wide, x)] if x + wide > _RIGHT else [(x, x + wide), (x - wide, x)]
    for level, row in enumerate([*taken, []]):
        for first, last in sides:
            crossed = level == 0 and any(first < other < last for other in lines)
            if not crossed and all(last <= begins or first >= ends for begins, ends in row):
                if level == len(taken):
                    taken.append(row)
                row.append((first, last))
                return level, first < x
    taken.append([(x - wide, x)])
    return len(taken) - 1, True


def _marks(plan: Plan) -> Iterator[tuple[float, str]]:
    for identifier, name in (
        ("announce", "announced"),
        ("notice-1", "first notice"),
        ("last-database", "last full database"),
        ("refund-all", "all paid back"),
    ):
        if step := plan.step(identifier):
            yield step.at.timestamp(), name
    ends = [each.at for each in plan.closings if each.operation is Operation.SELL and each.at]
    if ends:
        yield min(ends).timestamp(), "sales and renewals end"
    if plan.cutoff is not None:
        yield plan.cutoff.timestamp(), "updates and statistics end"
