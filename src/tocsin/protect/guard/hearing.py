"""How the guard hears of files: asked before they are opened, or told afterwards.

Which of these it is depends on the kernel and on the rights of this process:

| mode | needs | what happens |
|---|---|---|
| `permission` | root, a kernel with permission events | nothing infected is opened |
| `notify` | root | a file is looked at once it was written or executed, then taken away |
| `inotify` | nothing | the same of what is written below folders, for files this user may read |
"""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from typing import Protocol

from tocsin.protect.guard.fanotify import FAN_OPEN_EXEC, FAN_OPEN_PERM, FileEvent, Group
from tocsin.protect.guard.inotify import Watcher, most_watches, open_changed
from tocsin.protect.guard.scope import Scope
from tocsin.protect.guard.targets import FOLDER, Target, Targets
from tocsin.protect.guard.warden import Kernel
from tocsin.settings import GuardSettings


class Listener(Protocol):
    """Who hears; `warden.Warden` is one."""

    def hear(self) -> None:
        """The kernel has events."""

    def notice(self, descriptor: int) -> None:
        """This file changed; the descriptor is the listener's."""


class Hearing(Protocol):
    """A way to hear of files."""

    @property
    def mode(self) -> str:
        """Which it is."""

    @property
    def reason(self) -> str:
        """Why it is not a better one, or empty."""

    @property
    def kernel(self) -> Kernel:
        """Whom answers go to."""

    @property
    def trouble(self) -> dict[Target, str]:
        """Why a target is not guarded, empty when it is."""

    @property
    def scope(self) -> Scope:
        """What is guarded as of the last look."""

    def fileno(self) -> int:
        """Readable when there is something to hear; -1 when there never is."""

    def hear(self, listener: Listener) -> None:
        """There is something to hear."""

    def also(self, media: list[str]) -> None:
        """Guard these file systems too."""

    def look_again(self) -> tuple[bool, dict[Target, str]]:
        """See what is there to be guarded (`Targets.look_again`)."""

    def step(self, listener: Listener) -> bool:
        """Do a part of what takes long; whether there is more of it."""

    def close(self) -> None:
        """Hear no more, and let everybody go who waits."""


class FanotifyHearing:
    """The kernel asks or tells; see `Hearing`."""

    def __init__(self, settings: GuardSettings, group: Group, reason: str) -> None:
        permission = group.asks
        self.mode = "permission" if permission else "notify"
        self.reason = reason
        self.kernel: Kernel = group
        self._group = group
        self._targets = Targets(settings, FAN_OPEN_PERM if permission else FAN_OPEN_EXEC)

    @property
    def trouble(self) -> dict[Target, str]:
        """See `Hearing`."""
        return self._targets.trouble

    @property
    def scope(self) -> Scope:
        """See `Hearing`."""
        return self._targets.scope

    def fileno(self) -> int:
        """See `Hearing`."""
        return self._group.fileno()

    def hear(self, listener: Listener) -> None:
        """See `Hearing`."""
        listener.hear()

    def also(self, media: list[str]) -> None:
        """See `Hearing`."""
        self._targets.also(media)

    def look_again(self) -> tuple[bool, dict[Target, str]]:
        """See `Hearing`."""
        return self._targets.look_again(self._group)

    def step(self, listener: Listener) -> bool:
        """See `Hearing`."""
        del listener
        return False

    def close(self) -> None:
        """See `Hearing`."""
        self._group.close()


