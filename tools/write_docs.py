#!/usr/bin/env python3
"""Write the generated parts of docs/ anew; with --check say whether they are up to date.

python3 tools/write_docs.py [--check]
"""

from __future__ import annotations

import json
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import yara_x

from tocsin.jurisdiction import vocabulary
from tocsin.jurisdiction.schema import json_schema
from tocsin.protect.configuration.describe import page as settings_page
from tocsin.protect.migrate.page import page as clamav_options_page
from tocsin.signatures.parse import signature_name
from tocsin.signatures.records import Kind
from tocsin.signatures.sources import SourceReader
from tocsin.unpack.registry import FORMATS

ROOT = Path(__file__).resolve().parent.parent
DATA = ROOT / "src" / "tocsin" / "data"
DOCS = ROOT / "docs"
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


def formats_page() -> str:
    """The page that lists what is opened."""
    lines = [
        "# What tocsin opens",
        "",
        f"{len(FORMATS)} formats. This page is written by `make docs` from the table that the",
        "scanner itself uses (`src/tocsin/unpack/registry.py`); a test opens a sample of each row.",
        "What comes out of a container is scanned, and opened in turn. *Kind* is ClamAV's type",
        "name without `CL_TYPE_` where ClamAV has one.",
        "",
        "| format | what comes out | read by | kind |",
        "|---|---|---|---|",
    ]
    for row in sorted(FORMATS, key=lambda row: row.title.lower()):
        kinds = ", ".join(f"`{kind}`" for kind in row.kinds)
        lines.append(f"| {row.title} | {row.gives} | {row.reads} | {kinds} |")
    return "\n".join(lines) + "\n"


def vocabulary_page() -> str:
    """The page that says what the words of rules and questions mean."""
    tables = (
        ("Operations", "operations", vocabulary.OPERATIONS),
        ("Classes of product", "products", vocabulary.PRODUCTS),
        ("Kinds of rule", "kind", vocabulary.KINDS),
        ("Addressees", "addressees", vocabulary.ADDRESSEES),
        ("Circumstances", "circumstances", vocabulary.CIRCUMSTANCES),
        ("What ties a person to a country", "ties", vocabulary.PERSON_TIES),
        ("How well a statement was checked", "basis", vocabulary.BASES),
        ("Marks of a supplier", "kind of a marker", vocabulary.MARKER_KINDS),
        ("Outcomes", "outcome", vocabulary.OUTCOMES),
    )
    lines = [
        "# The words of the rulebook",
        "",
        "This page is written by `make docs` from `src/tocsin/jurisdiction/vocabulary.py`. Every",
        "other word is a mistake, in a file and on a command line. How rules are written is in",
        "[jurisdiction.md](jurisdiction.md).",
    ]
    for title, heading, words in tables:
        lines += ["", f"## {title}", "", f"| {heading} | meaning |", "|---|---|"]
        lines += [f"| `{word.value}` | {meaning} |" for word, meaning in words.items()]
    always = ", ".join(f"`{each.value}`" for each in sorted(vocabulary.ALWAYS_ALLOWED))
    lines += ["", f"Always allowed, whatever a rule says: {always}."]
    return "\n".join(lines) + "\n"


def schema_page(kind: str) -> Callable[[], str]:
    """The JSON Schema of a kind of file of the rulebook."""
    return lambda: json.dumps(json_schema(kind), indent=2, ensure_ascii=False) + "\n"


PAGES = {
    DOCS / "rules.md": rules_page,
    DOCS / "formats.md": formats_page,
    DOCS / "settings.md": settings_page,
    DOCS / "clamav-options.md": clamav_options_page,
    DOCS / "law-vocabulary.md": vocabulary_page,
    DOCS / "rulebook-instrument.schema.json": schema_page("instrument"),
    DOCS / "rulebook-supplier.schema.json": schema_page("supplier"),
}


def main() -> int:
    """Write or check."""
    stale = False
    for path, write in PAGES.items():
        page, name = write(), path.relative_to(ROOT)
        current = path.read_text(encoding="utf-8") if path.exists() else ""
        if current == page:
            continue
        if "--check" in sys.argv[1:]:
            stale = True
            print(f"{name} is not up to date: make docs")
        else:
            path.write_text(page, encoding="utf-8")
            print(f"wrote {name}")
    return int(stale)


if __name__ == "__main__":
    sys.exit(main())
