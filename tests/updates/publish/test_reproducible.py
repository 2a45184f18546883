"""The same sources give the same database, wherever, whenever and by whomever it is published.

Two versions are published in a process of its own by `publish add`'s code, and what devices fetch
is compared byte for byte with what another process made, in which one thing about it differs: the
time, the locale, the user, or the order of what is in the folder. CI runs this (`.ci/run`), and
installs what the clock and the locale need.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

TESTS = Path(__file__).resolve().parents[2]
DATA = TESTS.parent / "src" / "tocsin" / "data"
NAMES = ("test_files.hsb", "test_files.ndb", "test_files.ldb", "macros.yar", "rules.toml")
NOBODY = 65_534

PUBLISH = """
import json, locale, os, sys, time
from datetime import UTC, datetime
from pathlib import Path
from updates.publish.publisher_kit import World
from tocsin.updates.publish.add import add_database

told = json.loads(sys.argv[1])
place = Path(told["place"])
said = {"locale": locale.setlocale(locale.LC_ALL, ""), "year": datetime.now(UTC).year}
said["clock"] = time.gmtime(time.time()).tm_year
os.umask(int(told["umask"], 8))

def publish(folder):
    folder.mkdir()
    world = World(folder).begin()
    world.now = datetime.now(UTC)
    added = [add_database(world.session(), place / name, None) for name in ("one.toml", "two.toml")]
    return [one.left_out for one in added]

if told["user"]:  # who may not read the interpreter's folder: so everything is loaded before
    publish(place / "warm")
    os.chown(place, told["user"], told["user"])
    os.setgroups([])
    os.setgid(told["user"])
    os.setuid(told["user"])
