"""When a version is for this device: its channel's instant, and the ring that the device is in."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta

from tocsin.updates.layout import DatabaseTarget


def is_due(target: DatabaseTarget, channel: str, device: bytes, now: datetime) -> bool:
    """Whether a version is for a device yet.

    Args:
        target: with channels and rings.
        channel: the device's.
        device: its own number.
        now: with a time zone.
    """
    start = target.channels.get(channel)
    if start is None or now < start:
        return False
    # Another number for every version: no device is always among the first.
    place = hashlib.sha256(b"%b %d" % (device, target.version)).digest()
    share = int.from_bytes(place[:8], "big") % 10_000
    for percent, delay in target.rings:
        if share < percent * 100:
            return now >= start + timedelta(seconds=delay)
    return not target.rings
