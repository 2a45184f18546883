"""Make what is missing, and write down what was made.

Everything is looked at before it is made, and made so that an interruption leaves it either
whole or not there; installing again goes on from there.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

from tocsin.errors import InstallError
from tocsin.protect.install.accounts import Accounts
from tocsin.protect.install.manifest import FILE_NAME, Made, Manifest
from tocsin.protect.install.steps import Folder, Group, Link, Step, TextFile, User


class Outcome(StrEnum):
    """What became of a step."""

    MADE = "made"
    RENEWED = "renewed"
    THERE = "there already"
    KEPT = "kept"


class Done(NamedTuple):
    """A step and what became of it.

    Attributes:
        step: what was to be made.
        outcome: what became of it.
        detail: why it was kept, or what to do about it; usually empty.
    """

    step: Step
    outcome: Outcome
    detail: str = ""


class Installer:
    """Makes steps in a tree.

    Args:
        root: `/`, or the root of another tree.
        state: the folder, as the tree sees it, in which the record of the installation is.
        dry_run: only say what would become of each step.

    Attributes:
        manifest: the record.
    """

    def __init__(self, root: Path, state: str, *, dry_run: bool = False) -> None:
        self._root = root
        self._state = state
        self._dry_run = dry_run
        self._accounts = Accounts(root)
        self._may_own = os.geteuid() == 0
        self.manifest = Manifest(self.at(state) / FILE_NAME)

    def at(self, path: str) -> Path:
        """Where an absolute path of the tree is."""
        return self._root / path.lstrip("/")

    def install(self, steps: list[Step]) -> Iterator[Done]:
        """Make each step, in order; what there is already is left alone.

        Raises:
            InstallError: a step could not be made; those before it stay, and are recorded.
        """
        for step in steps:
            if isinstance(step, (Folder, TextFile, Link)):
                require_inside(self._root, self.at(step.path))
            try:
                yield self._one(step)
            except OSError as error:
                raise InstallError(f"{error.filename or step}: {error.strerror}") from error

    def _one(self, step: Step) -> Done:
        if isinstance(step, Folder):
            return self._folder(step)
        if isinstance(step, TextFile):
            return self._file(step)
        if isinstance(step, Link):
            return self._link(step)
        return self._account(step)

    # --- folders ----------------------------------------------------------------------------

    def _folder(self, step: Folder) -> Done:
        place = self.at(step.path)
        if place.is_dir() and self.manifest.get("folder", step.path) is None:
            return Done(step, Outcome.THERE)
        if place.is_dir() and self._is_as_wanted(place, step):
            return Done(step, Outcome.THERE)
        renewed = place.is_dir()
        if not self._dry_run:
            if step.path == self._state and not self.manifest.found:
                self._first_folder(step)
            else:
                self._parents(step.path)
                self._record(Made("folder", step.path, holds=step.holds))
                place.mkdir(exist_ok=True)
                self._own(place, step.mode, step.owner, step.group)
        return Done(step, Outcome.RENEWED if renewed else Outcome.MADE)

    def _first_folder(self, step: Folder) -> None:
        """Make the folder of the record together with the record, in one step."""
        place = self.at(step.path)
        parents = self._missing_parents(step.path)
        for parent in parents:
            self.at(parent).mkdir(mode=0o755, exist_ok=True)
            self.at(parent).chmod(0o755)
        made = [Made("folder", parent) for parent in parents]
        made.append(Made("folder", step.path, holds=step.holds))
        new = place.with_name(f".{place.name}.installing")
        if new.is_dir():
            for left in new.iterdir():
                left.unlink()
        new.mkdir(exist_ok=True)
        self._own(new, step.mode, step.owner, step.group)
        first = Manifest(new / FILE_NAME)
        first.made = made
        first.write()
        os.rename(new, place)
        self.manifest.made = made
        self.manifest.found = True

    def _parents(self, path: str) -> None:
        for parent in self._missing_parents(path):
            self._record(Made("folder", parent))
            self.at(parent).mkdir(exist_ok=True)
            self.at(parent).chmod(0o755)

    def _missing_parents(self, path: str) -> list[str]:
        missing = []
        parent = os.path.dirname(path)
        while parent != "/" and not self.at(parent).is_dir():
            missing.append(parent)
            parent = os.path.dirname(parent)
        return missing[::-1]

    # --- files and links ----------------------------------------------------------------------

    def _file(self, step: TextFile) -> Done:
        place = self.at(step.path)
        digest = _digest(step.text.encode())
        recorded = self.manifest.get("file", step.path)
        present = _content(place)
        if present is not None:
            if step.is_settings or present == step.text.encode():
                return Done(step, Outcome.THERE)
            if recorded is None or _digest(present) != recorded.content:
                return Done(step, Outcome.KEPT, "changed by somebody; remove it to have it renewed")
        if not self._dry_run:
            self._parents(step.path)
            self._record(Made("file", step.path, digest))
            self._write(place, step)
        return Done(step, Outcome.MADE if present is None else Outcome.RENEWED)

    def _write(self, place: Path, step: TextFile) -> None:
        temporary = place.with_name(f".{place.name}.new")
        temporary.unlink(missing_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(temporary, flags, 0o600)
        with open(descriptor, "w", encoding="utf-8") as file:
            file.write(step.text)
            file.flush()
            os.fsync(descriptor)
        self._own(temporary, step.mode, "", step.group)
        os.replace(temporary, place)

    def _link(self, step: Link) -> Done:
        place = self.at(step.path)
        if place.is_symlink() or place.exists():
            same = place.is_symlink() and os.readlink(place) == step.target
            kept = "" if same else "leads elsewhere; remove it to have it renewed"
            return Done(step, Outcome.THERE if same else Outcome.KEPT, kept)
        if not self._dry_run:
            self._parents(step.path)
            self._record(Made("link", step.path, step.target))
            place.symlink_to(step.target)
        return Done(step, Outcome.MADE)

    # --- accounts -----------------------------------------------------------------------------

    def _account(self, step: Group | User) -> Done:
        is_user = isinstance(step, User)
        has = self._accounts.has_user if is_user else self._accounts.has_group
        if has(step.name):
            return Done(step, Outcome.THERE)
        if not self._dry_run:
            self._record(Made("user" if is_user else "group", step.name))
            self._accounts.add(step)
        return Done(step, Outcome.MADE)

    def _own(self, place: Path, mode: int, owner: str, group: str) -> None:
        """Give a thing its owner and mode; in a tree made by an ordinary user, its mode alone."""
        place.chmod(mode)
        if self._may_own and (owner or group):
            uid = self._accounts.user_id(owner) if owner else -1
            gid = self._accounts.group_id(group) if group else -1
            if uid is None or gid is None:
                raise InstallError(f"{place}: there is no account {owner or group}")
            os.chown(place, uid, gid)
            place.chmod(mode)

    def _is_as_wanted(self, place: Path, step: Folder) -> bool:
        status = place.stat()
        uid = self._accounts.user_id(step.owner) if step.owner and self._may_own else None
        return stat.S_IMODE(status.st_mode) == step.mode and uid in (None, status.st_uid)

    def _record(self, made: Made) -> None:
        if self.manifest.get(made.kind, made.name) != made:
            self.manifest.add(made)


def require_inside(root: Path, place: Path) -> None:
    """Refuse to follow a link out of a tree.

    Raises:
        InstallError: the place is outside.
    """
    real = os.path.realpath(place.parent)
    top = os.path.realpath(root)
    if os.path.commonpath((real, top)) != top:
        raise InstallError(f"{place} leads out of {root}, to {real}")


def _content(place: Path) -> bytes | None:
    """The bytes of a file, None when there is none.

    Raises:
        InstallError: something else is in its place.
    """
    try:
        if not stat.S_ISREG(place.lstat().st_mode):
            raise InstallError(f"{place} is not a file; move it away and install again")
        return place.read_bytes()
    except FileNotFoundError:
        return None


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
