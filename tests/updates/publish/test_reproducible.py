"""The same sources give the same database, wherever, whenever and by whomever it is built."""

from __future__ import annotations

import hashlib
import os
import random
import shutil
import subprocess
import sys
from pathlib import Path

DATA = Path(__file__).resolve().parents[3] / "src" / "tocsin" / "data"
NAMES = ("test_files.hsb", "test_files.ndb", "test_files.ldb", "macros.yar", "rules.toml")

BUILD = """
import os, sys, time
os.umask(int(sys.argv[1], 8))
shift = float(sys.argv[2])
if shift:  # another day, for whatever asks
    real = time.time
    time.time = lambda: real() + shift
    os.environ["SOURCE_DATE_EPOCH"] = str(int(shift))
from pathlib import Path
from tocsin.updates.publish.build import build_from_sources
out, user = Path(sys.argv[3]), int(sys.argv[4])
sources = [(Path(p).name, Path(p)) for p in sys.argv[5:]]
if user:  # who may not read the interpreter's folder: so everything is loaded before
    build_from_sources(sources, out / "warm.tdb")
    (out / "warm.tdb").unlink()
    os.chown(out, user, user)
    os.setgroups([])
    os.setgid(user)
    os.setuid(user)
built = build_from_sources(sources, out / "out.tdb")
assert os.stat(out / "out.tdb").st_uid == os.getuid()
print(built.sha256, built.left_out)
"""


def build(folder: Path, seed: int, user: int, **environment: str) -> tuple[bytes, str]:
    """Build in a process of its own, with everything about it that may differ differing."""
    chance = random.Random(seed)
    place = folder / f"in-{seed}" / ("x" * (seed + 1))
    place.mkdir(parents=True)
    paths = []
    for name in (*NAMES, "list.hsb", "bad.ndb"):
        source = DATA / name
        if source.exists():
            shutil.copy(source, place / name)
        paths.append(str(place / name))
    lines = [f"{hashlib.sha256(bytes([n])).hexdigest()}:{n + 1}:T.{n}\n" for n in range(250)]
    (place / "list.hsb").write_text("".join(lines) + lines[3])
    (place / "bad.ndb").write_text("Good.One:0:*:6162636465\nnot a signature\n")
    chance.shuffle(paths)
    for path in paths:
        os.utime(path, (chance.randrange(2_000_000_000),) * 2)
        os.chmod(path, chance.choice((0o644, 0o664, 0o444)))
    out = folder / f"out-{seed}"
    out.mkdir()
    settings = [("077", "022", "000")[seed % 3], str(seed * 86_400_000), str(out), str(user)]
    done = subprocess.run(
        [sys.executable, "-c", BUILD, *settings, *paths],
        env={"PATH": os.environ["PATH"], "HOME": str(out), **environment},
        cwd=out,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return (out / "out.tdb").read_bytes(), done.stdout


def test_the_database_is_the_same_byte_for_byte(tmp_path) -> None:
    other = 0
    if os.geteuid() == 0:
        for folder in (tmp_path, *tmp_path.parents[:3]):
            folder.chmod(0o755)
        other = 65534
    first, said = build(tmp_path, 0, 0, PYTHONHASHSEED="0", TZ="UTC", LC_ALL="C")
    second, again = build(
        tmp_path, 1, other, PYTHONHASHSEED="1", TZ="Asia/Kathmandu", LC_ALL="tr_TR.UTF-8"
    )
    third, _ = build(tmp_path, 2, 0, PYTHONHASHSEED="4242", TZ="America/New_York", LANG="C.UTF-8")
    assert said == again
    assert said.split()[1] == "1"  # what is malformed is left out by all alike
    assert first == second == third
    assert b"out-" not in first
    assert str(tmp_path).encode() not in first


def test_another_source_gives_another_database(tmp_path) -> None:
    """The comparison above can fail."""
    from tocsin.updates.publish.build import build_from_sources

    found = set()
    for number in range(2):
        path = tmp_path / f"{number}.hsb"
        path.write_text(f"{hashlib.sha256(bytes([number])).hexdigest()}:1:T\n")
        out = tmp_path / f"{number}"
        out.mkdir()
        found.add(build_from_sources([("a.hsb", path)], out / "out.tdb").sha256)
    assert len(found) == 2
