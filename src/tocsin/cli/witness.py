"""`tocsin witness`: cosign the checkpoints of logs, for whoever must not be shown another log."""

from __future__ import annotations

import asyncio
import ipaddress
import json
from pathlib import Path

import click

from tocsin.cli.log_verdict import read_log_key
from tocsin.cli.passphrase import passphrase_option, read_passphrase
from tocsin.cli.printable import printable
from tocsin.cli.table import format_table
from tocsin.cli.times import local_time
from tocsin.errors import UsageError

_CONTEXT = {"help_option_names": ["-h", "--help"]}
_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
_STATE = click.argument("state", metavar="DIR", type=click.Path(path_type=Path))
_KINDS = {"ed25519": 0x04, "ml-dsa": 0x06}


@click.group("witness", context_settings=_CONTEXT)
def command() -> None:
    """Cosign logs, so that nobody can be shown another one.

    A witness keeps, of each log that it knows, how far that has grown, and cosigns only what
    continues it (C2SP tlog-witness). Everything it keeps is in one folder. Make backups of the
    keys only: with an old state a witness would cosign what it should not.

    \b
    Examples:
      tocsin witness key /srv/witness witness.example.org/w1
      tocsin witness add-log /srv/witness log.vkey
      tocsin witness serve /srv/witness --listen 127.0.0.1:7380
      tocsin witness list /srv/witness
    """


@command.command("key", context_settings=_CONTEXT)
@_STATE
@click.argument("name")
@click.option(
    "--type",
    "kinds",
    type=click.Choice(list(_KINDS)),
    multiple=True,
    help="Only of this type; without it, one of each.",
)
@passphrase_option
@_JSON
def key(
    state: Path, name: str, kinds: tuple[str, ...], passphrase_file: Path | None, as_json: bool
) -> None:
    """Make a witness's keys in its folder, and print the public ones for others' policies.

    NAME is an address without a scheme that says whose witness it is; it need not exist.

    \b
    Examples:
      tocsin witness key /srv/witness witness.example.org/w1
    """
    from tocsin.transparency.errors import KeyFileError
    from tocsin.transparency.keys import SigningKey
    from tocsin.transparency.verifier_key import KeyType
    from tocsin.transparency.witness_store import WitnessStore

    folder = WitnessStore(state).folder
    files = {kind: folder / f"{kind}.key" for kind in dict.fromkeys(kinds or _KINDS)}
    for file in files.values():
        if file.exists():
            raise KeyFileError(f"{file}: something is there; a key is never written over")
    passphrase = read_passphrase(passphrase_file, of=folder, new=True)
    made = []
    for kind, file in files.items():
        signing = SigningKey.generate(name, KeyType(_KINDS[kind]))
        signing.save(file, passphrase)
        made.append({"file": str(file), "type": kind, "vkey": signing.verifier.vkey})
    if as_json:
        click.echo(json.dumps({"keys": made}))
    else:
        for each in made:
            click.echo(each["vkey"])


@command.command("add-log", context_settings=_CONTEXT)
@_STATE
@click.argument("log_key", metavar="VKEY|FILE")
@click.option("--url", default="", help="Where the log is, as a note for people.")
@_JSON
def add_log(state: Path, log_key: str, url: str, as_json: bool) -> None:
    """Cosign a log from now on; a witness that is running takes it up at once.

    \b
    Examples:
      tocsin witness add-log /srv/witness log.vkey --url https://example.org/log
    """
    from tocsin.transparency.witness import origin_hash
    from tocsin.transparency.witness_store import WitnessStore

    known = read_log_key(log_key)
    if any(character.isspace() for character in url):
        raise UsageError("an address has no space in it")
    WitnessStore(state).add_log(known, url)
    page = f"{origin_hash(known.name)}/checkpoint"
    if as_json:
        click.echo(json.dumps({"origin": known.name, "vkey": known.vkey, "page": page}))
    else:
        click.echo(printable(f"{known.name} is cosigned from now on; its page is {page}"))


