"""How to scan, as one value that goes with a scanner."""

from __future__ import annotations

from typing import NamedTuple

from tocsin.engine.exceptions import NONE, Exceptions
from tocsin.unpack.interface import Limits


class Options(NamedTuple):
    """How to scan.

    Attributes:
        limits: bounds for each top-level object.
        all_matches: report every detection; otherwise stop at the first that decides.
        detect_pua: use signatures of what is merely unwanted.
        exceptions: what the user has excepted.
        passwords: to try on encrypted members, besides the database's own.
    """

    limits: Limits = Limits()
    all_matches: bool = True
    detect_pua: bool = False
    exceptions: Exceptions = NONE
    passwords: tuple[bytes, ...] = ()
