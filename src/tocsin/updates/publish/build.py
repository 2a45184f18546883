"""A database from its sources, the same bytes for whoever builds it.

The publisher builds with this, and so does whoever rebuilds to check: nothing of the time, the
machine or the folder goes in, sources are read under the names they are logged with, and the
order in which they are given plays no part.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from tocsin.database.inspect import each_record
from tocsin.database.portable_write import write_portable
from tocsin.errors import SignatureError
from tocsin.updates.publish.errors import SourceRefused

Progress = Callable[[str], None]


class BuiltDatabase(NamedTuple):
    """A database that was built.

    Attributes:
        path: where its plain form is.
        sha256: of that.
        size: in bytes.
        counts: records by kind.
        left_out: how many malformed records were left out.
    """

    path: Path
    sha256: str
    size: int
    counts: dict[str, int]
    left_out: int


def build_from_sources(
    sources: Sequence[tuple[str, Path]],
    output: Path,
    *,
    lenient: bool = True,
    progress: Progress | None = None,
) -> BuiltDatabase:
    """Build a portable database.

    Args:
        sources: name and file of each; the name's ending decides the language.
        output: where the plain database goes.
        lenient: leave out malformed records instead of raising. Everybody leaves out the same.
        progress: told in a few words how far it is.

    Raises:
        DatabaseError: a source is damaged.
        SignatureError: a record is malformed, unless lenient.
        SourceRefused: nothing is in the sources.
    """
    with TemporaryDirectory(prefix=".sources-", dir=output.parent) as folder:
        paths = []
        for name, path in sorted(sources):
            named = Path(folder) / name
            named.symlink_to(path.resolve())
            paths.append(named)
        problems: list[SignatureError] = []
        records = each_record(paths, problems, lenient=lenient, progress=progress)
        written = write_portable(records, output)
    if not written.counts:
        output.unlink()
        raise SourceRefused("there is no signature in the sources")
    return BuiltDatabase(output, written.sha256, written.size, written.counts, len(problems))
