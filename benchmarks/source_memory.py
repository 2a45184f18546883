"""What large sources and their index take: seconds and memory, each in a process of its own.

    python benchmarks/source_memory.py                          every case
    python benchmarks/source_memory.py --scale 0.1 cvd csv      smaller ones of these
    python benchmarks/source_memory.py --code ../other/src index   of another checkout

A server on loopback serves what is generated from a fixed seed: a CVD of three million SHA-256
with sizes and names, signed by keys of this program's tests; the difference to the next version;
an abuse.ch CSV of a million rows. `index` is the making of a machine index of three million
signatures, of which 95 % are digests and the rest from the real sets (`deltas.py`'s case `large`;
`--scale 2.9` are all 8.7 million of it).
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import os
import random
import shutil
import subprocess
import sys
import tarfile
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import ModuleType

HERE = Path(__file__).resolve().parent
SEED = 20_261_129
SIGNATURES, ROWS, INDEXED = 3_000_000, 1_000_000, 3_000_000
GONE, NEW = 500, 3_000
TIMEOUT = 3_600

_FETCH = """
import sys; from pathlib import Path
sys.path[:0] = [{tests!r}]
from tocsin.updates.sources.catalogue import KNOWN, parse_source
from tocsin.updates.sources.clamav import Options, Trust
from tocsin.updates.sources.fetch import Wishes, fetch_source
from tocsin.signatures.clamav.cvd import PublicKey
keys = [PublicKey(*pair) for pair in {keys!r}]
options = Options(({url!r},), attempts=1, trust=Trust(keys[0], keys[1], keys[1]))
wishes = Wishes(databases=("main",), dns_record="", clamav=options)
feed = "feed=digests:" + {url!r} + "/feed.csv"
spec = KNOWN["clamav"] if {kind!r} == "clamav" else parse_source(feed)
(row,) = fetch_source(spec, Path({folder!r}), wishes)
assert row.changed
print(row.signatures, row.file.stat().st_size)
"""
_INDEX = """
import tempfile; from pathlib import Path
from tocsin.database.index_build import build_index
with tempfile.TemporaryFile(dir={folder!r}) as file:
    build_index([Path({database!r})], file, lenient=True)
    print(file.seek(0, 2))
"""


def main() -> int:
    """Parse, generate, measure, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--scale", type=float, default=1.0, help="part of the usual numbers")
    parser.add_argument("--code", type=Path, default=HERE.parent / "src", help="of tocsin")
    parser.add_argument("--folder", type=Path, help="keep what is generated here")
    names = ["cvd", "cdiff", "csv", "index"]
    parser.add_argument("cases", nargs="*", choices=[*names, []], help=" ".join(names))
    asked = parser.parse_args()
    cases = asked.cases or names
    with tempfile.TemporaryDirectory(prefix="tocsin-sources-") as scratch:
        made = asked.folder or Path(scratch) / "made"
        made.mkdir(parents=True, exist_ok=True)
        print(f"{'':<8}{'input bytes':>14}{'seconds':>10}{'MiB':>8}   result")
        with _served(made) as url:
            place = Path(scratch) / "brought"
            if {"cvd", "cdiff"} & set(cases):
                _cvd(made, 1, int(SIGNATURES * asked.scale))
                _show("cvd", made / "main.cvd", _fetch(asked.code, "clamav", url, place))
            if "cdiff" in cases:
                _cvd(made, 2, int(SIGNATURES * asked.scale))
                _show("cdiff", made / "main-2.cdiff", _fetch(asked.code, "clamav", url, place))
            if "csv" in cases:
                _csv(made / "feed.csv", int(ROWS * asked.scale))
                place = Path(scratch) / "feed"
                _show("csv", made / "feed.csv", _fetch(asked.code, "digests", url, place))
        if "index" in cases:
            database = _database(made, INDEXED * asked.scale / 8_700_000)
            code = _INDEX.format(folder=scratch, database=str(database))
            _show("index", database, _run(asked.code, code))
    return 0


def _show(name: str, path: Path, took: tuple[float, float, str]) -> None:
    seconds, memory, said = took
    size = path.stat().st_size
    print(f"{name:<8}{size:>14,}{seconds:>10.1f}{memory:>8.0f}   {said}", flush=True)


def _fetch(source: Path, kind: str, url: str, place: Path) -> tuple[float, float, str]:
    kit = _kit()
    keys = [tuple(kit.HEADER_KEY), tuple(kit.INFO_KEY)]
    tests = str(HERE.parent / "tests")
    code = _FETCH.format(tests=tests, keys=keys, url=url, kind=kind, folder=str(place))
    return _run(source, code)


