"""Which rulebook is in use: the newest edition there is, with the user's own files besides.

An edition comes with the package, and later ones come by updates, signed and logged. The one with
the higher number is used. One that came by an update and cannot be read is said, and the packaged
one is used in its place: no damaged file keeps anybody from an answer.
"""

from __future__ import annotations

import hashlib
import os
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from tocsin.app.device import SYSTEM_STATE
from tocsin.app.installed import updates_folder
from tocsin.app.places import config_dir
from tocsin.app.settings import load_settings
from tocsin.errors import LawError, TocsinError
from tocsin.jurisdiction.folder import packaged, read_folder, read_own
from tocsin.jurisdiction.rulebook import MOST_PORTABLE_BYTES, Rulebook, read_portable
from tocsin.settings import Settings

PACKAGED, EDITION = "packaged", "edition"
_OWN = "law"


class Origin(NamedTuple):
    """Where the parts of a rulebook come from.

    Attributes:
        base: `packaged`, or `edition`: one that came by an update.
        number: of the edition.
        received: when the edition came and was verified; None for the packaged one.
        place: file of the edition; None for the packaged one.
        own: the user's own files, in order.
        trouble: what could not be used, in words; empty for nothing.
    """

    base: str
    number: int
    received: datetime | None = None
    place: Path | None = None
    own: tuple[Path, ...] = ()
    trouble: str = ""

    def line(self) -> str:
        """In one line for people."""
        said = f"edition {self.number}, as it comes with this tocsin"
        if self.received is not None:
            said = f"edition {self.number}, verified on {self.received:%Y-%m-%d}"
        if not self.own:
            return said
        files = "a file" if len(self.own) == 1 else f"{len(self.own)} files"
        return f"{said}, and {files} of your own"


class RulebookInUse(NamedTuple):
    """A rulebook, and where it comes from."""

    book: Rulebook
    origin: Origin


def own_folder() -> Path:
    """Where the user's own rules and suppliers are, if there are any."""
    return config_dir() / _OWN


def current_rulebook(settings: Settings | None = None) -> RulebookInUse:
    """The rulebook that decisions are made by.

    Args:
        settings: of the device; None for those in its usual file.

    Raises:
        BrokenRulebook: the user's own files have mistakes.
        LawError: they do not fit to the rest, or cannot be read.
    """
    base = base_rulebook(settings)
    folder = own_folder()
    try:
        files = tuple(sorted(folder.glob("*/*.toml"))) if folder.is_dir() else ()
        if not files:
            return base
        book = read_own(folder, base.book)
    except OSError as error:
        raise LawError(f"{error.filename or folder}: {error.strerror or error}") from error
    return RulebookInUse(book, base.origin._replace(own=files))


def base_rulebook(settings: Settings | None = None) -> RulebookInUse:
    """The newest edition, without the user's own files; see `current_rulebook`."""
    book = read_folder(packaged())
    best = RulebookInUse(book, Origin(PACKAGED, book.edition.number))
    troubles = []
    for folder in _places(settings):
        try:
            found = _edition_in(folder, best.origin.number)
        except PermissionError:
            troubles.append(f"{folder} is not for this user to read: its rulebook is not used")
        except (TocsinError, OSError) as error:
            used = "the packaged rulebook" if best.origin.base == PACKAGED else "another edition"
            troubles.append(f"an edition of the rulebook is not used: {error}; {used} is")
        else:
            best = found or best
    return RulebookInUse(best.book, best.origin._replace(trouble="; ".join(troubles)))


def _places(settings: Settings | None) -> list[Path]:
    """Folders of updates: this user's, and the device's for whoever has no say in it."""
    if settings is None:
        try:
            settings = load_settings().settings
        except TocsinError:  # whoever reads the settings says what is wrong with them
            settings = Settings()
    own = updates_folder(settings)
    if "TOCSIN_STATE_DIR" in os.environ or settings.daemon.state:
        return [own]
    return list(dict.fromkeys((own, SYSTEM_STATE / own.name)))


def _edition_in(folder: Path, least: int) -> RulebookInUse | None:
    """The edition that came by updates, if it has a higher number than the least.

    Raises:
        TocsinError: what is there cannot be used.
        OSError: it cannot be read.
    """
    place = folder / "rulebook"
    if not (place / "installed.json").exists():
        return None
    from tocsin.updates.receive.state_rulebook import RulebookState

    state = RulebookState(place)
    number = state.installed().current
    if number <= least:
        return None
    file, how = state.database(number), state.received(number)
    data = state.read_bytes(file, MOST_PORTABLE_BYTES)
    if data is None:
        raise LawError(f"{file}: it is not there any more; 'tocsin update' brings it again")
    if hashlib.sha256(data).hexdigest() != how.sha256:
        raise LawError(f"{file}: changed since it came; 'tocsin update' brings it again")
    book = read_portable(data)
    if book.edition.number != number:
        raise LawError(f"{file}: it is edition {book.edition.number}")
    return RulebookInUse(book, Origin(EDITION, number, how.received, file))
