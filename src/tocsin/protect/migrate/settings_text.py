"""The settings file that a migration writes: each value under the line it came from."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable

from tocsin.protect.configuration.describe import tables, written
from tocsin.protect.migrate.draft import Value, key_of
from tocsin.protect.migrate.options import Fate
from tocsin.protect.migrate.plan import Plan

_WIDTH = 96


def settings_text(plan: Plan, made: str) -> str:
    """The file's text.

    Args:
        plan: what is to be written.
        made: a line that says when and from what.
    """
    rows = [
        *_comment(f"Settings of tocsin, {made}."),
        *_comment(
            "Above each value stands the line it is from. What is not here has its default: "
            "'tocsin config show --template' shows and explains every key."
        ),
    ]
    for table in tables():
        if table.several:
            continue
        keys = [key.name for key in table.keys if (table.name, key.name) in plan.values]
        if keys:
            rows += ["", f"[{table.name}]"]
        for key in keys:
            rows += _pair(table.name, key, plan.values[table.name, key])
    for forward in plan.forwards:
        rows += ["", "[[forward]]"]
        for key, value in forward.items():
            rows += _pair("forward", key, value)
    left = [row for row in plan.rows if row.fate is Fate.NO_COUNTERPART]
    if left:
        rows += ["", *_comment("What has no counterpart:")]
        for row in left:
            stated = row.stated
            text = f"{stated.origin} {stated.option} {_plain(stated.text)}: {row.remark}"
            rows += _comment(text, first="#   ", following="#     ")
    return "\n".join(rows) + "\n"


def _pair(table: str, key: str, value: Value) -> list[str]:
    said = ", ".join(_plain(origin) for origin in value.origins)
    if value.remark:
        said = f"{said}: {value.remark}" if said else value.remark
    return [
        *(_comment(said) if said else ()),
        f"{key} = {written(key_of(table, key), value.value)}",
    ]


def _plain(text: str) -> str:
    """A text in which nothing can end a comment: TOML knows few characters in them."""
    return "".join(c if c.isprintable() else "?" for c in text[:200])


def _comment(text: str, first: str = "# ", following: str = "# ") -> Iterable[str]:
    return textwrap.wrap(
        text,
        _WIDTH,
        initial_indent=first,
        subsequent_indent=following,
        break_on_hyphens=False,
        break_long_words=False,
    )
