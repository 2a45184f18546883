"""What all fuzz targets share: how they are started, and how tocsin is watched for coverage.

A target is a file `fuzz_NAME.py` with `SEEDS`, inputs to begin with, and `check(data)`, which
raises when a promise is broken. It can be imported without atheris; the tests do that and
feed the same checks from hypothesis.
"""

from __future__ import annotations

import atexit
import importlib
import os
import pkgutil
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

HERE = Path(__file__).resolve().parent
WATCHED = "TOCSIN_FUZZ_WATCHED"
"""Set in the environment of a process that fuzzes, so that imports are instrumented."""

for _place in (str(HERE), str(HERE.parent / "tests" / "unpack")):
    if _place not in sys.path:
        sys.path.insert(0, _place)


def watch() -> None:
    """Import all rooms below the command line, instrumented when this process fuzzes."""
    if not os.environ.get(WATCHED):
        return
    import atheris

    with atheris.instrument_imports(include=["tocsin"], enable_loader_override=False):
        import tocsin

        for module in pkgutil.walk_packages(tocsin.__path__, "tocsin."):
            if not module.name.startswith("tocsin.cli"):
                importlib.import_module(module.name)


def scratch(name: str) -> Path:
    """A folder for a target's files, which is gone when the process ends.

    A process that libFuzzer ends runs nothing of Python's: what such a one has left, and nobody
    uses any more, is removed by the next.

    Args:
        name: of the target.
    """
    clear_left(f"tocsin-fuzz-{name}-")
    folder = Path(tempfile.mkdtemp(prefix=f"tocsin-fuzz-{name}-{os.getpid()}-"))
    atexit.register(_remove_own, folder, os.getpid())
    return folder


def clear_left(prefix: str) -> None:
    """Remove folders of processes that are no more, by the number in their names."""
    for folder in Path(tempfile.gettempdir()).glob(f"{prefix}*-*"):
        number = folder.name.removeprefix(prefix).partition("-")[0]
        if number.isdigit() and not Path("/proc", number).exists():
            shutil.rmtree(folder, ignore_errors=True)


def _remove_own(folder: Path, owner: int) -> None:
    if os.getpid() == owner:  # children that were forked end as well
        shutil.rmtree(folder, ignore_errors=True)


def require_words(error: Exception) -> None:
    """An error of the package's own must tell a person something."""
    if not str(error).strip():
        raise AssertionError("an error without words") from error


def fuzz(check: Callable[[bytes], None], seeds: Iterable[bytes]) -> None:
    """Run a target until its time is over or it crashes; arguments are libFuzzer's."""
    import atheris

    folder = scratch("seeds")
    for number, seed in enumerate(seeds):
        (folder / f"seed-{number:03}").write_bytes(seed)
    atheris.Setup([*sys.argv, str(folder)], check)
    atheris.Fuzz()


watch()
