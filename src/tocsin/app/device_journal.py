"""Whose journal a user is shown.

Root's journal is the device's. Another user has one of their own, of what their own commands
did; members of `[daemon] admin_group` are shown the device's instead, by the daemon.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from tocsin.app.device import Device, device_journal, is_closed
from tocsin.app.settings import journal_file
from tocsin.errors import JournalError
from tocsin.protect.journal.filters import Filter
from tocsin.settings import Settings

if TYPE_CHECKING:
    from tocsin.app.remote_events import RemoteJournal


class Chosen(NamedTuple):
    """The journal that a user is shown.

    Attributes:
        place: a file that they can read.
        remote: the device's, asked of the daemon; then `place` is not meant.
        remark: which one it is and why, where they may have meant another.
    """

    place: Path
    remote: RemoteJournal | None = None
    remark: str = ""


def chosen(settings: Settings, device: Device, *, own: bool) -> Chosen:
    """Which journal a user is shown: the device's as soon as they may see it.

    Args:
        settings: the user's.
        device: the device's.
        own: show the user's own.

    Raises:
        JournalError: it can only be the device's, and that is not shown.
    """
    place, theirs = journal_file(settings), device_journal(device.settings)
    if (own and place != theirs) or not is_closed(theirs):
        return Chosen(place)
    from tocsin.app.remote_events import RemoteJournal  # HTTP is loaded when it is spoken

    remote = RemoteJournal(device.settings)
    has_own = place != theirs and not is_closed(place) and place.exists()
    try:
        remote.events(Filter(limit=1, newest=True))
    except JournalError as error:
        if not has_own:
            raise
        return Chosen(place, remark=f"{place} is your own journal. {error}")
    remark = f"{theirs}, asked of the daemon; '--own' shows {place}" if has_own else ""
    return Chosen(place, remote, remark)


def readable_journal(settings: Settings, device: Device) -> Path:
    """The journal whose file a user can read, which verifying needs.

    Args:
        settings: the user's.
        device: the device's.

    Raises:
        JournalError: there is only the device's, and root alone can read it.
    """
    place, theirs = journal_file(settings), device_journal(device.settings)
    if is_closed(theirs) and (place == theirs or not place.exists()):
        raise JournalError(
            f"{theirs}: only who can read the file can verify it: 'sudo tocsin events --verify'"
        )
    return place
