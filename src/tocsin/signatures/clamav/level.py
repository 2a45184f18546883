"""ClamAV's functionality level: which signatures are meant for an engine like this one.

Source: ClamAV manual, "Functionality levels"; `sigtool --help` of 1.4.6 prints its own.
"""

from __future__ import annotations

from tocsin.errors import SignatureError

LEVEL = 216
"""The level this engine answers to: that of ClamAV 1.4.6."""


def within_level(low: int, high: int | None = None) -> bool:
    """Whether a signature for levels `low` to `high`, both included, is meant for us."""
    return low <= LEVEL and (high is None or high >= LEVEL)


def parse_levels(fields: list[str]) -> bool:
    """Read the trailing `[minfl[:maxfl]]` fields of a line.

    Returns:
        Whether the signature is meant for this engine.

    Raises:
        SignatureError: a field is not a number.
    """
    for field in fields:
        if field and not field.isdigit():
            raise SignatureError(f"functionality level {field!r} is not a number")
    low = int(fields[0]) if fields and fields[0] else 0
    high = int(fields[1] or 0) if len(fields) > 1 else None
    return within_level(low, high)
