"""`tocsin rebuild`: build what was published again from its sources, and compare the bytes."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tocsin.cli.passphrase import passphrase_option
from tocsin.cli.printable import printable
from tocsin.cli.sizes import counted, human_size
from tocsin.cli.table import format_table

if TYPE_CHECKING:
    from tocsin.app.rebuild import Rebuilt
    from tocsin.app.updates import Asked

_CONTEXT = {"help_option_names": ["-h", "--help"]}
_SHOWN = 40
_PATH = click.Path(path_type=Path)
_FOLDER = click.Path(path_type=Path, exists=True, file_okay=False)


@click.command("rebuild", context_settings=_CONTEXT)
@click.argument("version", type=click.IntRange(min=1))
@click.option("--sha256", default="", metavar="HEX", help="Which of several with this number.")
@click.option(
    "--sources",
    "copies",
    type=_FOLDER,
    metavar="DIR",
    help="Copies of sources, by their names or SHA-256; the others are fetched.",
)
@click.option(
    "--rulebook",
    "rules",
    type=_FOLDER,
    metavar="FOLDER",
    help="VERSION is an edition of the rulebook: make it from this folder.",
)
@click.option("--keep", type=_PATH, metavar="FILE", help="Keep what was built.")
@click.option(
    "--sign",
    "key",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    metavar="KEY",
    help="If the bytes are the same, say so under this key ('tocsin rebuilder key' makes one).",
)
@click.option(
    "--output",
    type=_PATH,
    metavar="FILE",
    help="Where the attestation goes; default: SHA256.rebuilds here. A file that is there gets "
    "one more line.",
)
@click.option("--mirror", "mirrors", multiple=True, metavar="URL|DIR", help="Of the repository.")
@click.option("--trust", "folder", type=_FOLDER, help="Folder with root.json and policy.")
@passphrase_option
@click.option("--no-progress", is_flag=True, help="Show no progress.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_context
def command(
    ctx: click.Context,
    version: int,
    sha256: str,
    copies: Path | None,
    rules: Path | None,
    keep: Path | None,
    key: Path | None,
    output: Path | None,
    mirrors: tuple[str, ...],
    folder: Path | None,
    passphrase_file: Path | None,
    no_progress: bool,
    as_json: bool,
) -> None:
    """Build a published database again from its sources, and compare byte for byte.

    The log says what VERSION was made of, also when it is offered no more. Each source comes from
    --sources, from the repository where it keeps a copy, or from its address, and is checked
    against its digest. So you check the publisher without believing anybody; with --sign others
    can let your word count. An edition of the rulebook is made again from a folder with its files
    (--rulebook); which of them are not those that the log names is said.

    Exit status: 0 the same bytes; 1 other bytes, with what differs; 2 it could not be built.

    \b
    Examples:
      tocsin rebuild 12
      tocsin rebuild 12 --sources ~/signatures --json
      tocsin rebuild 12 --sign ~/rebuilder.key --output 12.rebuilds
      tocsin rebuild 3 --rulebook rulebook/
    """
    from tocsin.app.updates import Asked

    if rules is not None:
        if copies is not None or key is not None:
            raise click.UsageError("--sources and --sign are for databases, not for a --rulebook")
        _rulebook(ctx, version, rules, sha256, keep, Asked(folder, mirrors), as_json=as_json)
        return
    from tocsin.app.rebuild import rebuild, sign_rebuilt
    from tocsin.cli.passphrase import read_passphrase
    from tocsin.cli.progress import Meter
    from tocsin.cli.settings_option import current_settings
    from tocsin.cli.update_progress import shown
    from tocsin.transparency.keys import SigningKey

    signing = None
    if key is not None:  # before anything takes long
        signing = SigningKey.load(key, read_passphrase(passphrase_file, of=key))
    settings = current_settings(ctx)
    with Meter(enabled=not no_progress and not as_json) as meter:
        rebuilt = rebuild(
            settings,
            Asked(folder, mirrors),
            version,
            sha256=sha256,
            copies=copies,
            keep=keep,
            progress=shown(meter),
            say=meter.say,
        )
    attestation = None
    if signing is not None and rebuilt.same:
        attestation = output or Path(f"{rebuilt.sha256}.rebuilds")
        sign_rebuilt(rebuilt, signing, attestation)
    if as_json:
        click.echo(json.dumps(_values(rebuilt, attestation)))
    else:
        _say(rebuilt, attestation)
    if not rebuilt.same:
        sys.exit(1)


def _rulebook(
    ctx: click.Context,
    version: int,
    rules: Path,
    sha256: str,
    keep: Path | None,
    asked: Asked,
    *,
    as_json: bool,
) -> None:
    """Make an edition of the rulebook again, and say what came of it."""
    from tocsin.app.rebuild_rulebook import rebuild_rulebook
    from tocsin.cli.settings_option import current_settings

    settings = current_settings(ctx)
    rebuilt = rebuild_rulebook(settings, asked, version, rules, sha256=sha256, keep=keep)
    entry, head = rebuilt.entry, rebuilt.verdict.head
    if as_json:
        values = {
            "edition": version,
            "same": rebuilt.same,
            "published_sha256": entry.statement.sha256,
            "rebuilt_sha256": rebuilt.sha256,
            "published_bytes": entry.predicate.size,
            "rebuilt_bytes": rebuilt.size,
            "checked": entry.predicate.checked.isoformat(),
            "log": head.origin,
            "log_size": head.size,
            "log_index": entry.index,
            "signed_by": sorted(entry.signed_by),
            "software": entry.predicate.software,
            "files": rebuilt.files._asdict(),
        }
        click.echo(json.dumps(values))
    else:
        rows = [
            ("log entry", f"{entry.index} of {head.size:,} in {head.origin}"),
            ("made of", counted(len(entry.predicate.files), "file")),
            ("published", f"{entry.statement.sha256}, {entry.predicate.size:,} bytes"),
            ("rebuilt", f"{rebuilt.sha256}, {rebuilt.size:,} bytes"),
        ]
        click.echo(format_table(rows))
        verdict = "the same bytes" if rebuilt.same else "NOT the same bytes"
        click.echo(f"Edition {version} of the rulebook: {verdict}.")
        for mark, names in zip("+-~", rebuilt.files, strict=True):
            for name in names[:_SHOWN]:
                click.echo(printable(f"  {mark}{name}"))
            if len(names) > _SHOWN:
                click.echo(f"  {mark} {len(names) - _SHOWN:,} more")
    if not rebuilt.same:
        sys.exit(1)


def _values(rebuilt: Rebuilt, attestation: Path | None) -> dict[str, Any]:
    from tocsin.app.rebuild import SOFTWARE

    entry, difference = rebuilt.entry, rebuilt.difference
    return {
        "version": entry.predicate.version,
        "same": rebuilt.same,
        "published_sha256": entry.statement.sha256,
        "rebuilt_sha256": rebuilt.sha256,
        "published_bytes": entry.predicate.size,
        "rebuilt_bytes": rebuilt.size,
        "left_out": rebuilt.left_out,
        "log": rebuilt.verdict.head.origin,
        "log_size": rebuilt.verdict.head.size,
        "log_index": entry.index,
        "entry_sha256": entry.sha256,
        "signed_by": sorted(entry.signed_by),
        "created": entry.predicate.created.isoformat(),
        "software": {"published": entry.predicate.software, "rebuilt": SOFTWARE},
        "software_note": rebuilt.software_note,
        "sources": [
            {"name": one.name, "sha256": one.sha256, "bytes": one.size, "uri": one.uri}
            for one in entry.predicate.sources
        ],
        "difference": None
        if difference is None
        else {
            "only_published": difference.only_published,
            "only_rebuilt": difference.only_rebuilt,
            "kinds": dict(difference.kinds),
            "sources": difference.sources,
            "examples": difference.examples,
        },
        "why_unknown": rebuilt.why_unknown,
        "attestation": None if attestation is None else str(attestation),
    }


def _say(rebuilt: Rebuilt, attestation: Path | None) -> None:
    entry = rebuilt.entry
    head = rebuilt.verdict.head
    sources = counted(len(entry.predicate.sources), "source")
    rows = [
        ("log entry", f"{entry.index} of {head.size:,} in {head.origin}"),
        ("built from", f"{sources}, {human_size(sum(s.size for s in entry.predicate.sources))}"),
        ("published", f"{entry.statement.sha256}, {entry.predicate.size:,} bytes"),
        ("rebuilt", f"{rebuilt.sha256}, {rebuilt.size:,} bytes"),
    ]
    click.echo(format_table(rows))
    verdict = "the same bytes" if rebuilt.same else "NOT the same bytes"
    click.echo(f"Version {entry.predicate.version}: {verdict}.")
    if rebuilt.software_note:
        click.echo(printable(f"  {rebuilt.software_note}"))
    if difference := rebuilt.difference:
        click.echo(
            f"  {counted(difference.only_published, 'record')} only in the published, "
            f"{difference.only_rebuilt:,} only in the rebuilt one"
        )
        for line in (*difference.sources, *difference.examples):
            click.echo(printable(f"  {line}"))
    if rebuilt.why_unknown:
        click.echo(printable(f"  {rebuilt.why_unknown}"))
    if attestation is not None:
        click.echo(
            printable(
                f"Signed: {attestation}. Hand it to the publisher, or put it beside a mirror as "
                f"proofs/{rebuilt.sha256}.rebuilds"
            )
        )
