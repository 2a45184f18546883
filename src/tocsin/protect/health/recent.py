"""What the events of the last day mean: what was found and left where it was, what failed.

Events are plain values here, as the journal and the API give them.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

KEPT_AWAY = frozenset({"denied"})
"""What a detection itself can say was done, after which nobody can open the file."""

TAKEN_AWAY = frozenset({"quarantined", "deleted"})
"""What a later action can say was done with the file at a path."""

_ALLOWED = "restored"


def unresolved(events: Iterable[dict[str, Any]]) -> tuple[str, ...]:
    """Where something was found, and is still there for anybody to open; the last first.

    Only what this program looked at by itself counts, the guard and tasks: who asked for a scan
    was told and acts on it.

    Args:
        events: detections and actions, in the order in which they happened.
    """
    left: dict[str, None] = {}
    for event in events:
        path, action = str(event.get("path", "")), str(event.get("action", ""))
        if not path:
            continue
        if event.get("kind") == "detection":
            if not _own_look(str(event.get("origin", ""))):
                continue
            left.pop(path, None)
            if action not in KEPT_AWAY:
                left[path] = None
        elif event.get("kind") == "action" and (action in TAKEN_AWAY or action == _ALLOWED):
            left.pop(path, None)
    return tuple(reversed(left))


def failures(events: Iterable[dict[str, Any]]) -> tuple[str, ...]:
    """What this program failed at and did not mend by itself, the last first."""
    found = [
        str(event.get("message", ""))
        for event in events
        if event.get("kind") == "failure" and event.get("severity") == "alarm"
    ]
    return tuple(reversed(found))


def _own_look(origin: str) -> bool:
    return origin == "guard" or origin.startswith("task:")
