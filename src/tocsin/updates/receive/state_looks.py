"""What a device remembers of its runs: how they ended, what failed its test, where it looked."""

from __future__ import annotations

import secrets
import time
from contextlib import suppress
from pathlib import Path

from tocsin.updates.receive.seen import Seen
from tocsin.updates.receive.state_folder import StateFolder
from tocsin.updates.receive.state_records import LastRun, Refused

_MOST_REFUSED = 50
_STALE = 7 * 86400


class LooksState(StateFolder):
    """That part of the state."""

    def refused(self) -> dict[str, str]:
        """SHA-256 of databases that did not pass their test here, and why."""
        return self.read_struct("refused.json", Refused, Refused()).databases

    def refuse(self, sha256: str, reason: str) -> None:
        """Remember that a database did not pass; the last 50 are."""
        held = {**self.refused(), sha256: reason[:1000]}
        self.write_struct("refused.json", Refused(dict(list(held.items())[-_MOST_REFUSED:])))

    def device_id(self) -> bytes:
        """A number that is this device's own, told to nobody."""
        place = self.folder / "device"
        held = self.read_bytes(place, 64)
        if held is None or len(held) != 32:
            held = secrets.token_hex(16).encode()
            self.write_bytes(place, held, mode=0o600)
        return held

    def last_run(self) -> LastRun | None:
        """What the last run did."""
        return self.read_struct("last.json", LastRun, None)

    def keep_last_run(self, last: LastRun) -> None:
        """Remember what this run did."""
        self.write_struct("last.json", last)

    def seen(self) -> Seen:
        """What was looked at besides the metadata."""
        return self.read_struct("seen.json", Seen, Seen())

    def keep_seen(self, seen: Seen) -> None:
        """Remember what was looked at."""
        self.write_struct("seen.json", seen)

    def partial(self, sha256: str) -> Path:
        """Where a download is gathered; what is not finished for long is removed."""
        folder = self.folder / "partial"
        for entry in folder.iterdir():
            with suppress(OSError):
                if time.time() - entry.stat().st_mtime > _STALE:
                    entry.unlink()
        return folder / sha256
