"""The consent gate: the outermost fetcher, which holds back a root until it is agreed to.

python-tuf takes a successor's root without a word when enough of the old keys signed it, and it
takes 404 for "the root you have is the newest". So whoever withholds the next root keeps the
device with its publisher: what the successor signs then does not verify, the update fails, and
the database in use stays in use.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from tuf.api.exceptions import DownloadLengthMismatchError

from tocsin.updates.receive.fetch import Fetcher, absent
from tocsin.updates.receive.tuf_client import MAX_ROOT

_ROOT = re.compile(r".*/([1-9]\d{0,9})\.root\.json\Z")


class ConsentGate(Fetcher):
    """Asks before it lets a root through.

    Args:
        inner: fetches everything.
        lets_pass: whether a root may be used, by version and bytes; called once for each fetch.
    """

    def __init__(self, inner: Fetcher, lets_pass: Callable[[int, bytes], bool]) -> None:
        self._inner = inner
        self._lets_pass = lets_pass

    def fetch_from(self, url: str, offset: int) -> Iterator[bytes]:
        """See `Fetcher`; a root that may not be used is not there."""
        name = _ROOT.match(url)
        if name is None:
            return self._inner.fetch_from(url, offset)
        data = b""
        for chunk in self._inner.fetch_from(url, 0):
            data += chunk
            if len(data) > MAX_ROOT:
                raise DownloadLengthMismatchError(f"{url}: longer than a root may be")
        if not self._lets_pass(int(name[1]), data):
            raise absent(url)
        return iter((data[offset:],))
