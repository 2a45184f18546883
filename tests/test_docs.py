"""What the documentation shows is what the program does."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", ROOT / "ARCHITECTURE.md", *sorted((ROOT / "docs").rglob("*.md"))]


def test_generated_pages_are_up_to_date():
    done = subprocess.run(
        [sys.executable, ROOT / "tools" / "write_docs.py", "--check"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), target


def test_architecture_names_real_files():
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    rooms = set(re.findall(r"^\| `(\w+)/`", text, re.M))
    actual = {p.name for p in (ROOT / "src" / "tocsin").iterdir() if (p / "__init__.py").exists()}
    assert actual <= rooms
    for room, file in re.findall(r"`(\w+)/(\w+\.py)`", text):
        assert (ROOT / "src" / "tocsin" / room / file).exists(), f"{room}/{file}"


@pytest.mark.parametrize("verb", ["scan", "db", "allow", "unpack", "identify", "doctor"])
def test_verbs_of_the_readme_exist(verb):
    command = [sys.executable, "-m", "tocsin.cli.main", verb, "--help"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    options = re.findall(rf"tocsin {verb}[^\n#`]*?(--[a-z-]+)", readme)
    if verb != "db":
        assert [option for option in options if option not in done.stdout] == []
