"""Where bytes come from: fetchers that can be put together, all behind python-tuf's interface.

A fetcher gives bytes and believes nothing: whoever asked checks length and digest. Besides
`_fetch(url)`, which python-tuf calls, each can begin in the middle (`fetch_from`), so that a
download that was cut off goes on.
"""

from __future__ import annotations

import os
import stat
from abc import abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from urllib.parse import unquote, urlsplit
from urllib.request import url2pathname

from tuf.api.exceptions import DownloadError, DownloadHTTPError
from tuf.ngclient.fetcher import FetcherInterface

CHUNK = 1 << 16
"""Bytes handed on at a time."""

NOT_FOUND = 404


class Fetcher(FetcherInterface):
    """A fetcher that can begin in the middle of a file."""

    @abstractmethod
    def fetch_from(self, url: str, offset: int) -> Iterator[bytes]:
        """Give a file's bytes from an offset on.

        Args:
            url: of the file.
            offset: bytes to leave out; nothing comes when the file is not longer.

        Raises:
            DownloadHTTPError: there is no such file (status 404), or it is refused.
            DownloadError: it cannot be fetched.
        """

    def _fetch(self, url: str) -> Iterator[bytes]:
        return self.fetch_from(url, 0)


def absent(url: str) -> DownloadHTTPError:
    """What is raised where there is no such file."""
    return DownloadHTTPError(f"{url}: not there", NOT_FOUND)


def is_absent(error: BaseException) -> bool:
    """Whether an error says that there is no such file (or none for this client)."""
    return isinstance(error, DownloadHTTPError) and error.status_code in (403, NOT_FOUND)


class FolderFetcher(Fetcher):
    """Reads `file:` URLs: a folder, a share, a stick. Follows no link out of a folder.

    A stick may hold a link to a file that only root may read; what is read may become public.

    Args:
        folders: which nothing outside of is read.
    """

    def __init__(self, folders: Iterable[Path]) -> None:
        self._folders = tuple(folders)

    def fetch_from(self, url: str, offset: int) -> Iterator[bytes]:
        """See `Fetcher`."""
        place = file_path(url)
        real = os.path.realpath(place)
        if not any(_is_below(real, os.path.realpath(each)) for each in self._folders):
            raise DownloadError(f"{place}: leads out of {', '.join(map(str, self._folders))}")
        try:
            # Not waiting, so that a pipe somebody put there does not hold the update up.
            descriptor = os.open(real, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        except (FileNotFoundError, NotADirectoryError):
            raise absent(str(place)) from None
        except OSError as error:
            raise DownloadError(f"{place}: {error.strerror}") from error
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise DownloadError(f"{place}: not a file")
        return _chunks_of(descriptor, offset, place)


def _is_below(path: str, folder: str) -> bool:
    return os.path.commonpath([path, folder]) == folder


def _chunks_of(descriptor: int, offset: int, place: Path) -> Iterator[bytes]:
    with open(descriptor, "rb", buffering=0) as file:
        try:
            file.seek(offset)
            while chunk := file.read(CHUNK):
                yield chunk
        except OSError as error:  # a stick that was pulled out
            raise DownloadError(f"{place}: {error.strerror}") from error


class SchemeFetcher(Fetcher):
    """Hands each URL to the fetcher for its scheme.

    Args:
        by_scheme: fetchers by scheme in small letters.
    """

    def __init__(self, by_scheme: Mapping[str, Fetcher]) -> None:
        self._by_scheme = by_scheme

    def fetch_from(self, url: str, offset: int) -> Iterator[bytes]:
        """See `Fetcher`."""
        scheme = urlsplit(url).scheme.lower()
        if scheme not in self._by_scheme:
            known = ", ".join(sorted(self._by_scheme))
            raise DownloadError(f"{url}: nothing here fetches {scheme!r}, only {known}")
        return self._by_scheme[scheme].fetch_from(url, offset)


def file_path(url: str) -> Path:
    """The path that a `file:` URL stands for.

    Raises:
        DownloadError: it names another host, or no path.
    """
    parts = urlsplit(url)
    if parts.scheme != "file" or parts.netloc not in ("", "localhost") or not parts.path:
        raise DownloadError(f"{url}: not a file on this machine")
    path = url2pathname(parts.path)
    if "\0" in path or ".." in unquote(parts.path).split("/"):
        raise DownloadError(f"{url}: not a path that is read")
    return Path(path)
