"""Every command that a message, a help text or a page names is one that exists."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import click
import pytest

from tocsin.cli.main import VERBS, main

ROOT = Path(__file__).resolve().parents[2]
PAGES = [*sorted((ROOT / "docs").glob("*.md")), ROOT / "README.md", ROOT / "CONTRIBUTING.md"]
NO_COMMANDS = {"tocsin worker", "tocsin vault key", "tocsin journal", "tocsin needs attention"}
"""Titles of processes, labels of keys and what an example prints, which begin like commands."""

_SAID = re.compile(r"(?P<before>.?)\btocsin(?P<words>(?: +[^\s'\"`,;()|&:]+)+)", re.S)
_QUOTES = "'\"`"
_WORD = re.compile(r"[a-z][a-z-]*$")


class Said(NamedTuple):
    """A place where a command is named.

    Attributes:
        place: file and line.
        words: what follows `tocsin`.
        certain: whether it is meant as a command, by where it stands.
        likely: whether it is one if it has the name of a verb.
    """

    place: str
    words: tuple[str, ...]
    certain: bool
    likely: bool


def test_of_messages_and_help() -> None:
    said = [each for file in sorted((ROOT / "src").rglob("*.py")) for each in in_source(file)]
    assert len(said) > 100
    assert not [f"{s.place}: tocsin {' '.join(s.words)}: {w}" for s in said if (w := wrong(s))]


def test_of_pages() -> None:
    said = [each for page in PAGES for each in in_page(page)]
    assert len(said) > 50
    assert not [f"{s.place}: tocsin {' '.join(s.words)}: {w}" for s in said if (w := wrong(s))]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("tocsin quarantine add PATH, or tocsin allow PATH", "'quarantine' has no 'add'"),
        ("run 'tocsin staus' now", "no verb 'staus'"),
        ("see tocsin events --knd failure", "no option '--knd'"),
        ("as tocsin promises", ""),
        ("tocsin quarantine take PATH", ""),
        ("'sudo tocsin --config FILE config show --effective'", ""),
    ],
)
def test_what_is_wrong_is_seen(text: str, complaint: str) -> None:
    found = [w for said in in_text(text, "here") if (w := wrong(said))]
    assert "; ".join(found) == complaint


def in_source(file: Path) -> Iterator[Said]:
    """What the texts of a module name; those that are put together from parts are read whole."""
    tree = ast.parse(file.read_text("utf-8"))
    inner = {
        id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr)
        for part in node.values
    }  # fmt: skip
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            parts = [str(p.value) if isinstance(p, ast.Constant) else "X" for p in node.values]
            text = "".join(parts)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            if id(node) in inner:
                continue
            text = node.value
        else:
            continue
        yield from in_text(text, f"{file.relative_to(ROOT)}:{node.lineno}")


def in_page(page: Path) -> Iterator[Said]:
    """What a page names in its code."""
    inside = False
    for number, line in enumerate(page.read_text("utf-8").splitlines(), 1):
        place = f"{page.relative_to(ROOT)}:{number}"
        if line.startswith("```"):
            inside = not inside
        elif inside:
            for said in in_text(line.partition("  #")[0], place):
                yield said._replace(certain=said.certain or said.likely)
        else:
            for code in re.findall(r"`([^`]+)`", line):
                yield from in_text(code, place)


def in_text(text: str, place: str) -> Iterator[Said]:
    """What a text names."""
    examples = False
    for number, line in enumerate(text.split("\n")):
        examples = line.strip() == "Examples:" or (examples and bool(line.strip()))
        for found in _SAID.finditer(line):
            before = line[: found.start("words")].removesuffix("tocsin").removesuffix("sudo ")
            first = not before.strip() and (number == 0 or examples)
            certain = before.endswith(tuple(_QUOTES)) or (first and examples)
            yield Said(place, tuple(found["words"].split()), certain, first or certain)


def wrong(said: Said) -> str:
    """What is wrong with a command, or an empty text."""
    words = [word.strip(".?!…[]") for word in said.words if word.strip(".?!…[]")]
    while len(words) > 1 and words[0] == "--config":
        del words[:2]
    if not words or not _WORD.match(words[0]) or " ".join(("tocsin", *words)) in NO_COMMANDS:
        return ""
    verb = words.pop(0)
    if verb not in VERBS:
        return f"no verb {verb!r}" if said.certain else ""
    context = click.Context(main)
    command = main.get_command(context, verb)
    while isinstance(command, click.Group):
        if not words or not _WORD.match(words[0]):
            return ""
        name = words.pop(0)
        inner = command.get_command(context, name)
        if inner is None:
            if command.invoke_without_command:  # as `tocsin update`, which has options of its own
                break
            return f"{verb!r} has no {name!r}" if said.likely else ""
        verb, command = name, inner
    assert command is not None
    options = {"-h", "--help"}
    for parameter in command.params:
        options |= {*parameter.opts, *parameter.secondary_opts}
    for word in words:
        option = word.partition("=")[0]
        if re.match(r"--?[a-z]", option) and option not in options:
            return f"no option {option!r}"
    return ""
