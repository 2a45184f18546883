"""Bytes over HTTP: bounded in time whatever the server does, through the usual proxies.

A server that sends slowly costs as much as one that sends too much: every wait has an end, the
headers together have one, and the body has a minimum speed. Redirects stay within http(s) and
never leave https. Nothing is decompressed on the way.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import NamedTuple
from urllib.parse import urljoin, urlsplit

import urllib3
from tuf.api.exceptions import DownloadError, DownloadHTTPError, SlowRetrievalError

from tocsin.http_connections import Deadline, environment_proxy, reason_of, watched_pool
from tocsin.updates.receive.fetch import CHUNK, Fetcher
from tocsin.updates.throttle import Throttle
from tocsin.version import VERSION

_REDIRECTS = (301, 302, 303, 307, 308)
_PARTIAL = 206
_BEYOND_END = 416


class Limits(NamedTuple):
    """How long a server may take.

    Attributes:
        timeout: seconds for connecting, for all headers, and between two pieces of the body.
        least_speed: bytes a second, below which a body is given up.
        patience: seconds before the speed is judged, and over which it is.
        long: seconds of one body after which more is asked for.
        speed_for_long: bytes a second then. The largest file at the least speed would take days,
            and the next mirror goes on where this one was.
        redirects: most of them for one file.
    """

    timeout: float = 20.0
    least_speed: float = 500.0
    patience: float = 20.0
    long: float = 120.0
    speed_for_long: float = 8_000.0
    redirects: int = 5


class HttpFetcher(Fetcher):
    """Fetches `http:` and `https:` URLs.

    Args:
        limits: how long a server may take.
        proxies: proxy by scheme; None for what the environment says (`https_proxy`, `no_proxy`).
        throttle: the bound on bandwidth.
    """

    def __init__(
        self,
        limits: Limits = Limits(),  # noqa: B008
        *,
        proxies: dict[str, str] | None = None,
        throttle: Throttle | None = None,
    ) -> None:
        self._limits = limits
        self._proxies = proxies
        self._throttle = throttle or Throttle(0)
        self._managers: dict[str, urllib3.PoolManager] = {}
        self.requests = 0
        """Requests made so far."""
        self.received = 0
        """Bytes of bodies so far."""

    def fetch_from(self, url: str, offset: int) -> Iterator[bytes]:
        """See `Fetcher`."""
        response = self._answer(url, offset)
        if response.status == _BEYOND_END and offset:
            response.close()
            return iter(())
        if response.status >= 300 or (response.status == _PARTIAL and not offset):
            response.close()
            raise DownloadHTTPError(f"{url}: HTTP status {response.status}", response.status)
        skip = offset
        if response.status == _PARTIAL:
            stated = response.headers.get("Content-Range", "")
            if not stated.replace(" ", "").startswith(f"bytes{offset}-"):
                response.close()
                raise DownloadError(f"{url}: the server sent another part than was asked for")
            skip = 0
        return self._body(response, url, skip)

    def _answer(self, url: str, offset: int) -> urllib3.BaseHTTPResponse:
        """The response after all redirects, its body not read yet."""
        headers = {"User-Agent": f"tocsin/{VERSION}", "Accept-Encoding": "identity"}
        if offset:
            headers["Range"] = f"bytes={offset}-"
        secure = False
        for _ in range(self._limits.redirects + 1):
            scheme = urlsplit(url).scheme.lower()
            if scheme not in ("http", "https"):
                raise DownloadError(f"{url}: not http or https")
            if secure and scheme != "https":
                raise DownloadError(f"{url}: a redirect that leaves https is not followed")
            secure = scheme == "https"
            response = self._request(url, headers)
            if response.status not in _REDIRECTS:
                return response
            place = response.headers.get("Location", "")
            response.close()
            if not place:
                raise DownloadError(f"{url}: a redirect to nowhere")
            url = urljoin(url, place)
        raise DownloadError(f"{url}: more than {self._limits.redirects} redirects")

    def _request(self, url: str, headers: dict[str, str]) -> urllib3.BaseHTTPResponse:
        self.requests += 1
        try:
            with Deadline(self._limits.timeout, from_connection=True) as deadline:
                return self._manager(url).request(
                    "GET",
                    url,
                    headers=headers,
                    preload_content=False,
                    decode_content=False,
                    redirect=False,
                    retries=False,
                    timeout=urllib3.Timeout(self._limits.timeout),
                )
        except urllib3.exceptions.TimeoutError as error:
            raise SlowRetrievalError(f"{url}: no answer in time") from error
        except (urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            if deadline.over:
                raise SlowRetrievalError(f"{url}: no answer in time") from error
            raise DownloadError(f"{url}: {reason_of(error)}") from error

    def _manager(self, url: str) -> urllib3.PoolManager:
        if self._proxies is None:
            proxy = environment_proxy(url)
        else:
            proxy = self._proxies.get(urlsplit(url).scheme) or self._proxies.get("all") or ""
        if proxy not in self._managers:
            self._managers[proxy] = watched_pool(proxy)
        return self._managers[proxy]

    def _body(self, response: urllib3.BaseHTTPResponse, url: str, skip: int) -> Iterator[bytes]:
        speed = _Speed(self._limits, url)
        try:
            while chunk := response.read1(CHUNK):
                speed.passed(len(chunk))
                self.received += len(chunk)
                self._throttle.passed(len(chunk))
                if skip:
                    skip, chunk = max(0, skip - len(chunk)), chunk[skip:]
                if chunk:
                    yield chunk
                speed.waited_for_us()
        except urllib3.exceptions.TimeoutError as error:
            raise SlowRetrievalError(f"{url}: nothing came for a while") from error
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise DownloadError(f"{url}: cut off: {reason_of(error)}") from error
        finally:
            response.close()


class _Speed:
    """Judges the speed of a body; time that was waited for the reader does not count."""

    def __init__(self, limits: Limits, url: str) -> None:
        self._limits = limits
        self._url = url
        self._since = self._mark = time.monotonic()
        self._spent = 0.0
        self._in_all = 0.0
        self._bytes = 0

    def passed(self, count: int) -> None:
        now = time.monotonic()
        self._spent += now - self._mark
        self._mark = now
        self._bytes += count
        if self._spent < self._limits.patience:
            return
        self._in_all += self._spent
        is_long = self._in_all >= self._limits.long
        least = self._limits.speed_for_long if is_long else self._limits.least_speed
        if self._bytes < least * self._spent:
            raise SlowRetrievalError(
                f"{self._url}: {self._bytes / self._spent:.0f} bytes a second, given up"
            )
        self._spent, self._bytes = 0.0, 0

    def waited_for_us(self) -> None:
        self._mark = time.monotonic()
