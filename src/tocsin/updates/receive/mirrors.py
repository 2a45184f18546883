"""One repository behind several mirrors: who fails, or is found to lie, is left aside for this run.

Files are asked for as `repository:/metadata/timestamp.json`. Who gave the last file is known, so
that whoever checks it can say which mirror gave a wrong one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from urllib.parse import quote, urlsplit
from urllib.request import url2pathname

from tuf.api.exceptions import DownloadError

from tocsin.updates.receive.bundle import URL as BUNDLE
from tocsin.updates.receive.errors import NothingReached
from tocsin.updates.receive.fetch import Fetcher, absent, file_path, is_absent

REPOSITORY = "repository:/"
_NEXT_ROOT = re.compile(r"metadata/\d{1,10}\.root\.json\Z")


def mirror_url(text: str) -> str:
    """What a user writes for a mirror, as a URL that ends in a slash.

    Args:
        text: an `http:`, `https:` or `file:` URL, or a folder.
    """
    if urlsplit(text).scheme in ("http", "https", "file", "bundle"):
        return text if text.endswith("/") else f"{text}/"
    return Path(text).absolute().as_uri().rstrip("/") + "/"


def shown_mirror(url: str) -> str:
    """A mirror as a person names it: folders by their path, and a bundle by that word."""
    if url.startswith(BUNDLE):
        return "the bundle: "
    return url2pathname(urlsplit(url).path) if url.startswith("file:") else url


def mirror_folders(mirrors: Iterable[str]) -> list[Path]:
    """Folders among the mirrors: all that may be read of this machine.

    Raises:
        DownloadError: a `file:` URL names no path of this machine.
    """
    urls = map(mirror_url, mirrors)
    return [file_path(url) for url in urls if urlsplit(url).scheme == "file"]


class MirrorFetcher(Fetcher):
    """Fetches a repository's files from the first mirror that gives them.

    Args:
        mirrors: URLs, the one to be asked first at the front.
        inner: fetches from one of them.

    Attributes:
        last: mirror that the last file came from, or an empty string.
        last_path: of that file.
        failures: mirrors that are left aside, and why.
        requests: files asked for, of any mirror.
        received: bytes that came.
    """

    def __init__(self, mirrors: Sequence[str], inner: Fetcher) -> None:
        self._mirrors = list(dict.fromkeys(map(mirror_url, mirrors)))
        self._inner = inner
        self.last = ""
        self.last_path = ""
        self.failures: dict[str, str] = {}
        self.requests = 0
        self.received = 0

    def last_file(self) -> str:
        """The last file that was asked for, as a person names it."""
        return f"{shown_mirror(self.last)}{self.last_path}" if self.last else "the metadata"

    def standing(self) -> list[str]:
        """Mirrors that are still asked."""
        return [mirror for mirror in self._mirrors if mirror not in self.failures]

    def set_aside(self, mirror: str, reason: str) -> None:
        """Ask a mirror no more in this run."""
        if mirror in self._mirrors:
            self.failures.setdefault(mirror, reason)

    def fetch_from(self, url: str, offset: int) -> Iterator[bytes]:
        """See `Fetcher`. A mirror that does not have the file is not left aside for that."""
        path = url.removeprefix(REPOSITORY).lstrip("/")
        missing = None
        for mirror in self.standing():
            self.requests += 1
            self.last, self.last_path = mirror, path
            try:
                # The first piece is waited for here, while another mirror can still be asked.
                chunks = self._inner.fetch_from(mirror + quote(path, safe="/%+!"), offset)
                first = next(chunks, b"")
            except DownloadError as error:
                if not is_absent(error):
                    self.set_aside(mirror, str(error))
                    continue
                missing = error
                if _NEXT_ROOT.match(path):  # most often there is none; the others are not asked
                    break
                continue
            return self._counted(first, chunks, mirror)
        if missing is not None:
            raise absent(path)
        raise DownloadError(self.why_none(path))

    def ask(self, mirror: str, path: str, most: int) -> bytes | None:
        """Ask one mirror for a small file; None when it has none to give, whatever the reason.

        Args:
            mirror: of those that are asked.
            path: in the repository.
            most: bytes; of a longer file nothing is given.
        """
        self.requests += 1
        data = b""
        try:
            for chunk in self._inner.fetch_from(mirror + quote(path, safe="/%+!"), 0):
                self.received += len(chunk)
                data += chunk
                if len(data) > most:
                    return None
        except DownloadError:
            return None
        return data

    def _counted(self, first: bytes, rest: Iterator[bytes], mirror: str) -> Iterator[bytes]:
        try:
            chunk: bytes | None = first
            while chunk:
                self.received += len(chunk)
                yield chunk
                chunk = next(rest, None)
        except DownloadError as error:
            self.set_aside(mirror, str(error))
            raise

    def why_none(self, path: str) -> str:
        """What to say when no mirror gave a file."""
        if not self._mirrors:
            return "no mirror is named; 'tocsin update trust --mirror URL' names one"
        reasons = [
            reason if reason.startswith(mirror) else f"{shown_mirror(mirror)}: {reason}"
            for mirror, reason in self.failures.items()
        ]
        return f"nothing gave {path}: {'; '.join(reasons)}"

    def nothing_reached(self, reason: str) -> NothingReached:
        """The error for a run that no mirror could serve."""
        return NothingReached(reason, tuple(self.failures.items()))
