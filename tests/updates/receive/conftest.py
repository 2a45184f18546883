"""Lets the tests of receiving import their samples."""

from __future__ import annotations

import sys
from pathlib import Path

place = str(Path(__file__).resolve().parent)
if place not in sys.path:
    sys.path.insert(0, place)
