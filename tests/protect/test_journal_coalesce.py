"""Equal findings of clients are told once in a window, then counted; nobody else's are."""

from __future__ import annotations

import msgspec
import pytest

from tocsin.protect.journal.coalesce import Coalescer, is_count
from tocsin.protect.journal.event import Event, Kind, Severity


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def found(number: int = 0, uid: int = 1000, **values: object) -> Event:
    event = Event(
        kind=Kind.DETECTION,
        severity=Severity.ALARM,
        message="Test.A in stream",
        origin="daemon",
        path="stream",
        signatures=("Test.A",),
        sha256=f"{number:064x}",
        uid=uid,
    )
    return msgspec.structs.replace(event, **values)


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_the_first_is_told_and_each_window_its_number(clock: Clock) -> None:
    coalescer = Coalescer(60, 50, clock)
    assert [coalescer.is_told(found()) for _ in range(5)] == [True, *[False] * 4]
    assert coalescer.due() == []
    clock.now += 60
    (event,) = coalescer.due()
    assert event.details == {"repeated": 4}
    assert event.message == "Test.A in stream (and 4 times more within a minute)"
    assert is_count(event)
    assert coalescer.due() == []
    # the flood goes on: no new event of its own, but its number again
    assert not coalescer.is_told(found())
    clock.now += 60
    (event,) = coalescer.due()
    assert event.details == {"repeated": 1}
    assert "(and once more within" in event.message
    # it ended: the next is told at once
    clock.now += 60
    assert coalescer.due() == []
    assert coalescer.is_told(found())
    assert coalescer.counted == 5


def test_other_content_place_user_and_name_are_other_findings(clock: Clock) -> None:
    coalescer = Coalescer(60, 50, clock)
    for event in (
        found(),
        found(1),
        found(uid=1001),
        found(path="/x"),
        found(signatures=("Test.B",)),
    ):
        assert coalescer.is_told(event)


@pytest.mark.parametrize("uid", [1000, -1])
def test_so_many_of_a_user_are_told_and_the_rest_is_counted(clock: Clock, uid: int) -> None:
    coalescer = Coalescer(60, 50, clock)
    assert sum(coalescer.is_told(found(n, uid)) for n in range(80)) == 50
    assert coalescer.is_told(found(0, uid=1001))
    clock.now += 60
    (event,) = coalescer.due()
    assert (event.details["repeated"], event.uid) == (30, uid)
    assert event.details["signatures"] == {"Test.A": 30}
    assert event.severity is Severity.ALARM
    assert coalescer.is_told(found(90, uid))


def test_root_and_what_is_no_clients_are_always_told(clock: Clock) -> None:
    coalescer = Coalescer(60, 50, clock)
    assert all(coalescer.is_told(found(n, uid=0)) for n in range(200))
    for origin in ("guard", "task:full", "quarantine", "cli"):
        assert all(coalescer.is_told(found(origin=origin)) for _ in range(3))
    assert all(coalescer.is_told(found(kind=Kind.FAILURE)) for _ in range(3))


def test_at_the_end_all_is_said_and_what_was_kept_is_forgotten(clock: Clock) -> None:
    coalescer = Coalescer(60, 2, clock)
    events = [found(n % 4) for n in range(40)]
    told = sum(map(coalescer.is_told, events))
    counted = sum(event.details["repeated"] for event in coalescer.due(all_of_them=True))
    assert told + counted == 40
    clock.now += 120
    coalescer.due()
    assert not coalescer._repeated
    assert not coalescer._users
