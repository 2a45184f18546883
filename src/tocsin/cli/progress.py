"""A progress line for whatever may take longer than two seconds, on a terminal only.

It goes to standard error, so that standard output stays what programs read.
"""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING

from tocsin.cli.printable import printable
from tocsin.cli.sizes import human_size

if TYPE_CHECKING:
    from rich.live import Live

    from tocsin.app.scan import Totals

PATIENCE = 0.5
"""Seconds before anything is shown: most scans are over by then."""

_INTERVAL = 0.1
_BAR_WIDTH = 16


class Meter:
    """Shows a task's progress; use it in a `with` block.

    Args:
        enabled: whether to show anything even on a terminal.
    """

    def __init__(self, *, enabled: bool) -> None:
        self._enabled = enabled and sys.stderr.isatty()
        self._started = self._shown = time.monotonic()
        self._live: Live | None = None

    def __enter__(self) -> Meter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._live is not None:
            self._live.__exit__(kind, error, trace)
            self._live = None

    def pause(self) -> None:
        """Take the line away so that something else can be printed; it comes back by itself."""
        if self._live is not None:
            self._live.__exit__(None, None, None)
            self._live = None

    def say(self, text: str) -> None:
        """Show a few words about what is being done."""
        if self._enabled:
            self._show(f"{text} …")

    def update(self, totals: Totals, path: str) -> None:
        """Show how far a scan is."""
        now = time.monotonic()
        if not self._enabled or now - self._started < PATIENCE or now - self._shown < _INTERVAL:
            return
        self._shown = now
        rate = human_size(totals.bytes / max(totals.seconds, 0.001))
        found = f"{totals.found} found" if totals.found else "nothing found"
        self._show(f"{totals.files:,} files  {human_size(totals.bytes)}  {rate}/s  {found}", path)

    def _show(self, text: str, path: str = "") -> None:
        from rich.console import Console
        from rich.live import Live
        from rich.progress_bar import ProgressBar
        from rich.table import Table
        from rich.text import Text

        line = Text(text, no_wrap=True, overflow="ellipsis")
        if path:
            line.append(f"  {printable(path)}", style="dim")
        row = Table.grid(padding=(0, 2))
        row.add_row(ProgressBar(total=None, pulse=True, width=_BAR_WIDTH), line)
        if self._live is None:
            # No thread redraws it: workers are forked while it is shown.
            console = Console(stderr=True)
            self._live = Live(row, console=console, transient=True, auto_refresh=False)
            self._live.__enter__()
            self._live.refresh()
        else:
            self._live.update(row, refresh=True)