def _run(source: Path, code: str) -> tuple[float, float, str]:
    """Seconds, peak MiB and what was said."""
    with tempfile.TemporaryDirectory() as folder:
        out, error = Path(folder) / "out", Path(folder) / "error"
        starter = [sys.executable, "-I", "-S", str(HERE / "launcher.py"), str(TIMEOUT)]
        command = [*starter, str(out), str(error), sys.executable, "-c", code]
        environment = {**os.environ, "PYTHONPATH": str(source.resolve())}
        done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
        wall, _, _, peak, status, _ = done.stdout.split()
        failed = error.read_text(errors="replace").strip()[-300:]
        said = out.read_text().strip() if status == "0" else f"failed: {failed or status}"
        return float(wall), float(peak) / 1024, said


# --- what is served -----------------------------------------------------------------------


class _Handler(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Say nothing."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """Who only wants the beginning of a file goes when it has it."""


@contextmanager
def _served(folder: Path) -> Iterator[str]:
    """The address of a server of a folder."""
    with _Server(("127.0.0.1", 0), partial(_Handler, directory=str(folder))) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def _kit() -> ModuleType:
    sys.path[:0] = [str(HERE.parent / "tests")]
    from updates.sources import sources_kit

    return sources_kit


def _lines(version: int, count: int) -> Iterator[bytes]:
    """Lines of a version; the second lacks the first `GONE` lines, and has others at its end."""
    rng = random.Random(SEED)
    for number in range(count + NEW):
        line = f"{rng.randbytes(32).hex()}:{rng.randrange(1, 1 << 22)}:Win.Test.A-{number}-0\n"
        if (version == 1 and number < count) or (version == 2 and number >= GONE):
            yield line.encode()


def _cvd(folder: Path, version: int, count: int) -> None:
    """Write `main.cvd`, and for the second version the difference that leads to it."""
    kit = _kit()
    members = folder / "members"
    shutil.rmtree(members, ignore_errors=True)
    members.mkdir()
    (members / "COPYING").write_bytes(b"a licence\n")
    digest, size, signatures = hashlib.sha256(), 0, 0
    with (members / "main.hsb").open("wb") as file:
        for line in _lines(version, count):
            digest.update(line)
            size += len(line)
            signatures += 1
            file.write(line)
    head = f"ClamAV-VDB:28 Nov 2026 06-00 +0000:{version}:{signatures}:90:X:X:tester:1795845600"
    body = f"{head}\nmain.hsb:{size}:{digest.hexdigest()}\n".encode()
    info = body + b"DSIG:" + kit.pss(body).encode() + b"\n"
    (members / "main.info").write_bytes(info)
    packed = folder / "packed"
    with gzip.open(packed, "wb", 6) as inner, tarfile.open(fileobj=inner, mode="w|") as tar:
        for name in ("COPYING", "main.hsb", "main.info"):
            tar.add(members / name, name)
    with packed.open("rb") as file:
        md5 = hashlib.file_digest(file, "md5").digest()
    number = pow(int.from_bytes(md5, "big"), kit.HEADER_SECRET, kit.HEADER_KEY.modulus)
    signed = head.replace(":X:X:", f":{md5.hex()}:{kit.signature_text(number)}:")
    with (folder / "main.cvd").open("wb") as file, packed.open("rb") as rest:
        file.write(signed.encode().ljust(512))
        shutil.copyfileobj(rest, file)
    packed.unlink()
    shutil.rmtree(members)
    if version == 2:
        (folder / "main-2.cdiff").write_bytes(kit.make_cdiff(2, _script(count, info)))


def _script(count: int, info: bytes) -> bytes:
    before = [line for line, _ in zip(_lines(1, count), range(GONE), strict=False)]
    commands = [b"OPEN main.hsb"]
    commands += [b"DEL %d %s" % (at, line[:20]) for at, line in enumerate(before, 1)]
    for number, line in enumerate(_lines(2, count)):
        if number >= count - GONE:
            commands.append(b"ADD " + line.rstrip())
    commands += [b"CLOSE", b"UNLINK main.info", b"OPEN main.info"]
    commands += [b"ADD " + line for line in info.rstrip().split(b"\n")] + [b"CLOSE", b""]
    return b"\n".join(commands)


def _csv(path: Path, rows: int) -> None:
    rng = random.Random(SEED)
    with path.open("w", encoding="ascii") as file:
        file.write('# Last updated: 2026-11-29\n# "sha256_hash","signature"\n')
        for number in range(rows):
            file.write(f'"{rng.randbytes(32).hex()}","Family{number % 400}"\n')


def _database(folder: Path, scale: float) -> Path:
    """The old one of the two databases that `update_under_load.py` takes."""
    code = (
        "import sys; from pathlib import Path; import update_under_load;"
        "update_under_load.databases(Path(sys.argv[1]), float(sys.argv[2]))"
    )
    place = folder / f"databases-{scale:.4f}"
    command = [sys.executable, "-c", code, str(place), str(scale)]
    subprocess.run(command, check=True, cwd=HERE)
    return place / "old"


if __name__ == "__main__":
    sys.exit(main())
