"""The plain record every reader produces: one signature, its language and its origin.

A record keeps the signature's own text. Readers check that the text is well formed; the
index compiler and `db explain` parse it again with the same functions. That keeps the
portable database readable, diffable and free of any in-memory format.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class Kind(StrEnum):
    """Signature languages, by what a record's text is written in."""

    FILE_DIGEST = "file-digest"  # .hdb .hsb .hdu .hsu and plain lists
    SECTION_DIGEST = "section-digest"  # .mdb .msb .mdu .msu
    IMPORT_DIGEST = "import-digest"  # .imp
    ALLOW_DIGEST = "allow-digest"  # .fp .sfp
    BODY = "body"  # .ndb .ndu .db .sdb
    LOGICAL = "logical"  # .ldb .ldu
    CONTAINER = "container"  # .cdb
    IGNORE = "ignore"  # .ign .ign2
    FILE_TYPE = "file-type"  # .ftm
    PASSWORD = "password"  # noqa: S105  (.pwdb)
    SETTING = "setting"  # .cfg
    METADATA = "metadata"  # rules.toml: what a language has no room for
    YARA = "yara"  # .yar .yara, one record a file
    UNEVALUATED = "unevaluated"  # recognised, kept and counted, not matched yet


class Source(NamedTuple):
    """Where signatures came from.

    Attributes:
        name: file name, with the archive's before it (`daily.cvd/daily.ldb`).
        sha256: digest of the file's bytes, lower-case hex.
        author: as stated in the file or its archive, else empty.
        licence: as stated in the file or its archive, else empty.
        signed: whether a vendor's digital signature over it was verified.
        version: as stated by the archive, else empty.
    """

    name: str
    sha256: str
    author: str = ""
    licence: str = ""
    signed: bool = False
    version: str = ""


class Record(NamedTuple):
    """One signature.

    Attributes:
        kind: the language `text` is written in.
        text: the signature, canonical for its language.
        source: where it came from.
        pua: whether it names something merely unwanted (`*u` files), used on request only.
        line: line in the source, from 1; 0 when it came from a portable database.
        detail: for `UNEVALUATED` what it is, by name; else empty.
    """

    kind: Kind
    text: str
    source: Source
    pua: bool = False
    line: int = 0
    detail: str = ""
