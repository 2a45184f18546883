"""Pages that are as in their files are let go, and come back when they are needed."""

from __future__ import annotations

import subprocess
import sys

from tocsin.engine.unused_pages import _clean

_LOOK = """
import hyperscan, yara_x
from tocsin.engine.unused_pages import let_go
def resident():
    with open("/proc/self/smaps_rollup") as file:
        return sum(int(line.split()[1]) for line in file if line.startswith("Pss_File"))
before = resident()
freed = let_go()
after = resident()
rules = yara_x.compile('rule a { strings: $a = "needle" condition: $a }')
assert [rule.identifier for rule in rules.scan(b"a needle").matching_rules] == ["a"]
print(before, after, freed >> 10)
"""


def test_what_libraries_needed_to_load_is_let_go() -> None:
    done = subprocess.run([sys.executable, "-c", _LOOK], capture_output=True, text=True, check=True)
    before, after, freed = map(int, done.stdout.split())
    assert after < before
    assert freed > 1 << 10


def test_nothing_that_is_the_processs_own() -> None:
    text = b"""\
7f0000000000-7f0000100000 r-xp 00000000 fe:00 11 /lib/code
Rss:                1024 kB
Shared_Dirty:          0 kB
Private_Dirty:         0 kB
Anonymous:             0 kB
Swap:                  0 kB
7f0000100000-7f0000200000 r--p 00100000 fe:00 11 /lib/relocated
Rss:                1024 kB
Shared_Dirty:          0 kB
Private_Dirty:         4 kB
Anonymous:             4 kB
Swap:                  0 kB
7f0000200000-7f0000300000 rw-p 00200000 fe:00 11 /lib/data
Rss:                1024 kB
Shared_Dirty:          0 kB
Private_Dirty:         0 kB
Anonymous:             0 kB
Swap:                  0 kB
7f0000300000-7f0000400000 r--p 00000000 00:00 0
Rss:                1024 kB
Shared_Dirty:          0 kB
Private_Dirty:         0 kB
Anonymous:             0 kB
Swap:                  0 kB
7f0000400000-7f0000500000 r--p 00300000 fe:00 11 /lib/swapped
Rss:                1024 kB
Shared_Dirty:          0 kB
Private_Dirty:         0 kB
Anonymous:             0 kB
Swap:                  4 kB
7f0000500000-7f0000600000 r--s 00000000 fe:00 12 /index
Rss:                1024 kB
Shared_Dirty:          0 kB
Private_Dirty:         0 kB
Anonymous:             0 kB
Swap:                  0 kB
"""
    assert _clean(text) == [(0x7F00_0000_0000, 0x7F00_0010_0000, 1 << 20)]
    assert _clean(b"") == []
