"""When tasks are started: at their times, once, however the clock jumps."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis.strategies import (
    booleans,
    floats,
    integers,
    just,
    lists,
    one_of,
    sampled_from,
    tuples,
)

from tocsin.protect.schedule.plan import LATE, SMALL_JUMP, Memory, Planned, decide
from tocsin.protect.schedule.times import following
from tocsin.settings import TaskSettings

START = datetime(2026, 3, 10, 12, 0, tzinfo=UTC).timestamp()
DAY = 86400.0
PERIODS = {"* * * * *": 60.0, "*/10 * * * *": 600.0, "@hourly": 3600.0, "30 3 * * *": DAY}


def in_utc(times: str, after: float) -> float | None:
    return following(times, after, UTC)


class Clock:
    """A scheduler that is asked again and again, and a clock that can be set."""

    def __init__(self, *tasks: TaskSettings, delay: float = 0.0) -> None:
        self.tasks = tasks
        self.memory = Memory()
        self.now = START
        self.real = 0.0
        self.running: set[str] = set()
        self.starts: list[tuple[float, str]] = []
        self.share = delay
        self.look()

    def look(self) -> float:
        decision = decide(
            self.tasks,
            self.memory,
            self.now,
            self.running,
            in_utc,
            lambda most: most * self.share,
        )
        self.memory = decision.memory
        self.starts += [(self.real, name) for name in decision.start]
        assert 0 <= decision.wait <= 60
        return decision.wait

    def pass_time(self, seconds: float) -> None:
        """Let time pass while the scheduler looks whenever it wants to."""
        left = seconds
        while left > 0:
            step = min(left, max(0.5, self.look()))
            self.now += step
            self.real += step
            left -= step
        self.look()

    def sleep(self, seconds: float) -> None:
        """Let time pass while the machine is off."""
        self.now += seconds
        self.real += seconds
        self.look()

    def jump(self, seconds: float) -> None:
        self.now += seconds
        self.look()

    @property
    def moments(self) -> list[float]:
        return [real for real, _ in self.starts]


def task(at: str = "30 3 * * *", **more: object) -> TaskSettings:
    return TaskSettings(name="t", kind="critical", at=at, **more)


# --- without jumps ------------------------------------------------------------------------


@pytest.mark.parametrize("at", PERIODS)
def test_a_task_is_started_at_each_of_its_moments_once(at: str) -> None:
    clock = Clock(task(at))
    clock.pass_time(2.5 * PERIODS[at])
    first = in_utc(at, START)
    assert first is not None
    expected = [first - START + n * PERIODS[at] for n in range(3)]
    assert clock.moments == pytest.approx([e for e in expected if e <= 2.5 * PERIODS[at]], abs=1)


def test_a_task_without_times_is_never_started() -> None:
    clock = Clock(task(""))
    clock.pass_time(3 * DAY)
    assert clock.starts == []
    assert clock.memory.tasks["t"].moment == 0


@given(share=floats(0, 1), limit=floats(1, 10 * DAY))
@settings(deadline=None)
def test_a_random_delay_puts_off_and_never_beyond_the_next_moment(
    share: float, limit: float
) -> None:
    clock = Clock(task(random_delay=limit), delay=share)
    planned = clock.memory.tasks["t"]
    assert planned.moment <= planned.start <= planned.moment + min(limit, DAY)
    put_off = planned.start - planned.moment
    assert put_off == pytest.approx(min(limit, DAY - 1) * share, abs=1e-3)


def test_a_task_that_still_runs_is_not_started_again() -> None:
    clock = Clock(task("@hourly"))
    clock.pass_time(3700)
    assert len(clock.starts) == 1
    clock.running = {"t"}
    clock.pass_time(2 * 3600)
    assert len(clock.starts) == 1
    assert clock.memory.tasks["t"].missed == 2
    clock.running = set()
    clock.pass_time(3600)
    assert len(clock.starts) == 2
    assert clock.memory.tasks["t"].missed == 0


def test_other_times_are_planned_anew() -> None:
    clock = Clock(task())
    clock.tasks = (task("0 13 * * *"),)
    clock.pass_time(3700)
    assert clock.moments == pytest.approx([3600], abs=1)


# --- the machine was off ------------------------------------------------------------------


@pytest.mark.parametrize("days", [1, 3, 400])
def test_what_was_missed_is_started_once(days: int) -> None:
    clock = Clock(task())
    clock.sleep(days * DAY)
    assert clock.moments == [days * DAY]
    clock.pass_time(DAY)
    assert len(clock.starts) == 2


def test_what_was_missed_is_passed_over_when_it_is_not_to_be_caught_up() -> None:
    clock = Clock(task(catch_up=False))
    clock.sleep(3 * DAY)
    assert clock.starts == []
    assert clock.memory.tasks["t"].missed == 1
    clock.pass_time(DAY)
    assert len(clock.starts) == 1
    assert LATE < 3600


def test_a_little_late_is_not_missed() -> None:
    clock = Clock(task("0 13 * * *", catch_up=False))
    clock.sleep(3600 + LATE - 1)
    assert len(clock.starts) == 1


# --- the clock jumps ----------------------------------------------------------------------


@pytest.mark.parametrize("back", [60, 1800, 3599, 3601, 7200, DAY, DAY + 60, 2 * DAY, 3650 * DAY])
def test_nothing_is_done_twice_when_the_clock_goes_back(back: float) -> None:
    clock = Clock(task())
    clock.pass_time(16 * 3600)  # 3:30 has just gone by
    assert len(clock.starts) == 1
    clock.jump(-back)
    clock.pass_time(DAY / 2 - 3600)
    assert len(clock.starts) == 1
    clock.pass_time(DAY + 3600)
    assert len(clock.starts) >= 2


@pytest.mark.parametrize("forward", [60, 3600, DAY, 3650 * DAY])
def test_a_clock_that_was_wrong_for_a_while_does_no_harm(forward: float) -> None:
    clock = Clock(task())
    clock.pass_time(3600)
    clock.jump(forward)
    clock.pass_time(600)
    clock.jump(-forward)
    clock.pass_time(3 * DAY)
    assert 2 <= len(clock.starts) <= 4


jumps = one_of(
    floats(-400 * DAY, -1),
    floats(-2 * SMALL_JUMP, -1),
    sampled_from([-60.0, -SMALL_JUMP, -DAY, -7 * DAY]),
)


@given(
    at=sampled_from(["*/10 * * * *", "@hourly", "30 3 * * *"]),
    steps=lists(tuples(floats(0.01, 3), one_of(just(0.0), jumps)), min_size=1, max_size=8),
    share=one_of(just(0.0), floats(0, 1)),
)
@example(at="*/10 * * * *", steps=[(1.8125, -1.0), (0.25, -6e6), (0.25, -2.3e7)], share=0.0)
@settings(max_examples=50, deadline=None)
def test_however_the_clock_goes_back_two_starts_lie_apart_and_none_is_far(
    at: str, steps: list[tuple[float, float]], share: float
) -> None:
    period = PERIODS[at]
    clock = Clock(task(at, random_delay=period / 10), delay=share)
    calm_since = 0.0
    for length, jump in steps:
        before = len(clock.starts)
        clock.pass_time(length * period)
        if length > 1.8 + SMALL_JUMP / period:
            assert len(clock.starts) > before
        clock.jump(jump)
        calm_since = clock.real
    clock.pass_time(2 * period + SMALL_JUMP)
    assert clock.moments[-1] > calm_since
    gaps = [b - a for a, b in zip(clock.moments, clock.moments[1:], strict=False)]
    assert all(gap >= period / 2 - period / 10 - 2 for gap in gaps)


@given(
    now=floats(0, 4e9),
    seen=floats(0, 4e9),
    moment=floats(0, 4e9),
    last=floats(0, 4e9),
    catch_up=booleans(),
    number=integers(0, 3),
)
@settings(deadline=None)
def test_any_memory_is_taken(
    now: float, seen: float, moment: float, last: float, catch_up: bool, number: int
) -> None:
    at = [*PERIODS][number]
    planned = Planned(times=at, moment=moment, start=moment, last=last)
    memory = Memory(seen=seen, tasks={"t": planned, "gone": planned})
    entry = task(at, catch_up=catch_up)
    first = decide([entry], memory, now, (), in_utc, lambda most: most)
    assert set(first.memory.tasks) == {"t"}
    again = decide([entry], first.memory, now, (), in_utc, lambda most: most)
    assert again.start == ()
    due = again.memory.tasks["t"].moment
    assert due == 0 or seen > now or due > now


# --- times --------------------------------------------------------------------------------


def local(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


@pytest.mark.parametrize(
    ("at", "after", "expected"),
    [
        ("@daily", "2026-03-10T12:00+01:00", "2026-03-11T00:00+01:00"),
        ("30 2 * * *", "2026-03-28T12:00+01:00", "2026-03-29T03:00+02:00"),
        ("30 2 * * *", "2026-10-24T12:00+02:00", "2026-10-25T02:30+02:00"),
        ("30 2 * * *", "2026-10-25T02:30+02:00", "2026-10-26T02:30+01:00"),
        ("0 4 * * mon", "2026-03-10T12:00+01:00", "2026-03-16T04:00+01:00"),
        ("0 0 29 2 *", "2026-03-10T12:00+01:00", "2028-02-29T00:00+01:00"),
    ],
)
def test_times_are_those_of_the_place(at: str, after: str, expected: str) -> None:
    zone = ZoneInfo("Europe/Berlin")
    assert following(at, local(after), zone) == local(expected)


@pytest.mark.parametrize("at", ["", "nonsense", "0 0 31 2 *", "61 * * * *", "@reboot"])
def test_times_that_never_come(at: str) -> None:
    assert following(at, START, UTC) is None
