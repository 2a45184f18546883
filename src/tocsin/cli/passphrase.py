"""Passphrases of keys: from a file, the environment or a prompt, never from the command line."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from tocsin.errors import UsageError

VARIABLE = "TOCSIN_PASSPHRASE"
_MAX_BYTES = 4096

passphrase_option = click.option(
    "--passphrase-file",
    type=click.Path(path_type=Path, exists=True),
    metavar="FILE",
    help=f"Its first line opens the key. Default: {VARIABLE} in the environment, else a prompt.",
)


def read_passphrase(file: Path | None, *, of: Path, new: bool = False) -> bytes:
    """The passphrase of a key.

    Args:
        file: whose first line it is; None for the environment or a prompt.
        of: the key's file, for the prompt.
        new: whether a key is being made, so that it is asked for twice.

    Raises:
        UsageError: it is empty, or there is nobody to ask.
    """
    if file is not None:
        with file.open("rb") as opened:
            found = opened.read(_MAX_BYTES + 1)
        if len(found) > _MAX_BYTES:
            raise UsageError(f"{file}: a passphrase has at most {_MAX_BYTES} bytes")
        passphrase = found.split(b"\n", 1)[0].rstrip(b"\r")
        if not passphrase:
            raise UsageError(f"{file}: its first line is empty; it must be the passphrase")
        return passphrase
    if given := os.environ.get(VARIABLE):
        return os.fsencode(given)
    if not sys.stdin.isatty():
        raise UsageError(
            f"{of}: give its passphrase with --passphrase-file or in {VARIABLE}; there is no "
            "terminal to ask at"
        )
    prompt = f"New passphrase for {of}" if new else f"Passphrase of {of}"
    answer: str = click.prompt(prompt, hide_input=True, confirmation_prompt=new, err=True)
    return answer.encode()
