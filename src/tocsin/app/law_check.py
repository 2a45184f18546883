"""Check files of rules where they lie: single files, folders, or what is in use."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from tocsin.app.law import own_folder
from tocsin.errors import InvalidRules, LawError, UsageError
from tocsin.jurisdiction.folder import BrokenRulebook, packaged, read_content, read_folder, read_own
from tocsin.jurisdiction.model import Instrument, Supplier
from tocsin.jurisdiction.reading import read_instrument, read_supplier
from tocsin.jurisdiction.rulebook import Rulebook


class Checked(NamedTuple):
    """What was checked, and what is wrong.

    Attributes:
        files: that were read.
        broken: files with mistakes.
        misfits: what is wrong between files that are right alone.
    """

    files: tuple[str, ...]
    broken: tuple[InvalidRules, ...]
    misfits: tuple[str, ...]


def check_rules(paths: Iterable[Path]) -> Checked:
    """Check files and folders, each with the rulebook that comes with the package.

    Args:
        paths: files, or folders with `rules/` and `suppliers/`; none: the rulebook in use.

    Raises:
        UsageError: a folder that has neither.
        OSError: something cannot be read.
    """
    book = read_folder(packaged())
    files: list[str] = []
    broken: list[InvalidRules] = []
    misfits: list[str] = []
    stated = list(paths)
    if not stated:
        files += [f"packaged: {each}" for each in (*book.instruments, *book.suppliers)]
        stated = [own_folder()] if own_folder().is_dir() else []
    for path in stated:
        try:
            if path.is_dir():
                files += _files(path)
                _check_folder(path, book)
            else:
                files.append(str(path))
                _check_file(path, book)
        except BrokenRulebook as error:
            broken += error.files
        except InvalidRules as error:
            broken.append(error)
        except LawError as error:
            misfits.append(f"{path}: {error}")
    return Checked(tuple(files), tuple(broken), tuple(misfits))


def _files(folder: Path) -> list[str]:
    found = [*folder.glob("rules/*.toml"), *folder.glob("suppliers/*.toml")]
    if not found:
        raise UsageError(f"{folder}: no rules/*.toml and no suppliers/*.toml in it")
    return [str(each) for each in sorted(found)]


def _check_folder(folder: Path, book: Rulebook) -> None:
    """A whole rulebook has its own suppliers; a folder of one's own adds to the one in use."""
    if (folder / "edition.toml").is_file():
        read_folder(folder)
    else:
        read_own(folder, book)


def _check_file(path: Path, book: Rulebook) -> None:
    content = read_content(path)
    one = _read_either(content, str(path))
    known = {**book.instruments, **book.suppliers}
    if known.get(one.id) == one:
        return  # it is the one in the book
    if isinstance(one, Supplier):
        Rulebook(book.instruments.values(), [*book.suppliers.values(), one], book.edition)
    else:
        Rulebook([*book.instruments.values(), one], book.suppliers.values(), book.edition)


def _read_either(content: bytes, source: str) -> Instrument | Supplier:
    """A file is a supplier if it has a name of one and no rules; else it is to be an instrument."""
    lines = content.splitlines()
    has_rules = any(line.strip().startswith((b"[[rule", b"authority", b"rule")) for line in lines)
    has_name = any(line.strip().startswith((b"name", b"[[marker")) for line in lines)
    if has_name and not has_rules:
        return read_supplier(content, source)
    return read_instrument(content, source)
