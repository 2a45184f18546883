"""tocsin against clamscan with published signatures, where they are there.

`../shared/data/signatures` beside the checkout holds them; they are not part of this project.
`TOCSIN_DIFFERENTIAL`, whatever it says, takes all files and ten times the patterns: clamscan needs
20 minutes for them.
"""

from __future__ import annotations

import gzip
import os
import random
import re
import shutil
import sys
from collections.abc import Iterator
from email.message import EmailMessage
from itertools import islice
from pathlib import Path

import pytest

from differential import hosts, patterns
from differential.explained import CONTAINER_DIFFERENCES
from differential.oracle import ask_clamscan, ask_tocsin, require_clamscan, write_files
from unpack.pdf_samples import document, flate

SETS = Path(__file__).resolve().parents[3] / "shared" / "data" / "signatures"
LIBRARIES = Path("/usr/lib/x86_64-linux-gnu/wine/x86_64-windows")
PROGRAMS = Path("/usr/bin")
TESTFILES = Path("/usr/share/clamav-testfiles")
FOLDERS = (Path("/usr/share"), Path(sys.prefix))
DOCUMENTS = ("pdf", "html", "htm", "js", "svg", "xml", "gz", "zip", "jar", "whl", "eml", "chm")
MAX_DOCUMENT = 1 << 20
OF_EACH_KIND = 4
WIDE = "TOCSIN_DIFFERENTIAL" in os.environ
MAX_PROGRAM = (64 << 20) if WIDE else (300 << 10)  # clamscan takes a second a megabyte
PROGRAMS_WANTED = 5000 if WIDE else 100
PLANTED_EVERY = {"large": 8, "small": 1} if WIDE else {"large": 80, "small": 12}
MAX_PATTERN = 4000
SHOWN = 20


_NUMBER = re.compile(r"^[0-9]{4}-")
"""Keeps files of the same name apart."""


@pytest.fixture(scope="module")
def real_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The published sets, unpacked into a folder."""
    require_clamscan()
    packed = sorted(SETS.glob("*.*db.gz"))
    if not packed:
        pytest.skip(f"no published signatures in {SETS}")
    folder = tmp_path_factory.mktemp("sets")
    for path in packed:
        (folder / path.stem).write_bytes(gzip.decompress(path.read_bytes()))
    return folder


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the index is kept; xdist's workers share it, because it takes half a minute to make."""
    base = tmp_path_factory.getbasetemp()
    folder = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    return folder / "index-of-real-sets"


