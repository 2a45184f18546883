"""A local database, `.cld`, made from the members that differences led to.

Its header is the first line of the `.info` member, which the publisher signed with all the
members' digests; so it proves itself without a signature of its own (`signatures.clamav.cvd`).
"""

from __future__ import annotations

import tarfile
from pathlib import Path
from typing import BinaryIO

from tocsin.signatures.clamav.cvd import COPYING, HEADER_BYTES, MAGIC
from tocsin.updates.sources.errors import SourceRefused


def write_cld(folder: Path, name: str, output: BinaryIO, *, compress: bool = False) -> None:
    """Lay a `.cld` out: header, then a tar whose order and times do not depend on the machine.

    Args:
        folder: the members; `NAME.info` and `COPYING` must be among them.
        name: of the database without its ending.
        output: a file at its beginning.
        compress: gzip the tar.

    Raises:
        SourceRefused: a member is missing, or the `.info` does not begin with a header.
        OSError: a file cannot be read or written.
    """
    info = f"{name}.info"
    members = {path.name for path in folder.iterdir()}
    if info not in members or COPYING not in members:
        raise SourceRefused(f"{name}: {info} or COPYING is missing after the differences")
    with (folder / info).open("rb") as file:
        header = file.readline(HEADER_BYTES + 2).rstrip(b"\n")
    if not header.startswith(MAGIC) or len(header) > HEADER_BYTES:
        raise SourceRefused(f"{name}: {info} does not begin with a database's header")
    first = (COPYING, info, f"{name}.cfg")
    order = [*(n for n in first if n in members), *sorted(members - set(first))]
    output.write(header.ljust(HEADER_BYTES))
    with tarfile.open(fileobj=output, mode="w:gz" if compress else "w") as tar:
        for member in order:
            with (folder / member).open("rb") as file:
                entry = tarfile.TarInfo(member)
                entry.size = (folder / member).stat().st_size
                entry.mode = 0o644
                tar.addfile(entry, file)
