"""The closed vocabulary of file types that signatures may name."""

from __future__ import annotations

from tocsin.formats.identify import TYPE_NAMES

PREFIX = "CL_TYPE_"


def known_type(name: str) -> bool:
    """Whether `CL_TYPE_…` names a type that this engine knows; `CL_TYPE_ANY` is one."""
    bare = name.removeprefix(PREFIX)
    return name.startswith(PREFIX) and (bare == "ANY" or bare in TYPE_NAMES)
