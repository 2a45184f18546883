"""Fetching a file over HTTP: conditional, resumable, bounded, and silent while told to be.

Nothing is verified here beyond what TLS does; whoever asks for a file checks it. A server that
answers 403 or 429 is not asked again before the time it names (`state.Cooldowns` remembers it).
"""

from __future__ import annotations

import email.utils
import os
import ssl
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple, Protocol
from urllib.parse import unquote, urljoin, urlsplit

import urllib3

from tocsin.http_connections import Deadline, environment_proxy, reason_of, watched_pool
from tocsin.updates.sources.errors import (
    CoolDown,
    SourceMissing,
    SourceStorage,
    SourceTooLarge,
    SourceUnreachable,
)
from tocsin.updates.sources.partial import Begun, Partial, Validators
from tocsin.updates.sources.server_key import ServerKey, asked_with
from tocsin.updates.throttle import Throttle
from tocsin.version import VERSION

USER_AGENT = f"tocsin/{VERSION}"
_CHUNK = 1 << 16
_MOST_REDIRECTS = 3
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_SHORTEST, _LONGEST = timedelta(minutes=1), timedelta(days=7)
_DEFAULT_PAUSE = {403: timedelta(hours=24), 429: timedelta(hours=4)}
"""What freshclam waits when the answer names no time."""
_SLOWEST = 50
"""Bytes a second below which, over `stall` seconds, a transfer counts as dead."""


class Fetched(NamedTuple):
    """A file that came.

    Attributes:
        path: where it lies; the caller takes it from there.
        validators: to ask again with.
        size: its bytes.
        received: bytes that went over the network for it.
    """

    path: Path
    validators: Validators
    size: int
    received: int


class Proxy(NamedTuple):
    """A proxy for all requests; `url` without user and password."""

    url: str
    user: str = ""
    password: str = ""


class Limits(NamedTuple):
    """Bounds of one fetch.

    Attributes:
        bytes: of the file at most.
        connect: seconds to connect.
        stall: seconds within which bytes must come.
        total: seconds for the whole.
    """

    bytes: int = 1 << 30
    connect: float = 30.0
    stall: float = 60.0
    total: float = 3600.0


class Pauses(Protocol):
    """Remembers which hosts are not to be asked, across processes."""

    def until(self, host: str) -> tuple[datetime, int] | None:
        """Until when a host is not to be asked, and the status that said so."""

    def hold(self, host: str, until: datetime, status: int) -> None:
        """Remember it, on disk, before anything else happens."""


Progress = Callable[[str, int, int | None], None]
"""Told what is fetched, the bytes there are, and how many there will be, when known."""


