"""From the paths that somebody names to what an audit finds in their files."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator

from tocsin.app.walk import Walk
from tocsin.audit.look import Look
from tocsin.audit.model import Component, Skipped
from tocsin.engine.report import Report


def look_into(look: Look, walk: Walk, paths: Iterable[str]) -> Iterator[Component | Skipped]:
    """Look into every file below some paths.

    Args:
        look: how; counts files and bytes.
        walk: what is left out; counts that.
        paths: files and folders.

    Yields:
        What is found.

    Raises:
        SandboxUnavailable: workers cannot be confined as the options demand.
    """
    yield from look.run(_files(walk, paths))


def _files(walk: Walk, paths: Iterable[str]) -> Iterator[str | Skipped]:
    for item in walk.items(map(os.fspath, paths)):
        if isinstance(item, Report):
            reasons = [skip.detail for skip in item.skipped] + item.errors
            yield Skipped(item.path, "; ".join(reasons))
        else:
            yield item
