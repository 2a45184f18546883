"""What the on-access guard costs: each opening, and a real build.

    python benchmarks/guard.py                  # as root; about a minute
    python benchmarks/guard.py --skip-build
    python benchmarks/guard.py --source FOLDER  # C that `make -j2` builds after ./configure

The openings are measured on a loop-mounted ext4 of its own. The build is of a program from
Debian's sources, with `/usr` and the build's folder guarded, so that compiler, headers and
everything that the build makes is looked at; it is done by turns without and with the guard.
While that runs, everything that is opened on the file system of `/usr` passes the guard.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "tests"))

from protect.guard_machine import Machine, mounted, why_not  # noqa: E402
from tocsin.settings import GuardSettings  # noqa: E402

PACKAGE = "zlib"
FILES = 400
ROUNDS = 20
BUILDS = 3


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--source", type=Path)
    parser.add_argument("--skip-build", action="store_true")
    chosen = parser.parse_args()
    reason = why_not()
    if reason:
        print(f"skipped: {reason}")
        return 0
    with tempfile.TemporaryDirectory(prefix="tocsin-guard-") as name:
        openings(Path(name))
        if not chosen.skip_build:
            build(Path(name), chosen.source)
    return 0


def openings(folder: Path) -> None:
    """Print what an opening costs."""
    with mounted(folder / "disk", "ext4") as disk:
        (disk / "guarded").mkdir()
        (disk / "outside").mkdir()
        roots = make_files(disk / "guarded", "root", 0)
        users = make_files(disk / "guarded", "user", 65534)
        outside = make_files(disk / "outside", "file", 0)
        time.sleep(0.2)
        unguarded = cost([*roots, *users], ROUNDS)
        print(f"{FILES} files of 20 kB each, microseconds an opening:")
        print(f"  unguarded                                {unguarded:8.1f}")
        whole = GuardSettings(enabled=True, file_systems=(str(disk),), fallback="deny")
        with Machine(whole) as machine:
            warm(machine, disk)
            print(f"  first, looked at, one after the other    {cost(roots, 1):8.1f}")
            print(f"  second, by the kernel's mark             {cost(roots, ROUNDS):8.1f}")
            print(f"  first, of a user's file                  {cost(users, 1):8.1f}")
            print(f"  second, remembered by the guard          {cost(users, ROUNDS):8.1f}")
        part = GuardSettings(enabled=True, folders=(str(disk / "guarded"),), fallback="deny")
        with Machine(part) as machine:
            warm(machine, disk)
            print(f"  outside of the guarded folder            {cost(outside, ROUNDS):8.1f}")


def make_files(folder: Path, name: str, owner: int) -> list[str]:
    """Files of random bytes."""
    paths = []
    for number in range(FILES):
        path = folder / f"{name}-{number}"
        path.write_bytes(os.urandom(20_000))
        os.chown(path, owner, owner)
        paths.append(str(path))
    return paths


def warm(machine: Machine, disk: Path) -> None:
    """Have the engine there, with all its workers."""
    machine.start_host()
    for number in range(8):
        path = disk / "guarded" / f"warm-{number}"
        path.write_bytes(b"%d" % number)
        path.read_bytes()
    time.sleep(1)


def cost(paths: Sequence[str], rounds: int) -> float:
    """Microseconds of opening and closing each file, the median of the rounds."""
    taken = []
    for _ in range(rounds):
        start = time.perf_counter()
        for path in paths:
            os.close(os.open(path, os.O_RDONLY))
        taken.append((time.perf_counter() - start) / len(paths) * 1e6)
    return statistics.median(taken)


def build(folder: Path, source: Path | None) -> None:
    """Print what a build costs."""
    tree = folder / "build"
    if source is not None:
        shutil.copytree(source, tree, symlinks=True)
    else:
        reason = fetch(folder, tree)
        if reason:
            print(f"build: skipped: {reason}")
            return
    configured = subprocess.run(["./configure"], cwd=tree, capture_output=True, check=False)
    if configured.returncode:
        print("build: skipped: ./configure failed")
        return
    seconds_to_build(tree)  # everything in the page cache
    without: list[float] = []
    guarded: list[float] = []
    settings = GuardSettings(enabled=True, folders=("/usr", str(tree)), fallback="deny")
    state = {}
    for _ in range(BUILDS):
        without.append(seconds_to_build(tree))
        with Machine(settings) as machine:
            machine.start_host()
            cold = seconds_to_build(tree)
            guarded.append(seconds_to_build(tree))
            machine.listen(1.5)
            state = machine.state
    before, after = statistics.median(without), statistics.median(guarded)
    print(f"make -j2 of {source or PACKAGE}, seconds, median of {BUILDS}:")
    print(f"  unguarded                                {before:8.2f}")
    print(f"  guarded                                  {after:8.2f}   ({after / before:.2f} times)")
    print(f"  guarded, nothing remembered yet (last)   {cold:8.2f}   ({cold / before:.2f} times)")
    counts = ("events", "outside", "remembered", "looks", "ignored", "timed_out")
    print("  " + ", ".join(f"{name} {state.get(name, 0):,}" for name in counts))


def seconds_to_build(tree: Path) -> float:
    """Build from the beginning."""
    subprocess.run(["make", "clean"], cwd=tree, capture_output=True, check=False)
    start = time.perf_counter()
    subprocess.run(["make", "-j2"], cwd=tree, capture_output=True, check=True)
    return time.perf_counter() - start


def fetch(folder: Path, tree: Path) -> str:
    """Have a source package unpacked; why it was not, or empty."""
    if shutil.which("apt-get") is None or shutil.which("cc") is None:
        return "no apt-get or no compiler"
    parts = folder / "parts"
    parts.mkdir()
    for place in Path("/etc/apt/sources.list.d").glob("*.sources"):
        text = place.read_text().replace("Types: deb\n", "Types: deb-src\n")
        (parts / place.name).write_text(text)
    (folder / "lists" / "partial").mkdir(parents=True)
    options = ["-o", "Dir::Etc::sourcelist=/dev/null", "-o", f"Dir::Etc::sourceparts={parts}"]
    options += ["-o", f"Dir::State::lists={folder / 'lists'}", "-o", "APT::Sandbox::User=root"]
    for command in (["update"], ["source", "--download-only", PACKAGE]):
        done = subprocess.run(
            ["apt-get", *options, *command], cwd=folder, capture_output=True, text=True, check=False
        )
        if done.returncode:
            return f"apt-get {command[0]}: {done.stderr.strip().splitlines()[-1]}"
    archives = sorted(folder.glob("*.orig.tar.*"))
    tree.mkdir()
    unpack = ["tar", "-xf", str(archives[0]), "-C", str(tree), "--strip-components=1"]
    subprocess.run(unpack, check=True)
    return ""


if __name__ == "__main__":
    raise SystemExit(main())