class Http:
    """Fetches files into a folder.

    Args:
        folder: for files that are not whole yet; they are taken up again.
        pauses: hosts that asked not to be asked.
        limits: bounds of each fetch.
        proxy: for all requests; None for what the environment names.
        agent: what to call ourselves.
        local_address: to connect from, or None.
        context: for TLS; None for the system's roots, or what CURL_CA_BUNDLE names.
        progress: told how far a fetch is.
        throttle: the bound on bandwidth.
        key: what a server knows its users by.
    """

    def __init__(
        self,
        folder: Path,
        pauses: Pauses,
        *,
        limits: Limits | None = None,
        proxy: Proxy | None = None,
        agent: str = USER_AGENT,
        local_address: str | None = None,
        context: ssl.SSLContext | None = None,
        progress: Progress | None = None,
        throttle: Throttle | None = None,
        key: ServerKey | None = None,
    ) -> None:
        self.limits = limits or Limits()
        self.received = 0
        self.requests = 0
        self._folder = folder
        self._pauses = pauses
        self._proxy = proxy
        self._agent = agent
        self._source = (local_address, 0) if local_address else None
        self._context = context
        self._progress = progress
        self._throttle = throttle or Throttle(0)
        self._key = key
        self._pools: dict[str, urllib3.PoolManager] = {}

    def fetch(
        self,
        url: str,
        name: str,
        *,
        validators: Validators | None = None,
        largest: int | None = None,
    ) -> Fetched | None:
        """Fetch a file, going on where an earlier attempt ended.

        Args:
            url: http or https.
            name: of the file it is collected in; one name, no path.
            validators: of the file that is here already.
            largest: bytes it may have; None for the limit of all.

        Returns:
            The file, or None when it has not changed.

        Raises:
            CoolDown: the host does not want to be asked, now or since earlier.
            SourceMissing: there is no such file.
            SourceTooLarge: more bytes than allowed.
            SourceUnreachable: no connection, too slow, or broken off; what came is kept.
            SourceStorage: it cannot be written.
        """
        partial = Partial(self._folder / f"{name}.part")
        begun = partial.begun(url)
        headers = _condition(validators)
        if begun is not None:
            headers["Range"] = f"bytes={begun.size}-"
            headers["If-Range"] = begun.validator
        with self._deadline() as deadline:
            answer, final = self._open(url, headers, deadline)
            try:
                if answer.status == 304:
                    return None
                if answer.status == 200 or (answer.status == 206 and begun is not None):
                    offset = _offset(answer, partial, begun, final)
                    most = largest or self.limits.bytes
                    return self._collect(answer, partial, offset, url, most, deadline)
                if answer.status != 416 or begun is None:
                    raise SourceMissing(f"{final}: status {answer.status}", answer.status)
            finally:
                answer.close()
                answer.release_conn()
        partial.drop()  # what was collected belongs to another file
        return self.fetch(url, name, validators=validators, largest=largest)

    def head(self, url: str, length: int, *, modified_since: str = "") -> bytes | None:
        """The first bytes of a file; None when it is not newer than a time.

        Raises:
            CoolDown, SourceMissing, SourceUnreachable: as for `fetch`.
        """
        headers = {"Range": f"bytes=0-{length - 1}", **_condition(Validators("", modified_since))}
        with self._deadline() as deadline:
            answer, final = self._open(url, headers, deadline)
            try:
                if answer.status == 304:
                    return None
                if answer.status not in (200, 206):
                    raise SourceMissing(f"{final}: status {answer.status}", answer.status)
                data = b""
                while len(data) < length and not deadline.over:
                    piece = self._read(answer, final, length - len(data))
                    if not piece:
                        break
                    data += piece
                return data
            finally:
                answer.close()
                answer.release_conn()

    def _deadline(self) -> Deadline:
        """For the headers of each answer, and anew for a body as it comes."""
        return Deadline(self.limits.stall, from_connection=True)

    def _open(
        self, url: str, headers: Mapping[str, str], deadline: Deadline
    ) -> tuple[urllib3.BaseHTTPResponse, str]:
        """Ask, follow redirections, and mind who does not want to be asked."""
        for _ in range(_MOST_REDIRECTS + 1):
            parts = urlsplit(url)
            if parts.scheme not in ("http", "https") or not parts.hostname:
                raise SourceUnreachable(f"{url}: neither http nor https")
            self._mind_pause(parts.netloc)
            asked, keyed = asked_with(self._key, url)
            deadline.later(self.limits.connect + self.limits.stall)
            try:
                answer = self._pool(url).request(
                    "GET",
                    asked,
                    headers={
                        "Accept-Encoding": "identity",
                        "User-Agent": self._agent,
                        **headers,
                        **keyed,
                    },
                    redirect=False,
                    retries=False,
                    preload_content=False,
                    decode_content=False,
                    timeout=urllib3.Timeout(connect=self.limits.connect, read=self.limits.stall),
                )
            except (urllib3.exceptions.HTTPError, OSError, ValueError) as error:
                raise SourceUnreachable(f"{url}: {self._hidden(reason_of(error))}") from None
            self.requests += 1
            if answer.status in _DEFAULT_PAUSE:
                answer.close()
                raise self._pause(parts.netloc, answer)
            target = self._hidden(answer.headers.get("Location", ""))
            if answer.status not in _REDIRECTS or not target:
                return answer, url
            answer.close()
            before, url = parts.scheme, urljoin(url, target)
            if before == "https" and urlsplit(url).scheme != "https":
                raise SourceUnreachable(f"{url}: a redirection from https to something weaker")
        raise SourceUnreachable(f"{url}: redirected more than {_MOST_REDIRECTS} times")

    def _hidden(self, text: str) -> str:
        return self._key.hidden(text) if self._key else text

    def _mind_pause(self, host: str) -> None:
        held = self._pauses.until(host)
        if held is not None and held[0] > datetime.now(UTC):
            raise CoolDown(host, held[0], held[1], fresh=False)

    def _pause(self, host: str, answer: urllib3.BaseHTTPResponse) -> CoolDown:
        now = datetime.now(UTC)
        pause = read_retry_after(answer.headers.get("Retry-After", ""), now)
        if pause is None or answer.status == 403:
            pause = max(pause or timedelta(0), _DEFAULT_PAUSE[answer.status])
        until = now + min(max(pause, _SHORTEST), _LONGEST)
        self._pauses.hold(host, until, answer.status)
        return CoolDown(host, until, answer.status, fresh=True)

    def _pool(self, url: str) -> urllib3.PoolManager:
        proxy = self._proxy
        if proxy is None and (named := environment_proxy(url)):
            proxy = proxy_of(named)
        key = proxy.url if proxy else ""
        if key not in self._pools:
            options: dict[str, object] = {"ssl_context": self._context or _tls()}
            if self._source:
                options["source_address"] = self._source
            login = f"{proxy.user}:{proxy.password}" if proxy and proxy.user else None
            headers = dict(urllib3.make_headers(proxy_basic_auth=login))
            self._pools[key] = watched_pool(key, proxy_headers=headers, **options)
        return self._pools[key]

    def _read(self, answer: urllib3.BaseHTTPResponse, url: str, most: int) -> bytes:
        try:
            piece = answer.read1(most) if hasattr(answer, "read1") else answer.read(most)
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise SourceUnreachable(f"{url}: broken off: {reason_of(error)}") from error
        self.received += len(piece)
        return bytes(piece)

    def _collect(
        self,
        answer: urllib3.BaseHTTPResponse,
        partial: Partial,
        offset: int,
        url: str,
        largest: int,
        deadline: Deadline,
    ) -> Fetched:
        stated = answer.headers.get("Content-Length", "")
        coming = int(stated) if stated.isascii() and stated.isdigit() else None
        whole = None if coming is None else offset + coming
        if whole is not None and whole > largest:
            partial.drop()
            raise SourceTooLarge(f"{url}: {whole:,} bytes, and at most {largest:,} are taken")
        validators = Validators(
            answer.headers.get("ETag", "")[:500], answer.headers.get("Last-Modified", "")[:100]
        )
        size, clock = offset, _Clock(self.limits, url)
        with partial.writing(url, validators, offset) as file:
            while True:
                piece = self._read(answer, url, _CHUNK)
                if not piece:
                    break
                size += len(piece)
                if size > largest:
                    partial.drop()
                    raise SourceTooLarge(f"{url}: more than the {largest:,} bytes that are taken")
                file.write(piece)
                clock.mind(len(piece))
                held_back = time.monotonic()
                self._throttle.passed(len(piece))
                clock.forgive(time.monotonic() - held_back)
                deadline.later(2 * self.limits.stall)
                if self._progress is not None:
                    self._progress(partial.label, size, whole)
            file.finish()
        if deadline.over:
            raise SourceUnreachable(f"{url}: nothing came for too long; it goes on next time")
        if whole is not None and size != whole:
            raise SourceUnreachable(f"{url}: broken off after {size:,} of {whole:,} bytes")
        partial.forget()
        return Fetched(partial.path, validators, size, size - offset)


