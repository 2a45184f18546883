"""What `tocsin scan` takes from the settings: whatever the command line leaves open."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click
from click.core import ParameterSource

from tocsin.cli.printable import printable
from tocsin.cli.settings_option import named_settings

if TYPE_CHECKING:
    from tocsin.settings import Settings

_Value = TypeVar("_Value")
_MOST_NAMED = 3


class ScanSettings:
    """The settings that hold for one scan.

    Args:
        databases: what `--db` names; the settings' own are not looked at then.

    Attributes:
        settings: the settings; the defaults where there are none.

    Raises:
        InvalidSettings: they are wrong, and no `--db` was given.
    """

    def __init__(self, databases: tuple[Path, ...]) -> None:
        from tocsin.app.scan_settings import settings_for_scan

        self._context = click.get_current_context()
        self._databases = databases
        self._found = settings_for_scan(named_settings(), needed=not databases)
        self.settings: Settings = self._found.settings
        _warn(self._found.warning)

    def or_given(self, option: str, given: _Value, stated: _Value) -> _Value:
        """What the command line says, else the settings, else the command's own default.

        Args:
            option: the command's parameter.
            given: its value.
            stated: that of the settings.
        """
        if not self._found.stated:
            return given
        source = self._context.get_parameter_source(option)
        return stated if source is ParameterSource.DEFAULT else given

    def lenient(self, given: bool) -> bool:
        """Whether malformed signatures are passed over; the settings say so of their own alone.

        What updates brought counts as theirs: it was tried and indexed as they say.
        """
        from tocsin.app.installed import installed_for_scan

        database = self.settings.database
        if given or self._databases or not database.lenient:
            return given
        stated = self._found.stated and bool(database.sources)
        return stated or bool(installed_for_scan(self.settings).files)

    def sources(self, *, with_default: bool) -> list[Path]:
        """Where the signatures are; what of them cannot be read is said.

        Raises:
            SettingsError: the settings name something that does not exist.
        """
        from tocsin.app.scan_settings import sources_for_scan
        from tocsin.database.cache import default_sources

        if self._databases:
            return [*self._databases, *([default_sources()] if with_default else [])]
        sources, said = sources_for_scan(self._found, with_default=with_default)
        _warn(said)
        return sources


def shown_sources(sources: list[Path]) -> str:
    """Sources in a few words, for a summary."""
    from tocsin.app.installed import source_of
    from tocsin.database.cache import default_sources

    own = default_sources()
    names = [
        "tocsin's own" if each == own else printable(source_of(each) or str(each))
        for each in sources
    ]
    names = list(dict.fromkeys(names))
    more = len(names) - _MOST_NAMED
    return ", ".join(names[:_MOST_NAMED]) + (f" and {more:,} more" if more > 0 else "")


def _warn(text: str) -> None:
    if text:
        click.echo(f"tocsin: {printable(text)}", err=True)
