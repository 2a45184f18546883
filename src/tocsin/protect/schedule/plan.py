"""Which tasks are to be started now, and when the next one is: pure, and proof against clocks.

Moments are seconds since 1970 by the wall clock, because that is what people mean by "at three
in the morning". The wall clock may jump, so a jump must neither start a task twice nor keep it
from being started for ever:

- forward, as after a night in which the machine slept: what was missed is started once, or
  passed over when the task does not catch up;
- back by little: what was planned stays planned, so nothing is done again, and nothing waits
  longer than the jump;
- back by much: all is planned anew, as if the past had happened as long ago by the new clock as
  it really did, and half a period must lie between two starts.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import NamedTuple

import msgspec

from tocsin.protect.schedule.times import Following
from tocsin.settings import TaskSettings

LATE = 300.0
"""Seconds after its moment from which a start counts as missed."""

SMALL_JUMP = 3600.0
"""Seconds by which the clock may go back and nothing is planned anew."""

LONGEST_SLEEP = 60.0

Delay = Callable[[float], float]
"""A random number of seconds up to a limit."""


class Planned(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is remembered of one task's starts.

    Attributes:
        times: those by which it was planned; when they are others now, it is planned anew.
        random_delay: the same of its delay.
        moment: the next moment of its times; 0 when there is none.
        start: when it is to be started: that moment and its random delay.
        last: the last moment that was started, or passed over.
        begun: when it was last started.
        missed: moments that were missed since the last start.
    """

    times: str = ""
    random_delay: float = 0.0
    moment: float = 0.0
    start: float = 0.0
    last: float = 0.0
    begun: float = 0.0
    missed: int = 0


class Memory(msgspec.Struct, frozen=True, kw_only=True):
    """What is remembered between two looks.

    Attributes:
        seen: the latest moment at which was looked, since it was last planned anew.
        tasks: what is remembered of each, by name.
    """

    seen: float = 0.0
    tasks: dict[str, Planned] = {}


class Decision(NamedTuple):
    """What is to be done now.

    Attributes:
        start: names of tasks to start, in the order of the settings.
        memory: what is to be remembered, before any is started.
        wait: seconds until the next look.
    """

    start: tuple[str, ...]
    memory: Memory
    wait: float


def decide(
    tasks: Sequence[TaskSettings],
    memory: Memory,
    now: float,
    running: Collection[str],
    following: Following,
    delay: Delay,
) -> Decision:
    """Decide what is to be started.

    Args:
        tasks: as the settings have them.
        memory: what was remembered after the last look.
        now: the moment by the wall clock.
        running: tasks that have not ended; they are not started a second time.
        following: the first moment after another, by a task's times.
        delay: a random number of seconds up to a limit.
    """
    back = memory.seen - now
    anew = back > SMALL_JUMP
    start: list[str] = []
    planned: dict[str, Planned] = {}
    for task in tasks:
        known = memory.tasks.get(task.name, Planned())
        if known.times != task.at or known.random_delay != task.random_delay:
            known = _next(task, msgspec.structs.replace(known, last=0.0), now, following, delay)
        elif anew:
            known = _after_jump(task, known, now, back, following, delay)
        if known.moment and known.start <= now:
            is_late = now - known.start > LATE
            if task.name in running or (is_late and not task.catch_up):
                known = _passed_over(known)
            else:
                start.append(task.name)
                known = msgspec.structs.replace(known, last=known.moment, begun=now, missed=0)
            known = _next(task, known, max(now, known.moment), following, delay)
        planned[task.name] = known
    starts = [entry.start for entry in planned.values() if entry.moment]
    wait = min([LONGEST_SLEEP, *(max(0.0, moment - now) for moment in starts)])
    seen = now if anew else max(now, memory.seen)
    return Decision(tuple(start), Memory(seen=seen, tasks=planned), wait)


def _next(
    task: TaskSettings, known: Planned, after: float, following: Following, delay: Delay
) -> Planned:
    """Plan the first start after a moment."""
    moment = following(task.at, after) or 0.0
    start = moment
    if moment and task.random_delay:
        behind = following(task.at, moment)
        most = task.random_delay if behind is None else min(task.random_delay, behind - moment - 1)
        start += delay(max(0.0, most))
    return msgspec.structs.replace(
        known, times=task.at, random_delay=task.random_delay, moment=moment, start=start
    )


def _after_jump(
    task: TaskSettings,
    known: Planned,
    now: float,
    back: float,
    following: Following,
    delay: Delay,
) -> Planned:
    """Plan anew after the clock went back."""
    if not known.last:
        return _next(task, known, now, following, delay)
    # After an earlier jump `last` is no moment of its times, and the next one may be near it.
    behind = following(task.at, known.last)
    after = following(task.at, behind) if behind is not None else None
    period = behind - known.last if behind is not None else 0.0
    if behind is not None and after is not None:
        period = max(period, after - behind)
    last = max(known.last, known.begun) - back
    earliest = max(now, last + period / 2 - 1)
    known = msgspec.structs.replace(known, last=last, begun=last)
    return _next(task, known, earliest, following, delay)


def _passed_over(known: Planned) -> Planned:
    return msgspec.structs.replace(known, last=known.moment, missed=known.missed + 1)
