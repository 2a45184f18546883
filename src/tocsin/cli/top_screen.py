"""The screen of `tocsin top`, in Textual. It shows what `app.live` says and decides nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from rich.text import Text
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Grid, Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Footer, Static

from tocsin.app.live import Live, Look
from tocsin.cli import top_tables as tables
from tocsin.cli.printable import printable
from tocsin.cli.sizes import human_size
from tocsin.cli.top_tables import summary
from tocsin.protect.health.judge import headline, judge, worst
from tocsin.protect.health.seen import Seen, age_words
from tocsin.settings import Settings
from tocsin.version import VERSION

_COLOURS = {"ok": "green", "note": "green", "warning": "yellow", "alarm": "red"}
_HELP = (
    (
        "scanning",
        "What clients had scanned: objects and bytes a second, and the share of the workers' time "
        "that went into it. The curve shows the last minutes, up to the peak that is named.",
    ),
    (
        "guard",
        "Openings that the kernel asked about a second, how many of them of guarded files, and "
        "which share of these was known from memory; how many wait now, and how many were "
        "refused or had no verdict in time since the guard began.",
    ),
    (
        "processes",
        "CPU is the share of one processor. Memory is what a process has alone and its share of "
        "what it has in common with others; with '≤' all it has, for who may not see more.",
    ),
    ("slowest", "What took longest within the last hour."),
    ("findings", "The last detections and warnings, the newest first."),
    (
        "keys",
        "q ends, p pauses, s sorts the processes by CPU, memory or age; Tab goes from table to "
        "table, arrows scroll.",
    ),
)


class Help(ModalScreen[None]):
    """What is shown, explained."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,question_mark,q,enter", "dismiss", "Back")
    ]

    def compose(self) -> ComposeResult:
        """Lay it out."""
        with VerticalScroll(id="help"):
            yield Static(tables.help_text(_HELP))


