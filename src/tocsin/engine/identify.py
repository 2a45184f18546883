"""Identification with a database's own file-type rules (`.ftm`) before the built-in ones.

Source: ClamAV manual, "File type magic". As in clamscan, rules loaded last are tried first;
unlike there, the built-in table stays in use behind them.
"""

from __future__ import annotations

from typing import Any

from tocsin.database.index import Index
from tocsin.engine.body_match import content_matches
from tocsin.engine.view import ObjectView
from tocsin.formats.identify import WINDOW, identify

ANY_TYPE = "ANY"


def _no_deadline() -> None:
    """A kilobyte needs none."""


class TypeRules:
    """Identifies objects.

    Args:
        database: its file-type rules are used.
    """

    def __init__(self, database: Index) -> None:
        rules = list(reversed(database.file_types))
        self._rules = [rule for rule in rules if rule[0]] + [rule for rule in rules if not rule[0]]

    def identify(self, data: bytes) -> str:
        """The type of an object, without `CL_TYPE_`."""
        known = identify(data)
        if not self._rules:
            return known
        view = ObjectView(data[:WINDOW], known, (), _no_deadline)
        for _fixed, content, required, result in self._rules:
            if required in (ANY_TYPE, known) and self._matches(content, view):
                return str(result)
        return known

    def _matches(self, content: tuple[Any, ...], view: ObjectView) -> bool:
        return bool(content_matches(content, view, limit=1))
