"""What leaves the guard: events, findings to be taken away, and how things stand.

Nothing here waits. What there is no room for is kept in memory up to a bound; what is beyond it
is counted, and that it was lost is said.
"""

from __future__ import annotations

import os
from collections import deque
from contextlib import suppress
from typing import Any

from tocsin.engine.report import Report
from tocsin.errors import ChannelClosed
from tocsin.protect.daemon.channel import Channel
from tocsin.protect.daemon.control_messages import (
    ChildStateWish,
    FromChild,
    HappenedWish,
    TakeWish,
    ToChild,
)
from tocsin.protect.guard.notices import ORIGIN
from tocsin.protect.guard.tally import Tally
from tocsin.protect.journal.event import Event
from tocsin.protect.journal.sendable import sendable, sendable_event

MOST_EVENTS = 20_000
MOST_FINDINGS = 500
"""Each holds a descriptor."""

_MOST_EVIDENCE = 50


class Outbox:
    """Ways out.

    Args:
        control: the channel to the supervisor.
        tally: counts what is lost.
    """

    def __init__(self, control: Channel[ToChild, FromChild], tally: Tally) -> None:
        self._control = control
        self._tally = tally
        self._events: deque[Event] = deque()
        self._findings: deque[tuple[TakeWish, int]] = deque()

    def happened(self, event: Event) -> None:
        """Have something journalled."""
        if len(self._events) >= MOST_EVENTS:
            self._tally.lost_messages += 1
            return
        self._events.append(event)

    def found(self, path: str, report: Report, descriptor: int) -> None:
        """Have something taken away; the descriptor stays the caller's."""
        if len(self._findings) >= MOST_FINDINGS:
            self._tally.lost_messages += 1
            return
        wish = TakeWish(os.fsencode(path), _shortened(report), ORIGIN)
        self._findings.append((wish, os.dup(descriptor)))

    def state(self, state: dict[str, Any]) -> None:
        """Say how things stand, unless there is no room for it now.

        Raises:
            ChannelClosed: the supervisor has gone.
        """
        if not self._control.wants_write:
            self._control.send(ChildStateWish(sendable(state)))

    def flush(self) -> None:
        """Send what waits, as far as there is room.

        Raises:
            ChannelClosed: the supervisor has gone.
        """
        control = self._control
        if control.wants_write:
            control.flush()
        while self._events and not control.wants_write:
            control.send(HappenedWish(sendable_event(self._events.popleft())))
        while self._findings and not control.wants_write:
            wish, descriptor = self._findings.popleft()
            try:
                control.send(wish, [descriptor])
            finally:
                os.close(descriptor)

    @property
    def waits(self) -> bool:
        """Whether something waits for room."""
        return self._control.wants_write or bool(self._events or self._findings)

    def close(self) -> None:
        """Send what there is room for, and forget the rest."""
        with suppress(ChannelClosed):
            self.flush()
        for _, descriptor in self._findings:
            os.close(descriptor)
        self._findings.clear()


def _shortened(report: Report) -> dict[str, Any]:
    """A report as plain values, without evidence that would not change what is done."""
    values = report.to_dict()
    for kind in ("detections", "skipped", "notes", "errors"):
        del values[kind][_MOST_EVIDENCE:]
    return dict(sendable(values))
