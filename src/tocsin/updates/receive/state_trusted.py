"""Whose word a device believes: metadata, checkpoints, and roots that wait for consent."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from tocsin.updates.layout import MOST_METADATA_BYTES
from tocsin.updates.receive.files import read_bounded
from tocsin.updates.receive.state_folder import StateFolder
from tocsin.updates.receive.state_records import Consent

EVIDENCE = "evidence"
_PENDING = "pending-root"
_NUMBER = re.compile(r"[1-9]\d{0,9}\Z")


class TrustedState(StateFolder):
    """That part of the state."""

    # --- metadata ---------------------------------------------------------------------------

    @property
    def metadata(self) -> Path:
        """TUF's folder."""
        return self.folder / "metadata"

    def metadata_bytes(self, role: str) -> bytes | None:
        """What is trusted of a role (`timestamp`, `snapshot`, `targets`), or None."""
        return self.read_bytes(self.metadata / f"{role}.json", MOST_METADATA_BYTES[role])

    def timestamp_bytes(self) -> bytes | None:
        """The timestamp that was trusted last, or None."""
        return self.metadata_bytes("timestamp")

    def targets_bytes(self) -> bytes | None:
        """The targets that were trusted last, or None."""
        return self.metadata_bytes("targets")

    def newest_root(self) -> bytes | None:
        """The root in force, or None."""
        return self.read_bytes(self.metadata / "root.json", MOST_METADATA_BYTES["root"])

    def root_bytes(self, version: int) -> bytes | None:
        """A root that was in force, or None."""
        place = self.metadata / "root_history" / f"{version}.root.json"
        return self.read_bytes(place, MOST_METADATA_BYTES["root"])

    # --- the log ----------------------------------------------------------------------------

    def checkpoint(self, origin: str) -> bytes | None:
        """The last checkpoint of a log that was accepted, or None."""
        for place in (self.folder / "checkpoint", self._other_checkpoint(origin)):
            held = self.read_bytes(place)
            if held is not None and _origin(held) == origin:
                return held
        return None

    def last_checkpoint(self) -> bytes | None:
        """The last checkpoint of any log that was accepted, or None."""
        return self.read_bytes(self.folder / "checkpoint")

    def keep_checkpoint(self, checkpoint: bytes) -> None:
        """Remember a checkpoint; that of another log is kept beside it."""
        place = self.folder / "checkpoint"
        held = self.read_bytes(place)
        if held is not None and _origin(held) != _origin(checkpoint):
            self.write_bytes(self._other_checkpoint(_origin(held)), held)
        self.write_bytes(place, checkpoint)

    def evidence(self) -> list[Path]:
        """Folders with what convicts a log."""
        with suppress(FileNotFoundError):
            return sorted((self.folder / EVIDENCE).iterdir())
        return []

    def _other_checkpoint(self, origin: str) -> Path:
        return self.folder / f"checkpoint-{hashlib.sha256(origin.encode()).hexdigest()[:32]}"

    # --- consent ----------------------------------------------------------------------------

    def consent(self) -> Consent:
        """What the user agreed to."""
        return self.read_struct("consent.json", Consent, Consent())

    def keep_consent(self, consent: Consent) -> None:
        """Remember what the user agreed to."""
        self.write_struct("consent.json", consent)

    def pending(self) -> dict[int, bytes]:
        """Roots that wait, by version, in order."""
        folder = self.folder / _PENDING
        if not folder.is_dir():
            return {}
        held = {}
        for entry in folder.iterdir():
            number = entry.name.removesuffix(".root.json")
            if _NUMBER.match(number) and entry.name.endswith(".root.json"):
                held[int(number)] = read_bounded(entry, MOST_METADATA_BYTES["root"])
        return dict(sorted(held.items()))

    def pending_proof(self, path: str) -> bytes | None:
        """What was fetched with a root that waits: its log entry or proof, or None."""
        return self.read_bytes(self.folder / _PENDING / path.rpartition("/")[2])

    def keep_pending(self, version: int, root: bytes, proofs: Mapping[str, bytes | None]) -> None:
        """Keep a root that waits, and the log entry and proof that came with it."""
        folder = self.make_folder(_PENDING)
        place = folder / f"{version}.root.json"
        for path, data in proofs.items():
            if data is not None:
                self.write_bytes(folder / path.rpartition("/")[2], data)
        if self.read_bytes(place, MOST_METADATA_BYTES["root"]) != root:
            self.write_bytes(place, root)

    def drop_pending(self) -> None:
        """Nothing waits any more."""
        self.remove_folder(self.folder / _PENDING)


def _origin(checkpoint: bytes) -> str:
    return checkpoint.partition(b"\n")[0].decode("utf-8", "replace")
