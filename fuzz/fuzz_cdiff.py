"""ClamAV's differences: any script is carried out or refused, and any file around it likewise.

The first byte says whether the rest is a whole `.cdiff` or the script alone.
"""

from __future__ import annotations

import gzip

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
    """Read and carry out; a script that is refused changes nothing."""
    before = dict(_FILES)
    try:
        script = read_cdiff(data[1:], "x", key=None).script if data[:1] == b"\1" else data[1:]
        after = apply_script(before, script)
    except DifferenceError as error:
        fuzz_support.require_words(error)
    else:
        assert apply_script(before, script) == after
        for name in after:
            assert "/" not in name
            assert not name.startswith(".")
    assert before == _FILES


if __name__ == "__main__":
    fuzz_support.fuzz(check, SEEDS)
