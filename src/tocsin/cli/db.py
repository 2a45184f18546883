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

from tocsin.cli.table import format_table, printable, printable_text, wrap
from tocsin.errors import TocsinError

if TYPE_CHECKING:
    from rich.status import Status

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
        wrap(
            f"{built.path}: {_counted(content.census.total, 'signature')} from "
            f"{_counted(len(content.census.sources), 'source')}, {built.size:,} bytes"
        )
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
    rows: list[tuple[object, ...]] = [(file, size) for file, size in sizes.items()]
    click.echo(format_table(rows, ("File", "Bytes")))
    click.echo(f"\nSHA-256 as a portable database: {digest}")
    click.echo(f"{_counted(census.total, 'signature')}\n")
    click.echo(format_table(_ranked(census.kinds), ("Kind", "Signatures")))
    if census.targets:
        targets = [
            (number, target_words(number), count) for number, count in sorted(census.targets.items())
        ]
        click.echo("\n" + format_table(targets, ("Target", "Objects", "Signatures")))
    sources = [
        (
            source.name,
            source.version,
            "yes" if source.signed else "no",
            source.author,
            source.licence,
            source.sha256[:12],
            count,
        )
        for source, count in sorted(census.sources.items())
    ]
    headings = ("Source", "Version", "Signed", "Author", "Licence", "SHA-256", "Signatures")
    click.echo("\n" + _without_empty_columns(sources, headings))
    _print_unevaluated(census)
    _print_problems(content.problems, "malformed; a scan refuses them unless lenient")


def _without_empty_columns(rows: list[tuple[object, ...]], headings: Sequence[str]) -> str:
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
                click.echo(wrap(f"{path}: ok, {kind}: {detail}", following="  "))
        except TocsinError as error:
            failed = True
            results.append({"path": str(path), "ok": False, "kind": "", "detail": str(error)})
            if not as_json:
                click.echo(f"tocsin: {printable(str(error))}", err=True)
    if as_json:
        _print_json(results)
    if failed:
        sys.exit(2)


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
        "excepted": census.excepted,
        "unwanted": census.unwanted,
    }


def _ranked(counter: Counter[str]) -> list[tuple[str, int]]:
    """The most frequent first, equals by name: the same order on every machine."""
    return sorted(counter.items(), key=lambda item: (-item[1], item[0]))


def _problem_values(problem: SignatureError) -> dict[str, object]:
    return {"source": problem.source, "line": problem.line, "reason": problem.reason}


def _print_unevaluated(census: Census) -> None:
    if census.unwanted:
        click.echo(f"\nUsed only on request (unwanted software): {census.unwanted:,}")
    if census.excepted:
        click.echo(f"\nSwitched off by exceptions: {census.excepted:,}")
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
