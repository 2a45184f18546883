"""Keeps the samples of the default rules in a form that no scanner takes for the real thing.

A sample has to look like what its rule describes, so in the clear it would make every other
scanner flag this checkout (and rightly so).  The samples are therefore stored veiled: XORed with
a stream derived from the sample's name and written as base64 lines in ``veiled/<theme>.json``.
This is no protection and no secret; it only keeps the bytes from lying about.

A contributor sees and edits the samples of a theme as one text, the *bundle*::

    python tests/data/veil.py list                      # themes and sample names
    python tests/data/veil.py show webshells > /tmp/w.txt
    $EDITOR /tmp/w.txt
    python tests/data/veil.py store webshells /tmp/w.txt

A bundle is a sequence of samples, each opened by a header line::

    %%%% eval_post.php | Tocsin_PHP_WebShell_EvalRequest | why this sample is worth having
    <?php ... the complete text of the sample ...

The second field names the rules that must fire, separated by blanks; ``-`` marks a benign
look-alike on which no rule at all may fire.  Binary samples (shortcuts, notebooks) are built by
code in ``samples.py`` instead.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import sys
import textwrap
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

STORE = Path(__file__).with_name("veiled")
MARK = "%%%% "


@dataclass(frozen=True)
class Sample:
    """One file: its name, its bytes, the rules that must fire on it, and a note for the reader."""

    name: str
    data: bytes
    expect: frozenset[str]
    note: str = ""

    @property
    def benign(self) -> bool:
        """Whether no rule may fire on this sample."""
        return not self.expect


def _stream(name: str, length: int) -> bytes:
    blocks = (
        hashlib.sha256(f"tocsin sample {name} {number}".encode()).digest()
        for number in range(length // 32 + 1)
    )
    return b"".join(blocks)[:length]


def veil(name: str, data: bytes) -> list[str]:
    """Return *data* as lines of base64 in which nothing of it can be recognised."""
    mixed = bytes(a ^ b for a, b in zip(data, _stream(name, len(data)), strict=True))
    return textwrap.wrap(base64.b64encode(mixed).decode("ascii"), 96)


def unveil(name: str, lines: Iterable[str]) -> bytes:
    """Return the bytes that :func:`veil` hid under *name*."""
    mixed = base64.b64decode("".join(lines))
    return bytes(a ^ b for a, b in zip(mixed, _stream(name, len(mixed)), strict=True))


def parse_bundle(text: str) -> list[Sample]:
    """Read the samples of a bundle; raise :class:`ValueError` on a malformed one."""
    samples: list[Sample] = []
    names: set[str] = set()
    parts = ("\n" + text).split("\n" + MARK)
    if parts[0].strip():
        raise ValueError(f"a bundle begins with a line that starts with {MARK!r}")
    for part in parts[1:]:
        header, _, body = part.partition("\n")
        fields = [field.strip() for field in header.split("|", 2)]
        if len(fields) < 2 or not all(fields[:2]):
            raise ValueError(f"header without name and rules: {header!r}")
        name, rules = fields[0], fields[1].split()
        if name in names:
            raise ValueError(f"two samples are called {name!r}")
        names.add(name)
        data = (body.rstrip("\n") + "\n").encode("utf-8", "surrogateescape")
        expect = frozenset(() if rules == ["-"] else rules)
        samples.append(Sample(name, data, expect, fields[2] if len(fields) > 2 else ""))
    return samples


def format_bundle(samples: Iterable[Sample]) -> str:
    """Write *samples* as the bundle that :func:`parse_bundle` reads."""
    pieces = []
    for sample in samples:
        rules = " ".join(sorted(sample.expect)) or "-"
        header = " | ".join(field for field in (sample.name, rules, sample.note) if field)
        body = sample.data.decode("utf-8", "surrogateescape")
        pieces.append(f"{MARK}{header}\n{body}")
    return "".join(pieces)


def themes() -> list[str]:
    """Return the names of the stored themes, sorted."""
    return sorted(path.stem for path in STORE.glob("*.json"))


def load(theme: str) -> list[Sample]:
    """Return the unveiled samples of one theme."""
    stored = json.loads((STORE / f"{theme}.json").read_text(encoding="ascii"))
    return [
        Sample(name, unveil(name, entry["data"]), frozenset(entry["expect"]), entry["note"])
        for name, entry in stored.items()
    ]


def store(theme: str, samples: Iterable[Sample]) -> None:
    """Write the veiled samples of one theme, replacing what was there."""
    entries = {
        sample.name: {
            "expect": sorted(sample.expect),
            "note": sample.note,
            "data": veil(sample.name, sample.data),
        }
        for sample in samples
    }
    STORE.mkdir(exist_ok=True)
    text = json.dumps(entries, indent=1, ensure_ascii=True) + "\n"
    (STORE / f"{theme}.json").write_text(text, encoding="ascii")


def main(arguments: list[str] | None = None) -> int:
    """Run the command line described in the module's docstring."""
    parser = argparse.ArgumentParser(description="show and store the samples of the default rules")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("list", help="list themes and samples")
    show = commands.add_parser("show", help="print the bundle of a theme, in the clear")
    show.add_argument("theme")
    put = commands.add_parser("store", help="veil a bundle and store it as a theme")
    put.add_argument("theme")
    put.add_argument("bundle", type=Path, help="the bundle; - for standard input")
    options = parser.parse_args(arguments)
    if options.command == "list":
        for theme in themes():
            for sample in load(theme):
                rules = " ".join(sorted(sample.expect)) or "benign"
                print(f"{theme}\t{sample.name}\t{rules}")
    elif options.command == "show":
        text = format_bundle(load(options.theme))
        sys.stdout.buffer.write(text.encode("utf-8", "surrogateescape"))
    else:
        is_stdin = str(options.bundle) == "-"
        raw = sys.stdin.buffer.read() if is_stdin else options.bundle.read_bytes()
        store(options.theme, parse_bundle(raw.decode("utf-8", "surrogateescape")))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
