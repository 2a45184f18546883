"""What is to be published, as a whole, before any of it is: so that a run can be killed anywhere.

A staged publication is a folder: the log entries, the files, the signed list of targets and
maybe a root, with `plan.json` saying what each of them is. It gets its name when it is complete,
and loses it when everything has been published; in between every step can be done again.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from tocsin.durable import sync_folder
from tocsin.updates.publish.errors import WorkspaceError
from tocsin.updates.publish.files import make_folder, place_file, read_bounded, write_file
from tocsin.updates.publish.workspace import Workspace

_FORMAT: Literal["tocsin-staged-1"] = "tocsin-staged-1"
_MOST_PLAN_BYTES = 16 << 20
_Path = Annotated[str, msgspec.Meta(max_length=512)]


class StagedEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A log entry.

    Attributes:
        name: of the file in the staged folder.
        entry: where it goes in the repository.
        proof: where its proof goes.
    """

    name: _Path
    entry: _Path
    proof: _Path


class StagedFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A file: its name in the staged folder, and where it goes in the repository."""

    name: _Path
    path: _Path


class Plan(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A publication.

    Attributes:
        what: in words, for people: `database 12`.
        targets_version: of the list of targets.
        log_size: entries that the log had before; none of these is before that place.
        entries: for the log, in this order.
        files: for the repository.
        root_version: of a new root; 0 for none.
        format: of this file.
    """

    what: str
    targets_version: int
    log_size: int
    entries: tuple[StagedEntry, ...]
    files: tuple[StagedFile, ...]
    root_version: int = 0
    format: Literal["tocsin-staged-1"] = _FORMAT


TARGETS_NAME = "targets.json"
ROOT_NAME = "root.json"
_PLAN_NAME = "plan.json"


@dataclass
class Staging:
    """Gathers a publication; nothing of it counts before `commit`.

    Args:
        workspace: the publisher's folder.
        what: is published, in words.
        log_size: entries of the log now.
    """

    workspace: Workspace
    what: str
    log_size: int
    _entries: list[StagedEntry] = field(default_factory=list)
    _files: list[StagedFile] = field(default_factory=list)
    _root_version: int = 0

    def __post_init__(self) -> None:
        self.folder = self.workspace.work / "staging"
        shutil.rmtree(self.folder, ignore_errors=True)
        try:
            make_folder(self.folder)
        except OSError as error:
            raise WorkspaceError(f"{self.folder}: {error.strerror or error}") from error

    def add_entry(self, data: bytes, entry: str, proof: str) -> None:
        """Add a log entry and where it and its proof go."""
        name = f"{len(self._entries)}.entry"
        write_file(self.folder / name, data)
        self._entries.append(StagedEntry(name, entry, proof))

    def add_file(self, source: Path, path: str) -> None:
        """Add a file of this program's own that goes to a path in the repository."""
        name = f"{len(self._files)}.file"
        place_file(source, self.folder / name)
        self._files.append(StagedFile(name, path))

    def set_root(self, data: bytes, version: int) -> None:
        """Add a root that enough of its signers signed."""
        write_file(self.folder / ROOT_NAME, data)
        self._root_version = version

    def commit(self, targets: bytes, version: int) -> None:
        """Let it count from now on.

        Args:
            targets: the signed list of targets.
            version: of that.

        Raises:
            WorkspaceError: it cannot be written, or something is staged already.
        """
        write_file(self.folder / TARGETS_NAME, targets)
        plan = Plan(
            self.what,
            version,
            self.log_size,
            tuple(self._entries),
            tuple(self._files),
            self._root_version,
        )
        write_file(self.folder / _PLAN_NAME, msgspec.json.encode(plan))
        if self.workspace.staged.exists():
            raise WorkspaceError(f"{self.workspace.staged}: something is staged already; finish it")
        try:
            os.rename(self.folder, self.workspace.staged)
            sync_folder(self.workspace.work)
        except OSError as error:
            raise WorkspaceError(f"{self.workspace.staged}: {error.strerror or error}") from error


def read_plan(workspace: Workspace) -> Plan | None:
    """What is staged, or None.

    Raises:
        WorkspaceError: it is damaged.
    """
    if not workspace.staged.is_dir():
        return None
    path = workspace.staged / _PLAN_NAME
    try:
        return msgspec.json.decode(read_bounded(path, _MOST_PLAN_BYTES), type=Plan)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise WorkspaceError(f"{path}: {error}; 'tocsin publish abandon' removes it") from error


def discard(workspace: Workspace) -> None:
    """Remove what is staged: it was published, or is given up."""
    if workspace.staged.is_dir():
        leaving = workspace.work / "leaving"
        shutil.rmtree(leaving, ignore_errors=True)
        os.rename(workspace.staged, leaving)
        sync_folder(workspace.work)
        shutil.rmtree(leaving, ignore_errors=True)
