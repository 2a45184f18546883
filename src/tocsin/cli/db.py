"""`tocsin db`: build, inspect, explain, compare and verify detection databases."""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tocsin.cli.printable import printable, printable_text
from tocsin.cli.table import format_table, wrap
from tocsin.errors import TocsinError

if TYPE_CHECKING:
    from rich.status import Status

    from tocsin.database.difference import Changed
    from tocsin.database.explain import Explanation
    from tocsin.database.inspect import Census, Entry, Gathered
    from tocsin.errors import SignatureError

PATIENCE_SECONDS = 2.0
"""What takes longer shows on a terminal how far it is."""

SHOWN_PROBLEMS = 10
_EXISTING = click.Path(path_type=Path)
_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")
_DATABASES = click.option(
    "--db",
    "databases",
    type=_EXISTING,
    multiple=True,
    metavar="PATH",
    help="Where to look: a database, signature file, archive or folder; may be repeated. "
    "Without it, the signatures that come with tocsin.",
)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def command() -> None:
    """Build, inspect and compare detection databases.

    A database is a file written by `tocsin db build`, a signature file (ClamAV's and YARA's
    languages, plain lists of digests), a ClamAV archive (.cvd, .cld), or a folder of them.
    """


# --- build --------------------------------------------------------------------------------


@command.command()
@click.argument("sources", type=_EXISTING, nargs=-1, required=True, metavar="SOURCE...")
@click.option("-o", "--output", type=_EXISTING, required=True, metavar="FILE", help="Write here.")
@click.option("--lenient", is_flag=True, help="Leave out malformed signatures and say so.")
@_JSON
def build(sources: Sequence[Path], output: Path, lenient: bool, as_json: bool) -> None:
    """Write one portable database from any number of sources.

    The same sources give the same bytes on any machine and in any order. FILE is replaced only
    when everything has succeeded. What is recognised and not evaluated yet is kept and counted.

    Exit status: 0 written, 2 something is wrong and nothing was written.

    \b
    Examples:
      tocsin db build rules/ -o rules.tdb
      tocsin db build main.cvd daily.cvd extra.ndb --lenient -o all.tdb
    """
    from tocsin.database.write import build_database

    with _progress() as progress:
        built = build_database(sources, output, lenient=lenient, progress=progress)
    content = built.content
    if as_json:
        _print_json(
            {
                "file": str(built.path),
                "bytes": built.size,
                "sha256": built.sha256,
                **_census_values(content.census),
                "problems": [_problem_values(problem) for problem in content.problems],
            }
        )
        return
    click.echo(
        f"{printable(str(built.path))}: {_counted(content.census.total, 'signature')} from "
        f"{_counted(len(content.census.sources), 'source')}, {built.size:,} bytes"
    )
    click.echo(f"SHA-256 {built.sha256}")
    _print_unevaluated(content.census)
    _print_problems(content.problems, "left out as malformed")


# --- info ---------------------------------------------------------------------------------


@command.command()
@click.argument("paths", type=_EXISTING, nargs=-1, metavar="[FILE...]")
@_JSON
def info(paths: Sequence[Path], as_json: bool) -> None:
    """Say what is in a database: how many of what, from whom, and what is not evaluated.

    Several files and folders are counted together, as a scan would use them together; without
    any, the signatures that come with tocsin. The digest is the one of the portable database
    that `tocsin db build --lenient` writes from them.

    \b
    Examples:
      tocsin db info
      tocsin db info rules.tdb
      tocsin db info /var/lib/clamav --json
    """
    import hashlib

    from tocsin.database.inspect import gather
    from tocsin.database.portable import build_portable

    with _progress() as progress:
        content = gather(_given(paths), lenient=True, progress=progress)
        digest = hashlib.sha256(build_portable(content.records)).hexdigest()
    sizes = {file: file.stat().st_size for file in content.files}
    if as_json:
        _print_json(
            {
                "files": [{"path": str(file), "bytes": size} for file, size in sizes.items()],
                "sha256": digest,
                **_census_values(content.census),
                "problems": [_problem_values(problem) for problem in content.problems],
            }
        )
    else:
        _print_info(content, sizes, digest)


