"""What is scanned and what with: samples of installed files, and sets of signatures.

Each is made once a run, in the run's temporary folder, in the same way every time; what is
not installed raises `Absent` with the reason, and the case is reported as skipped.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import random
import re
import subprocess
import tarfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import NamedTuple

SHARED = Path(__file__).resolve().parent.parent.parent / "shared" / "data" / "signatures"
REAL_SETS = ("main.ldb", "main.hdb", "daily.hsb", "daily.ndb", "twinclams.ldb")
SIGNATURE_BASE = "signature-base-yara.tar.gz"
MARKER = b"tocsin-bench-marker"
SEED = 20_240_229
MB = 1_000_000

_LARGEST_SYSTEM_FILE = 20 * MB
_UNSAFE = re.compile(r"[^A-Za-z0-9._+-]")


class Absent(Exception):
    """Something to measure with is not there; the message says what."""


class Sample(NamedTuple):
    """A folder of files to scan.

    Attributes:
        folder: holds copies and nothing else.
        files: how many.
        size: their bytes.
        digest: start of a SHA-256 over their contents in order, to compare runs by.
        about: where they come from.
    """

    folder: Path
    files: int
    size: int
    digest: str
    about: str

    def describe(self) -> str:
        """One sentence for the report."""
        return (
            f"{self.about}: {self.files} files, {self.size / MB:.1f} MB, "
            f"SHA-256 of their contents {self.digest}…"
        )


def pe_sample(folder: Path, budget: int) -> Sample:
    """Every fourth PE file of Debian's `libwine`, in sorted order, until `budget` bytes.

    Raises:
        Absent: the package is not installed.
    """
    paths = sorted(path for path in _libwine_files() if _is_pe(path))
    if not paths:
        raise Absent("no PE files: Debian's package libwine is not installed")
    return _copied(paths[::4], folder, budget, "every fourth PE file of libwine")


def system_sample(folder: Path, budget: int, roots: Sequence[str]) -> Sample:
    """Regular files of some folders, spread evenly over their sorted list.

    At least every eighth is taken, fewer where the folders are large; files above 20 MB are
    passed over, because one of them would be the whole sample.

    Raises:
        Absent: there are none.
    """
    found = dict(sorted(_regular_files(roots)))
    if not found:
        raise Absent(f"no regular files in {', '.join(roots)}")
    step = max(8, -(-sum(found.values()) // budget))
    return _copied(
        list(found)[::step], folder, budget, f"every {step}th file of {', '.join(roots)}"
    )


def real_sets(folder: Path, take_every: int) -> Path:
    """The five real sets, unpacked; every `take_every`th signature of each.

    Raises:
        Absent: `../shared/data/signatures` does not hold them.
    """
    missing = [name for name in REAL_SETS if not (SHARED / f"{name}.gz").is_file()]
    if missing:
        raise Absent(f"no real signature sets: {', '.join(missing)} not in ../shared")
    folder.mkdir()
    for name in REAL_SETS:
        with gzip.open(SHARED / f"{name}.gz") as packed, (folder / name).open("wb") as plain:
            plain.writelines(islice(packed, 0, None, take_every))
    return folder


def digest_sets(folder: Path, each: int) -> Path:
    """`each` random MD5 and as many random SHA-256 signatures, the same every time."""
    folder.mkdir()
    numbers = random.Random(SEED)
    for name, length in (("random.hdb", 16), ("random.hsb", 32)):
        with (folder / name).open("w", encoding="ascii") as file:
            for number in range(each):
                digest = numbers.randbytes(length).hex()
                file.write(f"{digest}:{numbers.randrange(1_000, 4_000_000)}:Bench.{number:07}\n")
    return folder


def signature_base(folder: Path, take_every: int) -> Path:
    """The rule files of signature-base, every `take_every`th of them.

    Raises:
        Absent: `../shared/data/signatures` does not hold it.
    """
    archive = SHARED / SIGNATURE_BASE
    if not archive.is_file():
        raise Absent(f"no YARA rules: {SIGNATURE_BASE} not in ../shared")
    folder.mkdir()
    with tarfile.open(archive) as packed:
        members = [
            m for m in packed.getmembers() if m.isfile() and m.name.endswith((".yar", ".yara"))
        ]
        for member in sorted(members, key=lambda m: m.name)[::take_every]:
            source = packed.extractfile(member)
            assert source is not None
            (folder / f"{Path(member.name).stem}.yar").write_bytes(source.read())
    return folder


def tiny_set(folder: Path) -> Path:
    """One signature each in a .ndb, a .hdb and a .yar; the first and the last find `MARKER`."""
    folder.mkdir()
    marker = MARKER.decode()
    (folder / "tiny.ndb").write_text(f"Bench.Body:0:*:{MARKER.hex()}\n", "ascii")
    digest = hashlib.md5(b"another file", usedforsecurity=False).hexdigest()
    (folder / "tiny.hdb").write_text(f"{digest}:12:Bench.Digest\n", "ascii")
    (folder / "tiny.yar").write_text(
        f'rule Bench {{ strings: $a = "{marker}" condition: $a }}\n', "ascii"
    )
    return folder


def small_file(path: Path, *, marked: bool = False) -> Path:
    """A file of one kilobyte of text in which nothing is found, or the marker is."""
    line = b"The quick brown fox jumps over the lazy dog. "
    path.write_bytes((line * 23)[:1000] + (MARKER if marked else b""))
    return path


def _libwine_files() -> Iterator[Path]:
    with suppress(OSError):
        listed = subprocess.run(
            ["dpkg", "-L", "libwine"], capture_output=True, text=True, check=False
        )
        for line in listed.stdout.splitlines():
            if "-windows/" in line:
                yield Path(line)


def _is_pe(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return not path.is_symlink() and file.read(2) == b"MZ"
    except OSError:
        return False


def _regular_files(roots: Sequence[str]) -> Iterator[tuple[str, int]]:
    for root in roots:
        for folder, _, names in os.walk(root):
            for name in names:
                path = os.path.join(folder, name)
                with suppress(OSError):
                    if os.path.islink(path) or not os.path.isfile(path):
                        continue
                    size = os.path.getsize(path)
                    if 0 < size <= _LARGEST_SYSTEM_FILE and os.access(path, os.R_OK):
                        yield path, size


def _copied(paths: Iterable[Path | str], folder: Path, budget: int, about: str) -> Sample:
    """Copies under names that no program needs to quote, in the same order.

    A file larger than a quarter of the budget is passed over: it would be most of the sample.
    """
    folder.mkdir()
    digest = hashlib.sha256()
    files = size = 0
    for path in paths:
        try:
            content = Path(path).read_bytes()
        except OSError:
            continue  # it went away since it was listed, or is not ours to read
        if len(content) > budget // 4:
            continue
        if size + len(content) > budget:
            break
        name = _UNSAFE.sub("_", Path(path).name)
        (folder / f"{files:05}-{name}").write_bytes(content)
        digest.update(hashlib.sha256(content).digest())
        files += 1
        size += len(content)
    return Sample(folder, files, size, digest.hexdigest()[:16], about)
