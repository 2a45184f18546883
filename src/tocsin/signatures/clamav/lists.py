"""The small line formats: ignored names, file types, archive passwords and settings.

Source: ClamAV manual, "Allow list", "File type magic", "Encrypted archives",
"Dynamic configuration".
"""

from __future__ import annotations

import re
from typing import NamedTuple

from tocsin.errors import SignatureError
from tocsin.signatures.clamav.body import Body, Form, parse_body
from tocsin.signatures.clamav.level import parse_levels, within_level
from tocsin.signatures.clamav.logical import Conditions, parse_conditions
from tocsin.signatures.clamav.numbers import natural
from tocsin.signatures.clamav.offset import Offset, parse_offset


class Ignored(NamedTuple):
    """A signature that is not to be used: its name, and the MD5 of its line or empty."""

    name: str
    line_md5: str


def parse_ignore(line: str) -> Ignored:
    """Read an `.ign2` line, `NAME[:MD5]`, or an old `.ign` line, `REPO:ID:NAME`.

    Raises:
        SignatureError: no name, or something that is no MD5.
    """
    fields = line.split(":")
    name = fields[2] if len(fields) > 2 else fields[0]
    md5 = fields[1].lower() if len(fields) == 2 else ""
    if not name:
        raise SignatureError("an exception without the name of a signature")
    if md5 and not re.fullmatch(r"[0-9a-f]{32}", md5):
        raise SignatureError(f"{md5!r} is not the MD5 of a signature's line")
    return Ignored(name, md5)


class FileTypeMagic(NamedTuple):
    """A file-type rule.

    Attributes:
        fixed: whether the magic is plain bytes at a fixed offset.
        offset: where it stands.
        magic: what to look for.
        name: for people.
        required: type the object must already have, or `ANY`, without `CL_TYPE_`.
        result: type it becomes, without `CL_TYPE_`.
    """

    fixed: bool
    offset: Offset
    magic: Body
    name: str
    required: str
    result: str


def parse_file_type(line: str) -> FileTypeMagic | None:
    """Read `MODE:OFFSET:MAGIC:NAME:RTYPE:TYPE[:MINFL[:MAXFL]]`.

    Returns:
        The rule, or None when it is meant for another engine or asks for a partition table.

    Raises:
        SignatureError: the line is malformed.
    """
    fields = line.split(":")
    if not 6 <= len(fields) <= 8:
        raise SignatureError("a file type is MODE:OFFSET:MAGIC:NAME:RTYPE:TYPE[:MIN[:MAX]]")
    if not parse_levels(fields[6:]):
        return None
    mode, offset, magic, name, required, result = fields[:6]
    if mode not in ("0", "1", "4"):
        raise SignatureError(f"mode {mode!r} is neither 0, 1 nor 4")
    for value in (required, result):
        if not value.startswith("CL_TYPE_"):
            raise SignatureError(f"{value!r} is not a type name (CL_TYPE_…)")
    if mode == "4":
        return None
    body = parse_body(magic) if mode == "1" else _fixed(magic)
    return FileTypeMagic(
        fixed=mode == "0",
        offset=parse_offset(offset, 0),
        magic=body,
        name=name,
        required=required.removeprefix("CL_TYPE_"),
        result=result.removeprefix("CL_TYPE_"),
    )


def _fixed(magic: str) -> Body:
    try:
        return Body((Form(((bytes.fromhex(magic),),), ()),))
    except ValueError:
        raise SignatureError(f"magic {magic!r} is not plain hexadecimal") from None


class ArchivePassword(NamedTuple):
    """A password to try on encrypted archives: its name, container type or empty, bytes."""

    name: str
    container: str
    password: bytes


def parse_password(line: str) -> ArchivePassword | None:
    """Read `NAME;CONDITIONS;STORAGE;PASSWORD`; storage 0 is text, 1 hexadecimal.

    Raises:
        SignatureError: the line is malformed.
    """
    fields = line.split(";", 3)
    if len(fields) != 4 or not fields[0]:
        raise SignatureError("an archive password is NAME;CONDITIONS;0|1;PASSWORD")
    name, block, storage, text = fields
    conditions = parse_conditions(block, target_needed=False) if block else Conditions()
    if conditions is None or (conditions.engine and not within_level(*conditions.engine)):
        return None
    if storage == "0":
        return ArchivePassword(name, conditions.container, text.encode("utf-8", "surrogateescape"))
    if storage != "1":
        raise SignatureError(f"storage {storage!r} is neither 0 (text) nor 1 (hexadecimal)")
    try:
        return ArchivePassword(name, conditions.container, bytes.fromhex(text))
    except ValueError:
        raise SignatureError(f"password {text!r} is not hexadecimal") from None


class EngineSetting(NamedTuple):
    """A switch of ClamAV's dynamic configuration for levels `low` to `high`."""

    category: str
    flags: int
    low: int
    high: int


_SETTING_CATEGORIES = frozenset(
    {
        "PE",
        "ELF",
        "MACHO",
        "ARCHIVE",
        "DOCUMENT",
        "MAIL",
        "OTHER",
        "PHISHING",
        "BYTECODE",
        "STATS",
        "PCRE",
    }
)


def parse_setting(line: str) -> EngineSetting:
    """Read `CATEGORY:FLAGS:MINFL:MAXFL` of a `.cfg` file.

    Raises:
        SignatureError: the line is malformed.
    """
    fields = line.split(":")
    if len(fields) != 4 or fields[0] not in _SETTING_CATEGORIES:
        raise SignatureError("a setting is CATEGORY:FLAGS:MINFL:MAXFL with a known category")
    try:
        flags = int(fields[1][:18], 16)
    except ValueError:
        raise SignatureError(f"flags {fields[1][:24]!r} are not hexadecimal") from None
    low, high = natural(fields[2], "level"), natural(fields[3], "level")
    return EngineSetting(fields[0], flags, low, high)
