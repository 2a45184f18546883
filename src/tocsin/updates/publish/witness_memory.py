"""How far each witness was when it was last asked, so that one request is enough.

It is a convenience: a witness says itself when it is elsewhere, so a file that is lost or
damaged costs one request more.
"""

from __future__ import annotations

from typing import Annotated

import msgspec

from tocsin.updates.publish.errors import WorkspaceError
from tocsin.updates.publish.files import read_bounded, write_file
from tocsin.updates.publish.workspace import Workspace

_MOST_BYTES = 1 << 20
_Sizes = dict[str, Annotated[int, msgspec.Meta(ge=0, le=(1 << 63) - 1)]]


def read_sizes(workspace: Workspace) -> dict[str, int]:
    """Sizes by a witness's name; none when the file cannot be read."""
    try:
        return msgspec.json.decode(read_bounded(workspace.witnesses_path, _MOST_BYTES), type=_Sizes)
    except (WorkspaceError, msgspec.MsgspecError, UnicodeError, RecursionError):
        return {}


def write_sizes(workspace: Workspace, sizes: dict[str, int]) -> None:
    """Remember sizes."""
    write_file(workspace.witnesses_path, msgspec.json.encode(sizes))
