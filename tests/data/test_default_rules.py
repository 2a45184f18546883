"""The embedded default rules: each fires on its samples, none on benign look-alikes.

Also kept here: what every rule must say about itself, how it is named, that every rule has a
sample, that rules compile without warnings, and that nothing in the sources trips the rules.
"""

from __future__ import annotations

import re
import subprocess
import tomllib
from collections import Counter
from pathlib import Path

import matching
import pytest
import veil
from matching import CLAMSCAN, DATA, Rule
from samples import SAMPLES, clam_exe
from veil import Sample

FIELDS = {"description", "why", "reference", "level", "author", "license"}
LEVELS = {"malicious", "suspicious", "test"}
REFERENCE = re.compile(r"T\d{4}(\.\d{3})?|CVE-\d{4}-\d{4,}|[A-Z][^:]+|src/tocsin/data/README\.md")
PLATFORM_KIND_NAME = re.compile(r"Tocsin[._][A-Z]\w*?[._][A-Z]\w*?[._][A-Z]\w*")
HERE = Path(__file__).resolve().parent
RULES = matching.rules()
BAD = [sample for sample in SAMPLES if not sample.benign]
GOOD = [sample for sample in SAMPLES if sample.benign]

needs_clamscan = pytest.mark.skipif(CLAMSCAN is None, reason="clamscan is not installed")


def _name(value: Sample | Rule) -> str:
    return value.name


@pytest.mark.parametrize("sample", BAD, ids=_name)
def test_rule_fires_on_its_sample(sample: Sample) -> None:
    """Every rule that a sample names fires on it."""
    assert set(sample.expect) <= matching.matches(sample.data)


@pytest.mark.parametrize("sample", BAD[::7], ids=_name)
def test_the_scanner_agrees_with_the_oracles(sample: Sample) -> None:
    """What YARA-X and clamscan find, the scanner finds, and nothing else of the object itself."""
    found = matching.matches(sample.data)
    oracle = matching.oracle_matches(sample.data)
    if CLAMSCAN is None:
        found = {name for name in found if "." not in name}
    assert oracle <= found


@pytest.mark.parametrize("sample", GOOD, ids=_name)
def test_no_rule_fires_on_a_benign_sample(sample: Sample) -> None:
    """No rule at all fires on a benign look-alike."""
    assert matching.matches(sample.data) == set()


def test_every_rule_has_a_sample() -> None:
    """There is no rule without a sample (one sample needs ClamAV's test files installed)."""
    covered = {name for sample in BAD for name in sample.expect}
    if clam_exe() is None:
        covered.add("Tocsin.Win.Test.ClamAVTestFile")
    assert {rule.name for rule in RULES} - covered == set()


def test_every_sample_names_existing_rules() -> None:
    """There is no sample for a rule that is not there."""
    named = {name for sample in BAD for name in sample.expect}
    assert named - {rule.name for rule in RULES} == set()


def test_names_of_rules_are_unique() -> None:
    """No two rules share a name, in whatever languages they are written."""
    counts = Counter(rule.name.replace(".", "_") for rule in RULES)
    assert [name for name, count in counts.items() if count > 1] == []


def test_names_of_samples_are_unique() -> None:
    """No two samples share a name."""
    counts = Counter(sample.name for sample in SAMPLES)
    assert [name for name, count in counts.items() if count > 1] == []


@pytest.mark.parametrize("rule", RULES, ids=_name)
def test_metadata_is_complete(rule: Rule) -> None:
    """Every rule says what it finds, why that is bad, where to read on, and how bad it is."""
    assert set(rule.meta) == FIELDS
    assert all(isinstance(value, str) and value.strip() for value in rule.meta.values())
    assert rule.meta["level"] in LEVELS
    assert rule.meta["author"] == "tocsin"
    assert rule.meta["license"] == "Apache-2.0"
    assert REFERENCE.fullmatch(rule.meta["reference"])
    assert len(rule.meta["description"]) <= 100
    assert len(rule.meta["why"]) <= 100


@pytest.mark.parametrize("rule", RULES, ids=_name)
def test_name_follows_the_convention(rule: Rule) -> None:
    """Names read Tocsin, platform, kind, name; dots for ClamAV, underscores for YARA."""
    assert PLATFORM_KIND_NAME.fullmatch(rule.name)
    parts = rule.name.split("_" if rule.is_yara else ".")
    assert len(parts) == 4
    assert ("." in rule.name) != rule.is_yara


def test_sidecar_has_no_stray_entries() -> None:
    """rules.toml describes exactly the signatures in ClamAV's languages."""
    entries = set(tomllib.loads((DATA / "rules.toml").read_text(encoding="utf-8")))
    assert entries == {rule.name for rule in RULES if not rule.is_yara}


@pytest.mark.parametrize("path", matching.yara_files(), ids=lambda path: path.name)
def test_yara_file_compiles_without_warnings(path: Path) -> None:
    """No slow pattern, no redundant set, no deprecated construct; and no include."""
    assert matching.compile_yara(path)[1] == []
    assert not re.search(r"^\s*(include|import)\b", path.read_text(), re.MULTILINE)


def _misread(characters: str) -> bool:
    codes = {ord(character) for character in characters}
    span = min(codes) ^ max(codes)
    masked = {min(codes) & ~span | bits for bits in range(256) if bits & ~span == 0}
    return len(codes) == 1 << span.bit_count() and codes != masked


@pytest.mark.parametrize("path", matching.yara_files(), ids=lambda path: path.name)
def test_no_class_that_yara_x_misreads(path: Path) -> None:
    """YARA-X 1.23.0 takes ``[aisu]`` for the bytes that differ from ``a`` in two bits."""
    assert _misread("aisu")
    assert not _misread("ab")
    classes = re.findall(r"(?<!\\)\[(\w{2,8})\]", path.read_text())
    assert [text for text in classes if _misread(text)] == []


def test_enough_rules() -> None:
    """The database keeps the breadth it was published with."""
    assert len(RULES) >= 70


@pytest.mark.parametrize(
    "path",
    [*sorted(DATA.iterdir()), *sorted(HERE.glob("*.py")), *sorted(veil.STORE.glob("*.json"))],
    ids=lambda path: path.name,
)
def test_own_sources_are_clean(path: Path) -> None:
    """Neither the rule files nor the stored samples look bad to the rules themselves."""
    if path.is_file():
        assert matching.matches(path.read_bytes()) == set()


def test_bundle_round_trip() -> None:
    """What a contributor is shown is what is stored."""
    for theme in veil.themes():
        stored = veil.load(theme)
        assert veil.parse_bundle(veil.format_bundle(stored)) == stored


def test_veil_hides_and_restores() -> None:
    """The stored form restores the bytes and shows nothing of them."""
    data = b"the quick brown fox " * 20
    lines = veil.veil("fox", data)
    assert veil.unveil("fox", lines) == data
    assert b"quick" not in veil.unveil("cat", lines)


@needs_clamscan
@pytest.mark.parametrize("path", matching.clamav_files(), ids=lambda path: path.name)
def test_clamscan_reads_every_line(path: Path, tmp_path: Path) -> None:
    """ClamAV itself loads each file and counts as many signatures as there are lines."""
    empty = tmp_path / "empty"
    empty.write_bytes(b"nothing")
    assert CLAMSCAN is not None
    done = subprocess.run(
        [CLAMSCAN, f"--database={path}", str(empty)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert f"Known viruses: {len(matching.clamav_names(path))}\n" in done.stdout
