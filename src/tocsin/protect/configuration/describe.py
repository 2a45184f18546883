"""The settings described from their own types: template, reference and what is in force.

The docstrings in `tocsin.settings` are the only place where a key is explained; everything
that people read about the settings is made from them here.
"""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Iterator
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import msgspec

from tocsin.protect.configuration.load import Loaded
from tocsin.settings import Settings
from tocsin.toml_files.check import shape_of

MASK = "…"
"""What stands for a secret."""

_WIDTH = 96
_DAY = 86400


class Key(NamedTuple):
    """One key of a table.

    Attributes:
        name: as it is written.
        kind: what it may be, for people.
        meaning: from the docstring.
        default: its value when it is not stated.
        required: whether it must be stated.
        form: how its text is written, or empty.
    """

    name: str
    kind: str
    meaning: str
    default: Any
    required: bool
    form: str


class Table(NamedTuple):
    """One table of the file.

    Attributes:
        name: as it is written.
        several: whether it is written `[[name]]` and can stand several times.
        meaning: from the docstring.
        keys: its keys in order.
    """

    name: str
    several: bool
    meaning: str
    keys: tuple[Key, ...]

    @property
    def header(self) -> str:
        """As it begins in the file."""
        return f"[[{self.name}]]" if self.several else f"[{self.name}]"


def tables() -> list[Table]:
    """Every table there can be, in the order of the settings."""
    root = msgspec.inspect.type_info(Settings)
    assert isinstance(root, msgspec.inspect.StructType)
    return [_table(field) for field in root.fields]


def _table(field: msgspec.inspect.Field) -> Table:
    node = shape_of(field.type).type
    several = isinstance(node, msgspec.inspect.VarTupleType)
    if isinstance(node, msgspec.inspect.VarTupleType):
        node = shape_of(node.item_type).type
    assert isinstance(node, msgspec.inspect.StructType)
    first, meanings = _explained(node.cls.__doc__ or "")
    keys = tuple(_key(key, meanings.get(key.name, "")) for key in node.fields)
    return Table(field.name, several, first, keys)


def _explained(docstring: str) -> tuple[str, dict[str, str]]:
    """The first line of a docstring, and what it says of each attribute."""
    head, _, attributes = docstring.partition("\n\n    Attributes:\n")
    meanings: dict[str, str] = {}
    name = ""
    for line in textwrap.dedent(attributes).splitlines():
        entry = re.match(r"(\w+): (.*)", line)
        if entry:
            name = entry[1]
            meanings[name] = entry[2]
        elif line.strip() and name:
            meanings[name] += " " + line.strip()
    first = " ".join(head.split())
    return re.sub(r"\A(?:One )?`\[+\w+\]+`: ", "", first), meanings


def _key(field: msgspec.inspect.Field, meaning: str) -> Key:
    shape = shape_of(field.type)
    kind, form = _kind(shape.type, shape.form)
    default = field.default
    if field.default_factory is not msgspec.NODEFAULT:
        default = field.default_factory()
    required = bool(field.required)
    return Key(field.name, kind, meaning, None if required else default, required, form)


def _kind(node: msgspec.inspect.Type, form: str) -> tuple[str, str]:
    """What a value may be, in words, and its form."""
    if isinstance(node, msgspec.inspect.VarTupleType):
        item = shape_of(node.item_type)
        words, form = _kind(item.type, item.form)
        return f"list of {_PLURALS.get(words, words + 's')}", form
    if isinstance(node, msgspec.inspect.DictType):
        return "table of texts", shape_of(node.value_type).form
    if isinstance(node, msgspec.inspect.LiteralType):
        return " or ".join(f'"{choice}"' for choice in sorted(map(str, node.values))), ""
    if isinstance(node, msgspec.inspect.BoolType):
        return "true or false", ""
    if isinstance(node, msgspec.inspect.IntType | msgspec.inspect.FloatType):
        words = _NUMBERS.get(form) or (
            "whole number" if isinstance(node, msgspec.inspect.IntType) else "number"
        )
        if not form and node.ge is not None and node.le is not None:
            words += f", {node.ge:,} to {node.le:,}"
        return words, form
    return _TEXTS.get(form, "text"), form


_NUMBERS = {"size": "size", "duration": "duration"}
_TEXTS = {
    "path": "path",
    "needed-path": "path",
    "glob": "glob",
    "listen": "host:port",
    "host-port": "host:port",
    "mode": "octal mode",
    "account": "account",
    "mailbox": "mail address",
    "cron": "cron times",
    "mirror": "folder or URL",
    "update-source": "source",
    "web-address": "URL",
}
_PLURALS = {
    "mail address": "mail addresses",
    "host:port": "host:port",
    "folder or URL": "folders or URLs",
}


# --- TOML ---------------------------------------------------------------------------------


