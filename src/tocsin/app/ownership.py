"""To whom the daemon's folders belong: to its user, whoever made them first.

Root's commands write the same journal as the daemon, and one of them may be the first to need it.
What root makes there is the daemon's user's at once, and what is not (another user was named in
the settings since, or an older version made it) is given to that user when the daemon starts.
"""

from __future__ import annotations

import os
import pwd
import stat
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from tocsin.app.settings import journal_file, state_folder
from tocsin.protect.account import Account, account_named, may_write
from tocsin.settings import Settings

JOURNAL_MODE = 0o750
STREAMS_MODE = 0o700
_ENDINGS = ("", "-wal", "-shm", ".lock")
"""What the names of a journal's files end with."""


def daemon_account(settings: Settings) -> Account | None:
    """The daemon's user, where root's processes become another; None where there is none."""
    if os.geteuid() != 0 or not settings.daemon.user:
        return None
    return account_named(settings.daemon.user)


def make_journal_folder(settings: Settings) -> None:
    """Make the journal's folder, where there is none, as the daemon would have made it.

    Raises:
        OSError: it cannot be made.
    """
    folder = journal_file(settings).parent
    if folder.is_dir():
        return
    state = state_folder(settings)
    if state in folder.parents and not state.is_dir():
        state.mkdir(parents=True, mode=0o755)
        state.chmod(0o755)  # whatever the umask: the daemon's user has to get in
    account = daemon_account(settings)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700 if account is None else JOURNAL_MODE)
    if account is not None:
        descriptor = _opened(folder)
        try:
            os.fchmod(descriptor, JOURNAL_MODE)
            os.fchown(descriptor, *account)
        finally:
            os.close(descriptor)


def settle(settings: Settings, account: Account) -> None:
    """Give the daemon's user what it has to write: the journal and the folder of streams.

    Only tocsin's own places change their owner: `journal` and `streams` in its state folder. A
    journal in another folder is given away without that folder, which may be anybody's.

    Raises:
        OSError: something cannot be given.
    """
    file, state = journal_file(settings), state_folder(settings)
    status = state.stat()
    if status.st_uid == 0 and not status.st_mode & stat.S_IXOTH:
        state.chmod(stat.S_IMODE(status.st_mode) | 0o011)
    if file.parent == state / "journal":
        names = {file.name + ending for ending in _ENDINGS}
        _give_folder(file.parent, JOURNAL_MODE, account, names)
    else:
        with suppress(FileNotFoundError):
            folder = _opened(file.parent)
            try:
                for ending in _ENDINGS:
                    _give_file(folder, file.name + ending, account)
            finally:
                os.close(folder)
    _give_folder(state / "streams", STREAMS_MODE, account, set())


def _give_folder(path: Path, mode: int, account: Account, names: set[str]) -> None:
    """Give a folder and files in it to an account, unless they are its already."""
    try:
        folder = _opened(path)
    except (FileNotFoundError, NotADirectoryError):  # a link is the administrator's own matter
        return
    try:
        status = os.fstat(folder)
        wrong = [name for name in names if not _belongs(folder, name, account)]
        if Account(status.st_uid, status.st_gid) == account and not wrong:
            return
        # Whose it was until now could put other files in their places meanwhile: first it is
        # closed to everybody but root.
        os.fchown(folder, 0, 0)
        os.fchmod(folder, 0o700)
        for name in wrong:
            _give_file(folder, name, account)
        os.fchmod(folder, mode)
        os.fchown(folder, *account)
    finally:
        os.close(folder)


def _opened(folder: Path) -> int:
    return os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)


def _belongs(folder: int, name: str, account: Account) -> bool:
    """Whether a file is an account's, or is not there."""
    try:
        status = os.lstat(name, dir_fd=folder)
    except FileNotFoundError:
        return True
    return Account(status.st_uid, status.st_gid) == account


def _give_file(folder: int, name: str, account: Account) -> None:
    """Give a file to an account; never what a link leads to, nor what has another name as well."""
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        descriptor = os.open(name, flags, dir_fd=folder)
    except OSError:  # it is not there, or a link: the journal refuses that, and says so
        return
    try:
        status = os.fstat(descriptor)
        if stat.S_ISREG(status.st_mode) and status.st_nlink == 1:
            os.fchown(descriptor, *account)
    finally:
        os.close(descriptor)


# --- what a doctor looks for --------------------------------------------------------------


class Closed(NamedTuple):
    """Something of the journal that the daemon's user cannot write.

    Attributes:
        path: what.
        detail: whose it is.
        advice: the commands that set it right.
    """

    path: Path
    detail: str
    advice: str


def closed_journal(settings: Settings) -> Closed | None:
    """What of the journal the daemon's user cannot write; None where it can, or nobody can tell."""
    account = daemon_account(settings)
    if account is None:
        return None
    file = journal_file(settings)
    places = [file.parent, *(file.with_name(file.name + ending) for ending in _ENDINGS)]
    for place in places:
        try:
            status = place.lstat()
        except OSError:
            continue
        if not may_write(status, account):
            user = settings.daemon.user
            owner = f"{user}:"  # and its group
            command = f"chown -R {owner} {file.parent}"
            if file.parent != state_folder(settings) / "journal":
                command = f"chown {owner} {file}*"
                if place == file.parent:
                    command = f"have {user} write to {file.parent}, or name another [journal] file"
            detail = f"{place} belongs to {_name(status.st_uid)}: the daemon's user {user} "
            detail += "cannot write it"
            return Closed(place, detail, f"{command}; systemctl restart tocsin")
    return None


def _name(uid: int) -> str:
    with suppress(KeyError):
        return pwd.getpwuid(uid).pw_name
    return f"user {uid}"
