"""`tocsin top`: recorded states drawn, keys, and a real daemon that is started anew meanwhile."""

from __future__ import annotations

import asyncio
import os
import subprocess
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from textual.pilot import Pilot

from protect.running_daemon import MARKER, TOCSIN, RunningDaemon, daemon_folder
from tocsin.app.daemon_status import checked
from tocsin.app.live import Live, Look, Watch
from tocsin.app.process_usage import Usage
from tocsin.app.settings import load_settings
from tocsin.cli.top_screen import Help, Top
from tocsin.cli.top_tables import curve
from tocsin.errors import DaemonUnreachable
from tocsin.settings import Settings
from tocsin.version import VERSION

NOW = 1_800_000_000.0
HOSTILE = "/srv/[red]x[/red]\x1b[31m\u202e[@click=app.quit]go[/]"


def state(number: int, **changed: Any) -> dict[str, Any]:
    return {
        "pid": 100,
        "started": NOW - 7200,
        "version": VERSION,
        "ready": True,
        "paths": True,
        "guarded": True,
        "jobs": 2,
        "clients": 12,
        "database": {"generation": 1, "newest": NOW - 86400},
        "processes": {"front": 101},
        "queue": {"pending": 7, "most": 2000},
        "scanned": {
            "objects": number * 50,
            "bytes": number * 5_000_000,
            "worker_seconds": number * 1.0,
            "slowest": [{"seconds": 3.25, "name": HOSTILE, "size": 1000, "at": NOW}],
        },
        "guard": {
            "mode": "permission",
            "active": True,
            "events": number * 300,
            "joined": number * 10,
            "looks": number * 40,
            "remembered": number * 150,
            "waiting": 4,
            "denied": 3,
            "timed_out": 1,
        },
        "recent": [
            {
                "kind": "detection",
                "severity": "alarm",
                "time": NOW,
                "message": "m",
                "origin": "guard",
                "path": HOSTILE,
                "signatures": ["[b]Test.Marker"],
                "action": "denied",
            }
        ],
        **changed,
    }


USAGES = (
    Usage(100, "supervisor", "", 0.0, 9_000_000, True),
    Usage(101, "front", "talks to clients", 0.2, 20_000_000, True),
    Usage(105, "worker", "", 0.9, 53_000_000, False),
)


def looks(*given: Look | None) -> Callable[[], Look]:
    """A way to look that gives these, then the last one again and again."""
    left = list(given)

    def look() -> Look:
        found = left.pop(0) if len(left) > 1 else left[0]
        assert found is not None
        return found

    return look


def look_at(number: int, **changed: Any) -> Look:
    return Look(float(number), NOW, state(number, **changed), "", USAGES)


def screen_of(app: Top) -> str:
    """What stands on the screen, as text."""
    width, height = app.size
    strips = app.screen._compositor.render_strips(app.size)
    lines = ["".join(segment.text for segment in strip) for strip in strips]
    assert len(lines) == height
    assert all(len(line) <= width for line in lines)
    return "\n".join(lines)


def shown(
    look: Callable[[], Look],
    do: Callable[[Top, Pilot[None]], Awaitable[None]],
    size: tuple[int, int] = (80, 24),
) -> None:
    """Run the screen, and do something with it."""

    async def run() -> None:
        app = Top(look, Settings(), every=0.2)
        async with app.run_test(size=size) as pilot:
            await do(app, pilot)

    asyncio.run(run())


async def until(app: Top, pilot: Pilot[None], holds: Callable[[str], bool]) -> str:
    """Wait until the screen shows something."""
    end = time.monotonic() + 20
    while time.monotonic() < end:
        await pilot.pause(0.05)
        if holds(text := screen_of(app)):
            return text
    raise AssertionError(screen_of(app))


@pytest.mark.parametrize("size", [(80, 24), (160, 50), (40, 10)])
def test_what_is_shown(size: tuple[int, int]) -> None:
    async def do(app: Top, pilot: Pilot[None]) -> None:
        text = await until(app, pilot, lambda text: "50.0 objects/s" in text)
        assert "Protected" in text
        if size[0] < 80:
            return
        for part in (
            "up 2 hours",
            "5.0 MB/s",
            "50% busy",
            "7 queued",
            "12 clients",
            "300 opens/s",
            "200 guarded",
            "75% known",
            "3 refused",
            "1 late",
            "talks to clients",
            "90%",
            "≤ 53.0 MB",
            "3.250",
            "[b]Test.Marker (denied)",
            "q Quit",
        ):
            assert part in text
        assert "▁" in text or "█" in text

    shown(looks(*(look_at(number) for number in range(5))), do, size)


@pytest.mark.parametrize("size", [(80, 24), (160, 50)])
def test_names_are_neither_markup_nor_obeyed(size: tuple[int, int]) -> None:
    async def do(app: Top, pilot: Pilot[None]) -> None:
        text = await until(app, pilot, lambda text: "Test.Marker" in text)
        assert "[@click=app.quit]go[/]" in text
        assert "[red]x[/red]\\x1b[31m\\u202e" in text
        assert "\x1b" not in text
        assert "\u202e" not in text

    shown(looks(look_at(1)), do, size)