said["left_out"] = publish(place / "out")
said["owner"] = (place / "out" / "publisher" / "repository" / "targets").stat().st_uid
said["hash"] = hash("a seed") & 0xFFFF
print(json.dumps(said))
"""


def sources(place: Path, chance: random.Random) -> None:
    """Two files of sources, in an order of chance, of files whose times and rights are too."""
    lines = [f"{hashlib.sha256(bytes([n])).hexdigest()}:{n + 1}:T.{n}\n" for n in range(250)]
    made = {
        "one.hsb": "".join(lines[:240]) + lines[3],
        "two.hsb": "".join(lines[5:]),
        "bad.ndb": "Good.One:0:*:6162636465\nnot a signature\n",
    }
    files = [*(name for name in NAMES if (DATA / name).exists()), *made]
    for name in chance.sample(files, len(files)):
        if name in made:
            (place / name).write_text(made[name])
        else:
            shutil.copy(DATA / name, place / name)
        os.utime(place / name, (chance.randrange(2_000_000_000),) * 2)
        (place / name).chmod(chance.choice((0o644, 0o664, 0o444)))
    for pinned, left in (("one.toml", "two.hsb"), ("two.toml", "one.hsb")):
        tables = []
        for name in chance.sample(files, len(files)):
            sha256 = hashlib.sha256((place / name).read_bytes()).hexdigest()
            if name != left:
                tables.append(
                    f'[[source]]\nname = "{name}"\npath = "{name}"\nsha256 = "{sha256}"\n'
                )
        (place / pinned).write_text("".join(tables))


def published(
    place: Path, *, seed: int = 0, umask: str = "022", user: int = 0, **environment: str
) -> tuple[dict[str, bytes], dict[str, Any]]:
    """What devices fetch, by name, and what the process says of its surroundings."""
    place.mkdir(parents=True)
    sources(place, random.Random(seed))
    told = {"place": str(place), "umask": umask, "user": user}
    done = subprocess.run(
        [sys.executable, "-c", PUBLISH, json.dumps(told)],
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(place),
            "PYTHONPATH": str(TESTS),
            "PYTHONHASHSEED": "0",
            "TZ": "UTC",
            "LC_ALL": "C",
            **environment,
        },
        cwd=place,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    folder = place / "out" / "publisher" / "repository" / "targets"
    found = {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }
    return found, json.loads(done.stdout)


@pytest.fixture(scope="module")
def plain_day(tmp_path_factory) -> tuple[dict[str, bytes], dict[str, Any]]:
    """What is published where nothing is special."""
    found, said = published(tmp_path_factory.mktemp("first") / "place")
    assert said["left_out"] == [1, 1]  # what is malformed is left out by all alike
    assert [name.partition("/")[0] for name in sorted(found)] == ["databases"] * 2 + ["deltas"]
    return found, said


@pytest.fixture(scope="module")
def first(plain_day) -> dict[str, bytes]:
    return plain_day[0]


def test_another_order_folder_umask_and_seed(plain_day, tmp_path) -> None:
    place = tmp_path / ("x" * 40)
    found, said = published(place, seed=7, umask="077", PYTHONHASHSEED="4242")
    assert found == plain_day[0]
    assert said["hash"] != plain_day[1]["hash"]


@pytest.mark.parametrize("zone", ["Asia/Kathmandu", "America/New_York"])
def test_another_day_in_another_zone(first, tmp_path, zone: str) -> None:
    """The clock of the whole process is set, for whatever asks it."""
    libraries = sorted(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))
    if not libraries:
        pytest.skip("libfaketime sets the clock; install the package faketime")
    day = {"Asia/Kathmandu": "2037-02-28 23:59:59", "America/New_York": "2027-07-01 00:00:00"}
    clock = {
        "LD_PRELOAD": str(libraries[0]),
        "FAKETIME": day[zone],
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "FAKETIME_DISABLE_SHM": "1",
        "SOURCE_DATE_EPOCH": "1",
    }
    found, said = published(tmp_path / "place", TZ=zone, **clock)
    assert said["year"] == said["clock"] == int(day[zone][:4])
    assert found == first


@pytest.mark.parametrize("wanted", ["C.UTF-8", "tr_TR.UTF-8"])
def test_another_locale(first, tmp_path, wanted: str) -> None:
    """Turkish has two letters i, and sorts, writes numbers and days its own way."""
    there = {}
    if wanted != "C.UTF-8":
        there["LOCPATH"] = made_locale(tmp_path, wanted)
    found, said = published(tmp_path / "place", LC_ALL=wanted, **there)
    assert said["locale"].replace("utf8", "UTF-8") == wanted
    assert found == first


def made_locale(folder: Path, name: str) -> str:
    """A folder of locales with this one, for the C library of the process."""
    if shutil.which("localedef") is None:
        pytest.skip("localedef makes a locale; it is in the package libc-bin")
    language, _, coding = name.partition(".")
    command = ["localedef", "-i", language, "-f", coding, str(folder / name)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if not (folder / name).is_dir():
        pytest.skip(f"there is no locale {name}; install the package locales ({done.stderr[:80]})")
    return str(folder)


def test_another_user(first, tmp_path) -> None:
    if os.geteuid():
        pytest.skip("only root may become another user")
    for folder in (tmp_path, *tmp_path.parents):
        if "pytest-" in str(folder):  # those that pytest made for itself
            folder.chmod(0o755)
    found, said = published(tmp_path / "place", user=NOBODY)
    assert said["owner"] == NOBODY
    assert found == first


def test_nothing_of_the_machine_is_in_it(first) -> None:
    import zstandard

    for name, data in first.items():
        if name.startswith("databases/"):
            plain = zstandard.ZstdDecompressor().decompress(data)
            for trace in (str(TESTS), "/tmp", "place", os.uname().nodename, "publisher"):
                assert trace.encode() not in plain


def test_another_source_gives_another_database(tmp_path) -> None:
    """The comparisons above can fail."""
    from tocsin.updates.publish.build import build_from_sources

    found = set()
    for number in range(2):
        path = tmp_path / f"{number}.hsb"
        path.write_text(f"{hashlib.sha256(bytes([number])).hexdigest()}:1:T\n")
        out = tmp_path / f"{number}"
        out.mkdir()
        found.add(build_from_sources([("a.hsb", path)], out / "out.tdb").sha256)
    assert len(found) == 2
