"""`tocsin law check`, `diff` and `schema`: rulebooks as files."""

from __future__ import annotations

import json
import sys
from collections import Counter
from pathlib import Path

import click

from tocsin.cli.law import CONTEXT, read_book, the_book
from tocsin.cli.law_options import JSON
from tocsin.cli.printable import printable
from tocsin.cli.table import format_table, wrap

_MOST_SHOWN = 40


@click.command("check", context_settings=CONTEXT)
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path, exists=True), metavar="[PATH]…")
@JSON
def check(paths: tuple[Path, ...], as_json: bool) -> None:
    """Check files of rules and suppliers; without a path, those in use.

    A path is one file, or a folder with rules/ and suppliers/ in it. Every mistake is told with
    line and key. Exit status: 0 all is right, 1 there are mistakes.

    \b
    Examples:
      tocsin law check my-rule.toml
      tocsin law check ~/.config/tocsin/law
    """
    from tocsin.app.law_check import check_rules

    checked = check_rules(paths)
    problems = [
        {
            "file": error.source,
            "line": each.line,
            "key": each.key,
            "reason": each.reason,
        }
        for error in checked.broken
        for each in error.problems
    ] + [{"file": "", "line": 0, "key": "", "reason": reason} for reason in checked.misfits]
    if as_json:
        click.echo(
            json.dumps({"files": list(checked.files), "problems": problems}, ensure_ascii=False)
        )
    else:
        for error in checked.broken:
            for line in error.lines():
                click.echo(printable(line))
        for reason in checked.misfits:
            click.echo(printable(reason))
        count = len(checked.files)
        click.echo(f"{count} {'file' if count == 1 else 'files'}, {len(problems)} mistakes")
    sys.exit(1 if problems else 0)


@click.command("diff", context_settings=CONTEXT)
@click.argument("old", type=click.Path(path_type=Path, exists=True))
@click.argument("new", type=click.Path(path_type=Path, exists=True), required=False)
@JSON
def diff(old: Path, new: Path | None, as_json: bool) -> None:
    """Compare two editions of a rulebook: what was changed, and which answers are others.

    An edition is a folder or a file in the portable form; without NEW, the rulebook in use. Exit
    status: 0 they say the same, 1 they differ.

    \b
    Examples:
      tocsin law diff rulebook-2026-11 rulebook-2026-12
      tocsin law diff edition-3.json --json
    """
    from tocsin.cli.law_output import utc
    from tocsin.jurisdiction.diff import difference

    before = read_book(old)
    after = the_book() if new is None else read_book(new)
    found = difference(before, after)
    is_same = not (found.added or found.removed or found.changed or found.answers)
    if as_json:
        click.echo(
            json.dumps(
                {
                    "old": {"edition": before.edition.number, "sha256": before.sha256},
                    "new": {"edition": after.edition.number, "sha256": after.sha256},
                    "added": list(found.added),
                    "removed": list(found.removed),
                    "changed": [
                        {"id": each.id, "fields": [field._asdict() for field in each.fields]}
                        for each in found.changed
                    ],
                    "answers": [
                        {
                            "supplier": each.supplier,
                            "place": each.place,
                            "addressees": [one.value for one in each.addressees],
                            "operation": each.operation.value,
                            "product": each.product.value,
                            "at": utc(each.at),
                            "before": each.before.value,
                            "after": each.after.value,
                        }
                        for each in found.answers
                    ],
                },
                ensure_ascii=False,
            )
        )
        sys.exit(0 if is_same else 1)
    for sign, names in (("+", found.added), ("-", found.removed)):
        for name in names:
            click.echo(f"{sign} {printable(name)}")
    for each in found.changed:
        click.echo(f"~ {printable(each.id)}")
        for field in each.fields:
            told = f"{field.path}: {field.before or '(nothing)'} → {field.after or '(nothing)'}"
            click.echo(wrap(told, first="    ", following="      "))
    if found.answers:
        click.echo(f"\n{len(found.answers):,} answers are others:")
        rows = [
            (
                each.place,
                " and ".join(one.value for one in each.addressees) or "private",
                each.operation.value,
                each.product.value,
                utc(each.at),
                f"{each.before.value} → {each.after.value}",
            )
            for each in found.answers[:_MOST_SHOWN]
        ]
        click.echo(format_table(rows, ("place", "who", "operation", "product", "from", "")))
        if len(found.answers) > _MOST_SHOWN:
            rest = Counter(each.place for each in found.answers[_MOST_SHOWN:])
            told = ", ".join(f"{place} {count:,}" for place, count in sorted(rest.items()))
            click.echo(f"and more, which --json shows: {told}")
    elif not is_same:
        click.echo("No answer is another one.")
    if alone := before.suppliers.keys() ^ after.suppliers.keys():
        click.echo(f"Not compared, since only one has them: {printable(', '.join(sorted(alone)))}.")
    if is_same:
        click.echo("They say the same.")
    sys.exit(0 if is_same else 1)


@click.command("schema", context_settings=CONTEXT)
@click.argument("kind", type=click.Choice(["instrument", "supplier", "edition"]))
def schema(kind: str) -> None:
    """Print the JSON Schema of a kind of file, for editors.

    \b
    Examples:
      tocsin law schema instrument > instrument.schema.json
    """
    from tocsin.jurisdiction.schema import json_schema

    click.echo(json.dumps(json_schema(kind), indent=2, ensure_ascii=False))
