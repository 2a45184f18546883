"""The settings file: whatever stands in it, it is read, or every mistake is named by its line."""

from __future__ import annotations

from pathlib import Path

import fuzz_support

from tocsin.errors import InvalidSettings
from tocsin.protect.configuration.describe import in_force, template, written
from tocsin.protect.configuration.load import load_text

SEEDS = [
    template().encode(),
    b'[scan]\njobs = 2\ntimeout = "1h30m"\nmax_file_size = "1.5G"\npasswords = ["a", \'b\']\n',
    b'[[task]]\nname = "n"\nkind = "custom"\nat = "*/5 0-3 1,2 jan mon"\npaths = ["/srv"]\n',
    b'[[forward]]\nname = "w"\nkind = "webhook"\ntarget = "https://u:p@h:8/x?y"\n'
    b'headers = { "X-A" = """b""", c.d = 1 }\n',
    b'[daemon]\ntcp = "[::1]:3310"\nsocket_mode = "0660"\n[on_finding]\nmail_to = ["a@b.c"]\n',
]


def check(data: bytes) -> None:
    """Only `InvalidSettings`, with a line that there is and words; what is read can be shown."""
    text = data.decode("utf-8", "replace")
    try:
        loaded = load_text(text, Path("/fuzz.toml"))
    except InvalidSettings as error:
        fuzz_support.require_words(error)
        for problem in error.problems:
            assert 0 <= problem.line <= text.count("\n") + 1, problem
            assert problem.reason, problem
        return
    for row in in_force(loaded):
        written(row.key, row.value)


if __name__ == "__main__":
    fuzz_support.fuzz(check, SEEDS)