def _print_info(content: Gathered, sizes: dict[Path, int], digest: str) -> None:
    from tocsin.database.words import target_words

    census = content.census
    click.echo(format_table(list(sizes.items()), ("File", "Bytes")))
    click.echo(f"\nSHA-256 as a portable database: {digest}")
    click.echo(f"{_counted(census.total, 'signature')}\n")
    click.echo(format_table(_ranked(census.kinds), ("Kind", "Signatures")))
    if census.targets:
        targets = [
            (number, target_words(number), count)
            for number, count in sorted(census.targets.items())
        ]
        click.echo("\n" + format_table(targets, ("Target", "Objects", "Signatures")))
    sources = [
        (
            source.name,
            source.version,
            "yes" if source.signed else "no",
            source.author,
            source.licence,
            count,
        )
        for source, count in sorted(census.sources.items())
    ]
    headings = ("Source", "Version", "Signed", "Author", "Licence", "Signatures")
    click.echo("\n" + _without_empty_columns(sources, headings))
    _print_unevaluated(census)
    _print_problems(content.problems, "malformed; a scan refuses them unless lenient")


def _without_empty_columns(rows: Sequence[tuple[object, ...]], headings: Sequence[str]) -> str:
    kept = [
        place for place in range(len(headings)) if any(row[place] not in ("", None) for row in rows)
    ]
    return format_table(
        [[row[place] for place in kept] for row in rows], [headings[place] for place in kept]
    )


# --- verify -------------------------------------------------------------------------------


@command.command()
@click.argument("paths", type=_EXISTING, nargs=-1, required=True, metavar="FILE...")
@_JSON
def verify(paths: Sequence[Path], as_json: bool) -> None:
    """Hash everything in a portable database, an index of the cache, or a ClamAV archive.

    A portable database must have the digest it states and be in canonical form, an index the
    digests of all its sections, a .cvd or .cld ClamAV's digital signature.

    Exit status: 0 all are what they state, 2 one is not.

    \b
    Examples:
      tocsin db verify rules.tdb
      tocsin db verify /var/lib/clamav/*.c[vl]d
    """
    from tocsin.database.verify import verify_file

    results: list[dict[str, Any]] = []
    failed = False
    for path in paths:
        try:
            kind, detail = verify_file(path)
            results.append({"path": str(path), "ok": True, "kind": kind, "detail": detail})
            if not as_json:
                click.echo(f"{printable(str(path))}: ok, {kind}: {detail}")
        except TocsinError as error:
            failed = True
            results.append({"path": str(path), "ok": False, "kind": "", "detail": str(error)})
            if not as_json:
                click.echo(f"tocsin: {printable(str(error))}", err=True)
    if as_json:
        _print_json(results)
    if failed:
        sys.exit(2)


# --- find ---------------------------------------------------------------------------------


@command.command()
@click.argument("name")
@_DATABASES
@_JSON
def find(name: str, databases: Sequence[Path], as_json: bool) -> None:
    """Find signatures by name and print their text and origin.

    NAME is a whole name; in it * stands for any text and ? for any character. Quote it so that
    the shell leaves it alone.

    Exit status: 0 found, 1 not found, 2 something is wrong.

    \b
    Examples:
      tocsin db find Eicar-Test-Signature --db main.cvd
      tocsin db find '*Mimikatz*' --db /var/lib/clamav --json
    """
    from tocsin.database import inspect

    with _progress() as progress:
        found = list(inspect.find(_given(databases), name, progress=progress))
    if as_json:
        _print_json([_entry_values(entry) for entry in found])
    for number, entry in enumerate(() if as_json else found):
        click.echo(("\n" if number else "") + _heading(entry))
        click.echo(printable_text(entry.record.text))
    if not found:
        _not_found(name)


def _heading(entry: Entry, *more: tuple[str, str]) -> str:
    record = entry.record
    rows = [("kind", _kind_words(entry)), ("source", _source_words(entry))]
    rows += [("author", record.source.author), ("licence", record.source.licence), *more]
    head = printable(entry.name or record.detail)
    return head + "\n" + format_table([row for row in rows if row[1]], indent=2)


