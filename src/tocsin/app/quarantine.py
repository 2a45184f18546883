"""The quarantine for people: each verb does one thing, and the journal hears of it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from tocsin.app.acting import write_events
from tocsin.app.apart import Scan
from tocsin.app.settings import quarantine_folder
from tocsin.engine.report import Report
from tocsin.errors import QuarantineError
from tocsin.protect.journal.event import Event, Kind, Severity
from tocsin.protect.quarantine.errors import DamagedItem
from tocsin.protect.quarantine.record import DamagedRecord, Finding, Record
from tocsin.protect.quarantine.reexamine import reexamine
from tocsin.protect.quarantine.restore import Restored
from tocsin.protect.quarantine.vault import Vault
from tocsin.settings import Settings
from tocsin.version import VERSION

ORIGIN = "cli"


class Looked(NamedTuple):
    """An object that was looked at again.

    Attributes:
        record: what is known of it now.
        report: what was said of it.
        restored: where it was put back, when it was.
        trouble: why it was not, when it should have been.
    """

    record: Record
    report: Report
    restored: Restored | None = None
    trouble: str = ""


class Quarantine:
    """The user's quarantine; use it in a `with` block.

    Args:
        settings: where it and the journal are.
        folder: the vault, instead of what the settings say.
        create: make it when it is not there.

    Attributes:
        trouble: why the journal was not written, or empty.

    Raises:
        QuarantineError: it cannot be used.
    """

    def __init__(
        self, settings: Settings, folder: Path | None = None, *, create: bool = False
    ) -> None:
        place = folder or quarantine_folder(settings)
        self._settings = settings
        self.trouble = ""
        if not create and not place.exists():
            raise NoQuarantine(f"{place}: there is no quarantine yet")
        self.vault = Vault(place, max_size=settings.quarantine.max_size, create=create)
        self._tell_recovered()

    def __enter__(self) -> Quarantine:
        return self

    def __exit__(self, *_exc: object) -> None:
        self._tell_recovered()
        self.vault.close()

    def items(self) -> list[Record | DamagedRecord]:
        """Everything in it, the oldest first, what is damaged last."""
        found = list(self.vault.items())
        return sorted(
            found, key=lambda item: item.taken if isinstance(item, Record) else float("inf")
        )

    def take(self, path: str, reason: str) -> Record:
        """Take a file away by hand.

        Raises:
            QuarantineError: it was not taken.
        """
        finding = Finding(origin=ORIGIN, engine=VERSION, uid=os.getuid(), reason=reason)
        record = self.vault.take(without_links(path), finding=finding)
        self._tell("quarantined", record, f"taken into quarantine: {record.place}")
        return record

    def restore(self, number: str, to: str | None, *, keep_setid: bool) -> tuple[Record, Restored]:
        """Put a file back.

        Raises:
            QuarantineError: it was not put back, and is still there.
        """
        record = self.vault.record(number)
        target = without_links(to) if to is not None else None
        restored = self.vault.put_back(record.id, target, keep_setid=keep_setid)
        place = os.fsdecode(restored.path)
        self._tell("restored", record, f"restored from quarantine: {place}")
        return record, restored

    def delete(self, number: str) -> str:
        """Delete an object for good; a damaged one too.

        Returns:
            Its whole number.

        Raises:
            QuarantineError: it was not deleted.
        """
        try:
            record = self.vault.record(number)
        except DamagedItem:
            record = None
        whole = self.vault.delete(number)
        place = record.place if record is not None else whole
        self._tell("deleted", record, f"deleted from quarantine: {place}", whole)
        return whole

    def expire(self, days: float) -> list[Record]:
        """Delete what was taken longer ago than so many days."""
        old = self.vault.expire(days)
        for record in old:
            self._tell("deleted", record, f"deleted from quarantine for its age: {record.place}")
        return old

    def export(self, number: str, target: str) -> tuple[Record, Path]:
        """Write an object into an encrypted archive for analysis.

        Raises:
            QuarantineError: it was not written.
        """
        record = self.vault.record(number)
        path = self.vault.export(record.id, without_links(target))
        self._tell("exported", record, f"exported from quarantine: {record.place} to {path}")
        return record, path

    def reexamine(
        self, scan: Scan, database: str, *, again: bool, restore: bool
    ) -> Iterator[Looked]:
        """Look again at what was not looked at with this database.

        Args:
            scan: what looks at it.
            database: identity of the database it uses.
            again: look also at what was looked at with it.
            restore: put back what nothing is found in any more; all is looked at for that.
        """
        for record, report in reexamine(self.vault, scan, database, again=again or restore):
            if not record.may_be_restored:
                yield Looked(record, report)
                continue
            message = f"no longer detected in quarantine: {record.place}"
            self._tell("", record, message, verdict=report.verdict.value)
            if not restore:
                yield Looked(record, report)
                continue
            try:
                _, restored = self.restore(record.id, None, keep_setid=False)
            except QuarantineError as error:
                yield Looked(record, report, trouble=str(error))
            else:
                yield Looked(record, report, restored)

    def _tell_recovered(self) -> None:
        events = [
            Event(
                kind=Kind.ACTION,
                severity=Severity.WARNING,
                origin="quarantine",
                message=f"after an interruption: {recovered.what}",
                action="recovered",
                record=recovered.id,
            )
            for recovered in self.vault.recovered
        ]
        self.vault.recovered.clear()
        if events:
            self._write(events)

    def _tell(
        self,
        action: str,
        record: Record | None,
        message: str,
        number: str = "",
        verdict: str = "",
    ) -> None:
        event = Event(
            kind=Kind.ACTION,
            severity=Severity.NOTICE,
            origin=ORIGIN,
            message=message,
            action=action,
            uid=os.getuid(),
            record=number,
            verdict=verdict,
        )
        if record is not None:
            event.path = record.place
            event.record = record.id
            event.signatures = record.names
            event.sha256 = record.sha256
            event.size = record.size
        self._write([event])

    def _write(self, events: list[Event]) -> None:
        self.trouble = write_events(self._settings, events) or self.trouble


class NoQuarantine(QuarantineError):
    """Nothing was ever taken away, so there is no folder for it."""


def without_links(path: str) -> str:
    """An absolute path whose folders are no links; what the last name stands for is kept.

    The user who names a path means what it leads to now. From here on no link is followed.
    """
    if not path:
        return path
    folder, name = os.path.split(os.path.abspath(path))
    return os.path.join(os.path.realpath(folder), name)


def restored_values(restored: Restored) -> dict[str, Any]:
    """What was put back where, as plain values."""
    return {"path": os.fsdecode(restored.path), "remarks": list(restored.remarks)}


def item_values(item: Record | DamagedRecord) -> dict[str, Any]:
    """An object of the quarantine as plain values, for programs.

    Undecodable bytes of names are lone surrogates, as in reports.
    """
    if isinstance(item, DamagedRecord):
        return {"id": item.id, "damaged": item.reason}
    metadata = item.metadata
    return {
        "id": item.id,
        "damaged": "",
        "path": item.place,
        "size": item.size,
        "sha256": item.sha256,
        "md5": item.md5,
        "taken": item.taken,
        "origin": item.finding.origin,
        "taken_by": item.taken_by,
        "for": item.finding.uid,
        "host": item.host,
        "reason": item.finding.reason,
        "verdict": item.finding.verdict,
        "detections": [
            {"name": d.name, "source": d.source, "object": d.object, "level": d.level}
            for d in item.finding.detections
        ],
        "database": item.finding.database,
        "database_version": item.finding.database_version,
        "engine": item.finding.engine,
        "mode": f"{metadata.mode:04o}",
        "uid": metadata.uid,
        "gid": metadata.gid,
        "user": metadata.user,
        "group": metadata.group,
        "atime_ns": metadata.atime_ns,
        "mtime_ns": metadata.mtime_ns,
        "ctime_ns": metadata.ctime_ns,
        "attributes": {os.fsdecode(name): value.hex() for name, value in metadata.attributes},
        "flags": metadata.flags,
        "links": metadata.links,
        "other_names": [os.fsdecode(name) for name in item.other_names],
        "stored": item.stored,
        "examined": None
        if item.examined is None
        else {
            "database": item.examined.database,
            "time": item.examined.time,
            "verdict": item.examined.verdict,
            "names": list(item.examined.names),
        },
        "may_be_restored": item.may_be_restored,
    }
