"""Archives of YARA rules in the layout of YARA-Forge: a zip with `packages/SET/yara-rules-SET.yar`.

Other archives give whatever ends in `.yar` or `.yara`, and a file of rules alone is taken as it
is. Every file becomes one record; rules that do not compile are left out of the index, as they
are everywhere, and a file of which none compiles is refused.

Source: YARA-Forge's README, "Releases".
"""

from __future__ import annotations

import hashlib
import re
from typing import BinaryIO, NamedTuple

from tocsin.database.yara_rules import split_rules
from tocsin.signatures.records import Kind, Record, Source
from tocsin.signatures.yara import compile_rules
from tocsin.updates.sources.errors import SourceRefused
from tocsin.updates.sources.zip_members import is_zip, read_members

_FORGE = re.compile(r"(?:\./)?packages/([A-Za-z0-9_-]+)/yara-rules-[A-Za-z0-9_-]+\.yara?\Z")
_RULES = re.compile(r".*\.yara?\Z", re.I | re.S)
_CREATED = re.compile(r"(?:creation date|version|date)\s*[:=]\s*([0-9][0-9T:. +-]{3,30})", re.I)
_LICENCE = re.compile(r"licen[cs]e\s*[:=]\s*(\S.{0,119})", re.I)
_HEAD = 8192


class RuleArchive(NamedTuple):
    """What an archive holds.

    Attributes:
        records: one a file of rules.
        rules: how many rules compile.
        left_out: how many do not.
        version: as the files state it, or empty.
        licence: as the files state it, or as it was given.
    """

    records: list[Record]
    rules: int
    left_out: int
    version: str
    licence: str


def read_archive(data: BinaryIO, name: str, *, author: str = "", licence: str = "") -> RuleArchive:
    """Read an archive of rules, or one file of them.

    Args:
        data: the whole file.
        name: of the source.
        author: who makes it.
        licence: its licence, where the files state none.

    Raises:
        SourceRefused: damaged, no rules in it, or none that compiles.
        SourceTooLarge: too many files or bytes.
    """
    if is_zip(data):
        files = read_members(data, name, lambda member: bool(_RULES.match(member)))
        forge = {member: text for member, text in files.items() if _FORGE.match(member)}
        files = forge or files
    else:
        data.seek(0)
        files = {f"{name}.yar": data.read()}
    texts = {member: _text(files[member]) for member in sorted(files)}
    counts = {member: sum(1 for _ in split_rules(text)) for member, text in texts.items()}
    texts = {member: text for member, text in texts.items() if counts[member]}
    if not texts:
        raise SourceRefused(f"{name}: there is no YARA rule in it")
    total = sum(counts.values())
    left_out = len(compile_rules(list(texts.values()), list(texts), lenient=True).ignored)
    if left_out >= total:
        raise SourceRefused(f"{name}: none of its {total:,} rules compiles")
    heads = [text[:_HEAD] for text in texts.values()]
    version = _first(_CREATED, heads)
    stated = _first(_LICENCE, heads) or licence
    records = [
        Record(
            Kind.YARA,
            text,
            Source(
                f"{name}/{member}",
                hashlib.sha256(files[member]).hexdigest(),
                author,
                stated,
                version=version,
            ),
        )
        for member, text in texts.items()
    ]
    return RuleArchive(records, total - left_out, left_out, version, stated)


def _text(data: bytes) -> str:
    try:
        return data.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError:
        return data.decode("latin-1").replace("\r\n", "\n")


def _first(pattern: re.Pattern[str], texts: list[str]) -> str:
    for text in texts:
        stated = pattern.search(text)
        if stated:
            return stated[1].strip(" */\t\r")
    return ""
