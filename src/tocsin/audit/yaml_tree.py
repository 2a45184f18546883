"""A YAML document as plain mappings, sequences and texts.

Built from the parser's events: every scalar stays the text that it is (a version `1.10` is no
number), tags make nothing, and aliases, with which nine lines become gigabytes, are refused.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tocsin.audit.source import Unreadable

MOST_DEPTH = 100


def documents(text: str) -> Iterator[Any]:
    """The documents of a text.

    Args:
        text: YAML.

    Yields:
        `dict`, `list`, `str` or None, nested.

    Raises:
        Unreadable: it is no YAML from some place on, or has what is refused.
    """
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    builder = _Builder(yaml)
    try:
        for event in yaml.parse(text, Loader=loader):
            builder.take(event)
            if builder.finished:
                yield builder.finished.pop()
    except yaml.YAMLError as error:
        if builder.outermost is not None:
            yield builder.outermost  # what came before the break
        mark = getattr(error, "problem_mark", None)
        line = f" at line {mark.line + 1:,}" if mark is not None else ""
        said = getattr(error, "problem", None) or str(error).partition("\n")[0]
        raise Unreadable(f"YAML is broken{line}: {said}") from None
    except Unreadable:
        if builder.outermost is not None:
            yield builder.outermost
        raise


class _Builder:
    """Puts events together."""

    def __init__(self, yaml: Any) -> None:
        self._yaml = yaml
        self._open: list[Any] = []
        self._keys: list[Any] = []  # for each open mapping: the key that waits for its value
        self.finished: list[Any] = []

    @property
    def outermost(self) -> Any:
        """What is open, with all that was put into it so far."""
        return self._open[0] if self._open else None

    def take(self, event: Any) -> None:
        """The next event."""
        yaml = self._yaml
        kind = type(event)
        if kind is yaml.ScalarEvent:
            is_null = event.implicit[0] and event.value in ("", "~", "null", "Null", "NULL")
            self._put(None if is_null else event.value)
        elif kind is yaml.MappingStartEvent:
            self._enter({}, event)
        elif kind is yaml.SequenceStartEvent:
            self._enter([], event)
        elif kind is yaml.MappingEndEvent or kind is yaml.SequenceEndEvent:
            closed = self._open.pop()
            self._keys.pop()
            if not self._open:
                self.finished.append(closed)
        elif kind is yaml.AliasEvent:
            line = event.start_mark.line + 1
            raise Unreadable(f"an alias at line {line:,}, which no list needs; it is not followed")

    def _enter(self, holder: Any, event: Any) -> None:
        if len(self._open) >= MOST_DEPTH:
            line = event.start_mark.line + 1
            raise Unreadable(f"nested more than {MOST_DEPTH} deep at line {line:,}")
        if self._open:
            self._put(holder)
        self._open.append(holder)
        self._keys.append(None)

    def _put(self, value: Any) -> None:
        if not self._open:
            self.finished.append(value)
            return
        holder = self._open[-1]
        if isinstance(holder, list):
            holder.append(value)
        elif self._keys[-1] is None:
            self._keys[-1] = value if isinstance(value, str) else repr(value)[:100]
        else:
            holder[self._keys[-1]] = value
            self._keys[-1] = None
