"""Roll-out in rings: who gets a version at once, who after others had it for a while.

A version that harms is noticed on a few devices before the rest has it. Nobody assigns
devices: each works out its own place from its number and the version's, so the publisher
learns nothing, and no device is always among the first.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

PLACES = 10_000
"""Places there are; a ring's percent is so many hundred of them."""


def place(device: bytes, version: int | str) -> int:
    """A device's place in the roll-out of a version, from 0 to `PLACES` - 1, the same for ever.

    Args:
        device: its own number; any bytes that other devices do not have.
        version: the database's, or the software's.
    """
    hashed = hashlib.sha256(b"%b %b" % (device, str(version).encode())).digest()
    return int.from_bytes(hashed[:8], "big") % PLACES


def due_at(
    channels: Mapping[str, datetime],
    rings: Sequence[tuple[int, int]],
    *,
    version: int | str,
    device: bytes,
    channel: str,
) -> datetime | None:
    """When a version is for a device, None for never.

    Args:
        channels: from when on it is for those on each channel.
        rings: percent of devices, counted from the first, and seconds after the channel's
            instant, as `layout.DatabaseTarget` has them; none: all at once.
        version: the database's, or the software's.
        device: its own number.
        channel: the device's.
    """
    start = channels.get(channel)
    if start is None or not rings:
        return start
    own = place(device, version)
    delays = [delay for percent, delay in rings if own < percent * PLACES // 100]
    try:
        # A later ring with less delay has this device in it too.
        return start + timedelta(seconds=min(delays)) if delays else None
    except OverflowError:
        # Beyond the last year there is.
        return None


def is_due(
    channels: Mapping[str, datetime],
    rings: Sequence[tuple[int, int]],
    *,
    version: int | str,
    device: bytes,
    channel: str,
    now: datetime,
) -> bool:
    """Whether a version is for a device yet; see `due_at`.

    Args:
        channels: with time zones.
        rings: as for `due_at`.
        version: the database's, or the software's.
        device: its own number.
        channel: the device's.
        now: with a time zone.
    """
    instant = due_at(channels, rings, version=version, device=device, channel=channel)
    return instant is not None and now >= instant
