"""The consent gate: the outermost fetcher, which holds back a root until it is agreed to.

python-tuf takes a successor's root without a word when enough of the old keys signed it, and it
takes 404 for "the root you have is the newest". So whoever withholds the next root keeps the
device with its publisher: what the successor signs then does not verify, the update fails, and
the database in use stays in use.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from tuf.api.exceptions import DownloadError, DownloadLengthMismatchError

from tocsin.updates.receive.errors import UpdateError
from tocsin.updates.receive.fetch import Fetcher, absent
from tocsin.updates.receive.tuf_client import MAX_ROOT

_ROOT = re.compile(r".*/([1-9]\d{0,9})\.root\.json\Z")


class RootRefused(DownloadError):
    """A root that must not be used, whatever the user says: that mirror's lie, or a gap here.

    Attributes:
        reason: why.
    """

    def __init__(self, reason: UpdateError) -> None:
        self.reason = reason
        super().__init__(str(reason))


class ConsentGate(Fetcher):
    """Asks before it lets a root through.

    Args:
        inner: fetches everything.
        lets_pass: whether a root may be used, by version and bytes; called once for each fetch.
            It raises `UpdateError` for one that is no root of this publisher's at all, or was not
            logged.
    """

    def __init__(self, inner: Fetcher, lets_pass: Callable[[int, bytes], bool]) -> None:
        self._inner = inner
        self._lets_pass = lets_pass

    def fetch_from(self, url: str, offset: int) -> Iterator[bytes]:
        """See `Fetcher`; a root that waits for the user is not there.

        Raises:
            RootRefused: a root that nobody may agree to.
        """
        name = _ROOT.match(url)
        if name is None:
            return self._inner.fetch_from(url, offset)
        held = bytearray()
        for chunk in self._inner.fetch_from(url, 0):
            held += chunk
            if len(held) > MAX_ROOT:
                raise DownloadLengthMismatchError(f"{url}: longer than a root may be")
        data = bytes(held)
        try:
            passes = self._lets_pass(int(name[1]), data)
        except UpdateError as error:
            raise RootRefused(error) from error
        if not passes:
            raise absent(url)
        return iter((data[offset:],))
