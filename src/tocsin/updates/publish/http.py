"""Connections of the publisher's: through the proxies that the environment names."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import urllib3


def pool_for(url: str) -> urllib3.PoolManager:
    """A pool of connections by which an address is reached."""
    from tocsin.http_connections import environment_proxy, watched_pool

    return watched_pool(environment_proxy(url))
