"""What a process may still do once it is confined."""

from __future__ import annotations

import os
import sys
from enum import Enum
from functools import lru_cache
from pathlib import Path
from typing import Final, NamedTuple

_LIBRARIES: Final = ("/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib")
_LINKER: Final = ("/etc/ld.so.cache",)
_OWN: Final = Path(__file__).resolve().parent.parent
_MIB: Final = 1 << 20


class Mechanism(Enum):
    """One of the kernel's ways to confine a process."""

    LANDLOCK = "landlock"
    SECCOMP = "seccomp"
    NAMESPACES = "namespaces"
    IDENTITY = "identity"
    RLIMITS = "rlimits"


ALL: Final = frozenset(Mechanism)


class Policy(NamedTuple):
    """What a process may still do.

    Attributes:
        readable: files, and folders with all beneath, that may be opened for reading; see
            `runtime_paths`.
        memory: bytes of address space it may map beyond what it has.
        cpu_seconds: CPU time over its whole life, what it has used included.
        open_files: descriptors may be numbered below this.
        use: the mechanisms to use where the kernel has them.
        sealed: no path can be opened at all; None decides by what the kernel offers: see
            `confine.needs_preload`.
        required: refuse to go on where what is essential is not to be had: a filter of system
            calls, and an identity other than root's.
        landlock_abi_at_most: use Landlock as an older kernel has it.
    """

    readable: tuple[Path, ...] = ()
    memory: int = 3072 * _MIB
    cpu_seconds: int = 3600
    open_files: int = 64
    use: frozenset[Mechanism] = ALL
    sealed: bool | None = None
    required: bool = False
    landlock_abi_at_most: int = 1_000


@lru_cache(maxsize=1)
def runtime_paths() -> tuple[Path, ...]:
    """What Python reads when it imports: its library, installed packages, shared libraries.

    Of what is on `sys.path`, only packages' folders and this package itself: the folder of the
    program that was started may be anyone's.
    """
    wanted = [os.path.dirname(os.__file__)]
    wanted += [entry for entry in sys.path if _holds_packages(entry)]
    wanted += [os.path.join(prefix, "lib") for prefix in (sys.base_prefix, sys.base_exec_prefix)]
    wanted += [str(_OWN), *_LIBRARIES, *_LINKER]
    found: dict[Path, None] = {}
    for path in sorted({Path(os.path.realpath(each)) for each in wanted if each}):
        if os.path.exists(path) and not any(parent in found for parent in path.parents):
            found[path] = None
    return tuple(found)


def _holds_packages(entry: str) -> bool:
    if not os.path.isabs(entry):
        return False
    if os.path.basename(entry) in ("site-packages", "dist-packages", "lib-dynload"):
        return True
    return Path(entry).suffix == ".zip" and Path(entry).is_relative_to(sys.base_prefix)
