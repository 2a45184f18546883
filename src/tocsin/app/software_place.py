"""Where releases of the software are installed side by side, and whether this program is one.

Root's are the machine's, `/opt/tocsin`; another user's are in their own data folder (XDG base
directory specification). A program that was installed in another way (pipx, a virtual
environment, `make install`) is none of them, and is left alone.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

FOR_ROOT = Path("/opt/tocsin")
VARIABLE = "TOCSIN_SOFTWARE_DIR"


def software_folder(named: Path | None = None) -> Path:
    """Where releases are: as named, where this very program is, else the usual place."""
    if named is not None:
        return Path(os.path.abspath(named))
    if stated := os.environ.get(VARIABLE):
        return Path(stated)
    if (own := own_folder()) is not None:
        return own
    if os.geteuid() == 0:
        return FOR_ROOT
    above = os.environ.get("XDG_DATA_HOME")
    return (Path(above) if above else Path.home() / ".local/share") / "tocsin" / "software"


def own_folder(interpreter: str = sys.executable) -> Path | None:
    """The folder of releases that this program is one of; None for none.

    Args:
        interpreter: that runs it: `<folder>/versions/<release>/bin/python` in one of them.
    """
    release = Path(interpreter).parent.parent
    folder = release.parent.parent
    if release.parent.name == "versions" and (folder / "current").is_symlink():
        return folder
    return None


def launcher(interpreter: str = sys.executable) -> Path | None:
    """The command that starts whichever release is in use, where this program is one of them."""
    folder = own_folder(interpreter)
    if folder is None:
        return None
    place = folder / "bin" / "tocsin"
    return place if os.access(place, os.X_OK) else None
