"""From clamscan's options to the engine's settings and database.

The engine's modules are imported when they are needed, so that a wrong option costs nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from tocsin.cli.clamscan_arguments import Arguments
from tocsin.cli.clamscan_output import Output, Style
from tocsin.cli.clamscan_walk import ALWAYS, DIRECT, Rules, matcher
from tocsin.errors import DatabaseError, SignatureError, TocsinError, VerificationError

if TYPE_CHECKING:
    from pathlib import Path

    from tocsin.database.index import Index
    from tocsin.unpack.interface import Limits

TROUBLE = 2
LARGEST_FILE = (1 << 31) - 1
DEEPEST = 100

_NOT_COUNTED = frozenset(
    {"ignore", "file-type", "password", "setting", "metadata", "unevaluated", "excepted by .ign2"}
)
_OFFICIAL = (".cvd", ".cld")


class Refusal(Exception):
    """The scan cannot take place; the message says why and the status is the exit status."""

    def __init__(self, message: str, *, status: int = TROUBLE, summary: bool = True) -> None:
        super().__init__(message)
        self.status = status
        self.summary = summary


def read_style(arguments: Arguments) -> Style:
    """What to print."""
    return Style(
        quiet=arguments.is_on("quiet"),
        infected=arguments.is_on("infected"),
        no_ok=arguments.is_on("suppress-ok-results"),
        to_stdout=arguments.is_on("stdout"),
        summary=not arguments.is_on("no-summary"),
    )


def read_rules(arguments: Arguments) -> Rules:
    """What to walk.

    Raises:
        Refusal: an expression or a policy that cannot be read.
    """
    try:
        return Rules(
            recursive=arguments.is_on("recursive"),
            file_links=_link_policy(arguments, "follow-file-symlinks"),
            folder_links=_link_policy(arguments, "follow-dir-symlinks"),
            cross_fs=arguments.is_on("cross-fs", default=True),
            max_depth=arguments.number("max-dir-recursion", 15),
            exclude=matcher(arguments.texts("exclude"), undecided=False),
            include=matcher(arguments.texts("include"), undecided=True),
            exclude_folder=matcher(arguments.texts("exclude-dir"), undecided=False),
            include_folder=matcher(arguments.texts("include-dir"), undecided=True),
        )
    except ValueError as error:
        raise Refusal(f"Can't read the regular expression {error}") from error


def _link_policy(arguments: Arguments, name: str) -> int:
    policy = arguments.number(name, DIRECT)
    if policy > ALWAYS:
        raise Refusal(f"--{name}: Invalid argument")
    return policy


def read_limits(arguments: Arguments, output: Output) -> Limits:
    """The bounds of a scan; says where it cannot do as it is told."""
    from tocsin.unpack.interface import Limits

    default = Limits()
    file_size = arguments.number("max-filesize", default.max_file_size)
    if file_size > LARGEST_FILE:
        output.warn(f"--max-filesize: files of more than {LARGEST_FILE} bytes are not scanned")
    depth = arguments.number("max-recursion", default.max_depth)
    if not depth:
        output.warn(f"--max-recursion: 0 is not allowed, {default.max_depth} is used")
    elif depth > DEEPEST:
        output.warn(f"--max-recursion: {DEEPEST} is used, the most that is possible")
    return Limits(
        max_file_size=min(file_size or LARGEST_FILE, LARGEST_FILE),
        max_scan_size=arguments.number("max-scansize", default.max_scan_size),
        max_files=arguments.number("max-files", default.max_files),
        max_depth=min(depth or default.max_depth, DEEPEST),
        timeout=arguments.number("max-scantime", int(default.timeout * 1000)) / 1000,
    )


def select_database(arguments: Arguments, output: Output) -> Index:
    """Open what `-d` names, or the signatures that come with tocsin.

    Raises:
        Refusal: it cannot be loaded.
    """
    from pathlib import Path

    from tocsin.database.cache import open_database

    paths = [Path(text) for text in arguments.texts("database")]
    if arguments.is_on("official-db-only"):
        paths = [found for path in paths for found in _official(path)]
        if not paths:
            output.system("tocsin: no .cvd or .cld was named with --database")
            raise Refusal("Can't open file or directory")
    try:
        return open_database(paths or None)
    except TocsinError as error:
        output.system(f"tocsin: {error}")
        raise Refusal(_database_words(error, paths)) from error


def _official(path: Path) -> Iterator[Path]:
    candidates = sorted(path.iterdir()) if path.is_dir() else [path]
    return (file for file in candidates if file.suffix.lower() in _OFFICIAL)


def _database_words(error: TocsinError, paths: list[Path]) -> str:
    """What clamscan would say last of such an error."""
    if isinstance(error, SignatureError):
        return "Malformed database"
    if isinstance(error, VerificationError):
        return "Can't verify database integrity"
    if any(not path.exists() for path in paths):
        return "Can't get file status"
    if isinstance(error, DatabaseError) and any(path.is_dir() for path in paths):
        return "Can't open file or directory"
    return "Can't load the database"


def count_signatures(counts: dict[str, int]) -> int:
    """How many signatures clamscan would count."""
    return sum(number for kind, number in counts.items() if kind not in _NOT_COUNTED)
