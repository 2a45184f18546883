"""tocsin: malware protection whose trust is checked, not given.

    import tocsin

    scanner = tocsin.Scanner(tocsin.open_database())
    report = scanner.scan_file("invoice.zip")
    print(report.verdict, [detection.name for detection in report.detections])

The names below are loaded on first use; importing the package costs next to nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tocsin.version import VERSION as __version__

if TYPE_CHECKING:
    from tocsin.database.cache import open_database
    from tocsin.database.index import Index
    from tocsin.engine.exceptions import Exceptions
    from tocsin.engine.options import Options
    from tocsin.engine.report import Detection, Level, Report, SkippedObject, Verdict
    from tocsin.engine.scanner import Scanner
    from tocsin.unpack.interface import Limits

_HOMES = {
    "open_database": "tocsin.database.cache",
    "Index": "tocsin.database.index",
    "Exceptions": "tocsin.engine.exceptions",
    "Options": "tocsin.engine.options",
    "Detection": "tocsin.engine.report",
    "Level": "tocsin.engine.report",
    "Report": "tocsin.engine.report",
    "SkippedObject": "tocsin.engine.report",
    "Verdict": "tocsin.engine.report",
    "Scanner": "tocsin.engine.scanner",
    "Limits": "tocsin.unpack.interface",
}

__all__ = [
    "Detection",
    "Exceptions",
    "Index",
    "Level",
    "Limits",
    "Options",
    "Report",
    "Scanner",
    "SkippedObject",
    "Verdict",
    "__version__",
    "open_database",
]


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'tocsin' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(home), name)
