"""Options that the verbs share which look at single files."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from tocsin.cli.sizes import Size
from tocsin.unpack.interface import Limits

_DEFAULTS = Limits()


def inspection_options(function: Callable[..., None]) -> Callable[..., None]:
    """Add `--db`, `--password`, the limits and `--require-sandbox`.

    The function is given `databases` and the `options` they amount to.
    """

    @click.option(
        "--db",
        "databases",
        multiple=True,
        type=click.Path(path_type=Path),
        help="Database whose passwords and file types are used. Default: tocsin's own.",
    )
    @click.option(
        "--password", "passwords", multiple=True, help="Try it on what is encrypted; repeatable."
    )
    @click.option("--max-file-size", type=Size(), default=_DEFAULTS.max_file_size, hidden=True)
    @click.option("--max-scan-size", type=Size(), default=_DEFAULTS.max_scan_size, hidden=True)
    @click.option("--max-files", type=click.IntRange(0), default=_DEFAULTS.max_files, hidden=True)
    @click.option(
        "--max-depth", type=click.IntRange(1, 64), default=_DEFAULTS.max_depth, hidden=True
    )
    @click.option("--timeout", type=click.FloatRange(0), default=_DEFAULTS.timeout, hidden=True)
    @click.option(
        "--require-sandbox", is_flag=True, help="Do nothing where workers cannot be confined."
    )
    @functools.wraps(function)
    def wrapper(
        *args: Any,
        passwords: tuple[str, ...],
        max_file_size: int,
        max_scan_size: int,
        max_files: int,
        max_depth: int,
        timeout: float,
        require_sandbox: bool,
        **kwargs: Any,
    ) -> None:
        from tocsin.engine.options import Options, Sandboxing

        options = Options(
            limits=Limits(max_file_size, max_scan_size, max_files, max_depth, timeout),
            passwords=tuple(os.fsencode(password) for password in passwords),
            sandbox=Sandboxing.REQUIRED if require_sandbox else Sandboxing.ON,
        )
        function(*args, options=options, **kwargs)

    return wrapper
