"""Which reader a program is for, by its first bytes."""

from __future__ import annotations

from collections.abc import Iterator

from tocsin.audit.programs import dex, elf, installers, macho, pe
from tocsin.audit.programs.facts import Facts
from tocsin.audit.programs.words import Interests, Words
from tocsin.errors import FormatError
from tocsin.unpack.cfb import MAGIC as COMPOUND
from tocsin.unpack.interface import Budget

_OLDEST_JAVA, _MOST_SLICES = 45, 32


class Programs:
    """Reads programs of every kind.

    Args:
        interests: what is looked for in them.
    """

    def __init__(self, interests: Interests) -> None:
        self.interests = interests
        self._words = Words(interests)

    def read(self, data: bytes, budget: Budget) -> Iterator[Facts]:
        """What an object tells as a program; nothing where it is none.

        Raises:
            FormatError: it begins as one, and is broken.
            LimitReached: there is no time left.
        """
        head = data[:4]
        if head[:2] == b"MZ":
            if _is_pe(data):
                yield pe.read_pe(data, self._words)
        elif head == b"\x7fELF":
            yield elf.read_elf(data, self._words)
        elif head in macho.MAGICS:
            yield macho.read_macho(data, self._words)
        elif head == macho.FAT:
            yield from self._universal(data)
        elif head == dex.MAGIC:
            yield from dex.read_dex(data, self.interests.packages)
            yield from self._by_words(data, "library", "constant of a DEX file")
        elif data.startswith(COMPOUND):
            facts = installers.read_installer(data, budget)
            if facts is not None:
                yield facts
        elif head[:1] == b"\x30" and installers.is_catalogue(data):
            yield installers.read_catalogue(data)

    def _universal(self, data: bytes) -> Iterator[Facts]:
        """A Mach-O for several processors, or a class of Java's: both begin alike."""
        if int.from_bytes(data[4:8], "big") <= _MOST_SLICES:
            yield macho.read_macho(data, self._words)
            return
        if int.from_bytes(data[6:8], "big") < _OLDEST_JAVA:
            raise FormatError("neither a universal program nor a Java class")
        yield from self._by_words(data, "java", "constant of a Java class")

    def _by_words(self, data: bytes, kind: str, where: str) -> Iterator[Facts]:
        """A part that tells nothing of itself, if there is a word in it that is looked for."""
        traces = tuple(self._words.traces(data, lambda _at: where))
        if traces:
            yield Facts(kind, traces=traces)


def _is_pe(data: bytes) -> bool:
    start = int.from_bytes(data[60:64], "little")
    return data[start : start + 4] == b"PE\0\0"
