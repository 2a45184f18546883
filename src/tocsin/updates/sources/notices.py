"""What happens while sources are brought in, as values; who prints it decides on the words."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import NamedTuple


class Event(Enum):
    """What happened."""

    NO_RECORD = "the TXT record could not be used"
    AVAILABLE = "there is a newer version, or a first one"
    UP_TO_DATE = "nothing newer"
    PATCHING = "a difference is fetched"
    PATCH_FAILED = "differences did not lead to the new version; the whole is fetched"
    PATCH_MISSING = "the newest difference is not on the server yet"
    PARTIAL = "fewer differences came than there are"
    TESTING = "a new file is tried"
    TESTED = "it loads"
    UPDATED = "a new file is in place"
    RETRY = "a server could not serve; it is asked again"
    GIVEN_UP = "a server could not serve"
    COOL_DOWN = "a server is not to be asked"


class Notice(NamedTuple):
    """One event.

    Attributes:
        event: what.
        name: of the database or source.
        file: its file, or empty.
        version: the new version, or the one that is here; 0 when there is none.
        before: the version that was here; 0 when there was none.
        signatures: in it.
        level: functionality level that it asks for.
        builder: who built it.
        reason: why, for what went wrong.
    """

    event: Event
    name: str
    file: str = ""
    version: int = 0
    before: int = 0
    signatures: int = 0
    level: int = 0
    builder: str = ""
    reason: str = ""


Say = Callable[[Notice], None]


def silent(notice: Notice) -> None:
    """Tell nobody."""
    del notice
