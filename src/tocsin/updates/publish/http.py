"""Connections of the publisher's: through the proxies that the environment names."""

from __future__ import annotations

import urllib.parse
import urllib.request
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import urllib3


def pool_for(url: str) -> urllib3.PoolManager:
    """A pool of connections by which an address is reached."""
    import urllib3

    parts = urllib.parse.urlsplit(url)
    host = parts.hostname or ""
    proxy = urllib.request.getproxies().get(parts.scheme)
    if proxy and not urllib.request.proxy_bypass(host):
        return urllib3.ProxyManager(proxy)
    return urllib3.PoolManager()