def _kind_words(entry: Entry) -> str:
    record = entry.record
    words = f"{record.kind.value} ({record.detail})" if record.detail else record.kind.value
    return words + (", used on request only" if record.pua else "")


def _source_words(entry: Entry) -> str:
    source = entry.record.source
    words = source.name
    if entry.record.line:
        words += f", line {entry.record.line:,}"
    if source.version:
        words += f", version {source.version}"
    return words + (", signed" if source.signed else "")


def _entry_values(entry: Entry) -> dict[str, Any]:
    record = entry.record
    return {
        "name": entry.name,
        "kind": record.kind.value,
        "detail": record.detail,
        "unwanted": record.pua,
        "source": record.source._asdict(),
        "line": record.line,
        "text": record.text,
    }


def _not_found(name: str) -> None:
    click.echo(f"tocsin: no signature is named {printable(name)}", err=True)
    sys.exit(1)


# --- explain ------------------------------------------------------------------------------


@command.command()
@click.argument("name")
@_DATABASES
@_JSON
def explain(name: str, databases: Sequence[Path], as_json: bool) -> None:
    """Say in words what a signature asks for.

    Conditions, the logical expression as a tree, each sub-signature with its place, its bytes
    decoded, its gaps and alternatives, and the atom that the index looks for first: how common
    that is in ordinary files counts from 0 (rare) to 255. NAME is as in `tocsin db find`.

    Exit status: 0 found, 1 not found, 2 something is wrong.

    \b
    Examples:
      tocsin db explain Tocsin.Win.Shellcode.ApiHash32
      tocsin db explain 'Win.Exploit.CVE_2016_7185*' --db main.ldb
    """
    from tocsin.database import inspect
    from tocsin.database.explain import explain_all, explanation_values

    with _progress() as progress:
        found = explain_all(inspect.find(_given(databases), name, progress=progress))
    if as_json:
        _print_json(
            [
                {**_entry_values(entry), "explanation": explanation_values(explanation)}
                for entry, explanation in found
            ]
        )
    for number, (entry, explanation) in enumerate(() if as_json else found):
        if number:
            click.echo()
        _print_explanation(entry, explanation)
    if not found:
        _not_found(name)


def _print_explanation(entry: Entry, explanation: Explanation) -> None:
    missing = explanation.unevaluated
    click.echo(_heading(entry, ("matches", explanation.summary), ("not evaluated", missing)))
    if explanation.facts:
        click.echo("\n" + format_table(explanation.facts, indent=2))
    if len(explanation.tree) > 1 or (explanation.tree and len(explanation.parts) > 1):
        click.echo("\n  Holds when")
        for line in explanation.tree:
            click.echo(f"    {line}")
    for part in explanation.parts:
        click.echo("\n" + wrap(part.title, first="  ", following="      "))
        for line in part.lines:
            indent = " " * (6 + len(line) - len(line.lstrip()))
            click.echo(wrap(line.lstrip(), first=indent, following=indent + "  "))
    if entry.record.kind.value == "yara":
        click.echo("\n" + printable_text(entry.record.text))
    if explanation.atoms:
        click.echo("\n  The index looks for")
        for line in explanation.atoms:
            click.echo(wrap(line, first="      ", following="        "))


# --- diff ---------------------------------------------------------------------------------