@command.command("list", context_settings=_CONTEXT)
@_STATE
@_JSON
def list_logs(state: Path, as_json: bool) -> None:
    """List the logs that a witness knows, and how far each was when it cosigned last.

    \b
    Examples:
      tocsin witness list /srv/witness --json
    """
    from tocsin.transparency.witness_store import WitnessStore

    if not state.is_dir():
        raise UsageError(f"{state}: there is no witness here")
    found = WitnessStore(state).witnessed()
    if as_json:
        values = [
            {
                "origin": each.entry.key.name,
                "vkey": each.entry.key.vkey,
                "url": each.entry.url,
                "size": None if each.head is None else each.head.size,
                "root": None if each.head is None else each.head.root.hex(),
                "time": None if each.changed is None else int(each.changed),
            }
            for each in found
        ]
        click.echo(json.dumps({"logs": values}))
    elif not found:
        click.echo("no log yet; add one with 'tocsin witness add-log'")
    else:
        rows = [
            (
                each.entry.key.name,
                "never" if each.head is None else f"{each.head.size:,}",
                "" if each.changed is None else local_time(int(each.changed)),
                each.entry.url,
            )
            for each in found
        ]
        click.echo(format_table(rows, ("log", "entries", "cosigned", "where")))


@command.command("serve", context_settings=_CONTEXT)
@_STATE
@click.option(
    "--listen",
    default="127.0.0.1:7380",
    show_default=True,
    metavar="HOST:PORT",
    help="An address of this machine; port 0 takes a free one.",
)
@click.option("--public", is_flag=True, help="Let the address be one that others reach.")
@click.option("--prefix", default="", metavar="/PATH", help="What stands before all paths.")
@click.option(
    "--key",
    "key_files",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="A key to cosign with; without it, the keys in the folder.",
)
@passphrase_option
@_JSON
def serve(
    state: Path,
    listen: str,
    public: bool,
    prefix: str,
    key_files: tuple[Path, ...],
    passphrase_file: Path | None,
    as_json: bool,
) -> None:
    """Answer logs that ask for a cosignature, and monitors that ask what was cosigned.

    It speaks plain HTTP; put a proxy with TLS before it where others reach it. SIGTERM ends it
    when what has come is answered. With --json the first line says where it listens.

    Exit status: 0 it was told to end; 2 it could not begin.

    \b
    Examples:
      tocsin witness serve /srv/witness
      tocsin witness serve /srv/witness --listen '[::]:7380' --public --prefix /w1
    """
    from tocsin.transparency.http_server import HttpServer
    from tocsin.transparency.keys import SigningKey
    from tocsin.transparency.witness_server import WitnessService
    from tocsin.transparency.witness_store import WitnessStore

    host, port = listening_address(listen, public=public)
    files = key_files or tuple(file for kind in _KINDS if (file := state / f"{kind}.key").is_file())
    keys = [SigningKey.load(file, read_passphrase(passphrase_file, of=file)) for file in files]
    try:
        service = WitnessService(WitnessStore(state), keys, prefix)
    except ValueError as error:
        raise UsageError(f"--prefix: {error}") from error

    def ready(address: str, bound: int) -> None:
        shown = f"[{address}]" if ":" in address else address
        url = f"http://{shown}:{bound}{prefix.rstrip('/')}"
        vkeys = [each.verifier.vkey for each in keys]
        if as_json:
            click.echo(json.dumps({"url": url, "vkeys": vkeys}))
        else:
            click.echo(f"{keys[0].verifier.name} listens at {url}")

    async def run() -> None:
        server = HttpServer(
            service.answer,
            service.most_bytes,
            report=lambda line: click.echo(printable(f"tocsin: {line}"), err=True),
        )
        await server.serve(host, port, ready)

    asyncio.run(run())


def listening_address(stated: str, *, public: bool) -> tuple[str, int]:
    """Host and port of an option.

    Raises:
        UsageError: it is no address, or others reach it and nobody said that they may.
    """
    host, colon, port = stated.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not colon or not host or not (port.isascii() and port.isdigit()) or int(port) > 65535:
        raise UsageError("--listen: write HOST:PORT, such as 127.0.0.1:7380 or [::1]:7380")
    try:
        here = ipaddress.ip_address(host).is_loopback
    except ValueError:
        here = host == "localhost"
    if not here and not public:
        raise UsageError(
            f"--listen: others may reach {host}; say --public if they shall, or listen at 127.0.0.1"
        )
    return host, int(port)
