"""Where this machine keeps what is installed on it: the lists that an audit without a path reads.

Names of files only; nothing is read here. Packages of other users' environments and of containers
are not this machine's own: name their folders or images.
"""

from __future__ import annotations

import os
import site
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

MOST_FILES = 200_000
"""Files of one sort; a machine with more of them is not read wholly, and that is said."""

_LISTS = (
    ("Debian packages", ("var/lib/dpkg/status", "var/lib/dpkg/status.d/*")),
    (
        "RPM packages",
        tuple(
            f"{folder}/{name}"
            for folder in ("var/lib/rpm", "usr/lib/sysimage/rpm")
            for name in ("rpmdb.sqlite", "Packages.db", "Packages")
        ),
    ),
    ("Alpine packages", ("lib/apk/db/installed", "usr/lib/apk/db/installed")),
)
_PYTHON = (
    "usr/lib/python3/dist-packages",
    "usr/lib/python3*/site-packages",
    "usr/lib64/python3*/site-packages",
    "usr/local/lib/python3*/dist-packages",
    "usr/local/lib/python3*/site-packages",
    "opt/pipx/venvs/*/lib/python3*/site-packages",
)
_NODE = ("usr/lib/node_modules", "usr/local/lib/node_modules", "usr/share/nodejs")
_USER_NODE = (".npm-global/lib/node_modules", ".local/lib/node_modules", "node_modules")


class Listing(NamedTuple):
    """Lists of one sort.

    Attributes:
        what: in words.
        where: the folders or files, in words.
        files: paths.
        is_cut: whether there are more than `MOST_FILES`.
    """

    what: str
    where: str
    files: tuple[str, ...]
    is_cut: bool = False


def installed(root: Path = Path("/")) -> list[Listing]:
    """The lists of what is installed, of those sorts that are there.

    Args:
        root: of the file system; with another than `/`, nothing of this process or its user is
            looked at.
    """
    found = []
    for what, patterns in _LISTS:
        paths = [str(path) for pattern in patterns for path in _files(root, pattern)]
        if paths:
            found.append(_listing(what, ", ".join(paths[:3]), iter(paths)))
    python = _python_folders(root)
    node = _node_folders(root)
    for what, folders, walk in (
        ("Python packages", python, _python_metadata),
        ("npm packages", node, _node_manifests),
    ):
        listing = _listing(
            what, ", ".join(map(str, folders)), (path for each in folders for path in walk(each))
        )
        if listing.files:
            found.append(listing)
    return found


def _listing(what: str, where: str, paths: Iterator[str]) -> Listing:
    held: dict[str, None] = {}
    for path in paths:
        if len(held) == MOST_FILES:
            return Listing(what, where, tuple(held), is_cut=True)
        held[path] = None
    return Listing(what, where, tuple(held))


def _files(root: Path, pattern: str) -> list[Path]:
    return sorted(path for path in _matching(root, pattern) if path.is_file())


def _matching(root: Path, pattern: str) -> list[Path]:
    try:
        return list(root.glob(pattern))
    except OSError:  # a folder that may not be read; what it holds is not this user's to see
        return []


def _python_folders(root: Path) -> list[Path]:
    found = [path for pattern in _PYTHON for path in sorted(_matching(root, pattern))]
    if root == Path("/"):
        found += map(Path, [*site.getsitepackages(), site.getusersitepackages()])
        environment = os.environ.get("VIRTUAL_ENV")
        if environment:
            found += sorted(_matching(Path(environment), "lib/python3*/site-packages"))
        found += (Path(each) for each in sys.path if each.endswith(("-packages",)))
    return _distinct(found)


def _node_folders(root: Path) -> list[Path]:
    found = [root / each for each in _NODE]
    if root == Path("/"):
        home = Path(os.path.expanduser("~"))
        found += [home / each for each in _USER_NODE]
        if prefix := os.environ.get("NPM_CONFIG_PREFIX"):
            found.append(Path(prefix) / "lib" / "node_modules")
    return _distinct(found)


def _distinct(folders: list[Path]) -> list[Path]:
    """Those that are there, each once however many names lead to it."""
    found: dict[str, Path] = {}
    for folder in folders:
        if folder.is_dir():
            found.setdefault(os.path.realpath(folder), folder)
    return list(found.values())


def _python_metadata(folder: Path) -> Iterator[str]:
    """`METADATA` and `PKG-INFO` (Core metadata specifications, Recording installed projects)."""
    for entry in _entries(folder):
        if entry.name.endswith(".dist-info"):
            path = os.path.join(entry.path, "METADATA")
        elif entry.name.endswith(".egg-info"):
            path = entry.path if entry.is_file() else os.path.join(entry.path, "PKG-INFO")
        else:
            continue
        if os.path.isfile(path):
            yield path


def _node_manifests(folder: Path) -> Iterator[str]:
    """The `package.json` of every package in a `node_modules`, and of those inside of them."""
    waiting = [str(folder)]
    while waiting:
        for entry in _entries(Path(waiting.pop())):
            if entry.is_symlink() or not entry.is_dir():
                continue
            if entry.name.startswith("@"):
                waiting.append(entry.path)
                continue
            path = os.path.join(entry.path, "package.json")
            if os.path.isfile(path):
                yield path
            inner = os.path.join(entry.path, "node_modules")
            if os.path.isdir(inner) and not os.path.islink(inner):
                waiting.append(inner)


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except OSError:
        return []
