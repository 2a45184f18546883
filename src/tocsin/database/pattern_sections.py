"""Body and logical signatures of an index while it is made, and the searches for their atoms.

A signature goes to disk as soon as it is laid out. What stays of it in memory is where that is,
and for each of its atoms a few numbers; what an atom's use says of the pattern around it is read
from the signature again when the atoms are written.
"""

from __future__ import annotations

import marshal
from array import array
from collections.abc import Iterator
from pathlib import Path
from struct import Struct
from typing import Any, BinaryIO

from tocsin.database import atoms as atom_choice
from tocsin.database.layout import ANY_TARGET
from tocsin.database.sections import Section
from tocsin.signatures.clamav.body import Body
from tocsin.signatures.sources import open_scratch

_PIECE = 1 << 18
_USE = Struct("<6I")  # signature, sub, target, form, part, distance
_SUBS = 5
"""Place of the sub-signatures in a signature's tuple."""

_Atom = tuple[bytes, bool]


class PatternSections:
    """Collects signatures that patterns are looked for by.

    Args:
        scratch: folder for what does not fit into memory; None for the machine's own.

    Attributes:
        always: by target, signatures that no atom answers for.
    """

    def __init__(self, scratch: Path | None) -> None:
        self.always: dict[int, list[int]] = {}
        self._scratch = scratch
        self._file: BinaryIO | None = None
        self._offsets = array("I", [0])
        self._uses: dict[_Atom, bytearray] = {}
        self._targets: dict[_Atom, int] = {}  # a bit for each
        self._read: tuple[int, Any] = (-1, None)

    def add(
        self,
        signature: tuple[Any, ...],
        target: int,
        indexed: list[int],
        bodies: dict[int, Body],
        *,
        counted: bool,
    ) -> None:
        """Add one signature.

        Args:
            signature: as `database.layout` has it, without its last two fields.
            target: type of the objects it is for.
            indexed: numbers of the sub-signatures whose every match an atom reports.
            bodies: their patterns by number.
            counted: whether some count matters.

        Raises:
            OSError: there is no room for it.
        """
        number = len(self._offsets) - 1
        if self._file is None:
            self._file = open_scratch(self._scratch)
        data = marshal.dumps((*signature, frozenset(indexed), counted), 4)
        self._file.write(data)
        self._offsets.append(self._offsets[-1] + len(data))
        if not indexed:
            self.always.setdefault(target, []).append(number)
        for sub, body in bodies.items():
            for form, atom in enumerate(atom_choice.body_atoms(body)):
                key = (atom.pattern, atom.nocase)
                use = _USE.pack(number, sub, target, form, atom.part, atom.distance)
                self._uses.setdefault(key, bytearray()).extend(use)
                self._targets[key] = self._targets.get(key, 0) | 1 << target

    def sections(self) -> Iterator[tuple[str, Section]]:
        """Signatures, atoms and searches; each is written before the next is asked for."""
        yield "signatures.offsets", self._offsets.tobytes()
        yield "signatures", self._signatures()
        keys = sorted(self._uses)
        offsets = array("I", [0])
        yield "atoms", self._atoms(keys, offsets)
        yield "atoms.offsets", offsets.tobytes()
        self._uses.clear()
        targets = [self._targets[key] for key in keys]
        for target in range(max(targets, default=1).bit_length()):
            if target != ANY_TARGET and not any(each >> target & 1 for each in targets):
                continue
            mask = 1 << target | 1 << ANY_TARGET
            wanted = [
                (number, key)
                for number, (key, each) in enumerate(zip(keys, targets, strict=True))
                if each & mask
            ]
            if wanted:
                yield f"search.{target}", _compile_search(wanted)

    def _signatures(self) -> Iterator[bytes]:
        if self._file is not None:
            self._file.seek(0)
            while piece := self._file.read(_PIECE):
                yield piece

    def _atoms(self, keys: list[_Atom], offsets: array[int]) -> Iterator[bytes]:
        for key in keys:
            uses: dict[Any, list[tuple[int, int, int]]] = {}
            for number, sub, target, *place in _USE.iter_unpack(self._uses[key]):
                use = (self._signature(number)[_SUBS][sub], *place)
                uses.setdefault(use, []).append((number, sub, target))
            data = marshal.dumps(tuple((*use, tuple(at)) for use, at in uses.items()), 4)
            offsets.append(offsets[-1] + len(data))
            yield data

    def _signature(self, number: int) -> Any:
        if self._read[0] != number:
            assert self._file is not None
            self._file.seek(self._offsets[number])
            data = self._file.read(self._offsets[number + 1] - self._offsets[number])
            self._read = (number, marshal.loads(data))
        return self._read[1]


def _compile_search(wanted: list[tuple[int, _Atom]]) -> bytes:
    import hyperscan

    search = hyperscan.Database(mode=hyperscan.HS_MODE_BLOCK)
    search.compile(
        expressions=[pattern for _, (pattern, _) in wanted],
        ids=[number for number, _ in wanted],
        elements=len(wanted),
        flags=[
            hyperscan.HS_FLAG_DOTALL | (hyperscan.HS_FLAG_CASELESS if nocase else 0)
            for _, (_, nocase) in wanted
        ],
    )
    return bytes(hyperscan.dumpb(search))
