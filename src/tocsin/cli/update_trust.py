"""`tocsin update trust`: choose whose updates are believed, and by whose word."""

from __future__ import annotations

import json
from pathlib import Path

import click

from tocsin.cli.printable import printable
from tocsin.cli.table import format_table

_CONTEXT = {"help_option_names": ["-h", "--help"]}


@click.command("trust", context_settings=_CONTEXT)
@click.option(
    "--root", type=click.Path(path_type=Path, dir_okay=False), help="root.json to begin with."
)
@click.option(
    "--policy", type=click.Path(path_type=Path, dir_okay=False), help="Logs, witnesses and quorum."
)
@click.option("--mirror", "mirrors", multiple=True, metavar="URL|DIR", help="Repeatable.")
@click.option(
    "--rebuilder",
    "rebuilders",
    multiple=True,
    metavar="VKEY|FILE",
    help="Let the word of this rebuilder count too; [updates] rebuilders says how many it takes.",
)
@click.option("--trust", "folder", type=click.Path(path_type=Path, file_okay=False), help="Folder.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def trust(
    root: Path | None,
    policy: Path | None,
    mirrors: tuple[str, ...],
    rebuilders: tuple[str, ...],
    folder: Path | None,
    as_json: bool,
) -> None:
    """Choose whom to trust, or show whom you do.

    The root says which keys speak for a publisher. Get it by a way that you believe, and compare
    the digest that is shown with the publisher by another. The policy (C2SP tlog-policy) says
    which logs count, and how many of which witnesses must have seen a log before anything in it
    is used. A witness that the publisher chose proves less than one that you did.

    Another root than before begins anew: what the old publisher said is set aside.

    \b
    Examples:
      tocsin update trust --root root.json --policy policy --mirror https://mirror.example/
      tocsin update trust
    """
    from tocsin.app.update_trust import add_rebuilders, chosen, trust_values
    from tocsin.cli.log_verdict import read_log_key
    from tocsin.cli.settings_option import current_settings

    settings = current_settings()
    if root or policy or mirrors:
        chosen(settings, folder, root, policy, mirrors)
    if rebuilders:
        add_rebuilders(settings, folder, [read_log_key(each) for each in rebuilders])
    values = trust_values(settings, folder)
    if as_json:
        click.echo(json.dumps(values))
        return
    rows = [
        ("publisher", values["publisher"] or "says no name"),
        ("root", f"version {values['root_version']}, SHA-256 {values['root_sha256']}"),
        ("root keys", f"{values['needed']} of {len(values['own_keys'])}"),
        ("custodians", f"{values['custodians_needed']} of {len(values['custodian_keys'])}"),
        ("logs", ", ".join(values["logs"])),
        ("witnesses", ", ".join(values["witnesses"]) or "none"),
        ("quorum", values["quorum"]),
        ("rebuilders", ", ".join(values["rebuilders"]) or "none"),
        ("mirrors", ", ".join(values["mirrors"]) or "none"),
    ]
    click.echo(format_table(rows))
    if values["quorum"] == "none":
        click.echo(
            printable(
                "The quorum is none: nobody but the publisher's log says that all see the same."
            ),
            err=True,
        )
