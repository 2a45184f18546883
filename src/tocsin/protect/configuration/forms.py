"""How single values are written: sizes, durations, addresses, paths, modes, names.

Each check takes what the user wrote and returns what is wrong with it, or an empty string.
"""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Callable
from urllib.parse import urlsplit

from tocsin.toml_files.check import Forms

_SIZE = re.compile(r"(\d{1,15}(?:\.\d{1,6})?)\s*([KMGT]?)(?:I?B)?\Z", re.I | re.A)
_SIZE_UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}
_DURATION_PART = re.compile(r"\s*(\d{1,12}(?:\.\d{1,6})?)\s*(ms|s|m|h|d|w)", re.I | re.A)
_DURATION_UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}\Z")
_SOURCE_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,59}\Z")
_ACCOUNT = re.compile(r"(?:[a-z_][a-z0-9_.-]*\$?|\d{1,10})\Z", re.I | re.A)
_MAILBOX = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}(?:@[A-Za-z0-9.-]{1,253})?\Z")
_HOST_PORT = re.compile(r"(?:\[([0-9A-Fa-f:.%a-z]+)\]|([A-Za-z0-9._-]+)):(\d{1,5})\Z", re.A)
_HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}\Z")
LONGEST_SOCKET = 107
"""Bytes of a path that a UNIX socket can have."""


def read_size(text: str) -> int | None:
    """Bytes of `"100M"`; None when it is no size."""
    form = _SIZE.match(text.strip())
    return None if form is None else int(float(form[1]) * _SIZE_UNITS[form[2].upper()])


def read_duration(text: str) -> float | None:
    """Seconds of `"5m"`, `"1h30m"` or `"90"`; None when it is no duration."""
    text = text.strip()
    if re.fullmatch(r"\d{1,12}(?:\.\d{1,6})?", text, re.A):
        return float(text)
    total, at = 0.0, 0
    while at < len(text):
        part = _DURATION_PART.match(text, at)
        if part is None:
            return None
        total += float(part[1]) * _DURATION_UNITS[part[2].lower()]
        at = part.end()
    return total if at else None


def read_host_port(text: str) -> tuple[str, int] | None:
    """Host and port of `host:port` or `[address]:port`; None when it is neither."""
    form = _HOST_PORT.match(text)
    if form is None or int(form[3]) > 0xFFFF:
        return None
    return form[1] or form[2], int(form[3])


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach what listens there."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _path(text: str) -> str:
    if not text:
        return ""
    return _needed_path(text)


def _needed_path(text: str) -> str:
    if not text:
        return "a path is needed"
    if "\0" in text or not _encodable(text):
        return "a path cannot hold that character"
    if text.startswith("~"):
        return "write the path out: '~' means another folder for everybody who runs this"
    if not text.startswith("/"):
        return f"the path must begin with '/', else it depends on where {text!r} is looked for"
    if len(os.fsencode(text)) > 4095:
        return "longer than a path can be"
    if ".." in text.split("/"):
        return "write the path without '..'"
    return ""


def _encodable(text: str) -> bool:
    try:
        os.fsencode(text)
    except UnicodeEncodeError:
        return False
    return True


def _glob(text: str) -> str:
    if not text.strip():
        return "an empty pattern matches nothing"
    if "\0" in text or not _encodable(text):
        return "no path holds that character"
    return ""


def _listen(text: str) -> str:
    if not text or read_host_port(text) is not None:
        return ""
    return "expected host:port, for example 127.0.0.1:3310 or [::1]:3310"


def _host_port(text: str) -> str:
    where = read_host_port(text)
    if where is None or where[1] == 0:
        return "expected host:port, for example localhost:25"
    return ""


def _mode(text: str) -> str:
    if not re.fullmatch(r"(?:0o)?0?[0-7]{3}", text, re.A):
        return "expected three octal digits in quotes, for example '0660'"
    return ""


def _name(text: str) -> str:
    if not _NAME.match(text):
        return "expected letters, digits, '.', '_' and '-', at most 64, a letter or digit first"
    return ""


def _account(text: str) -> str:
    if text and not _ACCOUNT.match(text):
        return "expected the name or number of an account"
    return ""


def _mailbox(text: str) -> str:
    if not _MAILBOX.match(text) or ".." in text:
        return "expected one address without a name, for example admin@example.org"
    return ""


def _cron(text: str) -> str:
    from tocsin.protect.configuration.cron_form import wrong_with

    return wrong_with(text) if text else ""


def _secret(text: str) -> str:
    return "cannot hold that character" if "\0" in text or not _encodable(text) else ""


def _any(text: str) -> str:
    return "cannot hold that character" if "\0" in text or not _encodable(text) else ""


def _mirror(text: str) -> str:
    if text.startswith("/"):
        return _needed_path(text)
    if text.startswith("file:///"):
        return ""
    if wrong := wrong_with_web_address(text):
        return f"{wrong}; a mirror is a folder or begins with https://, http:// or file:///"
    return "" if "?" not in text else "a mirror's address has no '?' in it"


def _update_source(text: str) -> str:
    if _SOURCE_NAME.match(text):  # whoever fetches it knows which names there are
        return ""
    name, _, place = text.partition("=")
    kind, _, address = place.partition(":")
    if not _SOURCE_NAME.match(name) or kind not in ("clamav", "digests", "yara"):
        return "expected a name, or NAME=KIND:URL with a kind of clamav, digests or yara"
    return wrong_with_web_address(address)


def _web_address(text: str) -> str:
    return wrong_with_web_address(text) if text else ""


CHECKS: dict[str, Callable[[str], str]] = {
    "": _any,
    "path": _path,
    "needed-path": _needed_path,
    "glob": _glob,
    "listen": _listen,
    "host-port": _host_port,
    "mode": _mode,
    "name": _name,
    "account": _account,
    "mailbox": _mailbox,
    "cron": _cron,
    "secret": _secret,
    "target": _any,
    "mirror": _mirror,
    "update-source": _update_source,
    "web-address": _web_address,
}
"""What a form of text is checked by."""


def wrong_with_header(name: str, value: str) -> str:
    """What is wrong with a header of an HTTP request; its value is not repeated."""
    if not _HEADER.match(name):
        return f"{name!r} cannot be the name of a header"
    if name.lower() in ("content-length", "content-type", "host", "transfer-encoding"):
        return f"{name} is set by tocsin itself"
    if not value.isascii() or not value.isprintable():
        return f"the value of {name} holds a line end or a character that no header can hold"
    return ""


def wrong_with_web_address(text: str) -> str:
    """What is wrong with the address of a webhook; it is not repeated, it may hold a key."""
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        return "not an address"
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return "expected an address that begins with https:// or http://"
    if port == 0 or not text.isascii() or not text.isprintable() or " " in text:
        return "not an address"
    if parts.fragment:
        return "what follows '#' is never sent"
    return ""


def wrong_with_syslog_target(text: str) -> str:
    """What is wrong with where syslog messages go."""
    if text.startswith("/"):
        return _needed_path(text)
    scheme, found, rest = text.partition("://")
    where = read_host_port(rest)
    if not found or scheme not in ("udp", "tcp") or where is None or where[1] == 0:
        return "expected /dev/log, udp://host:514 or tcp://host:601"
    return ""


FORMS = Forms(
    CHECKS,
    {"size": read_size, "duration": read_duration},
    {
        "size": 'a size (bytes, or text such as "100M")',
        "duration": 'a duration (seconds, or text such as "5m", "2h" or "7d")',
    },
)
"""How the texts of a settings file are written."""