def test_keys() -> None:
    async def do(app: Top, pilot: Pilot[None]) -> None:
        def order(text: str) -> list[str]:
            roles = ("supervisor", "front", "worker")
            return sorted(roles, key=lambda role: text.index(f" {role} "))

        text = await until(app, pilot, lambda text: "by CPU" in text and "worker" in text)
        assert order(text) == ["worker", "front", "supervisor"]
        await pilot.press("s", "s")
        text = await until(app, pilot, lambda text: "by age" in text)
        assert order(text) == ["supervisor", "front", "worker"]
        await pilot.press("p")
        await until(app, pilot, lambda text: "paused" in text)
        taken = app.live.last.at
        await pilot.pause(0.6)
        assert app.live.last.at == taken
        await pilot.press("p")
        await until(app, pilot, lambda text: "paused" not in text)
        await until(app, pilot, lambda text: app.live.last.at > taken)
        await pilot.press("question_mark")
        await until(app, pilot, lambda text: "What clients had scanned" in text)
        assert isinstance(app.screen, Help)
        await pilot.press("escape")
        await until(app, pilot, lambda text: "objects/s" in text)
        await pilot.press("q")
        await pilot.pause()
        assert app._exit

    shown(looks(*(look_at(number) for number in range(1000))), do)


def test_while_the_daemon_is_away_and_when_it_is_back() -> None:
    gone = Look(5.0, NOW, None, "/run/x\x1b[2J: start it")
    back = [look_at(number) for number in range(10, 14)]

    async def do(app: Top, pilot: Pilot[None]) -> None:
        text = await until(app, pilot, lambda text: "waiting for the daemon" in text)
        assert "/run/x\\x1b[2J: start it" in text
        assert "0.0 objects/s" in text
        assert "Test.Marker" in text  # what was known stays
        await until(app, pilot, lambda text: "50.0 objects/s" in text)

    shown(looks(look_at(1), look_at(2), *[gone] * 10, *back), do)


def test_who_may_not_know_is_told_so() -> None:
    look = Look(
        1.0, NOW, state(1, paths=False, recent=[], guarded=False, guard={}), "", (), "may not see"
    )

    async def do(app: Top, pilot: Pilot[None]) -> None:
        text = await until(app, pilot, lambda text: "admin_group" in text)
        assert text.count("named to root and to members of [daemon] admin_group") == 2
        assert "may not see" in text
        assert "none: [guard] enabled is false" in text

    shown(looks(look), do)


@pytest.mark.parametrize(
    "odd",
    [
        {"scanned": {"objects": "many"}},
        {"guard": [1]},
        {"recent": 5},
        {"jobs": {}},
        {"queue": 7},
        {"recent": [{"time": None}]},
        {"version": 3},
        {"processes": {"front": "x"}},
    ],
)
def test_a_daemon_of_another_version_is_told_from_one_that_is_understood(
    odd: dict[str, Any],
) -> None:
    assert checked(state(1)) == state(1)
    assert checked(state(1, more={"of": "a newer version"}))
    with pytest.raises(DaemonUnreachable, match="makes no sense to this command"):
        checked(state(1, **odd))


@pytest.mark.parametrize(
    ("values", "width", "height", "drawn"),
    [
        ([], 3, 1, "   "),
        ([0.0, 0.0], 3, 1, "   "),
        ([0.0, 4.0, 8.0], 3, 1, " ▄█"),
        ([1.0, 8.0, 4.0], 2, 1, "█▄"),
        ([0.001, 100.0], 2, 1, "▁█"),
        ([0.0, 2.0, 4.0], 4, 2, "   █\n  ██"),
    ],
)
def test_curves_begin_at_nothing(values: list[float], width: int, height: int, drawn: str) -> None:
    assert curve(values, width, height) == drawn


def test_a_real_daemon_that_is_started_anew() -> None:
    with daemon_folder() as folder:
        daemon = RunningDaemon(folder).start()
        try:
            watch = Watch(load_settings(daemon.config).settings)
            found = folder / "found"
            found.write_bytes(MARKER)

            async def do(app: Top, pilot: Pilot[None]) -> None:
                await asyncio.to_thread(daemon.ask, b"zSCAN " + os.fsencode(found) + b"\0")
                text = await until(app, pilot, lambda text: "Test.Marker" in text)
                text = await until(app, pilot, lambda text: "worker" in text)
                assert "talks to clients" in text
                assert "found" in text
                await asyncio.to_thread(daemon.stop)
                await until(app, pilot, lambda text: "waiting for the daemon" in text)
                await asyncio.to_thread(daemon.start)
                await until(app, pilot, lambda text: "Scanning what it is asked to" in text)

            shown(watch.look, do)
        finally:
            daemon.stop()


def test_its_processes_are_not_those_of_another_machine() -> None:
    watch = Watch(Settings())
    usages, unseen = watch._processes({"pid": 5, "processes": {"front": 6}}, 7)
    assert usages == ()
    assert "numbered otherwise" in unseen


def test_without_a_terminal_it_says_what_else_there_is() -> None:
    done = subprocess.run(
        [*TOCSIN, "top"], capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL
    )
    assert done.returncode == 2
    assert "needs a terminal" in done.stderr
    assert "tocsin status --json" in done.stderr


def test_live_is_as_wide_as_any_screen() -> None:
    assert len(Live().objects) >= 160
