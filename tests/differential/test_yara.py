"""YARA rules through tocsin against YARA-X itself."""

from __future__ import annotations

import tarfile
from pathlib import Path

import pytest
import yara_x

import tocsin
from differential import hosts
from formats.images import pe

RULES = Path(__file__).resolve().parents[3] / "shared" / "data" / "signatures"
PUBLISHED = RULES / "signature-base-yara.tar.gz"

OWN = """
import "pe"
rule Text { strings: $a = "needle" nocase condition: $a }
rule Hex { strings: $a = { 6e ?? 65 [1-3] 6c } condition: #a > 1 }
rule Regex { strings: $a = /ne+dle[0-9]{2}/ condition: $a at 8 }
rule Size { condition: filesize > 100 and uint16(0) == 0x5a4d }
rule Sections { condition: pe.number_of_sections == 2 }
private rule Hidden { strings: $a = "needle" condition: $a }
rule Uses { condition: Hidden and filesize < 64 }
"""


def _names(rules: yara_x.Rules, data: bytes) -> set[str]:
    return {rule.identifier for rule in yara_x.Scanner(rules).scan(data).matching_rules}


def _found(scanner: tocsin.Scanner, data: bytes) -> set[str]:
    return {detection.name for detection in scanner.scan_bytes(data, "file").detections}


def test_own_rules_match_as_in_yara_x(tmp_path: Path) -> None:
    (tmp_path / "own.yar").write_text(OWN)
    database = tocsin.open_database([tmp_path / "own.yar"], cache_dir=tmp_path / "cache")
    scanner = tocsin.Scanner(database, tocsin.Options(all_matches=True))
    rules = yara_x.compile(OWN)
    quiet = hosts.HEAD
    files = [
        quiet + b"NeEdLe",
        quiet + b"needle42",
        quiet + b"needle needxxle" + bytes(200),
        quiet + b"neeedle7",
        pe(),
        pe() + b"needle",
        b"nothing of it",
    ]
    for data in files:
        assert _found(scanner, data) == _names(rules, data), data[:60]


@pytest.mark.slow
def test_published_rules_match_as_in_yara_x(tmp_path: Path) -> None:
    if not PUBLISHED.exists():
        pytest.skip(f"no published rules at {PUBLISHED}")
    folder = tmp_path / "rules"
    folder.mkdir()
    texts = _usable(folder)
    database = tocsin.open_database([folder], cache_dir=tmp_path / "cache", lenient=True)
    scanner = tocsin.Scanner(database, tocsin.Options(all_matches=True))
    compiler = yara_x.Compiler()
    for name, text in texts.items():
        compiler.new_namespace(name)
        compiler.add_source(text)
    rules = compiler.build()
    programs = sorted(p for p in Path("/usr/bin").iterdir() if p.is_file())[::40]
    examples = [path.read_bytes() for path in programs]
    examples += [text.encode("utf-8", "replace") for text in list(texts.values())[::8]]
    wrong = []
    for data in examples:
        if len(data) > 20_000_000:
            continue
        found, wanted = _found(scanner, data), _names(rules, data)
        if found != wanted:
            wrong.append(f"{data[:40]!r}: {sorted(found ^ wanted)}")
    assert not wrong, "\n".join(wrong[:20])


def _usable(folder: Path) -> dict[str, str]:
    """The published rule files that compile alone, written to the folder."""
    texts = {}
    with tarfile.open(PUBLISHED) as archive:
        for member in archive:
            source = archive.extractfile(member)
            if source is None or not member.name.endswith((".yar", ".yara")):
                continue
            text = source.read().decode("utf-8", "replace")
            try:
                yara_x.compile(text)
            except yara_x.CompileError:
                continue
            name = Path(member.name).name
            texts[name] = text
            (folder / name).write_text(text, encoding="utf-8")
    return texts
