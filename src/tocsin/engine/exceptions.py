"""A user's own exceptions, as values: digests, names of signatures and paths.

Where they are kept is another room's concern; here is only what they mean for a scan.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple


class Exceptions(NamedTuple):
    """What a user has decided not to be told about.

    Attributes:
        digests: lower-case hexadecimal MD5, SHA-1 or SHA-256 of objects.
        names: names of signatures.
        paths: absolute paths of files, or of folders with everything below them.
    """

    digests: frozenset[str] = frozenset()
    names: frozenset[str] = frozenset()
    paths: tuple[str, ...] = ()

    @classmethod
    def of(
        cls, digests: Iterable[str] = (), names: Iterable[str] = (), paths: Iterable[str] = ()
    ) -> Exceptions:
        """Make exceptions from any iterables."""
        return cls(frozenset(digest.lower() for digest in digests), frozenset(names), tuple(paths))

    def allows_path(self, path: str) -> bool:
        """Whether a path is excepted, by itself or by a folder above it."""
        return any(path == p or path.startswith(p.rstrip("/") + "/") for p in self.paths)


NONE = Exceptions()
