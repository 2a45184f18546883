"""Which language a file ending stands for, and which files of a folder are signatures.

It imports no reader: a scan with an index at hand asks only which files there are.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from tocsin.errors import DatabaseError
from tocsin.signatures.records import Kind

METADATA_FILE = "rules.toml"
PORTABLE_ENDING = ".tdb"
"""By which a portable database is found in a folder; named itself it may end otherwise."""


class Language(NamedTuple):
    """What a file ending stands for.

    Attributes:
        kind: kind of its records.
        detail: for what is not evaluated, its name for people.
        pua: whether its signatures are used on request only.
    """

    kind: Kind
    detail: str = ""
    pua: bool = False


def skipped(detail: str) -> Language:
    """What is recognised, kept and not evaluated."""
    return Language(Kind.UNEVALUATED, detail)


LANGUAGES: dict[str, Language] = {
    ".hdb": Language(Kind.FILE_DIGEST),
    ".hsb": Language(Kind.FILE_DIGEST),
    ".hdu": Language(Kind.FILE_DIGEST, pua=True),
    ".hsu": Language(Kind.FILE_DIGEST, pua=True),
    ".mdb": Language(Kind.SECTION_DIGEST),
    ".msb": Language(Kind.SECTION_DIGEST),
    ".mdu": Language(Kind.SECTION_DIGEST, pua=True),
    ".msu": Language(Kind.SECTION_DIGEST, pua=True),
    ".imp": Language(Kind.IMPORT_DIGEST),
    ".fp": Language(Kind.ALLOW_DIGEST),
    ".sfp": Language(Kind.ALLOW_DIGEST),
    ".ndb": Language(Kind.BODY),
    ".ndu": Language(Kind.BODY, pua=True),
    ".sdb": Language(Kind.BODY),
    ".db": Language(Kind.BODY),
    ".ldb": Language(Kind.LOGICAL),
    ".ldu": Language(Kind.LOGICAL, pua=True),
    ".cdb": Language(Kind.CONTAINER),
    ".ign": Language(Kind.IGNORE),
    ".ign2": Language(Kind.IGNORE),
    ".ftm": Language(Kind.FILE_TYPE),
    ".pwdb": Language(Kind.PASSWORD),
    ".cfg": Language(Kind.SETTING),
    ".info": skipped("archive information"),
    ".cbc": skipped("bytecode"),
    ".idb": skipped("icon hashes"),
    ".pdb": skipped("phishing lists"),
    ".wdb": skipped("phishing lists"),
    ".gdb": skipped("phishing lists"),
    ".crb": skipped("Authenticode rules"),
    ".cat": skipped("Authenticode rules"),
    ".ioc": skipped("OpenIOC documents"),
    ".yar": Language(Kind.YARA),
    ".yara": Language(Kind.YARA),
}
"""Signature languages by file ending."""

ARCHIVES = frozenset({".cvd", ".cld", ".cud"})
DETACHED_SIGNATURE = ".cvd.sign"
FOLDER_LIST_ENDINGS = frozenset({".md5", ".sha1", ".sha256"})
"""Plain lists that are read when they lie in a folder; others only when they are named."""
LIST_ENDINGS = frozenset({".txt", ".md5", ".sha1", ".sha256", ".hash", ".hashes", ".csv", ""})


def is_source_name(name: str) -> bool:
    """Whether a file of this name in a folder is read as signatures."""
    ending = Path(name).suffix.lower()
    known = ending in LANGUAGES or ending in ARCHIVES or ending in FOLDER_LIST_ENDINGS
    portable = ending == PORTABLE_ENDING
    return known or portable or name == METADATA_FILE or name.lower().endswith(DETACHED_SIGNATURE)


def list_files(path: Path) -> list[Path]:
    """The signature files a path stands for: itself, or those directly in the folder.

    Raises:
        DatabaseError: the path does not exist or the folder holds no signature file.
    """
    try:
        if path.is_dir():
            files = sorted(
                (p for p in path.iterdir() if is_source_name(p.name) and p.is_file()),
                key=loading_order,
            )
            if not files:
                raise DatabaseError(f"{path}: no signature files in this folder")
            return files
        if not path.exists():
            raise DatabaseError(f"{path}: no such file or folder")
    except OSError as error:
        raise DatabaseError(f"{path}: {error.strerror}") from error
    except ValueError as error:
        raise DatabaseError(f"{str(path)!r}: {error}") from None
    return [path]


def loading_order(path: Path) -> tuple[bool, bool, str]:
    """Sorts exceptions first, then `daily`, as ClamAV loads them, then by name."""
    exceptions = path.suffix.lower() in (".ign", ".ign2")
    return not exceptions, path.stem != "daily", path.name
