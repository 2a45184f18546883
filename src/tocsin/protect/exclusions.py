"""Which paths a walk leaves out, by globs of the user's own."""

from __future__ import annotations

import fnmatch
from collections.abc import Sequence


def is_excluded(path: str, name: str, patterns: Sequence[str]) -> bool:
    """Whether a path is left out.

    Args:
        path: as the walk names it.
        name: its last component.
        patterns: globs; one with a `/` is held against the whole path, others against the name.
    """
    return any(fnmatch.fnmatchcase(path if "/" in each else name, each) for each in patterns)
