"""Bytes a second, held to a bound: a device's updates are not all that its line is for."""

from __future__ import annotations

import time


class Throttle:
    """Holds a transfer to so many bytes a second, on average since it began.

    Args:
        rate: bytes a second; 0 for no bound.
    """

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self._free_at = 0.0

    def passed(self, count: int) -> None:
        """Wait until so many bytes more may have come."""
        if self._rate <= 0:
            return
        now = time.monotonic()
        self._free_at = max(self._free_at, now) + count / self._rate
        if self._free_at > now:
            time.sleep(self._free_at - now)
