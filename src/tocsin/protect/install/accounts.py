"""System accounts, made and removed by the programs that distributions have for it."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from tocsin.errors import InstallError
from tocsin.protect.install.steps import Group, User

_PATH = "/usr/sbin:/sbin:/usr/bin:/bin"
_SECONDS = 60


class Accounts:
    """The accounts of a machine, or of the tree of one.

    Args:
        root: `/`, or another tree with an `etc/passwd`.
    """

    def __init__(self, root: Path) -> None:
        self._root = root

    def has_user(self, name: str) -> bool:
        """Whether there is a user."""
        return self._number("passwd", name) is not None

    def has_group(self, name: str) -> bool:
        """Whether there is a group."""
        return self._number("group", name) is not None

    def user_id(self, name: str) -> int | None:
        """A user's number, None when there is none."""
        return self._number("passwd", name)

    def group_id(self, name: str) -> int | None:
        """A group's number, None when there is none."""
        return self._number("group", name)

    def add(self, account: Group | User) -> None:
        """Make an account.

        Raises:
            InstallError: it could not be made.
        """
        if isinstance(account, Group):
            self._run("groupadd", "--system", account.name)
            return
        nologin = next(
            (p for p in ("/usr/sbin/nologin", "/sbin/nologin") if os.path.exists(p)), "/bin/false"
        )
        self._run(
            "useradd", "--system", "--gid", account.group, "--home-dir", account.home,
            "--no-create-home", "--shell", nologin, "--comment", account.comment, account.name,
        )  # fmt: skip

    def remove_user(self, name: str, *, keep_group: bool) -> None:
        """Remove a user.

        Args:
            name: of it.
            keep_group: keep the group of the same name, which `userdel` may take along.

        Raises:
            InstallError: it could not be removed; a process of it may be running.
        """
        number = self.group_id(name)
        self._run("userdel", name)
        if keep_group and number is not None and not self.has_group(name):
            self._run("groupadd", "--system", "--gid", str(number), name)

    def remove_group(self, name: str) -> None:
        """Remove a group.

        Raises:
            InstallError: it could not be removed.
        """
        self._run("groupdel", name)

    def _number(self, database: str, name: str) -> int | None:
        """The number of an entry: of the machine's own name service, or of the tree's file."""
        if self._root == Path("/"):
            import grp
            import pwd

            try:
                if database == "passwd":
                    return pwd.getpwnam(name).pw_uid
                return grp.getgrnam(name).gr_gid
            except KeyError:
                return None
        try:
            text = (self._root / "etc" / database).read_text("utf-8", "replace")
        except OSError:
            return None
        for line in text.splitlines():
            fields = line.split(":")
            if fields[0] == name and len(fields) > 2 and fields[2].isdigit():
                return int(fields[2])
        return None

    def _run(self, program: str, *arguments: str) -> None:
        found = shutil.which(program, path=_PATH)
        if found is None:
            raise InstallError(
                f"there is no {program} on this machine; make the account with its own means "
                f"({program} {' '.join(arguments)}) and install again"
            )
        prefix: Sequence[str] = ()
        if self._root != Path("/"):
            prefix = ("--prefix", str(self._root))
        done = subprocess.run(  # noqa: S603
            [found, *prefix, *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_SECONDS,
            env={"PATH": _PATH, "LC_ALL": "C"},
            check=False,
        )
        if done.returncode:
            said = " ".join((done.stderr or done.stdout).split())[:500]
            raise InstallError(f"{program}: {said or f'exit status {done.returncode}'}")
