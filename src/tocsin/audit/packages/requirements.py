"""What Python projects ask for: `requirements.txt` (pip's requirements file format)."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tocsin.audit.model import Skipped
from tocsin.audit.packages.python_locks import pinned_component
from tocsin.audit.packages.stanzas import lines
from tocsin.audit.source import Found, Source, content, reader, text
from tocsin.audit.traces import host

MOST_BYTES = 64 << 20
_COMMENT = re.compile(r"(?:^|\s)#.*")
_EGG = re.compile(r"[#&]egg=([A-Za-z0-9][A-Za-z0-9._-]*)")
_WHEEL = re.compile(r"/([A-Za-z0-9][A-Za-z0-9._]*)-(\d[^-/]*)-[^/]*\.whl(?:[#?]|\Z)")
_PINNED = re.compile(r"===?\s*([^\s,;*]+)\Z")
_OPTIONS = re.compile(r"\s--?[a-z].*")


@reader
def read(source: Source, place: str) -> Iterator[Found]:
    """Read requirements; of one that is not pinned the version is not told."""
    from packaging.requirements import InvalidRequirement, Requirement

    for number, line in _joined(text(content(source, MOST_BYTES))):
        word = _COMMENT.sub("", line).strip()
        if not word:
            continue
        if word.startswith("-"):
            yield from _option(word, number, place)
            continue
        if "://" in word.partition("@")[0]:
            yield _address(word, number, place)
            continue
        try:
            asked = Requirement(_OPTIONS.sub("", word))
        except (InvalidRequirement, RecursionError):
            yield Skipped(place, f"line {number:,} is no requirement")
            continue
        pinned = _PINNED.match(str(asked.specifier))
        found = host(asked.url, "address") if asked.url else []
        yield pinned_component(asked.name, pinned[1] if pinned else "", place, found)


def _joined(written: str) -> Iterator[tuple[int, str]]:
    """Lines with their numbers; a backslash at the end goes on in the next."""
    held, begun = "", 0
    for number, line in enumerate(lines(written), 1):
        begun = begun or number
        if line.endswith("\\") and not line.lstrip().startswith("#") and len(held) < 1 << 16:
            held += line[:-1] + " "
            continue
        yield begun, held + line
        held, begun = "", 0
    if held:
        yield begun, held


def _option(word: str, number: int, place: str) -> Iterator[Found]:
    name, _, value = word.replace("=", " ", 1).partition(" ")
    if name in ("-r", "--requirement", "-c", "--constraint"):
        yield Skipped(place, f"line {number:,} names another file, {value.strip()!r}; audit it too")
    elif name in ("-e", "--editable"):
        yield _address(value.strip(), number, place)


def _address(word: str, number: int, place: str) -> Found:
    egg, wheel = _EGG.search(word), _WHEEL.search(word)
    if egg is None and wheel is None:
        return Skipped(place, f"line {number:,} gives a place and no name: {word[:100]!r}")
    name = egg[1] if egg else wheel[1] if wheel else ""
    return pinned_component(name, wheel[2] if wheel else "", place, host(word, "address"))