class _Clock:
    """Ends a transfer that is too slow or takes too long."""

    def __init__(self, limits: Limits, url: str) -> None:
        self._limits, self._url = limits, url
        self._started = self._since = time.monotonic()
        self._bytes = 0

    def mind(self, count: int) -> None:
        """Count bytes that came.

        Raises:
            SourceUnreachable: too few of them, or too late.
        """
        now = time.monotonic()
        self._bytes += count
        if now - self._started > self._limits.total:
            raise SourceUnreachable(
                f"{self._url}: not done after {self._limits.total:g} s; it goes on next time"
            )
        if now - self._since > self._limits.stall:
            if self._bytes < _SLOWEST * self._limits.stall:
                raise SourceUnreachable(
                    f"{self._url}: {self._bytes:,} bytes in {now - self._since:.0f} s are too few"
                )
            self._since, self._bytes = now, 0

    def forgive(self, seconds: float) -> None:
        """Leave out time that was waited on purpose."""
        self._started += seconds
        self._since += seconds


def read_retry_after(text: str, now: datetime) -> timedelta | None:
    """How long a server wants to be left alone (RFC 9110, section 10.2.3); None unless it says."""
    text = text.strip()
    if text.isascii() and text.isdigit() and len(text) <= 9:
        return timedelta(seconds=int(text))
    with suppress(ValueError, TypeError, OverflowError):
        moment = email.utils.parsedate_to_datetime(text)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        return max(moment - now, timedelta(0))
    return None


