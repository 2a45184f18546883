"""The samples of all formats, gathered from the modules beside this one.

Each `*_samples.py` here has `SAMPLES`: builders by the name that `registry.Format.sample` uses.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path

HERE = Path(__file__).parent


def builders() -> dict[str, Callable[[], bytes]]:
    """Builders of samples by name."""
    found: dict[str, Callable[[], bytes]] = {}
    for path in sorted(HERE.glob("*_samples.py")):
        module = importlib.import_module(path.stem)
        for name, build in getattr(module, "SAMPLES", {}).items():
            if callable(build):
                found[name] = build
    return found
