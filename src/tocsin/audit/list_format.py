"""What a list can be, and where its reader is; imported when the first such list turns up."""

from __future__ import annotations

import importlib
from typing import NamedTuple, cast

from tocsin.audit.source import Read


class ListFormat(NamedTuple):
    """A form in which components are listed.

    Attributes:
        name: as people know it.
        module: where its reader is.
        function: of that module.
        is_bill: whether it is a bill of materials, and not a list of packages.
    """

    name: str
    module: str
    function: str = "read"
    is_bill: bool = False

    @property
    def read(self) -> Read:
        """Its reader."""
        return cast(Read, getattr(importlib.import_module(self.module), self.function))
