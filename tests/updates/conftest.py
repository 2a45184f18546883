"""Lets the tests of updates import their helpers and the signatures' samples."""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
for folder in (str(HERE), str(HERE.parent / "signatures")):
    if folder not in sys.path:
        sys.path.insert(0, folder)
