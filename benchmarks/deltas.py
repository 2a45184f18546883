"""What a day's delta costs: bytes, seconds and memory, beside general tools for differences.

    python benchmarks/deltas.py                  every case, some fifteen minutes
    python benchmarks/deltas.py bare named       these two
    python benchmarks/deltas.py --no-peers large

Databases are generated from a fixed seed, the text ones from the real sets in
`../shared/data/signatures`. Every program runs in a process of its own, started by
`launcher.py`; a peer's result is compared with what it should be, as tocsin does itself.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).resolve().parent
SEED = 20_261_128
TIMEOUT = 1_200
MAGIC = b"tocsin-database 1\n"
APPLY = (
    "import sys; from pathlib import Path; from tocsin.updates.delta import Digest, apply_delta;"
    "old, delta, out, sha256, length = sys.argv[1:];"
    "apply_delta(Path(old), Path(delta), Path(out), expected=Digest(sha256, int(length)))"
)
MAKE = (
    "import sys; from pathlib import Path; from tocsin.updates.delta import make_delta;"
    "print(make_delta(*map(Path, sys.argv[1:])))"
)


class Case(NamedTuple):
    """Databases to tell apart.

    Attributes:
        about: what is in them.
        digests: SHA-256 in the old one.
        named: whether they have sizes and names of their own.
        copies: how often the real sets are in it, under other names.
        added: records.
        removed: records.
        bsdiff: whether that peer is asked; it takes 17 times the file in memory.
    """

    about: str
    digests: int
    named: bool
    copies: int
    added: int
    removed: int
    bsdiff: bool = True


CASES = {
    "bare": Case("1,000,000 SHA-256", 1_000_000, False, 0, 3_000, 500),
    "named": Case("1,000,000 SHA-256 with sizes and names", 1_000_000, True, 0, 3_000, 500),
    "real": Case("five real sets and signature-base", 0, False, 1, 1_500, 300),
    "large": Case("8,700,000 signatures, 95 % digests", 8_265_000, True, 10, 26_100, 4_350, False),
}


class Took(NamedTuple):
    """What one run took: wall seconds, peak MiB; None with a reason when it failed."""

    seconds: float
    memory: float
    failed: str = ""


def main() -> int:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--no-peers", action="store_true")
    parser.add_argument("--folder", type=Path, help="keep databases and deltas here")
    parser.add_argument("--write", help=argparse.SUPPRESS)
    parser.add_argument("cases", nargs="*", choices=[*CASES, []], help=" ".join(CASES))
    stated = parser.parse_args()
    if stated.write:
        write_case(CASES[stated.write], stated.folder)
        return 0
    with tempfile.TemporaryDirectory(prefix="tocsin-deltas-") as scratch:
        for name in stated.cases or CASES:
            folder = (stated.folder or Path(scratch)) / name
            folder.mkdir(parents=True, exist_ok=True)
            # In a process of its own, so that this one stays small.
            command = [sys.executable, __file__, "--write", name, "--folder", str(folder)]
            subprocess.run(command, check=True)
            _measure(name, CASES[name], folder, peers=not stated.no_peers)
            if stated.folder is None:
                shutil.rmtree(folder)
    return 0


def _measure(name: str, case: Case, folder: Path, *, peers: bool) -> None:
    old, new, out = folder / "old", folder / "new", folder / "out"
    size = new.stat().st_size
    print(f"\n{name}: {case.about}, +{case.added:,} -{case.removed:,}, {size / 1e6:.1f} MB")
    print(f"{'':<22}{'bytes':>12} {'ratio':>7}{'make s':>9}{'MiB':>7}{'apply s':>9}{'MiB':>7}")
    python, sha256 = sys.executable, _sha256(new)
    delta = str(folder / "delta")
    ways = {
        "tocsin": (
            [python, "-c", MAKE, str(old), str(new), delta],
            [python, "-c", APPLY, str(old), delta, str(out), sha256, str(size)],
        )
    }
    if peers:
        ways |= _peers(case, str(old), str(new), delta, str(out), size)
    first = 0
    for way, (make, apply) in ways.items():
        for stale in (Path(delta), out):
            stale.unlink(missing_ok=True)
        if shutil.which(make[0]) is None:
            print(f"{way:<22}{'not installed':>12}")
            continue
        made = _run(make, folder)
        # The second of two runs, so that all read what is in memory.
        applied = (made if made.failed else _run(apply, folder, clear=out)) and (
            made if made.failed else _run(apply, folder, clear=out)
        )
        if applied.failed:
            print(f"{way:<22}failed: {applied.failed}")
            continue
        assert _sha256(out) == sha256, way
        taken = Path(delta).stat().st_size
        first = first or taken
        print(
            f"{way:<22}{taken:>12,} {taken / first:>7.2f}{made.seconds:>9.2f}{made.memory:>7.0f}"
            f"{applied.seconds:>9.2f}{applied.memory:>7.0f}",
            flush=True,
        )


def _peers(
    case: Case, old: str, new: str, delta: str, out: str, size: int
) -> dict[str, tuple[list[str], list[str]]]:
    window = f"--long={max(20, min(31, size.bit_length() + 1))}"
    held = str(max(size, 1 << 20))
    ways = {
        "xdelta3 -9": (
            ["xdelta3", "-9", "-S", "lzma", "-B", held, "-f", "-e", "-s", old, new, delta],
            ["xdelta3", "-f", "-B", held, "-d", "-s", old, delta, out],
        ),
        "zstd -12 --patch-from": (
            ["zstd", "-q", "-f", "-12", window, f"--patch-from={old}", new, "-o", delta],
            ["zstd", "-q", "-f", "-d", window, f"--patch-from={old}", delta, "-o", out],
        ),
        "zstd -12, all of it": (
            ["zstd", "-q", "-f", "-12", new, "-o", delta],
            ["zstd", "-q", "-f", "-d", delta, "-o", out],
        ),
    }
    if case.bsdiff:
        ways["bsdiff"] = (["bsdiff", old, new, delta], ["bspatch", old, out, delta])
    return ways


def _run(command: list[str], folder: Path, *, clear: Path | None = None) -> Took:
    if clear is not None:
        clear.unlink(missing_ok=True)
    program = shutil.which(command[0]) or command[0]
    error = folder / "stderr"
    starter = [sys.executable, "-I", "-S", str(HERE / "launcher.py"), str(TIMEOUT)]
    done = subprocess.run(
        [*starter, "/dev/null", str(error), program, *command[1:]],
        capture_output=True,
        text=True,
        check=True,
    )
    wall, _, _, peak, status, late = done.stdout.split()
    failed = "" if status == "0" else error.read_text(errors="replace").strip()[-200:] or status
    return Took(
        float(wall), float(peak) / 1024, f"not done in {TIMEOUT} s" if int(late) else failed
    )


# --- databases ----------------------------------------------------------------------------


def write_case(case: Case, folder: Path) -> None:
    """Write `old` and `new` into a folder; lines are those that `build_portable` would write."""
    rng = random.Random(SEED)
    spare = case.added * 2
    lines = _digest_lines(rng, case, case.digests + (spare if case.digests else 0))
    lines += _real_lines(folder, case.copies) if case.copies else []
    rng.shuffle(lines)
    added, removed = lines[: case.added], lines[case.added : case.added + case.removed]
    kept = lines[case.added + case.removed :]
    if case.digests and case.copies:
        kept = kept[: 8_700_000 - case.removed]
    elif case.digests:
        kept = kept[: case.digests - case.removed]
    sources = 1 + max(int(line.split(b"\t", 2)[1]) for line in lines)
    for name, rest, day in (("old", removed, "1"), ("new", added, "2")):
        _write_database(folder / name, kept + rest, sources, day)


def _digest_lines(rng: random.Random, case: Case, count: int) -> list[bytes]:
    families = [f"Win.{kind}.Family{n}" for n in range(200) for kind in ("Trojan", "Malware")]
    weights = [1 / (place + 1) for place in range(len(families))]
    drawn = iter(rng.choices(families, weights, k=count) if case.named else [""] * count)
    lines = []
    for serial in range(count):
        digest = rng.randbytes(32).hex()
        text = f"*:feed.{digest[:12]}:73"
        if case.named:
            size = int(2 ** rng.uniform(10, 22))
            size -= size % 512 if rng.random() < 0.6 else 0
            text = f"{size}:{next(drawn)}-{8_000_000 + serial}-0"
        lines.append(f"file-digest\t0\t\t{digest}:{text}\n".encode())
    return lines


def _real_lines(folder: Path, copies: int) -> list[bytes]:
    """Lines of the real sets; further copies have other names, and no digests or YARA among them.

    Ten sets of ClamAV's size are what a large database has; ten signature-bases nobody has, and
    what YARA-X makes of its rules in memory, 30 MiB for each thousand, would be what is measured.
    """
    from data import REAL_SETS, real_sets, signature_base
    from tocsin.database.inspect import gather
    from tocsin.database.portable import build_portable

    for stale in ("sets", "rules"):
        shutil.rmtree(folder / stale, ignore_errors=True)
    sets = real_sets(folder / "sets", 1)
    rules = signature_base(folder / "rules", 1)
    paths = [path for path in sets.iterdir() if path.name in REAL_SETS]
    data = build_portable(gather([*paths, rules], lenient=True).records)
    lines = [line + b"\n" for line in data.split(b"\n")[2:-1]]
    if copies == 1:
        return lines
    result = [line for line in lines if not line.split(b"\t", 1)[0].endswith(b"digest")]
    others = [line for line in result if not line.startswith(b"yara")]
    for number in range(1, copies):
        tail = b".copy%d" % number
        result += [
            line.replace(b";", tail + b";", 1)
            if line.startswith(b"logical")
            else line.replace(b":", tail + b":", 1)
            for line in others
        ]
    return result


def _write_database(path: Path, lines: Iterable[bytes], sources: int, day: str) -> None:
    held = sorted(set(lines))
    counts = Counter(line.partition(b"\t")[0].decode() for line in held)
    names = [
        {
            "name": f"source-{number:05}",
            "sha256": hashlib.sha256(
                f"{number} {day if number % 50 == 0 else ''}".encode()
            ).hexdigest(),
            "author": "",
            "licence": "",
            "signed": False,
            "version": day,
        }
        for number in range(sources)
    ]
    header = {"body_bytes": sum(map(len, held)), "counts": dict(counts), "sources": names}
    state = hashlib.sha256(_packed(header) + b"\n")
    for line in held:
        state.update(line)
    header["sha256"] = state.hexdigest()
    with path.open("wb") as file:
        file.write(MAGIC + _packed(header) + b"\n")
        file.writelines(held)


def _packed(header: object) -> bytes:
    return json.dumps(header, sort_keys=True, separators=(",", ":")).encode()


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


if __name__ == "__main__":
    sys.exit(main())
