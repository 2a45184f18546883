"""Wheels: hostile names, archives and metadata are read, or this package's error says why not."""

from __future__ import annotations

import io
import zipfile

import fuzz_support

from tocsin.errors import TocsinError
from tocsin.updates.wheels import (
    choose_wheels,
    demand_whole,
    machines_of,
    parse_name,
    read_facts,
    this_machine,
)

_MACHINE = this_machine()
_NAME = parse_name("a-1.0-py3-none-any.whl")
_METADATA = b"Requires-Dist: a[x]>=1; python_version > '3'\nRequires-Python: >=3\n\n"


def _wheel(more: bytes) -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as archive:
        archive.writestr("a-1.0.dist-info/METADATA", b"Name: a\nVersion: 1.0\n" + more)
        archive.writestr("a-1.0.dist-info/WHEEL", "")
        archive.writestr("a-1.0.dist-info/RECORD", "")
    return held.getvalue()


SEEDS = [
    b"\0a_b-1.0-1-cp311-abi3-manylinux_2_17_x86_64.manylinux2014_x86_64.whl",
    b"\1" + _wheel(_METADATA),
    b"\2" + _METADATA,
]


def check(data: bytes) -> None:
    """Read by what the first byte says."""
    kind, rest = data[:1], data[1:]
    try:
        if kind == b"\0":
            name = parse_name(rest.decode("utf-8", "replace"))
            machines = machines_of([name], _MACHINE)
            choose_wheels([name], machines[0])
        elif kind == b"\1":
            read_facts(io.BytesIO(rest), _NAME)
        else:
            facts = read_facts(io.BytesIO(_wheel(rest)), _NAME)
            demand_whole({_NAME.project: facts}, "a", _MACHINE)
    except TocsinError as error:
        fuzz_support.require_words(error)


if __name__ == "__main__":
    fuzz_support.fuzz(check, SEEDS)
