"""Rings: shares are what the publisher stated, and no device is always first."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.updates.rings import PLACES, due_at, is_due, place

START = datetime(2026, 11, 28, 6, tzinfo=UTC)
CHANNELS = {"fast": START, "stable": START + timedelta(days=1)}
RINGS = ((5, 0), (25, 7_200), (100, 21_600))
DEVICES = [b"device %d" % number for number in range(20_000)]


def due(device, version=12, channel="fast", rings=RINGS, after=0):
    now = START + timedelta(seconds=after)
    return is_due(CHANNELS, rings, version=version, device=device, channel=channel, now=now)


@pytest.mark.parametrize(
    ("after", "percent"), [(-1, 0), (0, 5), (7_199, 5), (7_200, 25), (21_599, 25), (21_600, 100)]
)
def test_a_ring_has_the_share_that_was_stated(after, percent):
    share = 100 * sum(due(device, after=after) for device in DEVICES) / len(DEVICES)
    assert share == pytest.approx(percent, abs=1)


def test_places_are_evenly_taken():
    tenths = [0] * 10
    for device in DEVICES:
        tenths[place(device, 1) * 10 // PLACES] += 1
    assert all(1_800 < tenth < 2_200 for tenth in tenths)


def test_who_is_first_changes_with_the_version():
    first = {version: {d for d in DEVICES if due(d, version)} for version in (12, 13)}
    both = len(first[12] & first[13]) / len(DEVICES)
    assert both == pytest.approx(0.05 * 0.05, abs=0.002)


def test_a_place_is_the_same_for_ever():
    # As sha256sum and bc have it: an update of tocsin itself must not move a device.
    assert [place(b"device", version) for version in (1, 12, 4_000)] == [4_179, 2_183, 6_903]


@given(st.binary(max_size=40), st.integers(1, 1 << 31), st.integers(0, 30_000))
def test_a_device_that_is_due_stays_due(device, version, after):
    assert 0 <= place(device, version) < PLACES
    if due(device, version, after=after):
        assert due(device, version, after=after + 1)


def test_each_channel_has_its_own_instant():
    assert due(b"x", after=21_600)
    assert not due(b"x", channel="stable", after=86_399)
    assert due(b"x", channel="stable", after=86_400 + 21_600)
    assert due_at(CHANNELS, RINGS, version=1, device=b"x", channel="nightly") is None
    assert not due(b"x", channel="nightly", after=10**8)


def test_without_rings_all_are_due_at_the_instant():
    assert not due(b"x", rings=(), after=-1)
    assert due(b"x", rings=(), after=0)


def test_a_roll_out_that_stops_at_some_percent_reaches_no_others():
    share = sum(due(device, rings=((10, 0),), after=10**8) for device in DEVICES) / len(DEVICES)
    assert share == pytest.approx(0.1, abs=0.01)
    assert not any(due(device, rings=((0, 0),), after=10**8) for device in DEVICES[:100])


def test_the_clock_may_have_another_time_zone():
    early = datetime(2026, 11, 28, 6, tzinfo=timezone(timedelta(hours=2)))
    assert not is_due(CHANNELS, (), version=1, device=b"x", channel="fast", now=early)


def test_an_instant_beyond_all_calendars_never_comes():
    late = {"fast": datetime(9999, 12, 31, tzinfo=UTC)}
    assert due_at(late, ((100, 31_622_400),), version=1, device=b"x", channel="fast") is None
