"""Containers: one object in, the objects inside it out.

The room owns the container formats, the limits that bound unpacking (charged while bytes
come out, because sizes stated in a container are claims of whoever made it) and the trying
of passwords, which are handed in as values. It knows nothing of signatures, writes nothing
to disk and treats the names of members as data. `interface` holds the contract; each other
module reads one format and is imported when an object of its type turns up.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from typing import cast

from tocsin.formats.kinds import kinds
from tocsin.unpack.interface import Unpacker
from tocsin.unpack.registry import FORMATS

_MODULES = {kind: row.module for row in FORMATS for kind in row.kinds}


def find_unpackers(data: bytes, type_name: str) -> Iterator[tuple[str, Unpacker]]:
    """Every way in which an object can be opened.

    Args:
        data: the object.
        type_name: what it was identified as, without `CL_TYPE_`.

    Yields:
        The kind of container it is taken for, and what opens that kind. A program can be
        several at once: packed, with resources, and with an archive behind it.
    """
    for kind in kinds(data, type_name):
        unpacker = unpacker_of(kind)
        if unpacker is not None:
            yield kind, unpacker


def unpacker_of(kind: str) -> Unpacker | None:
    """What opens a kind of container, or None when nothing does.

    Args:
        kind: a type without `CL_TYPE_`, or a kind of ours.
    """
    module = _MODULES.get(kind)
    if module is None:
        return None
    loaded = import_module(f"tocsin.unpack.{module}")
    found = loaded.UNPACKERS[kind] if hasattr(loaded, "UNPACKERS") else loaded.UNPACKER
    return cast(Unpacker, found)


_RARE_AND_LARGE = frozenset({"packed"})
"""Modules that few objects need and that take tens of megabytes: processors to emulate on."""


def load_all(*, rare: bool = True) -> None:
    """Import every unpacker with its libraries, for processes that are forked from this one.

    Args:
        rare: also what few objects need and what takes much memory.
    """
    for module in sorted({row.module for row in FORMATS}):
        if rare or module not in _RARE_AND_LARGE:
            import_module(f"tocsin.unpack.{module}")
