"""What rebuilding refuses, and why; nothing is said of a database then."""

from __future__ import annotations

from tocsin.updates.errors import UpdatesError


class RebuildError(UpdatesError):
    """A database could not be built again, so nobody knows whether it is the same."""


class EntryNotFound(RebuildError):
    """The log names no such database, or more than one."""
