"""`tocsin rebuilder`: the key of somebody who rebuilds databases, so that their word counts."""

from __future__ import annotations

import json
from pathlib import Path

import click

from tocsin.cli.passphrase import passphrase_option, read_passphrase

_CONTEXT = {"help_option_names": ["-h", "--help"]}


@click.group("rebuilder", context_settings=_CONTEXT)
def command() -> None:
    """Be somebody whose word on rebuilt databases counts.

    \b
    Examples:
      tocsin rebuilder key ~/rebuilder.key rebuilder.example.org
      tocsin rebuild 12 --sign ~/rebuilder.key
    """


@command.command("key", context_settings=_CONTEXT)
@click.argument("file", type=click.Path(path_type=Path))
@click.argument("name")
@passphrase_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def key(file: Path, name: str, passphrase_file: Path | None, as_json: bool) -> None:
    """Make a rebuilder's key, and print the public one for others' lists.

    NAME is an address without a scheme that says who rebuilds; it need not exist. Users write the
    public key into their trust folder ('tocsin update trust --rebuilder'), and ask for so many
    with [updates] rebuilders.

    Exit status: 0 made, 2 something is wrong.

    \b
    Examples:
      tocsin rebuilder key ~/rebuilder.key rebuilder.example.org
    """
    from tocsin.transparency.errors import KeyFileError
    from tocsin.transparency.keys import SigningKey

    if file.exists():
        raise KeyFileError(f"{file}: something is there; a key is never written over")
    made = SigningKey.generate(name)
    made.save(file, read_passphrase(passphrase_file, of=file, new=True))
    if as_json:
        click.echo(json.dumps({"file": str(file), "vkey": made.verifier.vkey}))
    else:
        click.echo(made.verifier.vkey)
