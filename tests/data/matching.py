"""What the default rules say about some bytes: the one place that knows how they are run.

Tests call :func:`matches`, which asks the project's own scanner, as a user would.  What the
oracles say (YARA-X itself, and ``clamscan`` where it is installed) is :func:`oracle_matches`.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import yara_x

import tocsin

DATA = Path(__file__).resolve().parents[2] / "src" / "tocsin" / "data"
CLAMSCAN = shutil.which("clamscan")
CLAMAV_SUFFIXES = (".hdb", ".hsb", ".ndb", ".ldb")


@dataclass(frozen=True)
class Rule:
    """One signature of the default database: its name, its file, and what is said about it."""

    name: str
    path: Path
    meta: dict[str, str]

    @property
    def is_yara(self) -> bool:
        """Whether the signature is a YARA rule (else it is in one of ClamAV's languages)."""
        return self.path.suffix == ".yar"


def yara_files() -> list[Path]:
    """Return the YARA files of the default database."""
    return sorted(DATA.glob("*.yar"))


def clamav_files() -> list[Path]:
    """Return the files of the default database in ClamAV's languages."""
    return sorted(path for path in DATA.iterdir() if path.suffix in CLAMAV_SUFFIXES)


def compile_yara(path: Path) -> tuple[yara_x.Rules, list[dict[str, object]]]:
    """Compile one YARA file; return the rules and the compiler's warnings."""
    compiler = yara_x.Compiler()
    compiler.add_source(path.read_text(encoding="ascii"), origin=path.name)
    return compiler.build(), compiler.warnings()


@cache
def _scanner() -> yara_x.Scanner:
    compiler = yara_x.Compiler()
    for path in yara_files():
        compiler.new_namespace(path.stem)
        compiler.add_source(path.read_text(encoding="ascii"), origin=path.name)
    return yara_x.Scanner(compiler.build())


def clamav_names(path: Path) -> list[str]:
    """Return the signature names in one file of ClamAV's languages, in order."""
    names = []
    for line in path.read_text(encoding="ascii").splitlines():
        if not line or line.startswith("#"):
            continue
        match path.suffix:
            case ".ldb":
                names.append(line.split(";", 1)[0])
            case ".ndb":
                names.append(line.split(":", 1)[0])
            case _:
                names.append(line.split(":")[2])
    return names


@cache
def rules() -> tuple[Rule, ...]:
    """Return every public rule of the default database with its metadata."""
    found: list[Rule] = []
    for path in yara_files():
        private = set(re.findall(r"^private rule (\w+)", path.read_text(), re.MULTILINE))
        for rule in compile_yara(path)[0]:
            if rule.identifier not in private:
                meta = {str(key): str(value) for key, value in rule.metadata}
                found.append(Rule(rule.identifier, path, meta))
    sidecar = tomllib.loads((DATA / "rules.toml").read_text(encoding="utf-8"))
    for path in clamav_files():
        found.extend(Rule(name, path, sidecar.get(name, {})) for name in clamav_names(path))
    return tuple(found)


def _yara_matches(data: bytes) -> set[str]:
    return {rule.identifier for rule in _scanner().scan(data).matching_rules}


def _clamav_matches(data: bytes) -> set[str]:
    if CLAMSCAN is None:
        return set()
    with tempfile.TemporaryDirectory() as directory:
        sample = Path(directory, "sample")
        sample.write_bytes(data)
        databases = [f"--database={path}" for path in clamav_files()]
        done = subprocess.run(
            [CLAMSCAN, "--no-summary", "--infected", "--allmatch", *databases, str(sample)],
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode > 1:
        raise RuntimeError(f"clamscan failed: {done.stderr.strip()}")
    return set(re.findall(r": (\S+)\.UNOFFICIAL FOUND$", done.stdout, re.MULTILINE))


@cache
def _own_scanner() -> tocsin.Scanner:
    return tocsin.Scanner(tocsin.open_database(DATA))


def matches(data: bytes) -> set[str]:
    """Return the names of all default rules that fire on *data*, as the scanner reports them."""
    return {detection.name for detection in _own_scanner().scan_bytes(data, "sample").detections}


def oracle_matches(data: bytes) -> set[str]:
    """Return the names of all default rules that fire on *data*, as the oracles report them."""
    return _yara_matches(data) | _clamav_matches(data)
