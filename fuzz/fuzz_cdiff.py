"""ClamAV's differences: any script is carried out or refused, and any file around it likewise.

The first byte says whether the rest is a whole `.cdiff` or the script alone.
"""

from __future__ import annotations

import gzip
import io
import tempfile
from pathlib import Path

import fuzz_support

from tocsin.updates.sources.cdiff import apply_script, read_cdiff
from tocsin.updates.sources.errors import DifferenceError

_FILES = {"a.hdb": b"one\ntwo\nthree\nfour\n", "b.hdb": b"x\n", "c.hdb": b"no end", "d.hdb": b""}
_SCRIPTS = [
    b"OPEN a.hdb\nADD five\nDEL 1 one\nXCHG 3 t 3\nCLOSE\n",
    b"MOVE a.hdb b.hdb 2 tw 3 th\nUNLINK b.hdb\n",
    b"# x\nOPEN c.hdb\nDEL 1 no\nCLOSE\n",
    b"OPEN e.ndb\nADD n\nCLOSE\nOPEN e.ndb\nDEL 1 n\nCLOSE\n",
]
_WHOLE = [
    b"ClamAV-Diff:7:%d:" % len(script) + gzip.compress(script, mtime=0) + b":abc"
    for script in _SCRIPTS
]
SEEDS = [b"\0" + script for script in _SCRIPTS] + [b"\1" + data for data in _WHOLE]


def check(data: bytes) -> None:
    """Read and carry out; nothing outside its folder is touched."""
    script = io.BytesIO()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "members"
        folder.mkdir()
        for name, content in _FILES.items():
            (folder / name).write_bytes(content)
        try:
            if data[:1] == b"\1":
                read_cdiff(io.BytesIO(data[1:]), script, "x", key=None)
            else:
                script.write(data[1:])
            apply_script(folder, script)
        except DifferenceError as error:
            fuzz_support.require_words(error)
        else:
            assert all(path.is_file() and not path.is_symlink() for path in folder.iterdir())
            assert not any(path.name.endswith("-") for path in folder.iterdir())
        assert [path.name for path in Path(place).iterdir()] == ["members"]


if __name__ == "__main__":
    fuzz_support.fuzz(check, SEEDS)
