"""Which of ClamAV's programs has which options, and who says what becomes of them."""

from __future__ import annotations

from typing import NamedTuple

from tocsin.protect.migrate.clamd_options import CLAMD_OPTIONS, RETIRED
from tocsin.protect.migrate.handlers import CLAMD_HANDLERS, Handler
from tocsin.protect.migrate.options import Option
from tocsin.protect.migrate.other_handlers import (
    CLAMONACC_HANDLERS,
    FRESHCLAM_HANDLERS,
    MILTER_HANDLERS,
    ON_ACCESS_HANDLERS,
)
from tocsin.protect.migrate.other_options import (
    CLAMONACC_OPTIONS,
    FRESHCLAM_OPTIONS,
    MILTER_OPTIONS,
    ON_ACCESS_OPTIONS,
)


class Program(NamedTuple):
    """One of ClamAV's programs.

    Attributes:
        title: as a table of its options is headed.
        names: of its settings file, the usual one first.
        options: what there is.
        handlers: who says what becomes of those that become something.
    """

    title: str
    names: tuple[str, ...]
    options: tuple[Option, ...]
    handlers: dict[str, Handler]

    @property
    def by_name(self) -> dict[str, Option]:
        """The options by their names."""
        return {option.name: option for option in self.options}


CLAMD = Program(
    "clamd.conf",
    ("clamd.conf", "scan.conf"),
    (*CLAMD_OPTIONS, *ON_ACCESS_OPTIONS),
    {**CLAMD_HANDLERS, **ON_ACCESS_HANDLERS},
)
FRESHCLAM = Program("freshclam.conf", ("freshclam.conf",), FRESHCLAM_OPTIONS, FRESHCLAM_HANDLERS)
MILTER = Program("clamav-milter.conf", ("clamav-milter.conf",), MILTER_OPTIONS, MILTER_HANDLERS)
CLAMONACC = Program(
    "clamonacc",
    ("clamav-clamonacc.service", "clamonacc.service"),
    CLAMONACC_OPTIONS,
    CLAMONACC_HANDLERS,
)

PROGRAMS = (CLAMD, FRESHCLAM, MILTER, CLAMONACC)


def is_retired(name: str) -> bool:
    """Whether an option does nothing in today's ClamAV either."""
    return name in RETIRED
