#!/usr/bin/env python3
"""Write the generated parts of docs/ anew; with --check say whether they are up to date.

python3 tools/write_docs.py [--check]
"""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path

import yara_x

from tocsin.signatures.parse import signature_name
from tocsin.signatures.records import Kind
from tocsin.signatures.sources import SourceReader

ROOT = Path(__file__).resolve().parent.parent
DATA = ROOT / "src" / "tocsin" / "data"
RULES = ROOT / "docs" / "rules.md"
_FIELDS = ("level", "description", "reference")


def yara_rows() -> list[tuple[str, str, dict[str, str]]]:
    """File, name and metadata of every public YARA rule."""
    rows = []
    for path in sorted(DATA.glob("*.yar")):
        compiler = yara_x.Compiler()
        compiler.add_source(path.read_text(encoding="utf-8"), origin=path.name)
        for rule in compiler.build():
            fields = {str(key): str(value) for key, value in rule.metadata}
            if "description" in fields:
                rows.append((path.name, rule.identifier, fields))
    return rows


def clamav_rows() -> list[tuple[str, str, dict[str, str]]]:
    """File, name and metadata of every signature in ClamAV's languages."""
    stated = tomllib.loads((DATA / "rules.toml").read_text(encoding="utf-8"))
    rows = []
    reader = SourceReader()
    for path in sorted(DATA.iterdir()):
        if path.suffix not in (".ndb", ".ldb", ".hdb", ".hsb"):
            continue
        for parsed in reader.read(path):
            if parsed.record.kind is not Kind.METADATA:
                name = signature_name(parsed.record.kind, parsed.record.text)
                rows.append((path.name, name, stated[name]))
    return rows


def rules_page() -> str:
    """The page that lists tocsin's own signatures."""
    rows = sorted(clamav_rows() + yara_rows())
    lines = [
        "# tocsin's own signatures",
        "",
        f"{len(rows)} signatures come with the package. This page is written by `make docs` from",
        "their metadata. How to add one: its",
        "[README](../src/tocsin/data/README.md).",
    ]
    last = ""
    for file, name, fields in rows:
        if file != last:
            lines += [
                "",
                f"## {file}",
                "",
                "| name | level | finds | reference |",
                "|---|---|---|---|",
            ]
            last = file
        level, description, reference = (fields.get(f, "").replace("|", "\\|") for f in _FIELDS)
        lines.append(f"| `{name}` | {level} | {description} | {reference} |")
    return "\n".join(lines) + "\n"


def main() -> int:
    """Write or check."""
    page = rules_page()
    if "--check" in sys.argv[1:]:
        current = RULES.read_text(encoding="utf-8") if RULES.exists() else ""
        if current != page:
            print("docs/rules.md is not up to date: make docs")
        return int(current != page)
    RULES.write_text(page, encoding="utf-8")
    print(f"wrote {RULES.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
