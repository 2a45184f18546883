"""A scheduler in the foreground: called again and again, until a signal ends it."""

from __future__ import annotations

import select
import signal
from collections.abc import Callable
from contextlib import closing, suppress
from types import FrameType

from tocsin.protect.schedule.scheduler import Scheduler


class _Ended(BaseException):
    """A signal told this to end."""


def run_scheduler(scheduler: Scheduler, *, once: bool, say: Callable[[str], None]) -> None:
    """Start tasks at their times until SIGTERM or SIGINT.

    Args:
        scheduler: what decides and starts.
        once: start what is due, wait until nothing runs any more, and return.
        say: told what does not go as it should.
    """

    def end(_number: int, _frame: FrameType | None) -> None:
        raise _Ended

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)
    said = ""
    with closing(scheduler), suppress(_Ended):
        while True:
            wait = scheduler.run_once()
            if scheduler.trouble and scheduler.trouble != said:
                said = scheduler.trouble
                say(said)
            if once and not scheduler.started:
                return
            select.select([], [], [], 0.1 if once else max(wait, 0.1))