def _some(folder: Path) -> list[Path]:
    """Programs of a folder, evenly chosen among those that are not too large."""
    files = sorted(p for p in folder.glob("*") if p.is_file() and not p.is_symlink())
    fit = [path for path in files if path.stat().st_size <= MAX_PROGRAM]
    return fit[:: max(1, len(fit) // PROGRAMS_WANTED)]


def _differences(database: Path, target: Path, cache: Path) -> list[str]:
    theirs = ask_clamscan(database, target)
    ours = ask_tocsin(database, target, cache)
    assert theirs is not None, "clamscan refuses the published signatures"
    assert ours is not None, "tocsin refuses the published signatures"
    return [
        f"{file}: only {'tocsin' if name in ours[file] else 'clamscan'}: {name}"
        for file in sorted(theirs)
        for name in sorted(theirs[file] ^ ours[file])
        if not any(known.explains(_NUMBER.sub("", file), name) for known in CONTAINER_DIFFERENCES)
    ]


@pytest.mark.slow
def test_clean_programs_have_the_same_verdicts(
    real_database: Path, cache: Path, tmp_path: Path
) -> None:
    chosen = _some(LIBRARIES) + _some(PROGRAMS)
    if not chosen:
        pytest.skip("neither Wine's libraries nor programs are installed")
    folder = tmp_path / "files"
    folder.mkdir()
    for number, path in enumerate(chosen):
        shutil.copyfile(path, folder / f"{number:04}-{path.name}")
    found = _differences(real_database, folder, cache)
    assert not found, "\n".join(found[:SHOWN])


_FREE = re.compile(r"[0-9a-fA-F?*{}()|!\[\]BLW-]+\Z")


def _planted(database: Path, rng: random.Random) -> dict[str, bytes]:
    """Files in which patterns of the published sets were realised."""
    files = {}
    for path in sorted(database.glob("*.[ln]db")):
        lines = path.read_text(encoding="latin-1").splitlines()
        lines = [line for line in lines if line and not line.startswith("#")]
        step = PLANTED_EVERY["large" if len(lines) > 5000 else "small"]
        for number, line in enumerate(lines[::step]):
            data = _realised(line, rng)
            if data is not None:
                files[f"{path.stem}-{number:05}"] = data
    return files


def _realised(line: str, rng: random.Random) -> bytes | None:
    if ";" in line:
        fields = line.split(";")
        target = re.search(r"Target:(\d+)", fields[1])
        texts = [field.split("::")[0].split(":") for field in fields[3:]]
    else:
        ndb = line.split(":")
        target = re.match(r"(\d+)", ndb[1])
        texts = [ndb[2:4]]
    number = int(target[1]) if target else 0
    if number not in (0, 1, 6, 14):
        return None
    data = hosts.make_host(rng, number)
    out = data.data
    for text in texts:
        pattern = text[-1]
        if len(pattern) > MAX_PATTERN or not _FREE.match(pattern):
            continue
        piece = patterns.realise(pattern, rng, slip=0.03)
        place = len(out)
        if len(text) > 1 and text[0].split(",")[0].isdigit():
            place = int(text[0].split(",")[0])
            if place > 1 << 20:
                continue
        elif len(text) > 1 and text[0].split("+")[0] in data.anchors:
            place = data.anchors[text[0].split("+")[0]]
        out = hosts.plant(data._replace(data=out), place, piece)
    return out


def _in_mail(data: bytes) -> bytes:
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "a@example.com", "b@example.com", "a file"
    mail.set_content("see attached\n")
    mail.add_attachment(data, maintype="application", subtype="octet-stream", filename="a.bin")
    return mail.as_bytes()


def _wrapped(data: bytes, rng: random.Random) -> bytes:
    """The data in one to three containers."""
    for _ in range(rng.choice((1, 1, 2, 3))):
        kind = rng.choice([*hosts.CONTAINERS, "mail", "document"])
        if kind == "mail":
            data = _in_mail(data)
        elif kind == "document":
            data = document({5: flate(data)})
        else:
            assert isinstance(kind, hosts.Container)
            data = hosts.wrap(kind, data)
    return data


@pytest.mark.slow
def test_realised_patterns_have_the_same_verdicts(
    real_database: Path, cache: Path, tmp_path: Path
) -> None:
    rng = random.Random(7)
    planted = _planted(real_database, rng)
    files = {
        name: _wrapped(data, rng) if number % 2 else data
        for number, (name, data) in enumerate(planted.items())
    }
    folder = write_files(tmp_path / "files", files)
    found = _differences(real_database, folder, cache)
    assert not found, f"{len(found)} of {len(files)}:\n" + "\n".join(found[:SHOWN])


def _documents() -> Iterator[Path]:
    """Wrapped and written files as the system has them."""
    if TESTFILES.is_dir():
        yield from sorted(p for p in TESTFILES.iterdir() if p.stat().st_size < MAX_DOCUMENT)
    for ending in DOCUMENTS:
        found = sorted(path for folder in FOLDERS for path in folder.rglob(f"*.{ending}"))
        files = (path for path in found if path.is_file() and path.stat().st_size < MAX_DOCUMENT)
        yield from islice(files, OF_EACH_KIND)


@pytest.mark.slow
def test_documents_have_the_same_verdicts(real_database: Path, cache: Path, tmp_path: Path) -> None:
    folder = tmp_path / "files"
    folder.mkdir()
    for number, path in enumerate(_documents()):
        shutil.copyfile(path, folder / f"{number:04}-{path.name}")
    if not any(folder.iterdir()):
        pytest.skip("this system has no documents")
    found = _differences(real_database, folder, cache)
    assert not found, "\n".join(found[:SHOWN])
