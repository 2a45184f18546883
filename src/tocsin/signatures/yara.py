"""YARA rules, compiled by YARA-X.

One record holds one file's text. Compiling here serves to refuse a malformed file with its
line, or, when lenient, to leave out the rules that do not compile and say which.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from tocsin.errors import SignatureError

if TYPE_CHECKING:
    import yara_x

EXTERNAL_VARIABLES = ("filename", "filepath", "extension", "filetype", "owner")
"""Variables that published rule sets expect the scanner to define; the file's own values."""

_LINE_NUMBER = re.compile(r"line:(\d+)|-->\s*\S*?:?(\d+):\d+")


class CompiledRules(NamedTuple):
    """What YARA-X made of the sources.

    Attributes:
        rules: the compiled rules.
        ignored: for each rule left out, its source's place, its name and the reason.
    """

    rules: yara_x.Rules
    ignored: tuple[tuple[int, str, str], ...]


def compile_rules(texts: Sequence[str], names: Sequence[str], *, lenient: bool) -> CompiledRules:
    """Compile files of rules, each in a name space of its own.

    Args:
        texts: the files' texts.
        names: their names, for messages.
        lenient: leave out rules that do not compile instead of raising.

    Raises:
        SignatureError: a rule does not compile and `lenient` is false.
    """
    import yara_x

    compiler = yara_x.Compiler(relaxed_re_syntax=True, includes_enabled=False)
    for variable in EXTERNAL_VARIABLES:
        compiler.define_global(variable, "")
    compiler.ignore_invalid_rules(lenient)
    ignored: list[tuple[int, str, str]] = []
    for place, (text, name) in enumerate(zip(texts, names, strict=True)):
        compiler.new_namespace(namespace(place))
        seen = len(_left_out(compiler)) if lenient else 0
        try:
            compiler.add_source(text, origin=name)
        except yara_x.CompileError as error:
            if not lenient:
                raise _signature_error(str(error), name) from None
            ignored.append((place, "", _first_line(str(error))))
        if lenient:
            ignored += [(place, *rule) for rule in _left_out(compiler)[seen:]]
    return CompiledRules(compiler.build(), tuple(ignored))


def _left_out(compiler: Any) -> list[tuple[str, str]]:
    """Names of the rules left out and why; the library's stubs state other types than it has.

    A rule with an error of syntax is dropped without being listed as ignored, so the
    compiler's errors are asked too; such a rule's name is not known.
    """
    ignored = [(rule.name, _first_line(rule.message)) for rule in compiler.ignored_rules()]
    syntax = [
        ("", f"line {error.get('line', 0)}: {_first_line(str(error.get('text', '')))}")
        for error in compiler.errors()
        if error.get("type") == "SyntaxError"
    ]
    return syntax + ignored


def namespace(place: int) -> str:
    """Name space of the file at `place`; `source_place` reads it back."""
    return f"s{place}"


def source_place(name_space: str) -> int:
    """Place of the file whose name space this is."""
    return int(name_space[1:])


def _signature_error(message: str, name: str) -> SignatureError:
    plain = re.sub(r"\x1b\[[0-9;]*m", "", message)
    line = _LINE_NUMBER.search(plain)
    number = int(next(g for g in line.groups() if g)) if line else 0
    return SignatureError(_first_line(plain), name, number)


def _first_line(message: str) -> str:
    plain = re.sub(r"\x1b\[[0-9;]*m", "", message)
    return plain.strip().splitlines()[0] if plain.strip() else "does not compile"
