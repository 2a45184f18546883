"""Containers: one object in, the objects inside it out.

The room owns the container formats, the limits that bound unpacking (charged while bytes
come out, because sizes stated in a container are claims of whoever made it) and the trying
of passwords, which are handed in as values. It knows nothing of signatures, writes nothing
to disk and treats the names of members as data. `interface` holds the contract; each other
module reads one format and is imported when an object of its type turns up.
"""

from __future__ import annotations

from typing import cast

from tocsin.unpack.interface import Unpacker

_MODULES = {
    "ZIP": "zip",
    "ZIPSFX": "zip",
    "OOXML_WORD": "zip",
    "OOXML_XL": "zip",
    "OOXML_PPT": "zip",
    "OOXML_HWP": "zip",
    "GZ": "gzip",
    "BZ": "bzip2",
    "XZ": "xz",
    "POSIX_TAR": "tar",
    "OLD_TAR": "tar",
}
"""Type name, without `CL_TYPE_`, to the module that unpacks it."""


def find_unpacker(type_name: str) -> Unpacker | None:
    """Find the unpacker of a file type.

    Args:
        type_name: name of the type without `CL_TYPE_`, such as "ZIP".

    Returns:
        The unpacker, or None when objects of this type are not containers we read.
    """
    module = _MODULES.get(type_name)
    if module is None:
        return None
    from importlib import import_module

    return cast(Unpacker, import_module(f"tocsin.unpack.{module}").UNPACKER)


_ZIP_END = b"PK\x05\x06"
_ZIP_END_BYTES = 22
_ZIP_END_REACH = _ZIP_END_BYTES + 0xFFFF
"""A zip's end record is at most so many bytes, its comment included, from the file's end."""


def appended_type(data: bytes) -> str | None:
    """Type of an archive that stands behind other bytes, as in a self-extracting program.

    Args:
        data: an object that is no container by its beginning.

    Returns:
        "ZIP" when a zip's end record stands where it must, with the directory that it
        describes before it; else None. A program that merely knows zip's magic numbers has
        no such directory. Source: APPNOTE 4.3.12, 4.3.16.
    """
    end = data.rfind(_ZIP_END, max(0, len(data) - _ZIP_END_REACH))
    if end < 0 or end + _ZIP_END_BYTES > len(data):
        return None
    directory = end - int.from_bytes(data[end + 12 : end + 16], "little")
    if directory < 0 or directory == end or not data.startswith(b"PK\x01\x02", directory):
        return None
    return "ZIP"
