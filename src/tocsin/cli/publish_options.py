"""What the verbs of `tocsin publish` share: options, the session, and how they end."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tocsin.cli.passphrase import read_passphrase
from tocsin.cli.printable import printable
from tocsin.cli.progress import Meter
from tocsin.errors import UsageError

if TYPE_CHECKING:
    from tocsin.updates.publish.publication import Completed
    from tocsin.updates.publish.session import Session

CONTEXT = {"help_option_names": ["-h", "--help"]}
WAITING = 1
"""Exit status: nothing is wrong, and others must do something first."""

PATH = click.Path(path_type=Path)
folder_argument = click.argument("folder", metavar="DIR", type=PATH)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")
quiet_option = click.option("--no-progress", is_flag=True, help="Show no progress.")
keys_option = click.option(
    "--keys",
    type=PATH,
    metavar="DIR",
    help="Folder of the keys, where it is not the one that the publisher's settings name.",
)
passphrase_option = click.option(
    "--passphrase-file",
    "passphrase_files",
    multiple=True,
    metavar="[KEY=]FILE",
    help="Its first line opens the keys, or only the key of that name (a token's PIN as well). "
    "Default: TOCSIN_PASSPHRASE in the environment, else a prompt for each key.",
)
pkcs11_option = click.option(
    "--pkcs11-module",
    type=click.Path(path_type=Path, exists=True),
    metavar="FILE",
    help="The library of the token in which keys are. Default: PYKCS11LIB in the environment.",
)


def spread_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Options that say who gets something when."""
    for option in (
        click.option(
            "--ring",
            "rings",
            multiple=True,
            metavar="PERCENT:DELAY",
            help="So many percent of a channel's devices may have it so long after its beginning "
            "(5:0 25:2h 100:6h); repeat it, the last with 100.",
        ),
        click.option("--stable-after", metavar="DELAY", help="When the channel stable begins."),
        click.option("--fast-after", metavar="DELAY", help="When the channel fast begins."),
    ):
        function = option(function)
    return function


def read_spread(
    fast: str | None, stable: str | None, rings: Sequence[str], session: Session
) -> tuple[dict[str, int], tuple[tuple[int, int], ...] | None]:
    """Channels and rings as they were given, else as the settings have them.

    Raises:
        UsageError: a delay or ring that cannot be read.
    """
    channels = dict(session.settings.channels)
    for name, text in (("fast", fast), ("stable", stable)):
        if text is not None:
            channels[name] = read_delay(text)
    return channels, read_rings(rings)


def read_rings(rings: Sequence[str]) -> tuple[tuple[int, int], ...] | None:
    """Rings as they were given, None where none were.

    Raises:
        UsageError: one that cannot be read.
        LayoutError: they do not grow, or leave some devices out.
    """
    from tocsin.updates.layout import demand_rings

    if not rings:
        return None
    read = []
    for ring in rings:
        percent, colon, delay = ring.partition(":")
        if not colon or not percent.isdecimal():
            raise UsageError(f"{ring!r} is no ring; write PERCENT:DELAY, as 25:2h")
        read.append((int(percent), read_delay(delay)))
    demand_rings(tuple(read))
    return tuple(read)


def read_delay(text: str) -> int:
    """Seconds that a delay is, as `2h`.

    Raises:
        UsageError: it is none.
    """
    from tocsin.protect.configuration.forms import read_duration

    seconds = read_duration(text)
    if seconds is None:
        raise UsageError(f"{text!r} is no delay; write 0, 90s, 2h or 1d")
    return int(seconds)


def secrets_from(files: Sequence[str], *, new: bool = False) -> Callable[[str], bytes]:
    """What gives the passphrase or PIN of a key, by the key's name.

    Args:
        files: as given on the command line.
        new: whether keys are being made, so that a passphrase is asked for twice.
    """
    named: dict[str, Path] = {}
    for text in files:
        name, equals, path = text.partition("=")
        named[name if equals else ""] = Path(path if equals else text)
    asked: dict[str, bytes] = {}

    def secret(name: str) -> bytes:
        file = named.get(name, named.get(""))
        if file is not None and not file.is_file():
            raise UsageError(f"{file}: no such file; it should hold the passphrase of {name!r}")
        if file is not None or not new:
            return read_passphrase(file, of=Path(name))
        if "" not in asked:  # keys that are made together have one passphrase
            asked[""] = read_passphrase(None, of=Path("the new keys"), new=True)
        return asked[""]

    return secret


@contextmanager
def publishing(
    folder: Path,
    keys: Path | None,
    passphrase_files: Sequence[str],
    pkcs11_module: Path | None,
    *,
    no_progress: bool,
    locked: bool = True,
    new: bool = False,
) -> Iterator[Session]:
    """A session in a publisher's folder, the only one that changes it.

    Raises:
        WorkspaceError: it is no publisher's folder, or another process works in it.
    """
    from tocsin.updates.publish.session import Session

    use_module(pkcs11_module)
    with Meter(enabled=not no_progress) as meter:

        def ask(name: str) -> bytes:
            meter.pause()  # a prompt is readable only without the line
            return secrets(name)

        secrets = secrets_from(passphrase_files, new=new)
        session = Session.open(folder, ask, datetime.now(UTC), keys=keys, progress=meter.say)
        if not locked:
            yield session
            return
        with session.workspace.locked():
            yield session


def use_module(module: Path | None) -> None:
    """Say where the token's library is to those who read the environment."""
    if module is not None:
        os.environ["PYKCS11LIB"] = str(module)


@contextmanager
def waiting_said(as_json: bool) -> Iterator[None]:
    """End with status 1 and in words when others must sign, cosign or think it over first."""
    from tocsin.updates.publish.errors import DevicesWait, QuorumNotMet, SignaturesMissing

    try:
        yield
    except SignaturesMissing as error:
        _say_waiting(as_json, "signatures", str(error), {"missing": error.missing})
    except DevicesWait as error:
        _say_waiting(as_json, "you", str(error), {"devices_wait": error.reasons})
    except QuorumNotMet as error:
        _say_waiting(as_json, "witnesses", str(error), {"answers": error.answers})


def _say_waiting(as_json: bool, what: str, words: str, values: dict[str, Any]) -> None:
    if as_json:
        print_json({"waiting": what, "reason": words, **values})
    else:
        click.echo(f"tocsin: {printable(words)}", err=True)
    sys.exit(WAITING)


def completed_values(done: Completed | None) -> dict[str, Any]:
    """A publication as JSON has it."""
    if done is None:
        return {"published": None}
    return {"published": done.what, "log_size": done.log_size, "witnesses": done.witnesses}


def say_completed(done: Completed) -> None:
    """Say that something was published and what became of asking witnesses."""
    click.echo(f"Published: {printable(done.what)}; the log has {done.log_size:,} entries.")
    for name, answer in done.witnesses.items():
        click.echo(f"  witness {printable(name)} {printable(answer)}")


def print_json(values: dict[str, Any]) -> None:
    """Print an object as JSON."""
    click.echo(json.dumps(values, indent=2, default=str, ensure_ascii=False))
