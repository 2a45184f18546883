"""Sources of a database, pinned: a file says where each is and which digest it has.

    [[source]]
    name = "daily.ndb"                  # its ending decides the language
    uri = "https://example.org/daily.ndb"
    sha256 = "…"
    version = "27812"                   # optional, as are licence and author
    path = "copies/daily.ndb"           # optional: a copy, relative to this file

Somebody who rebuilds reads the same from the log entry. A source without `uri` can be published,
but others can then rebuild only if they get it some other way.
"""

from __future__ import annotations

import hashlib
import re
import tomllib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated

import msgspec

from tocsin.durable import sync_file
from tocsin.updates.publish.errors import SourceRefused
from tocsin.updates.publish.files import make_folder, read_bounded, sha256_of
from tocsin.updates.publish.http import pool_for
from tocsin.updates.statement import Sha256, SourceEntry
from tocsin.version import VERSION

MOST_SOURCE_BYTES = 2 << 30
MOST_SOURCES = 1_024
TIMEOUT_SECONDS = 60.0
_MOST_FILE_BYTES = 4 << 20
_CHUNK = 1 << 18
_NAME = re.compile(r"[0-9A-Za-z_][0-9A-Za-z._+-]{0,127}")
_OK = 200

Progress = Callable[[str], None]
_Text = Annotated[str, msgspec.Meta(max_length=1_024)]


class PinnedSource(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One source.

    Attributes:
        name: file name under which it is read.
        sha256: of its bytes.
        uri: where others get it.
        path: of a copy, relative to the file that names it; read instead of the address.
        version: as its maker states it.
        licence: as its maker states it.
        author: who made it.
    """

    name: Annotated[str, msgspec.Meta(max_length=128)]
    sha256: Sha256
    uri: _Text = ""
    path: _Text = ""
    version: _Text = ""
    licence: _Text = ""
    author: _Text = ""


class _SourcesFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    source: Annotated[tuple[PinnedSource, ...], msgspec.Meta(min_length=1, max_length=MOST_SOURCES)]


class FetchedSource(msgspec.Struct, frozen=True):
    """A source whose bytes are at hand and are the pinned ones."""

    entry: SourceEntry
    path: Path


def read_sources(path: Path) -> tuple[PinnedSource, ...]:
    """Read a file of sources.

    Raises:
        SourceRefused: it is malformed, with what is wrong.
    """
    try:
        held = tomllib.loads(read_bounded(path, _MOST_FILE_BYTES).decode("utf-8"))
        sources = msgspec.convert(held, _SourcesFile).source
    except (tomllib.TOMLDecodeError, msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise SourceRefused(f"{path}: {error}") from error
    names = [source.name for source in sources]
    for source in sources:
        if not is_source_name(source.name):
            raise SourceRefused(f"{path}: {source.name!r} cannot be a file name of a source")
        if names.count(source.name) > 1:
            raise SourceRefused(f"{path}: {source.name!r} stands there twice")
        if not (source.uri or source.path):
            raise SourceRefused(f"{path}: {source.name}: say where it is, by uri or path")
        if source.uri and not source.uri.startswith(("https://", "http://")):
            raise SourceRefused(f"{path}: {source.name}: a uri begins with https:// or http://")
    return sources


def is_source_name(name: str) -> bool:
    """Whether a source may be called so: it becomes the name of a file."""
    return _NAME.fullmatch(name) is not None


def fetch_sources(
    sources: Sequence[PinnedSource],
    beside: Path,
    folder: Path,
    progress: Progress | None = None,
) -> list[FetchedSource]:
    """Have every source at hand, each checked against its digest.

    Args:
        sources: what is wanted.
        beside: folder that their paths are relative to.
        folder: where what is fetched is kept, by digest; what is there already is not fetched.
        progress: told in a few words how far it is.

    Raises:
        SourceRefused: one cannot be had or has another digest.
    """
    found = []
    for source in sources:
        if progress:
            progress(f"source {source.name}")
        path = beside / source.path if source.path else folder / source.sha256 / source.name
        if not source.path and not path.is_file():
            _download(source, path, progress)
        digest, size = sha256_of(path) if path.is_file() else ("", 0)
        if not digest:
            raise SourceRefused(f"{path}: the source {source.name} is not there")
        if digest != source.sha256:
            raise SourceRefused(
                f"{path}: the source {source.name} has the digest {digest} and was pinned to "
                f"{source.sha256}; look at what changed before you pin another"
            )
        found.append(
            FetchedSource(
                SourceEntry(
                    source.name,
                    source.sha256,
                    size,
                    source.uri,
                    source.version,
                    source.licence,
                    source.author,
                ),
                path,
            )
        )
    return found


def _download(source: PinnedSource, path: Path, progress: Progress | None) -> None:
    """Fetch a source beside its place and move it there when its digest is right."""
    import urllib3
    from urllib3.exceptions import HTTPError

    part = path.with_name(f".{path.name}.part")
    timeout = urllib3.Timeout(connect=20.0, read=TIMEOUT_SECONDS)
    state = hashlib.sha256()
    size = 0
    try:
        make_folder(path.parent)
        with pool_for(source.uri) as pool, part.open("wb") as file:
            response = pool.request(
                "GET",
                source.uri,
                headers={"User-Agent": f"tocsin/{VERSION}"},
                timeout=timeout,
                retries=urllib3.Retry(3, redirect=5),
                preload_content=False,
                decode_content=False,
            )
            if response.status != _OK:
                raise SourceRefused(f"{source.uri}: status {response.status}")
            while chunk := response.read(_CHUNK):
                size += len(chunk)
                if size > MOST_SOURCE_BYTES:
                    raise SourceRefused(f"{source.uri}: more than {MOST_SOURCE_BYTES:,} bytes")
                state.update(chunk)
                file.write(chunk)
                if progress:
                    progress(f"fetching {source.name}: {size:,} bytes")
            response.close()
        if state.hexdigest() != source.sha256:
            raise SourceRefused(
                f"{source.uri}: what is there has the digest {state.hexdigest()} and was pinned "
                f"to {source.sha256}; look at what changed before you pin another"
            )
        sync_file(part)
        part.replace(path)
    except (HTTPError, OSError) as error:
        raise SourceRefused(f"{source.uri}: {error}") from error
    finally:
        part.unlink(missing_ok=True)
