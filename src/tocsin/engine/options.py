"""How to scan, as one value that goes with a scanner."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from tocsin.engine.exceptions import NONE, Exceptions
from tocsin.unpack.interface import Limits


class Sandboxing(StrEnum):
    """Whether what is scanned is parsed in confined processes."""

    ON = "on"
    REQUIRED = "required"
    OFF = "off"


class Options(NamedTuple):
    """How to scan.

    Attributes:
        limits: bounds for each top-level object.
        all_matches: report every detection; otherwise stop at the first that decides.
        detect_pua: use signatures of what is merely unwanted.
        exceptions: what the user has excepted.
        passwords: to try on encrypted members, besides the database's own.
        alert_encrypted_archives: make a detection of what is encrypted and could not be opened.
        alert_encrypted_documents: the same of PDF and Office documents.
        alert_macros: make a detection of a document with macros.
        closed: kinds of containers that are not opened.
        objects_per_worker: a worker is replaced after so many, so that code in one of them
            cannot forge the verdicts of all that follow; 1 gives each a worker of its own.
        sandbox: confine workers as far as the system can, or refuse to scan without, or not.
    """

    limits: Limits = Limits()
    all_matches: bool = True
    detect_pua: bool = False
    exceptions: Exceptions = NONE
    passwords: tuple[bytes, ...] = ()
    alert_encrypted_archives: bool = False
    alert_encrypted_documents: bool = False
    alert_macros: bool = False
    closed: tuple[str, ...] = ()
    objects_per_worker: int = 100
    sandbox: Sandboxing = Sandboxing.ON
