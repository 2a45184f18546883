"""Archives and images that 7-Zip's library opens: rar, 7z, cab, iso, file systems and more."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tocsin.errors import FormatError
from tocsin.unpack.interface import Budget, Member, Skipped
from tocsin.unpack.sevenzip_kinds import READERS
from tocsin.unpack.sevenzip_work import Work

_MOST_PASSWORDS = 200


class SevenZipUnpacker:
    """Unpacks one kind through 7-Zip's library.

    Args:
        kind: the kind.

    Folders, links, devices and marks that something is to be deleted are passed over, but
    counted by `position`. Alternate streams are members.
    """

    def __init__(self, kind: str) -> None:
        self._reader = READERS[kind]
        self.types = frozenset({kind})

    def members(
        self, data: bytes, budget: Budget, passwords: Sequence[bytes]
    ) -> Iterator[Member | Skipped]:
        """See `Unpacker.members`."""
        keys = [_text(password) for password in passwords[:_MOST_PASSWORDS]]
        position, behind, problem = 1, 0, ""
        opened = False
        for start in self._reader.places(data):
            if start < behind:
                continue
            budget.check_time()
            work = Work(lambda: data, start, budget, keys, self._reader, position)
            problem = work.open()
            if problem:
                continue
            opened = True
            try:
                yield from work.members()
            finally:
                behind = start + work.close()
            position = work.position
        if not opened and self._reader.is_proved(data):
            raise FormatError(problem or "no archive where its mark stands")


def _text(password: bytes) -> str:
    try:
        return password.decode()
    except UnicodeDecodeError:
        return password.decode("latin-1")


UNPACKERS = {kind: SevenZipUnpacker(kind) for kind in READERS}
