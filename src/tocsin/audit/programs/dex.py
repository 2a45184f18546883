"""Classes in Android's programs: an engine that is built into an app shows by its package.

Source: Android, "Dalvik executable format": header_item, string_id_item, type_id_item,
class_def_item, string_data_item.
"""

from __future__ import annotations

import re
import sys
from array import array
from collections.abc import Iterator

from tocsin.audit.programs.facts import Facts, trace
from tocsin.errors import FormatError
from tocsin.jurisdiction.vocabulary import MarkerKind

MAGIC = b"dex\n"
_HEADER = 112
_CLASS_NUMBERS = 8
"""Numbers in a class_def_item; the first is the class's type."""
MOST_CLASSES = 1 << 20
_MOST_PACKAGES = 50
_LONGEST = 500
_LENGTH = re.compile(rb"[\x80-\xff]{0,4}[\x00-\x7f]", re.DOTALL)
"""A number of up to five bytes (ULEB128): the letters of a string."""


def class_names(data: bytes) -> Iterator[str]:
    """Names of the classes that are defined here, as `com.example.Name`.

    Raises:
        FormatError: it is no such program.
    """
    if data[:4] != MAGIC or len(data) < _HEADER:
        raise FormatError("not a DEX file")
    strings = _numbers(data, 56, 1)
    types = _numbers(data, 64, 1)
    classes = _numbers(data, 96, _CLASS_NUMBERS)
    for number in classes[::_CLASS_NUMBERS]:
        if number < len(types) and types[number] < len(strings):
            at = strings[types[number]]
            found = _LENGTH.match(data, at)
            start = found.end() if found else at
            name = data[start : start + _LONGEST].partition(b"\0")[0]
            if name[:1] == b"L" and name[-1:] == b";":
                yield name[1:-1].decode("utf-8", "replace").replace("/", ".")


def _numbers(data: bytes, at: int, width: int) -> array[int]:
    """A table that the header states the rows and the place of, as far as it goes."""
    count = min(int.from_bytes(data[at : at + 4], "little"), MOST_CLASSES)
    start = int.from_bytes(data[at + 4 : at + 8], "little")
    raw = data[start : start + 4 * width * count]
    numbers = array("I", raw[: len(raw) // 4 * 4])
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers


def read_dex(data: bytes, prefixes: tuple[str, ...]) -> Iterator[Facts]:
    """The packages of classes that are looked for, each a part of the app that they are in.

    Args:
        data: the whole file.
        prefixes: what is looked for in names, as `com.example.`.

    Raises:
        FormatError: it is no such program.
    """
    found: dict[str, dict[str, int]] = {prefix: {} for prefix in prefixes}
    for name in class_names(data):
        for prefix in prefixes:
            if prefix in name:
                package = name.rpartition(".")[0]
                found[prefix][package] = found[prefix].get(package, 0) + 1
    for prefix, packages in found.items():
        if packages:
            yield Facts(
                "library",
                prefix.strip("."),
                traces=tuple(
                    each
                    for package, count in sorted(packages.items())[:_MOST_PACKAGES]
                    for each in trace(
                        MarkerKind.ANDROID_PACKAGE,
                        package,
                        f"{count} {'class' if count == 1 else 'classes'} of this package (DEX)",
                    )
                ),
                embedded=True,
            )