class InotifyHearing:
    """Folders are watched; see `Hearing`."""

    mode = "inotify"

    def __init__(self, settings: GuardSettings, reason: str) -> None:
        self.reason = reason
        self.kernel: Kernel = Nobody()
        self.trouble: dict[Target, str] = {}
        self.scope = Scope((), (), (), ())
        self._watcher = Watcher()
        self._named = [
            Target(FOLDER, path)
            for path in (*settings.folders, *settings.mounts, *settings.file_systems)
        ]
        self._media: list[Target] = []

    def fileno(self) -> int:
        """See `Hearing`."""
        return self._watcher.fileno()

    def hear(self, listener: Listener) -> None:
        """See `Hearing`."""
        _tell(listener, self._watcher.hear())

    def also(self, media: list[str]) -> None:
        """See `Hearing`."""
        self._media = [Target(FOLDER, path) for path in media]

    def look_again(self) -> tuple[bool, dict[Target, str]]:
        """See `Hearing`."""
        trouble: dict[Target, str] = {}
        for target in dict.fromkeys([*self._named, *self._media]):
            trouble[target] = ""
            try:
                if not stat.S_ISDIR(os.stat(target.path).st_mode):
                    raise NotADirectoryError(20, "not a folder")
            except OSError as error:
                trouble[target] = error.strerror or str(error)
        self._watcher.watch(
            os.path.realpath(target.path) for target, reason in trouble.items() if not reason
        )
        if self._watcher.full:
            words = (
                f"{self._watcher.unwatched:,} folders in it are not watched: this user may have "
                f"{most_watches():,} watches; raise fs.inotify.max_user_watches"
            )
            trouble = {target: reason or words for target, reason in trouble.items()}
        before, self.trouble = self.trouble, trouble
        return False, {
            target: reason for target, reason in trouble.items() if before.get(target) != reason
        }

    def step(self, listener: Listener) -> bool:
        """See `Hearing`."""
        _tell(listener, self._watcher.step())
        return self._watcher.busy

    def close(self) -> None:
        """See `Hearing`."""
        self._watcher.close()


def _tell(listener: Listener, changed: list[str]) -> None:
    for path in changed:
        with suppress(OSError):
            listener.notice(open_changed(path))


class NoHearing:
    """Nothing is heard of; see `Hearing`."""

    mode = "none"

    def __init__(self, reason: str) -> None:
        self.reason = reason
        self.kernel: Kernel = Nobody()
        self.trouble: dict[Target, str] = {}
        self.scope = Scope((), (), (), ())

    def fileno(self) -> int:
        """See `Hearing`."""
        return -1

    def hear(self, listener: Listener) -> None:
        """See `Hearing`."""

    def also(self, media: list[str]) -> None:
        """See `Hearing`."""

    def look_again(self) -> tuple[bool, dict[Target, str]]:
        """See `Hearing`."""
        return False, {}

    def step(self, listener: Listener) -> bool:
        """See `Hearing`."""
        del listener
        return False

    def close(self) -> None:
        """See `Hearing`."""


class Nobody:
    """A kernel that neither asks nor is answered."""

    def read(self, most: int) -> list[FileEvent]:
        """Nothing."""
        del most
        return []

    def answer(self, descriptor: int, *, allow: bool) -> bool:
        """Nobody waits."""
        del descriptor, allow
        return False

    def ignore(self, descriptor: int) -> bool:
        """It does not."""
        del descriptor
        return False

    def heed(self, descriptor: int) -> None:
        """It does not."""

    def heed_all(self) -> None:
        """It does not."""


def choose_hearing(settings: GuardSettings) -> Hearing:
    """The best way to hear that the settings, the kernel and the rights allow."""
    reason = ""
    if settings.mode != "notify":
        try:
            return FanotifyHearing(settings, Group(permission=True), "")
        except OSError as error:
            reason = f"the kernel does not ask before files are opened: {error.strerror}"
            if settings.mode == "permission":
                return NoHearing(reason)
    try:
        return FanotifyHearing(settings, Group(permission=False), reason)
    except OSError as error:
        reason = reason or f"the kernel tells nothing of whole file systems: {error.strerror}"
    try:
        return InotifyHearing(settings, reason)
    except OSError as error:
        return NoHearing(f"{reason}; and folders cannot be watched: {error.strerror}")
