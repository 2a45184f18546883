"""The signatures that lie where ClamAV keeps them: what is freshclam's, what is the user's own.

They are read where they are, never copied or changed. For the user's own files it is said what
tocsin makes of them, so that nobody finds out later that a list of his did nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

from tocsin.errors import DatabaseError
from tocsin.protect.migrate.handlers import is_official
from tocsin.protect.migrate.plan import Plan
from tocsin.signatures.languages import LANGUAGES, is_source_name
from tocsin.signatures.records import Kind
from tocsin.signatures.sources import SourceReader

_STATE = ("freshclam.dat", "mirrors.dat", "daily.info", "main.info")
_MOST_PROBLEMS = 5


class Origin(StrEnum):
    """Who keeps a file up to date."""

    OFFICIAL = "official"
    FRESHCLAM = "freshclam"
    LOCAL = "local"
    UNKNOWN = "not signatures"


class SignatureFile(NamedTuple):
    """One file where signatures are.

    Attributes:
        path: where.
        origin: who keeps it up to date.
        purpose: `signatures`, `exceptions`, or nothing that is read.
        number: signatures in it, of the user's own files.
        unevaluated: of them, those that tocsin knows and cannot use.
        problems: lines that are passed over, the first of them.
        more: how many more there are.
    """

    path: str
    origin: Origin
    purpose: str = ""
    number: int = 0
    unevaluated: int = 0
    problems: tuple[str, ...] = ()
    more: int = 0


def review_signatures(
    plan: Plan, folders: tuple[str, ...], root: Path = Path("/")
) -> Iterator[SignatureFile]:
    """Every file in the folders of signatures, and what is made of it.

    Args:
        plan: whose rows name what freshclam brings besides the official files.
        folders: absolute paths.
        root: the tree that they are looked up in.
    """
    brought = {
        row.stated.text.rpartition("/")[2]
        for row in plan.rows
        if row.stated.option in ("DatabaseCustomURL", "ExtraDatabase")
    }
    for folder in folders:
        place = root / folder.lstrip("/")
        try:
            names = sorted(path.name for path in place.iterdir() if path.is_file())
        except OSError:
            continue
        for name in names:
            if name in _STATE or name.startswith("."):
                continue
            yield _reviewed(place / name, f"{folder}/{name}", brought)


def _reviewed(file: Path, path: str, brought: set[str]) -> SignatureFile:
    name = file.name
    if is_official(name) or name.endswith(".cvd.sign"):
        return SignatureFile(path, Origin.OFFICIAL, "signatures")
    if not is_source_name(name):
        return SignatureFile(path, Origin.UNKNOWN)
    mine = name in brought or file.stem in brought
    origin = Origin.FRESHCLAM if mine else Origin.LOCAL
    language = LANGUAGES.get(file.suffix.lower())
    excepting = (Kind.IGNORE, Kind.ALLOW_DIGEST)
    purpose = "exceptions" if language and language.kind in excepting else "signatures"
    reader = SourceReader(lenient=True)
    count = unevaluated = 0
    try:
        for parsed in reader.read(file):
            count += 1
            unevaluated += parsed.record.kind is Kind.UNEVALUATED
    except DatabaseError as error:
        return SignatureFile(path, origin, purpose, count, unevaluated, (str(error),))
    said = tuple(str(problem) for problem in reader.problems[:_MOST_PROBLEMS])
    more = len(reader.problems) - len(said)
    return SignatureFile(path, origin, purpose, count, unevaluated, said, more)
