"""Objects as OLE 1 wrote them: in `Ole10Native` streams and in the objects of RTF.

A *package* is what Windows makes of a file that is dropped into a document: its name, where
it came from, and its bytes.

Source: MS-OLEDS 2.2 and 2.3; the package's inside is documented by measurement only.
"""

from __future__ import annotations

from typing import NamedTuple

_LONGEST_NAME = 1024
_EMBEDDED = 2
_FILE = 3
"""Kind of a package that holds a file; 1 holds a link to one."""


class Package(NamedTuple):
    """A file inside a document.

    Attributes:
        name: its name, or the path it came from.
        start: where its bytes begin.
        end: where they end by what is stated; may lie behind the end of the data.
    """

    name: str
    start: int
    end: int


class Ole1Object(NamedTuple):
    """The head of an object in RTF.

    Attributes:
        class_name: what program it belongs to: `Package`, `Equation.3`.
        start: where its native data begin.
        end: where they end by what is stated.
    """

    class_name: str
    start: int
    end: int


def read_native(data: bytes) -> Package | None:
    """Find the file in an `Ole10Native` stream.

    Args:
        data: the stream: a length, then a package or the bytes themselves.

    Returns:
        The package; one without a name when the bytes stand there bare; None when there are
        none at all.
    """
    package = read_package(data, 4)
    if package is not None:
        return package
    size = int.from_bytes(data[:4], "little")
    if len(data) <= 4:
        return None
    return Package("", 4, 4 + size if 0 < size <= len(data) - 4 else len(data))


def read_package(data: bytes, at: int) -> Package | None:
    """Read a package that begins with its label.

    Args:
        data: bytes that hold it.
        at: where its first number, always 2, stands.

    Returns:
        None when it is not one.
    """
    if data[at : at + 2] != b"\2\0":
        return None
    label, at = _text(data, at + 2)
    path, at = _text(data, at)
    if at < 0:
        return None
    kind = int.from_bytes(data[at + 2 : at + 4], "little")
    at += 4
    if kind == _FILE:
        at += 4 + int.from_bytes(data[at : at + 4], "little")
    if at + 4 > len(data):
        return None
    size = int.from_bytes(data[at : at + 4], "little")
    name = label or path.replace("\\", "/").rpartition("/")[2]
    return Package(name, at + 4, at + 4 + size)


def read_object(data: bytes) -> Ole1Object | None:
    """Read the head of an embedded object.

    Returns:
        None when it is none, or a link.

    Source: MS-OLEDS 2.2.4, 2.2.5.
    """
    if int.from_bytes(data[4:8], "little") != _EMBEDDED:
        return None
    at = 8
    names = []
    for _ in range(3):
        length = int.from_bytes(data[at : at + 4], "little")
        at += 4
        if length > _LONGEST_NAME or at + length > len(data):
            return None
        names.append(data[at : at + length].rstrip(b"\0").decode("latin-1"))
        at += length
    if at + 4 > len(data):
        return None
    size = int.from_bytes(data[at : at + 4], "little")
    return Ole1Object(names[0], at + 4, at + 4 + size)


def _text(data: bytes, at: int) -> tuple[str, int]:
    """A text ended by NUL and the place behind it, -1 when it does not end."""
    end = data.find(0, at, at + _LONGEST_NAME) if at >= 0 else -1
    if end < 0:
        return "", -1
    return data[at:end].decode("utf-8", "surrogateescape"), end + 1
