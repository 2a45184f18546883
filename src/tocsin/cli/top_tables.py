"""The tables and curves of `tocsin top`: what looks say, drawn. Names are never markup here."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from rich.cells import cell_len, set_cell_size
from rich.console import Console, ConsoleOptions, RenderResult
from rich.measure import Measurement
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from tocsin.app.live import Live
from tocsin.app.process_usage import Usage
from tocsin.cli.printable import printable
from tocsin.cli.sizes import human_size
from tocsin.cli.times import local_time

ORDERS: dict[str, Callable[[Usage], Any]] = {
    "CPU": lambda usage: -(usage.cpu or 0.0),
    "memory": lambda usage: -usage.memory,
    "age": lambda usage: usage.pid,
}
"""Ways to sort the processes."""

FOR_ADMINS = "named to root and to members of [daemon] admin_group"
_BLOCKS = " ▁▂▃▄▅▆▇█"
_SEVERITIES = {"alarm": "bold red", "warning": "yellow", "notice": "cyan"}


class Name:
    """A path from outside: escaped, and cut at its left where there is no room for all of it.

    The end of a path tells more than its beginning.
    """

    def __init__(self, name: str) -> None:
        self._text = printable(name)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        del console
        text, room = self._text, options.max_width
        if cell_len(text) > room:
            while text and cell_len(text) >= room:
                text = text[max(1, (cell_len(text) - room) // 2) :]
            text = "…" + text
        yield Segment(set_cell_size(text, min(room, cell_len(text))))

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        del console
        return Measurement(min(12, options.max_width), min(cell_len(self._text), options.max_width))


def processes(live: Live, order: str) -> Table:
    """What each process of the daemon uses."""
    look = live.last
    if look.daemon is None:
        return _only("")
    table = _table([("PID", "right"), ("process", "left"), ("CPU", "right"), ("memory", "right")])
    table.columns[1].ratio = 1
    if look.unseen:
        return _only(look.unseen)
    for usage in sorted(look.processes, key=ORDERS[order]):
        what = Text(usage.role, no_wrap=True, overflow="ellipsis")
        if usage.purpose:
            what.append(f"  {usage.purpose}", "dim")
        cpu = "" if usage.cpu is None else f"{usage.cpu:.0%}"
        style = "bold" if usage.cpu is not None and usage.cpu >= 0.5 else ""
        memory = human_size(usage.memory) if usage.memory else "?"
        table.add_row(
            str(usage.pid), what, Text(cpu, style), memory if usage.shared else f"≤ {memory}"
        )
    return table


def findings(live: Live) -> Table:
    """What was found and what failed, the newest first."""
    if not live.known.get("paths"):
        return _only(FOR_ADMINS if live.known else "")
    if not live.findings:
        return _only("nothing since the daemon began")
    table = _table([("time", "left"), ("by", "left"), ("what", "left"), ("where", "left")])
    for column in table.columns[2:]:
        column.ratio = 1
    for event in live.findings:
        style = _SEVERITIES.get(str(event.get("severity")), "")
        names = event.get("signatures") or []
        what = str(names[0]) if names else str(event.get("message", ""))
        where = str(event.get("path", ""))
        if event.get("action"):
            what += f" ({event['action']})"
        clock = local_time(float(event.get("time") or 0.0))[-8:]
        origin = Text(printable(str(event.get("origin", ""))), overflow="ellipsis")
        table.add_row(clock, origin, Text(printable(what), style, overflow="ellipsis"), Name(where))
    return table


def slowest(live: Live) -> Table:
    """The objects that took longest within the last hour."""
    if not live.known.get("paths"):
        return _only(FOR_ADMINS if live.known else "")
    rows = live.slowest()
    if not rows:
        return _only("nothing yet")
    table = _table([("seconds", "right"), ("size", "right"), ("file", "left")])
    table.columns[2].ratio = 1
    for seconds, name, size in rows:
        table.add_row(f"{seconds:.3f}", human_size(size) if size >= 0 else "", Name(name))
    return table


def _table(columns: Iterable[tuple[str, str]]) -> Table:
    table = Table(box=None, expand=True, padding=(0, 2, 0, 0), header_style="dim", pad_edge=False)
    for heading, justify in columns:
        table.add_column(heading, justify=justify, no_wrap=True)  # type: ignore[arg-type]
    return table


def _only(sentence: str) -> Table:
    table = Table.grid(expand=True)
    table.add_row(Text(sentence, "dim"))
    return table


def summary(parts: Sequence[tuple[str, str]]) -> Text:
    """Numbers with what they are, in one line."""
    text = Text(no_wrap=True, overflow="ellipsis")
    for place, (number, what) in enumerate(parts):
        text.append("  " if place else "")
        text.append(number, "bold")
        text.append(f" {what}" if what else "")
    return text


def curve(values: Sequence[float], width: int, height: int) -> str:
    """Values as a curve of blocks, one a column, from nothing to the most there is.

    Args:
        values: the oldest first; where there are more than columns, the last ones are drawn.
        width: columns.
        height: lines.
    """
    drawn = list(values)[-width:]
    most = max(drawn, default=0.0)
    steps = len(_BLOCKS) - 1
    levels = [
        max(1, round(value / most * height * steps)) if value > 0 and most > 0 else 0
        for value in drawn
    ]
    lines = []
    for line in range(height - 1, -1, -1):
        blocks = [_BLOCKS[min(steps, max(0, level - line * steps))] for level in levels]
        lines.append("".join(blocks).rjust(width))
    return "\n".join(lines)


def help_text(rows: Iterable[tuple[str, str]]) -> Table:
    """What is shown, explained."""
    table = Table.grid(padding=(0, 2, 1, 0), expand=True)
    table.add_column(no_wrap=True, style="bold")
    table.add_column(ratio=1)
    for name, said in rows:
        table.add_row(Text(name), Text(said))
    return table
