"""The settings file that `tocsin --config FILE` names, for the verbs that read it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from tocsin.protect.configuration.load import Loaded
    from tocsin.settings import Settings


def named_settings() -> Path | None:
    """The file that `--config` names, None when it was not given."""
    context = click.get_current_context(silent=True)
    named = context.find_root().obj if context else None
    return named if isinstance(named, Path) else None


def loaded_settings() -> Loaded:
    """The settings that hold for this command.

    Raises:
        InvalidSettings: with everything that is wrong in the file, by line and key.
    """
    from tocsin.app.settings import load_settings

    return load_settings(named_settings())


def current_settings(ctx: click.Context | None = None) -> Settings:
    """The same without where they are from.

    Args:
        ctx: that of the command; the one that runs when it is not given.

    Raises:
        InvalidSettings: with everything that is wrong in the file, by line and key.
    """
    from tocsin.app.settings import load_settings

    named = ctx.find_root().obj if ctx else named_settings()
    return load_settings(named).settings
