"""Keeps the tests of protection away from the user's own files."""

from __future__ import annotations

import sys
from pathlib import Path

for folder in ("engine", "protect"):
    place = str(Path(__file__).resolve().parents[1] / folder)
    if place not in sys.path:
        sys.path.insert(0, place)
