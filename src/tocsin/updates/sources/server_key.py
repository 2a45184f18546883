"""The key by which a server knows its users: read from a file, and shown to that server alone.

abuse.ch gives its lists to those with a key since June 2025: its interfaces take it in the header
`Auth-Key`, its exports in the address. A command line, a log and a message hold only the place
where it goes.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple
from urllib.parse import SplitResult, quote, urlsplit

from tocsin.errors import SettingsError, UsageError

KEY_PLACE = "{auth-key}"
"""Where the key goes in an address, for servers that want it there."""

VARIABLE = "TOCSIN_AUTH_KEY"
KEYED_DOMAINS = ("abuse.ch",)
_HEADER = "Auth-Key"
_THIS_MACHINE = frozenset({"127.0.0.1", "::1", "localhost"})
_KEY = re.compile(r"[!-~]{8,500}\Z")
_LARGEST = 4096


class ServerKey(NamedTuple):
    """A key; it goes to these hosts and those below them, over https or within this machine.

    Attributes:
        value: the secret.
        domains: whose it is.
    """

    value: str
    domains: tuple[str, ...] = KEYED_DOMAINS

    def __repr__(self) -> str:
        """Without the secret, which no trace of a defect may show."""
        return f"ServerKey(for {', '.join(self.domains)})"

    def _fits(self, parts: SplitResult) -> bool:
        host = (parts.hostname or "").lower()
        named = any(host == each or host.endswith(f".{each}") for each in self.domains)
        return named and (parts.scheme == "https" or host in _THIS_MACHINE)

    def asked(self, url: str) -> tuple[str, dict[str, str]]:
        """What to ask a server for, and the header to ask with.

        Args:
            url: with the place of the key, or without.
        """
        if not self._fits(urlsplit(url)):
            return url, {}
        return url.replace(KEY_PLACE, quote(self.value, safe="")), {_HEADER: self.value}

    def hidden(self, text: str) -> str:
        """A text without the secret."""
        return text.replace(quote(self.value, safe=""), KEY_PLACE).replace(self.value, KEY_PLACE)


def asked_with(key: ServerKey | None, url: str) -> tuple[str, dict[str, str]]:
    """What to ask a server for, and the header to ask with, if any.

    Raises:
        UsageError: the address has a place for a key, and there is none for that server.
    """
    filled, headers = key.asked(url) if key else (url, {})
    if KEY_PLACE in filled:
        raise UsageError(
            f"{url}: there is no key for that server; name a file that holds it: --auth-key-file "
            f"FILE, or [updates] auth_key_file, or set {VARIABLE}"
        )
    return filled, headers


def read_key(file: Path | None, environment: Mapping[str, str] = os.environ) -> ServerKey | None:
    """The key that a file holds, else the environment; None when there is none.

    Raises:
        SettingsError: the file cannot be read, or holds no key.
    """
    if file is None:
        text, where = environment.get(VARIABLE, "").strip(), VARIABLE
        if not text:
            return None
    else:
        where = str(file)
        try:
            with file.open("rb") as opened:
                text = opened.read(_LARGEST).decode("latin-1").strip()
        except OSError as error:
            raise SettingsError(f"{file}: the key cannot be read: {error.strerror}") from error
    if not _KEY.match(text):
        raise SettingsError(f"{where}: this is no key: expected one line of 8 to 500 characters")
    return ServerKey(text)
