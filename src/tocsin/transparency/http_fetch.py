"""Getting a log's files over HTTP, bounded in time and size whatever the server does.

Nothing that comes is believed: whoever asks checks it against a checkpoint. Proxies are taken
from the environment.

Specification: C2SP tlog-tiles, "Log Entries": a log may send its bundles packed (`Content-Encoding:
gzip`) whether or not the client said that it takes that.
"""

from __future__ import annotations

import urllib.parse
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tocsin.transparency.errors import LogDamaged
from tocsin.transparency.reader import Fetch, folder_fetch
from tocsin.version import VERSION

if TYPE_CHECKING:
    from tocsin.http_connections import Deadline

CONNECT_SECONDS = 10.0
FILE_SECONDS = 60.0
"""For one file, from the request to its last byte."""

_REDIRECTS = 5
_CHUNK = 1 << 16
_GZIP = 16 + zlib.MAX_WBITS
_MEMBERS = 16
_ENCODINGS = {"": False, "identity": False, "gzip": True, "x-gzip": True}


def source_fetch(source: str) -> Fetch:
    """Gets the files of a log at an address, or in a folder.

    Args:
        source: `http://…`, `https://…`, or a folder's path.
    """
    if source.startswith(("http://", "https://")):
        return url_fetch(source)
    return folder_fetch(Path(source))


def url_fetch(url: str, *, seconds: float = FILE_SECONDS) -> Fetch:
    """Gets the files of a log under an address; one connection is kept open.

    Args:
        url: of the log's folder, or of a witness's monitoring prefix.
        seconds: for one file.
    """
    from tocsin.http_connections import Deadline, environment_proxy, watched_pool

    base = url.rstrip("/")
    pool = watched_pool(environment_proxy(base))

    def fetch(path: str, limit: int) -> bytes:
        address = f"{base}/{path}"
        with Deadline(seconds) as deadline:
            return _get(pool, address, limit, deadline)

    return fetch


def _get(pool: Any, url: str, limit: int, deadline: Deadline) -> bytes:
    import urllib3
    from urllib3.exceptions import HTTPError

    from tocsin.http_connections import reason_of

    headers = {"User-Agent": f"tocsin/{VERSION}", "Accept-Encoding": "gzip, identity"}
    timeout = urllib3.Timeout(connect=CONNECT_SECONDS, read=CONNECT_SECONDS)
    secure = url.startswith("https://")
    try:
        for _ in range(_REDIRECTS + 1):
            response = pool.request(
                "GET",
                url,
                headers=headers,
                timeout=timeout,
                retries=urllib3.Retry(total=1, redirect=0, status=0, raise_on_redirect=False),
                redirect=False,
                preload_content=False,
                decode_content=False,
            )
            try:  # what was read to its end leaves the connection open, all else ends it
                if response.status in (301, 302, 303, 307, 308):
                    url = urllib.parse.urljoin(url, response.headers.get("Location", ""))
                    if not url.startswith(("https://",) if secure else ("https://", "http://")):
                        raise LogDamaged(f"{url}: a redirect there is not followed")
                    continue
                return _content(response, url, limit, deadline)
            finally:
                response.close()
        raise LogDamaged(f"{url}: it is redirected too often")
    except (HTTPError, OSError, ValueError) as error:
        if isinstance(error, FileNotFoundError):
            raise
        why = "it took too long" if deadline.over else reason_of(error)
        raise LogDamaged(f"{url}: {why}") from error


def _content(response: Any, url: str, limit: int, deadline: Deadline) -> bytes:
    if response.status in (404, 410):
        response.read(_CHUNK)
        raise FileNotFoundError(f"{url}: there is no such file")
    if response.status != 200:
        raise LogDamaged(f"{url}: the server answers with status {response.status}")
    encoding = response.headers.get("Content-Encoding", "").strip().lower()
    if encoding not in _ENCODINGS:
        raise LogDamaged(f"{url}: it comes in an encoding that was not asked for: {encoding[:40]}")
    packed = _ENCODINGS[encoding]
    # What cannot be made smaller is a little longer when it is packed.
    most = limit + (limit >> 8) + 1024 if packed else limit
    data = bytearray()
    while chunk := response.read(min(_CHUNK, most + 1 - len(data))):
        data += chunk
        if len(data) > most:
            raise LogDamaged(f"{url}: it is longer than {limit:,} bytes")
        if deadline.over:
            break
    if deadline.over:
        raise LogDamaged(f"{url}: it took too long")
    try:
        return unpacked(bytes(data), limit) if packed else bytes(data)
    except ValueError as error:
        raise LogDamaged(f"{url}: {error}") from error


def unpacked(data: bytes, limit: int) -> bytes:
    """What was packed by gzip (RFC 1952), in one member or several.

    Args:
        data: as it came.
        limit: most bytes that may come out of it; no more than that is unpacked.

    Raises:
        ValueError: it is longer, cut off, or nothing that gzip made.
    """
    found = bytearray()
    for _ in range(_MEMBERS):
        member = zlib.decompressobj(_GZIP)
        try:
            found += member.decompress(data, limit + 1 - len(found))
        except zlib.error as error:
            raise ValueError(f"it is not packed as it says: {error}") from error
        if len(found) > limit:
            raise ValueError(f"it is longer than {limit:,} bytes")
        if not member.eof:
            raise ValueError("it is cut off")
        data = member.unused_data
        if not data:
            return bytes(found)
    raise ValueError("it is packed in too many parts")
