"""Which openings are looked at: what is guarded, less what is excluded."""

from __future__ import annotations

import os

from tocsin.protect.file_facts import Facts, path_of, path_through
from tocsin.protect.guard.processes import ProcessExclusions
from tocsin.protect.guard.scope import PathExclusions, Scope, covers, within
from tocsin.settings import GuardSettings


class Boundary:
    """Tells what is inside.

    Args:
        settings: that say what is excluded.

    Attributes:
        scope: what is guarded, as of the last look at what is mounted.
        processes: programs and users that are excluded.
    """

    def __init__(self, settings: GuardSettings) -> None:
        self._paths = PathExclusions(settings.exclude_paths)
        self.processes = ProcessExclusions(settings.exclude_processes, settings.exclude_users)
        self.scope = Scope((), (), (), ())

    def guards(self, descriptor: int, facts: Facts) -> tuple[bool, str]:
        """Whether a file is guarded.

        Returns:
            That, and its path if it had to be had.
        """
        scope = self.scope
        if scope.knows(facts.mount):
            rule = scope.rule(facts.mount)
            if rule is None or not rule:
                return rule is None, ""
            path = path_of(descriptor)
            return covers(rule, path), path
        places = scope.places_on(os.makedev(facts.key[0], facts.key[1]))
        if places is None or facts.links > 1:
            return True, ""
        for place in places:
            seen = path_through(descriptor, place.mount)
            if not seen or within(seen, place.seen_at):
                return True, ""
        return False, ""

    def excludes(self, path: str, pid: int, facts: Facts) -> bool:
        """Whether a guarded file is not looked at.

        What a path is called in a mount namespace of somebody's own says nothing.
        """
        if self._paths and self.scope.knows(facts.mount) and self._paths.hold(path):
            return True
        return bool(self.processes) and self.processes.hold(pid)
