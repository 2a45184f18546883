"""What publishing and receiving refuse; whoever refused left everything as it was."""

from __future__ import annotations

from tocsin.errors import TocsinError


class UpdatesError(TocsinError):
    """Base of what goes wrong with updates; scanning goes on whatever it is."""


class StatementError(UpdatesError):
    """A statement or its envelope that is malformed, too large, or not signed as it must be."""


class LayoutError(UpdatesError):
    """A name or a field in a repository's metadata that is not as this program writes it."""


class DeltaError(UpdatesError):
    """A delta that cannot be made or does not lead where it should; nothing was written."""


class WheelError(UpdatesError):
    """A wheel that is damaged or not what its name says, or a set of them that is not whole."""
