"""Messages of Outlook in compound files: names of attachments, and bodies as text.

Source: MS-OXMSG 2.
"""

from __future__ import annotations

from collections.abc import Iterator

from tocsin.unpack import rtf_lz
from tocsin.unpack.cfb import CompoundFile, Entry
from tocsin.unpack.interface import Member, Skipped
from tocsin.unpack.parts import Parts

_PROPERTIES = "__properties_version1.0"
_DATA = "__substg1.0_37010102"
_PREFIX = "__substg1.0_"
_NAMES = ("3707001F", "3704001F", "3707001E", "3704001E", "3001001F", "3001001E")
"""File name, short file name and display name, wide and narrow."""

_NAME_BYTES = 1024
_BODY, _RTF = "__substg1.0_1000001F", "__substg1.0_10090102"


def attachment_name(file: CompoundFile, entry: Entry) -> str:
    """Name of an attachment whose bytes a stream holds; empty for any other stream."""
    if entry.name != _DATA:
        return ""
    siblings = file.streams_of(entry.storage)
    for suffix in _NAMES:
        holder = siblings.get(f"{_PREFIX}{suffix}")
        if holder is not None:
            raw = file.read(holder, _NAME_BYTES)
            encoding = "utf-16-le" if suffix.endswith("F") else "latin-1"
            return file.folder(entry.storage) + raw.decode(encoding, "replace").rstrip("\0")
    return ""


def bodies(file: CompoundFile, parts: Parts) -> Iterator[Member | Skipped]:
    """Hand out the text of each message, and its RTF decompressed.

    The body in HTML stands as bytes in a stream of its own.
    """
    for entry in file.streams:
        if entry.name not in (_BODY, _RTF) or _PROPERTIES not in file.streams_of(entry.storage):
            continue
        folder = file.folder(entry.storage)
        raw = file.read(entry, entry.size)
        if entry.name == _BODY:
            text = raw.decode("utf-16-le", "replace").encode("utf-8", "replace")
            yield from parts.member(f"{folder}body.txt", text, entry.size)
        else:
            yield from parts.member(f"{folder}body.rtf", rtf_lz.decompress(raw), entry.size)
