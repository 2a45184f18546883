"""Looking again at what is in the vault, after the database changed.

What was taken by mistake shows when its signature is withdrawn or mended. What is no longer
detected is not put back by itself: a record says so, and somebody decides.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator

from tocsin.engine.report import Report, SkippedObject
from tocsin.errors import QuarantineError
from tocsin.protect.quarantine.errors import UnknownRecord
from tocsin.protect.quarantine.record import Examination, Record
from tocsin.protect.quarantine.vault import MOST_IN_MEMORY, Vault

Scan = Callable[[str, int], Report]
"""Scans an open file under a name; the descriptor stays the caller's."""


def reexamine(
    vault: Vault,
    scan: Scan,
    database: str,
    *,
    again: bool = False,
    most: int = MOST_IN_MEMORY,
) -> Iterator[tuple[Record, Report]]:
    """Look at every object again that was not looked at with this database yet.

    Each is decrypted into memory; it never stands on the disk in the clear.

    Args:
        vault: the vault.
        scan: what looks at it; it should confine what parses.
        database: identity of the database that `scan` uses.
        again: look also at what was looked at with it.
        most: larger objects are not looked at, and that is said.

    Yields:
        A record with what was said of it now, and the report.

    Raises:
        QuarantineError: the vault cannot be used; an object that cannot be read does not
            raise, its report says so.
    """
    for record in vault.records():
        if not again and record.examined is not None and record.examined.database == database:
            continue
        report = _look(vault, record, scan, most)
        said = Examination(
            database=database,
            time=time.time(),
            verdict=report.verdict.value,
            names=tuple(dict.fromkeys(detection.name for detection in report.detections)),
        )
        try:
            yield vault.remember(record.id, said), report
        except UnknownRecord:
            continue  # taken out meanwhile


def _look(vault: Vault, record: Record, scan: Scan, most: int) -> Report:
    report = Report(record.place)
    report.size = record.size
    report.sha256 = record.sha256
    if record.size > most:
        detail = f"{record.size} bytes are too many to be decrypted in memory ({most})"
        report.skipped.append(SkippedObject(record.place, "limit", detail))
        return report
    try:
        descriptor = vault.open_content(record.id, most)
    except QuarantineError as error:
        report.errors.append(str(error))
        return report
    try:
        return scan(record.place, descriptor)
    finally:
        os.close(descriptor)