def toml_value(value: Any) -> str:
    """A value as TOML."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return _toml_text(value)
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, dict):
        pairs = ", ".join(f"{_toml_text(k)} = {toml_value(v)}" for k, v in value.items())
        return f"{{ {pairs} }}" if pairs else "{}"
    return f"[{', '.join(toml_value(element) for element in value)}]"


def _toml_text(text: str) -> str:
    """A basic string: TOML's escapes are JSON's, but it has no pairs of surrogates."""
    quoted = json.dumps(text, ensure_ascii=False)
    return re.sub(r"[\x7f-\x9f\u2028-\u202e]", lambda m: f"\\u{ord(m[0]):04x}", quoted)


def written(key: Key, value: Any) -> str:
    """A value as a person would write it in the file: `"100M"`, not 104857600."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not value:
        return toml_value(value)
    if key.form == "size":
        for unit, size in (("G", 1 << 30), ("M", 1 << 20), ("K", 1 << 10)):
            if value % size == 0:
                return f'"{int(value) // size}{unit}"'
    if key.form == "duration":
        for unit, seconds in (("d", _DAY), ("h", 3600), ("m", 60), ("s", 1)):
            if value % seconds == 0:
                return f'"{int(value) // seconds}{unit}"'
    return toml_value(int(value) if value == int(value) else value)


def template() -> str:
    """The whole file with every key explained and set to its default, all of it commented out."""
    rows = [
        "# Settings of tocsin. What is commented out shows the default. After a change:",
        "#   tocsin config check        says whether it is right",
        "#   systemctl reload tocsin    has the daemon read it",
        '# Sizes are bytes or text such as "100M", durations seconds or text such as "5m", "7d".',
    ]
    for table in tables():
        rows += ["", "", *_comment(f"{table.meaning[:1].upper()}{table.meaning[1:]}")]
        if table.several:
            rows += _comment("It can stand several times.")
        rows.append(f"#{table.header}" if table.several else table.header)
        for key in table.keys:
            value = written(key, key.default) if not key.required else '"…"'
            rows += ["", *_comment(f"{key.meaning} ({key.kind})"), f"#{key.name} = {value}"]
    return "\n".join(rows) + "\n"


def _comment(text: str) -> list[str]:
    return textwrap.wrap(text.replace("`", ""), _WIDTH, initial_indent="# ", subsequent_indent="# ")


# --- what is in force ---------------------------------------------------------------------


class InForce(NamedTuple):
    """One key and its value.

    Attributes:
        table: its table, with the number of a table that stands several times.
        key: which.
        value: with secrets masked.
        line: where the file states it; 0 for a default.
    """

    table: str
    key: Key
    value: Any
    line: int


def in_force(loaded: Loaded) -> Iterator[InForce]:
    """Every key with its value, secrets masked, and where it is from."""
    for table in tables():
        held = getattr(loaded.settings, table.name)
        entries = list(enumerate(held)) if table.several else [(None, held)]
        for number, entry in entries:
            name = table.header if number is None else f"{table.header} {number + 1}"
            base = (table.name,) if number is None else (table.name, number)
            for key in table.keys:
                value = masked(key, getattr(entry, key.name))
                yield InForce(name, key, value, loaded.lines.get((*base, key.name), 0))


def masked(key: Key, value: Any) -> Any:
    """A value without what is secret in it."""
    if key.form == "secret":
        return dict.fromkeys(value, MASK) if isinstance(value, dict) else [MASK for _ in value]
    if key.form == "target":
        return masked_address(str(value))
    return list(value) if isinstance(value, tuple) else value


def masked_address(text: str) -> str:
    """An address of the web without what can be a key in it: account, path and query."""
    if not text.startswith(("http://", "https://")):
        return text
    try:
        parts = urlsplit(text)
        host = parts.hostname or ""
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return MASK
    host = f"[{host}]" if ":" in host else host
    rest = f"/{MASK}" if parts.path.strip("/") or parts.query else parts.path
    return f"{parts.scheme}://{f'{MASK}@' if '@' in parts.netloc else ''}{host}{port}{rest}"


# --- the page -----------------------------------------------------------------------------


def page() -> str:
    """`docs/settings.md`."""
    rows = [
        "# Settings",
        "",
        "One TOML file: `/etc/tocsin/tocsin.toml` for root, else `~/.config/tocsin/tocsin.toml`,",
        "or the one that `tocsin --config FILE` or `TOCSIN_CONFIG` names. This page is written by",
        "`make docs` from the types that hold the settings (`src/tocsin/settings.py`).",
        "",
        "```sh",
        "tocsin config show --template > tocsin.toml   # every key, explained, commented out",
        "tocsin config check tocsin.toml               # what is wrong, by line and key",
        "tocsin config show --effective                # what is in force, and where it is from",
        "```",
        "",
        'A *size* is bytes or text such as `"100M"` (powers of 1,024); a *duration* is seconds or',
        'text such as `"90s"`, `"5m"`, `"1h30m"`, `"7d"`. Paths begin with `/`.',
    ]
    for table in tables():
        rows += ["", f"## `{table.header}`", ""]
        rows.append(f"{table.meaning[:1].upper()}{table.meaning[1:]}")
        rows += ["", "| key | what it may be | default | meaning |", "|---|---|---|---|"]
        for key in table.keys:
            default = "must be stated" if key.required else f"`{written(key, key.default)}`"
            cells = (f"`{key.name}`", key.kind, default, key.meaning)
            rows.append(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |")
    return "\n".join(rows) + "\n"
