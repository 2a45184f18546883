"""A rulebook as a folder of files: what people edit, and what comes with the package.

edition.toml       which edition this is
rules/*.toml       an instrument each, named as its identifier
suppliers/*.toml   a supplier each, the same
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import TypeVar

from tocsin.errors import InvalidRules, LawError, Problem
from tocsin.jurisdiction.model import Edition, Instrument, Supplier
from tocsin.jurisdiction.reading import (
    MOST_BYTES,
    read_edition,
    read_instrument,
    read_supplier,
)
from tocsin.jurisdiction.rulebook import Rulebook

EDITION = "edition.toml"
KINDS = ("rules", "suppliers")
MOST_FILES = 5_000
_Named = TypeVar("_Named", Instrument, Supplier)


class BrokenRulebook(LawError):
    """Files of a rulebook with mistakes, all of them at once.

    Attributes:
        files: the mistakes, a file each.
    """

    def __init__(self, broken: tuple[InvalidRules, ...]) -> None:
        self.files = broken
        super().__init__("; ".join(str(each) for each in broken))

    def lines(self) -> list[str]:
        """One line a mistake."""
        return [line for each in self.files for line in each.lines()]


def packaged() -> Traversable:
    """The folder of the rulebook that comes with the package."""
    return files("tocsin").joinpath("data", "rulebook")


def read_folder(folder: Traversable) -> Rulebook:
    """Read a rulebook.

    Args:
        folder: with the files; `edition.toml` may be missing in one of the user's own.

    Raises:
        BrokenRulebook: with every mistake of every file.
        LawError: there are no rules in it, or they do not fit together.
        OSError: it cannot be read.
    """
    broken: list[InvalidRules] = []
    instruments = _read_all(folder, "rules", read_instrument, broken)
    suppliers = _read_all(folder, "suppliers", read_supplier, broken)
    edition = _edition(folder, broken)
    if broken:
        raise BrokenRulebook(tuple(broken))
    if not instruments and not suppliers:
        raise LawError(
            f"{folder}: no rules; a rulebook has rules/*.toml and suppliers/*.toml in it"
        )
    return Rulebook(instruments, suppliers, edition)


def read_own(folder: Traversable, book: Rulebook) -> Rulebook:
    """A rulebook with the user's own files besides; their rules may be about its suppliers.

    Raises:
        BrokenRulebook: with every mistake of every file.
        LawError: a file describes what the book has, or is about a supplier nobody describes.
        OSError: it cannot be read.
    """
    broken: list[InvalidRules] = []
    instruments = _read_all(folder, "rules", read_instrument, broken)
    suppliers = _read_all(folder, "suppliers", read_supplier, broken)
    if broken:
        raise BrokenRulebook(tuple(broken))
    for kind, known in (("rules", book.instruments), ("suppliers", book.suppliers)):
        for one in instruments if kind == "rules" else suppliers:
            if one.id in known:
                raise LawError(
                    f"{folder.joinpath(kind, one.id)}.toml: edition {book.edition.number} of the "
                    f"rulebook has a {one.id!r} already, and nothing replaces it; give yours "
                    "another id, and its file that name"
                )
    return Rulebook(
        [*book.instruments.values(), *instruments],
        [*book.suppliers.values(), *suppliers],
        book.edition,
    )


def files_of(folder: Traversable) -> dict[str, Traversable]:
    """The files that a rulebook in a folder is made of, by their path in it, in order.

    Raises:
        LawError: there are too many.
        OSError: the folder cannot be read.
    """
    edition = folder.joinpath(EDITION)
    found = {EDITION: edition} if edition.is_file() else {}
    for kind in KINDS:
        found |= {f"{kind}/{path.name}": path for path in _files(folder, kind)}
    return found


def _files(folder: Traversable, kind: str) -> list[Traversable]:
    inside = folder.joinpath(kind)
    if not inside.is_dir():
        return []
    paths = [path for path in inside.iterdir() if path.name.endswith(".toml")]
    if len(paths) > MOST_FILES:
        raise LawError(f"{inside}: more than {MOST_FILES:,} files")
    return sorted(paths, key=lambda path: path.name)


def _read_all(
    folder: Traversable,
    kind: str,
    read: Callable[[bytes, str], _Named],
    broken: list[InvalidRules],
) -> list[_Named]:
    found = []
    for path in _files(folder, kind):
        try:
            one = read(read_content(path), str(path))
        except InvalidRules as error:
            broken.append(error)
            continue
        if path.name != f"{one.id}.toml":
            problem = Problem(0, "id", f"the file of {one.id!r} must be called {one.id}.toml")
            broken.append(InvalidRules(str(path), (problem,)))
            continue
        found.append(one)
    return found


def _edition(folder: Traversable, broken: list[InvalidRules]) -> Edition:
    path = folder.joinpath(EDITION)
    if not path.is_file():
        return Edition(number=1, checked=date(1970, 1, 1), note="not stated")
    try:
        return read_edition(read_content(path), str(path))
    except InvalidRules as error:
        broken.append(error)
        return Edition(number=1, checked=date(1970, 1, 1))


def read_content(path: Traversable) -> bytes:
    """The bytes of a file of a rulebook, and one more than it may have where it is larger.

    Raises:
        InvalidRules: it is no file; a pipe would be waited for.
        OSError: it cannot be read.
    """
    if not path.is_file():
        raise InvalidRules(str(path), (Problem(0, "", "not a file"),))
    with path.open("rb") as file:
        return file.read(MOST_BYTES + 1)
