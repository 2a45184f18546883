"""What is done with an infected file: moved, copied or removed, and never lost or mistaken.

The file is held open from before the scan, and the open file is what is scanned: a path could
name another one by then. Whatever stands at its path afterwards is touched only if it is still
that file, by device and inode, and a copy is made from the open file, not from the path. In the
destination nothing is ever written over; a copy gets its name when all of it is on the disk, and
only then does the original go.
"""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from types import TracebackType

MOST_NAMES = 1000
_CHUNK = 1 << 20
_READ = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


class ActionError(Exception):
    """The action was not carried out; the file is where it was."""


class Held:
    """A file kept open while it is scanned, so that it can be told from any other.

    Args:
        path: the file.

    Attributes:
        real: its path without links.
        source: a path that stands for the open file whatever happens to the other.
        descriptor: the open file.
        status: what the system said of it when it was opened.

    Raises:
        OSError: it cannot be opened.
    """

    def __init__(self, path: str) -> None:
        self.real = os.path.realpath(path)
        self.descriptor = os.open(self.real, _READ)
        reopened = f"/proc/self/fd/{self.descriptor}"
        self.source = reopened if os.path.exists(reopened) else self.real
        self.status = os.fstat(self.descriptor)

    def __enter__(self) -> Held:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        os.close(self.descriptor)

    def stands_in(self, folder: int, name: str) -> bool:
        """Whether a name in an opened folder is this file itself."""
        try:
            status = os.stat(name, dir_fd=folder, follow_symlinks=False)
        except OSError:
            return False
        return stat.S_ISREG(status.st_mode) and _same(status, self.status)

    def unchanged(self) -> bool:
        """Whether its content is what it was when it was opened."""
        now = os.fstat(self.descriptor)
        return (now.st_size, now.st_mtime_ns) == (self.status.st_size, self.status.st_mtime_ns)


def _same(one: os.stat_result, other: os.stat_result) -> bool:
    return (one.st_dev, one.st_ino) == (other.st_dev, other.st_ino)


class Action:
    """Does something with files; this one removes them.

    `done` is what a report says of it, with `failed` for when it could not be.
    """

    failed = "remove"

    def act(self, file: Held) -> str:
        """Act on a file.

        Returns:
            What was done, as the report says it.

        Raises:
            ActionError: it was not done.
        """
        if not file.unchanged():
            raise ActionError("it changed while it was scanned")
        try:
            _remove(file)
        except OSError as error:
            raise ActionError(error.strerror or str(error)) from error
        return "Removed."


class Quarantine(Action):
    """Moves or copies files into a folder.

    Args:
        folder: the folder.
        move: whether the original goes.

    Raises:
        ActionError: it is no folder that can be written to.
    """

    def __init__(self, folder: str, *, move: bool) -> None:
        self.move = move
        self.failed = "move" if move else "copy"
        self.folder = os.path.realpath(folder)
        if not os.path.isdir(self.folder):
            raise ActionError(f"'{self.folder}' doesn't exist or is not a directory")
        if not os.access(self.folder, os.W_OK | os.X_OK):
            raise ActionError(f"Can't write to '{self.folder}': Permission denied")
        self._descriptor = os.open(self.folder, _FOLDER)

    def act(self, file: Held) -> str:
        """Move or copy a file; see `Action.act`."""
        try:
            name = self._link(file) if self.move else ""
            if not name:
                name = self._copy(file)
            os.fsync(self._descriptor)
        except OSError as error:
            raise ActionError(error.strerror or str(error)) from error
        place = os.path.join(self.folder, name)
        if not self.move:
            return f"copied to '{place}'"
        try:
            _remove(file)
        except OSError as error:
            os.unlink(name, dir_fd=self._descriptor)
            raise ActionError(error.strerror or str(error)) from error
        return f"moved to '{place}'"

    def _link(self, file: Held) -> str:
        """Give the open file a second name in the folder; empty where that cannot be."""
        source = f"/proc/self/fd/{file.descriptor}"
        if os.fstat(self._descriptor).st_dev != file.status.st_dev:
            return ""
        for name in _names(file):
            try:
                os.link(source, name, dst_dir_fd=self._descriptor, follow_symlinks=True)
            except FileExistsError:
                continue
            except OSError:
                return ""
            return name
        raise OSError("too many files of that name")

    def _copy(self, file: Held) -> str:
        import tempfile  # not paid for by a start that copies nothing

        handle, temporary = tempfile.mkstemp(prefix=".tocsin-", dir=self.folder)
        try:
            with open(handle, "wb") as target:
                _pour(file.descriptor, target.fileno())
                if self.move:
                    os.utime(target.fileno(), ns=(file.status.st_atime_ns, file.status.st_mtime_ns))
                os.fsync(target.fileno())
            name = self._reserve(file)
            try:
                os.replace(temporary, name, dst_dir_fd=self._descriptor)
            except OSError:
                os.unlink(name, dir_fd=self._descriptor)
                raise
        except BaseException:
            with suppress(FileNotFoundError):
                os.unlink(temporary)
            raise
        return name

    def _reserve(self, file: Held) -> str:
        """Make an empty file of a name that was free."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        for name in _names(file):
            try:
                os.close(os.open(name, flags, 0o600, dir_fd=self._descriptor))
            except FileExistsError:
                continue
            return name
        raise OSError("too many files of that name")


def _names(file: Held) -> list[str]:
    base = os.path.basename(file.real)
    return [base, *(f"{base}.{number:03d}" for number in range(1, MOST_NAMES))]


def _pour(source: int, target: int) -> None:
    os.lseek(source, 0, os.SEEK_SET)
    while chunk := os.read(source, _CHUNK):
        view = memoryview(chunk)
        while view:
            view = view[os.write(target, view) :]


def _remove(file: Held) -> None:
    """Remove the name under which the file was scanned, if it is still that file's.

    Raises:
        OSError: it cannot be removed, or something else stands there now.
    """
    folder = os.open(os.path.dirname(file.real), _FOLDER)
    try:
        name = os.path.basename(file.real)
        if not file.stands_in(folder, name):
            raise OSError("another file stands in its place now")
        os.unlink(name, dir_fd=folder)
    finally:
        os.close(folder)


def choose_action(*, move: str, copy: str, remove: bool) -> Action | None:
    """The action that options ask for; moving comes before copying before removing.

    Raises:
        ActionError: the folder named cannot be used.
    """
    if move or copy:
        return Quarantine(move or copy, move=bool(move))
    return Action() if remove else None
