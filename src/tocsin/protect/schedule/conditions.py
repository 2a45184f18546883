"""When a task must wait: on battery, or while the machine has other things to do."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

SUPPLIES = Path("/sys/class/power_supply")
EVERY = 5.0
"""Seconds between two looks."""


def on_battery(supplies: Path = SUPPLIES) -> bool:
    """Whether the machine draws from its battery; False where nothing tells of one."""
    discharging = False
    try:
        entries = sorted(supplies.iterdir())
    except OSError:
        return False
    for entry in entries:
        kind = _said(entry / "type")
        if kind == "Battery" and _said(entry / "scope") != "Device":
            discharging = discharging or _said(entry / "status") == "Discharging"
        elif kind and kind not in ("Battery", "UPS") and _said(entry / "online") == "1":
            return False
    return discharging


def load_per_processor() -> float:
    """The load average of the last minute for each processor; 0 where there is none."""
    try:
        return os.getloadavg()[0] / max(1, len(os.sched_getaffinity(0)))
    except OSError:
        return 0.0


class Conditions:
    """Says whether a task may go on; looks again every few seconds only.

    Args:
        pause_on_battery: wait while on battery.
        pause_above_load: wait while the load for each processor is above this; 0 for never.
        battery: tells whether the machine is on battery.
        load: tells the load.
        clock: seconds that only grow.

    Attributes:
        reason: why it must wait; empty when it need not.
    """

    def __init__(
        self,
        *,
        pause_on_battery: bool,
        pause_above_load: float,
        battery: Callable[[], bool] = on_battery,
        load: Callable[[], float] = load_per_processor,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.reason = ""
        self._battery = battery if pause_on_battery else None
        self._limit = pause_above_load
        self._load = load
        self._clock = clock
        self._next = 0.0

    def may_go_on(self) -> bool:
        """Whether there is no reason to wait."""
        now = self._clock()
        if now >= self._next:
            self._next = now + EVERY
            self.reason = self._look()
        return not self.reason

    def _look(self) -> str:
        if self._battery is not None and self._battery():
            return "on battery"
        if self._limit:
            load = self._load()
            if load > self._limit:
                return f"the load for each processor is {load:.1f}, above {self._limit:g}"
        return ""


def _said(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii", errors="replace").strip()
    except OSError:
        return ""
