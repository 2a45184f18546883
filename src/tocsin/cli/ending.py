"""How a command ends when something is wrong: in plain words, and never with status 1.

1 means that something was found. Every entry point that has no other statuses of its own to keep
goes through here.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import NamedTuple

import click

from tocsin.cli.printable import printable
from tocsin.errors import TocsinError

TROUBLE = 2


class Words(NamedTuple):
    """How a command says it.

    Attributes:
        before: stands before each line.
        stopped: the line for an interrupt from the keyboard.
        usage: says what is wrong with the command line; None for click's own way.
    """

    before: str = "tocsin: "
    stopped: str = "tocsin: stopped"
    usage: Callable[[click.ClickException], None] | None = None


def end_well(call: Callable[[], object], words: Words = Words()) -> None:  # noqa: B008
    """Call a command and end with status 2, and the reason, if it does not end by itself.

    Args:
        call: the command; it may end the process with a status of its own.
        words: how things are said.
    """
    try:
        try:
            call()
        finally:
            if sys.stdout is not None:  # it may have been closed by who started this
                sys.stdout.flush()  # while what is wrong with the output can still be said
        return
    except click.ClickException as error:
        if words.usage is None:
            error.show()
        else:
            words.usage(error)
    except (click.Abort, KeyboardInterrupt):
        click.echo(words.stopped, err=True)
    except TocsinError as error:
        _say(words, *error.lines())
    except BrokenPipeError:
        _drop_output()
    except OSError as error:  # a full disk behind the output, most of all
        _drop_output()
        what = f"{error.filename}: " if error.filename else ""
        _say(words, what + (error.strerror or str(error)))
    except Exception as error:
        if os.environ.get("TOCSIN_DEBUG"):
            raise
        _say(words, f"a defect of this program: {type(error).__name__}: {error}")
        click.echo("Set TOCSIN_DEBUG=1 to see where, and please report it.", err=True)
    sys.exit(TROUBLE)


def _say(words: Words, *lines: str) -> None:
    for line in lines:
        click.echo(words.before + printable(line), err=True)


def _drop_output() -> None:
    """Let what was not written yet go nowhere, where Python's own end would fail on it."""
    if sys.stdout is not None:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
