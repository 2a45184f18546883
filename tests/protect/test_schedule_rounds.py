"""When a device asks for updates: moments of its own, retries that grow rarer, clocks that jump."""

from __future__ import annotations

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from tocsin.protect.schedule.rounds import (
    FIRST_WITHIN,
    LATE,
    RETRY_AFTER,
    Round,
    after_round,
    planned,
    regular,
    share,
)

DAY = 86400.0
NOW = 1_795_000_000.0
seeds = st.text("0123456789abcdef", min_size=32, max_size=32)
periods = st.floats(1, 30 * DAY)
moments = st.floats(0, 4e9)


def device(number: int) -> Round:
    return Round(seed=f"{number:032x}")


@given(moments, periods, seeds)
def test_a_regular_moment_is_ahead_and_within_one_period(after: float, every: float, seed: str):
    moment = regular(after, every, seed)
    assert after < moment + 1e-6
    assert moment <= after + every + 1e-6


@given(st.floats(1e9, 2e9), st.floats(60, 30 * DAY), seeds)
def test_moments_are_one_period_apart(after: float, every: float, seed: str):
    first = regular(after, every, seed)
    second = regular(first + every / 100, every, seed)
    assert abs(second - first - every) < 1e-3 * every


def test_devices_are_spread_evenly_over_the_period():
    """Of a thousand devices no tenth of the day has many more than its share."""
    counts = [0] * 10
    for number in range(1000):
        counts[int((regular(NOW, DAY, device(number).seed) - NOW) / (DAY / 10))] += 1
    assert all(60 < count < 140 for count in counts)


def test_a_device_has_the_same_moment_every_day():
    moment = regular(NOW, DAY, device(7).seed)
    assert abs(regular(NOW + 10 * DAY, DAY, device(7).seed) - moment - 10 * DAY) < 1e-3


def test_the_first_time_it_asks_soon_and_not_all_at_once():
    firsts = [planned(device(n), DAY, NOW).next - NOW for n in range(300)]
    assert all(0 <= each <= FIRST_WITHIN for each in firsts)
    assert max(firsts) - min(firsts) > FIRST_WITHIN / 2


def test_what_is_planned_stays_planned():
    known = planned(device(1), DAY, NOW)
    assert planned(known, DAY, NOW + 1) == known
    assert planned(known, DAY, known.next) == known


def test_after_a_night_of_sleep_it_asks_soon():
    known = after_round(device(1), DAY, NOW, failed=False)
    woken = known.next + LATE + 1
    assert woken <= planned(known, DAY, woken).next <= woken + FIRST_WITHIN


def test_a_clock_set_back_makes_nobody_wait_longer_than_a_period():
    known = after_round(device(1), DAY, NOW, failed=False)
    assert planned(known, DAY, NOW - 300 * DAY).next <= NOW - 300 * DAY + DAY


def test_another_period_in_the_settings_is_planned_anew():
    known = msgspec.structs.replace(after_round(device(1), 30 * DAY, NOW, failed=False), began=NOW)
    again = planned(known, 3600.0, NOW + 1)
    assert NOW < again.next <= NOW + 3601
    assert again.every == 3600.0


def test_failures_are_tried_again_ever_later_and_at_last_once_a_period():
    known, waits = device(3), []
    for _ in range(12):
        known = after_round(known, DAY, NOW, failed=True)
        waits.append(known.next - NOW)
    assert 0.7 * RETRY_AFTER < waits[0] < 1.3 * RETRY_AFTER
    assert waits[3] > 4 * waits[0]
    assert all(wait <= DAY for wait in waits)
    assert known.failures == 12


def test_devices_that_failed_together_do_not_come_back_together():
    waits = {round(after_round(device(n), DAY, NOW, failed=True).next - NOW) for n in range(50)}
    assert len(waits) > 25


def test_success_forgets_the_failures():
    failed = after_round(device(1), DAY, NOW, failed=True)
    known = after_round(failed, DAY, NOW + 60, failed=False)
    assert known.failures == 0
    assert known.next == regular(NOW + 60, DAY, known.seed)


@given(seeds, st.text(max_size=9))
def test_a_share_is_between_nought_and_one(seed: str, what: str):
    assert 0 <= share(seed, what) < 1