def http_date(moment: float) -> str:
    """Seconds since 1970 as HTTP writes them (RFC 9110, section 5.6.7)."""
    return email.utils.formatdate(moment, usegmt=True)


def _condition(validators: Validators | None) -> dict[str, str]:
    headers: dict[str, str] = {}
    if validators is not None and validators.etag:
        headers["If-None-Match"] = validators.etag
    if validators is not None and validators.modified:
        headers["If-Modified-Since"] = validators.modified
    return headers


def _offset(
    answer: urllib3.BaseHTTPResponse, partial: Partial, begun: Begun | None, url: str
) -> int:
    """Where in the file the bytes of an answer belong.

    Raises:
        SourceUnreachable: not where they were asked for; the next attempt asks for all of it.
    """
    if answer.status == 200 or begun is None:
        return 0
    if answer.headers.get("Content-Range", "").startswith(f"bytes {begun.size}-"):
        return begun.size
    partial.drop()
    raise SourceUnreachable(f"{url}: the server sent another part than was asked for")


def proxy_of(url: str, user: str = "", password: str = "") -> Proxy:
    """A proxy from its address, which may hold user and password.

    Raises:
        SourceUnreachable: it is no address of a proxy.
    """
    parts = urlsplit(url if "://" in url else f"http://{url}")
    try:
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        port = None
    if parts.scheme not in ("http", "https") or not parts.hostname or port is None:
        raise SourceUnreachable(f"{url}: not the address of an HTTP proxy")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    plain = f"{parts.scheme}://{host}{port}"
    return Proxy(
        plain,
        user or unquote(parts.username or ""),
        password or unquote(parts.password or ""),
    )


def _tls() -> ssl.SSLContext:
    """The system's roots; a private mirror's client certificate, as curl's users name it."""
    bundle = os.environ.get("CURL_CA_BUNDLE")
    certificate = os.environ.get("FRESHCLAM_CLIENT_CERT")
    try:
        context = ssl.create_default_context(cafile=bundle or None)
        if certificate:
            context.load_cert_chain(
                certificate,
                os.environ.get("FRESHCLAM_CLIENT_KEY"),
                os.environ.get("FRESHCLAM_CLIENT_KEY_PASSWD"),
            )
    except (OSError, ssl.SSLError) as error:
        raise SourceStorage(f"a certificate for TLS cannot be read: {error}") from error
    return context
