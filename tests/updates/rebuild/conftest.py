"""Lets these tests import the samples of receiving."""

from __future__ import annotations

import sys
from pathlib import Path

_receive = str(Path(__file__).resolve().parent.parent / "receive")
if _receive not in sys.path:
    sys.path.insert(0, _receive)
