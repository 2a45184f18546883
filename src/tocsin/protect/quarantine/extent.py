"""How much is in a vault: counted without its keys, without opening it, without changing it."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from tocsin.protect.quarantine.errors import VaultUnusable


class Extent(NamedTuple):
    """How much is in a vault.

    Attributes:
        objects: how many objects.
        size: bytes that they have in it.
    """

    objects: int
    size: int


def extent(folder: Path) -> Extent:
    """How much is in the vault in a folder; nothing when there is none yet.

    Raises:
        VaultUnusable: this user may not look, or the disk does not give it.
    """
    try:
        objects = sum(not name.startswith(".") for name in os.listdir(folder / "records"))
        size = 0
        with os.scandir(folder / "objects") as entries:
            for entry in entries:
                with suppress(FileNotFoundError):  # taken out meanwhile
                    size += entry.stat(follow_symlinks=False).st_size
    except FileNotFoundError:
        return Extent(0, 0)
    except OSError as error:
        raise VaultUnusable(f"{folder}: {error.strerror}") from error
    return Extent(objects, size)
