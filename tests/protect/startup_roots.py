"""A file system of a machine that starts all sorts of things, made below a folder."""

from __future__ import annotations

import os
from pathlib import Path

PASSWD = """\
root:x:0:0:root:/root:/bin/bash
anna:x:1000:1000::/home/anna:/bin/zsh
bob:x:1001:1001::/home/bob:/bin/sh
nobody:x:65534:65534::/nonexistent:/usr/sbin/nologin
broken line
"""
RELEASE = "6.1.0"

PROGRAM = "#!/bin/sh\n:\n"


def plant(root: Path, path: str, text: str = "", mode: int = 0o644) -> Path:
    """Write a file below a root."""
    place = root / path.lstrip("/")
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(text)
    place.chmod(mode)
    return place


def program(root: Path, path: str, text: str = PROGRAM) -> Path:
    """Write something that can be run."""
    return plant(root, path, text, 0o755)


def machine(root: Path) -> Path:
    """A root with accounts and shells, and nothing that is started yet."""
    plant(root, "/etc/passwd", PASSWD)
    for home in ("root", "home/anna", "home/bob"):
        (root / home).mkdir(parents=True)
    for name in ("sh", "bash", "env", "run-parts", "python3", "nice", "test", "timeout"):
        program(root, f"/usr/bin/{name}")
    os.symlink("usr/bin", root / "bin")
    return root
