"""What the guard has done so far, for `tocsin status` and the metrics."""

from __future__ import annotations

from bisect import bisect_left
from typing import Any

BOUNDS = (0.00005, 0.0001, 0.00025, 0.001, 0.0025, 0.01, 0.025, 0.1, 0.25, 1.0, 2.5, 10.0)
"""Seconds; upper bounds of the classes of latency."""


class Tally:
    """Counts since the guard's process began.

    Attributes:
        events: openings that were asked about.
        own: of them, the daemon's own.
        outside: of them, files that are not guarded.
        excluded: of them, by path, program or user.
        remembered: of them, answered from memory.
        write_only: of them, allowed since nothing can be read by them.
        joined: of them, answered by a look that was under way.
        looks: files that were looked at.
        allowed: openings allowed.
        denied: openings refused.
        timed_out: openings that the fallback decided.
        unreadable: events that the kernel could not hand over; it refused them.
        overflows: events that the kernel lost.
        ignored: files that the kernel was told not to ask about again.
        findings: files in which something was found.
        lost_messages: messages there was no room for.
        classes: openings that waited for a look, by seconds, after `BOUNDS`.
        slowest: longest wait for a look, seconds.
        slowest_path: which file that was.
    """

    def __init__(self) -> None:
        self.events = 0
        self.own = 0
        self.outside = 0
        self.excluded = 0
        self.remembered = 0
        self.write_only = 0
        self.joined = 0
        self.looks = 0
        self.allowed = 0
        self.denied = 0
        self.timed_out = 0
        self.unreadable = 0
        self.overflows = 0
        self.ignored = 0
        self.findings = 0
        self.lost_messages = 0
        self.classes = [0] * (len(BOUNDS) + 1)
        self.waited = 0.0
        self.slowest = 0.0
        self.slowest_path = ""

    def waited_for(self, seconds: float, path: str) -> None:
        """Count an opening that waited for a look."""
        self.classes[bisect_left(BOUNDS, seconds)] += 1
        self.waited += seconds
        if seconds > self.slowest:
            self.slowest, self.slowest_path = seconds, path

    def to_dict(self) -> dict[str, Any]:
        """As plain values."""
        return {
            "events": self.events,
            "own": self.own,
            "outside": self.outside,
            "excluded": self.excluded,
            "remembered": self.remembered,
            "write_only": self.write_only,
            "joined": self.joined,
            "looks": self.looks,
            "allowed": self.allowed,
            "denied": self.denied,
            "timed_out": self.timed_out,
            "unreadable": self.unreadable,
            "overflows": self.overflows,
            "ignored": self.ignored,
            "findings": self.findings,
            "lost_messages": self.lost_messages,
            "latency": {"bounds": list(BOUNDS), "counts": self.classes, "sum": self.waited},
            "slowest": {"seconds": self.slowest, "path": self.slowest_path},
        }
