"""A local database, `.cld`, made from the members that differences led to.

Its header is the first line of the `.info` member, which the publisher signed with all the
members' digests; so it proves itself without a signature of its own (`signatures.clamav.cvd`).
"""

from __future__ import annotations

import io
import tarfile
from collections.abc import Mapping

from tocsin.signatures.clamav.cvd import HEADER_BYTES, MAGIC
from tocsin.updates.sources.errors import SourceRefused


def build_cld(members: Mapping[str, bytes], name: str, *, compress: bool = False) -> bytes:
    """Lay a `.cld` out: header, then a tar whose order and times do not depend on the machine.

    Args:
        members: files by name; `NAME.info` and `COPYING` must be among them.
        name: of the database without its ending.
        compress: gzip the tar.

    Raises:
        SourceRefused: a member is missing, or the `.info` does not begin with a header.
    """
    info = f"{name}.info"
    if info not in members or "COPYING" not in members:
        raise SourceRefused(f"{name}: {info} or COPYING is missing after the differences")
    header = members[info].partition(b"\n")[0]
    if not header.startswith(MAGIC) or len(header) > HEADER_BYTES:
        raise SourceRefused(f"{name}: {info} does not begin with a database's header")
    first = ("COPYING", info, f"{name}.cfg")
    order = [*(n for n in first if n in members), *sorted(set(members) - set(first))]
    buffer = io.BytesIO()
    buffer.write(header.ljust(HEADER_BYTES))
    with tarfile.open(fileobj=buffer, mode="w:gz" if compress else "w") as tar:
        for member in order:
            entry = tarfile.TarInfo(member)
            entry.size = len(members[member])
            entry.mode = 0o644
            tar.addfile(entry, io.BytesIO(members[member]))
    return buffer.getvalue()