class Top(App[None]):
    """The screen.

    Args:
        look: looks at the daemon; may wait for it, so it is called in a thread.
        settings: by which what is seen is judged.
        every: seconds between two looks.
    """

    ENABLE_COMMAND_PALETTE = False
    AUTO_FOCUS = None
    TITLE = "tocsin top"
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (120, "-wide")]  # noqa: RUF012
    CSS = """
    Screen { layout: vertical; background: $background; }
    #head { height: auto; max-height: 3; padding: 0 1; }
    #rates { height: auto; grid-size: 1; grid-rows: auto; padding: 0 1; }
    #rates Vertical { height: auto; }
    #scanning, #guard { height: 1; }
    #tables { height: 1fr; padding: 0 1; grid-size: 1 3; grid-rows: 2fr 1fr 1fr; }
    .table { border-top: solid $primary; border-title-color: $text; height: 100%;
             scrollbar-size-vertical: 1; }
    .table:focus { border-top: solid $accent; }
    .curve { height: 2; color: $primary-lighten-1; }
    #openings { display: none; }
    .guarded #openings { display: block; }
    .-narrow.guarded .curve { height: 1; }
    .-wide #rates { grid-size: 2; grid-gutter: 0 2; }
    .-wide .curve { height: 4; }
    .-wide #tables { grid-size: 2 2; grid-rows: 1fr 1fr; grid-gutter: 0 2; }
    .-wide #findings { column-span: 2; }
    .stale #rates, .stale #tables { opacity: 50%; }
    Help { align: center middle; }
    #help { width: 78; max-width: 100%; height: auto; max-height: 100%; padding: 0 2;
            background: $panel; border: round $primary; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("q", "quit", "Quit"),
        Binding("p", "pause", "Pause"),
        Binding("s", "sort", "Sort"),
        Binding("question_mark", "help", "Help", key_display="?"),
    ]

    def __init__(self, look: Callable[[], Look], settings: Settings, *, every: float = 1.0) -> None:
        super().__init__()
        self.live = Live()
        self._look = look
        self._settings = settings
        self._every = every
        self._asking = False
        self._paused = False
        self._order = "CPU"
        self._parts: dict[str, Static] = {}

    def compose(self) -> ComposeResult:
        """Lay it out."""
        yield Static(id="head")
        with Grid(id="rates"):
            with Vertical():
                yield Static(id="scanning")
                yield Static(id="objects", classes="curve")
            with Vertical():
                yield Static(id="guard")
                yield Static(id="openings", classes="curve")
        with Grid(id="tables"):
            for name in ("processes", "slowest", "findings"):
                with VerticalScroll(id=name, classes="table") as table:
                    table.border_title = name
                    yield Static(id=f"{name}-rows")
        yield Footer()

    def on_mount(self) -> None:
        """Begin to look."""
        self._main = self.screen
        self._processes = self.screen.query_one("#processes")
        self._parts = {part.id or "": part for part in self.screen.query(Static)}
        self._show()
        self._ask()
        self.set_interval(self._every, self._ask)

    # --- keys -----------------------------------------------------------------------------

    def action_pause(self) -> None:
        """Look no more, or again."""
        self._paused = not self._paused
        self._show()
        self._ask()

    def action_sort(self) -> None:
        """Sort the processes in another way."""
        orders = list(tables.ORDERS)
        self._order = orders[(orders.index(self._order) + 1) % len(orders)]
        self._show()

    def action_help(self) -> None:
        """Explain what is shown."""
        self.push_screen(Help())

    # --- looking --------------------------------------------------------------------------

    def _ask(self) -> None:
        """Have a look taken, unless one is under way; a daemon may take its time to answer."""
        if self._asking or self._paused:
            self._show_head()
            return
        self._asking = True
        self.run_worker(self._ask_in_thread, thread=True, exit_on_error=True)

    def _ask_in_thread(self) -> None:
        look = self._look()
        if self.is_running:
            self.call_from_thread(self._take, look)

    def _take(self, look: Look) -> None:
        self._asking = False
        if self._paused or not self.is_running:
            return
        self.live.take(look)
        self._show()

    # --- showing --------------------------------------------------------------------------

    def _show(self) -> None:
        live = self.live
        if not self._parts:
            return  # nothing is laid out yet
        self._show_head()
        guarded = bool(live.known.get("guarded"))
        self._main.set_class(guarded, "guarded")
        self._main.set_class(live.last.daemon is None, "stale")
        self._parts["scanning"].update(self._scanning())
        self._parts["guard"].update(self._guarding())
        self._draw("objects", list(live.objects))
        self._draw("openings", list(live.openings))
        self._processes.border_title = f"processes, by {self._order}"
        self._parts["processes-rows"].update(tables.processes(live, self._order))
        self._parts["findings-rows"].update(tables.findings(live))
        self._parts["slowest-rows"].update(tables.slowest(live))

    def _show_head(self) -> None:
        look = self.live.last
        text = Text(f"tocsin {VERSION}  ", no_wrap=False)
        daemon = look.daemon
        if not look.time:
            text.append("asking the daemon", "dim")
        elif daemon is None:
            text.append("waiting for the daemon: ", "bold red")
            text.append(printable(look.trouble))
        else:
            seen = Seen(look.time, VERSION, self._settings, False, daemon)
            judgements = judge(seen)
            text.append(headline(seen, judgements), f"bold {_COLOURS[worst(judgements).value]}")
            started = float(daemon.get("started") or look.time)
            text.append(f"  up {age_words(max(0.0, look.time - started))}", "dim")
            if judgements and judgements[0].level.rank > 1:
                first = judgements[0]
                text.append("\n" + printable(f"{first.topic}: {first.text}"))
        if self._paused:
            text.append("  paused", "bold reverse")
        self._parts["head"].update(text)

    def _scanning(self) -> Text:
        live = self.live
        queue = live.known.get("queue", {})
        text = Text("scanning  ", no_wrap=True, overflow="ellipsis")
        return text.append_text(
            summary(
                [
                    (f"{live.rates.objects:,.1f}", "objects/s"),
                    (f"{human_size(live.rates.bytes)}/s", ""),
                    (f"{live.rates.busy:.0%}", "busy"),
                    (f"{int(queue.get('pending') or 0):,}", "queued"),
                    (f"{int(live.known.get('clients') or 0):,}", "clients"),
                    (f"{max(live.objects):,.0f}", "peak"),
                ]
            )
        )

    def _guarding(self) -> Text:
        live, rates = self.live, self.live.rates
        text = Text("guard     ", no_wrap=True, overflow="ellipsis")
        state = live.known.get("guard") or {}
        if not live.known.get("guarded"):
            return text.append("none: [guard] enabled is false in the settings", "dim")
        if not state.get("active"):
            return text.append(f"not active: {printable(str(state.get('reason') or ''))}", "red")
        return text.append_text(
            summary(
                [
                    (f"{rates.openings:,.0f}", "opens/s"),
                    (f"{rates.guarded:,.0f}", "guarded"),
                    (f"{rates.remembered:.0%}", "known"),
                    (f"{int(state.get('waiting') or 0):,}", "wait"),
                    (f"{int(state.get('denied') or 0):,}", "refused"),
                    (f"{int(state.get('timed_out') or 0):,}", "late"),
                ]
            )
        )

    def _draw(self, name: str, values: list[float]) -> None:
        size = self._parts[name].size
        if size.width and size.height:
            self._parts[name].update(Text(tables.curve(values, size.width, size.height)))

    def on_resize(self) -> None:
        """Curves are as wide as the screen."""
        self.call_after_refresh(self._show)
