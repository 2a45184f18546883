"""Take back what installing made, and nothing else.

What was changed since, and what came into folders since, is kept and named; it stays in the
record, so that it can still be taken back later.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

from tocsin.errors import InstallError
from tocsin.protect.install.accounts import Accounts
from tocsin.protect.install.installer import require_inside
from tocsin.protect.install.manifest import FILE_NAME, Made, Manifest
from tocsin.protect.install.steps import Holds

_MOST_NAMED = 5


class Fate(StrEnum):
    """What becomes of a thing that installing made."""

    REMOVED = "removed"
    GONE = "gone already"
    KEPT = "kept"


class Undone(NamedTuple):
    """A thing that installing made, and what became of it.

    Attributes:
        made: the thing.
        fate: what became of it.
        detail: why it was kept; else empty.
    """

    made: Made
    fate: Fate
    detail: str = ""


class Uninstaller:
    """Takes back an installation in a tree.

    Args:
        root: `/`, or the root of another tree.
        state: the folder, as the tree sees it, in which the record of the installation is.
        purge: remove what came into the folders since, and what was changed, as well.
        dry_run: only say what would become of each thing.

    Attributes:
        manifest: the record.

    Raises:
        InstallError: nothing is installed.
    """

    def __init__(self, root: Path, state: str, *, purge: bool, dry_run: bool = False) -> None:
        self._root = root
        self._purge = purge
        self._dry_run = dry_run
        self._accounts = Accounts(root)
        self.manifest = Manifest(self._at(state) / FILE_NAME)
        if not self.manifest.found:
            raise InstallError(
                f"{self.manifest.path}: there is no record of an installation, so nothing is "
                "known to be tocsin's; what was made by hand is to be removed by hand"
            )
        self._going: set[Path] = {self.manifest.path}
        self._kept_users: set[int] = set()
        self._kept_groups: set[int] = set()
        self._any_kept = False

    def _at(self, path: str) -> Path:
        return self._root / path.lstrip("/")

    def uninstall(self) -> Iterator[Undone]:
        """Take back each thing, the last made first.

        Raises:
            InstallError: a thing could not be taken back; what was before it is gone.
        """
        order = self.manifest.made[::-1]
        last = [made for made in order if made.kind == "folder" and self._holds_record(made)]
        if last and not self._purge and self._left(self._at(last[0].name)):
            self._note_owners(last[0])
        for made in order:
            if made in last:
                continue
            undone = self._one(made)
            if undone.fate is not Fate.KEPT and not self._dry_run:
                self.manifest.drop(made)
            yield undone
        yield from self._last(last)
        if (
            not self.manifest.made and not self._dry_run
        ):  # the folder of the record was there before
            self.manifest.path.unlink(missing_ok=True)

    def _holds_record(self, made: Made) -> bool:
        return self._at(made.name) in self.manifest.path.parents

    def _one(self, made: Made) -> Undone:
        try:
            if made.kind in ("user", "group"):
                return self._account(made)
            require_inside(self._root, self._at(made.name))
            if made.kind == "folder":
                return self._folder(made)
            return self._file(made)
        except OSError as error:
            raise InstallError(f"{error.filename or made.name}: {error.strerror}") from error

    # --- files and folders --------------------------------------------------------------------

    def _file(self, made: Made) -> Undone:
        place = self._at(made.name)
        if not os.path.lexists(place):
            return Undone(made, Fate.GONE)
        if made.kind == "link":
            if not place.is_symlink() or os.readlink(place) != made.content:
                return self._keep(made, "it leads elsewhere now")
        elif not place.is_file() or place.is_symlink():
            return self._keep(made, "it is no file any more")
        elif hashlib.sha256(place.read_bytes()).hexdigest() != made.content and not self._purge:
            return self._keep(made, "it was changed")
        self._going.add(place)
        if not self._dry_run:
            place.unlink()
        return Undone(made, Fate.REMOVED)

    def _folder(self, made: Made) -> Undone:
        place = self._at(made.name)
        if not place.is_dir() or place.is_symlink():
            return Undone(made, Fate.GONE)
        whole = made.holds == Holds.CACHE or (made.holds == Holds.STATE and self._purge)
        left = self._left(place)
        if left and not whole:
            return self._keep(made, f"it holds {_named(left)}")
        self._going.add(place)
        if not self._dry_run:
            if left:
                shutil.rmtree(place)
            else:
                place.rmdir()
        return Undone(made, Fate.REMOVED)

    def _left(self, place: Path) -> list[str]:
        """What would still be in a folder after all else is taken back."""
        return sorted(entry.name for entry in place.iterdir() if entry not in self._going)

    def _keep(self, made: Made, why: str) -> Undone:
        """Keep a thing."""
        self._any_kept = True
        self._note_owners(made)
        return Undone(made, Fate.KEPT, why)

    def _note_owners(self, made: Made) -> None:
        """Remember whom a thing that is kept, and all in it, belongs to."""
        place = self._at(made.name)
        things = [place]
        if made.kind == "folder":
            for folder, folders, files in os.walk(place):
                things += [Path(folder, name) for name in (*folders, *files)]
        for thing in things:
            with suppress(OSError):
                status = thing.lstat()
                self._kept_users.add(status.st_uid)
                self._kept_groups.add(status.st_gid)

    def _last(self, folders: list[Made]) -> Iterator[Undone]:
        """The record itself, its folder, and what was made above that."""
        for number, made in enumerate(folders):
            place = self._at(made.name)
            left = self._left(place) if place.is_dir() else []
            whole = made.holds == Holds.STATE and self._purge
            if not whole and (left or (self._any_kept and number == 0)):
                yield from (self._keep(each, self._why(left)) for each in folders[number:])
                return
            self._going.add(place)
            if not self._dry_run:
                self.manifest.made.remove(made)  # the file itself goes now
                if left:
                    shutil.rmtree(place)
                else:
                    if number == 0:
                        self.manifest.path.unlink(missing_ok=True)
                    place.rmdir()
            yield Undone(made, Fate.REMOVED)

    @staticmethod
    def _why(left: list[str]) -> str:
        return f"it holds {_named(left)}" if left else "it holds the record of what is kept"

    # --- accounts -----------------------------------------------------------------------------

    def _account(self, made: Made) -> Undone:
        is_user = made.kind == "user"
        number = (self._accounts.user_id if is_user else self._accounts.group_id)(made.name)
        if number is None:
            return Undone(made, Fate.GONE)
        if number in (self._kept_users if is_user else self._kept_groups):
            self._any_kept = True
            return Undone(made, Fate.KEPT, "what is kept belongs to it")
        if not self._dry_run:
            if is_user:
                ours = self.manifest.get("group", made.name) is not None
                self._accounts.remove_user(made.name, keep_group=not ours)
            else:
                self._accounts.remove_group(made.name)
        return Undone(made, Fate.REMOVED)


def _named(names: list[str]) -> str:
    more = len(names) - _MOST_NAMED
    return ", ".join(names[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
