"""What changed in the settings since the daemon ran last, for the journal."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import secrets
from contextlib import suppress
from pathlib import Path
from typing import Any

from tocsin.protect.configuration.describe import masked, tables
from tocsin.protect.journal.event import Event, Kind, Severity
from tocsin.settings import Settings

_FILE = "last-settings.json"
_MOST_NAMED = 20


def changed_settings(settings: Settings, state: Path) -> list[Event]:
    """An event that names the keys that are others than the last time, if there are such.

    What they were is kept in the state folder, secrets only as a digest with a salt of its own.
    Nothing is said the first time.
    """
    place = state / _FILE
    before = _read(place)
    salt = before.get("salt") if isinstance(before.get("salt"), str) else None
    salt = salt or secrets.token_hex(16)
    now = _stated(settings, salt)
    _write(place, {"salt": salt, "keys": now})
    keys = before.get("keys")
    if not isinstance(keys, dict):
        return []
    changed = sorted(name for name in now.keys() | keys.keys() if now.get(name) != keys.get(name))
    if not changed:
        return []
    more = f" and {len(changed) - _MOST_NAMED} more" if len(changed) > _MOST_NAMED else ""
    shown = {name: now.get(name, {}).get("shown") for name in changed[:_MOST_NAMED]}
    return [
        Event(
            kind=Kind.SETTING,
            severity=Severity.NOTICE,
            origin="daemon",
            message=f"the settings changed: {', '.join(changed[:_MOST_NAMED])}{more}",
            details={"now": shown},
        )
    ]


def _stated(settings: Settings, salt: str) -> dict[str, dict[str, Any]]:
    """Every key: what may be shown of its value, and a digest of the whole."""
    found = {}
    for table in tables():
        held = getattr(settings, table.name)
        for number, entry in enumerate(held if table.several else (held,), 1):
            name = f"[[{table.name}]] {number}" if table.several else f"[{table.name}]"
            for key in table.keys:
                value = getattr(entry, key.name)
                digest = hmac.new(salt.encode(), repr(value).encode(), hashlib.sha256).hexdigest()
                found[f"{name} {key.name}"] = {"shown": masked(key, value), "digest": digest}
    return found


def _read(place: Path) -> dict[str, Any]:
    try:
        read = json.loads(place.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return read if isinstance(read, dict) else {}


def _write(place: Path, values: dict[str, Any]) -> None:
    temporary = place.with_name(f".{place.name}.new")
    with suppress(OSError):
        descriptor = os.open(
            temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600
        )
        with open(descriptor, "w", encoding="utf-8") as file:
            json.dump(values, file)
        os.replace(temporary, place)
