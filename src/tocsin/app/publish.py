"""Trying a database that is to be published on files of which it is known what they are.

Publishing knows nothing of scanning; this joins the two.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

from tocsin.app.scan import Request, ScanRun
from tocsin.app.walk import WalkOptions
from tocsin.database.cache import open_database
from tocsin.database.index import Index
from tocsin.engine.options import Options
from tocsin.engine.report import Verdict
from tocsin.errors import UsageError
from tocsin.updates.publish.add import Validate, Validation

_FOUND = (Verdict.INFECTED, Verdict.SUSPICIOUS)


def validator(
    benign: Path, malicious: Path, progress: Callable[[str], None] | None = None
) -> Validate:
    """What tries a database on two folders.

    Args:
        benign: with files in which nothing may be found.
        malicious: with files in each of which something must be found.
        progress: told in a few words how far it is.

    Raises:
        UsageError: one of them is no folder.
    """
    for folder in (benign, malicious):
        if not folder.is_dir():
            raise UsageError(f"{folder}: no folder; name one with files to try the database on")

    def validate(database: Path) -> Validation:
        with TemporaryDirectory(prefix="tocsin-publish-") as cache:
            index = open_database(
                [database], lenient=True, cache_dir=Path(cache), progress=progress
            )
            harmless = _verdicts(index, benign, progress)
            bad = _verdicts(index, malicious, progress)
        for folder, verdicts in ((benign, harmless), (malicious, bad)):
            if not verdicts:
                raise UsageError(f"{folder}: no file is in it; a try on nothing shows nothing")
        return Validation(
            len(harmless),
            len(bad),
            tuple(path for path, verdict in harmless.items() if verdict in _FOUND),
            tuple(path for path, verdict in bad.items() if verdict not in _FOUND),
        )

    return validate


def _verdicts(
    index: Index, folder: Path, progress: Callable[[str], None] | None
) -> dict[str, Verdict]:
    options = Options(all_matches=False)
    jobs = min(4, len(os.sched_getaffinity(0)))
    run = ScanRun(index, Request((str(folder),), options, WalkOptions(), jobs))
    verdicts = {}
    with closing(run.reports()) as reports:
        for report in reports:
            verdicts[report.path] = report.verdict
            if progress and len(verdicts) % 50 == 0:
                progress(f"trying the database: {len(verdicts):,} files of {folder.name}")
    return dict(sorted(verdicts.items()))
