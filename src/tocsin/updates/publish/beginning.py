"""A ceremony that fails before there is a draft leaves nothing behind, so that it can be repeated.

Keys that were made for it have signed nothing that anybody could have seen: without a draft
there is no root that names them. From the draft on everything stays, and `finish` goes on.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tocsin.updates.publish.workspace import Workspace

_MADE_KEY = re.compile(r"(log|(root|targets|snapshot|timestamp|custodian)-\d+)\.(key|pub)\Z")
"""Names of keys that a ceremony makes; whatever else came into the folder meanwhile stays."""


@contextmanager
def left_as_it_was(workspace: Workspace, keys: Path) -> Iterator[None]:
    """Begin a publisher's folder; if that fails, take back what was made.

    Args:
        workspace: that is to be made; one that is there already is not touched.
        keys: folder of the keys; those that are in it already stay.
    """
    begun_before = workspace.settings_path.exists()
    folders_before = {each: each.is_dir() for each in (workspace.folder, keys)}
    files_before = _names(workspace.folder), _names(keys)
    try:
        yield
    except BaseException:
        if not begun_before and not _is_drafted(workspace):
            for folder, before in zip((keys, workspace.folder), files_before[::-1], strict=True):
                for name in _names(folder) - before:
                    if folder != keys or _MADE_KEY.match(name):
                        _remove(folder / name)
                if not folders_before[folder]:
                    with suppress(OSError):  # somebody put something into it meanwhile
                        folder.rmdir()
        raise


def _is_drafted(workspace: Workspace) -> bool:
    """Whether a root was drafted or staged, or already shown (`trust` has it then)."""
    places = (workspace.draft_folder, workspace.staged)
    return any(map(_names, places)) or (workspace.trust / "root.json").exists()


def _names(folder: Path) -> set[str]:
    with suppress(OSError):
        return {each.name for each in folder.iterdir()}
    return set()


def _remove(place: Path) -> None:
    if place.is_dir() and not place.is_symlink():
        shutil.rmtree(place, ignore_errors=True)
    else:
        with suppress(OSError):
            place.unlink()
