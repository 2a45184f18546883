"""Where a user's own files of this program are, after the XDG base directory specification."""

from __future__ import annotations

import os
from pathlib import Path


def config_dir() -> Path:
    """Settings and exceptions: `/etc/tocsin` for root, else the user's own."""
    return _place("TOCSIN_CONFIG_DIR", "/etc/tocsin", "XDG_CONFIG_HOME", ".config")


def state_dir() -> Path:
    """What is remembered between runs: `/var/lib/tocsin` for root, else the user's own."""
    return _place("TOCSIN_STATE_DIR", "/var/lib/tocsin", "XDG_STATE_HOME", ".local/state")


def _place(variable: str, for_root: str, base_variable: str, base: str) -> Path:
    stated = os.environ.get(variable)
    if stated:
        return Path(stated)
    if os.geteuid() == 0:
        return Path(for_root)
    above = os.environ.get(base_variable)
    return (Path(above) if above else Path.home() / base) / "tocsin"
