"""Which rules stand in a YARA file, found in its text without compiling it.

One record holds a whole file of rules. To count, find and compare rules by name, and to cut
out one that does not compile, it is enough to know where each begins and ends; that hangs on
braces outside comments, quoted texts and regular expressions.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from tocsin.patterns import compile_pattern

_TOKEN = compile_pattern(
    r"//[^\n]*+"
    r"|/\*.*?(?:\*/|\Z)"
    r'|"(?:\\[^\n]|[^"\\\n])*+"?'
    r"|/(?:\\[^\n]|[^/\\\n])++/?"
    r"|[{}]"
    r"|[A-Za-z_]\w*+",
    re.DOTALL,
)
"""Quotations that do not close end with their line, so that no text takes long to split."""
_MODIFIERS = frozenset({"private", "global"})


class YaraRule(NamedTuple):
    """One rule: its name and where its text begins and ends in the file's."""

    name: str
    start: int
    end: int


def split_rules(text: str) -> Iterator[YaraRule]:
    """The rules of a file in their order; what is no rule is passed over."""
    depth = 0
    start: int | None = None  # of the rule, at its first modifier
    name = ""
    named = False  # whether `rule` was read and its name comes next
    for token in _TOKEN.finditer(text):
        word = token[0]
        if word == "{":
            depth += 1
        elif word == "}":
            depth = max(0, depth - 1)
            if depth == 0 and name and start is not None:
                yield YaraRule(name, start, token.end())
                start, name = None, ""
        elif depth or word[0] in '/"':
            continue
        elif named:
            name, named = word, False
        elif word in _MODIFIERS or word == "rule":
            if start is None:
                start = token.start()
            named = word == "rule"


def without_rules(text: str, names: Iterable[str]) -> str:
    """The text without the last rule of each of these names; its lines keep their numbers."""
    wanted = set(names)
    last = {rule.name: rule for rule in split_rules(text) if rule.name in wanted}
    for rule in sorted(last.values(), key=lambda rule: rule.start, reverse=True):
        text = _without(text, rule)
    return text


def without_rule_at(text: str, line: int) -> str:
    """The text without the rule in which a line stands, or the last one that begins before it."""
    before = [
        rule for rule in split_rules(text) if text.count("\n", 0, rule.start) + 1 <= max(line, 1)
    ]
    return _without(text, before[-1]) if before else text


def _without(text: str, rule: YaraRule) -> str:
    gap = "\n" * text.count("\n", rule.start, rule.end)
    return text[: rule.start] + gap + text[rule.end :]