@command.command()
@click.argument("first", type=_EXISTING, metavar="A")
@click.argument("second", type=_EXISTING, metavar="B")
@click.option("--summary", is_flag=True, help="Print counts only.")
@click.option("--text", "with_text", is_flag=True, help="Print the texts that differ, too.")
@_JSON
def diff(first: Path, second: Path, summary: bool, with_text: bool, as_json: bool) -> None:
    """Compare two databases: names added, removed and changed from A to B, by kind.

    A and B are each a portable database, a signature file, an archive or a folder. Where a
    signature came from does not count, only its kind, name and text.

    Exit status: 0 equal, 1 different, 2 something is wrong.

    \b
    Examples:
      tocsin db diff yesterday.tdb today.tdb
      tocsin db diff --summary rules.tdb rules/
    """
    from tocsin.database.difference import compare

    with _progress() as progress:
        difference = compare([first], [second], progress=progress)
    listed = {
        "added": difference.added,
        "removed": difference.removed,
        "changed": difference.changed,
    }
    if as_json:
        lists = {what: [item._asdict() for item in items] for what, items in listed.items()}
        _print_json(
            {
                "equal": difference.equal,
                "counts": difference.counts(),
                **({} if summary else lists),
            }
        )
    else:
        if not summary:
            for sign, items in zip("+-~", listed.values(), strict=True):
                _print_changes(sign, items, with_text=with_text)
        rows = [(kind, *numbers.values()) for kind, numbers in difference.counts().items()]
        click.echo(format_table(rows, ("Kind", "Added", "Removed", "Changed", "Same")))
    if not difference.equal:
        sys.exit(1)


def _print_changes(sign: str, items: Sequence[Changed], *, with_text: bool) -> None:
    for item in items:
        click.echo(f"{sign} {item.kind:15} {printable(item.name)}")
        for mark, texts in (("-", item.before), ("+", item.after)) if with_text else ():
            for text in texts:
                for line in text.splitlines():
                    click.echo(f"    {mark} {printable(line)}")
    if items:
        click.echo()


# --- shared -------------------------------------------------------------------------------


def _given(paths: Sequence[Path]) -> list[Path]:
    from tocsin.database.cache import default_sources

    return list(paths) or [default_sources()]


@contextmanager
def _progress() -> Iterator[Callable[[str], None] | None]:
    """Something to tell progress to: shown on a terminal once it takes a while."""
    if not sys.stderr.isatty():
        yield None
        return
    began = time.monotonic()
    status: Status | None = None

    def show(text: str) -> None:
        nonlocal status
        if status is not None:
            status.update(text)
        elif time.monotonic() - began > PATIENCE_SECONDS:
            from rich.console import Console

            status = Console(stderr=True, markup=False).status(text)
            status.start()

    try:
        yield show
    finally:
        if status is not None:
            status.stop()


def _print_json(value: object) -> None:
    click.echo(json.dumps(value, indent=2, ensure_ascii=True))


def _census_values(census: Census) -> dict[str, Any]:
    return {
        "signatures": census.total,
        "kinds": dict(_ranked(census.kinds)),
        "targets": {str(number): count for number, count in sorted(census.targets.items())},
        "sources": [
            {**source._asdict(), "signatures": count}
            for source, count in sorted(census.sources.items())
        ],
        "unevaluated": dict(_ranked(census.unevaluated)),
        "other_engine": census.other_engine,
        "excepted": census.excepted,
        "unwanted": census.unwanted,
    }


def _ranked(counter: Counter[str]) -> list[tuple[str, int]]:
    """The most frequent first, equals by name: the same order on every machine."""
    return sorted(counter.items(), key=lambda item: (-item[1], item[0]))


def _problem_values(problem: SignatureError) -> dict[str, object]:
    return {"source": problem.source, "line": problem.line, "reason": problem.reason}


def _print_unevaluated(census: Census) -> None:
    remarks = [
        ("Used only on request (unwanted software)", census.unwanted),
        ("Meant for another engine or version", census.other_engine),
        ("Switched off by exceptions", census.excepted),
    ]
    if remarks := [remark for remark in remarks if remark[1]]:
        click.echo("\n" + format_table(remarks))
    if census.unevaluated:
        click.echo(f"\nKept and not evaluated: {census.unevaluated.total():,}")
        click.echo(format_table(_ranked(census.unevaluated), indent=2))


def _print_problems(problems: Sequence[SignatureError], what: str) -> None:
    if not problems:
        return
    click.echo(f"\n{_counted(len(problems), 'signature')} {what}:", err=True)
    for problem in problems[:SHOWN_PROBLEMS]:
        click.echo(wrap(str(problem), first="  ", following="    "), err=True)
    if len(problems) > SHOWN_PROBLEMS:
        rest = len(problems) - SHOWN_PROBLEMS
        click.echo(f"  and {rest:,} more (--json lists all)", err=True)


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
