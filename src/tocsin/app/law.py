"""Which rulebook is in use: what comes with the package, with the user's own files besides."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from tocsin.app.places import config_dir
from tocsin.errors import LawError
from tocsin.jurisdiction.folder import packaged, read_folder, read_own
from tocsin.jurisdiction.rulebook import Rulebook

PACKAGED = "packaged"
_OWN = "law"


class Origin(NamedTuple):
    """Where the parts of a rulebook come from.

    Attributes:
        base: `packaged`.
        number: of the edition.
        own: the user's own files, in order.
        trouble: what could not be used, in words; empty for nothing.
    """

    base: str
    number: int
    own: tuple[Path, ...] = ()
    trouble: str = ""

    def line(self) -> str:
        """In one line for people."""
        said = f"edition {self.number}, as it comes with this tocsin"
        return f"{said}, and {len(self.own)} files of your own" if self.own else said


class RulebookInUse(NamedTuple):
    """A rulebook, and where it comes from."""

    book: Rulebook
    origin: Origin


def own_folder() -> Path:
    """Where the user's own rules and suppliers are, if there are any."""
    return config_dir() / _OWN


def current_rulebook() -> RulebookInUse:
    """The rulebook that decisions are made by.

    Raises:
        BrokenRulebook: the user's own files have mistakes.
        LawError: they do not fit to the rest, or cannot be read.
    """
    book = read_folder(packaged())
    origin = Origin(PACKAGED, book.edition.number)
    folder = own_folder()
    try:
        files = tuple(sorted(folder.glob("*/*.toml"))) if folder.is_dir() else ()
        if files:
            book = read_own(folder, book)
    except OSError as error:
        raise LawError(f"{error.filename or folder}: {error.strerror or error}") from error
    return RulebookInUse(book, origin._replace(own=files))
