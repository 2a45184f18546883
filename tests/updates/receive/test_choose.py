"""Which version a device is to have, for all that could be on offer."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st
from receive_samples import NOW

from tocsin.updates.layout import DatabaseTarget, DeltaTarget, Withdrawn
from tocsin.updates.receive.choose import Act, Delta, Offer, Timing, choose, delta_path
from tocsin.updates.receive.state import Installed

numbers = st.integers(1, 12)


def sha256(version: int) -> str:
    return f"{version:064x}"


def database(version: int) -> DatabaseTarget:
    return DatabaseTarget(version, sha256(version), 100, {"stable": NOW})


@given(
    offered=st.sets(numbers),
    withdrawn=st.sets(numbers),
    due=st.sets(numbers),
    begun=st.sets(numbers),
    refused=st.sets(numbers),
    used=st.lists(numbers, max_size=3, unique=True),
    ever=numbers,
    pinned=st.one_of(st.just(0), numbers),
    left=st.sets(numbers),
)
def test_a_choice_is_always_one_that_may_be_used(
    offered: set[int],
    withdrawn: set[int],
    due: set[int],
    begun: set[int],
    refused: set[int],
    used: list[int],
    ever: int,
    pinned: int,
    left: set[int],
) -> None:
    offer = Offer(
        {version: database(version) for version in offered},
        (),
        {version: Withdrawn(version, "bad", NOW) for version in withdrawn},
    )
    current = used[0] if used else 0
    highest = max([ever, *used]) if used else 0
    went_from = tuple(version for version in left if current != version <= highest)
    installed = Installed(current, tuple(used[1:]), pinned, highest, went_from)
    bad = [sha256(version) for version in refused]
    timing = Timing(lambda d: d.version in due, lambda d: d.version in begun)
    act, version, why, *_ = choose(offer, installed, used, bad, timing)
    assert why
    if act is Act.KEEP:
        assert version == current
        return
    assert version != current
    assert version in (used if act is Act.USE_KEPT else offered)
    if pinned:
        assert version == pinned
        return
    assert version not in withdrawn
    assert version not in went_from
    if act is Act.INSTALL:
        assert version in due or (current == 0 and version in begun)
        assert version not in refused
    if version < installed.highest:  # never lower, but for a signed withdrawal
        assert current in withdrawn


WAITS = Timing(
    lambda _: False,
    lambda d: d.channels["stable"] <= NOW,
    lambda d: d.channels["stable"] + timedelta(hours=6),
)


def test_a_fresh_device_waits_for_no_ring_and_says_when_its_channel_begins() -> None:
    offer = Offer({1: database(1), 2: database(2)}, (), {})
    assert choose(offer, Installed(), (), (), WAITS)[:2] == (Act.INSTALL, 2)
    later = DatabaseTarget(1, sha256(1), 100, {"stable": NOW + timedelta(hours=1)})
    choice = choose(Offer({1: later}, (), {}), Installed(), (), (), WAITS)
    assert choice[:2] == (Act.KEEP, 0)
    due = NOW + timedelta(hours=7)
    assert choice.due == due
    assert choice.why == f"version 1 reaches this device on {due:%Y-%m-%d %H:%M} UTC"


def test_a_device_that_has_one_waits_for_its_ring_and_says_until_when() -> None:
    offer = Offer({1: database(1), 2: database(2)}, (), {})
    choice = choose(offer, Installed(1, (), 0, 1), (1,), (), WAITS)
    assert (choice.act, choice.waiting) == (Act.KEEP, 2)
    assert choice.why.startswith("version 2 reaches this device on ")


def delta(old: int, new: int, length: int) -> Delta:
    return Delta(
        f"deltas/{old}-{new}.delta", DeltaTarget(sha256(old), sha256(new), old, new), length
    )


@given(
    edges=st.dictionaries(st.tuples(numbers, numbers), st.integers(1, 50), max_size=30),
    held=st.sets(numbers, min_size=1),
    wanted=numbers,
    most=st.integers(1, 120),
)
def test_deltas_lead_from_what_is_here_to_what_is_wanted(
    edges: dict[tuple[int, int], int], held: set[int], wanted: int, most: int
) -> None:
    deltas = [delta(old, new, length) for (old, new), length in edges.items()]
    way = delta_path(deltas, {sha256(each): each for each in held}, sha256(wanted), most)
    # Bellman and Ford's way of finding the same.
    cost = {version: 0 if version in held else 10**6 for version in range(1, 13)}
    for _ in range(12):
        for (old, new), length in edges.items():
            cost[new] = min(cost[new], cost[old] + length)
    if way is None:
        assert cost[wanted] >= most
        return
    assert sum(each.length for each in way) == cost[wanted] < max(most, 1)
    ends = [each.custom.to_sha256 for each in way]
    starts = [each.custom.from_sha256 for each in way]
    assert starts[1:] == ends[:-1]
    if way:
        assert ends[-1] == sha256(wanted)
        assert int(starts[0], 16) in held
    else:
        assert wanted in held
